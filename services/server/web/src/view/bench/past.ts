/** Drives that were here: a box keeps their tests and certificates long after they were taken out. Pure. */
import type { CertificateEntry, Drive, DriveId, Job, Outcome } from "@wire";

import { isOver } from "../../state/store";

/** A drive that is not plugged in, by the last that is known of it. */
export interface Past {
  drive: DriveId;
  model: string;
  serial: string;
  /** Bytes. */
  capacity: number;
  /** Its last verdict; `null` where it has none, or one that no longer holds. */
  outcome: Outcome | null;
  /** Whether a test of it is not over. */
  open: boolean;
  /** ISO time of its last test, or of the certificate of that. */
  at: string;
}

/** Whether a certificate says that its drive failed, and still holds. */
const fails = ({ outcome, info }: CertificateEntry): boolean => outcome === "FAILED" && !info.revoked;

/** The drives that are not `here` and answer to what was typed into the search, the last tested first. `jobs`: the last word on each drive; of what is older a certificate tells. */
export function past(here: readonly Drive[], jobs: ReadonlyMap<DriveId, Job>, signed: readonly CertificateEntry[], text: string): Past[] {
  const found = new Map<DriveId, Past>();
  for (const { drive, model, serial, capacity, outcome, info } of signed) {
    if ((found.get(drive)?.at ?? "") < info.made) found.set(drive, { drive, model, serial, capacity, outcome: info.revoked ? null : outcome, open: false, at: info.made });
  }
  // What did not write all of it disproves no failure of before.
  for (const one of found.values()) {
    if (one.outcome === "WARN" && signed.some((entry) => entry.drive === one.drive && fails(entry))) one.outcome = "FAILED";
  }
  for (const [drive, job] of jobs) {
    const { model, serial, capacity, verdict, ended, started, certificate } = job;
    found.set(drive, { drive, model, serial, capacity, outcome: certificate?.revoked ? null : (verdict?.outcome ?? null), open: !isOver(job), at: ended ?? started });
  }
  for (const { id } of here) if (id !== null) found.delete(id);
  const words = text.toLowerCase().split(/\s+/);
  const answers = ({ drive, model, serial, outcome }: Past) => {
    const hay = [drive, model, serial, outcome ?? ""].join(" ").toLowerCase();
    return words.every((word) => hay.includes(word));
  };
  return [...found.values()].filter(answers).sort((a, b) => (a.at < b.at ? 1 : -1));
}
