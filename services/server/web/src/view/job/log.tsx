/** A job's log: what the box kept and what came since, newest first. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Job, LogLine, Problem } from "@wire";

import { api, asProblem } from "../../api";
import { plural, stamp, zone } from "../../format";
import { connections, known, now } from "../../state/app";
import { Panel, ProblemNote } from "../bits";

/** Log lines of the box and those that came since, each once, newest first. */
export function mergeLog(told: readonly LogLine[], live: readonly LogLine[]): LogLine[] {
  const key = (line: LogLine) => `${line.timestamp ?? ""} ${line.message}`;
  const seen = new Set(told.map(key));
  return [...told, ...live.filter((line) => !seen.has(key(line)))].reverse();
}

/** The panel. */
export function Log({ job }: { job: Job }) {
  const told = useSignal<LogLine[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    api.jobLog(job.id).then(
      (lines) => {
        told.value = lines;
        problem.value = null;
      },
      (thrown: unknown) => (problem.value = asProblem(thrown)),
    );
    // What was logged while the stream was away is in no message of it.
  }, [job.id, connections.value]);
  const lines = mergeLog(told.value ?? [], known.value.logs.get(job.id) ?? []);
  return (
    <Panel title="Log" note={lines.length > 0 ? `${plural(lines.length, "line")}, newest first, times in ${zone(now.peek())}` : undefined}>
      <ProblemNote problem={problem.value} />
      {lines.length === 0 ? <p class="mute">{told.value === null && !problem.value ? "Asking the box." : "Nothing logged yet."}</p> : (
        <div class="log" tabIndex={0} role="log" aria-label="Log, newest first">
          {lines.slice(0, 400).map((line, index) => (
            <div key={lines.length - index} class={/^(warn|error)/.test(line.level) ? "w" : ""}>{line.timestamp && <b>{stamp(line.timestamp, now.peek())}</b>} {line.level !== "info" && `${line.level}: `}{line.message}</div>
          ))}
        </div>
      )}
    </Panel>
  );
}

