import { describe, expect, it, test } from "vitest";

import { outline, plain, type Trend, trendWords } from "./line";

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

test("a trend says how fast, how sure, and when it matters", () => {
  const day = (iso: string) => iso.slice(0, 10);
  const trend = (change: Partial<Trend>): Trend => ({ per_day: 0.5, confidence: "high", direction: "rising", crossings: [], ...change });
  expect(trendWords("Score", trend({ direction: "steady", confidence: "none" }), day)).toBe("");
  expect(trendWords("Pending", trend({ per_day: 2 }), day)).toBe("Pending rises by 2 a day, closely on a line.");
  const crossings = [{ name: "rated_life", limit: 100, days: 900, at: "2029-05-01T00:00:00Z" }, { name: "wear_90", limit: 90, days: 700, at: "2028-10-01T00:00:00Z" }];
  expect(trendWords("Wear", trend({ per_day: 0.02, confidence: "medium", crossings }), day)).toBe("Wear rises by 0.6 a month; reaches 90 % about 2028-10-01.");
  expect(trendWords("Score", trend({ per_day: -12, direction: "falling", confidence: "low" }), day)).toBe("Score falls by 12 a day, by few readings.");
});

test("serials are compared as people read them", () => expect(plain(" wd-12 34")).toBe(plain("WD1234")));
