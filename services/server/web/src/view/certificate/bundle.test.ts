import { unzipSync } from "fflate";
import { expect, it } from "vitest";
import type { CertificateEntry } from "@wire";

import { Late, Refusal, unreachable } from "../../api";
import { bundle } from "./bundle";

const entry = (job: string, serial: string, change: Partial<CertificateEntry["info"]> = {}): CertificateEntry => ({
  job, drive: "d", model: "Exos X18", serial, capacity: 1, playbook: "standard", outcome: "PASSED",
  info: { id: `KC-${job}`, key: "ab", made: "2026-11-20T06:00:00Z", revoked: null, ...change },
});
const two = [entry("j1", "ZR5A4T9C"), entry("j2", "/dev/loop 6")];
const gives = (path: string) => Promise.resolve(new Blob([`of ${path}`]));
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const MADE = Date.UTC(2026, 10, 20, 6);
const saved = async (entries: typeof two, get: typeof gives, onStep: Parameters<typeof bundle>[2]) => {
  const { zip, missing } = await bundle(entries, get, onStep, MADE);
  return { files: zip && unzipSync(zip), missing: missing.map(({ what, why }) => `${what}: ${why}`) };
};

it("each certificate is in it twice, named by serial and job, as the box gave it", async () => {
  const steps: string[] = [];
  const { files, missing } = await saved(two, gives, (done, all) => steps.push(`${done}/${all}`) > 0);
  expect(Object.keys(files!)).toEqual(["ZR5A4T9C-j1.pdf", "ZR5A4T9C-j1.json", "_dev_loop_6-j2.pdf", "_dev_loop_6-j2.json"]);
  expect([text(files!["ZR5A4T9C-j1.pdf"]), text(files!["_dev_loop_6-j2.json"])]).toEqual(["of /jobs/j1/certificate.pdf", "of /jobs/j2/certificate"]);
  expect([steps, missing]).toEqual([["0/4", "1/4", "2/4", "3/4"], []]);
});

it("what cannot be had is told, on the page and in the file", async () => {
  const some = (path: string) => (path.endsWith("j1/certificate.pdf") ? Promise.reject(new Refusal({ type: "certificate-bad", status: 500, title: "It is damaged", detail: "line 1" })) : gives(path));
  const { files, missing } = await saved([...two, entry("j3", "X", { revoked: { at: "", job: "j4", why: "failed later" } })], some, () => true);
  expect(missing).toEqual(["PDF of KC-j1: It is damaged, line 1", "PDF of KC-j3: revoked, failed later"]);
  expect(Object.keys(files!)).toEqual(["ZR5A4T9C-j1.json", "_dev_loop_6-j2.pdf", "_dev_loop_6-j2.json", "X-j3.json", "MISSING.txt"]);
  expect(text(files!["MISSING.txt"])).toBe("PDF of KC-j1: It is damaged, line 1\nPDF of KC-j3: revoked, failed later\n");
});

it("a box that does not answer is not asked for the rest, and without any file there is none to save", async () => {
  let asked = 0;
  const { files, missing } = await saved(two, () => Promise.reject(new Refusal(unreachable(`No answer ${++asked}`))), () => true);
  expect([files, asked, missing.length]).toEqual([null, 1, 4]);
  expect(missing[3]).toMatch(/^JSON of KC-j2: The box did not answer, No answer 1\./);
});

it("a file that does not come in time refuses itself alone", async () => {
  const slow = (path: string) => (path.endsWith("j1/certificate.pdf") ? Promise.reject(new Late(unreachable("No answer within 45 s"))) : gives(path));
  const { files, missing } = await saved(two, slow, () => true);
  expect(Object.keys(files!)).toEqual(["ZR5A4T9C-j1.json", "_dev_loop_6-j2.pdf", "_dev_loop_6-j2.json", "MISSING.txt"]);
  expect(missing).toEqual([expect.stringMatching(/^PDF of KC-j1: The box did not answer, No answer within 45 s/)]);
});

it("who has left the page saves nothing", async () => {
  expect(await bundle(two, gives, (done) => done < 2, MADE)).toEqual({ zip: null, missing: [] });
});

it.each([[MADE, 2026], [0, 1980], [Date.UTC(2150, 1), 2099], [NaN, 1980]])("a box whose clock tells %d gives a ZIP of %d", async (now, year) => {
  const { zip } = await bundle(two, gives, () => true, now);
  // The year stands in the first entry's head, in the last seven bits of its date.
  expect(1980 + (zip![13]! >> 1)).toBe(year);
});
