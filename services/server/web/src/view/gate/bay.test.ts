import { expect, it } from "vitest";

import { drive, planDrive } from "../../fixtures";
import { modelWords, whichWords } from "./bay";

it("the gate names a drive by its bay, else by its place, and by a number where neither is known", () => {
  const loop = { location: "", bus: "loop", kernel_name: "loop11" } as const;
  expect([drive({ bay: "5" }), drive({ bay: "Bay 7" }), drive(), drive(loop), drive({ ...loop, as_of: "2026-11-20T06:05:00Z" }), undefined].map((one) => whichWords(one, 1))).toEqual([
    "the drive in bay 5", "the drive in bay 7", "the drive at SATA port 1", "the drive at loop11", "drive 2", "drive 2",
  ]);
});

it("a bay's name that the plate has no room for stands before the model", () => {
  const planned = planDrive("ZRT02B7H", { model: "Exos X18" });
  expect(modelWords(planned, drive({ bay: "front, second from left" }))).toBe("front, second from left: Exos X18");
  expect([modelWords(planned, drive({ bay: "5" })), modelWords(planned, undefined)]).toEqual(["Exos X18", "Exos X18"]);
});
