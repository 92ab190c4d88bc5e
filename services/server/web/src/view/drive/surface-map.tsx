/**
 * The drive's surface in cells, read like a page from the first sector to the last: the height of a column is its speed,
 * what is slow or wrong has a colour and a mark of its own. The same in words and as a table beneath.
 */
import { useSignal } from "@preact/signals";
import type { Job } from "@wire";

import "../../style/surface.css";
import { ceiling } from "../../curve";
import { faultName, findingPlace } from "../../called";
import { bytes, clock, plural, rate, within } from "../../format";
import { cells, ROW, stretches, telling, type Cell } from "../../siblings";
import { now } from "../../state/app";
import { Panel } from "../bits";
import { stepName } from "../job/steps";
import { useSort } from "../sort";

/**
 * The map in strips of {@link ROW} cells, each with its share of the width: a strip ends where the drive ends, or it would look like a
 * surface that was not tested. One strip alone is as wide as there is room. Pure.
 */
export function strips<T>(map: readonly T[]): { row: readonly T[]; share: number }[] {
  const across = Math.min(ROW, map.length);
  return Array.from({ length: Math.ceil(map.length / ROW) }, (_, i) => map.slice(i * ROW, (i + 1) * ROW)).map((row) => ({ row, share: row.length / across }));
}

/** Height of a row in its own units. */
const H = 24;

const place = (share: number, capacity: number) => (share === 0 ? "0" : bytes(share * capacity));

/** A cell in a sentence; pure. */
export function cellWords(cell: Cell, capacity: number): string {
  const where = `${place(cell.from, capacity)} to ${place(cell.to, capacity)}`;
  const speed = cell.rate === null ? "not measured" : cell.usual !== null && cell.state === "slow" ? `${rate(cell.rate)}, usual there ${rate(cell.usual)}` : rate(cell.rate);
  const faults = cell.faults.slice(0, 2).map((fault) => `${faultName(fault.kind).toLowerCase()} at ${findingPlace(fault)}`).join(", ");
  return [`${where}: ${speed}`, faults, cell.faults.length > 2 ? `and ${cell.faults.length - 2} more` : ""].filter(Boolean).join("; ");
}

/** The whole map in a sentence, for those who do not see it; pure. */
export function mapWords(map: readonly Cell[], capacity: number): string {
  const rates = map.flatMap((cell) => cell.rate ?? []);
  const odd = stretches(map);
  const share = rates.length / Math.max(1, map.length);
  const speed = rates.length === 0 ? "nothing measured" : `${share < 0.995 ? `${Math.floor(share * 100)} % of the drive measured, ` : ""}between ${rate(Math.min(...rates))} and ${rate(Math.max(...rates))}`;
  const told = odd.slice(0, 5).map(({ from, state, faults }) => `${state === "bad" ? plural(faults.length, "fault") : "slow"} near ${place(from, capacity)}`);
  return [speed, ...(told.length > 0 ? told : ["no slow place and no fault located"]), odd.length > 5 ? `${odd.length - 5} more places` : ""].filter(Boolean).join("; ");
}

function Row({ row, share, max, capacity }: { row: readonly Cell[]; share: number; max: number; capacity: number }) {
  const end = row.at(-1)?.to === 1;
  const column = (cell: Cell, i: number) => {
    // A place with a fault is a whole column, whatever its speed: it must be found.
    const h = cell.state === "bad" ? H : Math.max(1.5, (Math.min(cell.rate ?? 0, max) / max) * (H - 2));
    return `M${i + 0.06} ${H}v${(-h).toFixed(1)}h.88v${h.toFixed(1)}z`;
  };
  const path = (state: Cell["state"]) => row.map((cell, i) => (cell.state === state ? column(cell, i) : "")).join("");
  const empty = row.map((cell, i) => (cell.state === "none" ? `M${i + 0.2} ${H - 0.5}h.6` : "")).join("");
  return (
    <div class="maprow">
      <span class="k" style={{ width: `${share * 100}%` }}><span>{place(row[0]?.from ?? 0, capacity)}</span>{end && <span>{place(1, capacity)}</span>}</span>
      <span class="cells" style={{ width: `${share * 100}%` }}>
        <svg viewBox={`0 0 ${row.length} ${H}`} preserveAspectRatio="none" aria-hidden="true">
          <path class="none" d={empty} /><path class="ok" d={path("usual")} /><path class="slow" d={path("slow")} /><path class="bad" d={path("bad")} />
        </svg>
        {row.map((cell, i) => (cell.state === "bad" || cell.state === "slow") && <b key={i} class={cell.state === "bad" ? "mark" : "mark low"} style={{ left: `${((i + 0.5) / row.length) * 100}%` }} />)}
      </span>
    </div>
  );
}

/** Where in the list of cells a pointer is, by the row that it is over. */
function under(event: PointerEvent & { currentTarget: HTMLElement }, count: number): number | null {
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>(".cells")];
  for (const [n, row] of rows.entries()) {
    const box = row.getBoundingClientRect();
    if (event.clientX < box.left || event.clientX >= box.right || event.clientY < box.top || event.clientY >= box.bottom) continue;
    const at = n * ROW + Math.floor(((event.clientX - box.left) / box.width) * Math.min(ROW, count - n * ROW));
    return at < count ? at : null;
  }
  return null;
}

/** The table beneath: eighths of the drive, and every slow or wrong stretch. */
function AsTable({ map, capacity }: { map: readonly Cell[]; capacity: number }) {
  const odd = stretches(map);
  const parts = Math.min(8, map.length);
  const eighths = Array.from({ length: parts }, (_, i) => map.slice(Math.floor((i * map.length) / parts), Math.floor(((i + 1) * map.length) / parts))).map((part) => {
    const rates = part.flatMap((cell) => cell.rate ?? []);
    const measured = rates.length > 0;
    return {
      from: part[0]?.from ?? 0, to: part.at(-1)?.to ?? 1, slowest: measured ? Math.min(...rates) : null, fastest: measured ? Math.max(...rates) : null,
      slow: part.filter(({ state }) => state === "slow").length, faults: new Set(part.flatMap((cell) => cell.faults)).size,
    };
  });
  const worst = useSort(odd, "where", { where: ({ from }) => from, what: ({ state }) => state, slowest: ({ slowest }) => slowest, usual: ({ usual }) => usual });
  const whole = useSort(eighths, "part", { part: ({ from }) => from, slowest: ({ slowest }) => slowest, fastest: ({ fastest }) => fastest, slow: ({ slow }) => slow, faults: ({ faults }) => faults });
  return (
    <>
      {odd.length > 0 && (
        <table class="tbl odd">
          <caption class="sr">Slow and faulty stretches</caption>
          <thead><tr>{worst.head("where", "Where")}{worst.head("what", "What")}{worst.head("slowest", "Slowest", "num")}{worst.head("usual", "Usual there", "num")}</tr></thead>
          <tbody>{worst.list.slice(0, 100).map(({ from, to, state, faults, slowest, usual }) => (
            <tr key={from} class={state === "bad" ? "is-fail" : "is-warn"}>
              <th scope="row">{place(from, capacity)} to {place(to, capacity)}</th>
              <td data-k="What">{state === "bad" ? faults.slice(0, 3).map((fault) => `${faultName(fault.kind)}, ${findingPlace(fault)}`).join("; ") + (faults.length > 3 ? `; and ${faults.length - 3} more` : "") : "Slow"}</td>
              <td data-k="Slowest" class="num">{rate(slowest)}</td><td data-k="Usual there" class="num">{rate(usual)}</td>
            </tr>
          ))}</tbody>
        </table>
      )}
      <table class="tbl">
        <caption class="sr">Speed over the surface in {parts} parts</caption>
        <thead><tr>{whole.head("part", "Part")}{whole.head("slowest", "Slowest", "num")}{whole.head("fastest", "Fastest", "num")}{whole.head("slow", "Slow places", "num")}{whole.head("faults", "Faults", "num")}</tr></thead>
        <tbody>{whole.list.map(({ from, to, slowest, fastest, slow, faults }) => (
          <tr key={from}>
            <th scope="row">{place(from, capacity)} to {place(to, capacity)}</th>
            <td data-k="Slowest" class="num">{slowest === null ? "not measured" : rate(slowest)}</td><td data-k="Fastest" class="num">{fastest === null ? "–" : rate(fastest)}</td>
            <td data-k="Slow places" class="num">{slow}</td><td data-k="Faults" class="num">{faults}</td>
          </tr>
        ))}</tbody>
      </table>
    </>
  );
}

/** The panel; nothing where no job has measured the surface. `among`: its siblings, which tell what is usual. */
export function SurfaceMap({ job, among }: { job: Job; among: readonly Job[] }) {
  const over = useSignal<number | null>(null);
  const curve = telling(job);
  if (!curve) return null;
  const map = cells(job, curve, among);
  const { top } = ceiling(map.flatMap((cell) => cell.rate ?? []));
  const rows = strips(map);
  const pointed = over.value === null ? undefined : map[over.value];
  const slow = map.some(({ state }) => state === "slow");
  const bad = map.some(({ state }) => state === "bad");
  const note = pointed ? cellWords(pointed, job.capacity) : `${within(stepName(job, curve.step, curve.phase))} of ${clock(job.started, now.value)}; ${bytes(job.capacity / map.length)} a column`;
  return (
    <Panel title="Its surface" note={note} span="c12 half">
      <div class={`surfacemap ${rows.length === 1 ? "single" : ""}`} role="img" aria-label={`Map of the surface: ${mapWords(map, job.capacity)}`}
        onPointerMove={(event) => (over.value = under(event, map.length))} onPointerDown={(event) => (over.value = under(event, map.length))} onPointerLeave={() => (over.value = null)}>
        {rows.map(({ row, share }, i) => <Row key={i} row={row} share={share} max={top * 1.05 || 1} capacity={job.capacity} />)}
      </div>
      <p class="keyrow flush">
        <span><i class="col" />height: speed, up to {rate(top)}</span>
        {slow && <span><i class="col low" />slow: under half of {among.length > 1 ? "its siblings there" : "what is usual around it"}</span>}
        {bad && <span><i class="col bad" />fault located</span>}
        {map.some(({ state }) => state === "none") && <span><i class="col none" />not measured</span>}
      </p>
      <details class="astable"><summary>The same as a table</summary><AsTable map={map} capacity={job.capacity} /></details>
    </Panel>
  );
}
