/** One field of an add-on's form as it is drawn: label, control, hint, what is wrong. */
import type { Signal } from "@preact/signals";

import { useSource, type Asker } from "./context";
import { CUSTOM, offers, waitsFor, type Custom, type Field, type Offer, type Values } from "./fields";
import { num, str } from "./manifest";
import type { Value } from "./visible";

/** What a form holds, and how it is changed. */
export interface Held {
  fields: readonly Field[];
  values: Values;
  /** What would be sent of them now. */
  given: Values;
  custom: Signal<Custom>;
  /** What is wrong with them; `null` before the first try to send. */
  bad: ReadonlyMap<Field, string> | null;
  set: (name: string, value: Value) => void;
  /** Prefix of the ids of the controls. */
  prefix: string;
}

/** The field. */
export function FieldView(props: Asker & { field: Field; held: Held }) {
  const { field, held } = props;
  const value = held.values.get(field.name);
  const id = `${held.prefix}-${field.name}`;
  const waits = waitsFor(field, held.given);
  const custom = held.custom.value.get(field.name) ?? "";
  const bad = held.bad?.get(field) ?? null;
  const waitsLabel = waits === null ? "" : (held.fields.find((other) => other.name === waits)?.label ?? waits);
  const about = [field.hint || waits !== null ? `${id}-h` : "", bad || field.flaw ? `${id}-e` : ""].filter(Boolean).join(" ") || undefined;
  const common = { id, disabled: waits !== null, "aria-describedby": about, "aria-invalid": bad ? true : undefined, "aria-required": field.required || undefined };
  const below = (
    <>
      {(field.hint || waits !== null) && <p class="h" id={`${id}-h`}>{waits !== null ? `First choose: ${waitsLabel}.` : field.hint}</p>}
      {(bad ?? field.flaw) && <p class="h bad" id={`${id}-e`}>{bad ?? field.flaw}</p>}
    </>
  );
  if (field.type === "checkbox" || field.type === "toggle") {
    return (
      <div class={`field tick ${field.gate ? "gated" : ""} ${bad ? "is-bad" : ""}`}>
        <label for={id}><input {...common} type="checkbox" role={field.type === "toggle" ? "switch" : undefined} class={field.type === "toggle" ? "switch" : ""} checked={value === true} onChange={(e) => held.set(field.name, e.currentTarget.checked)} />
          <span>{field.label}</span></label>
        {below}
      </div>
    );
  }
  const label = <label for={id}>{field.label}{field.unit && <span class="unit"> in {field.unit}</span>}{!field.required && field.formula === null && <span class="opt">{field.unit ? ", optional" : " optional"}</span>}</label>;
  if (field.formula !== null) {
    return (
      <div class="field calc">{label}
        <output id={id} class="result" aria-describedby={about} aria-live="polite">{str(value) === "" ? "no result" : str(value)}{field.unit && str(value) !== "" ? ` ${field.unit}` : ""}</output>
        {below}</div>
    );
  }
  switch (field.type) {
    case "select":
      return (
        <div class={`field ${bad ? "is-bad" : ""}`}>{label}
          {field.source !== "" ? <FromSource {...props} id={id} common={common} /> : <Select {...props} common={common} list={field.options.map((one) => ({ ...one, why: "" }))} waiting={null} />}
          {value === CUSTOM && <input class="custom" aria-label={`${field.label}, own value`} placeholder={field.customPlaceholder} value={custom}
            onInput={(e) => (held.custom.value = new Map(held.custom.value).set(field.name, e.currentTarget.value))} />}
          {below}</div>
      );
    case "range":
      return (
        <div class="field range">{label}
          <div class="slide"><input {...common} type="range" min={field.min ?? 0} max={field.max ?? 100} step={field.stepless ? "any" : (field.step ?? 1)} value={num(value) ?? 0} onInput={(e) => held.set(field.name, e.currentTarget.valueAsNumber)} />
            <output for={id}>{str(value)}{field.unit && ` ${field.unit}`}</output></div>
          {below}</div>
      );
    default:
      return (
        <div class={`field ${bad ? "is-bad" : ""}`}>{label}
          <input {...common} type="text" inputMode={field.type === "number" ? "decimal" : undefined} placeholder={field.placeholder} value={str(value)} autocomplete="off" spellcheck={false}
            onInput={(e) => held.set(field.name, e.currentTarget.value)} />
          {below}</div>
      );
  }
}

type Common = Record<string, unknown>;

function Select({ field, held, common, list, waiting }: Asker & { field: Field; held: Held; common: Common; list: readonly Offer[]; waiting: string | null }) {
  const value = str(held.values.get(field.name));
  // A field that has an empty choice of its own needs no other.
  const hasEmpty = list.some((one) => one.value === "");
  return (
    <select {...common} value={value} onChange={(e) => held.set(field.name, e.currentTarget.value)}>
      {!hasEmpty && <option value="">{waiting ?? (field.placeholder || "Choose")}</option>}
      {list.map((one) => <option key={one.value} value={one.value} disabled={one.why !== ""}>{one.label}{one.why && ` (${one.why})`}</option>)}
      {value !== "" && !list.some((one) => one.value === value) && <option value={value}>{value}</option>}
    </select>
  );
}

function FromSource(props: Asker & { field: Field; held: Held; id: string; common: Common }) {
  const { field, held } = props;
  const agent = str(held.values.get("agent_id"));
  const waits = waitsFor(field, held.given) !== null;
  const asked = useSource(props, waits ? "" : field.source, {});
  const told = asked.told.value;
  const list = told === null || waits ? [] : offers(field, told.items, told.value, field.depends.length > 0 || field.source === "agent_drives" ? agent : "");
  const waiting = asked.problem.value ? asked.problem.value.title : told === null && !waits ? "Asking" : list.length === 0 && !waits ? "Nothing to choose" : null;
  return <Select {...props} list={[...list, ...field.options.map((one) => ({ ...one, why: "" }))]} waiting={waiting} />;
}
