/** Which system the box can go back to. */
import { expect, test } from "vitest";
import type { SlotView } from "@wire";

import { systemOf, wayBack } from "./back";

const slot = (name: string, more: Partial<SlotView>): SlotView => ({ name, version: `1.${name}`, state: "good", tries_left: 0, running: false, next: false, ...more });
const runs = slot("b", { running: true, next: true });

test("the way back is the other system, proven, and none while something is written or waits", () => {
  expect(wayBack({ slots: [slot("a", {}), runs], writing: null })?.name).toBe("a");
  expect(wayBack({ slots: [slot("a", {}), slot("b", { running: true, next: true, state: "trying" })], writing: null })?.name).toBe("a");
  for (const state of ["bad", "empty", "trying"] as const) expect(wayBack({ slots: [slot("a", { state }), runs], writing: null }), state).toBeNull();
  expect(wayBack({ slots: [slot("a", { next: true }), slot("b", { running: true })], writing: null })).toBeNull();
  expect(wayBack({ slots: [slot("a", {}), runs], writing: { version: "2", slot: "a", done: 1, chunks: 9 } as never })).toBeNull();
  expect(wayBack({ slots: [slot("a", {}), slot("b", {})], writing: null }), "nobody knows what runs").toBeNull();
  expect(wayBack({ slots: [], writing: null })).toBeNull();
});

test("a system is named by its version where one is known", () => {
  expect(systemOf(slot("a", {}))).toBe("version 1.a in slot A");
  expect(systemOf(slot("a", { version: null }))).toBe("slot A");
});
