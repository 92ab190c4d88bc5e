/** What becomes of running jobs when the box goes down. */
import { plural } from "../../format";
import { known } from "../../state/app";
import { isOver } from "../../state/store";

/** How many jobs are under way. */
export function running(): number {
  return [...known.value.jobs.values()].filter((job) => !isOver(job)).length;
}

/** What a person should know of them before the box goes down. */
export function jobWords(jobs: number): string {
  if (jobs === 0) return "Nothing is under way.";
  return `${plural(jobs, "job")} under way ${jobs === 1 ? "writes" : "write"} a checkpoint first and ${jobs === 1 ? "goes" : "go"} on by ${jobs === 1 ? "itself" : "themselves"} after the next start.`;
}

/** What a person should know of them before the box forgets everything. */
export function lostWords(jobs: number): string {
  if (jobs === 0) return "";
  return `${plural(jobs, "job")} not over. While the burn-in agent may be at ${jobs === 1 ? "it" : "them"} the box refuses; where the agent does not run, as in safe mode, ${jobs === 1 ? "it is" : "they are"} forgotten unfinished, and what was erased stays erased.`;
}

/** Why no backup can be put back now; empty where one can. The box decides: it says why where its agent is away. */
export function barWords(jobs: number, agent: boolean): string {
  return jobs > 0 && agent ? `A backup can be put back once nothing is under way: ${plural(jobs, "job")} not over. Wait for ${jobs === 1 ? "it" : "them"} or abort ${jobs === 1 ? "it" : "them"}.` : "";
}
