/** Everything that happened, newest first, filtered as one types. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Event, Problem, Severity } from "@wire";

import "../style/lists.css";
import { asProblem } from "../api";
import { plural, stamp } from "../format";
import { drivePath, jobPath } from "../route";
import { known, loadEvents } from "../state/app";
import { Icon, Panel, ProblemNote, Shape } from "./bits";

/** Whether an event answers to a filter; pure. */
export function fits(event: Event, text: string, least: Severity): boolean {
  const rank: Record<Severity, number> = { info: 0, warning: 1, critical: 2 };
  if (rank[event.severity] < rank[least]) return false;
  const hay = `${event.type} ${event.message} ${event.actor.kind} ${event.actor.name} ${event.drive ?? ""} ${event.job ?? ""}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => hay.includes(word));
}

const PAGE = 500;

/** The log of events. */
export function EventsPage() {
  const text = useSignal("");
  const least = useSignal<Severity>("info");
  const problem = useSignal<Problem | null>(null);
  const asked = useSignal(false);
  const more = useSignal(true);
  const load = async () => {
    problem.value = null;
    // First the newest; then, from the oldest that is here, the page before it.
    const first = asked.peek() ? known.peek().events[0]?.seq : undefined;
    try {
      await loadEvents(first === undefined ? null : Math.max(0, first - 1 - PAGE), PAGE);
      more.value = (known.peek().events[0]?.seq ?? 1) > 1;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    asked.value = true;
  };
  useEffect(() => void load(), []);
  const list = known.value.events.filter((event) => fits(event, text.value, least.value)).reverse();
  return (
    <main id="main" tabIndex={-1}>
      <h1 class="sr">Events</h1>
      <Panel title="Events" note={`${plural(list.length, "event")}, newest first`}>
        <div class="filter">
          <label class="find"><Icon name="find" /><span class="sr">Filter</span><input type="search" placeholder="Word, drive, person" value={text.value} onInput={(e) => (text.value = e.currentTarget.value)} /></label>
          <label>At least <select value={least.value} onChange={(e) => (least.value = e.currentTarget.value as Severity)}>
            <option value="info">everything</option><option value="warning">warnings</option><option value="critical">critical</option></select></label>
        </div>
        <ProblemNote problem={problem.value} />
        {list.length === 0 && <p class="mute">{asked.value ? "Nothing answers to this." : "Asking the box."}</p>}
        <ol class="events">
          {list.slice(0, 1000).map((event) => (
            <li key={event.seq} class={event.severity === "critical" ? "is-fail" : event.severity === "warning" ? "is-warn" : "is-info"}>
              {event.severity === "info" ? <Icon name="info" /> : <Shape of={event.severity === "critical" ? "fail" : "warn"} />}
              <time dateTime={event.ts}>{stamp(event.ts)}</time>
              <span class="msg">{event.message}<span class="rule">{event.type}, by {event.actor.name || event.actor.kind}
                {event.job && <>, <a href={jobPath(event.job)}>job</a></>}{event.drive && <>, <a href={drivePath(event.drive)}>drive</a></>}</span></span>
            </li>
          ))}
        </ol>
        {more.value && list.length > 0 && <button class="btn" type="button" onClick={() => void load()}>Older</button>}
      </Panel>
    </main>
  );
}
