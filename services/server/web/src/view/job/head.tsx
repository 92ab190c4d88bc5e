/** The head of a job's page: whose drive, how it stands, and what a person may do to it. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Bus, Job, Problem } from "@wire";

import { api, asProblem, certificateUrl } from "../../api";
import { verifiedWords } from "../../called";
import { bytes, clock, duration, lastFour, plural, timeLeft } from "../../format";
import { drivePath, jobPath } from "../../route";
import { seatOf } from "../../seat";
import { connections, known, latest, now } from "../../state/app";
import { isAway } from "../../state/gate";
import { canChoose, headingOf, isHosts, isOver, isPaused, shareOf } from "../../state/store";
import { enterGate } from "../../state/wish";
import { Dialog, Icon, ProblemNote, Serial, Shape, VerdictMark } from "../bits";
import { unheard, unheardOf } from "../box";
import { Locate } from "../locate";
import { afterWords } from "./after";
import { apart, worked } from "./course";
import { howOf } from "./how";
import { lasted } from "./lasted";
import { stepName } from "./steps";

/** How long it was at work, and apart from that how long it was off or waited. */
function took(job: Job, end: string): string {
  const rest = apart(job, end);
  return `${lasted(worked(job.phases) / 1000)} at work${rest === null ? "" : ` and ${duration(rest / 1000)} off or waiting`}`;
}

/** The one sentence over everything; `still`: what is said instead of how long it takes, where nobody hears of it; `last`: it is its drive's last test, so that its
 * verdict is today's. Pure. */
export function headline(job: Job, at: number, still: string | null = null, last = true, bus?: Bus): { title: string; line: string } {
  const done = job.progress ? `${Math.floor(job.progress.percent)} % of the whole test` : "";
  if (job.verdict) {
    const end = `Ended ${job.ended ? `at ${clock(job.ended, at)} ` : ""}after ${took(job, job.ended ?? new Date(at).toISOString())}`;
    const verified = `${verifiedWords(job.verdict.verified, job.capacity, howOf(job))}.`;
    return last ? { title: afterWords(job.verdict, bus, job.acknowledged), line: `${end}. ${verified}` } : { title: `${end}; tested again since`, line: verified };
  }
  if (job.state.kind === "waiting") return { title: isPaused(job) ? "Paused" : still ?? "Waiting, goes on by itself", line: `${job.state.why}. ${done}` };
  if (isOver(job)) return { title: "Ended", line: "The verdict has not come yet." };
  const found = isHosts(job) ? "The box's own memory is bad: nothing can be said of the drive." : job.bad_sectors > 0 ? `${plural(job.bad_sectors, "bad sector")} so far: heading for FAILED.` : job.findings.length > 0 ? `${plural(job.findings.length, "finding")} so far.` : "";
  const heading = isHosts(job) || (job.bad_sectors > 0 && headingOf(job)?.outcome !== "FAILED") ? undefined : headingOf(job);
  const ahead = heading ? `Heading for ${heading.outcome}: ${heading.words}.` : "";
  const left = job.progress?.eta_job;
  const title = still !== null ? still : left === null || left === undefined ? "Under way, time left not known yet" : `Done in ${timeLeft(left)}, near ${clock(new Date(at + left * 1000).toISOString(), at)}`;
  return { title, line: [done, [found, ahead].filter(Boolean).join(" ") || "Nothing wrong so far."].filter(Boolean).join(". ") };
}

/** What is read out unasked: the step that begins, each tenth of it, and the verdict once; pure. */
export function spoken(job: Job): string {
  if (job.verdict) return `Verdict: ${job.verdict.outcome}${job.certificate?.revoked ? ", which no longer holds" : ""}.`;
  if (job.state.kind === "waiting") return isPaused(job) ? "Paused." : "Waiting; it goes on by itself.";
  const p = job.progress;
  if (!p) return "";
  const share = shareOf(job, p.step);
  return `${stepName(job, p.step, p.phase)}${share === null ? "" : `, ${Math.floor(share * 10) * 10} %`}.`;
}

/** What ending a job makes of its verdict; pure. */
export function endWords(job: Job): string {
  const four = lastFour(job.serial);
  return !isHosts(job) && (job.bad_sectors > 0 || headingOf(job)?.outcome === "FAILED")
    ? `The verdict of …${four} will be FAILED, by what was found up to now; what was not tested stays unknown.`
    : `The verdict of …${four} will be INCONCLUSIVE at best: not everything was tested.`;
}

/** What a person asks of a test. */
type Act = "abort" | "pause" | "resume";

/** How long a request waits for its answer, and then for the test's new state, before that is told, and once it is answered may be asked again, in milliseconds: a worker answers within one read or write. */
const SETTLES_MS = 5000;

/** Told while the answer is out: the request may never have reached the box. */
const UNANSWERED = "No answer from the box yet: whether it heard this is not known.";

const TAKES_LONG: Readonly<Record<Act, string>> = {
  pause: "It does not pause yet. The box was asked, and it pauses once the drive has answered; until then it goes on.",
  resume: "It does not go on yet. The box was asked, and it goes on once the drive answers.",
  abort: "It has not ended yet. The box was asked, and it ends once the drive has answered.",
};

/** Whether a test stands as it was asked to; pure. */
export const settled = (job: Job, what: Act): boolean => isOver(job) || (what !== "abort" && isPaused(job) === (what === "pause"));

/** Sends what is asked of a test, and tells what takes long: the box's answer, and once it is there the test's new state. */
export async function send(what: Act, request: () => Promise<unknown>, tell: (words: string) => void): Promise<void> {
  const silent = setTimeout(() => tell(UNANSWERED), SETTLES_MS);
  try {
    await request();
  } finally {
    clearTimeout(silent);
    tell("");
  }
  setTimeout(() => tell(TAKES_LONG[what]), SETTLES_MS);
}

/** The head. */
export function Head({ job }: { job: Job }) {
  const asking = useSignal(false);
  const pressed = useSignal<{ what: Act } | null>(null);
  const late = useSignal("");
  const problem = useSignal<Problem | null>(null);
  const heard = unheard() === null;
  const newest = latest.value.get(job.drive) ?? job;
  const drive = known.value.drives?.find(({ id }) => id === job.drive);
  const { title, line } = headline(job, now.value, unheardOf(job), newest.id === job.id, drive?.bus);
  const again = isOver(job) && drive !== undefined && canChoose(drive, newest);
  const act = async (what: Act) => {
    const press = (pressed.value = { what });
    problem.value = null;
    late.value = "";
    try {
      await send(what, () => api[what](job.id), (words) => pressed.peek() === press && (late.value = words));
      if (what === "abort") asking.value = false;
      // The stream tells the new state a moment after the answer: a second press until then would undo the first.
      setTimeout(() => pressed.peek() === press && (pressed.value = null), SETTLES_MS);
    } catch (thrown) {
      // What was pressed since has the word.
      if (pressed.peek() !== press) return;
      problem.value = asProblem(thrown);
      pressed.value = null;
    }
  };
  const paused = isPaused(job);
  const press = pressed.value;
  const busy = press && !settled(job, press.what) ? press.what : null;
  // Behind the picture: what was pressed since is still asked for.
  useEffect(() => {
    if (busy === null && pressed.peek() === press) pressed.value = null;
  }, [busy]);
  // What could not be asked can be asked again: an error of before says nothing of now.
  useEffect(() => {
    if (heard && problem.peek() && isAway(problem.peek()!)) problem.value = null;
  }, [heard, connections.value]);
  // The question goes with the test, by whomever it was ended.
  useEffect(() => {
    if (isOver(job)) asking.value = false;
  }, [isOver(job)]);
  // So does what was refused or took long, with the state that it was about.
  useEffect(() => {
    problem.value = null;
    late.value = "";
  }, [isOver(job), paused]);
  return (
    <div class="jobhd">
      <div class="who"><span class="l4">{lastFour(job.serial)}</span>
        <div class="sn">{job.model}, {bytes(job.capacity)}<br /><Serial serial={job.serial} /><br />{drive ? `${drive.present ? "" : "out, last in "}${seatOf(drive) || "place not told"}` : "not plugged in"}<br /><a href={drivePath(job.drive)}>The drive’s page</a></div></div>
      <div class="mid">{job.verdict && <VerdictMark outcome={job.verdict.outcome} />}{job.certificate?.revoked && <span class="v is-fail"><Shape of="fail" />no longer holds</span>}<h1>{title}</h1><p class="sayit">{line}{newest.id !== job.id && <> <a href={jobPath(newest.id)}>{isOver(newest) ? "Its last test" : "The test that it is in now"}</a></>}</p>
        <p class="sayit" role="status">{isOver(job) ? "" : late.value}</p>
        <p class="sr" role="status">{spoken(job)}</p>
        {!asking.value && <ProblemNote problem={problem.value} />}</div>
      {!isOver(job) && (
        <div class="do">
          {paused
            ? <button class="btn prime" type="button" disabled={busy !== null} onClick={() => void act("resume")}><Icon name="go" />{busy === "resume" ? "Asking the box" : "Go on"}</button>
            : <button class="btn" type="button" disabled={busy !== null} onClick={() => void act("pause")}><Icon name="pause" />{busy === "pause" ? "Asking the box" : "Pause"}</button>}
          <button class="btn" type="button" onClick={() => { problem.value = null; asking.value = true; }}>End this test…</button>
          {drive && <Locate drive={drive} />}
        </div>
      )}
      {isOver(job) && (
        <div class="do">
          {again && <button class={`btn ${job.verdict?.outcome === "INCONCLUSIVE" ? "prime" : ""}`} type="button" onClick={() => enterGate({ drives: [job.drive] })}>{howOf(job) === "read" ? "Burn in…" : "Burn in again…"}</button>}
          {job.certificate && !job.certificate.revoked && <a class="btn" href={certificateUrl(job.id, ".html")} target="_blank" rel="noopener"><Icon name="cert" />Certificate</a>}
          {drive && <Locate drive={drive} />}
        </div>
      )}
      {asking.value && !isOver(job) && (
        <Dialog title="End this test?" onClose={() => (asking.value = false)}>
          <p>{endWords(job)} What is erased stays erased. Other drives go on. To go on later, pause it instead.</p>
          <ProblemNote problem={problem.value} />
          <div class="do">
            <button class="btn" type="button" onClick={() => (asking.value = false)}>Go on testing</button>
            <button class="btn danger" type="button" disabled={busy === "abort"} onClick={() => void act("abort")}>{busy === "abort" ? "Ending" : "End the test"}</button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
