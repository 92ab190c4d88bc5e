import { describe, expect, it } from "vitest";

import { curves, isBackwards } from "../../curve";
import { job, phase } from "../../fixtures";
import { shareOf } from "../../state/store";
import { beneath, stepName } from "./steps";

describe("steps", () => {
  it("are told apart by their notes, and a self-test has a share without bytes", () => {
    const of = job({ phases: [phase(), phase({ note: "pass 2, backwards", status: "running" })], progress: { phase: "write", step: 1, done: 0, total: 0, rate: 0, eta: null, eta_job: null, percent: 50, temperature: null, phase_percent: 40 } });
    expect([stepName(of, 0, "write"), stepName(of, 1, "write")]).toEqual(["Write", "Write (pass 2, backwards)"]);
    expect([shareOf(of, 0), shareOf(of, 1)]).toEqual([null, 0.4]);
    expect([isBackwards(""), isBackwards("pass 2, backwards")]).toEqual([false, true]);
  });
  it("tell rate and time left of what moves alone", () => {
    const of = job({ progress: { phase: "verify", step: 1, done: 1, total: 2, rate: 355e6, eta: 7, eta_job: 7, percent: 50, temperature: null, phase_percent: 50 } });
    const step = of.phases[1]!;
    expect(beneath(of, step, 1, true)).toEqual(["", "7\u00a0s left", "355\u00a0MB/s"]);
    expect(beneath(of, step, 1, false)).toEqual(["", "40\u00a0s"]);
  });
  it("backwards, the trail grows from the end of the drive", () => {
    const of = job({ phases: [phase({ note: "backwards", status: "running" })], surface: [] });
    expect(curves(of, { step: 0, points: [[0.1, 90], [0.2, 80]] })[0]?.points).toEqual([[0.8, 80], [0.9, 90]]);
  });
});
