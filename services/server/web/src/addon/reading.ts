/**
 * Reads one add-on's stream and tells its frames in one go, then nothing for a while.
 *
 * Sixty drives a second and a thousand log lines a second come as single messages. While nothing is told nothing more is
 * read either: what comes meanwhile waits in the browser's network process. A hidden page draws nothing, so there the
 * frames are told by a slow timer, and the oldest are let go when too many wait, until the stream is given back (`sse.ts`).
 */
import { listen } from "../sse";
import { at, obj, str } from "./manifest";

/** A frame as an add-on sent it. */
export interface Frame { type: string; payload: unknown; arrived: number }

/** Most frames that wait: what comes on top pushes out the oldest. */
export const WAITING_MAX = 20_000;
/**
 * Least time from one telling to the next, in milliseconds: figures that change more often are not read any better, and
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

/** Who is told, and how. */
export interface Listener {
  /** Whether nobody looks at the page. */
  hidden(): boolean;
  /** Says whether the frames are taken at once; if not, {@link Reading.taken} is called when they are. */
  frames(frames: readonly Frame[]): boolean;
  /** The stream answers, or is gone. */
  live(live: boolean): void;
  /** Whether nothing is to be read between two tellings: on the page's own thread to be woken costs more than to wait. */
  pauses: boolean;
}

/** One stream that is read. */
export class Reading {
  #waiting: Frame[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #open: (() => void) | null = null;
  /** Whether frames were told that are not taken yet. */
  #told = false;
  #listener: Listener;
  #stop: () => void;

  constructor(url: string, listener: Listener) {
    this.#listener = listener;
    this.#stop = listen(url, {
      message: ({ event, data }) => {
        if (event === "connected") return;
        const frame = readFrame(event, data, performance.now());
        if (!frame) return;
        this.#waiting.push(frame);
        if (this.#waiting.length > WAITING_MAX) this.#waiting.splice(0, WAITING_MAX / 10);
      },
      live: () => listener.live(true),
      lost: () => listener.live(false),
      // The box's own stream finds out too, and shows the door.
      unauthorized: () => listener.live(false),
      pause: () => this.#heard(),
      rests: () => listener.hidden(),
    });
  }

  /** A piece of the stream was taken in: it is told now, or when the rest after the last telling is over. */
  #heard(): Promise<void> | null {
    // A hidden page draws nothing, and its timers may stand for a minute: it reads on.
    if (this.#listener.hidden()) {
      this.#timer ??= setTimeout(this.#rung, HIDDEN_MS);
      return null;
    }
    if (this.#timer === null) this.#flush();
    if (!this.#listener.pauses) return null;
    // A piece may have had no frame.
    this.#timer ??= setTimeout(this.#rung, REST_MS);
    return new Promise((open) => (this.#open = open));
  }

  /** The page was hidden, or is shown again. */
  turned(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#rung();
  }

  /** What was told last is taken: a page that is slower than its stream is told more at a time, never more often. */
  taken(): void {
    this.#told = false;
    if (this.#timer === null) this.#flush();
  }

  /** The rest is over: tells what waits, and reads on. */
  #rung = () => {
    this.#timer = null;
    this.#flush();
    this.#open?.();
    this.#open = null;
  };

  #flush(): void {
    if (this.#told || this.#waiting.length === 0) return;
    this.#timer = setTimeout(this.#rung, this.#listener.hidden() ? HIDDEN_MS : REST_MS);
    this.#told = !this.#listener.frames(this.#waiting.splice(0));
  }

  /** Ends the stream. */
  close(): void {
    this.#stop();
    this.#waiting = [];
    this.turned();
  }
}
