/** A drive's jobs, certificates, comings and goings on one line of time. Pure. */
import type { Event, Job, JobId, Outcome } from "@wire";

import { certificateUrl } from "../../api";
import { happenedAt } from "../../format";
import { jobPath } from "../../route";
import { isOver } from "../../state/store";

/** One point of the line. */
export interface Point {
  key: string;
  /** ISO time. */
  at: string;
  text: string;
  /** Where there is more of it: a job's page, or a certificate in a window of its own. */
  href?: string;
  /** What it is, for its picture: a place, a certificate, a verdict; `null` for the rest. */
  kind: "place" | "certificate" | Outcome | null;
}

/** Most points that are listed. */
export const LISTED = 50;

const ENDS: Record<string, Outcome | null> = { "job.passed": "PASSED", "job.warned": "WARN", "job.inconclusive": "INCONCLUSIVE", "job.failed": "FAILED", "job.aborted": null };

/** What its job's page tells in more detail, where a warm day has fifty pauses; and who looked for it, which leaves nothing behind. */
const PASSING = new Set(["person.located", "drive.located", "job.phase_finished", "job.too_hot", "job.cooled", "job.waiting", "job.paused", "job.continued", "job.resumed"]);

/** The newest {@link LISTED} points, the newest first, of this drive's events and jobs. What an event tells of a job is told once. */
export function life(events: readonly Event[], jobs: readonly Job[]): Point[] {
  const known = new Set<JobId>(jobs.map(({ id }) => id));
  const told = new Set(events.map(({ job, type }) => `${job ?? ""} ${type in ENDS ? "end" : type}`));
  const points: Point[] = events.filter(({ type }) => !PASSING.has(type)).map((event) => ({
    key: `e${event.seq}`, at: happenedAt(event), text: event.message,
    ...(event.job && known.has(event.job) && { href: jobPath(event.job) }),
    kind: event.type === "drive.added" || event.type === "drive.removed" ? "place" : (ENDS[event.type] ?? null),
  }));
  for (const job of jobs) {
    const href = jobPath(job.id);
    if (!told.has(`${job.id} job.started`)) points.push({ key: `b${job.id}`, at: job.started, text: `Playbook ${job.playbook} began, by ${job.actor}`, href, kind: null });
    if (isOver(job) && job.ended && !told.has(`${job.id} end`)) {
      points.push({ key: `o${job.id}`, at: job.ended, text: job.verdict ? `${job.verdict.outcome}. ${job.verdict.summary}` : `Playbook ${job.playbook} ended without a verdict`, href, kind: job.verdict?.outcome ?? null });
    }
    const { certificate } = job;
    if (certificate) points.push({ key: `c${job.id}`, at: certificate.made, text: `Certificate ${certificate.id}${certificate.revoked ? ", which no longer holds" : ""}`, href: certificate.revoked ? href : certificateUrl(job.id, ".html"), kind: "certificate" });
  }
  const time = ({ at }: Point) => Date.parse(at) || 0;
  // Events come in order, and stay so where several happened at once.
  return points.sort((a, b) => time(a) - time(b)).slice(-LISTED).reverse();
}

/** Where a drive was when the box saw it last, in the box's words, and when; `null` where no event tells it. `events`: oldest first. */
export function lastSeen(events: readonly Event[]): { place: string; at: string } | null {
  const came = events.filter(({ type }) => type === "drive.added" || type === "drive.removed").reverse();
  for (const event of came) {
    const place = /(?:last seen|plugged in) (?:at|in) (.+)$/.exec(event.message)?.[1];
    if (place) return { place, at: happenedAt(event) };
  }
  return null;
}
