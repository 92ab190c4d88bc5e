import { expect, it } from "vitest";
import type { CertificateEntry } from "@wire";

import { answers, chooseFound, isNewest, opened } from "./list";

const entry: CertificateEntry = { job: "j", drive: "d", model: "Exos X18", serial: "ZR5A4T9C", capacity: 1, playbook: "standard", outcome: "PASSED", info: { id: "KC-1234", key: "ab", made: "2026-11-20T06:00:00Z", revoked: null } };

it("certificates are found by number, drive, verdict and whether they hold", () => {
  expect([answers(entry, "kc-12 exos"), answers(entry, "passed 4t9c"), answers(entry, "revoked")]).toEqual([true, true, false]);
  // Those of one batch: by the day they were signed.
  expect([answers(entry, "20 november"), answers(entry, "2026-11-20"), answers(entry, "2026-11-21")]).toEqual([true, true, false]);
  expect(answers({ ...entry, info: { ...entry.info, revoked: { at: "", job: "j", why: "failed" } } }, "revoked")).toBe(true);
});

it("the press that chooses what is found lets go of nothing that the search hides", () => {
  const [a, b, c] = ["KC-A", "KC-B", "KC-C"].map((id) => ({ ...entry, info: { ...entry.info, id } })) as [CertificateEntry, CertificateEntry, CertificateEntry];
  expect(chooseFound([b, c], [a])).toEqual(["KC-A", "KC-B", "KC-C"]);
  expect(chooseFound([b, c], [a, b])).toEqual(["KC-A", "KC-B", "KC-C"]);
  expect(chooseFound([b, c], [a, b, c])).toEqual(["KC-A"]);
});

it("of a job that ended twice the last certificate alone has files", () => {
  const last = { ...entry, info: { ...entry.info, id: "KC-2", made: "2099-01-01T00:00:00Z" } };
  const other = { ...last, job: "another" };
  expect([isNewest(entry, [entry, other]), isNewest(entry, [last, entry]), isNewest(last, [last, entry])]).toEqual([true, false, true]);
});

it("a number opens the certificate that holds, whatever its case, and no other", () => {
  const revoked = { ...entry, info: { ...entry.info, revoked: { at: "", job: "j", why: "failed" } } };
  const last = { ...entry, info: { ...entry.info, id: "KC-2", made: "2099-01-01T00:00:00Z" } };
  for (const id of [" kc-1234", "KC1234", "kc l234"]) expect(opened([entry], id)).toBe(entry);
  for (const list of [[], [revoked], [entry, last]]) expect(opened(list, "KC-1234")).toBeUndefined();
});
