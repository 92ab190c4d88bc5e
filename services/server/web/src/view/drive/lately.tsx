/** What happened to a drive: where it was seen, its tests and certificates on one line of time. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { DriveId, Event, Job, Problem } from "@wire";

import { asProblem, call, segment } from "../../api";
import { stamp, verdictShape, zone } from "../../format";
import { connections, known, now } from "../../state/app";
import { Icon, Panel, ProblemNote, Shape } from "../bits";
import { LISTED, life, type Point } from "./life";

/** Newest events of the drive that are asked for: steps of its tests are among them, which are not listed. */
const ASKED = 200;

const Picture = ({ kind }: Pick<Point, "kind">) => (kind === null ? <span class="i" /> : kind === "place" ? <Icon name="bay" /> : kind === "certificate" ? <Icon name="cert" /> : <Shape of={verdictShape(kind)} />);

/** The panel; `drive`: its identity, `null` where it has none, as no event names it then. `span` as {@link Panel} takes it. */
export function Lately({ drive, jobs, span }: { drive: DriveId | null; jobs: readonly Job[]; span: string }) {
  const asked = useSignal<{ of: DriveId; events: readonly Event[] } | null>(null);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    if (drive === null) return;
    // The stream brings those since it began, and none of what came while it was away.
    call<Event[]>("GET", `/events?drive=${segment(drive)}&limit=${ASKED}`).then(
      (events) => {
        asked.value = { of: drive, events };
        problem.value = null;
      },
      (thrown: unknown) => (problem.value = asProblem(thrown)),
    );
  }, [drive, connections.value]);
  const answer = asked.value !== null && asked.value.of === drive ? asked.value.events : null;
  const last = answer?.at(-1)?.seq ?? 0;
  const since = known.value.events.filter((event) => event.drive === drive && event.seq > last);
  const line = life([...(answer ?? []), ...since], jobs);
  const begins = (answer?.length ?? 0) < ASKED && line.length < LISTED;
  return (
    <Panel title="What happened to it" span={span} note={line.length > 0 ? `newest first, times in ${zone(now.peek())}` : undefined}>
      <ProblemNote problem={problem.value} />
      {line.length === 0 && !problem.value && <p class="mute">{answer || drive === null ? "Nothing yet." : "Asking the box."}</p>}
      {line.length > 0 && (
        <ol class="plain life">
          {line.map(({ key, at, text, href, kind }) => (
            <li key={key}><Picture kind={kind} /><div><time class="mute" dateTime={at}>{stamp(at, now.peek())}</time> {href ? <a href={href} {...(kind === "certificate" && { target: "_blank", rel: "noopener" })}>{text}</a> : text}</div></li>
          ))}
        </ol>
      )}
      {answer && !begins && <p class="mute foot">Older ones are in <a href="/events">the log of events</a>.</p>}
    </Panel>
  );
}
