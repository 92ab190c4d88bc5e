import { expect, it } from "vitest";
import type { CertificateEntry, Job, Outcome } from "@wire";

import { drive, job } from "../../fixtures";
import { past } from "./past";

const of = (serial: string, outcome: Outcome, ended = "2026-11-20T08:00:00Z"): [string, Job] => [
  `id-${serial}`, job({ drive: `id-${serial}`, serial, ended, state: { kind: "finished" }, verdict: { outcome, rules: [], summary: "", verified: 0, engine: "" } }),
];
const entry = (serial: string, made: string, change: Partial<CertificateEntry> = {}): CertificateEntry => ({
  info: { id: `KC-${serial}`, key: "", made, revoked: null }, job: "j", drive: `id-${serial}`, model: "Exos X18", serial, capacity: 1e9, playbook: "standard", outcome: "PASSED", ...change,
} as CertificateEntry);
const told = (...given: Parameters<typeof past>) => past(...given).map(({ serial, outcome }) => `${serial} ${outcome}`);

it("a drive that is not plugged in answers to the search by its last test, and one that is here does not answer twice", () => {
  const jobs = new Map([of("ZRTK2CC", "FAILED"), of("ZRTHERE", "FAILED")]);
  const here = [drive({ id: "id-ZRTHERE", serial: "ZRTHERE" })];
  expect(told(here, jobs, [], "k2cc")).toEqual(["ZRTK2CC FAILED"]);
  expect(told(here, jobs, [], "exos failed")).toEqual(["ZRTK2CC FAILED"]);
  expect(told(here, jobs, [], "K2CC passed")).toEqual([]);
  expect(told(here, jobs, [], "here")).toEqual([]);
});

it("of a drive whose tests the page does not hold its newest certificate tells, and no verdict where that was revoked", () => {
  const signed = [entry("ZRTOLD", "2025-01-02T00:00:00Z"), entry("ZRTOLD", "2024-01-02T00:00:00Z", { outcome: "WARN" }), entry("ZRTK2CC", "2025-03-01T00:00:00Z")];
  expect(told([], new Map([of("ZRTK2CC", "FAILED")]), signed, "zrt")).toEqual(["ZRTK2CC FAILED", "ZRTOLD PASSED"]);
  const revoked = entry("ZRTOLD", "2025-01-02T00:00:00Z");
  expect(told([], new Map(), [{ ...revoked, info: { ...revoked.info, revoked: { job: "j", why: "It failed since." } } } as CertificateEntry], "old")).toEqual(["ZRTOLD null"]);
  // A WARN of a scan takes no FAILED back; a job whose certificate was revoked holds no more than that.
  const failed = [entry("ZRTOLD", "2025-01-02T00:00:00Z", { outcome: "WARN" }), entry("ZRTOLD", "2024-01-02T00:00:00Z", { outcome: "FAILED" })];
  expect(told([], new Map(), failed, "old")).toEqual(["ZRTOLD FAILED"]);
  const [id, ended] = of("ZRTOLD", "PASSED");
  expect(told([], new Map([[id, { ...ended, certificate: { id: "KC", key: "", made: "2025-01-02T00:00:00Z", revoked: { at: "2025-01-03T00:00:00Z", job: "j", why: "It failed since." } } } as Job]]), [], "old")).toEqual(["ZRTOLD null"]);
});
