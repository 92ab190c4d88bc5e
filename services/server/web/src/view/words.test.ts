/** The pure parts of the views: what a card, a head line, a banner and the list of needs say. */
import { describe, expect, it } from "vitest";
import type { BoxView, Event, Verdict } from "@wire";

import { readProblem } from "../api";
import { drive, finding, job, plan, planDrive } from "../fixtures";
import { neighbour } from "../keys";
import { placeOf } from "../route";
import { canChoose, plateOf } from "../state/store";
import { banners } from "./box";
import { say, title } from "./card";
import { fits, newer, newest, older } from "./events";
import { lossWords } from "./gate/reading";
import { headline, spoken } from "./job/head";
import { mergeLog } from "./job/log";
import { face } from "./wall";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const verdict = (outcome: Verdict["outcome"]): Verdict => ({ outcome, rules: [], summary: `${outcome} because.`, verified: 1e9, engine: "0.1.0" });
const done = (outcome: Verdict["outcome"], change = {}) => job({ state: { kind: "finished" }, verdict: verdict(outcome), ended: "2026-11-20T11:46:00Z", ...change });

it("what is read out of a job turns with its step, each tenth of it, and once with the verdict", () => {
  const at = (done: number, change = {}) => spoken(job({ progress: { phase: "verify", step: 1, done, total: 1000, rate: 1, phase_percent: null, percent: 1, eta: null, eta_job: null, temperature: null }, ...change }));
  expect([at(0), at(99), at(100), at(199), at(1000)]).toEqual(["Verify, 0 %.", "Verify, 0 %.", "Verify, 10 %.", "Verify, 10 %.", "Verify, 100 %."]);
  expect(at(500, { state: { kind: "waiting", why: "the drive is out" } })).toBe("Waiting; it goes on by itself.");
  expect(at(500, { state: { kind: "waiting", why: "paused by mara" } })).toBe("Paused.");
  expect(at(500, { verdict: verdict("FAILED") })).toBe("Verdict: FAILED.");
});

describe("a card", () => {
  it("says what is on an idle drive", () => expect(say(drive(), undefined, NOW)).toMatchObject({ kind: "idle", word: "Looks blank" }));
  it("says why a drive is not offered", () => {
    expect(say(drive({ refused: { kind: "mounted", reason: "mounted at /mnt" } }), undefined, NOW)).toMatchObject({ kind: "locked", line: "mounted at /mnt" });
  });
  it("a running job wins over a refusal that the job itself causes", () => {
    expect(say(drive({ refused: { kind: "busy", reason: "being burned in" } }), job(), NOW)).toMatchObject({ kind: "hot", word: "Verify" });
  });
  it("bad sectors are told while they are found", () => expect(say(drive(), job({ bad_sectors: 3 }), NOW).line).toBe("3 bad sectors"));
  it("a pulled drive with an open job waits, and an old verdict is not shown for a drive that is out", () => {
    expect(say(drive({ present: false }), job(), NOW)).toMatchObject({ word: "Waiting" });
    expect(say(drive({ present: false }), done("PASSED"), NOW)).toMatchObject({ word: "Pulled" });
  });
  it("a drive that nobody watches says of when it is, and cannot be chosen", () => {
    const then = drive({ as_of: "2026-11-20T06:05:00Z", kernel_name: "sdc", location: "" });
    expect(say(then, undefined, NOW)).toMatchObject({ kind: "idle stale", word: "Looks blank", foot: expect.stringMatching(/^As of \d\d:05; not seen since$/) as string });
    expect(say(then, job(), NOW)).toMatchObject({ kind: "hot stale", word: "Verify" });
    expect(say(then, done("PASSED"), NOW).word).toBe("PASSED");
    expect(canChoose(then, undefined)).toBe(false);
    expect([plateOf(then), plateOf(drive({ kernel_name: "sdc", location: "" }))]).toEqual(["was sdc", "sdc"]);
    expect(face(then, undefined)).toMatchObject({ word: "Not seen" });
  });
  it("a bay's name stands on the plate, or before the model where it is longer", () => {
    const [short, long] = [drive({ bay: "front 2" }), drive({ bay: "front, second from left" })];
    expect([plateOf(short), title(short)]).toEqual(["front 2", "Exos X18"]);
    expect([plateOf(long), title(long)]).toEqual(["1", "front, second from left: Exos X18"]);
    expect(title(drive({ model: "" }))).toBe("no model told");
  });
  it("a failed drive shows where", () => {
    expect(say(drive(), done("FAILED", { findings: [finding({ lba: 77, sectors: 9 })] }), NOW)).toMatchObject({ word: "FAILED", foot: "LBA 77" });
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

describe("banners", () => {
  const box = (change: Partial<BoxView>): BoxView => ({
    name: "b", version: "1", claimed: true, banners: [], agent: { state: "online", last_seen: null }, supervisor: null, now: "2026-11-20T12:00:00Z", ...change,
  });
  const status = (medium: "ram" | "disk", told: BoxView["banners"]) => ({
    host: "b", addresses: [], units: [], banners: told, boot: { slot: "", why: "", via: "", kernel: "", medium, reason: "", boot_id: "" },
  }) as unknown as NonNullable<BoxView["supervisor"]>;
  it("each once, worst first", () => {
    const [a, b] = [{ severity: "info", text: "a" }, { severity: "critical", text: "b" }] as const;
    expect(banners(box({ banners: [a, b], supervisor: status("disk", [b]) }))).toEqual([b, a]);
  });
  it("no medium is told, even if nobody else does", () => {
    expect(banners(box({ supervisor: status("ram", []) }))).toHaveLength(1);
    expect(banners(box({ supervisor: status("ram", [{ severity: "warning", text: "No writable boot medium" }]) }))).toHaveLength(1);
    expect(banners(box({ supervisor: status("disk", []) }))).toHaveLength(0);
  });
});

describe("a job's head", () => {
  it("does not invent a time left", () => expect(headline(job(), NOW).title).toMatch(/not known yet/));
  it("says where it heads as soon as a sector is bad", () => expect(headline(job({ bad_sectors: 1 }), NOW).line).toMatch(/1 bad sector so far: heading for FAILED/));
  it("gives the span and what was verified", () => {
    const { title, line } = headline(done("PASSED"), NOW);
    expect(title).toMatch(/^Ended at .* after 5.h 46.min$/);
    expect(line).toMatch(/^All 1.GB written and read back/);
  });
  it("log lines of box and stream stand once, newest first", () => {
    const line = (message: string) => ({ level: "info", message, source: "", timestamp: "t" });
    expect(mergeLog([line("1"), line("2")], [line("2"), line("3")]).map((l) => l.message)).toEqual(["3", "2", "1"]);
  });
});

it("the gate's lead counts what is lost", () => {
  const full = planDrive("BBBBCCCC", { content: { state: "found", signatures: [], summary: "ext4" } });
  expect(lossWords(plan([planDrive("AAAABBBB"), full]))).toMatch(/^2 drives, 8.TB in all\. 1 of them holds something\./);
  expect(lossWords(plan([full]))).toMatch(/It holds something/);
});

it("arrows follow rows and columns", () => {
  const spots = [0, 1, 2, 3].map((index) => ({ index, x: (index % 2) * 100, y: Math.floor(index / 2) * 200 }));
  const [a, b, c, d] = spots as [typeof spots[0] & object, typeof spots[0] & object, typeof spots[0] & object, typeof spots[0] & object];
  expect(neighbour(spots, a, "ArrowRight")).toBe(b);
  expect(neighbour(spots, b, "ArrowDown")).toBe(d);
  expect(neighbour(spots, d, "ArrowUp")).toBe(b);
  expect(neighbour(spots, c, "ArrowLeft")).toBe(b);
  expect(neighbour(spots, a, "ArrowUp")).toBeUndefined();
});

it("paths name places, and what names none is told", () => {
  expect(placeOf("/")).toEqual({ name: "bench" });
  expect(placeOf("/jobs/0199%2F1")).toEqual({ name: "job", id: "0199/1" });
  for (const path of ["/jobs/", "/jobs/a/b", "/jobs/%E0%A4%A", "/wp-login.php"]) expect(placeOf(path)).toEqual({ name: "nowhere", path });
});

it("an error that is no problem+json still has a title", () => {
  expect(readProblem(409, '{"type":"drive-busy","title":"A job runs","detail":"wait"}')).toEqual({ type: "drive-busy", status: 409, title: "A job runs", detail: "wait" });
  expect(readProblem(502, "<html>Bad gateway")).toMatchObject({ status: 502, title: "The box answered 502", detail: "<html>Bad gateway" });
});

describe("the pages of the log", () => {
  const event = (seq: number) => ({ seq }) as Event;
  const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => event(from + i));
  /** A box that keeps the events from `first` to 3000, and a page on which "Older" is pressed until it is gone. */
  const read = (first: number) => {
    const kept = span(first, 3000);
    let held = newest(kept.slice(-500), 500);
    let pressed = 0;
    for (; held.more; pressed += 1) {
      const after = Math.max(0, (held.events[0]?.seq ?? 1) - 501);
      held = older(held, after, kept.filter(({ seq }) => seq > after).slice(0, 500));
    }
    return [pressed, held.events.length, held.events[0]?.seq];
  };
  it("go back to the first event that the box keeps, and end there", () => {
    expect(read(1)).toEqual([5, 3000, 1]);
    expect(read(1201)).toEqual([3, 1800, 1201]);
    expect(read(2501)).toEqual([1, 500, 2501]);
    expect(read(2990)).toEqual([0, 11, 2990]);
  });
  it("go on with the stream, and begin anew after a gap", () => {
    const held = { events: span(1, 10), more: false };
    expect(newer(held, span(5, 10))).toBe(held);
    expect(newer(held, span(8, 12)).events.at(-1)?.seq).toBe(12);
    expect(newer(held, span(15, 16))).toEqual({ events: span(15, 16), more: true });
  });
});

it("events are filtered by words and by how much they matter", () => {
  const event = { seq: 1, id: "", type: "job.failed", ts: "", severity: "warning", actor: { kind: "agent", name: "agent" }, message: "…C3DX failed", data: null, prev_hash: "", hash: "" } as const;
  expect(fits(event, "c3dx job", "info")).toBe(true);
  expect(fits(event, "", "critical")).toBe(false);
  expect(fits(event, "2b7h", "info")).toBe(false);
});
