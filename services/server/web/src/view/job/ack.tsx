/** "I have seen it": said of a test that is over and asks for somebody, and taken back. The verdict stays as it is. */
import { useSignal } from "@preact/signals";
import type { Job, JobEnd, Outcome, Problem, Verdict } from "@wire";

import { api, asProblem } from "../../api";
import { clock, lastFour } from "../../format";
import { askAgain, latest, now } from "../../state/app";
import { isOver } from "../../state/store";
import { ProblemNote } from "../bits";
import { useSettled } from "../settle";

/** What a person says to a verdict: WARN asks for a decision, FAILED and INCONCLUSIVE to be known of; pure. */
export const ackWord = (outcome: Outcome): string => (outcome === "WARN" ? "Keep it" : "Noted");

/** What was said to it, as a word that "by" follows; pure. */
export const ackedWord = (outcome: Outcome | undefined): string => (outcome === "WARN" ? "Kept" : "Noted");

/** Whether nothing is to be said of a drive but that it was only read: the worst rules stand first. Pure. */
const isWellRead = ({ rules }: Verdict): boolean => rules[0]?.id === "only-read" && rules[1]?.outcome !== "WARN";

/** Whether a test asks for somebody by how it ended; pure. */
export const asks = (job: Job): boolean => isOver(job) && job.verdict !== null && job.verdict.outcome !== "PASSED" && !isWellRead(job.verdict) && !job.acknowledged;

/** The end that this page shows of a job, and no other: the job may have come to one that the page has not heard of; pure. */
export const endOf = ({ verdict, ended }: Job): JobEnd => ({ outcome: verdict?.outcome ?? null, ended });

/**
 * Says it of the end that is shown, or takes it back; the stream tells the job's new state. Resolves to what was refused; where that is because
 * the job stands otherwise by now, the page shows how.
 */
export async function ack(job: Job, seen: boolean): Promise<Problem | null> {
  try {
    await (seen ? api.acknowledge(job.id, endOf(job)) : api.unacknowledge(job.id));
    return null;
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (problem.status === 409) await askAgain(job.id);
    return problem;
  }
}

/** Beneath the verdict: who has seen it and when, or the button to say so where the bench asks for it. */
export function Seen({ job }: { job: Job }) {
  const problem = useSignal<Problem | null>(null);
  const by = job.acknowledged;
  const outcome = job.verdict?.outcome;
  const word = !outcome ? undefined : by ? "Take it back" : asks(job) && (latest.value.get(job.drive) ?? job).id === job.id ? ackWord(outcome) : undefined;
  const settled = useSettled(word ? [{ key: job.id, says: word }] : []);
  if (!word) return null;
  const press = async () => (problem.value = await ack(job, !by));
  return (
    <div class={`seen ${by ? "" : "asks"}`}>
      <p role="status">{by ? `${ackedWord(outcome)} by ${by.by}, ${clock(by.at, now.value)}. The bench asks nobody for it any more.` : "The bench asks for somebody until one says that it is seen. The verdict stays."}</p>
      {/* One button for both, so that the focus stays on it. */}
      <button class="btn" type="button" aria-label={`${word}: …${lastFour(job.serial)}`} onClick={() => settled(job.id) && void press()}>{word}</button>
      <ProblemNote problem={problem.value} />
    </div>
  );
}
