import { describe, expect, it } from "vitest";

import { backoff, parser } from "./sse";

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
