import { describe, expect, it } from "vitest";
import type { Drive, Job, Verdict } from "@wire";

import { drive, finding, job, phase } from "../../fixtures";
import { canChoose, plateOf } from "../../state/store";
import { say, title } from "./card";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const verdict = (outcome: Verdict["outcome"]): Verdict => ({ outcome, rules: [], summary: `${outcome} because.`, verified: 1e9, engine: "0.1.0" });
const done = (outcome: Verdict["outcome"], change = {}) => job({ state: { kind: "finished" }, verdict: verdict(outcome), ended: "2026-11-20T11:46:00Z", ...change });

describe("a card", () => {
  it("says of a drive that holds something how full it is, in few words", () => {
    const signature = { partition: 1, kind: "ext4", label: "photos", uuid: null, name: null, used: 3_100_000_000_000, mounted: "2026-03-12T11:20:00Z" };
    const content = { state: "found" as const, summary: "GPT, 1 partition: ext4 \"photos\" (3.1 TB used, last mounted 12 March 2026)", signatures: [signature] };
    expect(say(drive({ content }), undefined, NOW)).toMatchObject({ word: "“photos”", line: "GPT, 1 partition: ext4, 3.1\u00a0TB used" });
    expect(say(drive({ content: { ...content, summary: "ext4 (3.1 TB used)", signatures: [{ ...signature, label: null }] } }), undefined, NOW)).toMatchObject({ word: "ext4", line: "3.1\u00a0TB used" });
  });
  it("cuts no label, also one that has the words of counts", () => {
    const of = (label: string) => ({ partition: 1, kind: "ext4", label, uuid: null, name: null, used: 3_100_000_000_000 });
    const content = { state: "found" as const, summary: 'GPT, 2 partitions: ext4 "Anna (used for films)" (3.10 TB used), ext4 "Ben (last mounted by Ben)" (3.10 TB used)', signatures: [of("Anna (used for films)"), of("Ben (last mounted by Ben)")] };
    expect(say(drive({ content }), undefined, NOW)).toMatchObject({ word: "“Anna (used for films)”", line: "GPT, 2 partitions: ext4, ext4 “Ben (last mounted by Ben)”, 6.2\u00a0TB used" });
  });
  it("says what is on an idle drive", () => expect(say(drive(), undefined, NOW)).toMatchObject({ kind: "idle", word: "No known content" }));
  it("says why a drive is not offered", () => {
    expect(say(drive({ refused: { kind: "mounted", reason: "mounted at /mnt" } }), undefined, NOW)).toMatchObject({ kind: "locked", line: "mounted at /mnt" });
  });
  it("a running job wins over a refusal that the job itself causes", () => {
    expect(say(drive({ refused: { kind: "busy", reason: "being burned in" } }), job(), NOW)).toMatchObject({ kind: "hot", word: "Verify" });
  });
  it("between two steps says which comes next, and behind the last that the verdict is made, never that it starts", () => {
    const steps = (...statuses: ("done" | "skipped" | "running" | "pending")[]) => job({ phases: (["smart_before", "probe", "write", "verify", "smart_after"] as const).map((of, i) => phase({ phase: of, status: statuses[i] ?? "pending" })) });
    const words = (of: Job) => { const { word, line, foot } = say(drive(), of, NOW); return [word, line, foot[2]]; };
    expect(words(steps())).toEqual(["Starting", "step 1 of 5", "starting"]);
    expect(words(steps("running"))).toEqual(["SMART before", "step 1 of 5", "starting"]);
    expect(words(steps("done", "done", "done"))).toEqual(["Next: Verify", "step 4 of 5", "estimating"]);
    expect(words(steps("skipped", "done", "done", "done", "running"))).toEqual(["SMART after", "step 5 of 5", "nearly done"]);
    expect(words(steps("skipped", "done", "done", "done", "skipped"))).toEqual(["Ending", "its verdict is being signed", "nearly done"]);
  });
  it("says beneath a verdict what is on the drive now, which may have come since", () => {
    const signature = { partition: 0, kind: "ext4", label: "taxes2025", uuid: null, name: null, used: 42_000_000 };
    const content = { state: "found" as const, summary: "ext4 \"taxes2025\" (42 MB used)", signatures: [signature] };
    for (const outcome of ["PASSED", "WARN", "INCONCLUSIVE", "FAILED"] as const) {
      expect(say(drive({ content }), done(outcome), NOW)).toMatchObject({ word: outcome, holds: "Now: “taxes2025”, ext4, 42\u00a0MB used" });
      expect(say(drive(), done(outcome), NOW).holds).toBeUndefined();
    }
    expect(say(drive({ content, present: false }), done("PASSED"), NOW).holds).toBeUndefined();
  });
  it("bad sectors are told while they are found", () => expect(say(drive(), job({ bad_sectors: 3 }), NOW).line).toBe("3 bad sectors"));
  it("a pulled drive with an open job waits, and an old verdict is not shown for a drive that is out", () => {
    expect(say(drive({ present: false }), job(), NOW)).toMatchObject({ word: "Waiting" });
    expect(say(drive({ present: false }), done("PASSED"), NOW)).toMatchObject({ word: "Pulled" });
  });
  it("a verdict that nobody has seen stands on the card of a drive that is out", () => {
    const words = (change = {}) => say(drive({ present: false }), done("INCONCLUSIVE", change), NOW);
    expect(words()).toMatchObject({ kind: "gone", word: "INCONCLUSIVE", line: expect.stringMatching(/^out since /) as string });
    expect(words({ acknowledged: { at: "2026-11-20T12:00:00Z", by: "mara" } }).word).toBe("Pulled");
  });
  it("a test that a person paused waits for that person; another one goes on by itself", () => {
    const foot = (why: string) => say(drive(), job({ state: { kind: "waiting", why } }), NOW);
    expect(foot("paused by mara")).toMatchObject({ kind: "held", word: "Paused", line: "by mara", foot: ["31\u00a0°C", "", "waits for Go on"] });
    expect(foot("too hot")).toMatchObject({ word: "Waiting", line: "too hot", foot: ["31\u00a0°C", "", "goes on by itself"] });
  });
  it("a running test of which nothing comes shows neither rate nor time left as of now", () => {
    const progress = { phase: "verify" as const, step: 1, done: 1, total: 2, rate: 2e8, eta: 100, eta_job: 7200, percent: 50, phase_percent: 50, temperature: 40 };
    expect(say(drive(), job({ progress }), NOW).foot).toEqual(["40\u00a0°C", "200\u00a0MB/s", "about 2\u00a0h"]);
    expect(say(drive(), job({ progress }), NOW, 20)).toMatchObject({ kind: "hot stale", word: "Verify", foot: "Nothing heard for 20\u00a0s" });
    expect(say(drive({ present: false }), job({ progress }), NOW, 20).kind).toBe("held");
  });
  it("a drive that nobody watches says of when it is, and cannot be chosen", () => {
    const then = drive({ as_of: "2026-11-20T06:05:00Z", kernel_name: "sdc", location: "" });
    expect(say(then, undefined, NOW)).toMatchObject({ kind: "idle stale", word: "No known content", foot: expect.stringMatching(/^As of \d\d:05; not seen since$/) as string });
    expect(say(then, job(), NOW)).toMatchObject({ kind: "hot stale", word: "Verify" });
    expect(say(then, done("PASSED"), NOW).word).toBe("PASSED");
    expect(canChoose(then, undefined)).toBe(false);
    expect([plateOf(then), plateOf(drive({ kernel_name: "sdc", location: "" }))]).toEqual(["was sdc", "sdc"]);
  });
  it("a bay's name stands on the plate, or before the model where it is longer", () => {
    const [short, long] = [drive({ bay: "front 2" }), drive({ bay: "front, second from left" })];
    expect([plateOf(short), title(short)]).toEqual(["front 2", "Exos X18"]);
    expect([plateOf(long), title(long)]).toEqual(["1", "front, second from left: Exos X18"]);
    const shelf = (name: string) => drive({ bus: "scsi", location: `PCI 03:00.0, SAS 0:0:0, bay ${name}` });
    expect([plateOf(shelf("Slot 03")), title(shelf("Slot 03"))]).toEqual(["Slot 03", "Exos X18"]);
    expect(title(shelf("ArrayDevice07"))).toBe("ArrayDevice07: Exos X18");
    expect(title(drive({ model: "" }))).toBe("no model told");
  });
  it("a verdict stays the word; what the drive began to tell of itself since stands at the foot", () => {
    const ill = { severity: "critical", says: "300 reallocated sectors", since: "2026-11-20T11:46:00Z" } as const;
    const asked = [phase({ phase: "smart_after", status: "done" })];
    const foot = (outcome: Verdict["outcome"], change = {}, of: Drive["ill"] = ill) => say(drive({ ill: of! }), done(outcome, { phases: asked, ...change }), NOW);
    expect(foot("PASSED")).toMatchObject({ word: "PASSED", foot: ["31\u00a0°C", "", "14\u00a0min ago"] });
    expect(foot("PASSED", { ended: "2026-11-20T11:45:00Z" })).toMatchObject({ word: "PASSED", foot: ["31\u00a0°C", "", "SMART: bad"] });
    expect(foot("WARN", { phases: [] }, { ...ill, severity: "warning" }).foot).toContain("SMART: look");
    expect(say(drive({ ill }), undefined, NOW).foot).toEqual(["31\u00a0°C", "", "SMART: bad"]);
  });
  it("a failed drive shows where, as the wall does", () => {
    expect(say(drive(), done("FAILED", { findings: [finding({ lba: 2_000_000, sectors: 9 })] }), NOW)).toMatchObject({ word: "FAILED", foot: "at 1.02\u00a0GB" });
  });
  it("a drive that failed into write protection says that it failed, and beneath why it is not offered", () => {
    const refused = { kind: "write-protected", reason: "it is write-protected" };
    const failed = say(drive({ refused }), done("FAILED", { findings: [finding({ lba: 77 })] }), NOW);
    expect(failed).toMatchObject({ word: "FAILED", foot: "Not offered: it is write-protected" });
    expect(failed.kind).toMatch(/^done is-fail/);
    expect(say(drive({ refused }), done("PASSED"), NOW)).toMatchObject({ kind: "locked", word: "Not offered" });
  });
  it.each(["PASSED", "WARN", "INCONCLUSIVE"] as const)("%s is its word", (outcome) => expect(say(drive(), done(outcome), NOW).word).toBe(outcome));
});
