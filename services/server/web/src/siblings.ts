/**
 * A drive beside others of its model and size, and its surface in cells: how fast each is, what is usual there, and what is
 * wrong in it. Pure; tested in `siblings.test.ts`.
 */
import type { Finding, Job } from "@wire";

import { curves, isBackwards, together, type Curve, type Point } from "./curve";

/** Cells of a surface map, at most: eight rows of a phone. */
export const CELLS = 256;
/** Cells of one row of the map. */
export const ROW = 32;
/** A place under this share of what is usual there is called slow. A hint to the eye: the verdict's rules decide. */
const SLOW = 0.5;
/** Cells on each side of a place that tell what is usual there, where no siblings do. */
const AROUND = 12;
/** Siblings that make a band; one other drive is no measure. */
const ENOUGH = 2;

/** The curve that says most of a drive: the newest step that moved over it, preferably one that read. */
export function telling(job: Job): Curve | undefined {
  const all = curves(job, undefined).filter(({ points }) => points.length > 1);
  return all.findLast(({ phase }) => phase === "verify" || phase === "scan") ?? all.at(-1);
}

/** The newest job with a measured surface of each other drive of the same model and size, in the order of their serials. */
export function siblings(of: Pick<Job, "drive" | "model" | "capacity">, jobs: Iterable<Job>): Job[] {
  const newest = new Map<string, Job>();
  for (const job of jobs) {
    if (job.drive === of.drive || job.model !== of.model || job.capacity !== of.capacity || of.model === "" || !telling(job)) continue;
    const other = newest.get(job.drive);
    if (!other || job.id > other.id) newest.set(job.drive, job);
  }
  return [...newest.values()].sort((a, b) => (a.serial < b.serial ? -1 : 1));
}

function middle(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}

/** Rates of a curve in `count` stretches of equal length; `null` where nothing was measured. */
export function bins(points: readonly Point[], count: number): (number | null)[] {
  const held = Array.from({ length: count }, (): number[] => []);
  for (const [x, y] of points) held[Math.min(count - 1, Math.floor(x * count))]?.push(y);
  return held.map((rates) => (rates.length > 0 ? together(rates) : null));
}

/** Slowest and fastest of the siblings in each of `count` stretches, where at least two told, and how many there are. */
export function band(of: Curve, among: readonly Job[], count: number): { of: number; low: Point[]; high: Point[] } | null {
  const each = among.flatMap((job) => {
    const same = curves(job, undefined).findLast(({ phase, note, points }) => phase === of.phase && isBackwards(note) === isBackwards(of.note) && points.length > 1);
    return same ? [bins(same.points, count)] : [];
  });
  if (each.length < ENOUGH) return null;
  const low: Point[] = [];
  const high: Point[] = [];
  for (let i = 0; i < count; i += 1) {
    const rates = each.flatMap((row) => row[i] ?? []);
    if (rates.length < ENOUGH) continue;
    low.push([(i + 0.5) / count, Math.min(...rates)]);
    high.push([(i + 0.5) / count, Math.max(...rates)]);
  }
  return low.length > 1 ? { of: each.length, low, high } : null;
}

/** One cell of the map: `from` and `to` are shares of the drive, rates bytes a second. */
export interface Cell { from: number; to: number; rate: number | null; usual: number | null; faults: readonly Finding[]; state: "usual" | "slow" | "bad" | "none" }

/** How fine a curve can be shown: its closest points decide, so that a small drive has no empty cells between its few. */
function fineness(points: readonly Point[]): number {
  const gap = points.reduce((least, [x], i) => (i === 0 ? least : Math.min(least, x - (points[i - 1]?.[0] ?? 0))), 1);
  return Math.max(1, Math.min(CELLS, Math.round(1 / Math.max(gap, 1 / CELLS))));
}

/** The surface of a job as cells, from the first sector to the last. */
export function cells(job: Job, curve: Curve, among: readonly Job[] = []): Cell[] {
  const count = fineness(curve.points);
  const own = bins(curve.points, count);
  const others = among.flatMap((other) => {
    const same = curves(other, undefined).findLast(({ phase }) => phase === curve.phase);
    return same ? [bins(same.points, count)] : [];
  });
  const sectors = job.capacity / job.sector;
  return own.map((rate, i) => {
    const [from, to] = [i / count, (i + 1) / count];
    const told = others.flatMap((row) => row[i] ?? []);
    const usual = told.length >= ENOUGH ? middle(told) : middle(own.slice(Math.max(0, i - AROUND), i + AROUND + 1).flatMap((value) => value ?? []));
    const faults = job.findings.filter(({ lba, sectors: length }) => lba !== null && lba < to * sectors && lba + Math.max(1, length) > from * sectors);
    const state = faults.length > 0 ? "bad" : rate === null ? "none" : usual !== null && rate < usual * SLOW ? "slow" : "usual";
    return { from, to, rate, usual, faults, state };
  });
}

/** Neighbouring cells that are slow or bad, as one stretch each. */
export function stretches(map: readonly Cell[]): { from: number; to: number; slowest: number | null; usual: number | null; faults: Finding[]; state: "slow" | "bad" }[] {
  const out: ReturnType<typeof stretches> = [];
  let open = false;
  for (const cell of map) {
    const last = out.at(-1);
    if (cell.state !== "slow" && cell.state !== "bad") {
      open = false;
      continue;
    }
    if (open && last) {
      last.to = cell.to;
      last.slowest = last.slowest === null ? cell.rate : cell.rate === null ? last.slowest : Math.min(last.slowest, cell.rate);
      last.faults.push(...cell.faults.filter((fault) => !last.faults.includes(fault)));
      if (cell.state === "bad") last.state = "bad";
    } else out.push({ from: cell.from, to: cell.to, slowest: cell.rate, usual: cell.usual, faults: [...cell.faults], state: cell.state });
    open = true;
  }
  return out;
}

/** A drive's figures for the comparison: bytes a second over what was measured and at its slowest place, degrees at most, and the share that was measured. */
export interface Figures { mean: number | null; slowest: Point | null; hottest: number | null; share: number }

/** See {@link Figures}. */
export function figures(job: Job): Figures {
  const points = telling(job)?.points ?? [];
  const count = fineness(points);
  const degrees = job.timeline.flatMap(({ temperature }) => temperature ?? []);
  return {
    mean: points.length > 0 ? together(points.map(([, y]) => y)) : null,
    slowest: points.reduce<Point | null>((least, point) => (!least || point[1] < least[1] ? point : least), null),
    hottest: degrees.length > 0 ? Math.max(...degrees) : null,
    share: points.length === 0 ? 0 : bins(points, count).filter((rate) => rate !== null).length / count,
  };
}
