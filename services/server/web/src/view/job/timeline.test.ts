import { describe, expect, it } from "vitest";
import type { TimePoint } from "@wire";

import { bands, over, since } from "./timeline";

const point = (second: number, change: Partial<TimePoint> = {}): TimePoint => ({ at: new Date(second * 1000).toISOString(), step: 0, temperature: 30, rate: 100, bad_sectors: 0, ...change });

describe("the time line", () => {
  it("puts values at their share of the time and leaves out what no sensor told", () => {
    expect(over([point(0), point(50, { temperature: null }), point(100, { temperature: 40 })], { at: [0, 50, 100], lasts: 100 }, (p) => p.temperature)).toEqual([[0, 30], [1, 40]]);
  });
  it("goes on where the list that the box kept ends, though the stream's is the shorter one", () => {
    const kept = Array.from({ length: 600 }, (_, i) => point((i + 1) / 6));
    const told = Array.from({ length: 300 }, (_, i) => point(((i + 1) * 2) / 3, { bad_sectors: i < 224 ? 0 : 4 }));
    const all = since(kept, told);
    expect([all.length, all.at(-1)]).toEqual([750, told.at(-1)]);
    expect(all.findIndex((p) => p.bad_sectors > 0)).toBe(all.findIndex((p) => p.at === point(150).at));
    expect([since([], told), since(kept, [])]).toEqual([told, kept]);
  });
  it("a step lasts until the next begins", () => {
    expect(bands([point(0), point(20), point(50, { step: 1 }), point(80, { step: 1 })], { at: [0, 20, 50, 80], lasts: 100 })).toEqual([{ step: 0, x: 0, width: 0.5 }, { step: 1, x: 0.5, width: 0.5 }]);
  });
});
