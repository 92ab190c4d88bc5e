import { describe, expect, it } from "vitest";
import type { Job, Surface } from "@wire";

import { finding, job, phase } from "./fixtures";
import { band, cells, figures, siblings, stretches, telling } from "./siblings";

const TB8 = 8e12;
const surface = (zones: number[], step = 1): Surface => ({ phase: "verify", step, zones, p50_us: 1, p99_us: 1, max_us: 1, latencies: [] });
const flat = (rate: number, change: Record<number, number> = {}) => Array.from({ length: 256 }, (_, i) => change[i] ?? rate);
const of = (serial: string, zones: number[], change: Partial<Job> = {}) =>
  job({ id: `j-${serial}`, drive: `d-${serial}`, serial, capacity: TB8, surface: [surface(zones)], phases: [phase({ status: "done" }), phase({ phase: "verify", status: "done" })], state: { kind: "finished" }, ...change });
const curveOf = (one: Job) => {
  const curve = telling(one);
  if (!curve) throw new Error("nothing measured");
  return curve;
};

describe("siblings", () => {
  it("are the newest measured jobs of other drives of the same model and size", () => {
    const own = of("A", flat(200));
    const all = [own, of("C", flat(190)), of("B", flat(180)), of("B", flat(170), { id: "j-B2" }), of("D", flat(1), { model: "Other" }), of("E", flat(1), { capacity: 4e12 }), of("F", [], {})];
    expect(siblings(own, all).map(({ id }) => id)).toEqual(["j-B2", "j-C"]);
    expect(siblings({ ...own, model: "" }, all)).toEqual([]);
  });

  it("two make a band from the slowest to the fastest, one makes none", () => {
    const own = of("A", flat(200));
    const made = band(curveOf(own), [of("B", flat(180)), of("C", flat(220))], 4);
    expect(made?.of).toBe(2);
    expect([made?.low[0], made?.high[0]].map((point) => [point?.[0], Math.round(point?.[1] ?? 0)])).toEqual([[0.125, 180], [0.125, 220]]);
    expect(band(curveOf(own), [of("B", flat(180))], 4)).toBeNull();
  });

  it("figures: mean over time, the slowest place and the highest temperature", () => {
    const told = figures(of("A", flat(200, { 128: 20 }), { timeline: [41, null, 44].map((temperature) => ({ at: "2026-11-20T06:00:00Z", step: 1, temperature, rate: 1, bad_sectors: 0 })) }));
    expect(Math.round(told.mean ?? 0)).toBe(193);
    expect(told.slowest).toEqual([128.5 / 256, 20]);
    expect(told.hottest).toBe(44);
    expect(figures(of("A", []))).toEqual({ mean: null, slowest: null, hottest: null, share: 0 });
    expect([told.share, figures(of("B", flat(200).map((rate, i) => (i < 64 ? rate : 0)))).share]).toEqual([1, 0.25]);
  });
});

describe("surface map", () => {
  it("calls a place slow that is under half of its surroundings, and bad where a fault is", () => {
    const one = of("A", flat(200, { 100: 40, 101: 90 }), { findings: [finding({ lba: Math.floor((TB8 / 512) * 0.75), sectors: 8 })], capacity: TB8 });
    const map = cells(one, curveOf(one));
    expect(map).toHaveLength(256);
    expect(map.map(({ state }) => state).filter((state) => state !== "usual")).toEqual(["slow", "slow", "bad"]);
    expect(stretches(map).map(({ from, state, slowest }) => [from * 256, state, slowest])).toEqual([[100, "slow", 40], [192, "bad", 200]]);
  });

  it("a drive that is slow everywhere is slow against its siblings, not against itself", () => {
    const one = of("A", flat(80));
    expect(cells(one, curveOf(one)).some(({ state }) => state === "slow")).toBe(false);
    expect(cells(one, curveOf(one), [of("B", flat(200)), of("C", flat(210))]).every(({ state }) => state === "slow")).toBe(true);
  });

  it("a fault where nothing was measured is still on the map, and unmeasured is not slow", () => {
    const one = of("A", flat(200).map((rate, i) => (i < 64 ? rate : 0)), { findings: [finding({ lba: TB8 / 512 - 1 })] });
    const map = cells(one, curveOf(one));
    expect(map.at(-1)).toMatchObject({ state: "bad", rate: null });
    expect(map.filter(({ state }) => state === "none")).toHaveLength(191);
  });

  it("a fault over several cells is one stretch with one finding", () => {
    const wide = finding({ lba: 0, sectors: (TB8 / 512) * (3 / 256) });
    const one = of("A", flat(200), { findings: [wide] });
    expect(stretches(cells(one, curveOf(one)))).toMatchObject([{ from: 0, to: 3 / 256, faults: [wide] }]);
  });

  it("a small drive has as many cells as it has measurements", () => {
    const one = of("A", Array.from({ length: 64 }, () => 100), { capacity: 64 * 1024 * 1024 });
    expect(cells(one, curveOf(one)).map(({ state }) => state)).toEqual(Array.from({ length: 8 }, () => "usual"));
  });
});
