import { describe, expect, it } from "vitest";
import type { CertificateCheck, Outcome } from "@wire";

import { date, head, revocation, sent, signature, unasked } from "./verify";

it("a PDF is sent with each of its bytes, and everything else as its text", async () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => at % 256);
  bytes.set(new TextEncoder().encode("%PDF-1.7\n"));
  const [kind, data] = (await sent(new Blob([bytes]))).split(",");
  expect(kind).toBe("data:application/pdf;base64");
  expect(Uint8Array.from(atob(data ?? ""), (letter) => letter.charCodeAt(0))).toEqual(bytes);
  for (const text of ['{"certificate":{}}', "<!doctype html>\n<p>ü</p>\n", "KILN CERTIFICATE 1\nPASSED", ""]) expect(await sent(new Blob([text]))).toBe(text);
});

it("of a PDF that was pasted the box is not asked: words instead of a verdict", () => {
  expect(unasked("%PDF-1.7\n\ufffd")?.detail).toContain("Choose its file");
  expect(unasked("{}")).toBeNull();
});

it("of what is no certificate nothing is said of a signature", () => {
  for (const text of ["KC-7Q2M-4XKD-9PZA", "9f2c\"}},\"signature\":\"00\"}", "\u0089PNG\r\n{", "hello"]) expect(unasked(text)).toMatchObject({ title: "No certificate in this" });
  expect(unasked('{"certificate":{"format":"kiln')?.detail).toContain("paste all of it");
  for (const text of ['{"certificate":{}}\n', "<!doctype html>\n<p>", "data:application/pdf;base64,AA", "KILN CERTIFICATE 1\nPASSED"]) expect(unasked(text)).toBeNull();
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
    expect(head(check("other_drawing", "PASSED"))).toEqual({ shape: "warn", word: "Whole, but what it shows is not confirmed", beneath: "" });
    expect(head(check("bad", "PASSED"))).toEqual({ shape: "fail", word: "Not to be relied on", beneath: "" });
  });
  it("tells what the signature is good for", () => {
    const good = (standing: CertificateCheck["standing"]) => signature({ ...check(standing, "PASSED"), signature_good: true });
    expect(good("trusted")).toMatchObject({ shape: "pass", beneath: "nothing in it was changed since it was signed" });
    expect(good("other_drawing")).toMatchObject({ shape: "pass", beneath: expect.stringContaining("what is shown around that may have been") });
    expect(signature({ ...check("bad", "PASSED"), signature_good: false })).toMatchObject({ shape: "fail" });
  });
  it("has a line that agrees with each reason why it is not to be relied on", () => {
    const bad = { ...check("bad", "PASSED"), expired: false, not_yet_valid: false };
    expect(date(bad)).toMatchObject({ shape: "pass", word: "It is in date" });
    expect(date({ ...bad, expired: true })).toMatchObject({ shape: "fail", word: "It is out of date" });
    expect(date({ ...bad, not_yet_valid: true })).toMatchObject({ shape: "fail", word: "It is dated ahead of time" });
    expect(revocation({ ...bad, revocation: { kind: "trust_file", why: "bent" } })).toEqual({ shape: "fail", word: "Revoked, by the list that you gave", beneath: "bent" });
    expect(revocation({ ...bad, revocation: { kind: "doubted", why: "it found 2 findings" } })).toMatchObject({ shape: "warn", beneath: "it found 2 findings" });
    expect(revocation({ ...bad, revocation: { kind: "unknown" } })).toMatchObject({ shape: "inc" });
    expect(revocation({ ...bad, revocation: { kind: "standing" } })).toMatchObject({ shape: "pass" });
  });
});
