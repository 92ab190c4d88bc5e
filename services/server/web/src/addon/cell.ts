/** Cells of tables: a value and a column's format become text, a tone and a number to sort by. Pure. */
import { ago, bytes, duration, stamp } from "../format";
import { at, num, obj, str, type Config } from "./manifest";

/** How a value is meant: by colour, and by shape where there is one. */
export type Tone = "pass" | "warn" | "fail" | "inc" | "info";

/** A cell as it is drawn. */
export interface Cell { text: string; tone: Tone | null; /** Drawn as a badge or with a dot before it. */ as: "plain" | "badge" | "dot" | "bar"; /** Part of a whole for a bar, 0 to 1. */ part: number }

/** A column. */
export interface Column { key: string; label: string; format: string; suffix: string; sortable: boolean | null; badge: Config | null; actions: readonly Config[]; numeric: boolean }

const NUMERIC = new Set(["bytes", "percent", "duration", "number"]);

/** Reads a column: `"name"` or `{key, label, format}`. */
export function readColumn(value: unknown): Column {
  const one = typeof value === "string" ? { key: value, label: titled(value) } : obj(value);
  const key = str(at(one, "key"), str(at(one, "id")));
  const badge = at(one, "badge");
  const sortable = at(one, "sortable");
  const format = str(at(one, "format")) || (typeof badge === "object" && badge !== null ? "badge" : "");
  return {
    key, label: str(at(one, "label"), titled(key)), format, suffix: str(at(one, "suffix")),
    sortable: typeof sortable === "boolean" ? sortable : null,
    badge: typeof badge === "object" && badge !== null ? obj(badge) : null,
    actions: Array.isArray(at(one, "actions")) ? (at(one, "actions") as unknown[]).map(obj) : [],
    numeric: NUMERIC.has(format),
  };
}

/** `reallocated_sectors` as a heading: `Reallocated sectors`. */
export function titled(key: string): string {
  const words = key.replace(/[_-]+/g, " ").trim();
  return words === "" ? "" : words[0]!.toUpperCase() + words.slice(1);
}

/** A phase as an add-on's code calls it, in words: `SMART_SHORT` is "SMART short", `WRITE` is "Write"; what is in words stays. */
export function phaseWords(name: string): string {
  if (!/^[A-Z0-9_]+$/.test(name)) return titled(name);
  return titled(name.split("_").map((word) => (/^(SMART|LBA|SSD|HDD|NVME|ATA|CRC|ZFS|RAID|IO)$/.test(word) ? word : word.toLowerCase())).join(" "));
}

const TONES: readonly (readonly [Tone, RegExp])[] = [
  ["fail", /^(danger|error|critical|fail(ed|ing|ure)?|faulted|unavail(able)?|bad|red|dead|lost|prefail|aborted)$/],
  ["warn", /^(warn(ing)?|degraded|busy|pending|stale|yellow|amber|orange|paused|late|resilvering|true_warning)$/],
  ["pass", /^(success|ok|good|green|online|healthy|pass(ed)?|complete[d]?|active|ready|enabled|up|yes|running|finished|done)$/],
  ["inc", /^(muted|offline|unknown|inactive|disabled|removed|cancelled|canceled|gr[ae]y|secondary|idle|no|none|down|inconclusive|skipped)$/],
  ["info", /^(info|primary|blue|scheduled|queued|new)$/],
];

/** The tone of a status word; what is not known has none. */
export function toneOf(word: string): Tone | null {
  const plain = word.trim().toLowerCase();
  return TONES.find(([, words]) => words.test(plain))?.[0] ?? null;
}

/** A time as manifests send it: ISO text, seconds or milliseconds since 1970; `null`: none. */
export function time(value: unknown): number | null {
  const number = num(value);
  if (number !== null) return number === 0 ? null : number > 1e11 ? number : number * 1000;
  if (typeof value !== "string" || value === "" || value.startsWith("0001-")) return null;
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? null : parsed;
}

/** Any value as plain text. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.every((one) => typeof one !== "object") ? value.map((one) => str(one)).join(", ") : `${value.length}`;
  if (typeof value === "object") return JSON.stringify(value).slice(0, 500);
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return str(value);
}

const whole = (text: string, tone: Tone | null = null, as: Cell["as"] = "plain", part = 0): Cell => ({ text, tone, as, part });

/** A cell of a row. `now` in milliseconds. */
export function cell(value: unknown, column: Pick<Column, "format" | "suffix" | "badge">, now: number): Cell {
  const empty = value === null || value === undefined || value === "";
  const number = num(value);
  switch (column.format) {
    case "bytes":
      return whole(empty ? "–" : number !== null && number >= 0 ? bytes(number) : plain(value));
    case "percent":
      return number === null ? whole(empty ? "–" : plain(value)) : whole(`${Number(number.toFixed(1))}\u00a0%`, null, "bar", Math.min(1, Math.max(0, number / 100)));
    case "duration":
      return whole(empty ? "–" : number !== null && number >= 0 ? duration(number) : plain(value));
    case "datetime": case "timestamp": {
      const when = time(value);
      return whole(when === null ? (empty ? "–" : plain(value)) : stamp(new Date(when).toISOString(), now));
    }
    case "relative_time": {
      const when = time(value);
      if (when === null) return whole(empty ? "never" : plain(value));
      return whole(when > now + 10_000 ? `in ${duration((when - now) / 1000)}` : ago(new Date(when).toISOString(), now));
    }
    case "boolean":
      return whole(empty ? "–" : value === true || value === "true" || value === 1 ? "yes" : "no");
    case "badge": {
      const text = plain(value);
      const said = column.badge ? str(at(column.badge, text)) : "";
      return empty ? whole("–") : whole(text, (said ? toneOf(said) : null) ?? toneOf(text) ?? "info", "badge");
    }
    case "status_dot":
      return whole(empty ? "unknown" : plain(value), toneOf(plain(value)) ?? "inc", "dot");
    case "warning_badge": {
      // A count or a flag: nothing is good, anything is to be looked at.
      if (empty || value === false || number === 0) return whole(number === 0 ? "0" : "none");
      return whole(value === true ? "warning" : plain(value), "warn", "badge");
    }
    default: {
      const text = empty ? "–" : plain(value);
      const said = column.badge ? str(at(column.badge, plain(value))) : "";
      if (said) return whole(text, toneOf(said) ?? "info", "badge");
      return whole(empty ? "–" : `${text}${column.suffix}`);
    }
  }
}

/** What a value is sorted by: numbers before texts, nothing last. */
export function compare(a: unknown, b: unknown): number {
  const empty = (value: unknown) => value === null || value === undefined || value === "";
  if (empty(a) || empty(b)) return Number(empty(a)) - Number(empty(b));
  const [x, y] = [num(a), num(b)];
  if (x !== null && y !== null) return x - y;
  if (x !== null || y !== null) return x !== null ? -1 : 1;
  return plain(a).localeCompare(plain(b), "en", { numeric: true, sensitivity: "base" });
}
