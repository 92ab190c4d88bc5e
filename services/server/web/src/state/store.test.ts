import { describe, expect, it } from "vitest";
import type { Bus, Event, Job, Outcome, Phase, Progress } from "@wire";

import { drive, job } from "../fixtures";
import { addJobs, bayOf, byGroup, canChoose, canGiveUp, decode, hottestOf, lastWords, LOG_LINES, matches, mergeEvents, NOTHING, plateOf, reduce, staysChosen, type Known, type News } from "./store";

const after = (...news: News[]): Known => news.reduce(reduce, NOTHING);
const progress = (done: number, change: Partial<Progress> = {}): Progress => ({
  phase: "verify", step: 1, done, total: 1000, rate: 50, eta: 10, eta_job: 20, percent: 50, temperature: 40, phase_percent: null, ...change,
});
const event = (seq: number): Event => ({
  seq, id: `e${seq}`, type: "x.y", ts: "2026-11-20T06:00:00Z", severity: "info", actor: { kind: "agent", name: "agent" }, message: "", data: null, prev_hash: "", hash: "",
});

describe("messages of the stream", () => {
  it("an unknown word or broken JSON is left out", () => {
    expect(decode("weather", "{}")).toBeNull();
    expect(decode("drives", "[")).toBeNull();
    expect(decode("drives", "[]")).toEqual({ type: "drives", data: [] });
  });
  it("no list of drives yet is not an empty list", () => {
    expect(NOTHING.drives).toBeNull();
    expect(after({ type: "drives", data: [] }).drives).toEqual([]);
  });
  it("a drive that did not change keeps its identity, so that its card is not drawn again", () => {
    const one = after({ type: "drives", data: [drive(), drive({ serial: "OTHER", temperature: 30 })] });
    const two = reduce(one, { type: "drives", data: [drive(), drive({ serial: "OTHER", temperature: 31 })] }, 0);
    expect(two.drives?.[0]).toBe(one.drives?.[0]);
    expect(two.drives?.[1]).not.toBe(one.drives?.[1]);
  });
  it("jobs that were asked for come beside the stream's, and change none of them", () => {
    const known = after({ type: "job", data: job({ bad_sectors: 3 }) });
    const added = addJobs(known, [job(), job({ id: "0100-1" })]);
    expect([...added.jobs.values()].map(({ id, bad_sectors }) => [id, bad_sectors])).toEqual([["0199-1", 3], ["0100-1", 0]]);
    expect(addJobs(added, [job()])).toBe(added);
  });
  it("progress changes its job alone and leaves a trail over the surface", () => {
    const known = after(
      { type: "job", data: job() }, { type: "job", data: job({ id: "0199-2", drive: "other" }) },
      { type: "progress", data: { job: "0199-1", progress: progress(100) } },
      { type: "progress", data: { job: "0199-1", progress: progress(200, { rate: 60 }) } },
    );
    expect(known.jobs.get("0199-1")?.progress?.done).toBe(200);
    expect(known.jobs.get("0199-2")?.progress).toBeNull();
    expect(known.trails.get("0199-1")?.points).toEqual([[0.1, 50], [0.2, 60]]);
  });
  it("a test that is paused or stands still leaves no trail: its rate is a mean that runs out", () => {
    const told = (done: number, rate: number): News => ({ type: "progress", data: { job: "0199-1", progress: progress(done, { rate }) } });
    const moved = after({ type: "job", data: job() }, told(100, 50), told(100, 20));
    expect(moved.trails.get("0199-1")?.points).toEqual([[0.1, 50]]);
    const paused = [{ type: "job", data: job({ state: { kind: "waiting", why: "paused by mara" } }) } as const, told(101, 5), told(101, 1)].reduce<Known>(reduce, moved);
    expect([paused.trails.get("0199-1")?.points, paused.jobs.get("0199-1")?.progress?.rate]).toEqual([[[0.1, 50]], 1]);
  });
  it("a resume goes back, and the trail with it; another phase begins a new one", () => {
    const base = after({ type: "job", data: job() }, ...[100, 200, 300].map((done): News => ({ type: "progress", data: { job: "0199-1", progress: progress(done) } })));
    const back = reduce(base, { type: "progress", data: { job: "0199-1", progress: progress(150) } }, 0);
    expect(back.trails.get("0199-1")?.points.map(([x]) => x)).toEqual([0.1, 0.15]);
    const next = reduce(back, { type: "progress", data: { job: "0199-1", progress: progress(10, { phase: "verify", step: 2 }) } }, 0);
    expect(next.trails.get("0199-1")).toEqual({ step: 2, points: [[0.01, 50]] });
  });
  it("progress of an unknown job changes nothing", () => {
    expect(after({ type: "progress", data: { job: "nobody", progress: progress(1) } })).toBe(NOTHING);
  });
  it("log lines are bounded, and those of no job are not kept", () => {
    const line = (message: string) => ({ level: "info", message, source: "engine" });
    let known = after({ type: "log", data: { job: null, line: line("x") } });
    expect(known.logs.size).toBe(0);
    for (let i = 0; i < LOG_LINES + 5; i++) known = reduce(known, { type: "log", data: { job: "j", line: line(`${i}`) } }, 0);
    expect(known.logs.get("j")).toHaveLength(LOG_LINES);
    expect(known.logs.get("j")?.at(-1)?.message).toBe(`${LOG_LINES + 4}`);
  });
  it("events are in order and each once, however they come", () => {
    expect(mergeEvents([event(2), event(5)], [event(5), event(1), event(3)]).map((e) => e.seq)).toEqual([1, 2, 3, 5]);
    expect(after({ type: "event", data: event(4) }, { type: "event", data: event(4) }, { type: "event", data: event(6) }).events.map((e) => e.seq)).toEqual([4, 6]);
  });
});

describe("what follows from what is known", () => {
  it("the newest job of a drive counts", () => {
    const jobs = after({ type: "job", data: job({ id: "0199-2" }) }, { type: "job", data: job({ id: "0199-1" }) }).jobs;
    expect(lastWords(jobs).get(job().drive)?.id).toBe("0199-2");
  });
  it("a failure has the last word until a later job has written and read back everything", () => {
    const over = (id: string, outcome: Outcome, phases: Phase[] = ["write", "verify"], kind: "finished" | "aborted" = "finished") =>
      ({ type: "job" as const, data: job({ id, state: { kind }, verdict: { ...job().verdict!, outcome }, phases: phases.map((phase) => ({ ...job().phases[0]!, phase, status: "done" as const })) }) });
    const last = (...news: News[]) => lastWords(after(over("0199-1", "FAILED"), ...news).jobs).get(job().drive)?.id;
    expect(last(over("0199-2", "WARN", ["scan"]))).toBe("0199-1");
    expect(last(over("0199-2", "INCONCLUSIVE", ["write"], "aborted"))).toBe("0199-1");
    expect(last(over("0199-2", "PASSED"))).toBe("0199-2");
    expect(last(over("0199-2", "FAILED", ["scan"]))).toBe("0199-2");
    const constant = over("0199-2", "WARN");
    constant.data.verdict!.rules = [{ id: "constant-pattern", outcome: "WARN", value: "", limit: "", source: "", means: "" }];
    expect(last(constant)).toBe("0199-1");
    // What the drive said of itself is asked again before it is good.
    const asked: Phase[] = ["smart_before", "write", "verify", "smart_after"];
    const failed = over("0199-1", "FAILED", asked);
    expect(last(failed, over("0199-2", "PASSED"))).toBe("0199-1");
    expect(last(failed, over("0199-2", "FAILED"), over("0199-3", "PASSED"))).toBe("0199-2");
    expect(last(failed, over("0199-2", "PASSED"), over("0199-3", "PASSED", asked))).toBe("0199-3");
    expect(last({ type: "job", data: job({ id: "0199-2", state: { kind: "running" }, verdict: null }) }, over("0199-3", "WARN", ["scan"]))).toBe("0199-1");
    expect(last(over("0199-2", "WARN", ["scan"]), { type: "job", data: job({ id: "0199-3", state: { kind: "running" }, verdict: null }) })).toBe("0199-3");
  });
  it("a job that waits measures no heat", () => {
    const progress_ = progress(1, { temperature: 34 });
    const hottest = (kind: Job["state"]) => hottestOf([drive({ temperature: 72 })], new Map([[drive().id!, job({ progress: progress_, state: kind })]]))?.heat;
    expect([hottest({ kind: "running" }), hottest({ kind: "waiting", why: "too hot" })]).toEqual([34, 72]);
  });
  it("only a present, named, unused drive may be chosen", () => {
    expect(canChoose(drive(), undefined)).toBe(true);
    expect(canChoose(drive(), job({ state: { kind: "finished" } }))).toBe(true);
    expect(canChoose(drive({ present: false }), undefined)).toBe(false);
    expect(canChoose(drive({ id: null }), undefined)).toBe(false);
    expect(canChoose(drive({ refused: { kind: "mounted", reason: "mounted at /" } }), undefined)).toBe(false);
    expect(canChoose(drive(), job())).toBe(false);
    expect(canChoose(drive(), job({ state: { kind: "waiting", why: "drive away" } }))).toBe(false);
    const before = drive({ as_of: "2026-11-20T06:00:00Z" });
    expect([canChoose(before, undefined), staysChosen(before, undefined), staysChosen({ ...before, present: false }, undefined), staysChosen(before, job())]).toEqual([false, true, false, false]);
  });
  it("drives stand by controller in the order of their ports", () => {
    const at = (bus: Bus, location: string) => drive({ serial: location, key: location, location, bus });
    const groups = byGroup([
      at("usb", "PCI 00:14.0, USB 2-1"), at("sata", "PCI 00:1f.2, SATA port 10"), at("nvme", "PCI 02:00.0, nvme1"), at("sata", "PCI 00:1f.2, SATA port 2"),
      at("nvme", "PCI 01:00.0, nvme0"), at("sata", "PCI 03:00.0, SATA port 1"), at("virtio", ""),
      at("scsi", "PCI 00:03.0, SCSI 12:0:1:0"), at("scsi", "PCI 00:03.0, SCSI 12:0:1:3"),
    ]);
    expect(groups.map((g) => [g.name, g.note, g.drives.map((d) => bayOf(d).place)])).toEqual([
      ["SATA", "PCI 00:1f.2", ["2", "10"]], ["SATA", "PCI 03:00.0", ["1"]], ["SAS and SCSI", "PCI 00:03.0", ["0:1:3", "1"]], ["NVMe", "", ["nvme0", "nvme1"]], ["USB", "", ["2-1"]], ["Virtual disks", "", [""]],
    ]);
  });
  it("a shelf's own name of a bay is its place, and two shelves behind one controller are two groups", () => {
    const at = (shelf: number, slot: string, bay?: string) => drive({ serial: `${shelf}${slot}`, key: `${shelf}${slot}`, bus: "scsi", location: `PCI 03:00.0, SAS 0:0:${slot}, enclosure 7:0:${shelf}:0, bay Slot ${slot}`, ...(bay ? { bay } : {}) });
    const groups = byGroup([at(24, "02"), at(25, "01"), at(24, "01"), at(25, "02")]);
    expect(groups.map((g) => [g.note, g.drives.map((d) => plateOf(d))])).toEqual([
      ["PCI 03:00.0, enclosure 7:0:24:0", ["Slot 01", "Slot 02"]], ["PCI 03:00.0, enclosure 7:0:25:0", ["Slot 01", "Slot 02"]],
    ]);
    const named = byGroup([at(24, "01", "2"), at(24, "02", "1")]);
    expect(named[0]?.drives.map(({ bay }) => bay)).toEqual(["1", "2"]);
  });
  it("the hottest drive is told by what its job measured last; none that is out or that nobody watches", () => {
    const [a, b, gone, unseen] = [drive({ serial: "A", temperature: 38 }), drive({ serial: "B", temperature: 34 }), drive({ serial: "C", temperature: 80, present: false }), drive({ serial: "D", temperature: 80, as_of: "2026-11-20T06:00:00Z" })];
    const jobs = new Map([[b.id ?? "", job({ drive: b.id ?? "", progress: progress(1, { temperature: 43 }) })]]);
    expect(hottestOf([a, b, gone, unseen], jobs)).toEqual({ drive: b, heat: 43 });
    expect(hottestOf([a, b], new Map())?.heat).toBe(38);
    expect(hottestOf([gone], jobs)).toBeUndefined();
  });
  it("search takes words in any order, of model, serial and place", () => {
    expect(matches(drive(), undefined, "2b7h exos")).toBe(true);
    expect(matches(drive(), undefined, "00:1f.2")).toBe(true);
    expect(matches(drive(), undefined, "exos 9999")).toBe(false);
    expect(matches(drive({ bay: "front, second" }), undefined, "second exos")).toBe(true);
  });
});

it("only what does not run can be given up", () => {
  for (const kind of ["lvm-member", "ceph-member", "luks"]) expect(canGiveUp(drive({ refused: { kind, reason: "" } }), undefined)).toBe(true);
  expect(canGiveUp(drive({ refused: { kind: "mounted", reason: "" } }), undefined)).toBe(false);
  expect(canGiveUp(drive(), undefined)).toBe(false);
  expect(canGiveUp(drive({ refused: { kind: "lvm-member", reason: "" } }), job())).toBe(false);
});

it("the search knows verdicts, what a test does now, and content", () => {
  const over = (outcome: Outcome) => job({ state: { kind: "finished" }, verdict: { ...job().verdict!, outcome } });
  const waits = (why: string) => job({ state: { kind: "waiting", why } });
  const found = drive({ content: { state: "found", summary: "ext4, 3.1 TB used", signatures: [{ partition: 1, kind: "ext4", label: "photos", uuid: null, name: null }] } });
  const words = ["failed", "warn", "passed", "inconclusive", "running", "paused", "waiting"];
  const told = (of: Job | undefined, it = drive()) => words.filter((word) => matches(it, of, word.toUpperCase()));
  expect((["FAILED", "WARN", "PASSED", "INCONCLUSIVE"] as const).map((outcome) => told(over(outcome)))).toEqual([["failed"], ["warn"], ["passed"], ["inconclusive"]]);
  expect([told(job()), told(waits("paused by mara")), told(waits("too hot")), told(undefined)]).toEqual([["running"], ["paused"], ["waiting"], []]);
  // Its card says that it waits, whatever its job has told.
  expect(told(job(), drive({ present: false }))).toEqual(["waiting"]);
  expect([matches(found, undefined, "photos ext4"), matches(drive(), undefined, "no known content"), matches(found, over("PASSED"), "passed exos photos")]).toEqual([true, true, true]);
});
