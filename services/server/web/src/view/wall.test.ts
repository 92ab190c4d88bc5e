/** The wall: how a window is divided, which drives get a tile, how they are cut into screens, and what a tile says. */
import { describe, expect, it } from "vitest";
import type { Job, Verdict } from "@wire";

import { drive, finding, job } from "../fixtures";
import { face } from "./wall";
import { plan, screens, shown, standing, STANDS_MS } from "./wall-plan";

const many = (count: number, bus: "sata" | "nvme" = "sata") => Array.from({ length: count }, (_, n) => drive({ serial: `${bus}${1000 + n}`, bus, location: `${bus === "sata" ? "PCI 00:1f.2, SATA port " : "PCI 01:00.0, "}${n + 1}` }));
const verdict = (outcome: Verdict["outcome"]): Verdict => ({ outcome, rules: [], summary: "because.", verified: 1e9, engine: "0.1.0" });

describe("the division of a window", () => {
  it("is sixteen tiles on a wall of 1920 × 1080, and as many, twice as large, on one of 4K", () => {
    expect(plan(1920, 1080, 16)).toEqual({ unit: 1, tile: 1, columns: 4, rows: 4 });
    expect(plan(3840, 2160, 16)).toEqual({ unit: 2, tile: 2, columns: 4, rows: 4 });
  });
  it("grows the tiles where there are few", () => {
    expect(plan(1920, 1080, 2).tile).toBeGreaterThan(1.5);
    expect(plan(1920, 1080, 60).tile).toBe(1);
  });
  it("has a place on every window", () => {
    for (const [width, height] of [[320, 480], [360, 780], [1080, 1920], [100, 100]] as const) {
      const { columns, rows, unit } = plan(width, height, 40);
      expect(columns * rows, `${width} × ${height}`).toBeGreaterThanOrEqual(1);
      expect(unit).toBeGreaterThanOrEqual(0.5);
    }
  });
});

describe("screens", () => {
  it("leave no drive out and none twice", () => {
    const drives = [...many(37), ...many(5, "nvme")];
    const cut = screens(drives, 16);
    expect(cut.flatMap((screen) => screen.drives.map(({ key }) => key)).sort()).toEqual(drives.map(({ key }) => key).sort());
    expect(Math.max(...cut.map((screen) => screen.drives.length))).toBeLessThanOrEqual(16);
  });
  it("keep an enclosure that fits on one screen together", () => {
    const cut = screens([...many(12), ...many(6, "nvme")], 16);
    expect(cut.map(({ name, drives }) => [name, drives.length])).toEqual([["SATA", 12], ["NVMe", 6]]);
  });
  it("stand one after the other, by the clock", () => {
    expect([0, 1, 2, 3].map((n) => standing(3, n * STANDS_MS))).toEqual([0, 1, 2, 0]);
    expect(standing(0, 5)).toBe(0);
  });
});

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
});
