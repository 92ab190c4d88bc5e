/** The form of a service, drawn from what the box says it needs. */
import { useRef } from "preact/hooks";

import { divided, type Field, type Provider } from "./data";

/** Fields whose values have several lines. */
const LONG = new Set(["headers", "extra"]);

/** See the file. `values` are the texts of the fields; `id` keeps names apart where two forms are open. */
export function ServiceForm(props: { id: string; provider: Provider; values: Record<string, string>; onChange: (key: string, value: string) => void }) {
  const { first, more } = divided(props.provider);
  // What is set is seen; what is cleared while somebody types is not folded away under his hands.
  const open = useRef(more.some(({ key, default: plain }) => (props.values[key] ?? "") !== "" && props.values[key] !== plain)).current;
  return (
    <>
      <Fields {...props} fields={first} />
      {more.length > 0 && <details class="help" open={open}><summary>More, all of it optional</summary><Fields {...props} fields={more} /></details>}
    </>
  );
}

function Fields(props: { id: string; fields: readonly Field[]; values: Record<string, string>; onChange: (key: string, value: string) => void }) {
  return (
    <div class="alert-form">
      {props.fields.map((field) => {
        const id = `${props.id}-${field.key}`;
        const value = props.values[field.key] ?? (field.type === "select" || field.type === "number" ? field.default ?? "" : "");
        const put = (text: string) => props.onChange(field.key, text);
        const help = field.help_text ? `${id}-h` : undefined;
        if (field.type === "checkbox") {
          return (
            <label class="alert-tick wide" key={id}>
              <input type="checkbox" checked={value === "true"} onChange={(event) => put(String(event.currentTarget.checked))} />
              <span>{field.label}{field.help_text && <span class="mute"> · {field.help_text}</span>}</span>
            </label>
          );
        }
        return (
          <div class={LONG.has(field.key) ? "field wide" : "field"} key={id}>
            <label for={id}>{field.label}{field.required || field.type === "select" ? "" : <span class="opt"> optional</span>}</label>
            {field.type === "select" ? (
              <select id={id} value={value} onChange={(event) => put(event.currentTarget.value)} aria-describedby={help}>
                {(field.options ?? []).map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
              </select>
            ) : LONG.has(field.key) ? (
              <textarea id={id} rows={3} value={value} placeholder={field.placeholder ?? ""} onInput={(event) => put(event.currentTarget.value)} aria-describedby={help} />
            ) : field.type === "password" ? (
              <input id={id} type="password" value={value} required={field.required} placeholder={field.placeholder ?? ""} autocomplete="off" onInput={(event) => put(event.currentTarget.value)} aria-describedby={help} />
            ) : (
              <input id={id} type="text" inputMode={field.type === "number" ? "numeric" : "text"} value={value} required={field.required} placeholder={field.placeholder ?? ""}
                autocomplete="off" spellcheck={false} onInput={(event) => put(event.currentTarget.value)} aria-describedby={help} />
            )}
            {field.help_text && <p class="h" id={help}>{field.help_text}</p>}
          </div>
        );
      })}
    </div>
  );
}
