/**
 * Plates of drives that stand together without the headings of their groups, as at the gate and on the wall: there port 1 of one
 * controller and target 1 of another would both be "1". On the bench the heading tells them apart. Pure; tested in `plates.test.ts`.
 */
import type { Drive } from "@wire";

import { placeName } from "./seat";
import { plateOf } from "./state/store";

/** The address of the shelf in which a drive is, else of its controller; empty where neither is told. */
const addressOf = ({ location }: Drive): string => [...location.matchAll(/(?:PCI|enclosure) ([^,]+)/g)].at(-1)?.[1] ?? "";

/** What a drive may be called among others, the shortest first. */
const namesOf = (drive: Drive) => [plateOf(drive), placeName(drive), `${placeName(drive)}, ${addressOf(drive)}`, drive.location] as const;

/** The plate of each of these drives, by its key: as the bench has it, with as much before it as tells it from the others here. */
export function platesOf(drives: readonly Drive[]): ReadonlyMap<string, string> {
  const all = drives.map((drive) => ({ key: drive.key, names: namesOf(drive) }));
  const alone = (name: string, level: number) => all.filter(({ names }) => names[level] === name).length === 1;
  return new Map(all.map(({ key, names }) => [key, names.find(alone) ?? names[0]]));
}
