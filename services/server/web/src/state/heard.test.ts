import { expect, it } from "vitest";
import type { Job, Progress } from "@wire";

import { job, phase } from "../fixtures";
import { SILENT_MS, silence, silenceWords } from "./heard";
import { NOTHING, reduce, type Known, type News } from "./store";

const progress: Progress = { phase: "verify", step: 1, done: 100, total: 1000, rate: 50, eta: 10, eta_job: 20, percent: 50, temperature: 40, phase_percent: null };
const running = job({ progress });
const of = (one: Job, ago: number) => silence(one, new Map([[one.id, 100_000]]), 100_000 + ago);

it("a running test of which nothing came for fifteen seconds is silent, and says for how long in steps", () => {
  expect([0, 1000, SILENT_MS - 1, SILENT_MS, 19_999, 20_000, 74_000].map((ago) => of(running, ago))).toEqual([null, null, null, 15, 15, 20, 70]);
  expect([20, 70, 150].map(silenceWords)).toEqual(["Nothing heard for 20\u00a0s", "Nothing heard for 1\u00a0min", "Nothing heard for 2\u00a0min"]);
});

it("what does not run, has told nothing yet, or tells rarely, is not silent", () => {
  expect(of(job({ progress, state: { kind: "waiting", why: "too hot" } }), 60_000)).toBeNull();
  expect(of(job({ progress, state: { kind: "finished" } }), 60_000)).toBeNull();
  expect(of(job(), 60_000)).toBeNull();
  expect(silence(running, new Map(), 60_000)).toBeNull();
  for (const rare of ["smart_before", "self_test_short", "self_test_extended", "smart_after", "partition", "format"] as const) {
    expect(of(job({ progress, phases: [phase({ status: "done" }), phase({ phase: rare, status: "running" })] }), 60_000)).toBeNull();
  }
});

it("each word of a job counts when it comes; the same told again after a broken connection does not", () => {
  const told = (known: Known, at: number, ...news: News[]) => news.reduce((next, one) => reduce(next, one, at), known);
  const heard = (known: Known) => known.heard.get(running.id);
  const first = told(NOTHING, 1000, { type: "job", data: job() });
  expect(heard(first)).toBe(1000);
  const moved = told(first, 2000, { type: "progress", data: { job: running.id, progress } });
  expect(heard(moved)).toBe(2000);
  expect(heard(told(moved, 3000, { type: "job", data: structuredClone(running) }))).toBe(2000);
  expect(heard(told(moved, 3000, { type: "job", data: { ...running, bad_sectors: 1 } }))).toBe(3000);
  // One that stands still tells the same figures anew.
  expect(heard(told(moved, 3000, { type: "progress", data: { job: running.id, progress } }))).toBe(3000);
  expect(heard(told(moved, 3000, { type: "log", data: { job: running.id, line: { level: "info", message: "", source: "" } } }))).toBe(2000);
});
