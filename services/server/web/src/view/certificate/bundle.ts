/**
 * Certificates of several jobs as one file: the PDF and the signed text of each, byte for byte as the box gives them, in a ZIP
 * without compression (a PDF brings its own). A browser lets a page save one file at a press, not forty-eight.
 */
import { zipSync } from "fflate";
import type { CertificateEntry } from "@wire";

import { asProblem, Late, segment } from "../../api";

/** A file that could not be had, and why. */
export interface Missing { what: string; why: string }

/** A name that every system takes. */
const plain = (text: string) => text.trim().replace(/[^A-Za-z0-9.-]+/g, "_") || "no-serial";

/** What a ZIP can tell of time: years of two digits behind 1980 and no zone, so a day at either end belongs to no zone's neighbour. */
const TIMES = [Date.UTC(1980, 0, 2), Date.UTC(2099, 11, 30)] as const;

/** The box's time as a ZIP can tell it: a board without a battery begins in 1970. */
const told = (now: number) => Math.min(Math.max(Number.isNaN(now) ? 0 : now, TIMES[0]), TIMES[1]);

/** Whether what has refused one file refuses all: nobody is logged in any more, or the box is away. A file that takes too long is one of many. */
const refusesAll = (thrown: unknown, status: number) => (status === 0 && !(thrown instanceof Late)) || status === 401;

/**
 * Asks for the files one after the other, for a small board draws a PDF in seconds. `onStep` is told how many of them are done, and says
 * whether anybody still waits for it. `now`: the box's time in milliseconds, when the files are of. Without any file, or anybody who waits, there is no ZIP.
 */
export async function bundle(entries: readonly CertificateEntry[], get: (path: string) => Promise<Blob>, onStep: (done: number, all: number) => boolean, now: number): Promise<{ zip: Uint8Array<ArrayBuffer> | null; missing: Missing[] }> {
  const files: Record<string, Uint8Array<ArrayBuffer>> = {};
  const missing: Missing[] = [];
  let refusal: string | null = null;
  const wanted = entries.flatMap((entry) => [{ entry, form: "PDF", ext: ".pdf" }, { entry, form: "JSON", ext: "" }]);
  for (const [done, { entry: { job, serial, info }, form, ext }] of wanted.entries()) {
    if (!onStep(done, wanted.length)) return { zip: null, missing: [] };
    // A page cannot say that it was revoked, so the box draws none.
    let why: string | null = ext !== "" && info.revoked ? `revoked, ${info.revoked.why}` : refusal;
    if (why === null) {
      try {
        const blob = await get(`/jobs/${segment(job)}/certificate${ext}`);
        files[`${plain(serial)}-${plain(job)}${ext || ".json"}`] = new Uint8Array(await blob.arrayBuffer());
      } catch (thrown) {
        const { status, title, detail } = asProblem(thrown);
        why = [title, detail].filter(Boolean).join(", ");
        if (refusesAll(thrown, status)) refusal = why;
      }
    }
    if (why !== null) missing.push({ what: `${form} of ${info.id}`, why });
  }
  if (Object.keys(files).length === 0) return { zip: null, missing };
  // Whoever is handed the ZIP has not seen the page.
  if (missing.length > 0) files["MISSING.txt"] = new TextEncoder().encode(missing.map(({ what, why }) => `${what}: ${why}\n`).join(""));
  return { zip: zipSync(files, { level: 0, mtime: told(now) }), missing };
}
