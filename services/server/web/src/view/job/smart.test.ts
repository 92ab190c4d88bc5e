import { describe, expect, it } from "vitest";
import type { SmartRow } from "@wire";

import { meant } from "../../meaning";
import { barOf, limitWords, once, sorted, weightOf } from "./smart";

describe("SMART", () => {
  const row = (id: number | null, before: number | null, after: number | null, name = "x"): SmartRow => ({ id, name, before, after });
  it("what got worse in the drive stands first, what blames the cable after it, and falling or unknown counts never", () => {
    const rows = [row(9, 1, 2), row(199, 0, 1), row(5, 0, 8), row(1, 0, 0)];
    expect(sorted(rows).map((r) => r.id)).toEqual([5, 199, 9, 1]);
    expect([row(5, 0, 8), row(5, 8, 8), row(5, 8, 0), row(5, null, 8), row(199, 0, 1), row(null, 0, 1, "media_errors")].map(weightOf)).toEqual(["fail", "", "", "", "warn", "fail"]);
  });
  it("goes by what the name tells, not by the number alone", () => {
    const of = (id: number, name: string) => weightOf(row(id, 0, 7, name));
    expect([of(198, "Host_Reads_GiB"), of(184, "Factory_Bad_Block_Count"), of(160, "Uncorrectable_Error_Cnt"), of(210, "SATA_CRC_Error_Count"), of(197, "Current_Pending_Sector")]).toEqual(["", "", "fail", "warn", "fail"]);
    // One flips by itself.
    const ecc = (before: number, after: number) => weightOf(row(197, before, after, "Current_Pending_ECC_Cnt"));
    expect([ecc(0, 1), ecc(0, 2), ecc(1, 2), ecc(2, 1)]).toEqual(["", "fail", "fail", ""]);
    expect([meant(198, "Host_Reads_GiB"), meant(160, "Uncorrectable_Error_Cnt")]).toEqual(["Read in its life, as the drive counts. It rises by use.", "Reads that the drive could not correct. A rise is bad."]);
  });
  it("tells a thing once: the numbered row stands for one without a number that says the same", () => {
    const rows = [row(9, 100, 101, "Power_On_Hours"), row(12, 7, 7, "Power_Cycle_Count"), row(190, 30, 31, "Airflow_Temperature_Cel"), row(null, 100, 101, "power_on_hours"), row(null, 7, 7, "power_cycles"), row(null, 30, 31, "temperature")];
    expect(once(rows).map(({ id }) => id)).toEqual([9, 12, 190]);
    // Another figure is another thing, and so is what is judged, or what nobody knows.
    const apart = [row(9, 6000, 6060, "Power_On_Hours"), row(null, 100, 101, "power_on_hours"), { ...row(null, 6000, 6060, "power_on_hours"), limit: { warn: 1 } }, row(1, 6000, 6060, "x"), row(null, 6000, 6060, "y")];
    expect(once(apart)).toEqual(apart);
  });
  it("has a tick at each limit of a change, on a scale of its own, and none where nobody judges it", () => {
    const held = (change: number, limit: SmartRow["limit"]): SmartRow => ({ ...row(188, 0, change), ...(limit && { limit }) });
    const at = (of: SmartRow, most = 1e12) => { const { width, ticks } = barOf(of, most); return [Math.round(width), ...ticks.map((tick) => `${tick.word} ${Math.round(tick.at)}`)]; };
    expect(at(held(0, { failed: 1 }))).toEqual([0, "FAILED 63"]);
    expect(at(held(1, { failed: 1 }))).toEqual([63, "FAILED 63"]);
    expect(at(held(8, { failed: 1 }))).toEqual([100, "FAILED 32"]);
    expect(at(held(3, { failed: 10, warn: 1 }))).toEqual([46, "WARN 23", "FAILED 79"]);
    expect(at(held(9, undefined), 9)).toEqual([100]);
    // A limit of a fall says nothing beside a rise.
    expect([at(held(5, { warn: -1 }), 5), at(held(-1, { warn: -1 }))]).toEqual([[100], [63, "WARN 63"]]);
    expect([limitWords(held(0, { failed: 10, warn: 1 })), limitWords(held(0, { warn: -2 })), limitWords(held(0, undefined))]).toEqual(["WARN from +1, FAILED from +10", "WARN from -2", ""]);
  });
});
