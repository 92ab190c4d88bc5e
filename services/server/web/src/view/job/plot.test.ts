import type { Progress } from "@wire";
import { expect, it } from "vitest";

import type { Curve, Point } from "../../curve";
import { job } from "../../fixtures";
import { plotWords } from "./plot";

it("a plot without a curve says so, also where one place was measured and the test is paused", () => {
  const curve = (...points: Point[]): Curve => ({ phase: "write", step: 0, note: "", points, running: true });
  const paused = job({ state: { kind: "waiting", why: "paused by mara" } });
  const one = curve([0.03, 1e8]);
  expect(plotWords(paused, [one], false)).toMatch(/grows here when the test goes on/);
  expect(plotWords(job(), [], true)).toMatch(/^Nothing measured yet/);
  const moved: Progress = { phase: "write", step: 1, done: 130, total: 1000, rate: 0, eta: null, eta_job: null, percent: 6, temperature: null, phase_percent: null };
  const opened = { ...paused, progress: moved };
  expect(plotWords(opened, [], false)).toMatch(/^Too little is measured yet/);
  expect(plotWords(job({ state: { kind: "finished" } }), [one], false)).toBe("Too little was measured for a curve.");
  expect([plotWords(job(), [one], true), plotWords(paused, [curve([0.03, 1e8], [0.05, 1e8])], false)]).toEqual([null, null]);
});
