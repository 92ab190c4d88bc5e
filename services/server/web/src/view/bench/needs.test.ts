import { describe, expect, it } from "vitest";
import type { BoxView, Drive, Job, Phase, Verdict } from "@wire";

import { drive, job, phase } from "../../fixtures";
import { needs, withAway } from "./needs";

const verdict = (outcome: Verdict["outcome"]): Verdict => ({ outcome, rules: [], summary: "It is said.", verified: 0, engine: "" });
/** A drive of its own with a job of its own. */
const pair = (serial: string, of: Partial<Job>, change: Partial<Drive> = {}): [Drive, Job] => {
  const one = drive({ serial, ...change });
  return [one, job({ id: `j-${serial}`, drive: one.id ?? "", serial, ...of })];
};
const over = (serial: string, outcome: Verdict["outcome"]) => pair(serial, { state: { kind: "finished" }, verdict: verdict(outcome) });
const told = (pairs: [Drive, Job][], box: BoxView | null = null, picked: string[] = []) =>
  needs(pairs.map(([one]) => one), new Map(pairs.map(([one, of]) => [one.id ?? "", of])), box, picked);
const box = (update: object) => ({ supervisor: { update } }) as unknown as BoxView;
const slot = (name: string, change = {}) => ({ name, state: "good", version: "2.0", running: false, next: false, tries_left: 0, ...change });

describe("needs you", () => {
  it("by urgency: heat, a drive that is out, the gate, FAILED, a trial, INCONCLUSIVE, what waits, WARN; PASSED never", () => {
    const free = drive({ serial: "FREE0001" });
    const pairs = [
      over("WARN0001", "WARN"), over("PASS0001", "PASSED"), over("FAIL0001", "FAILED"), over("INCO0001", "INCONCLUSIVE"),
      pair("WAIT0001", { state: { kind: "waiting", why: "the drive answers nothing" } }),
      pair("HOT00001", {}, { temperature: 56 }), pair("GONE0001", {}, { present: false }), pair("FINE0001", {}), pair("BAD00001", { bad_sectors: 2 }),
    ];
    const list = needs([...pairs.map(([one]) => one), free], new Map(pairs.map(([one, of]) => [one.id ?? "", of])), box({ trial: "ten minutes are not over", slots: [slot("b", { running: true })] }), [free.id ?? ""]);

    expect(list.map(({ short }) => short)).toEqual(["cool it: 56\u00a0°C", "heads for FAILED", "put it back", "confirm it", "take it out", "on trial: leave it on", "look at it", "waits", "keep it or send it back"]);
    expect(list.map(({ shape }) => shape)).toEqual(["warn", "fail", "info", "info", "fail", "warn", "inc", "info", "warn"]);
  });

  it("a drive at the limit that the box tells is fine, above it too hot; one of which it tells none is left alone", () => {
    const of = (temperature: number, change: Partial<Drive> = {}) => needs([drive({ temperature, heat_limit: 70, ...change })], new Map(), null);
    expect(of(70)).toEqual([]);
    expect(of(71).map(({ what }) => what)).toEqual(["SATA 1 …2B7H is at 71\u00a0°C; above 70\u00a0°C it is too hot"]);
    expect(of(71, { as_of: "2026-11-20T06:00:00Z" })).toEqual([]);
    const { heat_limit: _, ...untold } = drive({ temperature: 99 });
    expect(needs([untold], new Map(), null)).toEqual([]);
  });

  it("the progress of a job knows the heat before the drive's own line does", () => {
    const progress = { phase: "write", step: 0, done: 1, total: 2, rate: 1, phase_percent: null, percent: 1, eta: null, eta_job: null, temperature: 61 } as Job["progress"];
    expect(told([pair("HOT00001", { progress }, { temperature: 40 })]).map(({ act }) => act)).toEqual(["Its test"]);
  });

  it("a paused job asks for a person, one that waits for its drive does not", () => {
    expect(told([pair("P0000001", { state: { kind: "waiting", why: "paused by mara" } })])[0]).toMatchObject({ what: "SATA 1 …0001 is paused by mara", next: "It goes on when somebody presses Go on." });
    expect(told([pair("P0000001", { state: { kind: "waiting", why: "it is busy." } })])[0]).toMatchObject({ what: "SATA 1 …0001 waits: it is busy", next: expect.stringMatching(/by itself/) as string });
  });

  it("a drive that is out is named by its bay, with how far it was and how many others are not held up", () => {
    const progress = { phase: "write", step: 0, done: 1, total: 2, rate: 1, phase_percent: null, percent: 41.7, eta: null, eta_job: null, temperature: 31 } as Job["progress"];
    const gone = (change: Partial<Drive>) => pair("WD9F2K", { state: { kind: "waiting", why: "the drive is out" }, progress }, { present: false, ...change });
    expect(told([gone({ bay: "7" })])[0]).toMatchObject({ what: "Bay 7 (…9F2K) was taken out at 41 % of its test", next: "Put it back: the test goes on where it was." });
    const shelf = gone({ location: "PCI 03:00.0, SAS 0:0:0, enclosure 7:0:24:0, bay Slot 03" });
    expect(told([shelf, pair("FINE0001", {}), pair("FINE0002", {})])[0]).toMatchObject({ what: "Slot 03 (…9F2K) was taken out at 41 % of its test", next: "Put it back: the test goes on where it was. The other 2 drives go on." });
    // Where nobody named the bay, what it was plugged into.
    for (const [of, says] of [[{ bus: "nvme", location: "PCI 01:00.0, nvme0" }, "nvme0 …9F2K"], [{ bus: "usb", location: "USB 2-1" }, "USB 2-1 …9F2K"], [{ bus: "sata", location: "PCI 00:1f.2, SATA port 2" }, "SATA 2 …9F2K"]] as const) {
      expect(told([gone(of)])[0]?.what).toBe(`${says} was taken out at 41 % of its test`);
    }
    expect(told([gone({ bus: "mmc", location: "PCI 01:00.0, card slot 4" })])[0]?.what).toBe("Card slot 4 (…9F2K) was taken out at 41 % of its test");
    expect(told([gone({ location: "" }), pair("FINE0001", {})])[0]).toMatchObject({ what: "…9F2K was taken out at 41 % of its test", next: expect.stringMatching(/The other drive goes on\.$/) as string });
  });

  it("each line about a drive names where it is pulled", () => {
    const seat = { bay: "7", bus: "scsi", location: "PCI 00:03.0, SCSI 12:0:6:0" } as const;
    const lines = (change: Partial<Drive>) => [...(["FAILED", "WARN", "INCONCLUSIVE"] as const).map((outcome) => pair("WDK2CC", { state: { kind: "finished" }, verdict: verdict(outcome) }, change)), pair("WDK2CC", { bad_sectors: 2 }, change),
      pair("WDK2CC", { state: { kind: "waiting", why: "it is busy" } }, change), pair("WDK2CC", {}, { ...change, temperature: 60 }), pair("WDK2CC", { state: { kind: "aborted" }, verdict: null }, { ...change, ill: { severity: "critical", says: "It is worn" } })].map((one) => told([one])[0]?.what ?? "");
    expect(lines(seat).filter((what) => !what.startsWith("Bay 7 (…K2CC)"))).toEqual([]);
    expect(lines({ ...seat, bay: undefined } as unknown as Partial<Drive>).filter((what) => !what.startsWith("SCSI 6 …K2CC"))).toEqual([]);
    const failed = (change: Partial<Drive>) => told([pair("WDK2CC", { state: { kind: "finished" }, verdict: verdict("FAILED") }, change)])[0]?.next;
    expect([failed(seat), failed({ ...seat, present: false })]).toEqual(["Take it out; do not put data on it.", "It is not plugged in; do not put data on it."]);
  });

  it("a drive that is broken already is told before hours are given to it, and no longer once a test has its word", () => {
    const ill = { severity: "critical", says: "300 reallocated sectors", since: "2026-11-19T06:00:00Z" } as const;
    expect(needs([drive({ ill })], new Map(), null)).toMatchObject([{ shape: "fail", what: "SATA 1 …2B7H tells of itself: 300 reallocated sectors", next: "Look at it before you give it hours.", act: "The drive" }]);
    expect(needs([drive({ ill: { ...ill, severity: "warning" } })], new Map(), null)[0]?.shape).toBe("warn");
    expect(needs([drive({ ill, present: false })], new Map(), null)).toEqual([]);
    expect(told([pair("BAD00001", {}, { ill })])).toEqual([]);
    // A test that ended without a word on the drive says nothing of it.
    const aborted: Partial<Job> = { state: { kind: "aborted" }, verdict: null };
    expect(told([pair("BAD00001", aborted, { ill })]).map(({ short }) => short)).toEqual(["look first"]);
    const [one, of] = over("BAD00001", "INCONCLUSIVE");
    expect(told([[{ ...one, ill }, of]]).map(({ short }) => short)).toEqual(["look first", "look at it"]);
  });

  it("a verdict of before, or of a test that did not ask, hides nothing of what a drive tells of itself", () => {
    const since = "2026-11-20T08:00:00Z";
    const ill = { severity: "critical", says: "300 reallocated sectors", since } as const;
    const shorts = (outcome: Verdict["outcome"], ended: string, asked: Phase, of: Drive["ill"] = ill) =>
      told([pair("BAD00001", { state: { kind: "finished" }, verdict: verdict(outcome), ended, phases: [phase({ phase: asked, status: "done" })] }, { ill: of! })]).map(({ short }) => short);
    expect(shorts("PASSED", since, "smart_after")).toEqual([]);
    expect(shorts("PASSED", since, "smart_before")).toEqual([]);
    expect(shorts("PASSED", "2025-11-20T08:00:00Z", "smart_after")).toEqual(["look first"]);
    expect(shorts("PASSED", since, "verify")).toEqual(["look first"]);
    expect(shorts("WARN", "2026-11-20T07:59:59Z", "smart_after")).toEqual(["look first", "keep it or send it back"]);
    // Of when it is an earlier version did not keep.
    expect(shorts("PASSED", since, "smart_after", { severity: ill.severity, says: ill.says })).toEqual(["look first"]);
    // No one gives hours to that.
    expect(shorts("FAILED", "2025-11-20T08:00:00Z", "verify")).toEqual(["take it out"]);
  });

  it("a drive that is not offered gets no hours: what it tells of itself asks for nobody, who could not end the line", () => {
    const ill = { severity: "warning", says: "90 % of its rated life are used" } as const;
    expect(needs([drive({ ill, refused: { kind: "boot-disk", reason: "the box runs from it" } })], new Map(), null)).toEqual([]);
  });

  it("a drive that FAILED or is waited for asks on though the box has not seen it since it started", () => {
    const online = { agent: { state: "online" } } as unknown as BoxView;
    const absent = [over("FAIL0001", "FAILED"), over("WARN0001", "WARN"), over("PASS0001", "PASSED"), pair("WAIT0001", { state: { kind: "waiting", why: "the drive is out" } }), pair("RUNS0001", {})];
    const here = over("HERE0001", "FAILED");
    const jobs = new Map([...absent, here].map(([one, of]) => [one.id ?? "", of]));
    const what = (box: BoxView) => needs(withAway([here[0]], jobs, box), jobs, box).map((need) => need.what);
    expect(what(online)).toEqual(["…0001 was taken out in the middle of its test", "SATA 1 …0001: It is said", "…0001: It is said"]);
    // Until the agent tells the drives, nobody knows which are missing.
    expect(what({ agent: { state: "offline" } } as unknown as BoxView)).toEqual(["SATA 1 …0001: It is said"]);
    // By another bridge it is another drive to the box, and its label is the same.
    const [dock, failed] = over("DOCK0009", "FAILED");
    const sata = drive({ id: "sn-other-DOCK0009", key: "sn-other-DOCK0009", serial: "DOCK0009" });
    const lines = (...of: Job[]) => { const all = new Map(of.map((one) => [one.drive, one])); return needs(withAway([sata], all, online), all, online).map(({ what: told, next }) => `${told}. ${next}`); };
    expect(lines({ ...failed, drive: dock.id! })).toEqual(["SATA 1 …0009: It is said. Take it out; do not put data on it."]);
    expect(lines({ ...failed, drive: dock.id!, started: "2026-01-01T00:00:00Z" }, { ...over("DOCK0009", "PASSED")[1], drive: sata.id!, started: "2026-02-01T00:00:00Z" })).toEqual([]);
  });

  it("an end that somebody has seen asks for nobody any more; what runs, waits or is hot still does", () => {
    const acknowledged = { by: "mara", at: "2026-11-20T07:00:00Z" };
    const ends = (["WARN", "FAILED", "INCONCLUSIVE"] as const).map((outcome) => over(`SEEN${outcome}`, outcome));
    expect(told(ends).map(({ ack }) => [ack?.job.id, ack?.word])).toEqual([["j-SEENFAILED", "Noted"], ["j-SEENINCONCLUSIVE", "Noted"], ["j-SEENWARN", "Keep it"]]);
    expect(told(ends.map(([one, of]) => [one, { ...of, acknowledged }]))).toEqual([]);
    expect(told([pair("HOT00001", { state: { kind: "finished" }, verdict: verdict("WARN"), acknowledged }, { temperature: 60 })]).map(({ short }) => short)).toEqual(["cool it: 60\u00a0°C"]);
    // What was noted on this page keeps its place until one has left the list, and can be taken back there.
    const stays = ends.map(([one, of]): [Drive, Job] => [one, { ...of, acknowledged }]);
    const list = needs(stays.map(([one]) => one), new Map(stays.map(([one, of]) => [one.id ?? "", of])), null, [], new Map([["j-SEENFAILED", 44]]));
    expect(list.map(({ next, ack }) => [next, ack?.word, ack?.seen])).toEqual([["Noted; its verdict stays FAILED.", "Take it back", true]]);
    const running = told([pair("RUN00001", { acknowledged, bad_sectors: 1 }), pair("WAIT0001", { acknowledged, state: { kind: "waiting", why: "paused by mara" } })]);
    expect(running.map(({ short, ack }) => [short, ack])).toEqual([["heads for FAILED", undefined], ["paused", undefined]]);
  });

  it("an update that waits for a restart is told, one that runs and is kept is not", () => {
    expect(told([], box({ trial: null, slots: [slot("a", { running: true }), slot("b", { next: true })] })).map(({ what }) => what)).toEqual(["Version 2.0 is written and waits for a restart"]);
    expect(told([], box({ trial: null, slots: [slot("a", { running: true, next: true }), slot("b")] }))).toEqual([]);
  });
  it("bad memory of the box is told as that, and heads no drive for FAILED", () => {
    const finding = (kind: "host_memory" | "bit_flip" | "lost_write") => ({ kind, lba: 1, sectors: 1, found: null, phase: "verify" as const, step: 1, detail: "" });
    const running = (kinds: Parameters<typeof finding>[0][]) => pair("MEMO0001", { state: { kind: "running" }, verdict: null, bad_sectors: 1, findings: kinds.map(finding) });
    expect(told([running(["host_memory", "bit_flip"])])[0]?.what).toContain("memory is bad");
    expect(told([running(["host_memory", "lost_write"])])[0]?.what).toContain("heading for FAILED");
    expect(told([running(["bit_flip"])])[0]?.what).toContain("heading for FAILED");
  });
});
