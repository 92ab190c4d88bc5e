import { describe, expect, it } from "vitest";
import type { TimePoint } from "@wire";

import { bands, over, since, steady } from "./timeline";

const point = (second: number, change: Partial<TimePoint> = {}): TimePoint => ({ at: new Date(second * 1000).toISOString(), step: 0, temperature: 30, rate: 100, bad_sectors: 0, ...change });

describe("the time line", () => {
  it("puts values at their share of the time and leaves out what no sensor told", () => {
    expect(over([point(0), point(50, { temperature: null }), point(100, { temperature: 40 })], 0, 100_000, (p) => p.temperature)).toEqual([[0, 30], [1, 40]]);
  });
  it("goes on where the list that the box kept ends, though the stream's is the shorter one", () => {
    const kept = Array.from({ length: 600 }, (_, i) => point((i + 1) / 6));
    const told = Array.from({ length: 300 }, (_, i) => point(((i + 1) * 2) / 3, { bad_sectors: i < 224 ? 0 : 4 }));
    const all = since(kept, told);
    expect([all.length, all.at(-1)]).toEqual([750, told.at(-1)]);
    expect(all.findIndex((p) => p.bad_sectors > 0)).toBe(all.findIndex((p) => p.at === point(150).at));
    expect([since([], told), since(kept, [])]).toEqual([told, kept]);
  });
  it("leaves out what the box's clock was set by", () => {
    const told = [point(100), point(160), point(160 + 10 * 365 * 86_400), point(220 + 10 * 365 * 86_400), point(50), point(110)];
    expect(steady(told).map(({ at }) => Date.parse(at) / 1000)).toEqual([100, 160, 165, 225, 230, 290]);
    const usual = [point(0), point(7_200)];
    expect(steady(usual)).toBe(usual);
  });
  it("a step lasts until the next begins", () => {
    expect(bands([point(0), point(20), point(50, { step: 1 }), point(80, { step: 1 })], 0, 100_000)).toEqual([{ step: 0, x: 0, width: 0.5 }, { step: 1, x: 0.5, width: 0.5 }]);
  });
});
