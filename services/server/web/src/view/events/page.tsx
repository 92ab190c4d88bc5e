/** Everything that happened, newest first, filtered as one types. */
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Event, Problem, Severity } from "@wire";

import "../../style/lists.css";
import "../../style/playbook.css";
import { api, asProblem } from "../../api";
import { happenedAt, plural, stamp, zone } from "../../format";
import { arrivals, drivePath, jobPath } from "../../route";
import { known, newestEvents, now } from "../../state/app";
import { Icon, Panel, ProblemNote, Shape } from "../bits";
import { follow, pieces, type Chain } from "./chain";
import { file, save, useDeed } from "../settings/deed";

/** What is asked for: words, least severity, what it is about (the part of its type before the dot) and a day of this browser's zone, `2026-11-20`; empty is any. */
export interface Asked { text: string; least: Severity; about: string; day: string }

/** What an event is about. */
const aboutOf = ({ type }: Pick<Event, "type">): string => type.split(".")[0] ?? "";

/** What events may be about, as people call it; anything else by its own name. */
const ABOUT: Readonly<Record<string, string>> = { addon: "add-ons", agent: "the burn-in agent", box: "the box", certificate: "certificates", drive: "drives", host: "hosts", job: "tests", person: "people", playbook: "playbooks", session: "sessions", unit: "services of the box", update: "updates" };

/** What the events here are about, by its words; pure. */
export function abouts(events: readonly Pick<Event, "type">[]): [name: string, words: string][] {
  return [...new Set(events.map(aboutOf))].map((name): [string, string] => [name, ABOUT[name] ?? name]).sort(([, a], [, b]) => a.localeCompare(b));
}

/** Whether an event answers to a filter; pure. */
export function fits(event: Event, { text, least, about, day }: Asked): boolean {
  const rank: Record<Severity, number> = { info: 0, warning: 1, critical: 2 };
  if (rank[event.severity] < rank[least]) return false;
  if (about !== "" && aboutOf(event) !== about) return false;
  if (day !== "" && dayOf(happenedAt(event)) !== day) return false;
  const hay = `${event.type} ${event.message} ${event.actor.kind} ${event.actor.name} ${event.drive ?? ""} ${event.job ?? ""}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => hay.includes(word));
}

/** Nothing asked for: all of them. */
const ANY: Asked = { text: "", least: "info", about: "", day: "" };

/** The end of the address that asks for these, so that they outlive a reload and can be sent; pure. */
export function queryOf(asked: Asked): string {
  const parts = (Object.keys(ANY) as (keyof Asked)[]).filter((key) => asked[key] !== ANY[key]).map((key) => `${key}=${encodeURIComponent(asked[key])}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** What an address asks for; what it misspells is any; pure. */
export function askedIn(query: string): Asked {
  const given = new URLSearchParams(query);
  const part = (key: keyof Asked, form: RegExp) => (form.test(given.get(key) ?? "") ? given.get(key)! : ANY[key]);
  return { text: part("text", /./), least: part("least", /^(warning|critical)$/) as Severity, about: part("about", /^[\w-]+$/), day: part("day", /^\d{4}-\d\d-\d\d$/) };
}

/** The day of a moment in this browser's zone, as a field of days has it; pure. */
function dayOf(iso: string): string {
  const at = new Date(iso);
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

/** Events that are asked for at a time. */
const PAGE = 500;

/** Events that are drawn at first, and as many again where there are more. */
const DRAWN = 1000;

/** What the page holds of the log: the oldest first, none left out between, and whether the box has more before them. */
export interface Held { events: readonly Event[]; more: boolean }

/** The newest events, as the box answered with at most `limit`. */
export function newest(answer: readonly Event[], limit: number): Held {
  return { events: answer, more: answer.length >= limit && (answer[0]?.seq ?? 1) > 1 };
}

/** With those before them, as the box answered for what comes after `after`. */
export function older({ events }: Held, after: number, answer: readonly Event[]): Held {
  const first = events[0]?.seq ?? Infinity;
  const before = answer.filter(({ seq }) => seq < first);
  // Where the answer begins later than it might, the log begins there: the box keeps so many events.
  return { events: [...before, ...events], more: before.length > 0 && after > 0 && before[0]?.seq === after + 1 };
}

/** With those that the stream has brought since; after a gap, which only a long silence makes, these alone. */
export function newer(held: Held, stream: readonly Event[]): Held {
  const last = held.events.at(-1)?.seq ?? 0;
  const fresh = stream.filter(({ seq }) => seq > last);
  if (fresh.length === 0) return held;
  return last > 0 && fresh[0]?.seq !== last + 1 ? { events: fresh, more: true } : { ...held, events: [...held.events, ...fresh] };
}

/** Whether all of a day is held, or there is no more: what happened on a day was written down on it or later. */
export function reaches({ events, more }: Held, day: string): boolean {
  const first = events[0];
  return !more || (first !== undefined && dayOf(first.ts) < day);
}

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
  const wanted = useSignal(askedIn(location.search));
  const want = (change: Partial<Asked>) => {
    wanted.value = { ...wanted.peek(), ...change };
    history.replaceState(history.state, "", `${location.pathname}${queryOf(wanted.peek())}`);
  };
  const problem = useSignal<Problem | null>(null);
  const asked = useSignal(false);
  const busy = useSignal(false);
  const held = useSignal<Held | null>(null);
  const drawn = useSignal(DRAWN);
  const load = async (portion = PAGE) => {
    problem.value = null;
    busy.value = true;
    // First the newest; then, from the oldest that is here, the page before it.
    const first = held.peek()?.events[0]?.seq;
    try {
      if (first === undefined) {
        held.value = newer(newest(await newestEvents(PAGE), PAGE), known.peek().events);
      } else {
        const after = Math.max(0, first - 1 - portion);
        const answer = await api.events(after, portion);
        const now = held.peek();
        // Nothing, where the stream had a gap meanwhile and the page began anew.
        if (now?.events[0]?.seq === first) held.value = older(now, after, answer);
      }
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    asked.value = true;
    busy.value = false;
  };
  useEffect(() => void load(), []);
  // A link to this page from this page asks anew.
  useSignalEffect(() => {
    if (arrivals.value > 0) wanted.value = askedIn(location.search);
  });
  // What the stream brings is held here, too: its own list lets the oldest go.
  useSignalEffect(() => {
    const stream = known.value.events;
    const now = held.peek();
    if (now) held.value = newer(now, stream);
  });
  // A day is looked for as far back as it is; while its year is typed it is one long before any log.
  const looks = useComputed(() => held.value !== null && problem.value === null && wanted.value.day >= "1970" && !reaches(held.value, wanted.value.day));
  useSignalEffect(() => {
    if (looks.value && !busy.value) void load(ANSWER);
  });
  const all = held.value?.events ?? known.value.events;
  const { text, least, about, day } = wanted.value;
  const list = all.filter((event) => fits(event, wanted.value)).reverse();
  const hidden = list.length > drawn.value;
  const more = held.value?.more ?? true;
  const further = () => {
    if (hidden) drawn.value += DRAWN;
    else void load().then(() => (drawn.value += PAGE));
  };
  const none = looks.value ? `Looking for that day before the newest ${all.length}.` : !asked.value ? "Asking the box." : more ? `None among the newest ${all.length}.` : "Nothing answers to this.";
  return (
    <main id="main" tabIndex={-1}>
      <h1 class="sr">Events</h1>
      <Panel title="Events" note={`${plural(list.length, "event")}, newest first, times in ${zone(now.peek())}`}>
        <div class="filter">
          <label class="find"><Icon name="find" /><span class="sr">Filter</span><input type="search" placeholder="Word, drive, person" value={text} onInput={(e) => want({ text: e.currentTarget.value })} /></label>
          <label>At least <select value={least} onChange={(e) => want({ least: e.currentTarget.value as Severity })}>
            <option value="info">everything</option><option value="warning">warnings</option><option value="critical">critical</option></select></label>
          <label>About <select value={about} onChange={(e) => want({ about: e.currentTarget.value })}>
            <option value="">everything</option>{abouts(about ? [...all, { type: about }] : all).map(([name, words]) => <option key={name} value={name}>{words}</option>)}</select></label>
          <label>Day <input type="date" value={day} onInput={(e) => want({ day: e.currentTarget.value })} /></label>
        </div>
        <ProblemNote problem={problem.value} />
        {list.length === 0 && <p class="mute" role="status">{none}</p>}
        <ol class="events">
          {list.slice(0, drawn.value).map((event) => (
            <li key={event.seq} class={event.severity === "critical" ? "is-fail" : event.severity === "warning" ? "is-warn" : "is-info"}>
              {event.severity === "info" ? <Icon name="info" /> : <Shape of={event.severity === "critical" ? "fail" : "warn"} />}
              <time dateTime={happenedAt(event)}>{stamp(happenedAt(event), now.peek())}</time>
              <span class="msg">{event.message}<span class="rule">{event.type}, by {event.actor.name || event.actor.kind}
                {event.job && <>, <a href={jobPath(event.job)}>job</a></>}{event.drive && <>, <a href={drivePath(event.drive)}>drive</a></>}</span></span>
            </li>
          ))}
        </ol>
        {asked.value && (hidden || more) && <button class="btn" type="button" disabled={busy.value} onClick={further}>Older</button>}
      </Panel>
      <WholeLog />
    </main>
  );
}
