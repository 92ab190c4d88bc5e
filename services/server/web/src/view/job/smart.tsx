/** SMART before and after, as a table with bars of change; what blames the drive stands out. */
import { useSignal } from "@preact/signals";
import type { SmartRow } from "@wire";

import { grouped } from "../../format";
import { printing } from "../../printing";
import { Shape } from "../bits";

const MEANING: Record<number, string> = {
  1: "Its maker's own count; only comparable with itself.", 4: "Times the motor was started.", 5: "Spare sectors used up.", 9: "Hours under power.",
  10: "Times the motor had to try again.", 12: "Times powered on.", 177: "Wear of the flash cells.", 184: "Errors between its own cache and the host.",
  187: "Reads that the drive could not correct.", 188: "Commands that took too long.", 190: "Temperature in °C.", 192: "Heads parked in a hurry: power was lost.",
  193: "Times the heads were parked.", 194: "Temperature in °C.", 196: "Attempts to move a sector.", 197: "Sectors that it could not read and waits to retry.",
  198: "Sectors given up.", 199: "Errors on the cable: blames the link, not the drive.", 231: "Life left of the flash, in percent.", 233: "Wear of the flash.",
  241: "Written in its life, as the drive counts.", 242: "Read in its life, as the drive counts.",
};

/** The same for NVMe and SAS, which have names instead of numbers. */
const MEANING_BY_NAME: Record<string, string> = {
  "media errors": "Data that it could not correct.", "available spare": "Spare blocks left, in percent.", "percentage used": "Of the writes that it was made for.",
  "num err log entries": "Commands that ended with an error.", "unsafe shutdowns": "Power lost without a warning.", "critical warning": "Not 0: the drive itself warns.",
  "power on hours": "Hours under power.", temperature: "In °C.", "bytes written": "As the drive counts them.", "grown defects": "Sectors that went bad since it was made.",
  "non-medium errors": "Errors beside the medium: link, cable, power.",
};

const nameOf = (row: SmartRow) => row.name.replaceAll("_", " ").toLowerCase();

/** What a value means, for people. */
export function meaning(row: SmartRow): string | undefined {
  return row.id === null ? MEANING_BY_NAME[nameOf(row)] : MEANING[row.id];
}

/** Attributes of which any rise is a sector or a command lost, and those that blame what is around the drive. */
const GRAVE = new Set([5, 10, 184, 187, 196, 197, 198]);
const GRAVE_BY_NAME = new Set(["media errors", "critical warning", "grown defects"]);
const ODD = new Set([188, 199]);

/** How a row stands out: `fail` for what got worse in the drive, `warn` for what got worse around it. Only a hint: the verdict's rules decide. */
export function weightOf(row: SmartRow): "fail" | "warn" | "" {
  const change = row.before === null || row.after === null ? 0 : row.after - row.before;
  if (change <= 0) return "";
  if (row.id === null) return GRAVE_BY_NAME.has(nameOf(row)) ? "fail" : nameOf(row) === "non-medium errors" ? "warn" : "";
  return GRAVE.has(row.id) ? "fail" : ODD.has(row.id) ? "warn" : "";
}

/** Rows that stand out first, then those that changed, then the telling ones. */
export function sorted(rows: readonly SmartRow[]): SmartRow[] {
  const rank = (row: SmartRow) => (weightOf(row) === "fail" ? 0 : weightOf(row) === "warn" ? 1 : row.before !== row.after ? 2 : meaning(row) ? 3 : 4);
  return [...rows].sort((a, b) => rank(a) - rank(b) || (a.id ?? 999) - (b.id ?? 999));
}

const FEW = 12;

/** The table. */
export function SmartTable({ rows, running }: { rows: readonly SmartRow[]; running?: boolean }) {
  const all = useSignal(false);
  const changes = rows.map((row) => (row.before === null || row.after === null ? 0 : Math.abs(row.after - row.before)));
  const most = Math.max(1, ...changes);
  const numbered = rows.some((row) => row.id !== null);
  const value = (n: number | null) => (n === null ? "–" : grouped(n));
  const list = sorted(rows);
  const shown = all.value || printing.value ? list : list.slice(0, FEW);
  return (
    <>
      <table class="tbl smart">
        <thead><tr>{numbered && <th>ID</th>}<th>What</th><th class="num">Before</th><th class="num">After</th><th>Change</th></tr></thead>
        <tbody>
          {shown.map((row) => {
            const change = row.before === null || row.after === null ? null : row.after - row.before;
            const width = change === null ? 0 : (Math.log1p(Math.abs(change)) / Math.log1p(most)) * 100;
            const grave = weightOf(row);
            return (
              <tr key={`${row.id ?? ""}${row.name}`} class={grave && `hit is-${grave}`}>
                {numbered && <td class="at">{row.id ?? ""}</td>}
                <td class="nm"><b>{grave && <><Shape of={grave} /><span class="sr">{grave === "fail" ? "Worse: " : "Look at: "}</span></>}{row.name.charAt(0).toUpperCase() + row.name.slice(1).replaceAll("_", " ")}</b>{meaning(row) && <span>{meaning(row)}</span>}</td>
                <td class="num from" data-k="Before">{value(row.before)}</td>
                <td class="num to" data-k="After"><b>{value(row.after)}</b></td>
                <td class="dl">
                  {change !== null && (
                    <div class={`delta ${change === 0 ? "zero" : ""}`}><span class="d">{change > 0 ? `+${grouped(change)}` : grouped(change)}</span><span class="t"><i style={{ width: `${width.toFixed(0)}%` }} /></span></div>
                  )}
                  {change === null && <span class="mute">{running ? "to come" : "told once only"}</span>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {list.length > FEW && <button class="btn" type="button" onClick={() => (all.value = !all.value)}>{all.value ? "Fewer" : `All ${list.length} values`}</button>}
    </>
  );
}
