/**
 * The lines of a log-viewer: a ring of the newest, and which of them a filter shows.
 *
 * Adding is constant work a line, also while a filter is set: a thousand lines a second cost a phone a few milliseconds.
 * Only another filter looks at all lines again. Tested in `ring.test.ts`.
 */
import { at, str, type Config } from "./manifest";

/** How bad a line is. */
export type Level = "debug" | "info" | "warn" | "error";

/** Worst last. */
export const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

/** One line. */
export interface Line { level: Level; message: string; source: string; job: string; time: string }

/** What is shown. */
export interface Filter { level: Level | ""; job: string; text: string }

/** Any word for a level as ours. */
export function levelOf(word: string): Level {
  switch (word.toLowerCase()) {
    case "warn": case "warning": return "warn";
    case "error": case "err": case "critical": case "fatal": case "panic": return "error";
    case "debug": case "trace": return "debug";
    default: return "info";
  }
}

/** Longest message that is drawn, in characters. */
const MESSAGE_MAX = 4000;

/** A line of a frame's payload or of a history. */
export function readLine(raw: Config): Line {
  const message = str(at(raw, "message"), str(at(raw, "msg"), str(at(raw, "line"))));
  return {
    level: levelOf(str(at(raw, "level"), "info")),
    message: (message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX)}…` : message).replace(/[\r\n]+/g, " ⏎ "),
    source: str(at(raw, "source"), str(at(raw, "agent_id"))),
    job: str(at(raw, "job_id")),
    time: str(at(raw, "timestamp"), str(at(raw, "time"), str(at(raw, "ts")))),
  };
}

/** Whether a filter shows a line; `text` of the filter is in lower case. */
export function fits(line: Line, filter: Filter): boolean {
  if (filter.level !== "" && LEVELS.indexOf(line.level) < LEVELS.indexOf(filter.level)) return false;
  if (filter.job !== "" && line.job !== filter.job) return false;
  return filter.text === "" || line.message.toLowerCase().includes(filter.text) || line.source.toLowerCase().includes(filter.text);
}

/** Most jobs that a viewer offers to filter by. */
const JOBS_MAX = 200;

/** The ring. */
export class Ring {
  #lines: Line[] = [];
  /** Number of the first line in the ring. */
  #first = 0;
  /** Numbers of the lines that the filter shows; those before `#head` have left the ring. */
  #shown: number[] = [];
  #head = 0;
  #filter: Filter = { level: "", job: "", text: "" };
  /** Jobs that were named, oldest first. */
  readonly jobs = new Set<string>();
  /** Lines that ever came. */
  total = 0;

  constructor(readonly capacity: number) {}

  /** Adds lines in the order in which they came. */
  push(lines: readonly Line[]): void {
    for (const line of lines) {
      this.#lines.push(line);
      if (line.job !== "" && !this.jobs.has(line.job)) {
        const [oldest] = this.jobs;
        if (this.jobs.size >= JOBS_MAX && oldest !== undefined) this.jobs.delete(oldest);
        this.jobs.add(line.job);
      }
      if (fits(line, this.#filter)) this.#shown.push(this.#first + this.#lines.length - 1);
    }
    this.total += lines.length;
    // Twice the size before it is cut, so that cutting costs each line constant work.
    if (this.#lines.length >= 2 * this.capacity) {
      const cut = this.#lines.length - this.capacity;
      this.#lines = this.#lines.slice(cut);
      this.#first += cut;
    }
    const oldest = this.#first + Math.max(0, this.#lines.length - this.capacity);
    while ((this.#shown[this.#head] ?? Infinity) < oldest) this.#head += 1;
    if (this.#head > this.capacity) {
      this.#shown = this.#shown.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Shows other lines. */
  filter(filter: Filter): void {
    this.#filter = { ...filter, text: filter.text.trim().toLowerCase() };
    const from = Math.max(0, this.#lines.length - this.capacity);
    this.#head = 0;
    this.#shown = [];
    for (let i = from; i < this.#lines.length; i++) {
      const line = this.#lines[i];
      if (line && fits(line, this.#filter)) this.#shown.push(this.#first + i);
    }
  }

  /** How many lines are shown. */
  get length(): number {
    return this.#shown.length - this.#head;
  }

  /** Lines that are kept. */
  get kept(): number {
    return Math.min(this.#lines.length, this.capacity);
  }

  /** The shown lines from `from` to before `to`, each with its number. */
  slice(from: number, to: number): { number: number; line: Line }[] {
    return this.#shown.slice(this.#head + from, this.#head + to).flatMap((number) => {
      const line = this.#lines[number - this.#first];
      return line ? [{ number, line }] : [];
    });
  }

  /** All shown lines as they are now: what a paused viewer goes on showing. */
  frozen(): { number: number; line: Line }[] {
    return this.slice(0, this.length);
  }

  /** Everything that is kept, whatever the filter. */
  all(): Line[] {
    return this.#lines.slice(-this.capacity);
  }

  /** Forgets everything. */
  clear(): void {
    this.#lines = [];
    this.#shown = [];
    this.#head = 0;
    this.#first = 0;
    this.jobs.clear();
    this.total = 0;
  }
}
