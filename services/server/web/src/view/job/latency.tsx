/** How long one access takes: a histogram a step, on one axis of powers of two, with the percentiles. */
import type { Job, Surface } from "@wire";

import { grouped } from "../../format";
import { Panel } from "../bits";
import { Term } from "../term";
import { stepName } from "./steps";

/** A time in microseconds as people read it. */
export function micros(us: number): string {
  if (us < 1000) return `${us}\u00a0µs`;
  return us < 1_000_000 ? `${Number((us / 1000).toPrecision(3))}\u00a0ms` : `${Number((us / 1_000_000).toPrecision(3))}\u00a0s`;
}

/** First and last bin that hold anything in any of the steps; `null` where nothing was counted. */
export function span(surfaces: readonly Surface[]): { first: number; last: number } | null {
  const filled = surfaces.flatMap((surface) => surface.latencies.flatMap((count, bin) => (count > 0 ? [bin] : [])));
  return filled.length === 0 ? null : { first: Math.min(...filled), last: Math.max(...filled) };
}

/** Height of a bar: the logarithm, because one slow access in a million is what is looked for. */
export function height(count: number, most: number): number {
  return count === 0 ? 0 : Math.max(0.04, Math.log1p(count) / Math.log1p(most));
}

function Bars({ surface, first, last, label }: { surface: Surface; first: number; last: number; label: string }) {
  const bins = Array.from({ length: last - first + 1 }, (_, i) => surface.latencies[first + i] ?? 0);
  const most = Math.max(1, ...bins);
  const total = bins.reduce((sum, count) => sum + count, 0);
  return (
    <svg class="bars" viewBox={`0 0 ${bins.length * 10} 40`} preserveAspectRatio="none" role="img"
      aria-label={`${label}: ${grouped(total)} accesses, half under ${micros(surface.p50_us)}, 99 percent under ${micros(surface.p99_us)}, longest ${micros(surface.max_us)}`}>
      {bins.map((count, i) => {
        const tall = height(count, most) * 38;
        return <rect key={i} class={2 ** (first + i) >= 1_000_000 ? "slow" : ""} x={i * 10 + 1} y={40 - tall} width="8" height={tall}><title>{`${grouped(count)} from ${micros(2 ** (first + i))} to ${micros(2 ** (first + i + 1))}`}</title></rect>;
      })}
      <path d={`M0 39.5H${bins.length * 10}`} />
    </svg>
  );
}

/** The panel. */
export function Latency({ job, alone }: { job: Job; alone: boolean }) {
  const rows = job.surface.filter((surface) => surface.max_us > 0);
  const range = span(rows);
  const ticks = range ? [range.first, Math.round((range.first + range.last + 1) / 2), range.last + 1] : [];
  return (
    <Panel title="How long one access takes" span={alone ? "c12" : "c5"} note={range ? "number of accesses, on a logarithmic scale" : undefined}>
      {rows.length === 0 ? <p class="mute">Not measured yet.</p> : <div class={alone ? "pcts" : ""}>{rows.map((surface, n) => {
        const name = stepName(job, surface.step, surface.phase);
        return (
          <div key={surface.step} class="pct">
            <div class="of">{name}</div>
            {range && <div class="hist"><Bars surface={surface} {...range} label={name} /><div class="scale" aria-hidden="true">{ticks.map((bin) => <span key={bin}>{micros(2 ** bin)}</span>)}</div></div>}
            <div><span class="k">half under</span><span class="n">{micros(surface.p50_us)}</span></div>
            <div><span class="k">{n === 0 ? <Term of="p99">99 % under</Term> : "99 % under"}</span><span class="n">{micros(surface.p99_us)}</span></div>
            <div><span class="k">longest</span><span class="n">{micros(surface.max_us)}</span></div>
          </div>
        );
      })}</div>}
    </Panel>
  );
}
