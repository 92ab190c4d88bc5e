/** What happened to a drive lately, by the box's log of events. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { DriveId, Problem } from "@wire";

import { asProblem } from "../../api";
import { happenedAt, plural, stamp, zone } from "../../format";
import { connections, known, newestEvents, now } from "../../state/app";
import { Panel, ProblemNote } from "../bits";

/** The newest events that are looked through: the box does not tell those of one drive alone. */
const LOOKED = 1000;

/** Most that are listed. */
const LISTED = 30;

/** The panel; `span` as {@link Panel} takes it. */
export function Lately({ drive, span }: { drive: DriveId; span: string }) {
  const asked = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    // The stream brings those since it began, and none of what came while it was away.
    newestEvents(LOOKED).then(
      () => {
        asked.value = true;
        problem.value = null;
      },
      (thrown: unknown) => (problem.value = asProblem(thrown)),
    );
  }, [connections.value]);
  const all = known.value.events;
  const list = all.filter((event) => event.drive === drive).slice(-LISTED).reverse();
  const begins = (all[0]?.seq ?? 1) === 1;
  const none = begins ? "Nothing yet." : `Nothing in the newest ${plural(all.length, "event")} of the box.`;
  return (
    <Panel title="What happened to it" span={span} note={list.length > 0 ? `newest first, times in ${zone(now.peek())}` : undefined}>
      <ProblemNote problem={problem.value} />
      {list.length === 0 && !problem.value && <p class="mute">{asked.value ? none : "Asking the box."}</p>}
      {list.length > 0 && <ul class="plain">{list.map((event) => <li key={event.seq}><span class="mute">{stamp(happenedAt(event), now.peek())}</span> {event.message}</li>)}</ul>}
      {asked.value && !begins && <p class="mute foot">Older ones are in <a href="/events">the log of events</a>.</p>}
    </Panel>
  );
}
