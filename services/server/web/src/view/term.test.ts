import { expect, it } from "vitest";

import { WORDS, parts } from "./term";
import { MEANS } from "./words";

it("each word has its meaning in the guide, and the guide has no other", () => {
  expect([...MEANS.keys()].sort()).toEqual([...WORDS].sort());
  for (const [word, text] of MEANS) expect(text.length, word).toBeGreaterThan(60);
});

it("a text's words are found at their first place, whole and as they stand there", () => {
  expect(parts("8 sectors at LBA 7, then LBA 9: a shingled disk")).toEqual(["8 sectors at ", ["LBA", "LBA"], " 7, then LBA 9: a ", ["shingled", "SMR"], " disk"]);
  expect(parts("GPT, soak for 3 h")).toEqual([["GPT", "GPT"], ", ", ["soak", "Soak"], " for 3 h"]);
  expect([parts("trimmed SMARTER"), parts("")]).toEqual([["trimmed SMARTER"], []]);
});
