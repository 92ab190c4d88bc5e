/** The table of meanings, over the cases that `wire` runs, too. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

import { isCritical } from "./addon/table";
import { meaningOf, meant, usualNumber } from "./meaning";
import { known } from "./view/settings/hosts/drive";

const read = (name: string) => JSON.parse(readFileSync(fileURLToPath(new URL(`../../../wire/cases/${name}.json`, import.meta.url)), "utf8")) as unknown;

interface Case { id: number; name: string; meaning: string | null }
const cases = read("meaning") as Case[];

describe("what an attribute counts", () => {
  it.each(cases)("$id $name", ({ id, name, meaning }) => expect(meaningOf(id, name)).toBe(meaning));
  it("is found under the number that most drives give it", () => {
    expect([usualNumber(160, "Uncorrectable_Error_Cnt"), usualNumber(198, "Host_Reads_GiB"), usualNumber(187, ""), usualNumber(42, "x")]).toEqual([187, null, 187, 42]);
  });
  it("decides what an add-on's table marks", () => {
    const numbers = new Set(["5", "187", "197", "198"]);
    const rows = [{ id: 198, name: "Offline_Uncorrectable" }, { id: 198, name: "Host_Reads_GiB" }, { id: 160, name: "Uncorrectable_Error_Cnt" }, { id: 9, name: "Power_On_Hours" }, { id: "197" }];
    expect(rows.map((row) => isCritical(row, numbers))).toEqual([true, false, true, false, true]);
  });
  it("decides which values of a history have a name", () => {
    const named = { "198": "Host_Reads_GiB", "160": "Uncorrectable_Error_Cnt", "197": "Current_Pending_Sector", "9": "Power_On_Hours" };
    expect(known(["9", "160", "197", "198", "score", "media_errors"], named)).toEqual([["score", "Score"], ["160", "Uncorrectable"], ["197", "Pending"], ["media_errors", "Media errors"]]);
  });
});

describe("what a line of SMART means to people", () => {
  const lines = read("smart-names") as { id: number | null; name: string; means: string }[];
  it.each(lines)("$id $name", ({ id, name, means }) => expect(meant(id, name)).toBe(means));
  it("is not made up", () => expect([meant(244, "Flux_Density"), meant(null, "flux")]).toEqual([undefined, undefined]));
});
