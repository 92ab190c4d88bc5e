import { describe, expect, it } from "vitest";
import type { Event } from "@wire";

import { job } from "../../fixtures";
import { lastSeen, LISTED, life } from "./life";

const event = (seq: number, type: string, change: Partial<Event> = {}): Event => ({
  seq, id: `e${seq}`, type, ts: `2026-11-20T06:00:${String(seq).padStart(2, "0")}Z`, severity: "info", actor: { kind: "agent", name: "agent" }, message: `${type} ${seq}`, data: null, prev_hash: "", hash: "", ...change,
});

describe("a drive's line of time", () => {
  const verdict = { outcome: "PASSED" as const, rules: [], summary: "All was equal.", verified: 1, engine: "" };
  const over = job({ id: "j1", state: { kind: "finished" }, started: "2026-11-20T05:00:00Z", ended: "2026-11-20T06:30:00Z", verdict, certificate: { id: "KC-1", key: "k", made: "2026-11-20T06:30:01Z", revoked: null } });
  const words = (events: Event[], jobs = [over]) => life(events, jobs).map(({ text, kind }) => `${kind ?? "-"}: ${text}`);

  it("has comings with their place, tests and certificates by date, the newest first", () => {
    expect(words([event(1, "drive.added", { message: "M S was plugged in at bay 3 (p)" }), event(2, "job.phase_finished"), event(3, "drive.removed", { message: "M S is gone; it was last seen in bay 3 (p)" })])).toEqual([
      "certificate: Certificate KC-1", "PASSED: PASSED. All was equal.", "place: M S is gone; it was last seen in bay 3 (p)", "place: M S was plugged in at bay 3 (p)", "-: Playbook surface began, by mara",
    ]);
  });
  it("tells once what an event and a job both tell, and leads to the job", () => {
    const line = life([event(1, "job.started", { job: "j1" }), event(2, "job.passed", { job: "j1" }), event(3, "job.started", { job: "gone" })], [over]);
    expect(line.map(({ key, href }) => [key, href ?? ""])).toEqual([["cj1", "/api/v1/jobs/j1/certificate.html"], ["e3", ""], ["e2", "/jobs/j1"], ["e1", "/jobs/j1"]]);
  });
  it("goes by when it happened, where that was told late", () => {
    expect(words([event(9, "drive.added", { data: { happened_at: "2026-11-20T04:00:00Z" } })]).at(-1)).toBe("place: drive.added 9");
  });
  it("leads from a certificate that no longer holds to what is told of that", () => {
    const revoked = { ...over, certificate: { ...over.certificate!, revoked: { at: "2026-11-21T06:00:00Z", why: "it failed later", job: "j2" } } };
    expect(life([], [revoked]).map(({ key, href }) => [key, href])[0]).toEqual(["cj1", "/jobs/j1"]);
  });
  it("is not filled by what passes within a test", () => {
    const pauses = Array.from({ length: 60 }, (_, i) => event(i, i % 2 ? "job.cooled" : "job.too_hot", { job: "j1" }));
    expect(words([event(0, "drive.added"), ...pauses]).map((line) => line.split(":")[0])).toEqual(["certificate", "PASSED", "place", "-"]);
  });
  it("leaves out who looked for it", () => {
    expect(words([event(1, "person.located"), event(2, "drive.located")], [])).toEqual([]);
  });
  it("ends at a bound, and keeps the newest", () => {
    const line = life(Array.from({ length: 200 }, (_, i) => event(i, "drive.added", { ts: new Date(i * 1000).toISOString() })), []);
    expect([line.length, line[0]?.key]).toEqual([LISTED, "e199"]);
  });
});

it("where a drive was seen last is told by its newest coming or going that names a place", () => {
  const came = event(1, "drive.added", { message: "M S (1 GB) was plugged in at pci-0000:00:1f.2-ata-1" });
  const went = event(2, "drive.removed", { message: "M S (1 GB) is gone; it was last seen in bay front, second (pci-0000:00:1f.2-ata-1)" });
  expect(lastSeen([])).toBeNull();
  expect(lastSeen([came, event(2, "job.started")])).toEqual({ place: "pci-0000:00:1f.2-ata-1", at: came.ts });
  expect(lastSeen([came, went, event(3, "drive.removed", { message: "M S (1 GB) is gone" })])).toEqual({ place: "bay front, second (pci-0000:00:1f.2-ata-1)", at: went.ts });
});
