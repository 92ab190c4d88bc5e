import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Feed, isOf } from "./feed";
import { Reading, type Frame } from "./reading";
import type { Order, Told } from "./reading-worker";

/** A page without pictures: asking for one is an error here. */
const page = { hidden: false, visibilityState: "visible", addEventListener: () => {}, removeEventListener: () => {} };
let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
let feed: Feed;

beforeEach(() => {
  vi.useFakeTimers();
  afresh();
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("removeEventListener", () => {});
  vi.stubGlobal("document", page);
  feed = new Feed(7);
});
afterEach(() => {
  feed.close();
  page.hidden = false;
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Another stream for whoever asks next. */
const afresh = () => {
  const body = new ReadableStream<Uint8Array>({ start: (controller) => (stream = controller) });
  vi.stubGlobal("fetch", async () => new Response(body));
};
const say = (...percents: number[]) => stream?.enqueue(new TextEncoder().encode(percents.map((percent) => `event: progress\ndata: {"payload":{"percent":${percent}}}\n\n`).join("")));
const hear = () => {
  const heard: unknown[][] = [];
  feed.hear(["progress"], (frames) => heard.push(frames.map(({ payload }) => (payload as { percent: number }).percent)));
  return heard;
};

it("a frame is of the agent that it names, or of any", () => {
  expect([isOf({ agent_id: "a" }, ""), isOf({ agent_id: "a" }, "a"), isOf({ agent_id: "a" }, "b"), isOf({}, "b")]).toEqual([true, true, false, true]);
});

describe("the frames of an add-on", () => {
  it("are handed on in one go, without a picture being asked for, and then not for a while", async () => {
    const heard = hear();
    say(1, 2);
    await vi.advanceTimersByTimeAsync(1);
    expect(heard).toEqual([[1, 2]]);
    say(3);
    say(4);
    await vi.advanceTimersByTimeAsync(10);
    expect(heard).toEqual([[1, 2]]);
    await vi.advanceTimersByTimeAsync(100);
    expect(heard.flat()).toEqual([1, 2, 3, 4]);
  });
  it("wait for the first who hears them", async () => {
    say(1);
    await vi.advanceTimersByTimeAsync(100);
    const heard = hear();
    say(2);
    await vi.advanceTimersByTimeAsync(100);
    expect(heard).toEqual([[1, 2]]);
  });
  it("come after a piece of the stream that had none", async () => {
    const heard = hear();
    stream?.enqueue(new TextEncoder().encode(":\n\n"));
    await vi.advanceTimersByTimeAsync(100);
    say(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(heard).toEqual([[1]]);
  });
  it("are told to a hidden page by a timer, and are read all the while", async () => {
    page.hidden = true;
    const heard = hear();
    say(1);
    say(2);
    await vi.advanceTimersByTimeAsync(900);
    expect(heard).toEqual([]);
    say(3);
    await vi.advanceTimersByTimeAsync(200);
    expect(heard).toEqual([[1, 2, 3]]);
  });
});

it("a stream of frames is given back while nobody looks, and that is told", async () => {
  feed.close();
  afresh();
  const [told, looked]: [boolean[], (() => void)[]] = [[], []];
  vi.stubGlobal("addEventListener", (name: string, turned: () => void) => name === "visibilitychange" && looked.push(turned));
  vi.stubGlobal("fetch", async (_: string, { signal }: { signal: AbortSignal }) => {
    signal.addEventListener("abort", () => stream?.error(signal.reason));
    return new Response(new ReadableStream<Uint8Array>({ start: (controller) => (stream = controller) }));
  });
  const reading = new Reading("/stream", { hidden: () => page.hidden, frames: () => true, live: (live) => told.push(live), pauses: true });
  const look = async (is: boolean) => {
    page.hidden = !is;
    reading.turned();
    looked[0]?.();
    await vi.advanceTimersByTimeAsync(3000);
  };
  await vi.advanceTimersByTimeAsync(1);
  await look(false);
  expect(told).toEqual([true, false]);
  await look(true);
  expect(told).toEqual([true, false, true]);
  reading.close();
});

describe("a thread that reads", () => {
  /** A browser's worker, as far as the page sees it. */
  class Thread {
    static all: Thread[] = [];
    onmessage: (event: { data: Told }) => void = () => {};
    onerror: () => void = () => {};
    orders: Order[] = [];
    ended = false;
    constructor() {
      Thread.all.push(this);
    }
    postMessage(order: Order) {
      this.orders.push(order);
    }
    terminate() {
      this.ended = true;
    }
  }
  const started = () => {
    feed.close();
    vi.stubGlobal("Worker", Thread);
    feed = new Feed(7);
    const thread = Thread.all.at(-1);
    if (!thread) throw new Error("no thread");
    return thread;
  };
  it("is told what to read, and that its frames are taken once they are handed on", () => {
    const thread = started();
    const heard = hear();
    thread.onmessage({ data: { live: true } });
    thread.onmessage({ data: { frames: [{ type: "progress", payload: { percent: 1 }, arrived: 0 }] } });
    expect([heard, feed.live.value]).toEqual([[[1]], true]);
    expect(thread.orders).toEqual([{ url: "/api/addons/7/telemetry", hidden: false }, "taken"]);
    feed.close();
    expect(thread.ended).toBe(true);
  });
  it("that cannot be had is none: the page reads by itself", async () => {
    const thread = started();
    const heard = hear();
    afresh();
    thread.onerror();
    say(1);
    await vi.advanceTimersByTimeAsync(1);
    expect([heard, thread.ended]).toEqual([[[1]], true]);
  });
  it("reads on while it tells nothing, and tells no more before the page has taken what it was told", async () => {
    feed.close();
    const told: number[][] = [];
    afresh();
    const frames = (list: readonly Frame[]) => {
      told.push(list.map(({ payload }) => (payload as { percent: number }).percent));
      return false;
    };
    const reading = new Reading("/stream", { hidden: () => false, frames, live: () => {}, pauses: false });
    say(1);
    await vi.advanceTimersByTimeAsync(1);
    say(2);
    await vi.advanceTimersByTimeAsync(1);
    say(3);
    await vi.advanceTimersByTimeAsync(200);
    expect(told).toEqual([[1]]);
    reading.taken();
    expect(told).toEqual([[1], [2, 3]]);
    say(4);
    reading.taken();
    await vi.advanceTimersByTimeAsync(10);
    expect(told).toEqual([[1], [2, 3]]);
    await vi.advanceTimersByTimeAsync(40);
    expect(told).toEqual([[1], [2, 3], [4]]);
    reading.close();
  });
});
