/**
 * The gate in front of what an add-on may destroy: first the password, then `CONFIRM` typed.
 *
 * Two dialogs, one after the other, and no Enter that opens either. The box checks both, whatever this page does.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Problem } from "@wire";

import { asProblem } from "../api";
import { Dialog, Icon, ProblemNote } from "../view/bits";
import type { Key } from "./ask";

/** The two dialogs. `open` does the act with the key; it throws what the box refuses. */
export function Gate(props: { title: string; loss: string; act: string; open: (key: Key) => Promise<void>; onClose: () => void }) {
  const step = useSignal<1 | 2>(1);
  const password = useSignal("");
  const word = useSignal("");
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), [step.value]);
  const run = async () => {
    busy.value = true;
    problem.value = null;
    try {
      await props.open({ _password: password.peek(), confirm: "CONFIRM" });
    } catch (thrown) {
      const found = asProblem(thrown);
      problem.value = found;
      word.value = "";
      if (/password/.test(found.type)) {
        password.value = "";
        step.value = 1;
      }
    }
    busy.value = false;
  };
  const still = (event: Event) => event.preventDefault();
  return step.value === 1 ? (
    <Dialog key="password" title={props.title} onClose={() => step.peek() === 1 && props.onClose()}>
      <p>{props.loss}</p>
      <form onSubmit={still}>
        <div class="field"><label for="gate-password">Your password</label>
          <input ref={field} id="gate-password" type="password" autocomplete="current-password" value={password.value} onInput={(e) => (password.value = e.currentTarget.value)} /></div>
        <ProblemNote problem={problem.value} />
        <div class="do"><button type="button" class="btn danger" disabled={password.value === ""} onClick={() => { problem.value = null; step.value = 2; }}><Icon name="lock" />Go on</button>
          <button type="button" class="btn" onClick={props.onClose}>Leave it</button></div>
      </form>
    </Dialog>
  ) : (
    <Dialog key="word" title="Once more" onClose={() => step.peek() === 2 && props.onClose()}>
      <p>{props.loss} Type <b class="mono">CONFIRM</b> to have it done.</p>
      <form onSubmit={still}>
        <div class="field"><label for="gate-word">Type CONFIRM</label>
          <input ref={field} id="gate-word" class="code" autocomplete="off" autocapitalize="characters" spellcheck={false} value={word.value} onInput={(e) => (word.value = e.currentTarget.value)} /></div>
        <ProblemNote problem={problem.value} />
        <div class="do"><button type="button" class="btn hot" disabled={word.value !== "CONFIRM" || busy.value} onClick={() => void run()}>{busy.value ? "Asking" : props.act}</button>
          <button type="button" class="btn" onClick={props.onClose}>Leave it</button></div>
      </form>
    </Dialog>
  );
}
