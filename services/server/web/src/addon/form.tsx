/** Component `form`: fields with validation, dependencies, conditions, calculations, and the gate. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Problem } from "@wire";

import { asProblem, Refusal } from "../api";
import { Icon, Panel, ProblemNote } from "../view/bits";
import { act, BUILT_IN, type Key } from "./ask";
import { useSource, type PartProps } from "./context";
import { FieldView, type Held } from "./field";
import { beginning, calculated, entered, flaws, given, initial, payload, prefilled, readFields, shown, waitsFor, type Field, type Values } from "./fields";
import { Gate } from "./gate";
import { at, obj, str, type Config } from "./manifest";
import { tierOfForm } from "./safety";
import type { Value } from "./visible";

/** State of a form's fields; also of the forms of a table's actions. */
export function useFields(fields: readonly Field[], prefix: string, prefill: Config | null, force = false): { held: Held; seen: Field[]; check: () => boolean; reset: () => void; data: (nested?: boolean) => Config } {
  const first = useMemo(() => beginning(fields), [fields]);
  const own = useSignal<Values>(first);
  const touched = useSignal<ReadonlySet<string>>(new Set());
  const custom = useSignal<ReadonlyMap<string, string>>(new Map());
  const told = useSignal(false);
  useEffect(() => {
    if (prefill) own.value = prefilled(fields, own.peek(), prefill, touched.peek());
  }, [prefill]);
  const values = calculated(fields, own.value, custom.value);
  const visible = shown(fields, values);
  const seen = force ? fields.filter((field) => field.gate || visible.includes(field)) : visible;
  const set = (name: string, value: Value) => {
    own.value = entered(fields, own.peek(), name, value);
    touched.value = new Set(touched.peek()).add(name);
  };
  const bad = flaws(seen, values, custom.value);
  const held: Held = { fields, values, given: given(seen, values, custom.value), custom, bad: told.value ? bad : null, set, prefix };
  return {
    held, seen,
    check: () => {
      told.value = true;
      const [worst] = bad.keys();
      // One that waits cannot be reached: what it waits for can.
      if (worst) requestAnimationFrame(() => document.getElementById(`${prefix}-${waitsFor(worst, held.given) ?? worst.name}`)?.focus());
      return worst === undefined;
    },
    reset: () => {
      own.value = first;
      touched.value = new Set();
      custom.value = new Map();
      told.value = false;
    },
    data: (nested = false) => payload(seen, values, custom.peek(), nested),
  };
}

/** What an add-on answered, in a line. */
export function answerWords(answer: unknown): string {
  const whole = obj(answer);
  const words = ["message", "status", "told", "result"].map((key) => str(at(whole, key))).find(Boolean);
  const job = str(at(whole, "job_id"));
  return [words ? `${words[0]!.toUpperCase()}${words.slice(1)}` : typeof answer === "string" && answer ? answer.slice(0, 300) : "Done", job && `job ${job}`].filter(Boolean).join(", ");
}

/** Whether a refusal says that the gate has to be passed. */
export const wantsGate = (thrown: unknown): boolean => thrown instanceof Refusal && thrown.problem.status === 403 && thrown.problem.type === "gate";

/** The component. */
export function FormPart(props: PartProps) {
  const { part, around } = props;
  const fields = useMemo(() => readFields(at(part.config, "fields")), [part]);
  const action = str(at(part.config, "action"));
  const agentField = useSignal("");
  const prefill = useSource(props, action === "config" || part.source === "config" ? "config" : "", agentField.value ? { agent: agentField.value } : {});
  const told = prefill.told.value;
  const values = useMemo(() => (told === null ? null : obj(at(obj(told.value), "config") ?? told.value)), [told]);
  // The box may want a tick that the values do not show; then it is shown.
  const force = useSignal(false);
  const { held, seen, check, reset, data } = useFields(fields, part.id, values, force.value);
  const agent = str(held.values.get("agent_id"));
  useEffect(() => {
    agentField.value = agent;
  }, [agent]);
  const busy = useSignal(false);
  const said = useSignal("");
  const problem = useSignal<Problem | null>(null);
  const gate = useSignal(false);

  const send = async (key: Key | null) => {
    busy.value = true;
    problem.value = null;
    said.value = "";
    try {
      const answer = await act(around.addon.id, part.id, action, data(), key);
      said.value = answerWords(answer);
      around.turn.value += 1;
      gate.value = false;
      for (const field of fields) if (field.gate) held.set(field.name, initial(field));
    } catch (thrown) {
      if (key === null && wantsGate(thrown) && fields.some((field) => field.gate) && !seen.some((field) => field.gate)) {
        force.value = true;
        problem.value = asProblem(thrown);
      } else if (key === null && wantsGate(thrown)) gate.value = true;
      else if (key !== null) throw thrown;
      else problem.value = asProblem(thrown);
    } finally {
      busy.value = false;
    }
  };
  const gated = tierOfForm(part.config, seen) === "destructive";
  const submit = () => {
    if (!check()) return;
    if (gated) gate.value = true;
    else void send(null);
  };
  const inline = str(at(part.config, "layout")) === "inline";
  const label = str(at(part.config, "submit_label"), "Send");
  const wall = around.addon.id === BUILT_IN && problem.value?.type === "use-the-gate";
  return (
    <Panel id={`t-${part.id}`} title={part.title} note={part.about || undefined} span="c12">
      <form class={`fields ${inline ? "inline" : ""}`} noValidate onSubmit={(event) => {
        event.preventDefault();
        // What opens the gate is pressed, never a plain Enter.
        if (!gated) submit();
      }}>
        {seen.filter((field) => field.type !== "hidden").map((field) => <FieldView key={field.name} {...props} field={field} held={held} />)}
        <ProblemNote problem={problem.value ?? prefill.problem.value} />
        {wall && <a class="btn" href="/">To the bench, where drives are chosen</a>}
        {action === "" ? <p class="mute">This form has no action; there is nothing to send.</p> : (
          <div class="do">
            <button class={`btn ${gated ? "danger" : "prime"}`} type="button" disabled={busy.value} onClick={submit}>{gated && <Icon name="lock" />}{busy.value ? "Asking" : label}</button>
            <button class="btn plain" type="button" onClick={() => { reset(); problem.value = null; said.value = ""; }}>{str(at(part.config, "reset_label"), "Reset")}</button>
            <span class="told" role="status">{said.value}</span>
          </div>
        )}
      </form>
      {gate.value && <Gate title={label} loss={lossOf(seen, held.values)} act={label} open={send} onClose={() => (gate.value = false)} />}
    </Panel>
  );
}

/** What the gate's dialogs say will happen: the words of the fields that were ticked, and what was chosen. */
function lossOf(fields: readonly Field[], values: Values): string {
  const chosen = fields.filter((field) => field.type === "select" && str(values.get(field.name)) !== "").map((field) => `${field.label}: ${str(values.get(field.name))}`);
  return [fields.filter((field) => field.gate).map((field) => field.label.replace(/[.\s]*$/, ".")).join(" "), chosen.length > 0 ? `${chosen.join("; ")}.` : ""].filter(Boolean).join(" ") || "This cannot be undone.";
}
