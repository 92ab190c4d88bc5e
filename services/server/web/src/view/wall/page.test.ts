/** Which drives get a tile, and what a tile says. */
import { describe, expect, it } from "vitest";
import type { Job, Verdict } from "@wire";

import { drive, finding, job } from "../../fixtures";
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
  it("says how far a phase is, and nothing of it where nobody knows", () => {
    const p = { job: "0199-1", phase: "verify" as const, step: 1, done: 419, total: 1000, rate: 2e8, eta_phase: 100, eta_job: 7200, temperature: 40 };
    expect(face(drive(), job({ progress: p as unknown as Job["progress"] }))).toMatchObject({ kind: "hot", word: "41\u202f%", small: "verify", share: 0.419 });
    expect(face(drive(), job())).toMatchObject({ kind: "hot", word: "starting", share: 0 });
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
  it("a drive in use says so, although it passed before", () => {
    expect(face(drive({ refused: { kind: "mounted", reason: "mounted at /mnt" } }), job({ state: { kind: "finished" }, verdict: verdict("PASSED") })).word).toBe("In use");
  });
  it("a drive that nobody watches is not seen", () => {
    expect(face(drive({ as_of: "2026-11-20T06:05:00Z" }), undefined)).toMatchObject({ word: "Not seen" });
  });
});
