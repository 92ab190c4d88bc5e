/** Everything that happened, newest first, filtered as one types. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Event, Problem, Severity } from "@wire";

import "../style/lists.css";
import "../style/playbook.css";
import { asProblem } from "../api";
import { plural, stamp } from "../format";
import { drivePath, jobPath } from "../route";
import { known, loadEvents } from "../state/app";
import { Icon, Panel, ProblemNote, Shape } from "./bits";
import { follow, pieces, type Chain } from "./chain";
import { file, save, useDeed } from "./settings/deed";

/** Whether an event answers to a filter; pure. */
export function fits(event: Event, text: string, least: Severity): boolean {
  const rank: Record<Severity, number> = { info: 0, warning: 1, critical: 2 };
  if (rank[event.severity] < rank[least]) return false;
  const hay = `${event.type} ${event.message} ${event.actor.kind} ${event.actor.name} ${event.drive ?? ""} ${event.job ?? ""}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => hay.includes(word));
}

const PAGE = 500;

/** Events in one answer of the box, at most. */
const ANSWER = 1000;

/** Brings the whole log as the box wrote it, the oldest first; `heard` gets each portion. */
async function wholeLog(heard: (texts: string[]) => void): Promise<void> {
  for (let after = 0; ; ) {
    const texts = pieces(await (await file("GET", `/events?after=${after}&limit=${ANSWER}`)).blob.text());
    heard(texts);
    const last = texts.at(-1);
    if (last === undefined || texts.length < ANSWER) return;
    after = (JSON.parse(last) as Event).seq;
  }
}

/** Taking the log away, and looking whether anybody has changed it. */
function WholeLog() {
  const { busy, run, note } = useDeed();
  const broken = useSignal<Chain["broken"]>(null);
  const take = () => run(async () => {
    broken.value = null;
    const lines: string[] = [];
    await wholeLog((texts) => lines.push(...texts));
    save({ name: `${known.peek().box?.name ?? "kiln"}-events.jsonl`, blob: new Blob(lines.map((line) => `${line}\n`), { type: "application/jsonl" }) });
    return `${plural(lines.length, "event")}, a line each`;
  });
  const check = () => run(async () => {
    broken.value = null;
    let chain: Chain | null = null;
    await wholeLog((texts) => (chain = follow(chain, texts)));
    const found = chain as Chain | null;
    if (!found) return "The log is empty.";
    broken.value = found.broken;
    return found.broken ? "" : `${plural(found.count, "event")} from ${found.first} to ${found.last}: each is as it was written, and none is missing between them.${found.earlier ? ` The first ${found.earlier} are in the form of an earlier version.` : ""}`;
  });
  return (
    <Panel title="The whole log" note="Each event carries the hash of the one before it.">
      <div class="do">
        <button class="btn" type="button" disabled={busy.value} onClick={() => void check()}>{busy.value ? "Reading" : "Check the chain"}</button>
        <button class="btn" type="button" disabled={busy.value} onClick={() => void take()}>Export</button>
      </div>
      {note}
      {broken.value && <p class="v is-fail wrap" role="alert"><Shape of="fail" /><span><b>The log does not hold at event {broken.value.seq}</b>: {broken.value.why}. Keep an export of it, and do not rely on what it says from there on.</span></p>}
    </Panel>
  );
}

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
      <WholeLog />
    </main>
  );
}
