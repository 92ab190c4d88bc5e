import { expect, it } from "vitest";
import type { RuleHit } from "@wire";

import { limitWords, meaning, toldWords } from "./verdict";

const rule = (id: string, outcome: RuleHit["outcome"], value: string, limit: string): RuleHit => ({ id, outcome, value, limit, source: "", means: "" });
const resumed = rule("resumed", "PASSED", "1 interruption", "at least 1 interruption");
const uncovered = rule("not-covered", "INCONCLUSIVE", "3.22 GB", "at least 1 byte");

it("a limit says what it leads to, so that nobody reads it as what is asked for", () => {
  expect([uncovered, rule("found-before", "FAILED", "2 findings", "none")].map(limitWords)).toEqual(["at least 1 byte is INCONCLUSIVE", "none"]);
});

it("a rule that leads to PASSED is told, without a limit", () => {
  expect(toldWords([uncovered, resumed])).toEqual(["Told: resumed (1 interruption)"]);
  expect(toldWords([{ ...resumed, means: "it was interrupted and went on" }])).toEqual(["Told: it was interrupted and went on (1 interruption)"]);
});

it("a rule of an older job, which has no words, is told by its id", () => {
  const { means: _, ...older } = uncovered;
  expect([meaning(older as RuleHit), meaning({ ...uncovered, means: "not all of it was read" })]).toEqual(["not-covered", "not all of it was read"]);
});
