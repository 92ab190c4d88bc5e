import { expect, it } from "vitest";

import { plan, planDrive } from "../../fixtures";
import { lossWords } from "./reading";

it("the gate's lead counts what is lost", () => {
  const full = planDrive("BBBBCCCC", { content: { state: "found", signatures: [], summary: "ext4" } });
  expect(lossWords(plan([planDrive("AAAABBBB"), full]))).toMatch(/^2 drives, 8.TB in all\. 1 of them holds something\./);
  expect(lossWords(plan([full]))).toMatch(/It holds something/);
});
