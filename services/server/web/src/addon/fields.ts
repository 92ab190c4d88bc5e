/**
 * Fields of a form: how they are read, which are shown, what is wrong, what is sent. Pure; tested in `fields.test.ts`.
 *
 * The box judges what is sent the same way (`asked/form.rs`), and both run `services/wire/cases/form.json` (`cases.test.ts`).
 */
import { bytes } from "../format";
import { evaluate, ExpressionError, parse, type Formula } from "./expression";
import { arr, at, bool, choices, num, obj, objs, str, type Choice, type Config } from "./manifest";
import { holds, parseWhen, VisibleError, type Value, type When } from "./visible";

/** The value that adds a text box to a select. */
export const CUSTOM = "__custom__";

/** The field types. What is none of them is read as text. */
const TYPES = ["text", "number", "select", "checkbox", "toggle", "hidden", "range"] as const;

/** One field. */
export interface Field {
  name: string;
  label: string;
  type: (typeof TYPES)[number];
  required: boolean;
  options: Choice[];
  source: string;
  optionValue: string;
  optionLabel: string;
  placeholder: string;
  customPlaceholder: string;
  hint: string;
  unit: string;
  fallback: Value;
  min: number | null;
  max: number | null;
  step: number | null;
  /** Whether any step will do: `"any"`. */
  stepless: boolean;
  depends: readonly string[];
  when: When | null;
  formula: Formula | null;
  gate: boolean;
  /** What is wrong with the manifest here; the field is shown with it. */
  flaw: string | null;
}

/** What a form holds: by name of the field. */
export type Values = ReadonlyMap<string, Value>;
/** The own texts of selects that offer one: by name of the field. */
export type Custom = ReadonlyMap<string, string>;
const NONE: Custom = new Map();

function attempt<T>(what: string, read: () => T): { value: T | null; flaw: string | null } {
  try {
    return { value: read(), flaw: null };
  } catch (thrown) {
    if (thrown instanceof ExpressionError || thrown instanceof VisibleError) return { value: null, flaw: `${what}: ${thrown.message}` };
    throw thrown;
  }
}

/** Reads a field; `row` is what an action's form begins with. */
export function readField(one: Config, row: Config = {}): Field {
  const name = str(at(one, "name"), str(at(one, "key")));
  const said = str(at(one, "type"), "text");
  const type = TYPES.find((known) => known === said) ?? "text";
  const when = at(one, "visible_when");
  const formula = at(one, "live_calculation");
  const visible = when === undefined || when === null || when === "" ? { value: null, flaw: null } : attempt("visible_when", () => parseWhen(when));
  const live = typeof formula !== "string" || formula === "" ? { value: null, flaw: null } : attempt("live_calculation", () => parse(formula));
  const options = choices(at(one, "options"));
  if (bool(at(one, "allow_custom"))) options.push({ value: CUSTOM, label: str(at(one, "custom_label"), "Other…") });
  const from = str(at(one, "value_from"));
  const held = from !== "" ? at(row, from.replace(/^row\./, "")) : at(one, "value");
  const depends = at(one, "depends_on");
  return {
    name, type, options, label: str(at(one, "label"), name), required: bool(at(one, "required")),
    source: str(at(one, "source"), str(at(one, "options_from"))), optionValue: str(at(one, "option_value")), optionLabel: str(at(one, "option_label")),
    placeholder: str(at(one, "placeholder")), customPlaceholder: str(at(one, "custom_placeholder")), hint: str(at(one, "hint"), str(at(one, "description"))), unit: str(at(one, "unit")),
    fallback: (held ?? at(one, "default")) as Value,
    min: num(at(one, "min")), max: num(at(one, "max")), step: num(at(one, "step")), stepless: at(one, "step") === "any",
    depends: typeof depends === "string" ? [depends].filter(Boolean) : arr(depends).map((other) => str(other)).filter(Boolean),
    when: visible.value, formula: live.value, gate: bool(at(one, "security_gate")),
    flaw: visible.flaw ?? live.flaw ?? (type === said ? null : `type: "${said.slice(0, 40)}" is not known; shown as text`),
  };
}

/** Most fields of a form. Source: Vigil, manifest validation. */
const FIELDS_MAX = 100;

/** Reads a form's fields. */
export const readFields = (list: unknown, row: Config = {}): Field[] => objs(list).slice(0, FIELDS_MAX).map((one) => readField(one, row)).filter(({ name }) => name !== "");

/** What a field holds before anybody touches it. */
export function initial(field: Field): Value {
  const { fallback } = field;
  switch (field.type) {
    case "checkbox": case "toggle":
      // What opens the gate is never ticked by a manifest.
      return field.gate ? false : bool(fallback);
    case "range": return num(fallback) ?? field.min ?? 0;
    case "number": return num(fallback) === null ? "" : String(num(fallback));
    default: return typeof fallback === "object" ? "" : fallback === undefined || fallback === null ? "" : String(fallback);
  }
}

/** The number that a formula sees in a field: ticked is 1. */
const asNumber = (value: Value): number => (typeof value === "boolean" ? Number(value) : (num(value) ?? 0));

/** What is sent of fields: their values, and the own text of one where that was chosen. Formulas and dependencies see no more. */
export const given = (seen: readonly Field[], values: Values, custom: Custom = NONE): Values =>
  new Map(seen.map(({ name }) => [name, values.get(name) === CUSTOM ? (custom.get(name) ?? "").trim() : values.get(name)]));

/** Of fields that share a name the one that counts: the first that is shown, else the first. */
function bearers(fields: readonly Field[], seen: readonly Field[]): ReadonlyMap<string, Field> {
  const found = new Map<string, Field>();
  for (const field of [...seen, ...fields]) if (!found.has(field.name)) found.set(field.name, field);
  return found;
}

/** Values with every calculated field calculated; each round settles one more, also of those that are shown by what comes out. */
export function calculated(fields: readonly Field[], values: Values, custom: Custom = NONE): Values {
  if (fields.every(({ formula }) => formula === null)) return values;
  const next = new Map(values);
  for (let round = 0; round <= fields.length; round++) {
    let changed = false;
    const seen = shown(fields, next);
    const numbers = new Map([...given(seen, next, custom)].map(([name, value]) => [name, asNumber(value)]));
    for (const field of bearers(fields, seen).values()) {
      if (field.formula === null) continue;
      let result: string;
      try {
        result = String(evaluate(field.formula, numbers));
      } catch {
        result = "";
      }
      if (next.get(field.name) !== result) {
        next.set(field.name, result);
        if (numbers.has(field.name)) numbers.set(field.name, asNumber(result));
        changed = true;
      }
    }
    if (!changed) break;
  }
  return next;
}

/** The fields that are shown; one whose condition looks at a field that is not shown sees nothing in it. */
export function shown(fields: readonly Field[], values: Values): Field[] {
  let seen = fields.filter((field) => field.when === null || holds(field.when, values));
  for (let round = 0; round < 8; round++) {
    const present = new Set(seen.map(({ name }) => name));
    const here: Values = new Map([...values].filter(([name]) => present.has(name) || !fields.some((field) => field.name === name)));
    const next = fields.filter((field) => field.when === null || holds(field.when, here));
    if (next.length === seen.length) return next;
    seen = next;
  }
  return seen;
}

const counting = (fields: readonly Field[], values: Values) => bearers(fields, shown(fields, calculated(fields, values)));

/** Most rounds in which fields that share a name show and hide each other. */
const ROUNDS = 8;

/** Has each field begin that counts now and did not before: in another's place it holds its own default, not the other's value. */
function settled(fields: readonly Field[], before: ReadonlyMap<string, Field>, values: Values, begin: (field: Field) => Value = initial): Values {
  let [was, next] = [before, values];
  for (let round = 0; round < ROUNDS; round++) {
    const now = counting(fields, next);
    const turned = [...now].filter(([name, field]) => was.get(name) !== field);
    if (turned.length === 0) break;
    next = new Map([...next, ...turned.map(([name, field]) => [name, begin(field)] as const)]);
    was = now;
  }
  return next;
}

/** What a form holds before anybody touches it. */
export function beginning(fields: readonly Field[]): Values {
  const firsts = bearers(fields, []);
  return settled(fields, firsts, new Map([...firsts].map(([name, field]) => [name, initial(field)])));
}

/** What a form holds after a value was entered. What depends on it begins anew: a drive of another agent is another drive. */
export function entered(fields: readonly Field[], values: Values, name: string, value: Value): Values {
  const was = counting(fields, values);
  const next = new Map(values).set(name, value);
  for (const field of was.values()) if (field.depends.includes(name)) next.set(field.name, initial({ ...field, fallback: undefined }));
  return settled(fields, was, next);
}

/** What a form holds after the add-on told what it is set to; what was touched stays, and nobody else ticks a gate. */
export function prefilled(fields: readonly Field[], values: Values, told: Config, touched: ReadonlySet<string>): Values {
  const says = (field: Field) => at(told, field.name) !== undefined && !field.gate;
  const begin = (field: Field) => initial(says(field) ? { ...field, fallback: at(told, field.name) as Value } : field);
  const was = counting(fields, values);
  const next = new Map(values);
  for (const field of was.values()) if (says(field) && !touched.has(field.name)) next.set(field.name, begin(field));
  return settled(fields, was, next, begin);
}

/** The field that has to be filled first, by what is given; `null`: this one can be. */
export const waitsFor = (field: Field, values: Values): string | null =>
  field.depends.find((name) => {
    const value = values.get(name);
    return value === undefined || value === null || value === false || (typeof value === "string" && value.trim() === "");
  }) ?? null;

/** Longest text of one field, in bytes. Source: the box, `asked/form.rs`. */
const TEXT_MAX = 4096;

/** What is wrong with a value, in words for beside the field; `null`: nothing. */
export function wrong(field: Field, value: Value, custom: string): string | null {
  if (field.type === "hidden") return null;
  if (field.type === "checkbox" || field.type === "toggle") {
    return value !== true && (field.gate || (field.required && field.type === "checkbox")) ? "Tick this to go on" : null;
  }
  const text = value === CUSTOM ? custom.trim() : str(value).trim();
  if (text === "") return field.required || value === CUSTOM ? (field.type === "select" && value !== CUSTOM ? "Choose one" : "This is needed") : null;
  if (field.type !== "number" && field.type !== "range") {
    const length = new TextEncoder().encode(value === CUSTOM ? text : str(value)).length;
    return length > TEXT_MAX ? `At most ${TEXT_MAX.toLocaleString("en")} bytes; these are ${length.toLocaleString("en")}` : null;
  }
  const number = num(text);
  const unit = field.unit ? ` ${field.unit}` : "";
  if (number === null) return "Expected a number";
  if (field.min !== null && number < field.min) return `At least ${field.min}${unit}`;
  if (field.max !== null && number > field.max) return `At most ${field.max}${unit}`;
  if (field.step !== null && field.step > 0) {
    const steps = (number - (field.min ?? 0)) / field.step;
    if (Math.abs(steps - Math.round(steps)) > 1e-6) return `In steps of ${field.step}${unit}${field.min ? ` from ${field.min}` : ""}`;
  }
  return null;
}

/** What is wrong with fields that are shown, in words. One that waits for another need not be given, unless it opens the gate. */
export function flaws(seen: readonly Field[], values: Values, custom: Custom = NONE): ReadonlyMap<Field, string> {
  const here = given(seen, values, custom);
  return new Map(seen.flatMap((field) => {
    const asked = waitsFor(field, here) === null || field.gate ? field : { ...field, required: false };
    const words = wrong(asked, values.get(field.name), custom.get(field.name) ?? "");
    return words === null ? [] : [[field, words] as const];
  }));
}

/** What is sent: fields that are shown, numbers as numbers, dotted names as objects where `nested`. */
export function payload(fields: readonly Field[], values: Values, custom: Custom, nested = false): Config {
  const data: Record<string, unknown> = {};
  const here = given(fields, values, custom);
  for (const field of fields) {
    let sent: unknown = here.get(field.name);
    if (field.type === "number" || field.type === "range" || field.formula !== null) sent = num(sent) ?? (sent === "" ? undefined : sent);
    if (sent === undefined) continue;
    const path = nested ? field.name.split(".") : [field.name];
    if (path.some((piece) => piece === "__proto__")) continue;
    let into = data;
    for (const piece of path.slice(0, -1)) into = (into[piece] ??= {}) as Record<string, unknown>;
    into[path.at(-1) ?? field.name] = sent;
  }
  return data;
}

/** A choice that a source offers; `why`: it cannot be taken. */
export interface Offer extends Choice { why: string }

/** Choices out of a source's items. `agent`: only those of this agent. */
export function offers(field: Pick<Field, "source" | "optionValue" | "optionLabel">, items: readonly Config[], value: unknown, agent: string): Offer[] {
  if (items.length === 0 && Array.isArray(value)) return value.filter((one) => typeof one !== "object").map((one) => ({ value: str(one), label: str(one), why: "" }));
  if (field.source === "addon_agents") {
    return items.map((item) => {
      const id = str(at(item, "agent_id"), str(at(item, "id")));
      const host = str(at(item, "hostname"), str(at(item, "name")));
      const status = str(at(item, "status"));
      return { value: id, label: [host && host !== id ? `${host} (${id})` : id, status && status !== "online" ? status : ""].filter(Boolean).join(", "), why: status === "offline" ? "offline" : "" };
    });
  }
  if (field.source === "agent_drives") {
    const drives = items.flatMap((item) => {
      const inner = at(item, "drives");
      if (inner === undefined) return agent === "" || str(at(item, "agent_id"), agent) === agent ? [item] : [];
      return agent === "" || str(at(item, "agent_id"), str(at(item, "id"))) === agent ? objs(inner) : [];
    });
    return drives.map((drive) => {
      const size = num(at(drive, "capacity_bytes")) ?? num(at(drive, "capacity")) ?? num(at(drive, "size"));
      const held = arr(at(drive, "mount_points")).map((one) => str(one)).filter(Boolean);
      return {
        value: str(at(drive, field.optionValue || "path"), str(at(drive, "serial"), str(at(drive, "id")))),
        label: [str(at(drive, "model")), str(at(drive, "serial")), size === null ? "" : bytes(size)].filter(Boolean).join(" · ") || str(at(drive, "path")),
        why: bool(at(drive, "is_os_drive")) ? "holds the system" : held.length > 0 ? `mounted at ${held.join(", ").slice(0, 80)}` : str(at(obj(at(drive, "refused")), "reason")),
      };
    });
  }
  return items.map((item) => {
    const key = field.optionValue || ["value", "id", "name", "path"].find((one) => at(item, one) !== undefined) || "value";
    const label = field.optionLabel || ["label", "title", "name"].find((one) => at(item, one) !== undefined) || key;
    return { value: str(at(item, key)), label: str(at(item, label), str(at(item, key))), why: "" };
  });
}
