/** How long a job was at work, and where on that time the points of its time line stand, as `wire`'s `course.rs` has it for the certificate; both run the table `cases/course.json`. Pure; times are milliseconds. */
import type { Job, PhaseState, TimePoint } from "@wire";

/** A gap of so many milliseconds between two points is the clock's, and counts as one between points of a job that has just begun. */
const [AHEAD, BACK, EVERY] = [30 * 86_400_000, -60_000, 5_000];

/** A gap up to which nothing is cut out of it, and what of a job is not told apart from its work. */
const BESIDE = 60_000;

/** What its steps were at work. */
export const worked = (phases: readonly PhaseState[]): number => phases.reduce((sum, { seconds }) => sum + Math.max(0, seconds), 0) * 1000;

/** Whether the box's clock was set between two of these moments. */
const isTheClocks = (gap: number): boolean => gap < BACK || gap >= AHEAD;

/** Whether the box's clock was set between a job's beginning, two points of its time line and `end`, where it was not merely interrupted. */
export function wasClockSet({ started, timeline, resumes }: Pick<Job, "started" | "resumes" | "timeline">, end: string): boolean {
  const moments = [started, ...timeline.map(({ at }) => at), end].map((at) => Date.parse(at));
  return moments.some((to, i) => {
    const from = moments[i - 1] ?? to;
    return isTheClocks(to - from) && !resumes.some(({ at }) => from <= Date.parse(at) && Date.parse(at) <= to);
  });
}

/** What of a job up to `end` was no work; `null` where that is too little to tell of, or the box's clock was set meanwhile. */
export function apart(job: Pick<Job, "started" | "phases" | "resumes" | "timeline">, end: string): number | null {
  const rest = Date.parse(end) - Date.parse(job.started) - worked(job.phases);
  return rest >= Math.max(BESIDE, worked(job.phases) / 100) && !wasClockSet(job, end) ? rest : null;
}

/** Work up to each point, before which points the job was off or waited and for how long, and work in all. */
export interface Course { at: number[]; cuts: { point: number; off: number }[]; lasts: number }

/** Of a time line, the steps that it tells of, and the job's beginning and end. */
export function courseOf(line: readonly TimePoint[], phases: readonly PhaseState[], started: string, ended: string): Course {
  // What lies between two moments belongs to the step of the earlier one.
  const gaps = line.length === 0 ? [] : [...line.map(({ at }) => at), ended].map((to, i) => {
    const gap = Date.parse(to) - Date.parse(line[i - 1]?.at ?? started);
    return { i, step: line[Math.max(0, i - 1)]!.step, gap: isTheClocks(gap) ? EVERY : Math.max(0, gap) };
  });
  const widest = [...gaps].sort((a, b) => b.gap - a.gap);
  const least = Math.max(BESIDE, 2 * (widest[Math.floor(widest.length / 2)]?.gap ?? 0));
  const cuts = widest.filter(({ gap }) => gap > least).flatMap((one) => {
    const whole = gaps.reduce((sum, { step, gap }) => (step === one.step ? sum + gap : sum), 0);
    const [of] = phases.slice(one.step, one.step + 1);
    const idle = whole - worked(of ? [of] : []);
    // A step under way tells its seconds at its end: until then nothing says what of a gap was no work.
    if (of?.status === "running" || idle < one.gap / 2) return [];
    const before = one.gap;
    one.gap = Math.max(EVERY, one.gap - idle);
    return [{ point: one.i, off: before - one.gap }];
  });
  let lasts = 0;
  const at = gaps.map(({ gap }) => (lasts += gap));
  return { at: at.slice(0, -1), cuts: cuts.sort((a, b) => a.point - b.point), lasts };
}
