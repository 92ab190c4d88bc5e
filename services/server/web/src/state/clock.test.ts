import { describe, expect, it } from "vitest";

import { ahead, LATE_MS, mayBeLate } from "./clock";

describe("the box's clock", () => {
  const noon = Date.parse("2026-11-29T12:00:00Z");
  it("is followed by its word, whatever this machine's says", () => {
    expect(ahead("2026-11-29T12:00:00Z", noon - 1_500)).toBe(1_500);
    expect(mayBeLate(1_500, ahead("2026-11-29T12:00:09Z", noon))).toBe(false);
  });
  it("is not put back by a word that was read late", () => {
    const read = noon + 130_000;
    expect(mayBeLate(0, ahead("2026-11-29T12:00:00Z", read))).toBe(true);
    expect(mayBeLate(0, ahead("2026-11-29T12:00:00Z", noon + LATE_MS))).toBe(false);
  });
});
