import { expect, it } from "vitest";

import { outOfDate } from "./evidence";

it("a certificate is out of date a year after it was signed, as every check says", () => {
  const info = { id: "K", key: "", made: "2026-01-01T00:00:00Z", revoked: null };
  expect([364, 365, 366].map((days) => outOfDate(info, Date.parse(info.made) + days * 86_400_000))).toEqual([false, false, true]);
});
