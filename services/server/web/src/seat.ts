/** Where a drive sits, in words: a person who is to pull one looks for that, and the plate on its card says the same. Pure; tested in `plates.test.ts`. */
import type { Drive } from "@wire";

import { lastFour } from "./format";
import { bayOf, plateOf } from "./state/store";

/** What a drive's bay is called by a person or by the shelf itself; empty where nobody does, and its plate tells only what it is plugged into. */
export function bayName(drive: Drive): string {
  const { told, place } = bayOf(drive);
  return drive.bay ?? (told.startsWith("bay ") ? place : told.startsWith("card slot ") ? told.replace("c", "C") : "");
}

/** A drive's place within words, where a lone number would be one more figure. */
export function placeName(drive: Drive): string {
  const plate = plateOf(drive);
  const { told, group } = bayOf(drive);
  if (drive.bay ? !/^\d+$/.test(plate) : !/^\d[\d:-]*$/.test(plate)) return plate;
  return `${drive.bay ? "bay" : (/^(SATA|SAS|SCSI|USB|card slot|bay)\b/.exec(told)?.[0] ?? group)} ${plate}`;
}

/** The same of where it is pulled, to begin a sentence: `Bay 7`, `Slot 03`, `SCSI 6`; empty where nothing tells it. */
export function seatOf(drive: Drive): string {
  const bay = bayName(drive);
  if (bay) return /^(bay|slot|disk|card slot)\b/i.test(bay) ? bay : `Bay ${bay}`;
  return bayOf(drive).place && placeName(drive);
}

/** A drive by its place and its last four: `Bay 7 (…K2CC)`, `SCSI 6 …K2CC`. */
export function whoIs(drive: Drive): string {
  const [seat, four] = [seatOf(drive), `…${lastFour(drive.serial)}`];
  return bayName(drive) ? `${seat} (${four})` : `${seat} ${four}`.trim();
}
