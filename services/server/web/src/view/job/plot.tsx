/**
 * Throughput over the surface: geometry in a stretched SVG, every letter in HTML, so that type never
 * scales; an update is one `d` attribute a curve. A crosshair reads out into the header line.
 */
import { useSignal } from "@preact/signals";
import type { Job } from "@wire";

import { axis, ceiling, curves, isBackwards, line, placeOfFinding, ribbon, thin, type Curve } from "../../curve";
import { faultName } from "../../called";
import { bytes, grouped, plural, rate, within } from "../../format";
import { band, siblings } from "../../siblings";
import { known } from "../../state/app";
import { isOver, type Trail } from "../../state/store";
import { Panel } from "../bits";
import { stepName } from "./steps";

const W = 1000;
const H = 300;

function at(curve: Curve, x: number): number | null {
  const near = curve.points.reduce<readonly [number, number] | null>((best, point) => (!best || Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best), null);
  return near && Math.abs(near[0] - x) < 0.02 ? near[1] : null;
}

/** What is said where there is no curve yet; `null` where there is one. A single place makes none; where it moves, the dot shows it. Pure. */
export function plotWords(job: Job, every: readonly Curve[], live: boolean): string | null {
  if (every.some(({ points, running }) => points.length > 1 || (live && running))) return null;
  if (isOver(job)) return "Too little was measured for a curve.";
  // Another browser saw the beginning: what it measured of a stretch is not told again.
  const begun = (job.progress?.done ?? 0) > 0;
  return every.length === 0 && !begun ? "Nothing measured yet. The curve grows here from the first sector to the last." : "Too little is measured yet for a curve. It grows here when the test goes on.";
}

/** The picture of one job; `live`: what runs is heard of and moves. */
export function SurfacePlot({ job, trail, live }: { job: Job; trail: Trail | undefined; live: boolean }) {
  const cross = useSignal<number | null>(null);
  const every = curves(job, trail, true);
  // The newest two to begin with: what is compared most.
  const hidden = useSignal<ReadonlySet<number>>(new Set(every.slice(0, -2).map((c) => c.step)));
  // With many passes the picture is for comparing two: the rest is put away and brought back with the keys beneath.
  const all = every.filter((c) => c.running || !hidden.value.has(c.step));
  const nameOf = (c: Curve) => within(stepName(job, c.step, c.phase));
  const kind = (c: Curve) => (c.running ? "b" : c.phase === "write" || c.phase === "trim" ? "a" : "c");
  const toggle = (step: number) => {
    const next = new Set(hidden.value);
    if (!next.delete(step)) next.add(step);
    hidden.value = next;
  };
  const newest = all.find((c) => c.running) ?? all.at(-1);
  // Jobs of others change with each of their messages; what they measured over whole stretches is little to put together.
  const others = newest ? band(newest, siblings(job, known.value.jobs.values()), 128) : null;
  const { top: highest, cut } = ceiling([...all.flatMap((c) => c.points.map(([, y]) => y)), ...(others?.high.map(([, y]) => y) ?? [])]);
  const top = axis(highest / 1e6);
  const max = top.max * 1e6;
  // The dot is where it is now: nowhere, where nobody hears of it.
  const hot = live ? all.find((c) => c.running) : undefined;
  const marks = job.findings.flatMap((finding) => {
    const x = placeOfFinding(job, finding);
    return x === null ? [] : [{ x, finding }];
  });
  const x = cross.value;
  const sector = x === null ? 0 : Math.floor((x * job.capacity) / job.sector);
  const note = x === null
    ? "MB/s without pauses, from the first sector to the last"
    : `at ${bytes(x * job.capacity)}, LBA ${grouped(sector)}: ${all.map((c) => `${nameOf(c)} ${rate(at(c, x))}`).join(", ")}`;
  const words = all.length === 0 ? "nothing measured yet" : all.map((c) => {
    const rates = c.points.map(([, y]) => y);
    return `${stepName(job, c.step, c.phase)} between ${rate(Math.min(...rates))} and ${rate(Math.max(...rates))}`;
  }).join("; ");
  const none = plotWords(job, every, live);
  if (none !== null) return <Panel title="Speed over the surface"><p class="mute">{none}</p></Panel>;
  const last = hot && isBackwards(hot.note) ? hot.points[0] : hot?.points.at(-1);
  return (
    <Panel title="Speed over the surface" note={note} span="c12 half">
      <div
        class="plot" onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          cross.value = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
        }}
        onPointerLeave={() => (cross.value = null)}
      >
        <svg viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={`Throughput over the surface: ${words}`}>
          {top.ticks.map((tick) => <line key={tick} class={tick === 0 ? "axis" : "grid"} x1="0" x2={W} y1={H - (tick / top.max) * H} y2={H - (tick / top.max) * H} />)}
          {others && <path class="band" d={ribbon(others.low, others.high, W, H, max)} />}
          {marks.map(({ x: place }, i) => <line key={i} class="bad" x1={place * W} x2={place * W} y1="0" y2={H} />)}
          {all.map((c) => <path key={c.step} class={kind(c)} d={line(thin(c.points, 500), W, H, max, ...(c.running ? [2] : []))} />)}
          {x !== null && <line class="lead" x1={x * W} x2={x * W} y1="0" y2={H} />}
        </svg>
        {top.ticks.map((tick) => <span key={tick} class="y" style={{ top: `${100 - (tick / top.max) * 100}%` }}>{Number(tick.toPrecision(3))}</span>)}
        {[0, 0.25, 0.5, 0.75, 1].map((place) => <span key={place} class={`x ${place === 0 ? "first" : place === 1 ? "last" : "opt"}`} style={{ left: `${place * 100}%` }}>{place === 0 ? "0" : bytes(place * job.capacity)}</span>)}
        {last && <span class="dot" style={{ left: `${last[0] * 100}%`, top: `${100 - Math.min(1, last[1] / max) * 100}%` }} />}
      </div>
      {marks.length > 0 && (
        <div class="lane"><span class="k">Bad</span><span class="tr">{marks.slice(0, 60).map(({ x: place, finding }, i) => (
          <b key={i} class="mark" style={{ left: `${(place * 100).toFixed(2)}%` }} title={`${faultName(finding.kind)} at LBA ${grouped(finding.lba ?? 0)}`} />
        ))}</span></div>
      )}
      <div class="keyrow">
        {every.length > 2
          ? every.map((c) => (
            <button key={c.step} type="button" class="key" aria-pressed={c.running || !hidden.value.has(c.step)} disabled={c.running} onClick={() => toggle(c.step)}><i class={kind(c)} />{nameOf(c)}{c.running && live ? ", running" : ""}</button>
          ))
          : every.map((c) => <span key={c.step}><i class={kind(c)} />{nameOf(c)}{c.running && live ? ", running" : ""}</span>)}
        {others && newest && <span><i class="band" />{plural(others.of, "sibling")} in {nameOf(newest)}, slowest to fastest</span>}
        {marks.length > 0 && <span><i class="bad" />wrong or unread</span>}
        {cut && <span>places faster than {rate(max)} are cut at the top</span>}
      </div>
    </Panel>
  );
}
