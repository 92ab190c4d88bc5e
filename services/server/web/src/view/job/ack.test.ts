import { describe, expect, it } from "vitest";
import type { Outcome, Verdict } from "@wire";

import { job } from "../../fixtures";
import { ackedWord, ackWord, asks } from "./ack";

const ended = (outcome: Outcome) => job({ state: { kind: "finished" }, verdict: { outcome, rules: [], summary: "", verified: 0, engine: "" } satisfies Verdict });

describe("that somebody has seen how a test ended", () => {
  it("is asked of all but PASSED, once, and of nothing that is under way", () => {
    expect((["PASSED", "WARN", "INCONCLUSIVE", "FAILED"] as const).map((outcome) => asks(ended(outcome)))).toEqual([false, true, true, true]);
    expect(asks({ ...ended("FAILED"), acknowledged: { by: "mara", at: "2026-11-20T07:00:00Z" } })).toBe(false);
    expect(asks(job())).toBe(false);
    expect(asks(job({ state: { kind: "aborted" } }))).toBe(false);
  });

  it("is a decision after WARN, and no more than known of after the others", () => {
    expect((["WARN", "FAILED", "INCONCLUSIVE"] as const).map((outcome) => [ackWord(outcome), ackedWord(outcome)])).toEqual([["Keep it", "Kept"], ["Noted", "Noted"], ["Noted", "Noted"]]);
  });
});
