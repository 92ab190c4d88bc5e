/** Step two: what was read in brief, two minutes on a clock, and one button that names the act. */
import type { Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Plan, Problem } from "@wire";

import { bytes, contentWords, countdown, plural, titleOf } from "../../format";
import { visit } from "../../state/app";
import { settled, type Gate } from "../../state/gate";
import { ProblemNote, Shape } from "../bits";
import { modelWords, onBench, Plate, platesOfPlan } from "./bay";
import { optionWords } from "./options";

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

/** What was read, in brief. */
export function Brief({ plan }: { plan: Plan }) {
  const plates = platesOfPlan(plan.drives);
  return (
    <section class="panel" aria-labelledby="g2">
      <div class="step"><i class="on" /><i class="on" />Step 1 done</div>
      <h1 class="small" id="g2">What will be lost</h1>
      <ol class="lose brief">
        {plan.drives.map((drive, index) => {
          const { head, detail } = contentWords(drive.content);
          const here = onBench(drive);
          return (
            <li key={drive.id}>
              <Plate drive={here} among={plates} index={index} />
              <div><b>{head}</b>{detail && `, ${detail}`}{drive.given_up.length > 0 && <b class="is-warn">, gives up: {drive.given_up.join("; ")}</b>}<div class="how">{modelWords(drive, here)}, {bytes(drive.capacity)}</div></div>
              <span class="v is-pass"><Shape of="pass" /><span class="mono">{drive.label}</span></span>
            </li>
          );
        })}
      </ol>
      <p class="foot">Playbook “{titleOf(plan.playbook)}”{optionWords(plan.options).map((words) => `, ${words}`).join("")}. You can pause or end a test at any time; what is erased stays erased.</p>
    </section>
  );
}

/** What is read out of the clock, by the seconds that are left. */
const SPOKEN = [{ within: 10, words: "Ten seconds left to arm." }, { within: 30, words: "Half a minute left to arm." }, { within: 60, words: "One minute left to arm." }] as const;

/** The button, and what still keeps it shut. `pulled`: told of a drive that is out; where the box has been asked already, its answer is what is told. */
export function Arm(props: { gate: Gate; pulled: Problem | null; password: Signal<string>; left: number; onArm: () => void }) {
  const { gate } = props;
  const open = gate.step === "arming";
  const plan = "plan" in gate ? gate.plan : null;
  const field = useRef<HTMLInputElement>(null);
  const missing = gate.step === "reading" ? gate.plan.drives.filter((drive) => !settled(drive, gate.typed)).length : 0;
  const who = visit.value.kind === "in" ? visit.value.session.username : "";
  const act = plan ? `Erase and test ${plural(plan.drives.length, "drive")}` : "Erase and test";
  const busy = gate.step === "arming" && gate.busy;
  const starting = gate.step === "arming" && gate.starting;
  const pulled = open && !busy ? props.pulled : null;
  const beside = starting
    ? "The box opens the drives, which can take a minute or two. From here on they may be written."
    : open
      ? "Left to arm. After that you start again; nothing will have been written."
      : "Two minutes, from the moment all labels are typed.";
  // Also after a refusal: while the box was asked the field was shut.
  useEffect(() => {
    if (open && !busy) field.current?.focus();
  }, [open, busy]);
  return (
    <aside class={`panel arm ${open ? "" : "lockedstep"}`} aria-labelledby="g3">
      <div class="step"><i class={open ? "on" : ""} /><i class={open ? "on" : ""} />Step 2 of 2</div>
      <h2 id="g3">Arm</h2>
      <div class="clock">
        <Clock left={open ? props.left : (plan?.seconds ?? 120)} total={plan?.seconds ?? 120} on={open} />
        <p class="sr" role="status">{open && !starting && SPOKEN.find(({ within }) => props.left <= within)?.words}</p>
        <p class={open ? "" : "mute"}>{beside}</p>
      </div>
      <form onSubmit={(event) => event.preventDefault()}>
        <div class="field">
          <label for="arm-password">Your password{who && `, ${who}`}</label>
          <input id="arm-password" ref={field} type="password" autocomplete="current-password" disabled={!open || busy} value={props.password.value}
            aria-describedby="arm-hint" onInput={(event) => (props.password.value = event.currentTarget.value)} />
          <p class="h" id="arm-hint">{gate.step === "checking" ? "Asking the box whether anything has changed." : open ? "It confirms what you have read; the button then begins to erase at once." : missing > 0 ? `${plural(missing, "label")} to go.` : ""}</p>
        </div>
        <ProblemNote problem={pulled ?? (gate.step === "arming" ? gate.problem : null)} />
        <button class="btn hot" type="button" disabled={!open || busy || pulled !== null || props.password.value === ""} onClick={props.onArm}>{starting ? "Starting" : busy ? "Asking the box" : act}</button>
      </form>
      <div class="sum">Enter in the field does not press this button.</div>
    </aside>
  );
}

