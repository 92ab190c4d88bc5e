import { describe, expect, it } from "vitest";

import { height, micros, span } from "./latency";

describe("latencies", () => {
  const surface = (latencies: number[]) => ({ phase: "write" as const, step: 0, zones: [], p50_us: 1, p99_us: 2, max_us: 3, latencies });
  it("share one axis from the first to the last bin of all steps", () => {
    expect(span([surface([0, 0, 5]), surface([0, 1, 0, 0, 2])])).toEqual({ first: 1, last: 4 });
    expect(span([surface([0, 0])])).toBeNull();
  });
  it("one slow access among a million is still seen", () => {
    expect(height(0, 1e6)).toBe(0);
    expect(height(1, 1e6)).toBeGreaterThan(0.03);
    expect(height(1e6, 1e6)).toBe(1);
  });
  it("are read in the unit that fits", () => expect([512, 8192, 2_097_152].map(micros)).toEqual(["512\u00a0µs", "8.19\u00a0ms", "2.1\u00a0s"]));
});
