/**
 * The live frames of one add-on: one stream for the open page, handed on in one go and then none for a while.
 *
 * Sixty drives a second and a thousand log lines a second come as single messages; each component is told once, with all
 * that came since. For a while nothing more is read: what comes meanwhile waits outside the page, which is then woken once
 * and not by each message. No picture is asked for: what changes out of view needs none, and the browser makes one for the
 * rest. A hidden page draws nothing, so there the frames are handed on by a timer and the oldest log lines are let go when
 * too many wait.
 */
import { signal } from "@preact/signals";

import { listen } from "../sse";
import { at, obj, str, type Config } from "./manifest";

/** A frame as an add-on sent it. */
export interface Frame { type: string; payload: unknown; arrived: number }

/** Event names of the stream. Source: the server's closed set. */
export type Kind = "log" | "progress" | "notification" | "chart" | "metric" | "smart" | "attributes" | "telemetry" | "status" | "manifest" | "other";

/** Most frames that wait for a picture: what comes on top pushes out the oldest. */
const WAITING_MAX = 20_000;
/**
 * Least time from one handing on to the next, in milliseconds: figures that change more often are not read any better, and
 * to be woken costs a slow processor more than what came meanwhile.
 */
const REST_MS = 32;
/** How often a hidden page is told, in milliseconds. */
const HIDDEN_MS = 1000;

/** Reads a message; `null`: it is none of an add-on's. */
export function readFrame(event: string, data: string, arrived: number): Frame | null {
  try {
    const whole = obj(JSON.parse(data));
    return at(whole, "payload") === undefined && event !== "connected" ? { type: event, payload: whole, arrived } : { type: event === "other" ? str(at(whole, "type"), event) : event, payload: at(whole, "payload"), arrived };
  } catch {
    return null;
  }
}

type Hear = (frames: readonly Frame[]) => void;

/** One add-on's stream. */
export class Feed {
  /** Whether it answers; `null` before the first time. */
  readonly live = signal<boolean | null>(null);
  /** Turns when the stream came back after a break: what a source told may be out of date. */
  readonly again = signal(0);
  #hearers = new Map<string, Set<Hear>>();
  #waiting: Frame[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #open: (() => void) | null = null;
  #stop: () => void;

  constructor(addon: number) {
    let connected = 0;
    document.addEventListener("visibilitychange", this.#turned);
    this.#stop = listen(`/api/addons/${addon}/telemetry`, {
      message: ({ event, data }) => {
        if (event === "connected") return;
        this.take(event, data);
      },
      live: () => {
        this.live.value = true;
        if (connected > 0) this.again.value += 1;
        connected += 1;
      },
      lost: () => (this.live.value = false),
      // The box's own stream finds out too, and shows the door.
      unauthorized: () => (this.live.value = false),
      pause: () => this.#heard(),
    });
  }

  /** Takes one message in. */
  take(event: string, data: string): void {
    const frame = readFrame(event, data, performance.now());
    if (!frame) return;
    this.#waiting.push(frame);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.splice(0, WAITING_MAX / 10);
  }

  /** A piece of the stream was taken in: it is handed on now, and nothing more is read for a while. */
  #heard(): Promise<void> | null {
    // A hidden page draws nothing, and its timers may stand for a minute: it reads on.
    if (document.hidden) {
      this.#timer ??= setTimeout(this.#rung, HIDDEN_MS);
      return null;
    }
    this.#flush();
    return new Promise((open) => {
      this.#open = open;
      this.#timer ??= setTimeout(this.#rung, REST_MS);
    });
  }

  /** The page was hidden, or is shown again. */
  #turned = () => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#rung();
  };

  /** Hands on what waits, and reads on. */
  #rung = () => {
    this.#timer = null;
    this.#flush();
    this.#open?.();
    this.#open = null;
  };

  #flush(): void {
    // The parts of a page that is being drawn hear a moment after its stream began.
    if (this.#waiting.length === 0 || this.#hearers.size === 0) return;
    const byType = new Map<string, Frame[]>();
    for (const frame of this.#waiting.splice(0)) {
      const list = byType.get(frame.type);
      if (list) list.push(frame);
      else byType.set(frame.type, [frame]);
    }
    for (const [type, frames] of byType) for (const hear of this.#hearers.get(type) ?? []) hear(frames);
  }

  /** Hears frames of some kinds until the function that it returns is called. */
  hear(kinds: readonly Kind[], hear: Hear): () => void {
    for (const kind of kinds) {
      const set = this.#hearers.get(kind) ?? new Set();
      set.add(hear);
      this.#hearers.set(kind, set);
    }
    return () => {
      for (const kind of kinds) this.#hearers.get(kind)?.delete(hear);
    };
  }

  /** Ends the stream. */
  close(): void {
    this.#stop();
    document.removeEventListener("visibilitychange", this.#turned);
    this.#waiting = [];
    this.#turned();
  }
}

/** Whether a frame or a record is of this agent: it names it, or names none; empty: of any. */
export const isOf = (payload: Config, agent: string): boolean => agent === "" || str(at(payload, "agent_id"), agent) === agent;

/** Whether a frame is for this component: it names it, or names none. */
export function isFor(payload: Config, component: string): boolean {
  const named = str(at(payload, "component_id"));
  return named === "" || named === component;
}
