/**
 * The live frames of one add-on: one stream for the open page, handed on in one go a picture.
 *
 * Sixty drives a second and a thousand log lines a second come as single messages; each component is told once before
 * the browser draws, with all that came since. While a picture is made nothing is read: what comes meanwhile waits outside
 * the page, which is then woken once and not by each message. A hidden page draws nothing, so there the frames are handed
 * on by a timer and the oldest log lines are let go when too many wait.
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
/** Longest pause after a picture while frames wait, in milliseconds. */
const GAP_MAX_MS = 40;
/**
 * Least time from one picture to the next, in milliseconds: figures that change more often are not read any better, and
 * each picture costs a slow processor some 4 ms before anything is drawn in it (measured with sixty drives at 1 Hz).
 */
const PICTURE_MS = 32;
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
  #picture: number | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Whether a picture was begun and its time is not over. */
  #busy = false;
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
      // A hidden page draws nothing, and its timers may stand for a minute: it reads on.
      pause: () => (document.hidden || (this.#picture === null && !this.#busy) ? null : new Promise((open) => (this.#open = open))),
    });
  }

  /** Takes one message in. */
  take(event: string, data: string): void {
    const frame = readFrame(event, data, performance.now());
    if (!frame) return;
    this.#waiting.push(frame);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.splice(0, WAITING_MAX / 10);
    this.#plan();
  }

  #plan(): void {
    if (this.#timer !== null || this.#picture !== null || this.#busy) return;
    if (document.hidden) this.#timer = setTimeout(this.#flush, HIDDEN_MS);
    else this.#picture = requestAnimationFrame(this.#flush);
  }

  #halt(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#picture !== null) cancelAnimationFrame(this.#picture);
    this.#timer = null;
    this.#picture = null;
  }

  /** The next picture may be begun. */
  #free = () => {
    this.#busy = false;
    this.#timer = null;
    this.#open?.();
    this.#open = null;
    if (this.#waiting.length > 0) this.#plan();
  };

  /** A page that is hidden gets no picture to wait for, one that is shown need not wait for a timer. */
  #turned = () => {
    this.#halt();
    this.#free();
  };

  #flush = () => {
    this.#halt();
    this.#busy = true;
    const begun = performance.now();
    // After the picture was drawn: for a part of the time that it took nothing is drawn, so that a slow processor draws fewer and fuller ones.
    this.#timer = setTimeout(() => {
      const ended = performance.now();
      const wait = Math.max(begun + PICTURE_MS, ended + Math.min(GAP_MAX_MS, (ended - begun) / 4)) - ended;
      if (wait < 4) this.#free();
      else this.#timer = setTimeout(this.#free, wait);
    }, 0);
    const byType = new Map<string, Frame[]>();
    for (const frame of this.#waiting.splice(0)) {
      const list = byType.get(frame.type);
      if (list) list.push(frame);
      else byType.set(frame.type, [frame]);
    }
    for (const [type, frames] of byType) for (const hear of this.#hearers.get(type) ?? []) hear(frames);
  };

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

/** Whether a frame is for this component: it names it, or names none. */
export function isFor(payload: Config, component: string): boolean {
  const named = str(at(payload, "component_id"));
  return named === "" || named === component;
}
