/** A press that comes twice does it once: in a list whose rows go when they are pressed the next row's button comes under the finger. */
import { useRef } from "preact/hooks";

import { monotonic } from "../state/app";

/** Milliseconds in which a button takes no press after it came where it is, or began to say what it says: longer than a second press comes by itself. */
export const SETTLES_MS = 700;

/** A line with a button: the same line has the same key the next time; `says`: what its button says, where that changes. */
export interface Line { key: string | number; says?: string | undefined }

/** Where each line's button is and what it says, and since when, in milliseconds of this page's clock; by the line's key. */
export type Standing = ReadonlyMap<Line["key"], { as: string; since: number }>;

/** The same once the lines are these, in the order in which they are shown; pure. */
export function standing(before: Standing, lines: readonly Line[], at: number): Standing {
  return new Map(lines.map(({ key, says }, place) => {
    const [as, was] = [`${place} ${says}`, before.get(key)];
    return [key, was?.as === as ? was : { as, since: at }];
  }));
}

/** Tells of a line that is shown whether its button takes a press: whoever presses what came there a moment ago means what was there before. */
export function useSettled(lines: readonly Line[]): (key: Line["key"]) => boolean {
  const stands = useRef<Standing>(new Map());
  stands.current = standing(stands.current, lines, monotonic());
  return (key) => monotonic() - (stands.current.get(key)?.since ?? 0) >= SETTLES_MS;
}
