/** The pure parts of the pictures and forms: time line, latencies, SMART, options, playbook text, certificates. */
import { describe, expect, it } from "vitest";
import type { CertificateCheck, CertificateEntry, Outcome, SmartRow, TimePoint } from "@wire";

import { curves, isBackwards } from "../curve";
import { job, OPTIONS, phase, plan, planDrive } from "../fixtures";
import { placeOf } from "../route";
import { complete, GIVE_UP, giveUpKey } from "../state/gate";
import { canGiveUp } from "../state/store";
import { drive } from "../fixtures";
import { answers } from "./certificate/list";
import { outOfDate } from "./job/evidence";
import { head } from "./certificate/verify";
import { formatWords, optionWords } from "./gate/options";
import { height, micros, span } from "./job/latency";
import { meaning, sorted, weightOf } from "./job/smart";
import { shareOf, stepName } from "./job/steps";
import { bands, over, since } from "./job/timeline";
import { lineIn, nameIn } from "./playbook/editor";

const point = (second: number, change: Partial<TimePoint> = {}): TimePoint => ({ at: new Date(second * 1000).toISOString(), step: 0, temperature: 30, rate: 100, bad_sectors: 0, ...change });

describe("the time line", () => {
  it("puts values at their share of the time and leaves out what no sensor told", () => {
    expect(over([point(0), point(50, { temperature: null }), point(100, { temperature: 40 })], 0, 100_000, (p) => p.temperature)).toEqual([[0, 30], [1, 40]]);
  });
  it("goes on where the list that the box kept ends, though the stream's is the shorter one", () => {
    const kept = Array.from({ length: 600 }, (_, i) => point((i + 1) / 6));
    const told = Array.from({ length: 300 }, (_, i) => point(((i + 1) * 2) / 3, { bad_sectors: i < 224 ? 0 : 4 }));
    const all = since(kept, told);
    expect([all.length, all.at(-1)]).toEqual([750, told.at(-1)]);
    expect(all.findIndex((p) => p.bad_sectors > 0)).toBe(all.findIndex((p) => p.at === point(150).at));
    expect([since([], told), since(kept, [])]).toEqual([told, kept]);
  });
  it("a step lasts until the next begins", () => {
    expect(bands([point(0), point(20), point(50, { step: 1 }), point(80, { step: 1 })], 0, 100_000)).toEqual([{ step: 0, x: 0, width: 0.5 }, { step: 1, x: 0.5, width: 0.5 }]);
  });
});

describe("latencies", () => {
  const surface = (latencies: number[]) => ({ phase: "write" as const, step: 0, zones: [], p50_us: 1, p99_us: 2, max_us: 3, latencies });
  it("share one axis from the first to the last bin of all steps", () => {
    expect(span([surface([0, 0, 5]), surface([0, 1, 0, 0, 2])])).toEqual({ first: 1, last: 4 });
    expect(span([surface([0, 0])])).toBeNull();
  });
  it("one slow access among a million is still seen", () => {
    expect(height(0, 1e6)).toBe(0);
    expect(height(1, 1e6)).toBeGreaterThan(0.03);
    expect(height(1e6, 1e6)).toBe(1);
  });
  it("are read in the unit that fits", () => expect([512, 8192, 2_097_152].map(micros)).toEqual(["512\u00a0µs", "8.19\u00a0ms", "2.1\u00a0s"]));
});

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
    expect([meaning(row(198, 0, 7, "Host_Reads_GiB")), meaning(row(1, 0, 7, "Raw_Read_Error_Rate")), meaning(row(160, 0, 7, "Uncorrectable_Error_Cnt"))]).toEqual([undefined, "Its maker's own count; only comparable with itself.", "Reads that the drive could not correct."]);
  });
});

describe("steps", () => {
  it("are told apart by their notes, and a self-test has a share without bytes", () => {
    const of = job({ phases: [phase(), phase({ note: "pass 2, backwards", status: "running" })], progress: { phase: "write", step: 1, done: 0, total: 0, rate: 0, eta: null, eta_job: null, percent: 50, temperature: null, phase_percent: 40 } });
    expect([stepName(of, 0, "write"), stepName(of, 1, "write")]).toEqual(["Write", "Write (pass 2, backwards)"]);
    expect([shareOf(of, 0), shareOf(of, 1)]).toEqual([null, 0.4]);
    expect([isBackwards(""), isBackwards("pass 2, backwards")]).toEqual([false, true]);
  });
  it("backwards, the trail grows from the end of the drive", () => {
    const of = job({ phases: [phase({ note: "backwards", status: "running" })], surface: [] });
    expect(curves(of, { step: 0, points: [[0.1, 90], [0.2, 80]] })[0]?.points).toEqual([[0.8, 80], [0.9, 90]]);
  });
});

describe("options", () => {
  it("say only what is not as usual", () => {
    expect(optionWords(OPTIONS)).toEqual([]);
    const format = { table: "auto", filesystem: "ext4", reserved_percent: 2, label: "bulk" } as const;
    expect(optionWords({ ...OPTIONS, profile: "new", soak_hours: 24, format })).toEqual(["judged as sold new", "soak for 24 h", "formatted afterwards: ext4 “bulk”, 2 % kept for root"]);
    expect(formatWords({ ...format, filesystem: "exfat", table: "gpt", label: "" })).toBe("exFAT, GPT");
  });
  it("a member is given up only in words, beside its label", () => {
    const of = plan([planDrive("WD-1234", { given_up: ["md member of 7f3a"] })]);
    const id = of.drives[0]?.id ?? "";
    expect(complete(of, { [id]: "1234" })).toBe(false);
    expect(complete(of, { [id]: "1234", [giveUpKey(id)]: "give" })).toBe(false);
    expect(complete(of, { [giveUpKey(id)]: GIVE_UP })).toBe(false);
    expect(complete(of, { [id]: "1234", [giveUpKey(id)]: "  give  up " })).toBe(true);
  });
  it("only what does not run can be given up", () => {
    for (const kind of ["lvm-member", "ceph-member", "luks"]) expect(canGiveUp(drive({ refused: { kind, reason: "" } }), undefined)).toBe(true);
    expect(canGiveUp(drive({ refused: { kind: "mounted", reason: "" } }), undefined)).toBe(false);
    expect(canGiveUp(drive(), undefined)).toBe(false);
    expect(canGiveUp(drive({ refused: { kind: "lvm-member", reason: "" } }), job())).toBe(false);
  });
});

describe("a playbook's text", () => {
  it("names itself and the line of an error is found in the box's words", () => {
    expect(nameIn('# name = "no"\n name = "mine"\n')).toBe("mine");
    expect(nameIn("about = 1")).toBe("");
    expect(lineIn("mine.toml: line 12, field `do`: \"dance\"")).toBe(12);
    expect(lineIn("nothing of the kind")).toBeNull();
  });
  it("and its places are places", () => {
    expect(placeOf("/playbooks/my-soak")).toEqual({ name: "playbook", id: "my-soak" });
    expect(placeOf("/verify")).toEqual({ name: "verify" });
    expect(placeOf("/certificates/x").name).toBe("nowhere");
  });
});

it("certificates are found by number, drive, verdict and whether they hold", () => {
  const entry: CertificateEntry = { job: "j", drive: "d", model: "Exos X18", serial: "ZR5A4T9C", capacity: 1, playbook: "standard", outcome: "PASSED", info: { id: "KC-1234", key: "ab", made: "2026-11-20T06:00:00Z", revoked: null } };
  expect([answers(entry, "kc-12 exos"), answers(entry, "passed 4t9c"), answers(entry, "revoked")]).toEqual([true, true, false]);
  expect(answers({ ...entry, info: { ...entry.info, revoked: { at: "", job: "j", why: "failed" } } }, "revoked")).toBe(true);
});

describe("the check of a certificate", () => {
  const check = (standing: CertificateCheck["standing"], outcome: Outcome) => ({ standing, told: "", says: { outcome } }) as unknown as CertificateCheck;
  it("has the drive's verdict large, and no tick for one that did not pass", () => {
    for (const [outcome, shape] of [["PASSED", "pass"], ["WARN", "warn"], ["FAILED", "fail"], ["INCONCLUSIVE", "inc"]] as const) {
      expect(head(check("trusted", outcome))).toEqual({ shape, word: outcome, beneath: "Genuine" });
    }
    expect(head({ ...check("trusted", "PASSED"), says: null }).shape).toBe("inc");
  });
  it("has no verdict large that nobody here vouches for", () => {
    expect(head(check("unknown_key", "PASSED"))).toEqual({ shape: "warn", word: "Whole, but by an unknown key", beneath: "" });
    expect(head(check("bad", "PASSED"))).toEqual({ shape: "fail", word: "Not to be relied on", beneath: "" });
  });
  it("a certificate is out of date a year after it was signed, as every check says", () => {
    const info = { id: "K", key: "", made: "2026-01-01T00:00:00Z", revoked: null };
    expect([364, 365, 366].map((days) => outOfDate(info, Date.parse(info.made) + days * 86_400_000))).toEqual([false, false, true]);
  });
});
