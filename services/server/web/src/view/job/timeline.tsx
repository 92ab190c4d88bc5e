/** Heat, speed and errors over the time of a job, under the steps that ran. One time axis for all three. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Job, Problem, TimePoint } from "@wire";

import { api, asProblem } from "../../api";
import { axis, line, type Point } from "../../curve";
import { celsius, clock, duration, phaseName, plural, rate } from "../../format";
import { connections, known, now } from "../../state/app";
import { isOver } from "../../state/store";
import { Panel, ProblemNote } from "../bits";

const TITLE = "Heat, speed and errors";
const W = 1000;
const H = 120;

/**
 * The points that the box kept, and those of the stream that are newer. The agent thins its own out, so that what came since
 * is found by time alone: the longer list may well be the older one.
 */
export function since(kept: readonly TimePoint[], told: readonly TimePoint[]): TimePoint[] {
  const last = kept.at(-1);
  if (!last) return [...told];
  const end = Date.parse(last.at);
  return [...kept, ...told.filter((point) => Date.parse(point.at) > end)];
}

/** A gap of so many milliseconds between two points is the clock's, and counts as one between points of a job that has just begun. As `wire`'s `gaps` has it. */
const [AHEAD, BACK, EVERY] = [30 * 86_400_000, -60_000, 5_000];

/** The points without what the box's clock was set by meanwhile; the same list where it was not. */
export function steady<P extends { at: string }>(points: readonly P[]): readonly P[] {
  let moved = 0;
  const all = points.map((point, i) => {
    const before = points[i - 1];
    const gap = before ? Date.parse(point.at) - Date.parse(before.at) : 0;
    if (gap < BACK || gap >= AHEAD) moved += gap - EVERY;
    return moved === 0 ? point : { ...point, at: new Date(Date.parse(point.at) - moved).toISOString() };
  });
  return moved === 0 ? points : all;
}

/** Points of one quantity between `from` and `to` as shares of that time; a time without a value leaves a gap. */
export function over(points: readonly TimePoint[], from: number, to: number, value: (point: TimePoint) => number | null): Point[] {
  const length = Math.max(1, to - from);
  return points.flatMap((point): Point[] => {
    const y = value(point);
    return y === null ? [] : [[Math.min(1, Math.max(0, (Date.parse(point.at) - from) / length)), y]];
  });
}

/** Where each step ran: from its first point to the next step's first. */
export function bands(points: readonly TimePoint[], from: number, to: number): { step: number; x: number; width: number }[] {
  const length = Math.max(1, to - from);
  const starts = points.filter((point, i) => i === 0 || point.step !== points[i - 1]?.step);
  return starts.map((point, i) => {
    const x = Math.max(0, (Date.parse(point.at) - from) / length);
    const next = starts[i + 1];
    return { step: point.step, x, width: (next ? (Date.parse(next.at) - from) / length : 1) - x };
  });
}

/** A gap in the line where the drive was not at work for longer than this share of the time, or three usual steps. */
function gapOf(points: readonly Point[]): number {
  return Math.max(0.02, 4 / Math.max(1, points.length));
}

function Lane(props: { name: string; points: Point[]; low: number; high: number; ticks: number[]; words: string; kind: string; unit: (value: number) => string; marks: number[]; lines: { x: number; step: number }[]; cross: number | null }) {
  const { points, low, high, cross } = props;
  const place = (value: number) => 100 - ((value - low) / Math.max(1e-9, high - low)) * 100;
  const moved = points.map(([x, y]): Point => [x, y - low]);
  return (
    <div class="lanes">
      <div class="name">{props.name}</div>
      <div class="plot low">
        <svg viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={props.words}>
          {props.ticks.map((tick) => <line key={tick} class={tick === low ? "axis" : "grid"} x1="0" x2={W} y1={(place(tick) / 100) * H} y2={(place(tick) / 100) * H} />)}
          {props.lines.map(({ x, step }) => x > 0 && <line key={step} class="grid" x1={x * W} x2={x * W} y1="0" y2={H} />)}
          {props.marks.map((x, i) => <line key={i} class="bad" x1={x * W} x2={x * W} y1="0" y2={H} />)}
          <path class={props.kind} d={line(moved, W, H, high - low, gapOf(points))} />
          {cross !== null && <line class="lead" x1={cross * W} x2={cross * W} y1="0" y2={H} />}
        </svg>
        {props.ticks.map((tick) => <span key={tick} class="y" style={{ top: `${place(tick)}%` }}>{props.unit(tick)}</span>)}
      </div>
    </div>
  );
}

/** The panel; nothing while there are too few points for a line. */
export function Timeline({ job, live }: { job: Job; live: boolean }) {
  const kept = useSignal<{ of: string; points: readonly TimePoint[] } | null>(null);
  const failed = useSignal<{ of: string; problem: Problem } | null>(null);
  const cross = useSignal<number | null>(null);
  useEffect(() => {
    api.jobTimeline(job.id).then(
      (points) => {
        kept.value = { of: job.id, points };
        failed.value = null;
      },
      (thrown: unknown) => (failed.value = { of: job.id, problem: asProblem(thrown) }),
    );
    // Once more when all is measured, and when the stream has a gap.
  }, [job.id, isOver(job), connections.value]);
  const told = since(kept.value?.of === job.id ? kept.value.points : [], job.timeline);
  const p = known.value.jobs.get(job.id)?.progress;
  const points = [...steady(told)];
  const wasSet = points.at(-1) !== told.at(-1);
  const end = Date.parse(points.at(-1)?.at ?? job.started);
  // The newest point may be of a moment after this page's last look at its clock.
  if (live && p) points.push({ at: new Date(wasSet ? end : Math.max(end, now.value)).toISOString(), step: p.step, temperature: p.temperature, rate: p.rate, bad_sectors: job.bad_sectors });
  // While a job runs, what the stream brings is enough; of one that is over it brings a single point.
  const problem = isOver(job) && failed.value?.of === job.id ? failed.value.problem : null;
  if (points.length < 4) return problem && <Panel title={TITLE} span="c12 half"><ProblemNote problem={problem} /></Panel>;
  const [first, last] = [points[0], points.at(-1)].map((point) => Date.parse(point?.at ?? job.started)) as [number, number];
  const lead = first - Date.parse(job.started);
  const from = lead >= 0 && lead < AHEAD ? first - lead : first;
  const rest = job.ended && !wasSet ? Date.parse(job.ended) - last : 0;
  const to = Math.max(from + 1, rest >= 0 && rest < AHEAD ? last + rest : last);
  const heat = over(points, from, to, (point) => point.temperature);
  const speed = over(points, from, to, (point) => (point.rate > 0 ? point.rate : null));
  const steps = bands(points, from, to);
  const lines = steps.map(({ x, step }) => ({ x, step }));
  const marks = points.flatMap((point, i) => (point.bad_sectors > (points[i - 1]?.bad_sectors ?? 0) ? [(Date.parse(point.at) - from) / (to - from)] : []));
  const degrees = heat.map(([, y]) => y);
  const [coolest, hottest] = [Math.min(...degrees), Math.max(...degrees)];
  const lowHeat = Math.floor((coolest - 3) / 5) * 5;
  const highHeat = Math.ceil((hottest + 3) / 5) * 5;
  const top = axis(Math.max(0, ...speed.map(([, y]) => y)) / 1e6, 2);
  const x = cross.value;
  const near = x === null ? null : points.reduce((a, b) => (Math.abs(Date.parse(b.at) - (from + x * (to - from))) < Math.abs(Date.parse(a.at) - (from + x * (to - from))) ? b : a));
  const note = near
    ? `${clock(near.at, now.value)}, ${phaseName(job.phases[near.step]?.phase ?? "write").toLowerCase()}: ${[celsius(near.temperature), rate(near.rate), near.bad_sectors > 0 ? plural(near.bad_sectors, "bad sector") : ""].filter((word) => word && word !== "–").join(", ") || "nothing measured"}`
    : `over ${duration((to - from) / 1000)}${wasSet ? "; the box's clock was set meanwhile" : ""}`;
  const resumes = job.resumes.map((resume) => ({ x: Math.min(1, Math.max(0, (Date.parse(resume.at) - from) / (to - from))), resume }));
  return (
    <Panel title={TITLE} note={note} span="c12 half">
      <ProblemNote problem={problem} />
      <div
        class="timeline" onPointerMove={(event) => {
          const box = (event.currentTarget.querySelector(".plot") ?? event.currentTarget).getBoundingClientRect();
          cross.value = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
        }}
        onPointerLeave={() => (cross.value = null)}
      >
        {heat.length > 1 ? (
          <Lane name="°C" points={heat} low={lowHeat} high={highHeat} ticks={[lowHeat, highHeat]} kind="b" unit={(t) => `${t}`} marks={marks} lines={lines} cross={x}
            words={`Temperature between ${coolest} and ${hottest} degrees`} />
        ) : <p class="mute none">No sensor of this drive tells a temperature.</p>}
        {speed.length > 1 && (
          <Lane name="MB/s" points={speed.map(([px, y]): Point => [px, y / 1e6])} low={0} high={top.max} ticks={[0, top.max]} kind="c" unit={(v) => `${Number(v.toPrecision(3))}`} marks={marks} lines={lines} cross={x}
            words={`Throughput up to ${rate(Math.max(...speed.map(([, y]) => y)))}`} />
        )}
        <div class="lane"><span class="k">Steps</span><span class="tr bandrow">{steps.map(({ step, x: left, width }, i) => (
          <span key={i} class="band" style={{ left: `${left * 100}%`, width: `${width * 100}%` }} title={phaseName(job.phases[step]?.phase ?? "write")}>{width > 0.08 ? phaseName(job.phases[step]?.phase ?? "write") : ""}</span>
        ))}</span></div>
        {marks.length > 0 && <div class="lane"><span class="k">Bad</span><span class="tr">{marks.slice(0, 60).map((at, i) => <b key={i} class="mark" style={{ left: `${at * 100}%` }} />)}</span></div>}
        {resumes.length > 0 && <div class="lane"><span class="k">Went on</span><span class="tr">{resumes.slice(0, 40).map(({ x: at, resume }, i) => <b key={i} class="mark cut" style={{ left: `${at * 100}%` }} title={`${resume.why}, went on ${clock(resume.at, now.value)}`} />)}</span></div>}
        <div class="lane"><span class="k" /><span class="tr ends"><span>{clock(job.started, now.value)}</span><span>{live ? "now" : clock(new Date(to).toISOString(), now.value)}</span></span></div>
      </div>
    </Panel>
  );
}
