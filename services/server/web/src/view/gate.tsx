/**
 * The gate: what will be lost, then arm. The machine is `state/gate.ts`; this draws it and asks the box.
 *
 * When the last label is right a fresh plan is asked for; only if its digest is that of the plan on
 * screen does the clock start. Nothing here is pressed by Enter.
 */
import { type Signal, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { DriveId, Plan, PlanDrive } from "@wire";

import { api, asProblem } from "../api";
import { bytes, contentWords, countdown, lastFour, plural } from "../format";
import { go, jobPath } from "../route";
import { choose, chosen, known, monotonic, visit } from "../state/app";
import { complete, match, scan, step, type Gate, type Input } from "../state/gate";
import { Icon, ProblemNote, Serial, Shape } from "./bits";

const PLAYBOOKS = [
  { name: "standard", title: "Standard", what: "SMART, capacity, write every sector, read it back, SMART again" },
  { name: "surface", title: "Surface", what: "write every sector and read it back, nothing else" },
] as const;

/** What a plan would lose, for the line under the heading. */
export function lossWords(plan: Plan): string {
  const full = plan.drives.filter((drive) => drive.content.state !== "empty").length;
  const count = plural(plan.drives.length, "drive");
  const total = bytes(plan.drives.reduce((sum, drive) => sum + drive.capacity, 0));
  const on = full === 0 ? "No known content on them." : full === plan.drives.length ? "Each holds something." : `${full} of them hold${full === 1 ? "s" : ""} something.`;
  return `${count}, ${total} in all. ${plan.drives.length === 1 ? (full ? "It holds something." : "No known content on it.") : on} Everything is overwritten from the first sector to the last, and nothing brings it back.`;
}

function Loss({ drive }: { drive: PlanDrive }) {
  const { head, detail } = contentWords(drive.content);
  return (
    <div class="loss">
      <div class="what">{drive.content.state === "empty" ? head : <em>{head}</em>}</div>
      {detail && <div class="how">{detail}</div>}
      <div class="drv">{drive.model || "no model told"}, {bytes(drive.capacity)}<br /><Serial serial={drive.serial} /></div>
    </div>
  );
}

function LabelField(props: { drive: PlanDrive; index: number; text: string; onInput: (text: string) => void; onScan: (text: string) => void }) {
  const { drive, text } = props;
  const state = match(drive, text);
  const whole = drive.label.length > 4 || drive.label.length >= drive.serial.trim().length;
  const id = `label-${props.index}`;
  const message = {
    empty: "Type it from the label, or scan the bar code.",
    partial: whole ? "The whole serial, please: four characters do not tell it from the others." : "Go on.",
    right: "That is this drive.",
    wrong: `This drive does not end in ${text.trim().toUpperCase()}. Read its label again.`,
  }[state];
  return (
    <div class={`four ${state === "right" ? "ok" : state === "wrong" ? "no" : ""} ${whole ? "whole" : ""}`}>
      <label for={id}>{whole ? "Whole serial on the label" : "Last four on the label"} of drive {props.index + 1}</label>
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
      <span class="msg" id={`${id}-m`} aria-live="polite">{message}</span>
    </div>
  );
}

function Reading(props: { gate: Gate & { step: "reading" | "checking" }; dispatch: (input: Input) => void; playbook: Signal<string> }) {
  const { plan, typed } = props.gate;
  const root = useRef<HTMLOListElement>(null);
  const focus = (drive: DriveId | null) =>
    drive !== null && requestAnimationFrame(() => root.current?.querySelector<HTMLElement>(`[data-drive="${CSS.escape(drive)}"]`)?.focus());
  const offered = new Set(plan.drives.map((drive) => drive.id));
  const others = (known.value.drives ?? []).filter((d) => d.present && d.refused && !offered.has(d.id ?? ""));
  return (
    <section class="panel" aria-labelledby="g1">
      <div class="step"><i class="on" /><i />Step 1 of 2</div>
      <h1 id="g1">What will be lost</h1>
      <p class="lead">{lossWords(plan)}</p>
      {props.gate.step === "reading" && <ProblemNote problem={props.gate.notice} />}
      <fieldset class="books">
        <legend>What is done with {plan.drives.length === 1 ? "it" : "them"}</legend>
        {PLAYBOOKS.map((book) => (
          <label key={book.name} class={props.playbook.value === book.name ? "on" : ""}>
            <input type="radio" name="playbook" value={book.name} checked={props.playbook.value === book.name} onChange={() => (props.playbook.value = book.name)} />
            <span><b>{book.title}</b><span>{book.what}</span></span>
          </label>
        ))}
      </fieldset>
      <ol class="lose" ref={root}>
        {plan.drives.map((drive, index) => (
          <li key={drive.id}>
            <span class="plate">{index + 1}</span>
            <Loss drive={drive} />
            <LabelField
              drive={drive} index={index} text={typed[drive.id] ?? ""}
              onInput={(text) => props.dispatch({ type: "typed", drive: drive.id, text })}
              onScan={(text) => {
                const next = scan(plan, typed, drive.id, text);
                for (const [id, value] of Object.entries(next.typed)) if (value !== undefined) props.dispatch({ type: "typed", drive: id, text: value });
                focus(next.focus);
              }}
            />
          </li>
        ))}
      </ol>
      <div class="scan"><Icon name="bar" /><span>A bar-code reader works in any of the fields: it finds the right drive by itself.</span></div>
      {others.length > 0 && (
        <div class="notoff">
          <h2>Not offered</h2>
          <ul>{others.map((drive) => <li key={drive.key}><Icon name="lock" /><span><b class="mono">…{lastFour(drive.serial) || drive.kernel_name}</b> {drive.refused?.reason}</span></li>)}</ul>
        </div>
      )}
    </section>
  );
}

function Clock({ left, total, on }: { left: number; total: number; on: boolean }) {
  const lit = Math.ceil((left / total) * 60);
  return (
    <svg viewBox="0 0 104 104" role="timer" aria-label={on ? `${Math.ceil(left)} seconds left` : "Two minutes, not started"}>
      {Array.from({ length: 60 }, (_, i) => {
        const angle = (i / 60) * 2 * Math.PI;
        const at = (r: number): [string, string] => [(52 + r * Math.sin(angle)).toFixed(1), (52 - r * Math.cos(angle)).toFixed(1)];
        const [[x1, y1], [x2, y2]] = [at(40), at(49)];
        return <line key={i} class={on && i < lit ? "on" : ""} x1={x1} y1={y1} x2={x2} y2={y2} />;
      })}
      <text x="52" y="60">{countdown(left)}</text>
    </svg>
  );
}

function Brief({ plan }: { plan: Plan }) {
  return (
    <section class="panel" aria-labelledby="g2">
      <div class="step"><i class="on" /><i class="on" />Step 1 done</div>
      <h1 class="small" id="g2">What will be lost</h1>
      <ol class="lose brief">
        {plan.drives.map((drive, index) => {
          const { head, detail } = contentWords(drive.content);
          return (
            <li key={drive.id}>
              <span class="plate">{index + 1}</span>
              <div><b>{head}</b>{detail && `, ${detail}`}<div class="how">{drive.model}, {bytes(drive.capacity)}</div></div>
              <span class="v is-pass"><Shape of="pass" /><span class="mono">{drive.label}</span></span>
            </li>
          );
        })}
      </ol>
      <p class="foot">Playbook “{plan.playbook}”. You can end a test at any time; what is erased stays erased.</p>
    </section>
  );
}

function Arm(props: { gate: Gate; password: Signal<string>; left: number; onArm: () => void }) {
  const { gate } = props;
  const open = gate.step === "arming";
  const plan = "plan" in gate ? gate.plan : null;
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (open) field.current?.focus();
  }, [open]);
  const missing = gate.step === "reading" ? gate.plan.drives.filter((drive) => match(drive, gate.typed[drive.id] ?? "") !== "right").length : 0;
  const who = visit.value.kind === "in" ? visit.value.session.username : "";
  const act = plan ? `Erase and test ${plural(plan.drives.length, "drive")}` : "Erase and test";
  const busy = gate.step === "arming" && gate.busy;
  return (
    <aside class={`panel arm ${open ? "" : "lockedstep"}`} aria-labelledby="g3">
      <div class="step"><i class={open ? "on" : ""} /><i class={open ? "on" : ""} />Step 2 of 2</div>
      <h2 id="g3">Arm</h2>
      <div class="clock">
        <Clock left={open ? props.left : (plan?.seconds ?? 120)} total={plan?.seconds ?? 120} on={open} />
        <p class={open ? "" : "mute"}>{open ? "Left to arm. Then the plan is void and you start again; nothing will have been written." : "Two minutes, from the moment all labels are typed."}</p>
      </div>
      <form onSubmit={(event) => event.preventDefault()}>
        <div class="field">
          <label for="arm-password">Your password{who && `, ${who}`}</label>
          <input id="arm-password" ref={field} type="password" autocomplete="current-password" disabled={!open || busy} value={props.password.value}
            aria-describedby="arm-hint" onInput={(event) => (props.password.value = event.currentTarget.value)} />
          <p class="h" id="arm-hint">{gate.step === "checking" ? "Asking the box whether anything has changed." : open ? "It signs what you have read." : missing > 0 ? `${plural(missing, "label")} to go.` : ""}</p>
        </div>
        <ProblemNote problem={gate.step === "arming" ? gate.problem : null} />
        <button class="btn hot" type="button" disabled={!open || busy || props.password.value === ""} onClick={props.onArm}>{busy ? "Asking the box" : act}</button>
      </form>
      <div class="sum">Enter does not press this button.</div>
    </aside>
  );
}

function Changed({ changes, onAccept }: { changes: string[]; onAccept: () => void }) {
  return (
    <main id="main" class="door wide" tabIndex={-1}>
      <div class="panel" role="alert">
        <p class="v is-warn"><Shape of="warn" />Stopped</p>
        <h1>What you read is no longer true</h1>
        <p class="lead">Between reading and arming, the box saw something else than what you were shown. Nothing has been written.</p>
        <ul class="changes">{changes.map((change) => <li key={change}>{change}</li>)}</ul>
        <div class="do"><button class="btn prime" type="button" onClick={onAccept}>Read it again</button><a class="btn" href="/">Back to the bench</a></div>
      </div>
    </main>
  );
}

/** The gate for the drives that were chosen on the bench. */
export function GatePage() {
  const gate = useSignal<Gate>({ step: "loading" });
  const playbook = useSignal("standard");
  const password = useSignal("");
  const time = useSignal(monotonic());
  const drives = useRef(chosen.peek());
  const dispatch = (input: Input) => (gate.value = step(gate.peek(), input));

  const ask = async () => {
    const asked = monotonic();
    const book = playbook.peek();
    try {
      const plan = await api.plan([...drives.current], book, { profile: "used", format: null, give_up: [], soak_hours: null });
      if (book === playbook.peek()) dispatch({ type: "planned", plan, asked });
    } catch (thrown) {
      if (book === playbook.peek()) dispatch({ type: "refused", problem: asProblem(thrown), now: monotonic() });
    }
  };

  useSignalEffect(() => {
    // Another playbook is another plan: it is read from the start.
    void playbook.value;
    if (drives.current.length === 0) return;
    dispatch({ type: "reset" });
    void ask();
  });

  const stepNow = gate.value.step;
  const isComplete = gate.value.step === "reading" && complete(gate.value.plan, gate.value.typed);
  useEffect(() => {
    if (!isComplete) return;
    // A scanner may still be typing: wait until the keys are quiet.
    const timer = setTimeout(() => dispatch({ type: "complete" }), 350);
    return () => clearTimeout(timer);
  }, [isComplete, gate.value.step === "reading" ? gate.value.typed : null]);
  useEffect(() => {
    if (stepNow === "checking") void ask();
    if (stepNow !== "arming") password.value = "";
  }, [stepNow]);
  useEffect(() => {
    const timer = setInterval(() => {
      time.value = monotonic();
      dispatch({ type: "tick", now: time.value });
    }, 250);
    return () => clearInterval(timer);
  }, []);

  const arm = async () => {
    const before = gate.peek();
    if (before.step !== "arming") return;
    dispatch({ type: "submit" });
    try {
      const confirm = Object.fromEntries(before.plan.drives.map((drive) => [drive.id, before.typed[drive.id] ?? ""]));
      const armed = await api.arm(before.plan.id, { password: password.peek(), confirm });
      const { jobs } = await api.start(before.plan.id, armed);
      dispatch({ type: "started", jobs });
      choose([]);
      go(jobs.length === 1 && jobs[0] ? jobPath(jobs[0]) : "/");
    } catch (thrown) {
      dispatch({ type: "refused", problem: asProblem(thrown), now: monotonic() });
    }
  };

  const state = gate.value;
  if (drives.current.length === 0) {
    return (
      <main id="main" class="door" tabIndex={-1}>
        <div class="panel"><h1>No drive is chosen</h1><p class="lead">Choose drives on the bench first; then this page shows what is on them.</p><a class="btn prime" href="/">To the bench</a></div>
      </main>
    );
  }
  switch (state.step) {
    case "loading":
    case "started":
      return <main id="main" class="door" tabIndex={-1}><p class="mute" role="status">{state.step === "loading" ? "The box reads what is on the drives." : "Started."}</p></main>;
    case "refused":
      return (
        <main id="main" class="door wide" tabIndex={-1}>
          <div class="panel">
            <h1>The box makes no plan for this</h1>
            <ProblemNote problem={state.problem} />
            <div class="do"><button class="btn" type="button" onClick={() => { dispatch({ type: "reset" }); void ask(); }}>Ask again</button><a class="btn" href="/">Back to the bench</a></div>
          </div>
        </main>
      );
    case "changed":
      return <Changed changes={state.changes} onAccept={() => dispatch({ type: "accept" })} />;
    case "reading":
    case "checking":
    case "arming":
      return (
        <main id="main" tabIndex={-1}>
          <div class="gate">
            {state.step === "arming" ? <Brief plan={state.plan} /> : <Reading gate={state} dispatch={dispatch} playbook={playbook} />}
            <Arm gate={state} password={password} left={state.step === "arming" ? Math.max(0, (state.deadline - time.value) / 1000) : 0} onArm={() => void arm()} />
          </div>
          <p class="leave"><a href="/">Leave the gate; nothing has been written</a></p>
        </main>
      );
  }
}
