/**
 * How long a playbook will take, from what this box has measured on drives of the same model, else from what drives of
 * that kind usually do, and no faster than the drive's link. Pure; tested in `estimate.test.ts`.
 */
import type { Drive, Job, PlaybookInfo } from "@wire";

/** Seconds for the slowest drive of a choice, and whether they come from measurements of this box. */
export interface Estimate { seconds: number; measured: boolean }

/**
 * Bytes a second over a whole drive, by kind: the mean over all zones, about two thirds of what its maker prints.
 * Guesses for drives that this box has never seen; they only choose between "hours" and "days".
 */
function usual(drive: Drive): number {
  switch (drive.bus) {
    case "nvme": return 1200e6;
    case "virtio":
    case "loop": return 400e6;
    case "mmc": return 40e6;
    case "usb": return drive.rotation.kind === "solid_state" ? 250e6 : 100e6;
    case "sata":
    case "scsi":
    case "other": return drive.rotation.kind === "solid_state" ? 400e6 : 180e6;
  }
}

/** Bits of a link for each byte that comes through it: ten of line code (SATA, SAS, USB 3), the rest for the protocol. USB 2 does 40 MB/s. */
const LINK_BITS = 12;

/** Bytes a second that its link lets through at most. */
function allowed(drive: Drive): number {
  return drive.link_mbps === undefined ? Infinity : drive.link_mbps * 1e6 / LINK_BITS;
}

/** What drives of a model did on this box: bytes over time, over all steps that moved data. */
function seen(model: string, jobs: Iterable<Job>): number | null {
  let bytes = 0;
  let seconds = 0;
  for (const job of jobs) {
    if (job.model !== model) continue;
    for (const phase of job.phases) {
      // A step that was cut short says little about the inner tracks.
      if (phase.status !== "done" || phase.seconds <= 0 || phase.bytes < job.capacity * 0.9) continue;
      bytes += phase.bytes;
      seconds += phase.seconds;
    }
  }
  return seconds > 0 ? bytes / seconds : null;
}

/**
 * Seconds that a playbook takes where one sweep over the drive takes `sweep`; a self-test reads about as fast. A block that is repeated
 * for a time ends the round that it has begun. `soak`: hours that were asked for beside the playbook, which count instead of its own.
 */
function whole(book: PlaybookInfo, sweep: number, soak: number | null): number {
  const once = (book.sweeps + book.self_tests) * sweep + book.timed_seconds;
  return book.soaks.reduce((sum, block) => {
    const round = block.sweeps * sweep + block.timed_seconds;
    const due = soak === null ? block.seconds : soak * 3600;
    return sum + (round > 0 ? Math.max(0, Math.ceil(due / round) - 1) * round : due);
  }, once);
}

/** The estimate for these drives; `null` where the playbook moves over no whole drive and waits for no time, or no drive is named. */
export function estimate(book: PlaybookInfo, drives: readonly Drive[], jobs: readonly Job[], soak: number | null = null): Estimate | null {
  if (drives.length === 0) return null;
  const each = drives.map((drive) => {
    const [rate, most] = [seen(drive.model, jobs), allowed(drive)];
    return { seconds: whole(book, drive.capacity / Math.min(rate ?? usual(drive), most), soak), measured: rate !== null && rate <= most };
  });
  const longest = each.reduce((a, b) => (b.seconds > a.seconds ? b : a));
  return longest.seconds > 0 ? longest : null;
}
