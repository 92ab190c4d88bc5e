import { expect, it } from "vitest";

import { job, OPTIONS, phase } from "../../fixtures";
import { formats, outOfDate } from "./evidence";

it("a certificate is out of date a year after it was signed, as every check says", () => {
  const info = { id: "K", key: "", made: "2026-01-01T00:00:00Z", revoked: null };
  expect([364, 365, 366].map((days) => outOfDate(info, Date.parse(info.made) + days * 86_400_000))).toEqual([false, false, true]);
});

it("a partition that the playbook makes by itself is told of as one that a person chose", () => {
  const plain = job({ phases: [phase({ phase: "write" })] });
  expect(formats(plain)).toBe(false);
  expect(formats({ ...plain, phases: [phase({ phase: "write" }), phase({ phase: "partition" })] })).toBe(true);
  expect(formats({ ...plain, options: { ...OPTIONS, format: { table: "auto", filesystem: "ext4", reserved_percent: 0, label: "" } } })).toBe(true);
});
