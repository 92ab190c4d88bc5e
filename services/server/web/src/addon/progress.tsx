/**
 * Component `progress`: an add-on's running jobs.
 *
 * Each job is a signal of its own, so that a frame of one drive redraws one row. What is over stays until the page is
 * left, with the word it ended with; that a job ended is told, never that a drive passed: a verdict is not an add-on's.
 */
import { computed, signal, useComputed, useSignal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";

import { ago, celsius } from "../format";
import { jobPath } from "../route";
import { known, now } from "../state/app";
import { Icon, Panel, Shape } from "../view/bits";
import { AskedNote, isPast } from "./asked";
import { CancelButton, readCancel } from "./cancel";
import { phaseWords } from "./cell";
import { useSource, useTurned, type PartProps } from "./context";
import { isFor, isOf } from "./feed";
import { missed, POLL_MS, pollDue, records, roomOf, update, type Shown } from "./jobs";
import { at, bool, obj, str, type Config } from "./manifest";
import { ownTitle } from "./own";

/** Most jobs of one component; the ones that ended first go first. */
const JOBS_MAX = 300;
/** After so long without a word a running job says since when, in milliseconds. */
const SILENT_MS = 90_000;
/** A clock for what changes slowly: four turns a minute. */
const slow = computed(() => Math.floor(now.value / 15_000) * 15_000);

/** The component. */
export function ProgressPart(props: PartProps) {
  const { part, around } = props;
  const jobs = useMemo(() => new Map<string, Signal<Shown>>(), [part.id]);
  const order = useSignal<readonly string[]>([]);
  const running = useSignal(0);
  const source = part.source === "" || part.source === "telemetry" ? "active_jobs" : part.source;
  const asked = useSource(props, source);
  const multi = bool(at(part.config, "multi"), true);
  const drawn = (ids: readonly string[]) => (multi ? ids : ids.slice(-1));
  // When a frame came last, and the jobs that frames tell of.
  const heard = useRef(0);
  const turned = useTurned(around);
  const framed = useMemo(() => new Set<string>(), [part.id]);
  const nameOf = (record: Config) => str(at(record, "job_id"), str(at(record, "id"))) || `agent ${str(at(record, "agent_id"))}`;
  const count = () => (running.value = drawn(order.peek()).filter((id) => jobs.get(id)?.peek().state === "running").length);
  const put = (raws: readonly Config[], at_: number) => {
    let [grown, turned] = [false, false];
    for (const record of raws) {
      const id = nameOf(record);
      const known = jobs.get(id);
      if (known) {
        const was = known.peek();
        known.value = update(was, record, at_);
        turned ||= known.peek().state !== was.state;
      } else {
        jobs.set(id, signal({ ...update(undefined, record, at_), id }));
        grown = true;
      }
    }
    if (grown) trim();
    // Counted when one begins or ends, not with each figure: that would look at all jobs for each frame.
    if (grown || turned) count();
  };
  const trim = () => {
    for (const [id, job] of jobs) {
      if (jobs.size <= JOBS_MAX) break;
      if (job.peek().state !== "running") jobs.delete(id);
    }
    for (const id of jobs.keys()) {
      if (jobs.size <= JOBS_MAX) break;
      jobs.delete(id);
    }
    for (const id of framed) if (!jobs.has(id)) framed.delete(id);
    order.value = [...jobs.keys()];
  };
  const told = asked.told.value;
  useEffect(() => {
    if (!told) return;
    if (turned()) {
      jobs.clear();
      framed.clear();
      order.value = [];
      count();
    }
    const listed = records(told.items.length > 0 ? told.items : told.value);
    put(listed, now.peek());
    if (told.stale) return;
    const names = new Set(listed.map(nameOf));
    const gone = [...jobs.values()].filter((job) => missed(job.peek(), names, framed.has(job.peek().id), around.agent.peek()));
    for (const job of gone) job.value = { ...job.peek(), state: "gone", eta: "", speed: "" };
    if (gone.length > 0) count();
  }, [told]);
  useEffect(() => {
    const timer = setInterval(() => {
      const here = { listens: around.addon.url !== "", hidden: document.hidden, busy: asked.busy.peek(), running: running.peek(), heard: heard.current };
      if (pollDue(here, Date.now())) asked.again();
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [around, part.id]);
  useEffect(() => around.feed.hear(["progress"], (frames) => {
    const agent = around.agent.peek();
    const mine = frames.map(({ payload }) => obj(payload)).filter((raw) => isFor(raw, part.id) && isOf(raw, agent));
    if (mine.length > 0) heard.current = Date.now();
    put(mine, now.peek());
    for (const raw of mine) if (jobs.has(nameOf(raw))) framed.add(nameOf(raw));
  }), [around.feed, part.id]);

  const list = drawn(order.value);
  return (
    <Panel id={`t-${part.id}`} title={part.title} note={part.about || (list.length > 0 ? <Count running={running} all={list.length} /> : undefined)}>
      {(list.length === 0 || asked.told.value?.stale) && <AskedNote asked={asked} around={around} />}
      {list.length === 0 && !asked.problem.value && <p class="mute">{asked.told.value === null ? "Asking what runs." : "Nothing runs. A job appears here as soon as the add-on tells of it."}</p>}
      <ul class={`jobs ${readCancel(part.config) ? "ends" : ""} ${isPast(asked, around) ? "past" : ""}`}>{list.map((id) => {
        const job = jobs.get(id);
        return job && <Job key={id} job={job} {...props} />;
      })}</ul>
    </Panel>
  );
}

/** How many run: its own component, so that a frame of one job redraws that job's row and this line at most. */
function Count({ running, all }: { running: ReadonlySignal<number>; all: number }) {
  return <>{running.value} running{all > running.value ? `, ${all - running.value} ended` : ""}</>;
}

const ENDED: Record<Exclude<Shown["state"], "running" | "paused">, string> = { completed: "ended", failed: "failed", cancelled: "cancelled", gone: "not listed" };

/** The figures of a row: when each is there, and its words. */
const FIGURES: readonly { key: string; of: (job: Shown) => string }[] = [
  { key: "show_eta", of: ({ state, eta }) => (state === "running" && eta ? `${eta} left` : "") },
  { key: "show_speed", of: ({ state, speed }) => (state === "running" ? speed : "") },
  { key: "show_temperature", of: ({ temperature }) => (temperature === null ? "" : celsius(temperature)) },
  { key: "", of: ({ elapsed }) => (elapsed ? `after ${elapsed}` : "") },
  { key: "", of: ({ moved }) => moved },
  { key: "", of: ({ errors }) => (errors !== null && errors > 0 ? `${errors} errors` : "") },
];
const percentage = ({ percent }: Shown) => (percent === null ? "" : `${percent.toFixed(percent === 100 ? 0 : 1)}\u00a0%`);
const says = ({ detail, message }: Shown) => [detail, message].filter((text, index, all) => text && all.indexOf(text) === index).join(". ");

/** What decides which elements a row has: while it stays, a frame changes texts in place and draws no component. */
const outline = (job: Shown) =>
  [job.title, job.command, job.agent, job.phase, job.state, job.percent === null, says(job) === "", ...FIGURES.map(({ of }) => of(job) === ""), ...job.phases.map(({ name }) => name)].join("\n");

/**
 * A text of a job, changed in place. Its room is that of the same text with zeros for figures, which are all of one width:
 * while only figures change, the browser lays out this text and nothing round it.
 */
function Words({ job, of }: { job: Signal<Shown>; of: (job: Shown) => string }) {
  const text = useComputed(() => of(job.value));
  const room = useComputed(() => roomOf(text.value));
  return <span class="steady" data-room={room}><span>{text}</span></span>;
}

function Bar({ job, name }: { job: Signal<Shown>; name: string }) {
  const now = useComputed(() => (job.value.percent === null ? undefined : Math.round(job.value.percent)));
  // A background: what it costs a slow processor is the picture, without layout or layers. It is that of an element of its
  // own, for which no custom property is to be worked out anew each time.
  const style = useComputed(() => `background-size: ${(job.value.percent ?? 0).toFixed(2)}% 100%`);
  return <div class="abar" role="progressbar" aria-valuemin={0} aria-valuemax={100} aria-valuenow={now} aria-label={name}><i style={style} /></div>;
}

function Job({ job, part, around }: PartProps & { job: Signal<Shown> }) {
  void useComputed(() => outline(job.value)).value;
  // Turns only when the answer does: the clock alone must not draw sixty rows at once.
  const silent = useComputed(() => job.value.state === "running" && slow.value - job.value.heard > SILENT_MS).value;
  const shown = job.peek();
  const { id, agent, command, phase, state, phases, heard } = shown;
  const own = useComputed(() => known.value.jobs.has(id)).value ? known.peek().jobs.get(id) : undefined;
  const title = own ? ownTitle(own) : shown.title;
  const shows = (key: string) => key === "" || bool(at(part.config, key), true);
  const cancel = readCancel(part.config);
  const hot = state === "running";
  return (
    <li class={`ajob ${state}`}>
      <div class="who"><b>{own ? <a href={jobPath(id)}>{title}</a> : title || id}</b><span class="mute">{[command, title && id !== title && !own ? id : "", agent].filter(Boolean).join(", ")}</span></div>
      <div class="pc">{state === "running" || state === "paused" ? <Words job={job} of={percentage} /> : (
        <span class={`v ${state === "failed" ? "is-fail" : state === "completed" ? "is-info" : "is-inc"}`}>{state === "failed" ? <Shape of="fail" /> : state !== "completed" ? <Shape of="inc" /> : <Icon name="tick" />}{ENDED[state]}</span>
      )}</div>
      <Bar job={job} name={`${title || id}${phase && `, ${phaseWords(phase)}`}`} />
      <div class="what">
        <div class="say">
          {shows("show_phase") && phases.length > 0 && (
            <ol class="phs" aria-label="Phases">{phases.map(({ name }) => <li key={name} class={name === phase && hot ? "run" : "done"} aria-current={name === phase && hot ? "step" : undefined}>{phaseWords(name)}</li>)}</ol>
          )}
          {says(shown) && <p><Words job={job} of={says} /></p>}
          {silent && <p class="mute">Not heard for a while: last {ago(new Date(heard).toISOString(), slow.value)}.</p>}
        </div>
        <div class="fig">{FIGURES.map(({ key, of }, index) => shows(key) && of(shown) && <span key={index}><Words job={job} of={of} /></span>)}</div>
      </div>
      {hot && cancel && <CancelButton part={part} around={around} cancel={cancel} id={id} agent={agent} job={title || id} />}
    </li>
  );
}
