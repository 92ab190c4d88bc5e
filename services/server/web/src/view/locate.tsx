/** The button that makes a drive findable among its neighbours. */
import { useSignal } from "@preact/signals";
import type { Drive, Problem } from "@wire";

import { api, asProblem } from "../api";
import { now } from "../state/app";
import { Icon, ProblemNote } from "./bits";

/** The button; nothing for a drive that is not here or has no identity. What the box did about it is told beside the button. */
export function Locate({ drive }: { drive: Drive }) {
  const busy = useSignal(false);
  const told = useSignal({ on: false, text: "" });
  const problem = useSignal<Problem | null>(null);
  const id = drive.id;
  if (id === null || !drive.present) return null;
  if (drive.as_of) return <button class="btn" type="button" disabled title="The burn-in agent has not told this drive for a while."><Icon name="bulb" />Show me which</button>;
  // Whoever asked for it: the box says until when.
  const on = drive.shown_until !== undefined && Date.parse(drive.shown_until) > now.value;
  const turn = async () => {
    busy.value = true;
    problem.value = null;
    try {
      told.value = { on: !on, text: (await api.locate(id, !on)).told };
    } catch (thrown) {
      problem.value = asProblem(thrown);
      told.value = { on, text: "" };
    }
    busy.value = false;
  };
  return (
    <>
      <button class={`btn ${on ? "lit" : ""}`} type="button" aria-pressed={on} disabled={busy.value} onClick={() => void turn()}><Icon name="bulb" />{on ? "Stop showing it" : "Show me which"}</button>
      <span class="told" role="status">{told.value.on === on ? told.value.text : ""}</span>
      <ProblemNote problem={problem.value} />
    </>
  );
}
