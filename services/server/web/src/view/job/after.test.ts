import { expect, it } from "vitest";
import type { Outcome, RuleHit } from "@wire";

import { afterWords, warned } from "./after";

const hit = (id: string, outcome: Outcome = "WARN"): RuleHit => ({ id, outcome, value: "", limit: "", source: "", means: "" });

it("after WARN for a record that a bridge hides, nobody is told to send a good drive back", () => {
  const verdict = { outcome: "WARN" as const, rules: [hit("smart-unreadable"), hit("resumed", "PASSED")] };
  expect(warned(verdict, "usb").next).toBe("All sectors are good; attach it by SATA to have its own record read");
  expect(warned(verdict, "virtio").next).toBe("All sectors are good; its own record is not known");
  expect(afterWords(verdict, undefined)).toBe("All sectors are good; its own record is not known");
});

it("what mends a part of the reasons alone is no advice", () => {
  expect(warned({ rules: [hit("crc-errors"), hit("link-slower")] }, "sata").short).toBe("look at its cable");
  for (const rules of [[hit("crc-errors"), hit("slow-region")], [hit("crc-errors"), hit("warm-disk")], []]) expect(warned({ rules }, "sata")).toEqual({ next: "Keep it or send it back", short: "keep it or send it back" });
});
