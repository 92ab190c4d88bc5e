import { describe, expect, it } from "vitest";
import type { BoxView } from "@wire";

import { banners, lastHeard } from "./box";

const box = (change: Partial<BoxView>): BoxView => ({
  name: "b", version: "1", sbom: null, claimed: true, banners: [], agent: { state: "online", last_seen: null }, supervisor: null, now: "2026-11-20T12:00:00Z", ...change,
});

it("what runs is heard of while box and agent answer; else since when not, and when it is again", () => {
  const at = Date.parse("2026-11-20T12:00:00Z");
  const of = (state: "online" | "degraded" | "offline", seen: string | null) => lastHeard(box({ agent: { state, last_seen: seen } }), null, at);
  expect(of("online", "2026-11-20T11:59:59Z")).toBeNull();
  for (const state of ["degraded", "offline"] as const) expect(of(state, "2026-11-20T11:06:00Z")).toMatch(/^Last heard \d\d:06; goes on when the agent is back$/);
  expect(of("offline", null)).toBe("Not heard of yet; goes on when the agent is back");
  expect(lastHeard(box({}), at - 60_000, at)).toMatch(/^Last heard \d\d:59; told anew when the box answers$/);
});

describe("banners", () => {
  const status = (medium: "ram" | "disk", told: BoxView["banners"]) => ({
    host: "b", addresses: [], units: [], banners: told, boot: { slot: "", why: "", via: "", kernel: "", medium, reason: "", boot_id: "" },
  }) as unknown as NonNullable<BoxView["supervisor"]>;
  it("each once, worst first", () => {
    const [a, b] = [{ severity: "info", text: "a" }, { severity: "critical", text: "b" }] as const;
    expect(banners(box({ banners: [a, b], supervisor: status("disk", [b]) }))).toEqual([b, a]);
  });
  it("no medium is told, even if nobody else does", () => {
    expect(banners(box({ supervisor: status("ram", []) }))).toHaveLength(1);
    expect(banners(box({ supervisor: status("ram", [{ severity: "warning", text: "No writable boot medium" }]) }))).toHaveLength(1);
    expect(banners(box({ supervisor: status("disk", []) }))).toHaveLength(0);
  });
});
