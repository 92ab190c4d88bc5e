/** Step one: what will be lost, and the labels that are typed for it. */
import { useEffect, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { Drive, DriveId, Job, Plan, PlanDrive, Problem } from "@wire";

import { bytes, contentWords, day, lastFour, plural } from "../../format";
import { jobPath } from "../../route";
import { known, latest } from "../../state/app";
import { AGAIN, GIVE_UP, giveUpKey, givenUp, isByWwn, match, scan, settled, type Gate, type Input, type Typed } from "../../state/gate";
import { hasFailed } from "../../state/store";
import { Icon, ProblemNote, Serial, Shape } from "../bits";
import { Words } from "../term";
import { modelWords, onBench, Plate, platesOfPlan, whichWords } from "./bay";

/** What a plan would lose, for the line under the heading. */
export function lossWords(plan: Plan, sweeps = 1): string {
  const full = plan.drives.filter((drive) => drive.content.state !== "empty").length;
  const count = plural(plan.drives.length, "drive");
  const total = bytes(plan.drives.reduce((sum, drive) => sum + drive.capacity, 0));
  const on = full === 0 ? "No known content on them." : full === plan.drives.length ? "Each holds something." : `${full} of them hold${full === 1 ? "s" : ""} something.`;
  return `${count}, ${total} in all. ${plan.drives.length === 1 ? (full ? "It holds something." : "No known content on it.") : on} ${sweeps > 0 ? "Everything is overwritten from the first sector to the last" : "It is overwritten in places all over, so what is on it is lost"}, and nothing brings it back.`;
}

/** The chosen drives as the list has them; one that it has no more as it was `seen` at this visit, and not plugged in; pure. */
export function namedOf(ids: readonly DriveId[], listed: readonly Drive[], seen: ReadonlyMap<DriveId, Drive>): Drive[] {
  const here = listed.filter(({ id }) => id !== null && ids.includes(id));
  const gone = ids.filter((id) => !here.some((drive) => drive.id === id)).flatMap((id) => seen.get(id) ?? []);
  return [...here, ...gone.map((drive) => ({ ...drive, present: false }))];
}

const fours = (drives: readonly Drive[]) => drives.map(({ serial, kernel_name }) => `…${lastFour(serial) || kernel_name}`).join(", ");

/** Told of what was `pulled` after it had been chosen, also where it is plugged in again: nobody chose it since. `done`: what is done with the others. Pure. */
export function leftWords(pulled: readonly Drive[], listed: readonly Drive[], done: "burnt in" | "read" = "burnt in"): string | null {
  const here = pulled.filter(({ id }) => listed.some((drive) => drive.id === id && drive.present));
  const gone = pulled.filter((drive) => !here.includes(drive));
  const words: string[] = [];
  if (gone.length === 1) words.push(`${fours(gone)} was chosen and is not plugged in any more: it is not among these, and will not be ${done}.`);
  if (gone.length > 1) words.push(`${fours(gone)} were chosen and are not plugged in any more: they are not among these, and will not be ${done}.`);
  if (here.length === 1) words.push(`${fours(here)} was unplugged after it had been chosen: it is not among these, and will not be ${done} unless you choose it again on the bench.`);
  if (here.length > 1) words.push(`${fours(here)} were unplugged after they had been chosen: they are not among these, and will not be ${done} unless you choose them again on the bench.`);
  return words.length > 0 ? words.join(" ") : null;
}

/** What type of problem it is that a drive was pulled while its label was to be typed. */
const PULLED = "drive-pulled";

/** Told as soon as the bench has one of the drives no more, and not only once every label is typed; pure. */
export function pulledWords(drives: readonly Drive[]): Problem | null {
  const gone = drives.filter(({ present }) => !present);
  if (gone.length === 0) return null;
  const [is, it] = gone.length === 1 ? ["is", "it"] : ["are", "them"];
  return {
    type: PULLED, status: 0, title: `${fours(gone)} ${is} not plugged in any more`,
    detail: `Nothing has been written, and ${gone.length === 1 ? "it" : "they"} will not be burnt in like this. Plug ${it} in again and this goes on, or go back to the bench and choose without ${it}.`,
  };
}

/** What is refused, over the box's own words. A format that does not fit one drive holds up that drive alone; pure. */
export function refusedWords(problem: Problem, drives: readonly Drive[]): { head: string; lead: string } {
  const one = drives.length === 1;
  const odd = drives.find(({ model, serial }) => problem.type === "options-wrong" && problem.detail?.startsWith(`format: ${model} ${serial}: `));
  if (problem.type === PULLED) return { head: "A drive is missing", lead: "What is on the drives is read as soon as all of them are there." };
  if (!odd) return { head: one ? "This drive cannot be tested" : "These drives cannot be tested", lead: "Choose something else, or put right what it names." };
  const head = `…${lastFour(odd.serial)} cannot be formatted like this`;
  if (one) return { head, lead: "Choose another format, or none." };
  return { head, lead: `It holds up that drive alone: leave it out on the bench and go on with the other ${drives.length === 2 ? "one" : drives.length - 1}, or choose another format.` };
}

/** Told of a drive that this box found bad, before hours are given to it again; `null` of any other. Pure. */
export function failedWords(job: Job | undefined): string | null {
  return job && hasFailed(job) ? `Failed here on ${day(job.ended ?? job.started)}: ${job.verdict?.summary}` : null;
}

function Loss({ drive, model, ill, last }: { drive: PlanDrive; model: string; ill: Drive["ill"]; last: Job | undefined }) {
  const failed = failedWords(last);
  const { head, detail } = contentWords(drive.content);
  return (
    <div class="loss">
      <div class="what">{drive.content.state === "empty" ? head : <em><Words text={head} /></em>}</div>
      {detail && <div class="how"><Words text={detail} /></div>}
      <div class="drv">{model}, {bytes(drive.capacity)}<br /><Serial serial={drive.serial} /></div>
      {failed && last && <p class="v is-fail ill"><Shape of="fail" /><span><Words text={failed} /> <a href={jobPath(last.id)} target="_blank" rel="noopener">Read why</a></span></p>}
      {ill && <p class={`v is-${ill.severity === "critical" ? "fail" : "warn"} ill`}><Shape of={ill.severity === "critical" ? "fail" : "warn"} />It tells of itself: <Words text={ill.says} /></p>}
    </div>
  );
}

function LabelField(props: { drive: PlanDrive; index: number; which: string; text: string; onInput: (text: string) => void; onScan: (text: string) => void }) {
  const { drive, text } = props;
  const state = match(drive, text);
  const wwn = isByWwn(drive);
  const whole = wwn || drive.label.length > 4 || drive.label.length >= drive.serial.trim().length;
  const id = `label-${props.index}`;
  const why = drive.serial.trim() === "" ? "This drive tells no serial" : "Another drive here tells the same serial";
  const message = {
    empty: "Type it from the label, or scan the bar code.",
    partial: wwn ? `${why}: type the whole world wide name.` : whole ? "Type the whole serial: its last four characters are not enough." : "Go on.",
    right: "That is this drive.",
    wrong: wwn ? `${why}: type the world wide name (WWN) on the label.` : `This drive does not end in ${text.trim().toUpperCase()}. Read its label again.`,
  }[state];
  return (
    <div class={`four ${state === "right" ? "ok" : state === "wrong" ? "no" : ""} ${whole ? "whole" : ""}`}>
      <label for={id}>{wwn ? `World wide name on the label, ${drive.label.toLowerCase()},` : whole ? "Whole serial on the label" : "Last four on the label"} of {props.which}</label>
      <span class="in">
        <input
          id={id} value={text} placeholder={whole ? "" : "····"} data-drive={drive.id} autocomplete="off" autocapitalize="characters" spellcheck={false}
          aria-describedby={`${id}-m`} aria-invalid={state === "wrong" ? "true" : undefined}
          onInput={(event) => props.onInput(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            props.onScan(event.currentTarget.value);
          }}
        />
        {state === "right" && <Shape of="pass" />}
        {state === "wrong" && <Shape of="fail" />}
      </span>
      <span class="msg" id={`${id}-m`} aria-live="polite"><Words text={message} /></span>
    </div>
  );
}

/** A member of something that does not run is given up with words of its own: a label alone says nothing about the others. */
function GiveUp(props: { drive: PlanDrive; index: number; which: string; typed: Typed; onInput: (text: string) => void }) {
  const { drive } = props;
  if (drive.given_up.length === 0) return null;
  const id = `giveup-${props.index}`;
  const done = givenUp(drive, props.typed);
  return (
    <div class="giveup">
      <p class="v is-warn"><Shape of="warn" />Gives up a member</p>
      <p>{drive.given_up.join("; ")}. What it belongs to may not start again without it, and the data on its other drives may be lost too.</p>
      <label for={id}>Type “{GIVE_UP}” for {props.which}</label>
      <span class="in">
        <input id={id} value={props.typed[giveUpKey(drive.id)] ?? ""} autocomplete="off" autocapitalize="characters" spellcheck={false}
          onInput={(event) => props.onInput(event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && event.preventDefault()} />
        {done && <Shape of="pass" />}
      </span>
    </div>
  );
}

/** Step one as it stands on the page: one frame from the first question to the last label, so that neither focus nor place is lost. */
export function StepOne(props: { gate: Gate & { step: "loading" | "refused" | "reading" | "checking" }; drives: readonly Drive[]; left: string | null; dispatch: (input: Input) => void; onAgain: () => void; children: ComponentChildren }) {
  const { gate } = props;
  const pulled = pulledWords(props.drives);
  // The box names a drive that it does not have by its whole identity, and says no more.
  const problem = gate.step === "refused" ? ((gate.problem.type === "drive-unknown" && pulled) || gate.problem) : (pulled ?? (gate.step === "checking" ? null : gate.notice) ?? null);
  // Another plan is asked for: the fields stay under the fingers until it comes.
  const read = gate.step === "reading" || gate.step === "checking" ? gate : gate.step === "loading" ? gate.shown : undefined;
  const refused = gate.step === "refused" && problem ? refusedWords(problem, props.drives) : null;
  return (
    <section class="panel" aria-labelledby="g1">
      <div class="step"><i class="on" /><i />Step 1 of 2</div>
      <h1 id="g1">{refused?.head ?? "What will be lost"}</h1>
      <p class="lead" role="status">{gate.step === "loading" ? "The box reads what is on the drives." : gate.step === "refused" ? refused?.lead : lossWords(gate.plan, known.value.playbooks?.find((book) => book.name === gate.plan.playbook)?.sweeps)}</p>
      <ProblemNote problem={problem} of={problem === AGAIN ? "info" : "fail"} />
      {props.left && <p class="note" role="status"><Icon name="info" />{props.left}</p>}
      {props.children}
      {gate.step === "refused" && <div class="do"><button class="btn prime" type="button" onClick={props.onAgain}>Ask again</button><a class="btn" href="/">Back to the bench</a></div>}
      {read && <Reading {...read} notice={gate.step === "reading" ? gate.notice : null} dispatch={props.dispatch} />}
    </section>
  );
}

function Reading(props: { plan: Plan; typed: Typed; notice: Problem | null; dispatch: (input: Input) => void }) {
  const { plan, typed, notice } = props;
  const root = useRef<HTMLOListElement>(null);
  // At once, and not with the next picture: a reader of bar codes has begun the next label by then.
  const focus = (drive: DriveId | null) => drive !== null && root.current?.querySelector<HTMLElement>(`[data-drive="${CSS.escape(drive)}"]`)?.focus();
  useEffect(() => {
    // The two minutes are over, or one drive has changed: the field that had the focus is shut, and labels are typed again.
    if (notice !== null || Object.keys(typed).length > 0) focus(plan.drives.find((drive) => match(drive, typed[drive.id] ?? "") !== "right")?.id ?? null);
  }, [notice]);
  const plates = platesOfPlan(plan.drives);
  const offered = new Set(plan.drives.map((drive) => drive.id));
  const others = (known.value.drives ?? []).filter((d) => d.present && d.refused && !offered.has(d.id ?? ""));
  const left = plan.drives.filter((drive) => !settled(drive, typed)).length;
  return (
    <>
      <ol class="lose" ref={root} aria-label={`Drives; ${left} to go`}>
        {plan.drives.map((drive, index) => {
          const here = onBench(drive);
          const which = whichWords(here, index);
          return (
            <li key={drive.id}>
              <Plate drive={here} among={plates} index={index} />
              <Loss drive={drive} model={modelWords(drive, here)} ill={here?.ill} last={latest.value.get(drive.id)} />
              <LabelField
                drive={drive} index={index} which={which} text={typed[drive.id] ?? ""}
                onInput={(text) => props.dispatch({ type: "typed", drive: drive.id, text })}
                onScan={(text) => {
                  const next = scan(plan, typed, drive.id, text);
                  for (const [id, value] of Object.entries(next.typed)) if (value !== undefined) props.dispatch({ type: "typed", drive: id, text: value });
                  focus(next.focus);
                }}
              />
              <GiveUp drive={drive} index={index} which={which} typed={typed} onInput={(text) => props.dispatch({ type: "typed", drive: giveUpKey(drive.id), text })} />
            </li>
          );
        })}
      </ol>
      <p class="scan"><Icon name="bar" />A bar-code reader works in any of these fields: it types the whole serial, and the label goes to its drive.</p>
      {others.length > 0 && (
        <div class="notoff">
          <h2>Not offered</h2>
          <ul>{others.map((drive) => <li key={drive.key}><Icon name="lock" /><span><b>…{lastFour(drive.serial) || drive.kernel_name}</b>{drive.model}: {drive.refused?.reason}</span></li>)}</ul>
        </div>
      )}
    </>
  );
}
