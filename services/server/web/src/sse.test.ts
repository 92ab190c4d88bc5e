import { afterEach, describe, expect, it, vi } from "vitest";

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
