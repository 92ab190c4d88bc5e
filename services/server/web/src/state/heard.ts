/**
 * How long nothing came of a running test. Until the box says that its agent is away, which takes 90 seconds, this alone tells figures that
 * stand from those that are of now.
 *
 * Counted by this page's monotonic clock from when a message came: the wire has no time for it. Of what stood before the page was opened
 * nobody knows how old it is, so the words tell how long nothing came, and not when the last came. Pure; tested in `heard.test.ts`.
 */
import type { Job, JobId, Phase } from "@wire";

import { duration } from "../format";

/**
 * So long nothing came of a test that tells its progress once a second (`burnin::pipeline`), in milliseconds: fifteen times in a row are no
 * slow network, and the rate is a mean over ten seconds, so that none of it is of now.
 */
export const SILENT_MS = 15_000;

/** Steps in which a silence grows, in milliseconds: what stands beside the figures is redrawn no oftener. */
export const STEP_MS = 5_000;

/** Steps of a test that tell when they begin and end, and a self-test once a minute: that little comes of them says nothing. */
const RARE: ReadonlySet<Phase> = new Set<Phase>(["smart_before", "smart_after", "self_test_short", "self_test_extended", "partition", "format"]);

/** For how many seconds nothing came of a running test, in whole steps; `null` while it is heard, or tells rarely. `at`: milliseconds of the clock of `heard`. */
export function silence(job: Job, heard: ReadonlyMap<JobId, number>, at: number): number | null {
  const last = heard.get(job.id);
  if (job.state.kind !== "running" || job.progress === null || last === undefined || at - last < SILENT_MS) return null;
  if (job.phases.some(({ phase, status }) => status === "running" && RARE.has(phase))) return null;
  return (Math.floor((at - last) / STEP_MS) * STEP_MS) / 1000;
}

/** How long a silence is, never longer than it was. */
export const spanOf = (seconds: number): string => duration(seconds < 60 ? seconds : Math.floor(seconds / 60) * 60);

/** A silence as it is said beside the figures. */
export const silenceWords = (seconds: number): string => `Nothing heard for ${spanOf(seconds)}`;
