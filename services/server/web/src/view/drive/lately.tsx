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

/** What the box tells of a drive, oldest first, and goes on telling; `told`: what it was asked for, `null` while it has not answered. */
export interface Story { told: readonly Event[] | null; events: readonly Event[]; problem: Problem | null }

/** The events of a drive; `drive`: its identity, `null` where it has none, as no event names it then. */
export function useStory(drive: DriveId | null): Story {
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
  const told = asked.value !== null && asked.value.of === drive ? asked.value.events : null;
  const last = told?.at(-1)?.seq ?? 0;
  return { told, events: [...(told ?? []), ...known.value.events.filter((event) => event.drive === drive && event.seq > last)], problem: problem.value };
}

/** The panel; `named`: the drive has an identity. `span` as {@link Panel} takes it. */
export function Lately({ named, story, jobs, span }: { named: boolean; story: Story; jobs: readonly Job[]; span: string }) {
  const { told: answer, events, problem } = story;
  const line = life(events, jobs);
  const begins = (answer?.length ?? 0) < ASKED && line.length < LISTED;
  return (
    <Panel title="What happened to it" span={span} note={line.length > 0 ? `newest first, times in ${zone(now.peek())}` : undefined}>
      <ProblemNote problem={problem} />
      {line.length === 0 && !problem && <p class="mute">{answer || !named ? "Nothing yet." : "Asking the box."}</p>}
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
