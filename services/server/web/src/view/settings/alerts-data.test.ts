import { expect, test } from "vitest";
import { filled, offset, ruleWords } from "./alerts-data";

test("a browser's time zone becomes an offset east of Greenwich", () => {
  expect([0, -60, 300, -330, 570].map(offset)).toEqual(["UTC", "+01:00", "-05:00", "+05:30", "-09:30"]);
});

test("a form sends what it shows, and nothing of another service's", () => {
  const provider = { type: "ntfy", label: "ntfy", fields: [{ key: "topic", label: "", type: "text" as const, required: true }, { key: "token", label: "", type: "password" as const, required: false }] };
  expect(filled(provider, { topic: "t", token: "", webhook_url: "x" })).toEqual({ topic: "t", token: "" });
});

test("a rule is told in words", () => {
  const kinds = [{ type: "job.failed", category: "", label: "Drive failed its burn-in", default_severity: "critical" as const, default_cooldown: 0, default_enabled: true }];
  expect(ruleWords({ event_type: "job.failed", enabled: true, cooldown_secs: 0 }, kinds)).toBe("Tell: Drive failed its burn-in");
  expect(ruleWords({ event_type: "unit.*", enabled: false, cooldown_secs: 0, drive: "S1" }, kinds)).toBe("Keep back: unit.* (drive S1)");
});
