import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Feed, isOf } from "./feed";

/** A page without pictures: asking for one is an error here. */
const page = { hidden: false, visibilityState: "visible", addEventListener: () => {}, removeEventListener: () => {} };
let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
let feed: Feed;

beforeEach(() => {
  vi.useFakeTimers();
  const body = new ReadableStream<Uint8Array>({ start: (controller) => (stream = controller) });
  vi.stubGlobal("fetch", async () => new Response(body));
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
