import { describe, expect, it } from "vitest";
import type { BoxView, Drive, Job, Verdict } from "@wire";

import { drive, job } from "../fixtures";
import { needs } from "./needs";

const verdict = (outcome: Verdict["outcome"]): Verdict => ({ outcome, rules: [], summary: "It is said.", verified: 0, engine: "" });
/** A drive of its own with a job of its own. */
const pair = (serial: string, of: Partial<Job>, change: Partial<Drive> = {}): [Drive, Job] => {
  const one = drive({ serial, ...change });
  return [one, job({ id: `j-${serial}`, drive: one.id ?? "", serial, ...of })];
};
const over = (serial: string, outcome: Verdict["outcome"]) => pair(serial, { state: { kind: "finished" }, verdict: verdict(outcome) });
const told = (pairs: [Drive, Job][], box: BoxView | null = null, picked: string[] = []) =>
  needs(pairs.map(([one]) => one), new Map(pairs.map(([one, of]) => [one.id ?? "", of])), box, picked);
const box = (update: object) => ({ supervisor: { update } }) as unknown as BoxView;
const slot = (name: string, change = {}) => ({ name, state: "good", version: "2.0", running: false, next: false, tries_left: 0, ...change });

describe("needs you", () => {
  it("by urgency: heat, a drive that is out, the gate, FAILED, a trial, INCONCLUSIVE, what waits, WARN; PASSED never", () => {
    const free = drive({ serial: "FREE0001" });
    const pairs = [
      over("WARN0001", "WARN"), over("PASS0001", "PASSED"), over("FAIL0001", "FAILED"), over("INCO0001", "INCONCLUSIVE"),
      pair("WAIT0001", { state: { kind: "waiting", why: "the drive answers nothing" } }),
      pair("HOT00001", {}, { temperature: 55 }), pair("GONE0001", {}, { present: false }), pair("FINE0001", {}), pair("BAD00001", { bad_sectors: 2 }),
    ];
    const list = needs([...pairs.map(([one]) => one), free], new Map(pairs.map(([one, of]) => [one.id ?? "", of])), box({ trial: "ten minutes are not over", slots: [slot("b", { running: true })] }), [free.id ?? ""]);

    expect(list.map(({ short }) => short)).toEqual(["cool it: 55\u00a0°C", "heads for FAILED", "put it back", "at the gate", "take it out", "on trial: leave it on", "look at it", "waits", "keep it or send it back"]);
    expect(list.map(({ shape }) => shape)).toEqual(["warn", "fail", "inc", "inc", "fail", "warn", "inc", "inc", "warn"]);
  });

  it.each([["spinning", 54, 55], ["solid_state", 69, 70], ["unknown", 59, 60]] as const)("a drive that stores %s is fine at %i and too hot at %i", (kind, fine, hot) => {
    const of = (temperature: number) => drive({ temperature, rotation: (kind === "spinning" ? { kind, rpm: null } : { kind }) });
    expect(needs([of(fine)], new Map(), null)).toEqual([]);
    expect(needs([of(hot)], new Map(), null)).toHaveLength(1);
    expect(needs([{ ...of(hot), as_of: "2026-11-20T06:00:00Z" }], new Map(), null)).toEqual([]);
  });

  it("the progress of a job knows the heat before the drive's own line does", () => {
    const progress = { phase: "write", step: 0, done: 1, total: 2, rate: 1, phase_percent: null, percent: 1, eta: null, eta_job: null, temperature: 61 } as Job["progress"];
    expect(told([pair("HOT00001", { progress }, { temperature: 40 })]).map(({ act }) => act)).toEqual(["Its job"]);
  });

  it("a paused job asks for a person, one that waits for its drive does not", () => {
    expect(told([pair("P0000001", { state: { kind: "waiting", why: "paused by mara" } })])[0]).toMatchObject({ what: "…0001 is paused by mara", next: "It goes on when somebody presses Go on." });
    expect(told([pair("P0000001", { state: { kind: "waiting", why: "it is busy." } })])[0]).toMatchObject({ what: "…0001 waits: it is busy", next: expect.stringMatching(/by itself/) as string });
  });

  it("an update that waits for a restart is told, one that runs and is kept is not", () => {
    expect(told([], box({ trial: null, slots: [slot("a", { running: true }), slot("b", { next: true })] })).map(({ what }) => what)).toEqual(["Version 2.0 is written and waits for a restart"]);
    expect(told([], box({ trial: null, slots: [slot("a", { running: true, next: true }), slot("b")] }))).toEqual([]);
  });
});
