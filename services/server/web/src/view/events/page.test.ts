import { describe, expect, it } from "vitest";
import type { Event } from "@wire";

import { abouts, askedIn, fits, newer, newest, older, queryOf, reaches } from "./page";

describe("the pages of the log", () => {
  const event = (seq: number) => ({ seq }) as Event;
  const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => event(from + i));
  /** A box that keeps the events from `first` to 3000, and a page on which "Older" is pressed until it is gone. */
  const read = (first: number) => {
    const kept = span(first, 3000);
    let held = newest(kept.slice(-500), 500);
    let pressed = 0;
    for (; held.more; pressed += 1) {
      const after = Math.max(0, (held.events[0]?.seq ?? 1) - 501);
      held = older(held, after, kept.filter(({ seq }) => seq > after).slice(0, 500));
    }
    return [pressed, held.events.length, held.events[0]?.seq];
  };
  it("go back to the first event that the box keeps, and end there", () => {
    expect(read(1)).toEqual([5, 3000, 1]);
    expect(read(1201)).toEqual([3, 1800, 1201]);
    expect(read(2501)).toEqual([1, 500, 2501]);
    expect(read(2990)).toEqual([0, 11, 2990]);
  });
  it("reach a day once one before it is held: what came late stands further on", () => {
    const at = (day: number) => ({ seq: day, ts: new Date(2026, 10, day, 12).toISOString() }) as Event;
    const reach = (first: number, more: boolean) => reaches({ events: [at(first), at(28)], more }, "2026-11-20");
    expect([reach(21, true), reach(20, true), reach(19, true), reach(21, false), reaches({ events: [], more: true }, "2026-11-20")]).toEqual([false, false, true, true, false]);
  });
  it("go on with the stream, and begin anew after a gap", () => {
    const held = { events: span(1, 10), more: false };
    expect(newer(held, span(5, 10))).toBe(held);
    expect(newer(held, span(8, 12)).events.at(-1)?.seq).toBe(12);
    expect(newer(held, span(15, 16))).toEqual({ events: span(15, 16), more: true });
  });
});

it("events are filtered by words and by how much they matter", () => {
  const event = { seq: 1, id: "", type: "job.failed", ts: "", severity: "warning", actor: { kind: "agent", name: "agent" }, message: "…C3DX failed", data: null, prev_hash: "", hash: "" } as const;
  const all = { text: "", least: "info", about: "", day: "" } as const;
  expect(fits(event, { ...all, text: "c3dx job" })).toBe(true);
  expect(fits(event, { ...all, least: "critical" })).toBe(false);
  expect(fits(event, { ...all, text: "2b7h" })).toBe(false);
});

it("events are filtered by what they are about and by a day of this browser's", () => {
  const noon = new Date(2026, 10, 20, 12).toISOString();
  const event = { seq: 1, id: "", type: "job.failed", ts: noon, severity: "warning", actor: { kind: "agent", name: "agent" }, message: "", data: null, prev_hash: "", hash: "" } as const;
  const asked = (change: object) => fits(event, { text: "", least: "info", about: "", day: "", ...change });
  expect([asked({ about: "job" }), asked({ about: "drive" }), asked({ day: "2026-11-20" }), asked({ day: "2026-11-19" })]).toEqual([true, false, true, false]);
  expect(abouts([{ type: "job.failed" }, { type: "drive.added" }, { type: "job.passed" }, { type: "my.event" }])).toEqual([["drive", "drives"], ["my", "my"], ["job", "tests"]]);
});

it("what is asked of the log is in the address, and comes back from it", () => {
  const asked = { text: "C3DX & 50 %", least: "warning", about: "job", day: "2026-11-20" } as const;
  expect(askedIn(queryOf(asked))).toEqual(asked);
  const any = { text: "", least: "info", about: "", day: "" } as const;
  expect([queryOf(any), askedIn(""), askedIn("?least=loud&about=%3Cb%3E&day=tomorrow")]).toEqual(["", any, any]);
});
