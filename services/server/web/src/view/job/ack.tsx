/** "I have seen it": said of a test that is over and asks for somebody, and taken back. The verdict stays as it is. */
import { useSignal } from "@preact/signals";
import type { Job, JobId, Outcome, Problem } from "@wire";

import { api, asProblem } from "../../api";
import { clock, lastFour } from "../../format";
import { latest, now } from "../../state/app";
import { isOver } from "../../state/store";
import { ProblemNote } from "../bits";

/** What a person says to a verdict: WARN asks for a decision, FAILED and INCONCLUSIVE to be known of; pure. */
export const ackWord = (outcome: Outcome): string => (outcome === "WARN" ? "Keep it" : "Noted");

/** What was said to it, as a word that "by" follows; pure. */
export const ackedWord = (outcome: Outcome | undefined): string => (outcome === "WARN" ? "Kept" : "Noted");

/** Whether a test asks for somebody by how it ended; pure. */
export const asks = (job: Job): boolean => isOver(job) && job.verdict !== null && job.verdict.outcome !== "PASSED" && !job.acknowledged;

/** Says it, or takes it back; the stream tells the job's new state. Resolves to what was refused. */
export function ack(job: JobId, seen: boolean): Promise<Problem | null> {
  return (seen ? api.acknowledge(job) : api.unacknowledge(job)).then(() => null, asProblem);
}

/** Beneath the verdict: who has seen it and when, or the button to say so where the bench asks for it. */
export function Seen({ job }: { job: Job }) {
  const problem = useSignal<Problem | null>(null);
  const by = job.acknowledged;
  const outcome = job.verdict?.outcome;
  if (!outcome || !(by || (asks(job) && (latest.value.get(job.drive) ?? job).id === job.id))) return null;
  const word = by ? "Take it back" : ackWord(outcome);
  const press = async () => (problem.value = await ack(job.id, !by));
  return (
    <div class={`seen ${by ? "" : "asks"}`}>
      <p role="status">{by ? `${ackedWord(outcome)} by ${by.by}, ${clock(by.at, now.value)}. The bench asks nobody for it any more.` : "The bench asks for somebody until one says that it is seen. The verdict stays."}</p>
      {/* One button for both, so that the focus stays on it. */}
      <button class="btn" type="button" aria-label={`${word}: …${lastFour(job.serial)}`} onClick={() => void press()}>{word}</button>
      <ProblemNote problem={problem.value} />
    </div>
  );
}
