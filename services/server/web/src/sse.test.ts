import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { backoff, listen, parser } from "./sse";

const STREAM = 'id: 7\nevent: event\ndata: {"seq":7}\n\n: keep-alive\n\nevent: job\r\ndata: a\r\ndata: b\r\n\r\ndata:bare\n\nevent: half\ndata: never ended';
const WHOLE = [
  { event: "event", data: '{"seq":7}', id: "7" },
  { event: "job", data: "a\nb", id: null },
  { event: "message", data: "bare", id: null },
];

describe("parser of the stream", () => {
  it("gives whole messages only", () => expect(parser()(STREAM)).toEqual(WHOLE));
  it("does not care where the network cuts the bytes", () => {
    for (let size = 1; size < STREAM.length; size++) {
      const parse = parser();
      const got = [];
      for (let i = 0; i < STREAM.length; i += size) got.push(...parse(STREAM.slice(i, i + size)));
      expect(got, `pieces of ${size}`).toEqual(WHOLE);
    }
  });
  it("a message without data is none", () => expect(parser()("event: x\n\n")).toEqual([]));
});

it("waits longer after each failure, and never long", () => {
  const waits = [0, 1, 2, 3, 4, 5, 50].map(backoff);
  expect(waits).toEqual([0.5, 1, 2, 4, 8, 8, 8]);
});

describe("a listener that pauses", () => {
  afterEach(() => vi.unstubAllGlobals());
  it("is given nothing more until it goes on, and then all of it", async () => {
    let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => (feed = controller) });
    vi.stubGlobal("fetch", async () => new Response(body));
    vi.stubGlobal("addEventListener", () => {});
    vi.stubGlobal("removeEventListener", () => {});
    vi.stubGlobal("document", { addEventListener: () => {}, removeEventListener: () => {}, visibilityState: "visible" });
    const heard: string[] = [];
    let open = () => {};
    const stop = listen("/stream", {
      message: ({ data }) => heard.push(data),
      live: () => {}, lost: () => {}, unauthorized: () => {},
      pause: () => new Promise((go) => (open = go)),
    });
    const say = (word: string) => feed?.enqueue(new TextEncoder().encode(`data: ${word}\n\n`));
    const turn = () => new Promise((done) => setTimeout(done, 5));
    say("first");
    await vi.waitFor(() => expect(heard).toEqual(["first"]));
    say("second");
    say("third");
    await turn();
    expect(heard).toEqual(["first"]);
    open();
    await vi.waitFor(() => expect(heard).toEqual(["first", "second"]));
    open();
    await vi.waitFor(() => expect(heard).toEqual(["first", "second", "third"]));
    stop();
  });
});

describe("a stream that nobody looks at", () => {
  const page = new EventTarget();
  let hidden = false;
  const look = (is: boolean) => {
    hidden = !is;
    page.dispatchEvent(new Event("visibilitychange"));
  };
  /** A listener whose box answers each time; what was asked with, and each loss. */
  const listening = () => {
    const asked: (string | undefined)[] = [];
    const lost: boolean[] = [];
    let open = 0;
    vi.stubGlobal("fetch", async (_: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }) => {
      asked.push(headers["Last-Event-ID"]);
      open += 1;
      return new Response(new ReadableStream<Uint8Array>({ start: (controller) => {
        controller.enqueue(new TextEncoder().encode("id: 7\ndata: x\n\n"));
        signal.addEventListener("abort", () => {
          open -= 1;
          controller.error(signal.reason);
        });
      } }));
    });
    const stop = listen("/stream", { message: () => {}, live: () => {}, lost: (_, rests) => lost.push(rests), unauthorized: () => {}, rests: () => hidden });
    return { asked, lost, stop, open: () => open };
  };
  beforeEach(() => {
    vi.useFakeTimers();
    hidden = false;
    vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
    vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("is given back after a moment, which is told, and goes on behind its last event with the next look", async () => {
    const { asked, lost, stop, open } = listening();
    await vi.advanceTimersByTimeAsync(1);
    look(false);
    await vi.advanceTimersByTimeAsync(1000);
    expect([open(), lost]).toEqual([1, []]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([open(), lost, asked.length]).toEqual([0, [true], 1]);
    look(true);
    await vi.advanceTimersByTimeAsync(1);
    expect([open(), asked]).toEqual([1, [undefined, "7"]]);
    stop();
  });
  it("stays where somebody looks again at once", async () => {
    const { asked, lost, stop } = listening();
    await vi.advanceTimersByTimeAsync(1);
    look(false);
    await vi.advanceTimersByTimeAsync(1000);
    look(true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([lost, asked.length]).toEqual([[], 1]);
    stop();
  });
  it("is not taken up by a tab that is opened behind the one that is shown", async () => {
    hidden = true;
    const { asked, stop } = listening();
    page.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual([]);
    look(true);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked.length).toBe(1);
    stop();
  });
  it("ends for good while it rests", async () => {
    const { asked, stop } = listening();
    await vi.advanceTimersByTimeAsync(1);
    look(false);
    await vi.advanceTimersByTimeAsync(3000);
    stop();
    look(true);
    await vi.advanceTimersByTimeAsync(3000);
    expect(asked.length).toBe(1);
  });
});
