import type { Job, Phase } from "@wire";

/** What of the drive its playbook reads and writes. */
export function howOf(job: Job): "whole" | "read" | "samples" {
  const has = (...which: Phase[]) => job.phases.some(({ phase }) => which.includes(phase));
  if (has("scan") && !has("write", "probe", "sample")) return "read";
  const sampled = job.phases.some(({ phase, status }) => phase === "sample" && status === "done");
  return sampled && !has("verify") ? "samples" : "whole";
}
