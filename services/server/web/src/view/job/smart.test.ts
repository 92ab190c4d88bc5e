import { describe, expect, it } from "vitest";
import type { SmartRow } from "@wire";

import { meant } from "../../meaning";
import { sorted, weightOf } from "./smart";

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
});
