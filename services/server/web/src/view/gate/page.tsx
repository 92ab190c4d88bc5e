/**
 * The gate: what will be lost, then arm. The machine is `state/gate.ts`; this draws it and asks the box.
 *
 * When the last label is right a fresh plan is asked for; only if its digest is that of the plan on
 * screen does the clock start. Nothing here is pressed by Enter. A playbook that only reads needs no gate.
 */
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Drive, DriveId, Plan, PlanOptions, Problem } from "@wire";

import "../../style/gate.css";
import { api, asProblem } from "../../api";
import { lastFour, plural } from "../../format";
import { go, jobPath } from "../../route";
import { connections, known, monotonic, pulled, visit } from "../../state/app";
import { complete, CUT, cutAt, remaining, step, type Gate, type Input } from "../../state/gate";
import { fulfil, keepWish, wished, type Wish } from "../../state/wish";
import { ProblemNote, Shape } from "../bits";
import { Banners, unheard } from "../box";
import { useHere } from "../here";
import { useKeeping } from "../keeping";
import { Arm, Brief } from "./arm";
import { PlaybookChoice } from "./choice";
import { OptionsForm, PLAIN } from "./options";
import { leftWords, namedOf, pulledWords, StepOne } from "./reading";
import { ScanDoor } from "./scan";

/** What leaving comes to. What was refused may be so because a job writes to the drive. */
function leaves(gate: Gate): string {
  if (gate.step === "refused") return "Back to the bench; nothing was started";
  return gate.step === "arming" && gate.starting ? "Back to the bench; the start goes on" : "Back to the bench; nothing has been written";
}

/** Most drives that a button names. */
const NAMED = 3;

function Changed({ gate, onAccept, onLeave }: { gate: Gate & { step: "changed" }; onAccept: () => void; onLeave: () => void }) {
  const others = remaining(gate).length;
  const without = gate.drives.length > NAMED ? `these ${gate.drives.length} drives` : gate.drives.map(({ serial }) => `…${lastFour(serial)}`).join(", ");
  return (
    <main id="main" class="door wide" tabIndex={-1}>
      <div class="panel" role="alert">
        <p class="v is-warn"><Shape of="warn" />Stopped</p>
        <h1>What you read is no longer true</h1>
        <p class="lead">Between reading and arming, the box saw something else than what you were shown. Nothing has been written.{others > 0 && ` What you typed for the other ${others === 1 ? "drive" : plural(others, "drive")} stays.`}</p>
        <ul class="changes">{gate.changes.map((change) => <li key={change}>{change}</li>)}</ul>
        <div class="do"><button class="btn prime" type="button" onClick={onAccept}>Read it again</button>
          {others > 0 && <button class="btn" type="button" onClick={onLeave}>Go on without {without}</button>}
          <a class="btn" href="/">Back to the bench</a></div>
      </div>
    </main>
  );
}

/** The box was told to start, and nobody knows whether it did. */
function Unsure({ plan, problem }: { plan: Plan; problem: Problem }) {
  const count = plural(plan.drives.length, "drive");
  return (
    <main id="main" class="door wide" tabIndex={-1}>
      <div class="panel" role="alert">
        <p class="v is-warn"><Shape of="warn" />No answer</p>
        <h1>It is not known whether the test has started</h1>
        <p class="lead">The box was told to erase and test {count}, and its answer did not come. It may be erasing already.</p>
        <ProblemNote problem={problem} />
        <p class="lead">Leave the drives where they are and look at the bench: what has started is shown there, within two minutes. Only where nothing has, choose the drives and type their labels again.</p>
        <div class="do"><a class="btn prime" href="/">To the bench</a></div>
      </div>
    </main>
  );
}

/** The gate for the drives that were chosen on the bench, or that a drive's page sent here. */
export function GatePage() {
  const asked = useRef<Wish | null>(null);
  const wish = (asked.current ??= wished());
  const gate = useSignal<Gate>(wish.cut ? { step: "loading", notice: CUT[wish.cut] } : { step: "loading" });
  const drives = useSignal(wish.drives);
  const seen = useRef(new Map<DriveId, Drive>());
  const readOnly = wish.readOnly ?? false;
  const playbook = useSignal(wish.playbook ?? (readOnly ? "scan" : "standard"));
  const options = useSignal<PlanOptions>({ ...PLAIN, ...wish.options });
  const password = useSignal("");
  const here = useHere();
  const time = useSignal(monotonic());
  const dispatch = (input: Input) => (gate.value = step(gate.peek(), input));
  const book = known.value.playbooks?.find((one) => one.name === playbook.value);
  // What was kept is true until the box has told its playbooks.
  const reads = useComputed(() => readOnly || !(known.value.playbooks?.find((one) => one.name === playbook.value)?.erases ?? !(wish.reads && wish.playbook === playbook.value)));
  const onlyReads = reads.value;

  const wishNow = (): Wish => ({ drives: drives.value, bench: wish.bench ?? false, readOnly, playbook: playbook.value, reads: reads.value, options: options.value });
  const ask = async () => {
    const begun = monotonic();
    const [name, chosenOptions] = [playbook.peek(), options.peek()];
    const still = () => name === playbook.peek() && chosenOptions === options.peek();
    try {
      const plan = await api.plan([...drives.peek()], name, chosenOptions);
      if (still()) dispatch({ type: "planned", plan, asked: begun });
    } catch (thrown) {
      if (still()) dispatch({ type: "refused", problem: asProblem(thrown), now: monotonic() });
    }
  };

  useKeeping(() => {
    if (drives.value.length > 0) keepWish(wishNow());
  });
  useEffect(() => () => {
    // The login takes the gate's place; whoever comes back is told what became of what was typed.
    const [left, cut] = [visit.peek(), cutAt(gate.peek())];
    if (cut && left.kind === "login" && left.expired && !reads.peek()) keepWish({ ...wishNow(), cut });
  }, []);
  useSignalEffect(() => {
    // Another playbook or option is another plan: it is read from the start. So are fewer drives, where the gate loads by then.
    void playbook.value;
    void options.value;
    if (drives.value.length === 0 || reads.value) return;
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
    const asksAnew = gate.peek().step === "checking" && "until" in gate.peek();
    if (stepNow !== "arming" && !asksAnew) password.value = "";
  }, [stepNow]);
  // The box answers, its agent too, and has told these drives: after a cut that is when asking again comes to something.
  const ready = unheard() === null && drives.value.every((id) => known.value.drives?.some((drive) => drive.id === id && drive.present && !drive.as_of));
  const answered = useRef({ ready, connection: connections.value });
  useEffect(() => {
    const before = answered.current;
    if (ready && (!before.ready || before.connection !== connections.value)) {
      const refused = gate.peek().step === "refused";
      dispatch({ type: "back" });
      if (refused && !reads.peek()) void ask();
    }
    answered.current = { ready, connection: ready ? connections.value : before.connection };
  }, [ready, connections.value]);
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
      // Who has left was told that nothing has been written; the box lets the ticket die by itself.
      if (!here()) return;
      dispatch({ type: "starting" });
      const { jobs } = await api.start(before.plan.id, armed);
      dispatch({ type: "started", jobs });
      fulfil(drives.peek(), here());
      if (here()) go(jobs.length === 1 && jobs[0] ? jobPath(jobs[0]) : "/");
    } catch (thrown) {
      dispatch({ type: "refused", problem: asProblem(thrown), now: monotonic() });
    }
  };

  const state = gate.value;
  if (drives.value.length === 0) {
    return (
      <main id="main" class="door" tabIndex={-1}>
        <div class="panel"><h1>No drive is chosen</h1><p class="lead">Choose drives on the bench first; then this page shows what is on them.</p><a class="btn prime" href="/">To the bench</a></div>
      </main>
    );
  }
  const listed = known.value.drives ?? [];
  for (const drive of listed) if (drive.id !== null) seen.current.set(drive.id, drive);
  const all = namedOf(drives.value, listed, seen.current);
  // What is only read goes on without a missing one, for nothing was typed for it.
  const named = onlyReads ? all.filter(({ present }) => present) : all;
  const fallen = wish.bench ? pulled.value.filter(({ id }) => id !== null && !drives.value.includes(id)) : [];
  const left = leftWords([...fallen, ...all.filter((drive) => !named.includes(drive))], listed, onlyReads ? "read" : "burnt in");
  const choice = (
    <>
      <PlaybookChoice chosen={playbook} drives={named} readOnly={readOnly} soak={onlyReads ? null : options.value.soak_hours} />
      {!onlyReads && <OptionsForm options={options} book={book} />}
    </>
  );
  if (onlyReads) return <ScanDoor drives={named} left={left} playbook={playbook.value}>{choice}</ScanDoor>;
  switch (state.step) {
    case "started":
      return <main id="main" class="door" tabIndex={-1}><p class="mute" role="status">Started.</p></main>;
    case "changed":
      return <Changed gate={state} onAccept={() => dispatch({ type: "accept" })} onLeave={() => {
        const rest = remaining(state).map(({ id }) => id);
        dispatch({ type: "leave" });
        // It is asked for as soon as this is so.
        drives.value = rest;
      }} />;
    case "unsure":
      return <Unsure plan={state.plan} problem={state.problem} />;
    case "loading":
    case "refused":
    case "reading":
    case "checking":
    case "arming":
      return (
        <main id="main" tabIndex={-1}>
          <Banners />
          <div class="gate">
            {state.step === "arming" ? <Brief plan={state.plan} /> : <StepOne gate={state} drives={named} left={left} dispatch={dispatch} onAgain={() => { dispatch({ type: "reset" }); void ask(); }}>{choice}</StepOne>}
            <Arm gate={state} pulled={pulledWords(named)} password={password} left={state.step === "arming" ? Math.max(0, (state.deadline - time.value) / 1000) : 0} onArm={() => void arm()} />
          </div>
          <p class="leave"><a href="/">{leaves(state)}</a></p>
        </main>
      );
  }
}
