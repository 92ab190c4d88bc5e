/** Where a drive of the gate sits, as the bench shows it: the label that is typed is read off the drive in that bay. */
import type { Drive, PlanDrive } from "@wire";

import { platesOf } from "../../plates";
import { known } from "../../state/app";
import { bayOf } from "../../state/store";
import { title } from "../bench/card";

/** A plan's drive as the bench has it: the plan itself does not tell where it sits. */
export const onBench = ({ id }: PlanDrive): Drive | undefined => known.value.drives?.find((drive) => drive.id === id);

/** Its plate among those that stand here; of a drive that the bench does not show a plain number, which nobody takes for a bay. */
export function Plate({ drive, among, index }: { drive: Drive | undefined; among: ReadonlyMap<string, string>; index: number }) {
  return drive ? <span class="plate">{among.get(drive.key)}</span> : <span class="ord">{index + 1}.</span>;
}

/** The plates of a plan's drives. */
export const platesOfPlan = (drives: readonly PlanDrive[]) => platesOf(drives.flatMap((drive) => onBench(drive) ?? []));

/** The model that was planned, behind the bay's name where the plate has no room for it; pure. */
export function modelWords({ model }: PlanDrive, drive: Drive | undefined): string {
  return drive ? title({ ...drive, model }) : model || "no model told";
}

/** Which drive a field is about, in words; pure. */
export function whichWords(drive: Drive | undefined, index: number): string {
  if (drive?.bay) return `the drive in bay ${drive.bay.replace(/^bay /i, "")}`;
  const at = drive && (bayOf(drive).told || (drive.as_of ? "" : drive.kernel_name));
  return at ? `the drive at ${at}` : `drive ${index + 1}`;
}
