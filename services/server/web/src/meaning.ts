/**
 * What an attribute counts, by the name that smartmontools gives it: makers give one number to different things. The tables are `wire`'s
 * (`services/wire/src/meaning.rs`, `meant.rs`); both sides run `services/wire/cases/meaning.json` and `smart-names.json` (`meaning.test.ts`).
 */
import { MEANINGS, MEANT } from "@wire";

/** What a count stands for. */
export type Meaning = (typeof MEANINGS.numbers)[number][1] | NonNullable<(typeof MEANINGS.names)[number][1]>;

/** What attribute `id` of this name counts; `null` where no rule knows it. */
export function meaningOf(id: number | null, name: string): Meaning | null {
  const plain = name.toLowerCase().replaceAll(" ", "_");
  if (isSomethingElse(plain)) return null;
  const named = MEANINGS.names.find(([words]) => plain.includes(words));
  const meaning = named ? named[1] : (MEANINGS.numbers.find(([number]) => number === id)?.[1] ?? null);
  return meaning === "grown_bad_blocks" && id === 5 ? "reallocated" : meaning;
}

/** Whether a number of this name is not what it counts on most drives. */
export const isSomethingElse = (name: string) => MEANINGS.something_else.some((words) => name.toLowerCase().replaceAll(" ", "_").includes(words));

/** The number under which most drives count what this one counts; its own where no rule knows it, `null` where that is something else. */
export function usualNumber(id: number, name: string): number | null {
  const meaning = meaningOf(id, name);
  if (meaning !== null) return MEANINGS.numbers.find(([, known]) => known === meaning)?.[0] ?? id;
  // A name that tells of something else takes the number its weight.
  return isKnown(name) ? null : id;
}

/** Whether the name itself tells what is counted, be it nothing that a rule knows. */
const isKnown = (name: string) => isSomethingElse(name) || MEANINGS.names.some(([words]) => name.toLowerCase().replaceAll(" ", "_").includes(words));

/** What a line of SMART means in words for people; `undefined` where nobody knows. */
export function meant(id: number | null, name: string): string | undefined {
  const plain = name.toLowerCase().replaceAll(" ", "_");
  if (id === null) return MEANT.values.find(([value]) => value === plain)?.[1];
  if (plain.includes(MEANT.either[0])) return MEANT.either[1];
  const fault = meaningOf(id, name);
  return fault === null ? MEANT.others.find(([part]) => plain.includes(part))?.[1] : MEANT.faults[fault];
}
