import { describe, expect, it } from "vitest";
import { FILE_SYSTEMS, shortened } from "./options";

describe("labels", () => {
  it("are as long as the engine takes them", () =>
    expect(Object.values(FILE_SYSTEMS).map(({ label }) => label)).toEqual([16, 12, 255, 11, 15, 0]));
  it("are shortened by whole characters, from the end", () => {
    expect(shortened("0123456789🌵", 11)).toBe("0123456789");
    expect(shortened("0123456789🌵b", 11)).toBe("0123456789");
    expect(shortened("0123456789🌵", 12)).toBe("0123456789🌵");
    expect(shortened("x", 0)).toBe("");
  });
});
