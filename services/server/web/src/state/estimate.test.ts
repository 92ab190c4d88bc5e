import { describe, expect, it } from "vitest";

import { drive, job, phase, playbook } from "../fixtures";
import { estimate } from "./estimate";

describe("how long a playbook takes", () => {
  const book = playbook({ sweeps: 2 });
  it("goes by what the box measured on that model, not by a step that was cut short", () => {
    const measured = job({ capacity: 1e9, phases: [phase({ status: "done", seconds: 10, bytes: 1e9 }), phase({ status: "interrupted", seconds: 1, bytes: 1e8 })] });
    expect(estimate(book, [drive()], [measured])).toEqual({ seconds: 20, measured: true });
    expect(estimate(book, [drive({ model: "other" })], [measured])?.measured).toBe(false);
  });
  it("is no faster than the drive's link", () => {
    const at = (link_mbps: number, jobs: Parameters<typeof estimate>[2] = []) => estimate(book, [drive({ bus: "usb", capacity: 4e12, link_mbps })], jobs);
    expect(at(480)).toEqual({ seconds: 2 * 4e12 / 40e6, measured: false });
    expect(at(5000)?.seconds).toBe(2 * 4e12 / 100e6);
    const elsewhere = job({ capacity: 1e9, phases: [phase({ status: "done", seconds: 10, bytes: 1e9 })] });
    expect(at(480, [elsewhere])).toEqual({ seconds: 2 * 4e12 / 40e6, measured: false });
    expect(at(5000, [elsewhere])?.measured).toBe(true);
  });
  it("is that of the slowest drive", () => {
    const slow = estimate(book, [drive(), drive({ capacity: 18e12 })], []);
    expect(slow?.seconds).toBeCloseTo((2 * 18e12) / 180e6);
  });
  it("holds the hours of a soak, to the end of the round that has begun then", () => {
    const at = (seconds: number, soak: number | null = null, capacity = 180e6 * 1000) =>
      estimate(playbook({ sweeps: 3, soaks: [{ sweeps: 2, timed_seconds: 0, seconds }] }), [drive({ capacity })], [], soak)?.seconds;
    expect(at(0)).toBe(3000);
    expect(at(24 * 3600)).toBe(1000 + 44 * 2000);
    expect(at(0, 24)).toBe(1000 + 44 * 2000);
    expect(at(24 * 3600, 1)).toBe(1000 + 2 * 2000);
    expect(at(3600, null, 180e6 * 10_000)).toBe(30_000);
    expect(estimate(playbook({ sweeps: 0, soaks: [{ sweeps: 0, timed_seconds: 300, seconds: 3600 }], timed_seconds: 300 }), [drive()], [])?.seconds).toBe(3600);
  });
  it("holds self-tests, in which the drive reads itself, and what ends by its time", () => {
    const of = playbook({ sweeps: 1, self_tests: 1, timed_seconds: 1800 });
    expect(estimate(of, [drive({ capacity: 180e6 * 1000 })], [])?.seconds).toBe(3800);
  });
  it("says nothing where nothing is swept or chosen", () => {
    expect(estimate(playbook({ sweeps: 0, soaks: [] }), [drive()], [])).toBeNull();
    expect(estimate(book, [], [])).toBeNull();
  });
});
