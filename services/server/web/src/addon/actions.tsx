/**
 * Buttons of a table: on a row, over the chosen rows, above it all. Each says what it will do before it does it, and
 * what may destroy something goes through the gate. What may be done at all, and with what, the box decides.
 */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Problem } from "@wire";

import { asProblem } from "../api";
import { plural } from "../format";
import { Dialog, Icon, ProblemNote } from "../view/bits";
import { act, type Key } from "./ask";
import type { PartProps } from "./context";
import { FieldView } from "./field";
import { readFields } from "./fields";
import { answerWords, useFields, wantsGate } from "./form";
import { Gate } from "./gate";
import { at, deep, fill, obj, str, type Config } from "./manifest";
import { tierOfButton, type Tier } from "./safety";
import { holds, parseWhen, type Value } from "./visible";

/** An action of a table. */
export interface Action { name: string; label: string; tier: Tier; endpoint: string; body: Config; bodyMap: Config; confirm: Config | null; form: Config | null; when: unknown }

/** Reads an action; `idKey` of the short form `{type, id_key}` becomes its data. */
export function readAction(one: Config): Action {
  const inner = obj(at(one, "action"));
  const name = str(at(one, "action")) || str(at(one, "id"), str(at(one, "type")));
  const short = str(at(one, "id_key"));
  const confirm = at(one, "confirm");
  return {
    name, label: str(at(one, "label"), name), endpoint: str(at(inner, "endpoint")),
    tier: tierOfButton(one),
    body: obj(at(inner, "body")), bodyMap: short ? { [short]: `row.${short}` } : obj(at(inner, "body_map")),
    confirm: typeof confirm === "string" ? { message: confirm } : typeof confirm === "object" && confirm !== null ? obj(confirm) : str(at(one, "confirm_message")) ? { message: str(at(one, "confirm_message")) } : null,
    form: typeof at(one, "form") === "object" && at(one, "form") !== null ? obj(at(one, "form")) : null,
    when: at(one, "visible_when"),
  };
}

/** Whether an action is offered for a row. */
export function offered(action: Action, row: Config): boolean {
  if (action.when === undefined || action.when === null) return true;
  try {
    // Conditions of rows are written `row.state=…` or `state=…`.
    const values = new Map(Object.entries(row).flatMap(([key, value]) => [[key, value as Value] as const, [`row.${key}`, value as Value] as const]));
    return holds(parseWhen(action.when), values);
  } catch {
    return true;
  }
}

/** What an action sends for a row, apart from its form: what it maps, and what its path names; else the row itself. Pure. */
export function bodyOf(action: Action, row: Config, keyField: string): Config {
  const of = (key: string) => deep(row, key.replace(/^row\./, ""));
  const mapped = Object.entries(action.bodyMap).filter(([key]) => key !== "__proto__").map(([key, from]) => [key, of(str(from))] as const);
  const named = [...action.endpoint.matchAll(/\{(?:row\.)?([A-Za-z0-9_.-]{1,64})\}/g)].map(([, key = ""]) => [key, of(key)] as const);
  if (mapped.length > 0 || named.length > 0 || action.form !== null || action.endpoint !== "") return { ...action.body, ...Object.fromEntries(named), ...Object.fromEntries(mapped) };
  const key = [keyField, "id", "job_id", "agent_id", "serial", "name", "path"].find((one) => one !== "" && at(row, one) !== undefined);
  return key === undefined ? {} : { [key]: at(row, key), row };
}

/** The button, its questions, and what came of it. `rows`: one, the chosen ones, or none. */
export function ActionButton(props: PartProps & { action: Action; rows: readonly Config[]; bulk?: boolean; keyField: string; said: (words: string) => void }) {
  const { action, rows, bulk, keyField, part, around } = props;
  const row = rows[0] ?? {};
  const asking = useSignal(false);
  const gate = useSignal<Config | null>(null);
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const fields = useMemo(() => readFields(at(action.form ?? {}, "fields") ?? at(action.confirm ?? {}, "extra_fields"), row), [action, row]);
  const { held, seen, check, data } = useFields(fields, `${part.id}-${action.name}`, null);
  const subject = bulk ? plural(rows.length, "row") : str(at(row, keyField), str(at(row, "name"), str(at(row, "hostname"), str(at(row, "id")))));
  const title = fill(str(at(action.form ?? action.confirm ?? {}, "title"), subject ? `${action.label}: ${subject}` : action.label), row);
  const words = fill(str(at(action.confirm ?? action.form ?? {}, "message"), str(at(action.form ?? {}, "description"))), row);
  const label = str(at(action.form ?? action.confirm ?? {}, "button_label"), action.label);

  const send = async (body: Config, key: Key | null) => {
    busy.value = true;
    problem.value = null;
    try {
      const answer = await act(around.addon.id, part.id, action.name, body, key);
      asking.value = false;
      gate.value = null;
      props.said(`${action.label}: ${answerWords(answer)}`);
      around.turn.value += 1;
    } catch (thrown) {
      if (key === null && wantsGate(thrown)) gate.value = body;
      else if (key !== null) throw thrown;
      else {
        problem.value = asProblem(thrown);
        asking.value = true;
      }
    } finally {
      busy.value = false;
    }
  };
  const go = () => {
    if (!check()) return;
    const body = { ...(bulk ? { [keyField || "ids"]: rows.map((one) => at(one, keyField || "id")), rows } : bodyOf(action, row, keyField)), ...data(true) };
    if (action.tier === "destructive") {
      asking.value = false;
      gate.value = body;
    } else void send(body, null);
  };
  const asks = fields.length > 0 || action.confirm !== null;
  const refused = props.around.addon.enabled ? "" : "The add-on is disabled";
  return (
    <>
      <button class={`btn small ${action.tier === "destructive" ? "danger" : ""}`} type="button" disabled={busy.value || refused !== ""} title={refused || undefined}
        aria-label={subject && !bulk ? `${action.label}: ${subject}` : undefined}
        onClick={() => { problem.value = null; if (asks) asking.value = true; else go(); }}>{action.tier === "destructive" && <Icon name="lock" />}{action.label}{asks && "…"}</button>
      {asking.value && (
        <Dialog title={title} onClose={() => (asking.value = false)}>
          <div class="ask">
            {words && <p>{words}</p>}
            <div class="fields">{seen.filter((field) => field.type !== "hidden").map((field) => <FieldView key={field.name} part={part} around={around} field={field} held={held} />)}</div>
            <ProblemNote problem={problem.value} />
            <div class="do"><button class={`btn ${action.tier === "destructive" ? "danger" : "prime"}`} type="button" disabled={busy.value} onClick={go}>{busy.value ? "Asking" : action.tier === "destructive" ? `${label}…` : label}</button>
              <button class="btn" type="button" onClick={() => (asking.value = false)}>Leave it</button></div>
          </div>
        </Dialog>
      )}
      {gate.value && <Gate title={title} loss={words || `${title}. This cannot be undone.`} act={label} open={(key) => send(gate.peek() ?? {}, key)} onClose={() => (gate.value = null)} />}
    </>
  );
}
