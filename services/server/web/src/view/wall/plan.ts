/** What the wall shows and how it is cut into screens. Pure; tested in `wall.test.ts`. */
import type { Drive, Job } from "@wire";

import { byGroup } from "../../state/store";
import { asks } from "../job/ack";

/** How long one of several screens stands, in milliseconds: long enough to find a bay and read it from three metres. */
export const STANDS_MS = 12_000;

/** A window's division. `unit` and `tile` are pixels of this window for one of a wall of 1920 × 1080: of head and foot, and of tiles, which grow where there are few.
 * `foot`: how wide its lines are, in units, and how many it has. */
export interface Plan { unit: number; tile: number; columns: number; rows: number; foot: { room: number; lines: number } }

/** Least letters are 30 units; below half a pixel for one nobody reads them on any screen. */
const LEAST_UNIT = 0.5;
/** A tile's least width and height, head and foot together, both margins, and the gap: units of {@link Plan}. */
const TILE = { width: 440, height: 184, ends: 200, sides: 56, gap: 10 };
/** Head and foot together on a phone upright, where both are as high as their words need: three lines and four. */
const ENDS_UPRIGHT = 410;
/** How much larger than needed tiles may be, largest first: two drives fill a wall, but are no posters. */
const GROWN = [2.2, 1.9, 1.6, 1.4, 1.2, 1] as const;

/** How a window of so many pixels is divided for so many tiles. */
export function plan(width: number, height: number, count: number): Plan {
  const unit = Math.max(LEAST_UNIT, Math.min(Math.max(width, height) / 1920, Math.min(width, height) / 1080));
  // Upright the foot is as high as it needs to be.
  const foot = { room: width / unit - TILE.sides, lines: height >= width ? Infinity : 2 };
  const divide = (tile: number) => {
    const fit = (room: number, each: number) => Math.max(1, Math.floor((room / tile + TILE.gap) / (each + TILE.gap)));
    return { unit, tile, foot, columns: fit(width - TILE.sides * unit, TILE.width), rows: fit(height - (height > width ? ENDS_UPRIGHT : TILE.ends) * unit, TILE.height) };
  };
  const all = GROWN.map((grown) => divide(unit * grown));
  return all.find(({ columns, rows }) => columns * rows >= count) ?? divide(unit);
}

/** Units that a letter of the foot takes in a wide font, half of them bold; those of a mark before a text, and between two texts. */
const [LETTER, MARK, BETWEEN] = [21, 60, 48];

/** How many of these texts, the first of `total`, stand whole in the foot, with the count of the rest behind them; one at least. */
export function whole(texts: readonly string[], total: number, { room, lines }: Plan["foot"]): number {
  const fits = (widths: readonly number[]) => {
    let [line, at] = [1, 0];
    for (const width of widths) {
      at += (at > 0 ? BETWEEN : 0) + width;
      if (at > room && at > width) [line, at] = [line + 1, width];
    }
    return line <= lines;
  };
  const wide = (text: string, mark = MARK) => mark + text.length * LETTER;
  for (let count = texts.length; count > 1; count -= 1) {
    const rest = total > count ? [wide(`and ${total - count} more`, 0)] : [];
    if (fits([...texts.slice(0, count).map((text) => wide(text)), ...rest])) return count;
  }
  return Math.min(1, texts.length);
}

/** Whether a drive that is out is missed: its test waits for it, or ended without an answer and nobody has seen that. One that FAILED was taken out as the wall asked. */
function missed(job: Job | undefined): boolean {
  return job !== undefined && (job.state.kind === "waiting" || (asks(job) && job.verdict?.outcome === "INCONCLUSIVE"));
}

/** Drives worth a tile: those that are here, and those that are missed. */
export function shown(drives: readonly Drive[], jobs: ReadonlyMap<string, Job>): Drive[] {
  return drives.filter((drive) => drive.present || missed(jobs.get(drive.id ?? "")));
}

/** A screen: what it is called, and its drives. */
export interface Screen { name: string; drives: readonly Drive[] }

/** Cuts drives into screens of at most `places` tiles, by enclosure: one that fits on a screen stays on one. */
export function screens(drives: readonly Drive[], places: number): Screen[] {
  const out: { names: string[]; drives: Drive[] }[] = [];
  for (const group of byGroup(drives)) {
    let last = out.at(-1);
    if (!last || (last.drives.length + group.drives.length > places && last.drives.length > 0)) out.push((last = { names: [], drives: [] }));
    last.names.push(group.name);
    for (const drive of group.drives) {
      if (last.drives.length === places) out.push((last = { names: [group.name], drives: [] }));
      last.drives.push(drive);
    }
  }
  return out.map(({ names, drives: list }) => ({ name: [...new Set(names)].join(", "), drives: list }));
}

/** Which of so many screens stands at a moment. */
export const standing = (count: number, now: number) => (count > 0 ? Math.floor(now / STANDS_MS) % count : 0);
