/** Jobs of an add-on's progress: what its frames and its list of active jobs say, in one shape. Pure. */
import { duration, rate, timeLeft } from "../format";
import { at, num, obj, str, type Config } from "./manifest";
import { time } from "./cell";

/** A phase that was seen, with how far it came. */
export interface PhaseSeen { name: string; percent: number }

/** One job. */
export interface Shown {
  id: string;
  agent: string;
  /** What it is about, a drive; empty: not told. */
  title: string;
  /** What is done with it. */
  command: string;
  message: string;
  phase: string;
  detail: string;
  /** 0 to 100 over the whole job; `null`: not told. */
  percent: number | null;
  eta: string;
  speed: string;
  temperature: number | null;
  elapsed: string;
  moved: string;
  errors: number | null;
  /** `gone`: the list of what runs has it no more, and nobody told how it ended. */
  state: "running" | "completed" | "failed" | "cancelled" | "paused" | "gone";
  phases: readonly PhaseSeen[];
  /** When it was heard last, in milliseconds. */
  heard: number;
}

const STATES: ReadonlyMap<string, Shown["state"]> = new Map([
  ["completed", "completed"], ["complete", "completed"], ["passed", "completed"], ["success", "completed"], ["done", "completed"], ["finished", "completed"],
  ["failed", "failed"], ["error", "failed"],
  ["cancelled", "cancelled"], ["canceled", "cancelled"], ["aborted", "cancelled"],
  ["paused", "paused"],
]);

/** Most phases of a job that are kept; a hostile add-on makes up names. */
const PHASES_MAX = 24;

function eta(raw: Config): string {
  const seconds = num(at(raw, "eta_sec")) ?? num(at(raw, "eta_seconds")) ?? num(at(raw, "eta"));
  if (seconds !== null) return seconds > 0 ? timeLeft(seconds) : "";
  const text = str(at(raw, "eta"));
  // Seconds alone are what the box makes of a number; other words stay the add-on's.
  const alone = /^(\d{1,9})s$/.exec(text);
  return alone ? (Number(alone[1]) > 0 ? timeLeft(Number(alone[1])) : "") : text;
}

function speed(raw: Config): string {
  const mbps = num(at(raw, "speed_mbps"));
  if (mbps !== null) return rate(mbps * 1e6);
  const bps = num(at(raw, "bytes_per_second")) ?? num(at(raw, "rate")) ?? num(at(raw, "throughput"));
  return bps !== null ? rate(bps) : str(at(raw, "speed")) || str(at(raw, "throughput"));
}

/**
 * A job after a frame or a record of it; `was` is what was known before. 100 per cent of a phase end that phase; the job is
 * over where its status says so, its phase is called failed, cancelled or complete, or it has no phases. The server has the
 * same rule (`hub/history.rs`), and both run `services/wire/cases/job-over.json` (`jobs.test.ts`).
 */
export function update(was: Shown | undefined, raw: Config, now: number): Shown {
  const phase = str(at(raw, "phase"), was?.phase ?? "");
  const told = num(at(raw, "percent")) ?? num(at(raw, "progress_percent")) ?? num(at(raw, "progress"));
  const percent = told === null ? (was?.percent ?? null) : Math.min(100, Math.max(0, told));
  const said = STATES.get(str(at(raw, "status"), str(at(raw, "state"))).toLowerCase());
  const ended = /^(complete|completed|done|finished)$/i.test(phase) && (told ?? 100) >= 100;
  const state = said ?? (/^fail/i.test(phase) ? "failed" : /^cancel/i.test(phase) ? "cancelled" : ended ? "completed" : (percent ?? 0) >= 100 && phase === "" ? "completed" : "running");
  const phases = [...(was?.phases ?? [])];
  const here = phases.findIndex(({ name }) => name === phase);
  if (phase !== "") {
    if (here >= 0) phases.splice(here, 1, { name: phase, percent: percent ?? 0 });
    else if (phases.length < PHASES_MAX) phases.push({ name: phase, percent: percent ?? 0 });
  }
  const done = num(at(raw, "bytes_done"));
  const total = num(at(raw, "bytes_total"));
  const elapsed = num(at(raw, "elapsed_sec"));
  return {
    id: str(at(raw, "job_id"), str(at(raw, "id"), was?.id ?? "")),
    agent: str(at(raw, "agent_id"), was?.agent ?? ""),
    title: ["title", "drive", "target", "serial"].map((key) => str(at(raw, key))).find(Boolean) ?? was?.title ?? "",
    command: str(at(raw, "command"), was?.command ?? ""),
    message: str(at(raw, "fail_reason")) || str(at(raw, "message"), was?.message ?? ""),
    phase,
    detail: str(at(raw, "phase_detail"), phase === was?.phase ? (was.detail) : ""),
    percent,
    eta: state === "running" ? eta(raw) : "",
    speed: state === "running" ? speed(raw) : "",
    temperature: num(at(raw, "temp_c")) ?? num(at(raw, "temperature")) ?? was?.temperature ?? null,
    elapsed: elapsed === null ? (was?.elapsed ?? "") : duration(elapsed),
    moved: done !== null && total !== null && total > 0 ? `${sized(done)} of ${sized(total)}` : (was?.moved ?? ""),
    errors: num(at(raw, "badblocks_errors")) ?? num(at(raw, "errors")) ?? was?.errors ?? null,
    state, phases,
    heard: time(at(raw, "timestamp")) ?? now,
  };
}

/** How often the list of what runs is asked while jobs run and none of them is heard, in milliseconds. Source: Vigil, component `progress`. */
export const POLL_MS = 3000;

/** Whether to ask for what runs: the add-on can be asked, something runs, and no frame has told of it for a while. */
export const pollDue = (of: { listens: boolean; hidden: boolean; busy: boolean; running: number; heard: number }, now: number): boolean =>
  of.listens && !of.hidden && !of.busy && of.running > 0 && now - of.heard >= POLL_MS;

/** A job that a fresh list has no more. Frames tell themselves how a job ends; a list says only that it is over. */
export const missed = (was: Shown, listed: ReadonlySet<string>, isFramed: boolean, agent: string): boolean =>
  (was.state === "running" || was.state === "paused") && !isFramed && !listed.has(was.id) && (agent === "" || was.agent === "" || was.agent === agent);

function sized(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const power = Math.min(units.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(power === 0 ? 0 : 1)}\u00a0${units[power]}`;
}

/** The records of a job list in any of its shapes. */
export const records = (value: unknown): Config[] => {
  if (Array.isArray(value)) return value.map(obj).filter((one) => Object.keys(one).length > 0);
  const whole = obj(value);
  const inner = at(whole, "jobs") ?? at(whole, "items") ?? at(whole, "active");
  if (inner !== undefined) return records(inner);
  return at(whole, "job_id") !== undefined || at(whole, "phase") !== undefined || at(whole, "status") !== undefined ? [whole] : [];
};

/** The text whose room another takes up: figures are all of one width, so that only their number counts. */
export const roomOf = (text: string): string => text.replace(/\d/g, "0");
