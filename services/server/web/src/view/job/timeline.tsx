/** Heat, speed and errors over the time of a job, under the steps that ran. One axis for all three: the time at work. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Job, Problem, TimePoint } from "@wire";

import { api, asProblem } from "../../api";
import { axis, line, type Point } from "../../curve";
import { celsius, clock, duration, phaseName, plural, rate } from "../../format";
import { connections, known, now } from "../../state/app";
import { isOver } from "../../state/store";
import { Panel, ProblemNote } from "../bits";
import { courseOf, type Course, wasClockSet } from "./course";
import { lasted } from "./lasted";

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

/** Points of one quantity as shares of the time at work; a time without a value leaves a gap. */
export function over(points: readonly TimePoint[], { at, lasts }: Pick<Course, "at" | "lasts">, value: (point: TimePoint) => number | null): Point[] {
  return points.flatMap((point, i): Point[] => {
    const y = value(point);
    return y === null ? [] : [[Math.min(1, (at[i] ?? 0) / Math.max(1, lasts)), y]];
  });
}

/** Where each step ran: from its first point to the next step's first. */
export function bands(points: readonly TimePoint[], { at, lasts }: Pick<Course, "at" | "lasts">): { step: number; x: number; width: number }[] {
  const starts = points.flatMap(({ step }, i) => (i === 0 || step !== points[i - 1]?.step ? [{ step, x: Math.min(1, (at[i] ?? 0) / Math.max(1, lasts)) }] : []));
  return starts.map(({ step, x }, i) => ({ step, x, width: (starts[i + 1]?.x ?? 1) - x }));
}

/** The points of each stretch between two cuts. */
function stretches(points: readonly Point[], cuts: readonly number[]): Point[][] {
  const edges = [-Infinity, ...cuts, Infinity];
  return edges.slice(1).map((to, i) => points.filter(([x]) => x >= edges[i]! && x < to));
}

/** A gap in the line where the drive was not at work for longer than this share of the time, or three usual steps. */
function gapOf(points: readonly Point[]): number {
  return Math.max(0.02, 4 / Math.max(1, points.length));
}

function Lane(props: { name: string; points: Point[]; low: number; high: number; ticks: number[]; words: string; kind: string; unit: (value: number) => string; marks: number[]; lines: { x: number; step: number }[]; cuts: number[]; cross: number | null }) {
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
          <path class={props.kind} d={stretches(moved, props.cuts).map((part) => line(part, W, H, high - low, gapOf(points))).join("")} />
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
  const points = [...told];
  const end = Date.parse(points.at(-1)?.at ?? job.started);
  // The newest point may be of a moment after this page's last look at its clock.
  if (live && p) points.push({ at: new Date(Math.max(end, now.value)).toISOString(), step: p.step, temperature: p.temperature, rate: p.rate, bad_sectors: job.bad_sectors });
  // While a job runs, what the stream brings is enough; of one that is over it brings a single point.
  const problem = isOver(job) && failed.value?.of === job.id ? failed.value.problem : null;
  if (points.length < 4) return problem && <Panel title={TITLE} span="c12 half"><ProblemNote problem={problem} /></Panel>;
  const until = job.ended ?? points.at(-1)!.at;
  const course = courseOf(points, job.phases, job.started, until);
  const { lasts } = course;
  const place = (i: number) => (course.at[i] ?? lasts) / Math.max(1, lasts);
  const heat = over(points, course, (point) => point.temperature);
  const speed = over(points, course, (point) => (point.rate > 0 ? point.rate : null));
  const steps = bands(points, course);
  const cuts = course.cuts.map(({ point }) => place(point));
  const lines = steps.map(({ x, step }) => ({ x, step }));
  const marks = points.flatMap((point, i) => (point.bad_sectors > (points[i - 1]?.bad_sectors ?? 0) ? [place(i)] : []));
  const degrees = heat.map(([, y]) => y);
  const [coolest, hottest] = [Math.min(...degrees), Math.max(...degrees)];
  const lowHeat = Math.floor((coolest - 3) / 5) * 5;
  const highHeat = Math.ceil((hottest + 3) / 5) * 5;
  const top = axis(Math.max(0, ...speed.map(([, y]) => y)) / 1e6, 2);
  const x = cross.value;
  const near = x === null ? null : points[points.reduce((best, _, i) => (Math.abs(place(i) - x) < Math.abs(place(best) - x) ? i : best), 0)]!;
  const note = near
    ? `${clock(near.at, now.value)}, ${phaseName(job.phases[near.step]?.phase ?? "write").toLowerCase()}: ${[celsius(near.temperature), rate(near.rate), near.bad_sectors > 0 ? plural(near.bad_sectors, "bad sector") : ""].filter((word) => word && word !== "–").join(", ") || "nothing measured"}`
    : `over ${lasted(lasts / 1000)}${cuts.length > 0 ? `; off or waiting for another ${duration(course.cuts.reduce((sum, { off }) => sum + off, 0) / 1000)}, where the lines break` : ""}${wasClockSet({ ...job, timeline: points }, until) ? "; the box's clock was set meanwhile" : ""}`;
  const resumes = job.resumes.map((resume) => {
    const point = points.findIndex(({ at }) => at >= resume.at);
    return { x: point < 0 ? 1 : place(point), resume };
  });
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
          <Lane name="°C" points={heat} low={lowHeat} high={highHeat} ticks={[lowHeat, highHeat]} kind="b" unit={(t) => `${t}`} marks={marks} lines={lines} cuts={cuts} cross={x}
            words={`Temperature between ${coolest} and ${hottest} degrees`} />
        ) : <p class="mute none">No sensor of this drive tells a temperature.</p>}
        {speed.length > 1 && (
          <Lane name="MB/s" points={speed.map(([px, y]): Point => [px, y / 1e6])} low={0} high={top.max} ticks={[0, top.max]} kind="c" unit={(v) => `${Number(v.toPrecision(3))}`} marks={marks} lines={lines} cuts={cuts} cross={x}
            words={`Throughput up to ${rate(Math.max(...speed.map(([, y]) => y)))}`} />
        )}
        <div class="lane"><span class="k">Steps</span><span class="tr bandrow">{steps.map(({ step, x: left, width }, i) => (
          <span key={i} class="band" style={{ left: `${left * 100}%`, width: `${width * 100}%` }} title={phaseName(job.phases[step]?.phase ?? "write")}>{width > 0.08 ? phaseName(job.phases[step]?.phase ?? "write") : ""}</span>
        ))}</span></div>
        {marks.length > 0 && <div class="lane"><span class="k">Bad</span><span class="tr">{marks.slice(0, 60).map((at, i) => <b key={i} class="mark" style={{ left: `${at * 100}%` }} />)}</span></div>}
        {resumes.length > 0 && <div class="lane"><span class="k">Went on</span><span class="tr">{resumes.slice(0, 40).map(({ x: at, resume }, i) => <b key={i} class="mark cut" style={{ left: `${at * 100}%` }} title={`${resume.why}, went on ${clock(resume.at, now.value)}`} />)}</span></div>}
        {cuts.length > 0 && <div class="lane"><span class="k">Off</span><span class="tr">{course.cuts.slice(0, 40).map(({ off }, i) => <b key={i} class="mark cut" style={{ left: `${cuts[i]! * 100}%` }} title={`off or waiting for ${duration(off / 1000)}`} />)}</span></div>}
        <div class="lane"><span class="k" /><span class="tr ends"><span>{clock(job.started, now.value)}</span><span>{live ? "now" : clock(job.ended ?? points.at(-1)!.at, now.value)}</span></span></div>
      </div>
    </Panel>
  );
}
