/** The chain of events: hashes against Node's own, texts as they stand, and every way in which a chain breaks. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";

import { follow, pieces, sha256 } from "./chain";

const over = (prev: string, text: string) => createHash("sha256").update(prev).update(text).digest("hex");
function bare(seq: number, prev: string, message: string, data: string): string {
  return `{"seq":${seq},"id":"x","type":"drive.added","ts":"2026-11-20T06:00:00Z","severity":"info","actor":{"kind":"server","name":""},"message":${JSON.stringify(message)},"data":${data},"prev_hash":"${prev}","hash":""}`;
}
/** An event as the box writes it: its members in the box's own order, hashed in that of RFC 8785. */
function sealed(seq: number, prev: string, message: string, data = '{"b":1.0,"2":1.5e21,"raw":"12345678901234567890"}'): string {
  const rest = `{"actor":{"kind":"server","name":""},"data":{"2":1.5e+21,"b":1,"raw":"12345678901234567890"},"id":"x","message":${JSON.stringify(message)},"seq":${seq},"severity":"info","ts":"2026-11-20T06:00:00Z","type":"drive.added"}`;
  return bare(seq, prev, message, data).replace('"hash":""}', `"hash":"${over(prev, rest)}"}`);
}
/** An event as versions before RFC 8785 wrote it. */
function earlier(seq: number, prev: string, message: string): string {
  const text = bare(seq, prev, message, '{"b":1.0,"2":12345678901234567890}');
  return text.replace('"hash":""}', `"hash":"${over(prev, text)}"}`);
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
  it("goes on from what an earlier version wrote, and never back to its form", () => {
    const first = earlier(1, "0".repeat(64), "one");
    const second = earlier(2, hashOf(first), "two");
    const third = sealed(3, hashOf(second), "three");
    expect(follow(null, [first, second, third])).toMatchObject({ count: 3, earlier: 2, broken: null });
    expect(follow(null, [first, second.replace("two", "too")])?.broken).toMatchObject({ seq: 2 });
    expect(follow(null, [first, second, third, earlier(4, hashOf(third), "back")])?.broken).toMatchObject({ seq: 4, why: expect.stringContaining("changed") });
  });
  it("holds whatever the order of the members of an event", () => {
    const [one] = chain(1);
    const turned = JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(one ?? "") as object).reverse()));
    expect(follow(null, [turned])).toMatchObject({ count: 1, earlier: 0, broken: null });
  });
});
