import { describe, expect, it } from "vitest";

import { area, axis, ceiling, curves, line, placeOfFinding, ribbon, thin, zonePoints, type Point } from "./curve";
import { finding, job } from "./fixtures";

describe("curves", () => {
  it("leaves out what was not measured", () => {
    expect(zonePoints([0, 100, 0, 200], 4e12)).toEqual([[0.375, 100], [0.875, 200]]);
  });
  it("on a small drive takes zones together: bytes over time", () => {
    // 16 zones of 1 MiB: a queue of four that ended at once looks like 70, 20000, 20000, 20000.
    const zones = Array.from({ length: 16 }, (_, i) => (i % 4 === 0 ? 70 : 20_000));
    const points = zonePoints(zones, 16 * 1024 * 1024);
    expect(points.map(([x]) => x)).toEqual([0.25, 0.75]);
    for (const [, rate] of points) expect(rate).toBeCloseTo(4 / (1 / 70 + 3 / 20_000));
    expect(zonePoints([], 1)).toEqual([]);
  });
  it("breaks the line over a gap", () => {
    const [left, right] = [0, 0.5].map((from) => Array.from({ length: 40 }, (_, i): Point => [from + i / 400, 50])) as [Point[], Point[]];
    expect(line([...left, ...right], 100, 10, 100).match(/M/g)).toHaveLength(2);
    expect(line([[0, 50], [0.5, 100], [1, 0]], 100, 10, 100)).toBe("M0.0 5.0L50.0 0.0L100.0 10.0");
    expect(line([], 100, 10, 0)).toBe("");
  });
  it("closes an area on the axis", () => expect(area([[0, 10], [0.5, 10]], 100, 10, 10)).toBe("M0.0 0.0L50.0 0.0L50.0 10L0.0 10z"));
  it("a ribbon goes out along the upper line and back along the lower", () => {
    expect(ribbon([[0, 5], [1, 5]], [[0, 10], [1, 10]], 100, 10, 10)).toBe("M0.0 0.0L100.0 0.0L100.0 5.0L0.0 5.0z");
    expect(ribbon([], [], 100, 10, 10)).toBe("");
  });
  it("thinning keeps the one slow place that matters", () => {
    const points = Array.from({ length: 1024 }, (_, i): Point => [i / 1024, i === 700 ? 5 : 200]);
    const few = thin(points, 100);
    expect(few.length).toBeLessThanOrEqual(100);
    expect(Math.min(...few.map(([, y]) => y))).toBe(5);
  });
  it("a few absurd peaks do not flatten the rest, a fast half does not count as peaks", () => {
    const { top, cut } = ceiling([100, 101, 99, 100, 100, 100, 100, 100, 100, 100, 240_000]);
    expect(cut).toBe(true);
    expect(top).toBeCloseTo(141.4);
    expect(ceiling([100, 90, 80, 270])).toEqual({ top: 140, cut: true });
    expect(ceiling([270, 268, 130, 128])).toEqual({ top: 270, cut: false });
    expect(ceiling([])).toEqual({ top: 0, cut: false });
  });
  it("axes end on round numbers at or above the value", () => {
    expect(axis(272)).toEqual({ max: 300, ticks: [0, 100, 200, 300] });
    expect(axis(0)).toEqual({ max: 1, ticks: [0] });
    for (const value of [0.3, 1, 7, 99, 101, 2870]) {
      const { max, ticks } = axis(value);
      expect(max).toBeGreaterThanOrEqual(value);
      expect(ticks.length).toBeLessThanOrEqual(6);
    }
  });
  it("shows what the page saw where the box has not told the surface yet", () => {
    const running = job({ capacity: 4e12, surface: [{ phase: "write", step: 0, zones: [100, 100], p50_us: 1, p99_us: 1, max_us: 1, latencies: [] }] });
    const [write, verify] = curves(running, { step: 1, points: [[0.1, 90], [0.2, 80]] });
    expect(write).toMatchObject({ phase: "write", step: 0, running: false });
    expect(verify).toEqual({ phase: "verify", step: 1, note: "", running: true, points: [[0.1, 90], [0.2, 80]] });
  });
  it("shows a page that was opened in the midst of a step where it has been", () => {
    const at = (minute: number) => new Date(Date.parse("2026-11-20T06:00:00Z") + minute * 60_000).toISOString();
    const point = (minute: number, rate: number, step = 1) => ({ at: at(minute), step, temperature: null, rate, bad_sectors: 0 });
    const progress = { phase: "verify" as const, step: 1, done: 60, total: 100, rate: 1, eta: 1, eta_job: 1, percent: 1, phase_percent: null, temperature: null };
    const places = (change: Parameters<typeof job>[0], trail?: Parameters<typeof curves>[1]) => curves(job({ capacity: 4e12, progress, ...change }), trail, true).map(({ points, running }) => [running, points.map(([x, y]) => [Math.round(x * 100), y])]);
    const timeline = [point(0, 9, 0), point(10, 3), point(20, 3), point(30, 1)];
    // Three quarters of the way in the first ten minutes, at three times the rate.
    expect(places({ timeline })).toEqual([[true, [[0, 3], [45, 3], [60, 1]]]]);
    expect(places({ timeline: [...timeline] }, { step: 1, points: [[0.5, 2], [0.6, 1]] })).toEqual([[true, [[0, 3], [45, 3], [50, 2], [60, 1]]]]);
    const held = [point(10, 3), point(20, 3), point(21, 0), point(90, 0), point(91, 3), point(101, 3)];
    expect(places({ timeline: held })).toEqual([[true, [[0, 3], [30, 3], [30, 3], [60, 3]]]]);
    // It went back to 40 after a power cut, and the clock was set meanwhile.
    const resumes = [{ at: at(500), why: "power cut or reset", phase: "verify" as const, step: 1, from: 40 }];
    const cut = [point(10, 3), point(20, 3), point(500, 3), point(510, 3), point(9e6, 3)];
    expect(places({ timeline: cut, resumes })).toEqual([[true, [[0, 3], [40, 3], [60, 3], [60, 3]]]]);
    const anew = [{ ...resumes[0]!, from: 0 }];
    expect(places({ timeline: [...cut], resumes: anew })).toEqual([[true, [[0, 3], [60, 3], [60, 3]]]]);
    // A box without a clock of its own begins at an earlier time after the cut.
    const back = [{ ...resumes[0]!, at: at(-5000) }];
    const reset = [point(10, 3), point(20, 3), point(-5000, 3), point(-4990, 3)];
    expect(places({ timeline: reset, resumes: back })).toEqual([[true, [[0, 3], [40, 3], [60, 3]]]]);
    // What is compared is what was measured.
    expect(curves(job({ capacity: 4e12, progress, timeline: [...timeline] }), undefined)).toEqual([]);
    // Of a step that is over, of another round, or before anything was told: nothing.
    const later = job({ timeline: [...timeline], progress });
    later.phases[1]!.rounds = 1;
    expect(curves(later, undefined, true)).toEqual([]);
    expect(places({ timeline: [...timeline], progress: null })).toEqual([]);
  });
  it("a later round of a soak is where it is now, not where the round before ended", () => {
    const surface = [{ phase: "verify" as const, step: 1, zones: [100, 100, 100, 100], p50_us: 1, p99_us: 1, max_us: 1, latencies: [] }];
    const progress = { phase: "verify" as const, step: 1, done: 20, total: 100, rate: 80, eta: 1, eta_job: 1, percent: 1, phase_percent: null, temperature: null };
    const later = job({ capacity: 4e12, surface, progress });
    later.phases[1]!.rounds = 1;
    expect(curves(later, { step: 1, points: [[0.1, 90], [0.2, 80]] })).toMatchObject([{ step: 1, running: true, points: [[0.1, 90], [0.2, 80]] }]);
    expect(curves(later, undefined)).toMatchObject([{ step: 1, running: false, points: { length: 4 } }]);
  });
  it("puts a finding where it is on the drive", () => {
    expect(placeOfFinding({ capacity: 512_000, sector: 512 }, finding({ lba: 500 }))).toBe(0.5);
    expect(placeOfFinding({ capacity: 512_000, sector: 512 }, finding({ lba: null }))).toBeNull();
    expect(placeOfFinding({ capacity: 0, sector: 512 }, finding())).toBeNull();
  });
});
