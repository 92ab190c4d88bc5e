import { describe, expect, it } from "vitest";
import type { BoxView } from "@wire";

import { banners } from "./box";

describe("banners", () => {
  const box = (change: Partial<BoxView>): BoxView => ({
    name: "b", version: "1", claimed: true, banners: [], agent: { state: "online", last_seen: null }, supervisor: null, now: "2026-11-20T12:00:00Z", ...change,
  });
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
