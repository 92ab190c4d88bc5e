/** Which drives get a tile, and what a tile says. */
import { describe, expect, it } from "vitest";
import type { Job, Verdict } from "@wire";

import { drive, finding, job, phase } from "../../fixtures";
import { face } from "./page";
import { shown } from "./plan";

const verdict = (outcome: Verdict["outcome"]): Verdict => ({ outcome, rules: [], summary: "because.", verified: 1e9, engine: "0.1.0" });

describe("a tile", () => {
  const jobs = (one: Job) => new Map([[one.drive, one]]);
  it("is kept for a drive that a job misses, and for no other that is out", () => {
    const out = drive({ present: false });
    expect(shown([out], new Map())).toEqual([]);
    expect(shown([out], jobs(job({ state: { kind: "waiting", why: "drive is out" } })))).toEqual([out]);
  });
  it("is kept for a drive that was pulled in the middle and whose test ended by that, until somebody has seen it", () => {
    const out = drive({ present: false });
    const ended = job({ state: { kind: "finished" }, verdict: verdict("INCONCLUSIVE") });
    expect(shown([out], jobs(ended))).toEqual([out]);
    expect(face(out, ended)).toMatchObject({ word: "INCONCLUSIVE", shape: "inc", side: "drive is out" });
    expect(shown([out], jobs({ ...ended, acknowledged: { at: "2026-11-20T12:00:00Z", by: "mara" } }))).toEqual([]);
    // That one was taken out as the wall asked.
    expect(shown([out], jobs({ ...ended, verdict: verdict("FAILED") }))).toEqual([]);
  });
  it("says how far a phase is, and nothing of it where nobody knows", () => {
    const p: Job["progress"] = { phase: "verify", step: 1, done: 419, total: 1000, rate: 2e8, eta: 100, eta_job: 7200, percent: 41, phase_percent: null, temperature: 40 };
    expect(face(drive(), job({ progress: p }))).toMatchObject({ kind: "hot", phase: "Verify", word: "41\u202f%", share: 0.419 });
    expect(face(drive(), job({ progress: p }), 75)).toMatchObject({ word: "41\u202f%", side: "silent 1\u00a0min" });
    // A step that is measured by time has no bytes.
    expect(face(drive(), job({ progress: { ...p, phase: "seek", total: 0, done: 0, phase_percent: 40 } }))).toMatchObject({ word: "40\u202f%", share: 0.4 });
    expect(face(drive(), job({ progress: { ...p, phase: "self_test_short", total: 0, done: 0 } }))).toMatchObject({ phase: "Short self-test", word: "…", share: 0 });
    expect(face(drive(), job({ phases: [phase({ phase: "smart_before" }), phase()] }))).toMatchObject({ kind: "hot", phase: "", word: "starting", share: 0 });
    expect(face(drive(), job({ phases: [phase({ status: "done" }), phase({ phase: "smart_after", status: "running" })] }))).toMatchObject({ word: "nearly done", share: 0 });
  });
  it("says each verdict by shape and word, and where a drive failed", () => {
    for (const [outcome, shape] of [["PASSED", "pass"], ["WARN", "warn"], ["FAILED", "fail"], ["INCONCLUSIVE", "inc"]] as const) {
      expect(face(drive(), job({ state: { kind: "finished" }, verdict: verdict(outcome) }))).toMatchObject({ word: outcome, shape, share: null });
    }
    expect(face(drive(), job({ state: { kind: "finished" }, verdict: verdict("FAILED"), findings: [finding({ lba: 2_000_000 })] })).side).toBe("at 1.02\u00a0GB");
  });
  it("a drive that failed says so, whatever refuses it since; one that is not in use is not called so", () => {
    const locked = drive({ refused: { kind: "write-protected", reason: "it is write-protected" } });
    expect(face(locked, job({ state: { kind: "finished" }, verdict: verdict("FAILED") }))).toMatchObject({ word: "FAILED", shape: "fail" });
    expect([locked, drive({ refused: { kind: "lvm-member", reason: "" } })].map((one) => face(one, undefined).word)).toEqual(["Not offered", "Not offered"]);
  });
  it("a test that a person paused is no other that waits, and a drive that nobody watches has no time left", () => {
    const waiting = (why: string) => face(drive(), job({ state: { kind: "waiting", why } }));
    expect([waiting("paused by mara"), waiting("too hot")]).toMatchObject([{ kind: "held", shape: null, word: "PAUSED", side: "by mara" }, { shape: null, word: "WAITS", side: "too hot" }]);
    const progress: Job["progress"] = { phase: "verify", step: 1, done: 1, total: 2, rate: 2e8, eta: 100, eta_job: 7200, percent: 50, phase_percent: 50, temperature: 40 };
    expect(face(drive({ as_of: "2026-11-20T06:05:00Z" }), job({ progress })).side).toMatch(/^since \d\d:05$/);
  });
  it("a drive in use says so, although it passed before", () => {
    expect(face(drive({ refused: { kind: "mounted", reason: "mounted at /mnt" } }), job({ state: { kind: "finished" }, verdict: verdict("PASSED") })).word).toBe("In use");
  });
  it("a drive that nobody watches is not seen", () => {
    expect(face(drive({ as_of: "2026-11-20T06:05:00Z" }), undefined)).toMatchObject({ word: "Not seen" });
  });
});
