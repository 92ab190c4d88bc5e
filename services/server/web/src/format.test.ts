import { describe, expect, it } from "vitest";

import { finding } from "./fixtures";
import { attachment, findingPlace, programWords, verifiedWords } from "./called";
import { THIN, ago, bytes, capacityWords, clock, contentWords, countdown, dated, duration, grouped, happenedAt, lastFour, plural, rate, stamp, timeLeft, within, zone, zoneWords } from "./format";

const flat = (text: string) => text.replaceAll("\u00a0", " ").replaceAll(THIN, "'");

describe("figures", () => {
  it.each([
    [0, "0 B"], [512, "512 B"], [999, "999 B"], [1000, "1 kB"], [67_108_864, "67.1 MB"], [999_600_000, "1 GB"],
    [1_920_000_000_000, "1.92 TB"], [4_000_787_030_016, "4 TB"], [12e12, "12 TB"], [9_007_199_254_740_991, "9.01 PB"],
  ])("%d bytes read like a label", (count, text) => expect(flat(bytes(count))).toBe(text));

  it("a drive that tells no size is not called empty", () => {
    expect([0, 4e12].map(capacityWords)).toEqual(["no size told", bytes(4e12)]);
  });

  it("an event that came later happened when it says", () => {
    const ts = "2026-11-29T02:00:00Z";
    const then = "2026-11-29T01:55:03Z";
    expect([null, 1, {}, { happened_at: 5 }, { happened_at: "soon" }].map((data) => happenedAt({ ts, data }))).toEqual([ts, ts, ts, ts, ts]);
    expect(happenedAt({ ts, data: { happened_at: then } })).toBe(then);
  });

  it("a rate of nothing is not a zero", () => {
    expect(rate(null)).toBe("–");
    expect(rate(0)).toBe("–");
    expect(flat(rate(224e6))).toBe("224 MB/s");
  });

  it.each([
    [{ bus: "sata", link_mbps: 6000 }, "SATA at 6 Gb/s"], [{ bus: "sata", link_mbps: 1500 }, "SATA at 1.5 Gb/s"],
    [{ bus: "usb", link_mbps: 480 }, "USB at 480 Mb/s"], [{ bus: "nvme", link_mbps: 31_508 }, "NVMe at 31.5 Gb/s"], [{ bus: "virtio" }, "virtio"],
  ] as const)("%o is attached so", (drive, text) => expect(flat(attachment(drive))).toBe(text));

  it("groups digits", () => {
    expect(flat(grouped(13_320_319_488))).toBe("13'320'319'488");
    expect(flat(grouped(-1234))).toBe("-1'234");
    expect(grouped(999)).toBe("999");
  });

  it.each([[0, "0 s"], [0.3, "less than 1 s"], [59.4, "59 s"], [60, "1 min"], [3599, "1 h"], [3600, "1 h"], [7800, "2 h 10 min"], [115_200, "32 h"], [400_000, "5 days"], [-3, "0 s"]])(
    "%d seconds as people say them", (seconds, text) => expect(flat(duration(seconds))).toBe(text));

  it.each([[null, "estimating"], [0.4, "moments"], [840, "14 min"], [4000, "about 1 h 10 min"], [22_000, "about 6 h"], [Number.NaN, "estimating"]])(
    "time left %s", (seconds, text) => expect(flat(timeLeft(seconds))).toBe(text));

  it("a unit keeps its case within a sentence", () => expect(["Write (rate limited, 6 MB/s)", "SMART before", "Read back"].map(within)).toEqual(["write (rate limited, 6 MB/s)", "SMART before", "read back"]));
  it("a sector that is missing is not rounded away", () => {
    expect(flat(verifiedWords(50_331_648, 50_331_648))).toMatch(/^All 50.3 MB written/);
    expect(flat(verifiedWords(50_331_136, 50_331_648))).toMatch(/^All but 512 B of 50.3 MB/);
    expect(flat(verifiedWords(0, 50_331_648))).toMatch(/^0 B of 50.3 MB/);
    expect(verifiedWords(0, 50_331_648, "read")).toMatch(/^Only read: nothing was written/);
    expect(verifiedWords(0, 50_331_648, "samples")).toMatch(/^Samples alone were written/);
  });

  it("counts down and never below zero", () => {
    expect(countdown(97)).toBe("1:37");
    expect(countdown(119.2)).toBe("2:00");
    expect(countdown(-4)).toBe("0:00");
  });
});

describe("words", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");
  it("says how long ago", () => {
    expect(ago("2026-11-20T11:59:55Z", now)).toBe("just now");
    expect(flat(ago("2026-11-20T11:46:00Z", now))).toBe("14 min ago");
    expect(ago("nonsense", now)).toBe("at an unknown time");
  });
  it("gives the day only when it is not today", () => {
    expect(clock("2026-11-20T11:00:00Z", now)).toMatch(/^\d\d:00$/);
    expect(clock("2026-11-18T11:00:00Z", now)).toMatch(/^Wed,? 18 Nov, \d\d:00$/);
  });
  it("gives the year of a log's time only when it is not this one, and a certificate's always with its zone", () => {
    expect(stamp("2026-06-18T11:00:07Z", now)).toMatch(/^18 Jun \d\d:\d0:07$/);
    expect(stamp("2025-06-18T11:00:07Z", now)).toMatch(/^18 Jun 2025 \d\d:\d0:07$/);
    expect(stamp("nonsense", now)).toBe("nonsense");
    expect([dated("2026-11-28T03:02:25Z"), dated("nonsense")]).toEqual(["28 November 2026, 03:02 UTC", "nonsense"]);
  });
  it("names a zone by how far it is ahead", () => {
    expect([0, 60, 330, -210].map(zoneWords)).toEqual(["UTC", "UTC+1", "UTC+5:30", "UTC−3:30"]);
    expect(zone(now)).toMatch(/^UTC/);
  });
  it("takes the last four of a serial, a short one whole", () => {
    expect(lastFour(" zrt02b7h ")).toBe("2B7H");
    expect(lastFour("ab")).toBe("AB");
    expect(lastFour("")).toBe("");
  });
  it("counts in singular and plural", () => {
    expect(plural(1, "drive")).toBe("1 drive");
    expect(plural(0, "drive")).toBe("0 drives");
  });
  it("puts a label first where there is one", () => {
    const signature = { partition: 1, kind: "ext4", label: "photos", uuid: null, name: null };
    expect(contentWords({ state: "found", signatures: [signature], summary: "ext4 \"photos\"" })).toEqual({ head: "“photos”", detail: "ext4" });
    expect(contentWords({ state: "found", signatures: [signature, { ...signature, label: "old" }], summary: "GPT, 2 partitions: ext4 \"photos\", ext4 \"old\"" }).detail).toBe("GPT, 2 partitions: ext4, ext4 “old”");
    expect(contentWords({ state: "found", signatures: [{ ...signature, label: null }], summary: "GPT" }).head).toBe("GPT");
  });
  it("lets no label turn the sentence that it stands in", () => {
    const found = (...labels: string[]) => contentWords({ state: "found", signatures: labels.map((label) => ({ partition: 1, kind: "ext4", label, uuid: null, name: null })), summary: labels.map((label) => `ext4 "${label}"`).join(", ") });
    // Also one that closes what it is put into.
    expect(found("\u202esotohp").head).toBe("“\u2068\ufffdsotohp\u2069”");
    expect(found("\u2069\u202esotohp", "\u202edlo")).toEqual({ head: "“\u2068\ufffd\ufffdsotohp\u2069”", detail: "ext4, ext4 “\u2068\ufffddlo\u2069”" });
    expect(found("תמונות").head).toBe("“\u2068תמונות\u2069”");
    expect(found("photos (old)").head).toBe("“photos (old)”");
  });
  it("calls no drive blank, and blames no end of one for what cannot be read anywhere", () => {
    expect(contentWords({ state: "empty" })).toEqual({ head: "No known content", detail: "may still hold data" });
    expect(contentWords({ state: "unreadable", why: "Input/output error" })).toEqual({ head: "Content unreadable", detail: "Input/output error" });
  });
  it("names the place of a finding", () => {
    expect(flat(findingPlace(finding({ lba: 4096, sectors: 8 })))).toBe("LBA 4'096 to 4'103");
    expect(findingPlace(finding({ lba: 7 }))).toBe("LBA 7");
    expect(findingPlace(finding({ lba: null }))).toBe("no single place");
  });
});

describe("what a program calls itself", () => {
  it.each([
    ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"],
    ["Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"],
    ["curl/8.14.1", "curl"],
    ["", "A program that does not say its name"],
  ])("%s", (agent, words) => expect(programWords(agent)).toBe(words));
});
