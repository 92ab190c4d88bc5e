import { describe, expect, it } from "vitest";

import { levelOf, readLine, Ring, type Line } from "./ring";

const line = (message: string, more: Partial<Line> = {}): Line => ({ level: "info", message, source: "", job: "", time: "", ...more });
const texts = (ring: Ring) => ring.slice(0, ring.length).map(({ line: { message } }) => message);

describe("the ring", () => {
  it("keeps the newest and forgets the oldest, however they come", () => {
    const ring = new Ring(5);
    for (let i = 0; i < 23; i++) ring.push([line(`${i}`)]);
    expect(texts(ring)).toEqual(["18", "19", "20", "21", "22"]);
    const other = new Ring(5);
    other.push(Array.from({ length: 23 }, (_, i) => line(`${i}`)));
    expect(texts(other)).toEqual(texts(ring));
    expect(other.total).toBe(23);
  });
  it("is filtered as it grows and when the filter changes, to the same lines", () => {
    const grown = new Ring(50);
    const later = new Ring(50);
    grown.filter({ level: "warn", job: "a", text: " Block " });
    for (let i = 0; i < 170; i++) {
      const next = [line(`block ${i}`, { level: i % 3 === 0 ? "error" : "info", job: i % 2 === 0 ? "a" : "b" })];
      grown.push(next);
      later.push(next);
    }
    later.filter({ level: "warn", job: "a", text: "block" });
    expect(texts(grown)).toEqual(texts(later));
    expect(texts(grown).length).toBeGreaterThan(5);
    expect([...grown.jobs]).toEqual(["a", "b"]);
  });
  it("what is frozen stays while the ring goes on", () => {
    const ring = new Ring(3);
    ring.push([line("a"), line("b")]);
    const frozen = ring.frozen();
    ring.push(Array.from({ length: 100 }, () => line("x")));
    expect(frozen.map(({ line: { message } }) => message)).toEqual(["a", "b"]);
  });
  it("a hundred thousand lines with a filter are quick", () => {
    const ring = new Ring(5000);
    ring.filter({ level: "", job: "", text: "9" });
    const begun = performance.now();
    for (let i = 0; i < 100_000; i++) ring.push([line(`line ${i}`)]);
    expect(ring.kept).toBe(5000);
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

describe("a line", () => {
  it("levels of all kinds are four", () => expect(["warning", "WARN", "critical", "trace", "info", "?"].map(levelOf)).toEqual(["warn", "warn", "error", "debug", "info", "info"]));
  it("stays one row, and has an end", () => {
    expect(readLine({ message: "a\nb" }).message).toBe("a ⏎ b");
    expect(readLine({ message: "x".repeat(9999) }).message.length).toBeLessThan(4100);
    expect(readLine({ message: { no: "text" } }).message).toBe("");
  });
});
