/** SMART before and after, as a table with bars of change; what blames the drive stands out. */
import { useSignal } from "@preact/signals";
import type { Outcome, SmartRow } from "@wire";

import { grouped, verdictShape } from "../../format";
import { type Meaning, meaningOf, meant } from "../../meaning";
import { printing } from "../../printing";
import { Shape } from "../bits";

const nameOf = (row: SmartRow) => row.name.replaceAll("_", " ").toLowerCase();

/** What tells of a sector or a command lost with any rise, and what blames what is around the drive or is daily life of flash. */
const GRAVE = new Set<Meaning>(["reallocated", "spin_retry", "end_to_end", "reported_uncorrectable", "reallocation_events", "pending", "pending_ecc", "offline_uncorrectable"]);
const ODD = new Set<Meaning>(["command_timeout", "crc", "grown_bad_blocks", "flash_failures"]);
const GRAVE_BY_NAME = new Set(["media errors", "critical warning", "grown defects", "pending defects", "read.uncorrected", "write.uncorrected", "verify.uncorrected"]);
const ODD_BY_NAME = new Set(["non medium", "phy errors", "background scan errors", "num err log entries"]);

/** How a row stands out: `fail` for what got worse in the drive, `warn` for what got worse around it. Only a hint: the verdict's rules decide. */
export function weightOf(row: SmartRow): "fail" | "warn" | "" {
  const change = row.before === null || row.after === null ? 0 : row.after - row.before;
  if (change <= 0) return "";
  if (row.id === null) return GRAVE_BY_NAME.has(nameOf(row)) ? "fail" : ODD_BY_NAME.has(nameOf(row)) ? "warn" : "";
  const known = meaningOf(row.id, row.name);
  // One comes and goes by itself.
  if (known === "pending_ecc" && row.after === 1) return "";
  return known === null ? "" : GRAVE.has(known) ? "fail" : ODD.has(known) ? "warn" : "";
}

/** Whether it counts faults, or its change is judged. */
const isTelling = (row: SmartRow) => row.limit !== undefined || (row.id === null ? GRAVE_BY_NAME.has(nameOf(row)) || ODD_BY_NAME.has(nameOf(row)) : meaningOf(row.id, row.name) !== null);

/** Rows that stand out first, then those that changed, then the telling ones. */
export function sorted(rows: readonly SmartRow[]): SmartRow[] {
  const rank = (row: SmartRow) => (weightOf(row) === "fail" ? 0 : weightOf(row) === "warn" ? 1 : row.before !== row.after ? 2 : isTelling(row) ? 3 : 4);
  return [...rows].sort((a, b) => rank(a) - rank(b) || (a.id ?? 999) - (b.id ?? 999));
}

/** The rows without those that have no number and tell what a numbered one tells, with the same figures. */
export function once(rows: readonly SmartRow[]): SmartRow[] {
  const says = (row: SmartRow) => `${meant(row.id, row.name) ?? ""} ${row.before} ${row.after}`;
  const numbered = new Set(rows.filter(({ id }) => id !== null).map(says));
  return rows.filter((row) => row.id !== null || row.limit !== undefined || !meant(null, row.name) || !numbered.has(says(row)));
}

const FEW = 12;

/** By how much it changed; `null` where one side is not known. */
const changeOf = (row: SmartRow) => (row.before === null || row.after === null ? null : row.after - row.before);

/** The limits of a row's change, the first that is met first. */
export function limitsOf(row: SmartRow): readonly (readonly [Outcome, number])[] {
  const { warn, inconclusive, failed } = row.limit ?? {};
  const all: readonly (readonly [Outcome, number | undefined])[] = [["WARN", warn], ["INCONCLUSIVE", inconclusive], ["FAILED", failed]];
  return all.flatMap(([word, at]) => (at === undefined ? [] : [[word, at] as const])).sort((a, b) => Math.abs(a[1]) - Math.abs(b[1]));
}

const signed = (n: number) => (n > 0 ? `+${grouped(n)}` : grouped(n));

/** The limits in words: `WARN from +1, FAILED from +10`. */
export const limitWords = (row: SmartRow) => limitsOf(row).map(([word, at]) => `${word} from ${signed(at)}`).join(", ");

/**
 * A row's bar in percent of its width, with a tick at each limit on the side to which it changed. The scale is logarithmic: one of its
 * own to twice the last limit where there is one, else to `most`, the largest change of a row that nobody judges.
 */
export function barOf(row: SmartRow, most: number): { width: number; ticks: { at: number; word: Outcome }[] } {
  const change = changeOf(row) ?? 0;
  const limits = limitsOf(row).filter(([, at]) => change === 0 || at < 0 === change < 0);
  const last = limits.at(-1);
  const whole = Math.log1p(Math.max(Math.abs(change), last ? Math.abs(last[1]) * 2 : most));
  const at = (n: number) => (Math.log1p(Math.abs(n)) / whole) * 100;
  return { width: at(change), ticks: limits.map(([word, limit]) => ({ at: at(limit), word })) };
}

/** The change as figure and bar, and the limits that it is held to. */
function Change({ row, most, running }: { row: SmartRow; most: number; running: boolean | undefined }) {
  const change = changeOf(row);
  const words = limitWords(row);
  const { width, ticks } = barOf(row, most);
  return (
    <>
      {change === null ? <span class="mute">{running ? "to come" : "told once only"}</span> : (
        <div class={`delta ${change === 0 ? "zero" : ""}`}>
          <span class="d">{signed(change)}</span>
          <span class="t"><i style={{ width: `${width.toFixed(0)}%` }} />{ticks.map(({ at, word }) => <u key={word} class={`is-${verdictShape(word)}`} style={{ left: `${at.toFixed(0)}%` }} />)}</span>
        </div>
      )}
      {words && <span class="lim">{words}</span>}
    </>
  );
}

/** The table. */
export function SmartTable({ rows, running }: { rows: readonly SmartRow[]; running?: boolean }) {
  const all = useSignal(false);
  const most = Math.max(1, ...rows.filter((row) => !row.limit).map((row) => Math.abs(changeOf(row) ?? 0)));
  const numbered = rows.some((row) => row.id !== null);
  const value = (n: number | null) => (n === null ? "–" : grouped(n));
  const list = sorted(once(rows));
  const shown = all.value || printing.value ? list : list.slice(0, FEW);
  return (
    <>
      <table class="tbl smart">
        <thead><tr>{numbered && <th>ID</th>}<th>What</th><th class="num">Before</th><th class="num">After</th><th>Change</th></tr></thead>
        <tbody>
          {shown.map((row) => {
            const grave = weightOf(row);
            const words = meant(row.id, row.name);
            return (
              <tr key={`${row.id ?? ""}${row.name}`} class={grave && `hit is-${grave}`}>
                {numbered && <td class="at">{row.id ?? ""}</td>}
                <td class="nm"><b>{grave && <><Shape of={grave} /><span class="sr">{grave === "fail" ? "Worse: " : "Look at: "}</span></>}{row.name.charAt(0).toUpperCase() + row.name.slice(1).replaceAll("_", " ")}</b>{words && <span>{words}</span>}</td>
                <td class="num from" data-k="Before">{value(row.before)}</td>
                <td class="num to" data-k="After"><b>{value(row.after)}</b></td>
                <td class="dl"><Change row={row} most={most} running={running} /></td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {list.length > FEW && <button class="btn" type="button" onClick={() => (all.value = !all.value)}>{all.value ? "Fewer" : `All ${list.length} values`}</button>}
    </>
  );
}
