/** The chain of events: hashes against Node's own, texts as they stand, and every way in which a chain breaks. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";

import { follow, pieces, sha256 } from "./chain";

/** An event as the box writes it. */
function sealed(seq: number, prev: string, message: string, data = '{"b":1.0,"2":12345678901234567890}'): string {
  const bare = `{"seq":${seq},"id":"x","type":"drive.added","ts":"2026-11-20T06:00:00Z","severity":"info","actor":{"kind":"server","name":""},"message":${JSON.stringify(message)},"data":${data},"prev_hash":"${prev}","hash":""}`;
  return bare.replace('"hash":""}', `"hash":"${createHash("sha256").update(prev).update(bare).digest("hex")}"}`);
}
const hashOf = (text: string) => (JSON.parse(text) as { hash: string }).hash;
function chain(count: number): string[] {
  const out: string[] = [];
  for (let seq = 1; seq <= count; seq++) out.push(sealed(seq, seq === 1 ? "0".repeat(64) : hashOf(out[seq - 2] ?? ""), `Drive “${seq}” } ] \\ " was plugged in`));
  return out;
}

it("a hash is what everybody's SHA-256 is, at every length of the last block", () => {
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, n) => (n * 31 + length) & 255);
    expect(sha256(bytes), `${length} bytes`).toBe(createHash("sha256").update(bytes).digest("hex"));
  }
});

it("an array's objects are taken as they stand, whatever their texts hold", () => {
  const texts = chain(3);
  expect(pieces(`[${texts.join(",")}]`)).toEqual(texts);
  expect(pieces("[]")).toEqual([]);
});

describe("a chain", () => {
  it("holds from its first event on, also in portions, also where the oldest are gone", () => {
    const texts = chain(5);
    expect(follow(follow(null, texts.slice(0, 2)), texts.slice(2))).toMatchObject({ count: 5, first: 1, last: 5, broken: null });
    expect(follow(null, texts.slice(3))).toMatchObject({ count: 2, first: 4, broken: null });
    expect(follow(null, [])).toBeNull();
  });
  it("breaks where a word was changed", () => {
    const texts = chain(4);
    texts[1] = (texts[1] ?? "").replace("plugged in", "pulled out");
    expect(follow(null, texts)?.broken).toMatchObject({ seq: 2, why: expect.stringContaining("changed") });
  });
  it("breaks where an event is missing, or another stands in its place", () => {
    const texts = chain(4);
    expect(follow(null, [texts[0] ?? "", texts[2] ?? ""])?.broken).toMatchObject({ seq: 3, why: expect.stringContaining("missing") });
    expect(follow(null, [texts[0] ?? "", sealed(2, "1".repeat(64), "forged")])?.broken).toMatchObject({ seq: 2, why: expect.stringContaining("before it") });
    expect(follow(null, [sealed(1, "1".repeat(64), "forged")])?.broken).toMatchObject({ seq: 1 });
  });
});
