/**
 * The live frames of one add-on: one stream for the open page, handed on in one go and then none for a while.
 *
 * The stream is read by a thread of its own where the browser has any (`reading-worker.ts`), else here: to be woken by each
 * piece of it and to take it apart cost the page's own thread nearly as much as to draw. Each component is told once, with
 * all that came since. No picture is asked for: what changes out of view needs none, and the browser makes one for the rest.
 */
import { signal } from "@preact/signals";

import { at, str, type Config } from "./manifest";
import { Reading, WAITING_MAX, type Frame } from "./reading";
import type { Order, Told } from "./reading-worker";

/** Event names of the stream. Source: the server's closed set. */
export type Kind = "log" | "progress" | "notification" | "chart" | "metric" | "smart" | "attributes" | "telemetry" | "status" | "manifest" | "other";

type Hear = (frames: readonly Frame[]) => void;

/** One add-on's stream. */
export class Feed {
  /** Whether it answers; `null` before the first time. */
  readonly live = signal<boolean | null>(null);
  /** Turns when the stream came back after a break: what a source told may be out of date. */
  readonly again = signal(0);
  #hearers = new Map<string, Set<Hear>>();
  #waiting: Frame[] = [];
  #url: string;
  #connected = 0;
  #reading: Reading | null = null;
  #thread: Worker | null = null;

  constructor(addon: number) {
    this.#url = `/api/addons/${addon}/telemetry`;
    document.addEventListener("visibilitychange", this.#looked);
    if (typeof Worker === "undefined") {
      this.#readHere();
      return;
    }
    const thread = (this.#thread = new Worker(new URL("./reading-worker.ts", import.meta.url), { type: "module" }));
    thread.onmessage = ({ data }: MessageEvent<Told>) => {
      if ("live" in data) {
        this.#turned(data.live);
        return;
      }
      try {
        this.#take(data.frames);
      } finally {
        thread.postMessage("taken" satisfies Order);
      }
    };
    // One that cannot be had, or that fails, is none.
    thread.onerror = () => {
      thread.terminate();
      if (this.#thread !== thread) return;
      this.#thread = null;
      this.#readHere();
    };
    thread.postMessage({ url: this.#url, hidden: document.hidden } satisfies Order);
  }

  #readHere(): void {
    this.#reading = new Reading(this.#url, {
      hidden: () => document.hidden,
      frames: (frames) => {
        this.#take(frames);
        return true;
      },
      live: (live) => this.#turned(live),
      pauses: true,
    });
  }

  #take(frames: readonly Frame[]): void {
    this.#waiting.push(...frames);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.splice(0, this.#waiting.length - WAITING_MAX);
    this.#flush();
  }

  /** The stream answers, or is gone. */
  #turned(live: boolean): void {
    this.live.value = live;
    if (!live) return;
    if (this.#connected > 0) this.again.value += 1;
    this.#connected += 1;
  }

  /** The page was hidden, or is shown again. */
  #looked = () => {
    this.#reading?.turned();
    this.#thread?.postMessage({ hidden: document.hidden } satisfies Order);
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
    document.removeEventListener("visibilitychange", this.#looked);
    this.#thread?.terminate();
    this.#thread = null;
    this.#reading?.close();
    this.#waiting = [];
  }
}

/** Whether a frame or a record is of this agent: it names it, or names none; empty: of any. */
export const isOf = (payload: Config, agent: string): boolean => agent === "" || str(at(payload, "agent_id"), agent) === agent;

/** Whether a frame is for this component: it names it, or names none. */
export function isFor(payload: Config, component: string): boolean {
  const named = str(at(payload, "component_id"));
  return named === "" || named === component;
}
