/** What drives, faults and programs are called, and how much of a drive was compared: words that no first load needs. Pure; tested in `format.test.ts`. */
import type { Bus, Drive, FaultKind, Finding, Rotation } from "@wire";

import { bytes, grouped } from "./format";

/** A bus as people call it. */
export function busName(bus: Bus): string {
  switch (bus) {
    case "sata": return "SATA";
    case "scsi": return "SCSI";
    case "nvme": return "NVMe";
    case "usb": return "USB";
    case "virtio": return "virtio";
    case "mmc": return "SD or eMMC";
    case "loop": return "loop device";
    case "other": return "other bus";
  }
}

/** A link's speed in its usual unit: `6 Gb/s`, `480 Mb/s`. */
export function linkSpeed(megabits: number): string {
  return megabits < 1000 ? `${megabits}\u00a0Mb/s` : `${(megabits / 1000).toFixed(1).replace(/\.0$/, "")}\u00a0Gb/s`;
}

/** How a drive is attached: its bus and, where it is told, the speed that its link was negotiated at. */
export function attachment(drive: Pick<Drive, "bus" | "link_mbps">): string {
  return drive.link_mbps === undefined ? busName(drive.bus) : `${busName(drive.bus)} at ${linkSpeed(drive.link_mbps)}`;
}

/** How a drive stores, in words. */
export function rotationName(rotation: Rotation): string {
  switch (rotation.kind) {
    case "spinning": return rotation.rpm === null ? "spinning" : `${grouped(rotation.rpm)} rpm`;
    case "solid_state": return "solid state";
    case "unknown": return "not told by the drive";
  }
}

/** What a kind of fault means, for a person who has to decide about the drive. */
export function faultName(kind: FaultKind): string {
  switch (kind) {
    case "bit_flip": return "Flipped bits";
    case "corrupt": return "Damaged data";
    case "lost_write": return "Lost write";
    case "stale": return "Old data of an earlier pass";
    case "misdirected": return "Data of another sector";
    case "wrap_around": return "Addresses wrap around";
    case "truncated": return "Capacity that is not there";
    case "zeroed": return "Zeros instead of data";
    case "read_error": return "Unreadable";
    case "write_error": return "Unwritable";
    case "transient": return "Wrong once, then right";
    case "slow": return "Slow";
    case "hang": return "Did not answer";
    case "disconnect": return "Went away";
    case "reset": return "Was reset";
    case "host_memory": return "Memory of the testing box";
  }
}

/** Where a finding is: `LBA 4 096 to 4 103`. */
export function findingPlace(finding: Finding): string {
  if (finding.lba === null) return "no single place";
  const first = `LBA ${grouped(finding.lba)}`;
  return finding.sectors > 1 ? `${first} to ${grouped(finding.lba + finding.sectors - 1)}` : first;
}

/** What a browser or program calls itself (`User-Agent`), as people call it: "Firefox on Linux". */
export function programWords(agent: string): string {
  if (agent === "") return "A program that does not say its name";
  // Each of them claims to be those after it.
  const browser = [["Edg/", "Edge"], ["Firefox/", "Firefox"], ["HeadlessChrome/", "Chrome"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]].find(([sign]) => agent.includes(sign ?? ""))?.[1];
  if (!browser) return agent.split("/")[0] ?? agent;
  const system = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS X", "macOS"], ["Linux", "Linux"]].find(([sign]) => agent.includes(sign ?? ""))?.[1];
  return system ? `${browser} on ${system}` : browser;
}

/** How much of a drive was verified, without rounding a missing sector away. `how`: it was only read, so nothing was written; or samples of it alone were. */
export function verifiedWords(verified: number, capacity: number, how: "whole" | "read" | "samples" = "whole"): string {
  const missing = capacity - verified;
  if (how === "samples") return "Samples alone were written and read back: no part of it was tested whole";
  if (how === "read") return "Only read: nothing was written, so nothing is compared";
  const what = "written and read back without a difference";
  if (missing <= 0) return `All ${bytes(capacity)} ${what}`;
  if (missing < capacity / 200) return `All but ${bytes(missing)} of ${bytes(capacity)} ${what}`;
  return `${bytes(verified)} of ${bytes(capacity)} ${what}`;
}
