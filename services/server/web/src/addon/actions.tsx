/**
 * Buttons of a table: on a row, over the chosen rows, above it all. Each says what it will do before it does it, and
 * what may destroy something goes through the gate. What may be done at all, and with what, the box decides.
 */
import { useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import type { Problem } from "@wire";

import { asProblem, Refusal } from "../api";
import { plural } from "../format";
import { Dialog, Icon, ProblemNote } from "../view/bits";
import { act, type Key } from "./ask";
import type { PartProps } from "./context";
import { FieldView } from "./field";
import { readFields, type Field } from "./fields";
import { answerWords, useFields, wantsGate } from "./form";
import { Gate } from "./gate";
import { at, bool, deep, fill, obj, objs, str, type Config } from "./manifest";
import { tierOfButton, type Tier } from "./safety";
import { holds, parseWhen, type Value } from "./visible";

/** An action of a table. */
export interface Action {
  name: string; label: string; tier: Tier; endpoint: string; body: Config; bodyMap: Config; confirm: Config | null; form: Config | null; when: unknown;
  /** No button of its own. */
  hidden: boolean;
  /** What is said afterwards; empty: our words. `{error}` stands for why. */
  done: string; failed: string;
}

/** Whether a `confirm` asks anything, and is not only what is said afterwards. */
const asksIn = (confirm: unknown): boolean =>
  typeof confirm === "object" && confirm !== null && (Object.keys(confirm).length === 0 || Object.keys(confirm).some((key) => !/^(success|error)_message$/.test(key)));

/** Reads an action; `idKey` of the short form `{type, id_key}` becomes its data. */
export function readAction(one: Config): Action {
  const inner = obj(at(one, "action"));
  const name = str(at(one, "action")) || str(at(one, "id"), str(at(one, "type")));
  const short = str(at(one, "id_key"));
  const confirm = at(one, "confirm");
  const said = (key: string) => str(at(obj(confirm), key), str(at(obj(at(one, "form")), key), str(at(one, key))));
  return {
    name, hidden: bool(at(one, "hidden")), done: said("success_message"), failed: said("error_message"), label: str(at(one, "label"), name), endpoint: str(at(inner, "endpoint")),
    tier: tierOfButton(one),
    body: obj(at(inner, "body")), bodyMap: short ? { [short]: `row.${short}` } : obj(at(inner, "body_map")),
    confirm: typeof confirm === "string" ? { message: confirm } : asksIn(confirm) ? obj(confirm) : str(at(one, "confirm_message")) ? { message: str(at(one, "confirm_message")) } : null,
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

/** Whether an action is about one row alone: its path or what it sends names fields of the row. */
const isOfRow = (action: Action): boolean =>
  action.endpoint.includes("{") || Object.values(action.bodyMap).some((from) => str(from).startsWith("row."));

/** What is asked for, one after the other: all chosen rows at once, unless the action can take but one. Pure. */
export function bodiesOf(action: Action, rows: readonly Config[], bulk: boolean, keyField: string): Config[] {
  if (!bulk) return [bodyOf(action, rows[0] ?? {}, keyField)];
  if (isOfRow(action)) return rows.map((row) => bodyOf(action, row, keyField));
  return [{ ...action.body, [keyField || "ids"]: rows.map((one) => at(one, keyField || "id")), rows }];
}

/** A part of an action's form: its heading and its fields. */
export interface Section { title: string; about: string; fields: Field[] }

/** The parts of an action's form; one without sections is one part. Pure. */
export function sectionsOf(action: Action, row: Config): Section[] {
  const form = action.form ?? {};
  const plain: Section = { title: "", about: "", fields: readFields(at(form, "fields") ?? at(action.confirm ?? {}, "extra_fields"), row) };
  const parts = objs(at(form, "sections")).map((one): Section => {
    const when = at(one, "visible_when");
    // A part that is shown on a condition is so by its fields.
    const fields = objs(at(one, "fields")).map((field) => (when !== undefined && at(field, "visible_when") === undefined ? { ...field, visible_when: when } : field));
    return { title: str(at(one, "title"), str(at(one, "label"))), about: str(at(one, "description")), fields: readFields(fields, row) };
  });
  return [plain, ...parts].filter(({ fields }) => fields.length > 0);
}

/** One request of an action, kept as it was chosen: the table's rows may change meanwhile. */
interface Task { body: Config; subject: string }

/** What is said of requests of which some were refused. Pure. */
export function refusedWords(action: Action, bad: readonly { subject: string; problem: Problem }[], all: number): Problem {
  const [first] = bad;
  if (!first) return { type: "page-error", status: 0, title: "Nothing was refused", detail: "" };
  const why = ({ problem }: { problem: Problem }) => [problem.title, problem.detail].filter(Boolean).join(": ");
  const title = action.failed ? action.failed.replaceAll("{error}", why(first)) : first.problem.title;
  if (all <= 1) return { ...first.problem, title, ...(action.failed.includes("{error}") ? { detail: "" } : {}) };
  const list = bad.slice(0, 10).map((one) => `${one.subject ? `${one.subject}: ` : ""}${why(one)}`);
  return { ...first.problem, title: `${action.label}: ${bad.length} of ${all} not done`, detail: [...list, ...(bad.length > 10 ? [`and ${bad.length - 10} more`] : [])].join("; ") };
}

/** The button, its questions, and what came of it. `rows`: one, the chosen ones, or none. */
export function ActionButton(props: PartProps & { action: Action; rows: readonly Config[]; bulk?: boolean; keyField: string; said: (words: string) => void }) {
  const { action, rows, bulk, keyField, part, around } = props;
  const row = rows[0] ?? {};
  const asking = useSignal(false);
  const gate = useSignal<readonly Task[] | null>(null);
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const sections = useMemo(() => sectionsOf(action, row), [action, row]);
  const fields = useMemo(() => sections.flatMap((section) => section.fields), [sections]);
  const { held, seen, check, data } = useFields(fields, `${part.id}-${action.name}`, null);
  // Of several requests those that were not done yet: only they are asked for again.
  const left = useRef<readonly Task[] | null>(null);
  const nameOf = (one: Config) => str(at(one, keyField), str(at(one, "name"), str(at(one, "hostname"), str(at(one, "id")))));
  const subject = bulk ? plural(rows.length, "row") : nameOf(row);
  const title = fill(str(at(action.form ?? action.confirm ?? {}, "title"), subject ? `${action.label}: ${subject}` : action.label), row);
  const words = fill(str(at(action.confirm ?? action.form ?? {}, "message"), str(at(action.form ?? {}, "description"))), row);
  const label = str(at(action.form ?? action.confirm ?? {}, "button_label"), action.label);

  const send = async (tasks: readonly Task[], key: Key | null) => {
    busy.value = true;
    problem.value = null;
    const todo = left.current ?? tasks;
    const bad: (Task & { problem: Problem })[] = [];
    let answer: unknown = null;
    try {
      for (const [index, task] of todo.entries()) {
        try {
          answer = await act(around.addon.id, part.id, action.name, task.body, key);
        } catch (thrown) {
          const found = asProblem(thrown);
          // What opens the gate is the same for all of them.
          if (wantsGate(thrown) || (key !== null && /password/.test(found.type))) {
            left.current = [...todo.slice(index), ...bad];
            if (key !== null) throw thrown;
            asking.value = false;
            gate.value = left.current;
            return;
          }
          bad.push({ ...task, problem: found });
        }
      }
      if (bad.length < todo.length) around.turn.value += 1;
      if (bad.length > 0) {
        left.current = bad;
        const found = refusedWords(action, bad, todo.length);
        if (key !== null) throw new Refusal(found);
        problem.value = found;
        asking.value = true;
        return;
      }
      asking.value = false;
      gate.value = null;
      left.current = null;
      props.said(action.done ? fill(action.done, row) : `${action.label}: ${todo.length > 1 ? `done for ${plural(todo.length, "row")}` : answerWords(answer)}`);
    } finally {
      busy.value = false;
    }
  };
  const go = () => {
    if (!check()) return;
    const filled = data(true);
    const of = left.current ?? bodiesOf(action, rows, bulk === true, keyField).map((body, index, all) => ({ body, subject: all.length > 1 ? nameOf(rows[index] ?? {}) : subject }));
    const tasks = of.map((task) => ({ ...task, body: { ...task.body, ...filled } }));
    left.current = null;
    if (action.tier === "destructive") {
      asking.value = false;
      gate.value = tasks;
    } else void send(tasks, null);
  };
  const asks = fields.length > 0 || action.confirm !== null;
  const refused = props.around.addon.enabled ? "" : "The add-on is disabled";
  return (
    <>
      <button class={`btn small ${action.tier === "destructive" ? "danger" : ""}`} type="button" disabled={busy.value || refused !== ""} title={refused || undefined}
        aria-label={subject && !bulk ? `${action.label}: ${subject}` : undefined}
        onClick={() => { problem.value = null; left.current = null; if (asks) asking.value = true; else go(); }}>{action.tier === "destructive" && <Icon name="lock" />}{action.label}{asks && "…"}</button>
      {asking.value && (
        <Dialog title={title} onClose={() => (asking.value = false)}>
          <div class="ask">
            {words && <p>{words}</p>}
            {sections.map((section, index) => {
              const here = seen.filter((field) => field.type !== "hidden" && section.fields.includes(field));
              return here.length > 0 && (
                <div class="fields" key={index} role={section.title ? "group" : undefined} aria-label={section.title || undefined}>
                  {section.title && <h3>{section.title}</h3>}{section.about && <p class="mute">{section.about}</p>}
                  {here.map((field) => <FieldView key={field.name} part={part} around={around} field={field} held={held} />)}</div>
              );
            })}
            <ProblemNote problem={problem.value} />
            <div class="do"><button class={`btn ${action.tier === "destructive" ? "danger" : "prime"}`} type="button" disabled={busy.value} onClick={go}>{busy.value ? "Asking" : action.tier === "destructive" ? `${label}…` : label}</button>
              <button class="btn" type="button" onClick={() => (asking.value = false)}>Leave it</button></div>
          </div>
        </Dialog>
      )}
      {gate.value && <Gate title={title} loss={words || `${title}. This cannot be undone.`} act={label} open={(key) => send(gate.peek() ?? [], key)} onClose={() => (gate.value = null)} />}
    </>
  );
}
