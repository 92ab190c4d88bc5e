/** When a job is over: the table of cases that the server's history runs, too. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

import { missed, pollDue, update, type Shown } from "./jobs";
import type { Config } from "./manifest";

interface Case { name: string; frames: Config[]; state: Shown["state"] }
const cases = JSON.parse(readFileSync(fileURLToPath(new URL("../../../../wire/cases/job-over.json", import.meta.url)), "utf8")) as Case[];

describe("a job", () => {
  it("has many ways to end", () => expect(cases.length).toBeGreaterThanOrEqual(20));
  it.each(cases)("$name: $state", ({ frames, state }) => {
    const job = frames.reduce<Shown | undefined>((was, frame) => update(was, frame, 0), undefined);
    expect(job?.state).toBe(state);
  });
});

describe("the time left", () => {
  it("is in words of ours where it is a number of seconds, else in the add-on's", () => {
    const of = (raw: Config) => update(undefined, { job_id: "a", percent: 1, ...raw }, 0).eta;
    expect(of({ eta: "540s" })).toBe(of({ eta_sec: 540 }));
    expect(of({ eta: 540 })).toBe(of({ eta_sec: 540 }));
    expect([of({ eta: "2h13m" }), of({ eta: "0s" }), of({})]).toEqual(["2h13m", "", ""]);
  });
});

describe("the list of what runs", () => {
  const here = { listens: true, hidden: false, busy: false, running: 1, heard: 10_000 };
  it("is asked while jobs run and nothing is heard of them", () => {
    expect(pollDue(here, 12_999)).toBe(false);
    expect(pollDue(here, 13_000)).toBe(true);
    for (const not of [{ listens: false }, { hidden: true }, { busy: true }, { running: 0 }]) expect(pollDue({ ...here, ...not }, 60_000)).toBe(false);
  });
  it("without a job says that it is over, unless frames tell of it or another agent has it", () => {
    const job = update(undefined, { job_id: "a", agent_id: "n1", percent: 40 }, 0);
    expect(missed(job, new Set(["b"]), false, "")).toBe(true);
    expect(missed(job, new Set(["b"]), false, "n1")).toBe(true);
    expect(missed(job, new Set(["b"]), false, "n2")).toBe(false);
    expect(missed(job, new Set(["a"]), false, "")).toBe(false);
    expect(missed(job, new Set(), true, "")).toBe(false);
    expect(missed({ ...job, state: "failed" }, new Set(), false, "")).toBe(false);
    // Listed again, it runs again.
    expect(update({ ...job, state: "gone" }, { job_id: "a", percent: 41 }, 1).state).toBe("running");
  });
});
