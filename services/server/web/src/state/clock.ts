/**
 * The box's clock as a page follows it: by how much it is ahead of this machine's.
 *
 * What the box says of its clock is of when it was sent. A page that slept, or whose tab stood in the background, reads it minutes later,
 * and would be behind until the next word: a late word can only put the clock back. Pure; tested in `clock.test.ts`.
 */

/** By so much words come late on the way alone, in milliseconds. */
export const LATE_MS = 2_000;

/** How far the box is ahead, by its word that is read at `now`. Milliseconds; `NaN` where it is no time. */
export const ahead = (told: string, now: number): number => Date.parse(told) - now;

/** Whether a word that gives this may be an old one, or the box's clock was put back: only an answer to a question tells. */
export const mayBeLate = (known: number, told: number): boolean => told < known - LATE_MS;
