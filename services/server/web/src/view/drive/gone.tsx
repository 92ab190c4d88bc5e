/** What is known of a drive that is not plugged in: its last test tells what it is, the log of events where it was. */
import type { Job } from "@wire";

import { bytes, clock, grouped } from "../../format";
import { now } from "../../state/app";
import { Panel } from "../bits";
import type { Story } from "./lately";
import { lastSeen } from "./life";

/** The panel that stands in the place of its identity; `job`: its last test. */
export function Gone({ job, story }: { job: Job; story: Story }) {
  const seen = lastSeen(story.events);
  return (
    <Panel title="Identity" note="as its last test on this box told it">
      <dl class="facts">
        <dt>Model</dt><dd>{job.model || "not told"}</dd>
        <dt>Serial</dt><dd class={job.serial ? "mono" : ""}>{job.serial || "not told"}</dd>
        <dt>Known as</dt><dd class="mono">{job.drive}</dd>
        <dt>Capacity</dt><dd>{bytes(job.capacity)} ({grouped(job.capacity)} bytes), in sectors of {job.sector} bytes</dd>
        <dt>Last seen</dt><dd>{seen ? <>{seen.place}, {clock(seen.at, now.value)}</> : story.told === null && !story.problem ? "Asking the box" : "the log of events does not tell it"}</dd>
        <dt>Last tested</dt><dd>{clock(job.ended ?? job.started, now.value)}</dd>
      </dl>
    </Panel>
  );
}
