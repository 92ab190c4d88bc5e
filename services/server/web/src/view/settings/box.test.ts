/** The box's page: clocks, addresses and the file that keeps what holds now; the keys' page: which keys signed. */
import { expect, it } from "vitest";
import type { CertificateEntry } from "@wire";

import { asideWords } from "./aside";
import { apart, settingsFile, urlOf, watchdogWords } from "./box";
import { inFours, needed, signingKeys } from "./keys";

it("a clock that is off is told, with its direction", () => {
  expect(apart(1_000_000, 1_002_000)).toBe("as on this computer");
  expect(apart(1_000_000, 1_090_000)).toMatch(/behind this computer$/);
  expect(apart(1_090_000, 1_000_000)).toMatch(/^2.min ahead of|^90.s ahead of/);
});

it("an address is a link, in brackets where it has colons, and link-local ones are none", () => {
  expect(urlOf("192.0.2.7")).toBe("http://192.0.2.7/");
  expect(urlOf("2001:db8::7")).toBe("http://[2001:db8::7]/");
  expect(urlOf("fe80::1")).toBeNull();
});

it("the settings' file sets the name alone: the network's address and the clock stand in it as comments", () => {
  const lines = settingsFile("kiln-7f3a", ["fe80::1", "169.254.3.4", "192.0.2.77"]).split("\n");
  expect(lines.filter((line) => line && !line.startsWith("#"))).toEqual(['hostname = "kiln-7f3a"']);
  expect(lines.find((line) => line.startsWith("# address"))).toMatch(/^# address = "192\.0\.2\.77\/24"/);
  expect(lines).toEqual(expect.arrayContaining([expect.stringMatching(/^# \[network\]/), expect.stringMatching(/^# \[time\]/)]));
});

it("a watchdog is told with the time that its driver took, and one that is not there with what follows", () => {
  expect(watchdogWords(15)).toMatch(/^restarts the box 15.s after it hangs$/);
  for (const none of [null, undefined]) expect(watchdogWords(none)).toMatch(/^none: /);
});

it("what was set aside is counted with its size", () => {
  const file = (name: string, size: number) => ({ name, bytes: size, why: "cut short" });
  expect(asideWords([file("kiln.mdb.bad-1", 4096)])).toMatch(/^1 file, 4\.1\skB$/);
  expect(asideWords([file("a", 1), file("b", 2)])).toMatch(/^2 files, 3\sB$/);
});

it("keys are told once each, the one that signed last first", () => {
  const entry = (key: string, made: string) => ({ info: { id: "x", key, made, revoked: null } }) as CertificateEntry;
  expect(signingKeys([entry("aa", "2026-11-02"), entry("bb", "2026-11-05"), entry("aa", "2026-11-01")])).toEqual([
    { key: "bb", count: 1, first: "2026-11-05", last: "2026-11-05" },
    { key: "aa", count: 2, first: "2026-11-01", last: "2026-11-02" },
  ]);
  expect(signingKeys([])).toEqual([]);
  expect(inFours("0123456789ab")).toBe("0123 4567 89ab");
});

it("how many keys an update needs is said for one, for all and for some of them", () => {
  const set = (n: number, threshold: number) => ({ fingerprints: Array.from({ length: n }, (_, i) => `${i}`), threshold, version: 1 });
  expect(needed(set(1, 1))).toBe("It must have signed.");
  expect(needed(set(2, 2))).toBe("All of these 2 must have signed.");
  expect(needed(set(3, 2))).toBe("At least 2 of these 3 must have signed.");
});
