/**
 * Geometry of the pictures: throughput over the drive's surface as SVG paths. Pure; tested in `curve.test.ts`.
 *
 * The x axis is always "where on the drive", from the first sector (0) to the last (1).
 */
import type { Finding, Job, Phase, TimePoint } from "@wire";

import { SWEEPS, type Trail } from "./state/store";

/** A measured place: x from 0 to 1, bytes a second. */
export type Point = readonly [number, number];

const measured = new WeakMap<readonly number[], Point[]>();

/**
 * Least stretch of a drive for one point, in bytes: several full queues. Over less, one I/O is much of a zone, and which
 * of those in flight the drive ends first looks like speed.
 */
const STRETCH = 8 * 1024 * 1024;

/** The rate over stretches of equal length: bytes over time, so the harmonic mean. */
export function together(rates: readonly number[]): number {
  return rates.length / rates.reduce((sum, rate) => sum + 1 / rate, 0);
}

/** Zones of a surface as points; places without a measurement are left out. Remembered for each list, which never changes. */
export function zonePoints(zones: readonly number[], capacity: number): Point[] {
  let points = measured.get(zones);
  if (!points) {
    points = [];
    const each = Math.max(1, Math.ceil((STRETCH * zones.length) / Math.max(1, capacity)));
    for (let from = 0; from < zones.length; from += each) {
      const rates = zones.slice(from, from + each).filter((rate) => rate > 0);
      if (rates.length > 0) points.push([(from + Math.min(each, zones.length - from) / 2) / zones.length, together(rates)]);
    }
    measured.set(zones, points);
  }
  return points;
}

/** At most `count` points, each the rate over its stretch; the lowest of a stretch that dips under half its mean survives. */
export function thin(points: readonly Point[], count: number): Point[] {
  if (points.length <= count) return [...points];
  const out: Point[] = [];
  for (let i = 0; i < count; i++) {
    const part = points.slice(Math.floor((i * points.length) / count), Math.floor(((i + 1) * points.length) / count));
    if (part.length === 0) continue;
    const place = part.reduce((sum, [x]) => sum + x, 0) / part.length;
    const rate = together(part.map(([, y]) => y));
    const low = part.reduce((a, b) => (b[1] < a[1] ? b : a));
    out.push(low[1] < rate / 2 ? low : [place, rate]);
  }
  return out;
}

/** A path through points in a box of `width` × `height`, y upwards from 0 to `max`. Gaps wider than `gap` break
 * the line: without one, those wider than a twentieth of the drive and than its usual steps. */
export function line(points: readonly Point[], width: number, height: number, max: number, gap = Math.max(0.05, 2.5 / points.length)): string {
  let d = "";
  let before = -1;
  for (const [x, y] of points) {
    const px = (x * width).toFixed(1);
    const py = (height - (Math.min(y, max) / (max || 1)) * height).toFixed(1);
    d += `${before < 0 || x - before > gap ? "M" : "L"}${px} ${py}`;
    before = x;
  }
  return d;
}

/** The same as a closed area down to the axis; for points without gaps. */
export function area(points: readonly Point[], width: number, height: number, max: number): string {
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return "";
  return `${line(points, width, height, max, 2)}L${(last[0] * width).toFixed(1)} ${height}L${(first[0] * width).toFixed(1)} ${height}z`;
}

/** The area between two lines over the same places, as a closed path. */
export function ribbon(low: readonly Point[], high: readonly Point[], width: number, height: number, max: number): string {
  if (low.length < 2) return "";
  return `${line(high, width, height, max, 2)}${line([...low].reverse(), width, height, max, 2).replace("M", "L")}z`;
}

/** A round number at or above `value` for the top of an axis, and the steps to it: 1, 2, 2.5 or 5 times a power of ten. */
export function axis(value: number, steps = 4): { max: number; ticks: number[] } {
  if (!(value > 0)) return { max: 1, ticks: [0] };
  const raw = value / steps;
  const power = 10 ** Math.floor(Math.log10(raw));
  const size = ([1, 2, 2.5, 5, 10].find((m) => m * power >= raw * 0.999) ?? 10) * power;
  const count = Math.ceil(value / size - 1e-9);
  return { max: size * count, ticks: Array.from({ length: count + 1 }, (_, i) => i * size) };
}

/**
 * The rate that a picture reaches up to: the greatest, unless a few places are so far above the rest (a cache that
 * swallowed them) that the rest would be a flat line. Those are drawn at the top edge, and the picture says so.
 */
export function ceiling(rates: readonly number[]): { top: number; cut: boolean } {
  const sorted = [...rates].sort((a, b) => a - b);
  const most = sorted.at(-1) ?? 0;
  const usual = sorted[Math.floor((sorted.length - 1) * 0.9)] ?? 0;
  return most > usual * 2 ? { top: usual * 1.4, cut: true } : { top: most, cut: false };
}

/** One curve of a job. */
export interface Curve {
  phase: Phase;
  /** Index of the step among the job's. */
  step: number;
  /** What tells it from other steps of the same phase. */
  note: string;
  points: Point[];
  running: boolean;
}

const NONE: readonly number[] = [];

/** Whether a step goes from the last sector to the first. */
export function isBackwards(note: string): boolean {
  return /backwards|reverse/.test(note);
}

/** More milliseconds than two points of a step are apart: then the box's clock was set. */
const SET = 86_400_000;

const passed = new WeakMap<readonly TimePoint[], Point[]>();

/** Milliseconds by which a box's clock may be put right while it runs. */
const CORRECTION = 60_000;

/** The points of each stretch between two starts: the next one begins where a point passes its time, or where the box's clock went back over it. */
function stretches<P extends { at: number }>(line: readonly P[], starts: readonly { at: number }[]): P[][] {
  const all: P[][] = starts.map(() => []);
  const wentBack = (n: number) => (line[n]?.at ?? 0) < (line[n - 1]?.at ?? -Infinity) - CORRECTION;
  // With a clock that goes back the first points may be later than all starts.
  const goesBack = line.some((_, n) => wentBack(n));
  let i = 0;
  for (const [n, point] of line.entries()) {
    const before = line[n - 1]?.at ?? (goesBack ? Infinity : -Infinity);
    const passes = (start: { at: number } | undefined) => start !== undefined && before < start.at && start.at <= point.at;
    if (wentBack(n) && i + 1 < starts.length) i += 1;
    while (passes(starts[i + 1])) i += 1;
    all[i]?.push(point);
  }
  return all;
}

/**
 * Where the running step has been, along its way, out of the job's time line: the box tells what a step measured at its end, and a page that
 * was opened in its midst has seen nothing. A place is counted by the rates, between where the step began or went on and where it is.
 * Remembered for each list, which is told together with where the step is.
 */
function been(job: Job, step: number): Point[] {
  const p = job.progress;
  if (p?.step !== step || !(p.total > 0) || !SWEEPS.has(p.phase)) return [];
  let points = passed.get(job.timeline);
  if (points) return points;
  points = [];
  const line = job.timeline.filter((point) => point.step === step).map(({ at, rate }) => ({ at: Date.parse(at), rate }));
  const starts = [{ at: -Infinity, from: 0 }, ...job.resumes.filter((resume) => resume.step === step).map(({ at, from }) => ({ at: Date.parse(at), from }))];
  for (const [i, all] of stretches(line, starts).entries()) {
    const from = starts[i]?.from ?? 0;
    const to = starts[i + 1]?.from ?? p.done;
    let moved = 0;
    const way = all.map((point, n): Point => {
      const before = all[n - 1] ?? point;
      const gap = point.at - before.at;
      // While it stands still nothing moves, and the first point after that tells of what follows.
      if (gap > 0 && gap < SET) moved += gap * Math.min(before.rate, point.rate);
      return [moved, point.rate];
    });
    // What it went back over is measured again.
    points = points.filter(([x]) => x < from / p.total);
    const place = (x: number) => (from + (to - from) * (x / moved)) / p.total;
    if (moved > 0) points.push(...way.filter(([, y]) => y > 0).map(([x, y]): Point => [place(x), y]));
  }
  passed.set(job.timeline, points);
  return points;
}

/**
 * A job's curves in the order of its phases: measured surfaces, and for the running phase what the page saw so far. `live`: after what the time
 * line tells, for a picture of what is under way; nothing is compared with that.
 */
export function curves(job: Job, trail: Trail | undefined, live = false): Curve[] {
  const running = job.phases.findIndex((p) => p.status === "running");
  return job.phases.flatMap(({ phase, note, rounds }, step): Curve[] => {
    const told = zonePoints(job.surface.find((s) => s.step === step)?.zones ?? NONE, job.capacity);
    const own = trail?.step === step ? trail.points.filter(([, rate]) => rate > 0) : [];
    // The time line does not tell one round of a soak from another.
    const earlier = live && step === running && rounds === 0 ? been(job, step) : [];
    const seen = [...earlier.filter(([x]) => x < (own[0]?.[0] ?? Infinity)), ...own];
    // Both along the way that the step takes, so that "further" is "greater".
    const along = (points: readonly Point[]) => (isBackwards(note) ? points.map(([x, y]): Point => [1 - x, y]).reverse() : [...points]);
    const way = along(told);
    const reach = (points: readonly Point[]) => points.at(-1)?.[0] ?? -1;
    // In a later round of a soak the box tells the round before until this one is over: that is not where it is now.
    const p = job.progress;
    if (step === running && rounds > 0 && p?.step === step && p.total > 0 && reach(way) > p.done / p.total + 0.02) {
      return seen.length > 0 ? [{ phase, step, note, points: along(seen), running: true }] : [{ phase, step, note, points: told, running: false }];
    }
    const points = step === running && (told.length < 2 || reach(seen) > reach(way) + 0.02)
      ? along([...way, ...seen.filter(([x]) => x > reach(way))])
      : told;
    return points.length > 0 ? [{ phase, step, note, points, running: step === running }] : [];
  });
}

/** Where on the drive a finding is, from 0 to 1. */
export function placeOfFinding(job: Pick<Job, "capacity" | "sector">, finding: Finding): number | null {
  const sectors = job.capacity / job.sector;
  return finding.lba === null || !(sectors > 0) ? null : Math.min(1, finding.lba / sectors);
}
