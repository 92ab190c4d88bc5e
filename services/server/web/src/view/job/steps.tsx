/** The steps of a job as a track: width is what each needs, so the eye sees what is long. */
import type { Job, Phase, PhaseState } from "@wire";

import { duration, phaseName, rate, timeLeft } from "../../format";

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

function beneath(job: Job, phase: PhaseState, step: number): string[] {
  const p = job.progress?.step === step && phase.status === "running" ? job.progress : null;
  const again = phase.rounds > 1 ? `${phase.rounds} times` : "";
  switch (phase.status) {
    case "done": return [again, duration(phase.seconds), phase.seconds > 0 && phase.bytes > 0 ? rate(phase.bytes / phase.seconds) : ""];
    case "running": {
      if (!p) return [again, duration(phase.seconds)];
      const left = p.total > 0 || p.phase_percent !== null ? (p.eta === null ? "time left not known yet" : `${timeLeft(p.eta)} left`) : duration(phase.seconds);
      return [again, left, p.total > 0 ? rate(p.rate) : ""];
    }
    case "pending": return ["to come"];
    case "skipped": return ["not done"];
    case "interrupted": return [again, "interrupted"];
  }
}

/** How far the running step is, 0 to 1; `null` where it has no measure. */
export function shareOf(job: Job, step: number): number | null {
  const p = job.progress;
  if (!p || p.step !== step) return null;
  if (p.total > 0) return Math.min(1, p.done / p.total);
  return p.phase_percent === null ? null : Math.min(1, p.phase_percent / 100);
}

/** The track. */
export function Track({ job }: { job: Job }) {
  return (
    <ol class={`track ${job.phases.length > 7 ? "many" : ""}`}>
      {job.phases.map((phase, step) => {
        const share = phase.status === "running" ? shareOf(job, step) : null;
        const kind = { done: "done", running: "run", pending: "todo", skipped: "todo skipped", interrupted: "run halted" }[phase.status];
        return (
          <li key={step} class={kind} style={{ "--w": weight(phase) }} aria-current={phase.status === "running" ? "step" : undefined}>
            <div class="bar"><i style={{ width: `${((share ?? 0) * 100).toFixed(1)}%` }} /></div>
            <div class="nm">{phaseName(phase.phase)}{share !== null && `, ${Math.floor(share * 100)}\u00a0%`}{phase.note && <span class="nt">{phase.note}</span>}</div>
            <div class="du">{beneath(job, phase, step).filter((text) => text && text !== "–").join(", ")}</div>
          </li>
        );
      })}
    </ol>
  );
}
