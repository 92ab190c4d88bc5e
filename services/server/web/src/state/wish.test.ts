import { expect, it } from "vitest";

import { readWish } from "./wish";

it("a wish that was kept is read as it was; one that cannot be read is for no drive, and none is none", () => {
  const scan = { drives: ["a"], bench: true, readOnly: true, playbook: "scan", reads: true, options: { soak_hours: 2 }, cut: "before" as const };
  expect(readWish(JSON.parse(JSON.stringify(scan)))).toEqual(scan);
  expect(readWish({ drives: ["a", "b"] })).toEqual({ drives: ["a", "b"], bench: false, readOnly: false, reads: false });
  for (const odd of [7, "scan", {}, { drives: "a" }, { drives: [1] }, { readOnly: true }]) expect(readWish(odd)).toEqual({ drives: [] });
  expect([readWish(null), readWish(undefined)]).toEqual([null, null]);
});
