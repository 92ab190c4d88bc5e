/** The button that ends a job of an add-on, and its questions. */
import { useSignal } from "@preact/signals";
import type { Problem } from "@wire";

import { asProblem } from "../api";
import { Dialog, ProblemNote } from "../view/bits";
import { act, type Key } from "./ask";
import type { Asker } from "./context";
import { wantsGate } from "./form";
import { Gate } from "./gate";
import { at, bool, obj, str, type Config } from "./manifest";
import { tierOfCancel, type Tier } from "./safety";

/** How a job is ended. */
export interface Cancel { name: string; tier: Tier; question: string }

/** Reads the end of jobs of a `progress`; `null`: they cannot be ended here. Pure. */
export function readCancel(config: Config): Cancel | null {
  const cancel = at(config, "cancel");
  if (typeof cancel !== "object" || cancel === null) return null;
  const of = obj(cancel);
  const name = str(at(of, "action")) || "cancel";
  return bool(at(of, "enabled"), true) ? { name, tier: tierOfCancel(name), question: str(at(of, "confirm_message")) || "What was done so far is lost; the job cannot go on from here." } : null;
}

/** The button. */
export function CancelButton({ part, around, cancel, id, agent, job }: Asker & { cancel: Cancel; id: string; agent: string; job: string }) {
  const open = useSignal(false);
  const gate = useSignal(false);
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const run = async (key: Key | null) => {
    busy.value = true;
    problem.value = null;
    try {
      await act(around.addon.id, part.id, cancel.name, { job_id: id, ...(agent ? { agent_id: agent } : {}) }, key);
      open.value = false;
      gate.value = false;
      around.turn.value += 1;
    } catch (thrown) {
      if (key !== null) throw thrown;
      if (wantsGate(thrown)) gated();
      else problem.value = asProblem(thrown);
    } finally {
      busy.value = false;
    }
  };
  const gated = () => {
    open.value = false;
    gate.value = true;
  };
  return (
    <div class="end">
      <button class="btn" type="button" aria-label={`Cancel ${job}…`} onClick={() => (open.value = true)}>Cancel…</button>
      {open.value && (
        <Dialog title={`Cancel ${job}?`} onClose={() => (open.value = false)}>
          <p>{cancel.question}</p>
          <ProblemNote problem={problem.value} />
          <div class="do"><button class="btn danger" type="button" disabled={busy.value} onClick={() => (cancel.tier === "destructive" ? gated() : void run(null))}>{busy.value ? "Asking" : "Cancel the job"}</button>
            <button class="btn" type="button" onClick={() => (open.value = false)}>Let it run</button></div>
        </Dialog>
      )}
      {gate.value && <Gate title={`Cancel ${job}?`} loss={cancel.question} act="Cancel the job" open={run} onClose={() => (gate.value = false)} />}
    </div>
  );
}
