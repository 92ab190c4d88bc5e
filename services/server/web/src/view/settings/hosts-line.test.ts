import { describe, expect, it } from "vitest";

import { outline } from "./hosts-line";

describe("the line of a small multiple", () => {
  it("goes from the lowest at the bottom to the highest at the top", () => {
    expect(outline([[0, 5], [50, 10], [100, 15]])).toEqual({ path: "M0.0 30.0L60.0 16.0L120.0 2.0", low: 5, high: 15 });
  });
  it("is drawn by time, not by count", () => {
    expect(outline([[0, 0], [90, 1], [100, 0]]).path).toBe("M0.0 30.0L108.0 2.0L120.0 30.0");
  });
  it("of one value or a steady one lies in the middle", () => {
    expect(outline([[7, 3]])).toEqual({ path: "M0.0 16.0h120", low: 3, high: 3 });
    expect(outline([[0, 3], [10, 3]]).path).toBe("M0.0 16.0L120.0 16.0");
  });
});
