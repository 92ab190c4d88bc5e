import { expect, it } from "vitest";

import { barWords } from "./running";

it("a backup is barred by what runs, in the right number, and left to the box where its agent is away", () => {
  expect(barWords(1, true)).toMatch(/1 job not over\. Wait for it or abort it\.$/);
  expect(barWords(2, true)).toMatch(/2 jobs not over\. Wait for them or abort them\.$/);
  expect([barWords(0, true), barWords(1, false)]).toEqual(["", ""]);
});
