/** What needs a person, the most urgent first; long lists are folded, so that the bays stay in view. */
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { BoxView, Drive, Job, JobId, Problem } from "@wire";

import { bytes, celsius, lastFour, plural, verdictShape } from "../../format";
import { chosen, known, latest } from "../../state/app";
import { drivePath, jobPath, settingsPath } from "../../route";
import { printing } from "../../printing";
import { whoIs } from "../../seat";
import { hasFailed, headingOf, heatOf, illOf, isHosts, isOver, isPaused } from "../../state/store";
import { Mark, ProblemNote } from "../bits";
import { unheard } from "../box";
import { useSettled } from "../settle";
import { ack, ackedWord, ackWord, asks } from "../job/ack";
import { warned } from "../job/after";

/** One thing that needs a person. */
export interface Need {
  /** The same thing has the same key the next time. */
  key: string;
  /** A verdict's, or `info` for what waits and is none. */
  shape: "fail" | "inc" | "warn" | "info";
  /** Whose last four it is about; empty for the box itself. */
  four: string;
  /** Id of the drive that it is about. */
  drive: string | null;
  what: string;
  next: string;
  /** What to do, in a word or three, for a screen across the room. */
  short: string;
  /** Where more is, and what the link is called. */
  href: string;
  act: string;
  /** The test whose end it is about, what a person says to that, and whether that is said and can be taken back. */
  ack?: { job: Job; word: string; seen: boolean };
}

/**
 * Urgency, the first first: what gets worse by the minute, then what a person is waited for, then what stays as it is.
 */
const ORDER = ["hot", "failing", "gone", "gate", "failed", "ill", "trial", "inconclusive", "update", "waiting", "paused", "warn"] as const;
type Kind = (typeof ORDER)[number];

/** A drive of which a test alone tells. */
const away = ({ drive, model, serial, capacity, sector, started }: Job): Drive => ({
  id: drive, key: drive, kernel_name: "", model, serial, wwn: null, capacity, logical_sector: sector, physical_sector: sector, bus: "other", rotation: { kind: "unknown" },
  location: "", temperature: null, content: { state: "unknown" }, refused: null, present: false, since: started,
});

/** The drives, and those that were not plugged in since the box started and FAILED, or are waited for: who took one out still has to know. Pure. */
export function withAway(drives: readonly Drive[], jobs: ReadonlyMap<string, Job>, box: BoxView | null): readonly Drive[] {
  // Until the agent tells the drives, nobody knows which are missing.
  if (box?.agent.state !== "online") return drives;
  const here = new Set(drives.map(({ id }) => id));
  const missed = [...jobs.values()].filter((job) => !here.has(job.drive) && (hasFailed(job) || job.state.kind === "waiting"));
  return [...drives, ...missed.flatMap((job) => {
    // Behind another bridge a drive has another identity, and the serial that its label has.
    const again = drives.find(({ serial, present }) => present && serial !== "" && serial === job.serial);
    if (!again) return [away(job)];
    const { bay, location, kernel_name } = again;
    const since = jobs.get(again.id ?? "");
    return hasFailed(job) && !(since && since.started > job.started) ? [{ ...away(job), ...bay && { bay }, location, kernel_name, present: true }] : [];
  })];
}

/** That others are not held up, and how many they are. */
function othersGoOn(drives: readonly Drive[], jobs: ReadonlyMap<string, Job>, own: Job): string {
  const others = drives.filter(({ id, present }) => {
    const job = id === null || !present ? undefined : jobs.get(id);
    return job !== undefined && job.id !== own.id && job.state.kind === "running";
  }).length;
  return others === 0 ? "" : others === 1 ? " The other drive goes on." : ` The other ${others} drives go on.`;
}

/** A sentence that may come with or without its stop. */
const stopped = (text: string) => text.replace(/\.*$/, "");

/** Everything that needs a person; pure. `picked`: drives that were chosen and wait for the gate; `noted`: tests whose line stays though somebody has seen their end. */
export function needs(drives: readonly Drive[], jobs: ReadonlyMap<string, Job>, box: BoxView | null, picked: readonly string[] = [], noted: ReadonlyMap<JobId, unknown> = new Map()): Need[] {
  const list: (Need & { kind: Kind })[] = [];
  const add = (kind: Kind, need: Need) => list.push({ ...need, kind });
  for (const drive of drives) {
    if (drive.id === null) continue;
    const job = jobs.get(drive.id);
    const four = lastFour(drive.serial);
    const who = whoIs(drive);
    const of = { four, drive: drive.id };
    const heat = heatOf(drive, job);
    if (drive.present && !drive.as_of && heat !== null && drive.heat_limit !== undefined && heat > drive.heat_limit) {
      add("hot", { ...of, key: `hot ${drive.id}`, shape: "warn", what: `${who} is at ${celsius(heat)}; above ${celsius(drive.heat_limit)} it is too hot`, next: job && !isOver(job) ? "Give it air, or pause it. At a limit of its own the test pauses by itself." : "Give it air before it is tested.", short: `cool it: ${celsius(heat)}`, href: job && !isOver(job) ? jobPath(job.id) : drivePath(drive.id), act: job && !isOver(job) ? "Its test" : "The drive" });
    }
    // To one that is not offered nobody can give hours.
    const ill = drive.present && drive.refused === null ? illOf(drive, job) : undefined;
    if (ill) add("ill", { ...of, key: `ill ${drive.id}`, shape: ill.severity === "critical" ? "fail" : "warn", what: `${who} tells of itself: ${stopped(ill.says)}`, next: "Look at it before you give it hours.", short: "look first", href: drivePath(drive.id), act: "The drive" });
    if (!job) continue;
    const link = { href: jobPath(job.id), act: isOver(job) ? "Evidence" : "Its test" };
    if (!isOver(job)) {
      if (!drive.present) add("gone", { ...of, ...link, key: `gone ${job.id}`, shape: "info", what: `${who} was taken out ${job.progress ? `at ${Math.floor(job.progress.percent)} %` : "in the middle"} of its test`, next: `Put it back: the test goes on where it was.${othersGoOn(drives, jobs, job)}`, short: "put it back" });
      else if (job.state.kind === "waiting" && isPaused(job)) add("paused", { ...of, ...link, key: `waits ${job.id}`, shape: "info", what: `${who} is ${stopped(job.state.why)}`, next: "It goes on when somebody presses Go on.", short: "paused" });
      else if (job.state.kind === "waiting" && list.some(({ key }) => key === `hot ${drive.id}`)) continue;
      else if (job.state.kind === "waiting") add("waiting", { ...of, ...link, key: `waits ${job.id}`, shape: "info", what: `${who} waits: ${stopped(job.state.why)}`, next: `It goes on by itself.${othersGoOn(drives, jobs, job)}`, short: "waits" });
      else if (isHosts(job)) add("failing", { ...of, ...link, key: `bad ${job.id}`, shape: "inc", what: `The box's own memory is bad: the test of ${who} can tell nothing of the drive`, next: "Test the drive in another computer.", short: "the box's memory is bad" });
      else if (job.bad_sectors > 0) add("failing", { ...of, ...link, key: `bad ${job.id}`, shape: "fail", what: `${who} is heading for FAILED: ${plural(job.bad_sectors, "bad sector")} so far`, next: "It goes on to tell how many there are. End it if that is of no use.", short: "heads for FAILED" });
      else if (headingOf(job)?.outcome === "FAILED") add("failing", { ...of, ...link, key: `bad ${job.id}`, shape: "fail", what: `${who} is heading for FAILED: ${headingOf(job)!.words}`, next: "It goes on to test the rest. End it if that is of no use.", short: "heads for FAILED" });
      continue;
    }
    const verdict = job.verdict;
    const seen = job.acknowledged !== undefined && noted.has(job.id);
    if (!verdict || !(seen || asks(job))) continue;
    const { outcome } = verdict;
    const ack = { job, seen, word: seen ? "Take it back" : ackWord(outcome) };
    const after = (next: string) => (seen ? `${ackedWord(outcome)}; its verdict stays ${outcome}.` : next);
    const said = `${who}: ${stopped(verdict.summary)}`;
    const shape = verdictShape(outcome) as Need["shape"];
    switch (outcome) {
      case "FAILED": add("failed", { ...of, ...link, ack, key: job.id, shape, what: said, next: after(`${drive.present ? "Take it out" : "It is not plugged in"}; do not put data on it.`), short: "take it out" }); break;
      case "INCONCLUSIVE": add("inconclusive", { ...of, ...link, ack, key: job.id, shape, what: said, next: after("Test it again, or look at what stopped it."), short: "look at it" }); break;
      case "WARN": { const { next, short } = warned(verdict, drive.bus); add("warn", { ...of, ...link, ack, key: job.id, shape, what: said, next: after(`${next}.`), short }); break; }
    }
  }
  const here = drives.filter((drive) => drive.id !== null && picked.includes(drive.id));
  if (here.length > 0) {
    add("gate", { key: "gate", four: "", drive: null, shape: "info", what: `${plural(here.length, "chosen drive")} (${bytes(here.reduce((sum, drive) => sum + drive.capacity, 0))}) ${here.length === 1 ? "waits" : "wait"} to be confirmed`, next: "Nothing is erased before labels and password are typed.", short: "confirm it", href: "/burn", act: "Confirm…" });
  }
  const update = box?.supervisor?.update;
  const system = { four: "", drive: null, href: settingsPath("update"), act: "Updates" };
  if (update?.trial) {
    const version = update.slots.find((slot) => slot.running)?.version;
    add("trial", { ...system, key: "trial", shape: "warn", what: `The update${version ? ` to ${version}` : ""} is not kept yet: ${stopped(update.trial)}`, next: "Leave the box on until then; otherwise it goes back.", short: "on trial: leave it on" });
  } else if (update) {
    const next = update.slots.find((slot) => slot.next && !slot.running);
    if (next) add("update", { ...system, key: "update", shape: "warn", what: `${next.version ? `Version ${next.version}` : "An update"} is written and waits for a restart`, next: "Tests write down where they are and go on after it.", short: "restart into the update" });
  }
  return list
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || (a.key < b.key ? 1 : -1))
    .map(({ kind: _kind, ...need }) => need);
}

/** Lines that are shown before the rest is asked for. */
const SHOWN = 4;

/** Milliseconds that a line stays after it was noted, where neither pointer nor focus leave the list: time to read what became of it, and to take it back. */
const LINGERS_MS = 10_000;

/** The list above the bays. */
export function Needs({ drives }: { drives: readonly Drive[] }) {
  const all = useSignal(false);
  const region = useRef<HTMLDivElement>(null);
  const said = useSignal<JobId | null>(null);
  const problem = useSignal<Problem | null>(null);
  /** Tests that were noted here and how high their lines were: they stay as they are, so that no other comes under the finger. */
  const noted = useSignal<ReadonlyMap<JobId, number>>(new Map());
  const say = async (key: string, { job, seen }: NonNullable<Need["ack"]>, height: number) => {
    if (!settled(key)) return;
    problem.value = null;
    if (!seen) {
      said.value = job.id;
      noted.value = new Map(noted.value).set(job.id, height);
    }
    problem.value = await ack(job, !seen);
  };
  // A keyboard's focus keeps the lines: whoever goes through them by it leaves by it, too.
  const leave = () => {
    if (noted.peek().size > 0 && !region.current?.querySelector("li :focus-visible")) noted.value = new Map();
  };
  useEffect(() => {
    const timer = setTimeout(leave, LINGERS_MS);
    return () => clearTimeout(timer);
  }, [noted.value]);
  // A line takes the focus that was on it along, whoever noted it. Not to the next line's button: a second press would note that.
  const inside = region.current?.contains(document.activeElement) ?? false;
  useLayoutEffect(() => {
    if (inside && document.activeElement === document.body) region.current?.querySelector("h2")?.focus({ preventScroll: true });
  });
  const last = said.value === null ? undefined : known.value.jobs.get(said.value);
  const list = needs(withAway(drives, latest.value, known.value.box), latest.value, known.value.box, chosen.value, noted.value);
  const open = list.filter(({ ack }) => !ack?.seen).length;
  // What happens to a drive meanwhile nobody tells.
  const silent = unheard();
  const shown = all.value || printing.value || list.length <= SHOWN + 1 ? list : list.slice(0, SHOWN);
  const settled = useSettled(shown.map(({ key, ack }) => ({ key, says: ack?.word })));
  return (
    <div class="needs" ref={region} onPointerLeave={({ pointerType }) => pointerType === "mouse" && leave()} onFocusOut={({ relatedTarget }) => relatedTarget instanceof Node && !region.current?.contains(relatedTarget) && leave()}>
      <h2 tabIndex={-1}>Needs you{open > 0 && <span class="sr">: {plural(open, "thing")}, the most urgent first</span>}</h2>
      <ul aria-label="What needs you" aria-live="polite" aria-relevant="additions">
        {list.length === 0 && <li class="calm"><span>{silent === null ? "Nothing. This line says so when that changes." : `Nothing up to when the drives were heard of. ${silent}.`}</span></li>}
        {shown.map(({ key, shape, what, next, href, act, four, ack }) => (
          <li key={key} class={`is-${shape} ${ack?.seen ? "noted" : ""}`} style={ack?.seen ? { minHeight: `${noted.value.get(ack.job.id)}px` } : {}}>
            <Mark of={shape} /><span><b>{what}.</b> {next}</span>
            <span class="act">{ack && <button class="btn plain" type="button" aria-label={`${ack.word}: …${four}`} title={ack.seen ? "It asks for somebody again." : "You have seen it: it asks for nobody any more. The verdict stays."} onClick={({ currentTarget }) => void say(key, ack, currentTarget.closest("li")?.offsetHeight ?? 0)}>{ack.word}</button>}<a href={href} aria-label={four ? `${act} of …${four}` : act}><span>{act}</span></a></span>
          </li>
        ))}
      </ul>
      <p class="sr" role="status">{last?.acknowledged && `…${lastFour(last.serial)} is ${ackedWord(last.verdict?.outcome).toLowerCase()}; its verdict stays ${last.verdict?.outcome}.`}</p>
      <ProblemNote problem={problem.value} />
      {(shown.length < list.length || (all.value && list.length > SHOWN + 1)) && (
        <button class="btn plain rest" type="button" aria-expanded={all.value} onClick={() => (all.value = !all.value)}>{all.value ? "Fewer" : `${list.length - SHOWN} more`}</button>
      )}
    </div>
  );
}
