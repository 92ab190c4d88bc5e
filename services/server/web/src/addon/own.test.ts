import { afterEach, expect, it } from "vitest";

import { job } from "../fixtures";
import { known } from "../state/app";
import { addJobs } from "../state/store";
import { ownTest, ownTitle } from "./own";

const before = known.value;
afterEach(() => { known.value = before; });

it("a row leads to the test that it names, where this box has it", () => {
  const mine = job({ id: "0199-7", model: "Exos X18", serial: "ZRT02B7H" });
  known.value = addJobs(known.value, [mine]);
  expect([{ job_id: "0199-7" }, { job_id: "burnin-sda" }, { job_id: 7 }, {}].map(ownTest)).toEqual(["/jobs/0199-7", null, null, null]);
  expect([ownTitle(mine), ownTitle({ model: "", serial: "ZRT02B7H" })]).toEqual(["Exos X18 …2B7H", "…2B7H"]);
});
