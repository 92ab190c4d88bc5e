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
  for (const rules of [[hit("crc-errors"), hit("slow-region")], [hit("not-whole-drive"), hit("reallocated")], []]) expect(warned({ rules }, "sata")).toEqual({ next: "Keep it or send it back", short: "keep it or send it back" });
});

it("what is tested in part alone is no reason to send it back: it says what tests the rest", () => {
  const part = { next: "What was tested is good; Standard tests all, and erases it", short: "Standard tests all" };
  expect(warned({ rules: [hit("not-whole-drive")] }, "sata")).toEqual(part);
  expect(warned({ rules: [hit("step-unsupported")] }, "sata").next).toBe("All sectors are good; not every step of the playbook is possible on it");
});

it("after a read scan without a fault it says so, and that nothing was written; nobody is sent to erase the drive", () => {
  const verdict = { outcome: "WARN" as const, rules: [hit("only-read")] };
  expect(afterWords(verdict, "sata")).toBe("All sectors could be read; nothing was written; any further test erases it");
  expect(afterWords({ ...verdict, rules: [hit("only-read"), hit("crc-errors")] }, "sata")).toMatch(/^All sectors could be read; look at its cable.*; nothing was written; any further test erases it$/);
});

it("a constant pattern that read back calls no sector good: a drive that lost the writes may answer the same", () => {
  const more = "Standard would tell more, and erases it";
  // Whoever erased or cleared a drive is not sent to write over that.
  for (const id of ["constant-pattern", "constant-pattern-probed"]) {
    expect(warned({ rules: [hit(id)] }, "sata")).toEqual({ next: `What was written reads back; ${more}`, short: "Standard would tell more" });
    expect(warned({ rules: [hit(id), hit("smart-unreadable")] }, "sata").next).toBe(`What was written reads back; its own record is not known; ${more}`);
    expect(warned({ rules: [hit("not-whole-drive"), hit(id)] }, "sata").next).toBe(`What was written reads back; Standard tests all, and erases it; ${more}`);
  }
});

it("several reasons are told together, each with what mends it", () => {
  expect(warned({ rules: [hit("crc-errors"), hit("warm-disk")] }, "sata")).toEqual({ next: "All sectors are good; cool it better; look at its cable and backplane, then test it again", short: "cool it better; look at its cable" });
  expect(warned({ rules: [hit("not-whole-drive"), hit("smart-unreadable")] }, "usb").next).toBe("What was tested is good; attach it by SATA to have its own record read; Standard tests all, and erases it");
});

it("where there was nothing but to decide, it says who has; what is to be done stays", () => {
  const seen = { by: "mara", at: "2026-11-20T07:00:00Z" };
  expect(afterWords({ outcome: "WARN", rules: [hit("slow-region")] }, "sata", seen)).toBe("Kept by mara");
  expect(afterWords({ outcome: "WARN", rules: [hit("crc-errors")] }, "sata", seen)).toMatch(/look at its cable/);
  expect(afterWords({ outcome: "FAILED", rules: [] }, "sata", seen)).toBe("Take it out; put no data on it");
});

it("a record that is switched off is to be switched on, and no bridge is blamed", () => {
  expect(warned({ rules: [hit("smart-off")] }, "usb")).toEqual({ next: "All sectors are good; switch its SMART on (smartctl -s on), then test it again", short: "switch its SMART on" });
});
