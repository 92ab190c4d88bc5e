/** The steps of a job as a track: width is what each needs, so the eye sees what is long. */
import type { Job, Phase, PhaseState } from "@wire";

import { duration, phaseName, rate, timeLeft } from "../../format";
import { shareOf } from "../../state/store";
import { Words } from "../term";
import { lasted } from "./lasted";

/** A step's name among the others of its job. */
export function stepName(job: Pick<Job, "phases">, step: number, phase: Phase): string {
  const note = job.phases[step]?.note;
  return note ? `${phaseName(phase)} (${note})` : phaseName(phase);
}

/** What a step needs relative to the others. */
function weight(phase: PhaseState): number {
  switch (phase.phase) {
    case "write":
    case "verify":
    case "scan": return 40;
    case "seek":
    case "self_test_extended":
    case "trim_check": return 16;
    case "probe":
    case "sample":
    case "trim":
    case "format": return 8;
    default: return 5;
  }
}

/** What stands beneath a step; `live`: it is heard of and moves, so that its rate and its time left are of now. Pure. */
export function beneath(job: Job, phase: PhaseState, step: number, live: boolean): string[] {
  const p = job.progress?.step === step && phase.status === "running" ? job.progress : null;
  const again = phase.rounds > 1 ? `${phase.rounds} times` : "";
  // What an interruption had done again took time and counts once.
  const mean = phase.seconds >= 1 && phase.bytes > 0 && !job.resumes.some((resume) => resume.step === step) ? rate(phase.bytes / phase.seconds) : "";
  switch (phase.status) {
    case "done": return [again, lasted(phase.seconds), mean];
    case "running": {
      if (!p || !live) return [again, phase.seconds > 0 ? duration(phase.seconds) : ""];
      const left = p.total > 0 || p.phase_percent !== null ? (p.eta === null ? "time left not known yet" : `${timeLeft(p.eta)} left`) : duration(phase.seconds);
      return [again, left, p.total > 0 ? rate(p.rate) : ""];
    }
    case "pending": return ["to come"];
    case "skipped": return ["not done"];
    case "interrupted": return [again, "interrupted"];
  }
}

/** The track. */
export function Track({ job, live }: { job: Job; live: boolean }) {
  return (
    <ol class={`track ${job.phases.length > 7 ? "many" : ""}`}>
      {job.phases.map((phase, step) => {
        const share = phase.status === "running" ? shareOf(job, step) : null;
        const kind = { done: "done", running: "run", pending: "todo", skipped: "todo skipped", interrupted: "run halted" }[phase.status];
        return (
          <li key={step} class={kind} style={{ "--w": weight(phase) }} aria-current={phase.status === "running" ? "step" : undefined}>
            <div class="bar"><i style={{ width: `${((share ?? 0) * 100).toFixed(1)}%` }} /></div>
            <div class="nm"><Words text={phaseName(phase.phase)} />{share !== null && `, ${Math.floor(share * 100)}\u00a0%`}{phase.note && <span class="nt">{phase.note}</span>}</div>
            <div class="du">{beneath(job, phase, step, live).filter((text) => text && text !== "–").join(", ")}</div>
          </li>
        );
      })}
    </ol>
  );
}
