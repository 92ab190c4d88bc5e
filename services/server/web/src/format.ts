/**
 * Figures as people read them: SI units as on a drive's label, durations as people say them.
 *
 * Pure; time is always an argument. Tested in `format.test.ts`.
 */
import type { Drive, Outcome, Phase } from "@wire";

/** Narrow no-break space: between digit groups, and between a figure and its unit. */
export const THIN = "\u202f";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"] as const;

/** A number of bytes in SI units with at most three significant digits: `4 TB`, `1.92 TB`, `512 B`. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit + 1 < UNITS.length) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${Number(value.toFixed(digits))}\u00a0${UNITS[unit]}`;
}

/** A drive's capacity; 0 is one of sectors that Linux does not take, which tells none. */
export const capacityWords = (count: number): string => (count === 0 ? "no size told" : bytes(count));

/** Bytes a second: `224 MB/s`; nothing moving is an en dash, never an invented zero. */
export function rate(perSecond: number | null | undefined): string {
  return perSecond ? `${bytes(perSecond)}/s` : "–";
}

/** An integer with its digits in groups of three: `13 320 319 488`. */
export function grouped(value: number): string {
  return String(Math.trunc(value)).replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

/** A duration as people say it: `40 s`, `14 min`, `2 h 10 min`, `32 h`, `3 days`. */
export function duration(seconds: number): string {
  if (seconds > 0 && seconds < 0.95) return "less than 1\u00a0s";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}\u00a0s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes}\u00a0min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 10) return minutes % 60 ? `${hours}\u00a0h ${minutes % 60}\u00a0min` : `${hours}\u00a0h`;
  if (hours < 72) return `${Math.round(minutes / 60)}\u00a0h`;
  return `${Math.round(minutes / 1440)}\u00a0days`;
}

/** Time left. Long ones are rounded and say so; `null` means that nobody knows yet. */
export function timeLeft(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "estimating";
  if (seconds < 1) return "moments";
  if (seconds < 3600) return duration(seconds);
  return `about ${duration(Math.round(seconds / (seconds < 3 * 3600 ? 600 : 3600)) * (seconds < 3 * 3600 ? 600 : 3600))}`;
}

/** How long ago something was: `just now`, `14 min ago`. */
export function ago(iso: string, now: number): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (!Number.isFinite(seconds)) return "at an unknown time";
  return seconds < 10 ? "just now" : `${duration(seconds)} ago`;
}

/** A time of day, with the day where it is not today: `06:41`, `Fri 20 Nov, 06:41`. */
export function clock(iso: string, now: number): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (at.toDateString() === new Date(now).toDateString()) return time;
  const year = at.getFullYear() === new Date(now).getFullYear() ? {} : ({ year: "numeric" } as const);
  return `${at.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", ...year })}, ${time}`;
}

// Made once: making one costs a thousand times what using it does.
const DAY = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** A full time with seconds, for logs, and with the year where it is not this one: `20 Nov 06:41:09`, `20 Nov 2025 06:41:09`. */
export function stamp(iso: string, now: number): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const year = at.getFullYear();
  return `${DAY.format(at)} ${year === new Date(now).getFullYear() ? "" : `${year} `}${TIME.format(at)}`;
}

/** When an event happened: one that waited until the agent had a server again tells it among its facts, and came later. */
export function happenedAt({ ts, data }: { ts: string; data?: unknown }): string {
  const told = typeof data === "object" && data !== null && "happened_at" in data ? data.happened_at : null;
  return typeof told === "string" && !Number.isNaN(Date.parse(told)) ? told : ts;
}

const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const UTC = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

/** The day of a time, by no zone of the reader's: `12 March 2026`. */
export function day(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : DATE.format(at);
}

/** A time as it stands on a certificate, whoever reads it where and when: `20 November 2026, 06:41 UTC`. */
export function dated(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : `${DATE.format(at)}, ${UTC.format(at)} UTC`;
}

/** A zone by its minutes ahead of UTC: `UTC`, `UTC+5:30`. */
export function zoneWords(ahead: number): string {
  const [hours, minutes] = [Math.floor(Math.abs(ahead) / 60), Math.abs(ahead) % 60];
  return ahead === 0 ? "UTC" : `UTC${ahead < 0 ? "−" : "+"}${hours}${minutes ? `:${String(minutes).padStart(2, "0")}` : ""}`;
}

/** The zone in which this page tells times that name none, the browser's, as it is at a moment. */
export const zone = (at: number): string => zoneWords(-new Date(at).getTimezoneOffset());

/** A countdown: `1:37`. */
export function countdown(seconds: number): string {
  const s = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

/** Words as they stand within a sentence: `write (rate limited, 6 MB/s)`, `SMART before`; units keep their case. */
export function within(words: string): string {
  return /^[A-Z][a-z]/.test(words) ? words.charAt(0).toLowerCase() + words.slice(1) : words;
}

/** `1 drive`, `3 drives`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** A temperature. */
export function celsius(degrees: number | null | undefined): string {
  return degrees === null || degrees === undefined ? "–" : `${degrees}\u00a0°C`;
}

/** What a person finds on the label: the last four of the serial; short serials whole. */
export function lastFour(serial: string): string {
  const clean = serial.trim();
  return clean.length > 4 ? clean.slice(-4).toUpperCase() : clean.toUpperCase();
}

/** Signs that turn the direction of what follows them, also beyond the words that they stand in. Source: Unicode UAX #9, section 2. */
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

/** A text that somebody else wrote, for a sentence of ours: it is written in its own direction, and the sentence round it stays as it is. */
export function foreign(text: string): string {
  return /^[ -~]*$/.test(text) ? text : `\u2068${text.replaceAll(TURNS, "\ufffd")}\u2069`;
}

/** What is on a drive: a headline and a line beneath it. */
export function contentWords(content: Drive["content"]): { head: string; detail: string } {
  switch (content.state) {
    case "unknown":
      return { head: "Not looked at yet", detail: "" };
    case "empty":
      return { head: "No known content", detail: "may still hold data" };
    case "unreadable":
      return { head: "Content unreadable", detail: content.why };
    case "found": {
      const label = content.signatures.find((s) => s.label)?.label;
      // The box tells labels between straight quotes, the head's among them.
      const words = content.summary.replace(label ? ` "${label}"` : "", "").replaceAll(/"([^"]*)"/g, (_, inner: string) => `“${foreign(inner)}”`);
      return label ? { head: `“${foreign(label)}”`, detail: words } : { head: words, detail: "" };
    }
  }
}

/** Bytes that files take on a drive, as far as its file systems count them; `null` where none does. */
export function usedOf(content: Drive["content"]): number | null {
  const counts = content.state === "found" ? content.signatures.flatMap(({ used }) => used ?? []) : [];
  return counts.length > 0 ? counts.reduce((sum, used) => sum + used, 0) : null;
}

/** The same for a card, which has no room for what each file system counts: of all together, at the end. */
export function contentBrief(content: Drive["content"]): { head: string; detail: string } {
  const { head, detail } = contentWords(content);
  const used = usedOf(content);
  // What stands in quotes is a label, whatever its words.
  const bare = (text: string) => text.replaceAll(/“[^”]*”| \([^()]*(?:used|last mounted)[^()]*\)/g, (part) => (part.startsWith("“") ? part : ""));
  return { head: head.startsWith("“") ? head : bare(head), detail: [bare(detail), used === null ? "" : `${bytes(used)} used`].filter(Boolean).join(", ") };
}

/** A phase as its track and ring name it. */
export function phaseName(phase: Phase): string {
  switch (phase) {
    case "smart_before": return "SMART before";
    case "self_test_short": return "Short self-test";
    case "probe": return "Capacity probe";
    case "sample": return "Samples";
    case "write": return "Write";
    case "verify": return "Verify";
    case "seek": return "Random seeks";
    case "trim": return "Trim";
    case "trim_check": return "Check trim";
    case "scan": return "Read scan";
    case "self_test_extended": return "Extended self-test";
    case "partition": return "Partition";
    case "format": return "Format";
    case "smart_after": return "SMART after";
  }
}

/** The class that gives a verdict its colour and the symbol that gives it its shape. */
export function verdictShape(outcome: Outcome): "pass" | "warn" | "inc" | "fail" {
  switch (outcome) {
    case "PASSED": return "pass";
    case "WARN": return "warn";
    case "INCONCLUSIVE": return "inc";
    case "FAILED": return "fail";
  }
}

/** A playbook's name as a title: `my-soak` is `My soak`. */
export function titleOf(name: string): string {
  if (name === "ssd") return "SSD";
  return name.charAt(0).toUpperCase() + name.slice(1).replace(/[-_]+/g, " ");
}
