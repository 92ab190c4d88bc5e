/** One's own password and sessions. What the box enforces is told here, not decided. */
import { useSignal } from "@preact/signals";
import type { Problem } from "@wire";

import "../../style/gate.css";
import { asProblem, call } from "../../api";
import { visit } from "../../state/app";
import { Panel, ProblemNote, Shape } from "../bits";

/** Shortest password, as the box says it. */
const LEAST = 8;

function Password() {
  const old = useSignal("");
  const fresh = useSignal("");
  const again = useSignal("");
  const busy = useSignal(false);
  const done = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const differs = again.value !== "" && again.value !== fresh.value;
  const ready = old.value !== "" && fresh.value.length >= LEAST && again.value === fresh.value;
  const change = async () => {
    busy.value = true;
    done.value = false;
    problem.value = null;
    try {
      await call("PUT", "/session/password", { old: old.value, new: fresh.value });
      old.value = fresh.value = again.value = "";
      done.value = true;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  return (
    <Panel title="Your password" note="Changing it logs you out everywhere else.">
      <form onSubmit={(event) => { event.preventDefault(); if (ready) void change(); }}>
        <input class="sr" type="text" autocomplete="username" value={visit.value.kind === "in" ? visit.value.session.username : ""} readOnly tabIndex={-1} aria-hidden="true" />
        <div class="field"><label for="pw-old">As it is</label>
          <input id="pw-old" type="password" autocomplete="current-password" value={old.value} onInput={(event) => (old.value = event.currentTarget.value)} /></div>
        <div class="field"><label for="pw-new">As it shall be</label>
          <input id="pw-new" type="password" autocomplete="new-password" minLength={LEAST} value={fresh.value} onInput={(event) => (fresh.value = event.currentTarget.value)} aria-describedby="pw-new-h" />
          <p class="h" id="pw-new-h">{LEAST} characters or more. Length is what counts: four words are better than one with signs.</p></div>
        <div class="field"><label for="pw-again">Once more</label>
          <input id="pw-again" type="password" autocomplete="new-password" value={again.value} onInput={(event) => (again.value = event.currentTarget.value)} aria-describedby="pw-again-h" aria-invalid={differs} />
          <p class="h" id="pw-again-h">{differs ? "This is not the same." : ""}</p></div>
        <ProblemNote problem={problem.value} />
        {done.value && <p class="v is-pass" role="status"><Shape of="pass" />It is changed</p>}
        <button class="btn prime" type="submit" disabled={!ready || busy.value}>{busy.value ? "Changing" : "Change the password"}</button>
      </form>
    </Panel>
  );
}

function Sessions() {
  const busy = useSignal(false);
  const done = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const end = async () => {
    busy.value = true;
    problem.value = null;
    try {
      await call("DELETE", "/session/others");
      done.value = true;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  return (
    <Panel title="Elsewhere" note="A telephone that was lost, a browser at work.">
      <p class="mute">You stay logged in here. A session ends by itself after 24 hours.</p>
      <ProblemNote problem={problem.value} />
      {done.value && <p class="v is-pass" role="status"><Shape of="pass" />Only this browser is logged in now</p>}
      <p><button class="btn" type="button" disabled={busy.value} onClick={() => void end()}>Log out everywhere else</button></p>
    </Panel>
  );
}

/** The page. */
export default function Page() {
  return (
    <>
      <Password />
      <Sessions />
      <Panel title="If the password is lost">
        <p>Go to the box itself. On its screen and keyboard, or its serial line, choose <b>recovery</b>: it shows a new code, and this page asks for it. Nothing is lost, and drives that are being tested go on.</p>
      </Panel>
    </>
  );
}
