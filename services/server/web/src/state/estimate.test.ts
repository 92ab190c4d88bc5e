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
  it("is that of the slowest drive", () => {
    const slow = estimate(book, [drive(), drive({ capacity: 18e12 })], []);
    expect(slow?.seconds).toBeCloseTo((2 * 18e12) / 180e6);
  });
  it("says nothing where nothing is swept or chosen", () => {
    expect(estimate(playbook({ sweeps: 0 }), [drive()], [])).toBeNull();
    expect(estimate(book, [], [])).toBeNull();
  });
});
