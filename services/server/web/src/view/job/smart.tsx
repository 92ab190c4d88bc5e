/** SMART before and after, as a table with bars of change; what blames the drive stands out. */
import { useSignal } from "@preact/signals";
import type { SmartRow } from "@wire";

import { grouped } from "../../format";
import { type Meaning, meaningOf } from "../../meaning";
import { printing } from "../../printing";
import { Shape } from "../bits";

/** What is counted, by `wire`'s table of names. */
const BY_MEANING: Record<Meaning, string> = {
  reallocated: "Spare sectors used up.", pending: "Sectors that it could not read and waits to retry.", pending_ecc: "Sectors that it waits to correct; one comes and goes by itself.", offline_uncorrectable: "Sectors given up.",
  reported_uncorrectable: "Reads that the drive could not correct.", reallocation_events: "Attempts to move a sector.", grown_bad_blocks: "Blocks of flash gone bad since it was made.",
  flash_failures: "Blocks of flash that could not be written or erased.",
  command_timeout: "Commands that took too long.", end_to_end: "Errors between its own cache and the host.", spin_retry: "Times the motor had to try again.",
  crc: "Errors on the cable: blames the link, not the drive.", helium: "Helium left.",
};

/** Of attributes that count no fault, by the number and a part of the name that tells that it is that: flash counts other things there. */
const OTHERS: readonly (readonly [number, string, string])[] = [
  [1, "error_rate", "Its maker's own count; only comparable with itself."], [4, "start_stop", "Times the motor was started."], [9, "power", "Hours under power."],
  [12, "power", "Times powered on."], [177, "wear", "Wear of the flash cells."], [190, "temp", "Temperature in °C."], [192, "retract", "Heads parked in a hurry: power was lost."],
  [193, "load", "Times the heads were parked."], [194, "temp", "Temperature in °C."], [231, "life", "Life left of the flash, in percent."], [233, "wear", "Wear of the flash."],
  [241, "writ", "Written in its life, as the drive counts."], [242, "read", "Read in its life, as the drive counts."],
];

/** The same for NVMe and SAS, which have names instead of numbers. */
const BY_NAME: Record<string, string> = {
  "media errors": "Data that it could not correct.", "available spare": "Spare blocks left, in percent.", "percentage used": "Of the writes that it was made for.",
  "num err log entries": "Commands that ended with an error.", "unsafe shutdowns": "Power lost without a warning.", "critical warning": "Not 0: the drive itself warns.",
  "power on hours": "Hours under power.", temperature: "In °C.", "bytes written": "As the drive counts them.", "grown defects": "Sectors that went bad since it was made.",
  "non medium": "Errors beside the medium: link, cable, power.", "phy errors": "Errors on the link.", "pending defects": "Sectors that it could not read and waits to retry.",
  "read.uncorrected": "Reads that it could not correct.", "write.uncorrected": "Writes that it could not correct.", "verify.uncorrected": "Checks of its own that it could not correct.",
  "background scan errors": "Bad places that its own scan of the surface has met.",
};

const nameOf = (row: SmartRow) => row.name.replaceAll("_", " ").toLowerCase();

/** What a value means, for people. */
export function meaning(row: SmartRow): string | undefined {
  if (row.id === null) return BY_NAME[nameOf(row)];
  const known = meaningOf(row.id, row.name);
  return known === null ? OTHERS.find(([id, part]) => id === row.id && row.name.toLowerCase().includes(part))?.[2] : BY_MEANING[known];
}

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
