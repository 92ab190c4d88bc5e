import { afterEach, describe, expect, it, vi } from "vitest";
import type { Verdict } from "@wire";

import { job } from "../../fixtures";
import { duration } from "../../format";
import { endWords, headline, send, settled, spoken } from "./head";
import { lasted } from "./lasted";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const verdict = (outcome: Verdict["outcome"]): Verdict => ({ outcome, rules: [], summary: `${outcome} because.`, verified: 1e9, engine: "0.1.0" });
const done = (outcome: Verdict["outcome"], change = {}) => job({ state: { kind: "finished" }, verdict: verdict(outcome), ended: "2026-11-20T11:46:00Z", ...change });

it("what is read out of a job turns with its step, each tenth of it, and once with the verdict", () => {
  const at = (done: number, change = {}) => spoken(job({ progress: { phase: "verify", step: 1, done, total: 1000, rate: 1, phase_percent: null, percent: 1, eta: null, eta_job: null, temperature: null }, ...change }));
  expect([at(0), at(99), at(100), at(199), at(1000)]).toEqual(["Verify, 0 %.", "Verify, 0 %.", "Verify, 10 %.", "Verify, 10 %.", "Verify, 100 %."]);
  expect(at(500, { state: { kind: "waiting", why: "the drive is out" } })).toBe("Waiting; it goes on by itself.");
  expect(at(500, { state: { kind: "waiting", why: "paused by mara" } })).toBe("Paused.");
  expect(at(500, { verdict: verdict("FAILED") })).toBe("Verdict: FAILED.");
  const certificate = { id: "KC-1", key: "", made: "2026-11-20T11:46:00Z", revoked: { at: "2026-11-21T11:46:00Z", job: "J2", why: "it failed" } };
  expect(at(500, { verdict: verdict("PASSED"), certificate })).toBe("Verdict: PASSED, which no longer holds.");
});

it("what was asked of a test is done when the test stands so, or is over", () => {
  const [runs, held] = [job(), job({ state: { kind: "waiting", why: "paused by mara" } })];
  const hot = job({ state: { kind: "waiting", why: "too hot" } });
  expect([runs, hot, held, done("PASSED")].map((one) => settled(one, "pause"))).toEqual([false, false, true, true]);
  expect([held, runs, hot].map((one) => settled(one, "resume"))).toEqual([false, true, true]);
  expect([runs, held, done("PASSED")].map((one) => settled(one, "abort"))).toEqual([false, false, true]);
});

describe("what is asked of a test", () => {
  afterEach(() => void vi.useRealTimers());
  it("is not said to be known to the box before that has answered", async () => {
    vi.useFakeTimers();
    const told: string[] = [];
    let answer = () => {};
    const sent = send("pause", () => new Promise<void>((resolve) => (answer = resolve)), (words) => told.push(words));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(told).toEqual([expect.stringMatching(/whether it heard this is not known/)]);
    answer();
    await sent;
    expect(told.at(-1)).toBe("");
    await vi.advanceTimersByTimeAsync(5000);
    expect(told.at(-1)).toMatch(/^It does not pause yet. The box was asked/);
  });
  it("that could not be asked says no more than that", async () => {
    vi.useFakeTimers();
    const told: string[] = [];
    await expect(send("abort", () => Promise.reject(new Error("unreachable")), (words) => told.push(words))).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual([""]);
  });
});

describe("a job's head", () => {
  it("does not invent a time left", () => expect(headline(job(), NOW).title).toMatch(/not known yet/));
  it("tells no time left of a test that nobody hears of, and of a paused one that it is paused", () => {
    const progress = { phase: "verify" as const, step: 1, done: 1, total: 2, rate: 2e8, eta: 100, eta_job: 7200, percent: 50, phase_percent: 50, temperature: 40 };
    const still = "Last heard 07:06; goes on when the agent is back";
    expect(headline(job({ progress }), NOW).title).toMatch(/^Done in about/);
    expect(headline(job({ progress }), NOW, still)).toEqual({ title: still, line: "50 % of the whole test. Nothing wrong so far." });
    expect(headline(job({ progress, state: { kind: "waiting", why: "too hot" } }), NOW, still).title).toBe(still);
    expect(headline(job({ progress, state: { kind: "waiting", why: "paused by mara" } }), NOW, still).title).toBe("Paused");
    expect(headline(done("PASSED"), NOW, still).line).toMatch(/^Ended/);
  });
  it("says how long it took by its phases where the clock was set meanwhile", () => {
    const phases = job().phases.map((phase) => ({ ...phase, seconds: 54 }));
    const minutes = lasted(54 * phases.length);
    const point = (at: string) => ({ at, step: 0, temperature: null, rate: 1, bad_sectors: 0 });
    for (const [started, ended, ...between] of [
      ["2021-11-30T14:39:27Z", "2026-11-20T11:46:00Z", "2021-11-30T14:39:40Z", "2026-11-20T11:45:00Z"],
      ["2026-11-20T11:44:00Z", "2026-11-20T11:46:00Z", "2029-11-20T11:44:30Z", "2026-11-20T11:45:30Z"],
      ["2026-11-20T11:46:00Z", "2026-11-20T11:00:00Z"],
    ] as const) expect(headline(done("PASSED", { phases, started, ended, timeline: between.map(point) }), NOW).line).toMatch(new RegExp(`^Ended.* after ${minutes} at work\\.`));
    const honest = done("PASSED", { phases, started: "2026-11-18T11:46:00Z", timeline: [point("2026-11-19T11:46:00Z")] });
    expect(headline(honest, NOW).line).toMatch(new RegExp(`after ${minutes} at work and ${duration(2 * 86400)} off or waiting\\.`));
  });
  it("says where it heads as soon as a sector is bad", () => expect(headline(job({ bad_sectors: 1 }), NOW).line).toMatch(/1 bad sector so far: heading for FAILED/));
  it("says where it heads by what the drive says of itself, and what ending it comes to", () => {
    const hit = (outcome: Verdict["outcome"], means: string) => ({ id: "x", outcome, value: "8 sectors", limit: "1", source: "", means });
    const line = (change = {}) => headline(job(change), NOW).line;
    const failing = { heading: [hit("FAILED", "sectors wait"), hit("WARN", "it is old")] };
    expect(line(failing)).toBe("Heading for FAILED: sectors wait (8 sectors).");
    expect(line({ heading: [hit("WARN", "it is old")] })).toBe("Heading for WARN: it is old (8 sectors).");
    expect(line({ ...failing, bad_sectors: 2 })).toMatch(/^2 bad sectors so far: heading for FAILED. Heading for FAILED/);
    expect(line({ heading: [hit("WARN", "it is old")], bad_sectors: 2 })).toBe("2 bad sectors so far: heading for FAILED.");
    expect(line()).toBe("Nothing wrong so far.");
    expect([endWords(job(failing)), endWords(job({ bad_sectors: 1 })), endWords(job())].map((words) => /will be (FAILED|INCONCLUSIVE)/.exec(words)?.[1])).toEqual(["FAILED", "FAILED", "INCONCLUSIVE"]);
  });
  it("names the next step, then the span and what was verified", () => {
    expect(headline(done("FAILED"), NOW).title).toBe("Take it out; put no data on it");
    expect(headline(done("PASSED"), NOW).line).toMatch(/^Ended at .* after 2.min 20.s at work and 5.h 44.min off or waiting\. All 1.GB written and read back/);
  });
  it("of a drive that was tested again since, names no step: that is the later test's", () => {
    const { title, line } = headline(done("FAILED"), NOW, null, false);
    expect(title).toMatch(/^Ended at .* after 2.min 20.s at work and 5.h 44.min off or waiting; tested again since$/);
    expect(line).toMatch(/^All 1.GB/);
  });
});
