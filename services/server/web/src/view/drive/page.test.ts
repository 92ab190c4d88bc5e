import { expect, it } from "vitest";
import type { Job, Outcome } from "@wire";

import { drive, job, phase } from "../../fixtures";
import { heatWords, leftOver } from "./page";

it("a drive that is out has no temperature of now, and it is not its sensor that does not tell it", () => {
  expect(heatWords(drive())).toBe("31\u00a0°C");
  expect(heatWords(drive({ temperature: null }))).toBe("no sensor tells");
  expect(heatWords(drive({ present: false, temperature: null }))).toBe("not known while it is out");
  expect([drive({ present: false }), drive({ as_of: "2026-11-20T06:05:00Z" })].map(heatWords)).toEqual(["31\u00a0°C then", "31\u00a0°C then"]);
});

it("an empty drive that a test wrote over from end to end says so, and that somebody may have had it since", () => {
  const at = Date.parse("2026-11-20T12:00:00Z");
  const verdict = (outcome: Outcome, verified: number) => ({ outcome, rules: [], summary: "", verified, engine: "" });
  const wrote = (change: Partial<Job> = {}) => job({ state: { kind: "finished" }, ended: "2026-11-20T08:00:00Z", capacity: 1e9, phases: [phase({ status: "done", bytes: 1e9 })], verdict: verdict("PASSED", 1e9), ...change });
  const stays = drive({ since: "2026-11-20T06:00:00Z" });
  expect(leftOver(stays, [job({ id: "later" }), wrote()], at)).toMatch(/^what was on it was written over from end to end by the test that ended .*\d\d:00$/);
  expect(leftOver({ ...stays, since: "2026-11-20T09:00:00Z" }, [wrote()], at)).toMatch(/it was not watched all the time since$/);
  expect(leftOver(stays, [wrote({ phases: [phase({ status: "done", bytes: 9e8 })] }), wrote({ phases: [phase({ phase: "scan", status: "done", bytes: 1e9 })] })], at)).toBeNull();
  expect(leftOver(drive({ content: { state: "unknown" } }), [wrote()], at)).toBeNull();
  // Of what was not read back, or was another drive's, nobody knows it.
  for (const none of [verdict("FAILED", 1e9), verdict("INCONCLUSIVE", 1e9), verdict("PASSED", 9e8), null]) expect(leftOver(stays, [wrote({ verdict: none })], at)).toBeNull();
});
