/**
 * `visible_when`: whether a field is shown, by what other fields hold; the same as `wire::expression::When` in Rust.
 * Both sides run `services/wire/cases/visible.json` (`expression.test.ts`).
 */
import { LENGTH_MAX } from "./expression";

/** A value of a form's field, or of a manifest. */
export type Value = string | number | boolean | null | undefined | readonly Value[] | { readonly [key: string]: Value };

type Test = { field: string } & ({ oneOf: readonly Value[] } | { noneOf: readonly Value[] } | { begins: string } | { relation: string; bound: number });

/** A condition that holds to the grammar: all of these. */
export type When = readonly Test[];

/** Why something is no condition. */
export class VisibleError extends Error {}

function named(field: string): string {
  if (!/^[A-Za-z0-9_.-]+$/.test(field)) throw new VisibleError(`"${field}" is no name of a field (letters, digits, _ - .)`);
  return field;
}

const plain = (value: unknown): value is string | number | boolean => ["string", "number", "boolean"].includes(typeof value);

function items(value: unknown): Value[] {
  if (Array.isArray(value)) {
    if (value.length === 0) throw new VisibleError("expected at least one value; an empty list never holds");
    if (value.every(plain)) return value;
  } else if (plain(value)) return [value];
  throw new VisibleError("expected a list of texts, numbers or true and false");
}

/** A decimal number: a sign or none, digits, perhaps a point and more digits. No power of ten, no space. */
function decimal(text: string): number | null {
  if (!/^-?[0-9]+(\.[0-9]+)?$/.test(text)) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

const number = (value: Value): number | null => (typeof value === "number" ? value : typeof value === "string" ? decimal(value) : null);

/** A plain value as a text; a number has none, it is only ever compared as a number. */
function text(value: Value): string | null {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return String(value);
  return typeof value === "string" ? value : null;
}

function same(value: Value, item: Value): boolean {
  if (Array.isArray(value)) return value.some((one: Value) => !Array.isArray(one) && same(one, item));
  if (typeof value === "object" && value !== null) return false;
  const [a, b] = [number(value), number(item)];
  if (a !== null && b !== null) return a === b;
  const words = text(value);
  return words !== null && words === text(item);
}

function parseText(words: string): Test {
  if ([...words].length > LENGTH_MAX) throw new VisibleError(`too long; at most ${LENGTH_MAX} characters`);
  const at = words.search(/[=!<>]/);
  if (at < 0) throw new VisibleError("expected a field's name, then one of = != > < >= <=, then a value");
  const trim = (part: string) => part.replace(/^ +| +$/g, "");
  const field = named(trim(words.slice(0, at)));
  const rest = words.slice(at);
  const operator = ["==", "!=", ">=", "<=", "=", ">", "<"].find((one) => rest.startsWith(one));
  if (operator === undefined) throw new VisibleError("expected one of = != > < >= <=");
  const value = trim(rest.slice(operator.length));
  if (operator === "!=") return { field, noneOf: [value] };
  if (operator === "=" || operator === "==") return { field, oneOf: [value] };
  const bound = decimal(value);
  if (bound === null) throw new VisibleError(`after ${operator} expected a number, found "${value}"`);
  return { field, relation: operator, bound };
}

/** The form `{"field": …, "equals": …}`, if the object is of it. */
function ofField(map: ReadonlyMap<string, unknown>): Test | null {
  const field = map.get("field");
  if (typeof field !== "string") return null;
  const word = ["equals", "in", "not_equals", "not_in", "starts_with"].find((one) => map.has(one));
  if (word === undefined) return null;
  const value = map.get(word);
  if (word === "starts_with") {
    if (typeof value !== "string") throw new VisibleError("starts_with: expected a text");
    return { field: named(field), begins: value };
  }
  const list = items(value);
  return word.startsWith("not") ? { field: named(field), noneOf: list } : { field: named(field), oneOf: list };
}

/** Reads a condition of a manifest. Throws a {@link VisibleError}. */
export function parseWhen(when: unknown): When {
  if (typeof when === "string") return [parseText(when)];
  if (typeof when !== "object" || when === null || Array.isArray(when)) {
    throw new VisibleError('expected a text like "field=value" or an object like {"field": ["value"]}');
  }
  const map = new Map(Object.entries(when));
  const test = ofField(map);
  if (test) return [test];
  return [...map].map(([name, values]) => ({ field: named(name), oneOf: items(values) }));
}

/** Whether the field is shown. */
export function holds(when: When, values: ReadonlyMap<string, Value>): boolean {
  return when.every((test) => {
    const value = values.get(test.field);
    if ("oneOf" in test) return test.oneOf.some((item) => same(value, item));
    if ("noneOf" in test) return !test.noneOf.some((item) => same(value, item));
    if ("begins" in test) return text(value)?.startsWith(test.begins) ?? false;
    const held = number(value);
    if (held === null) return false;
    switch (test.relation) {
      case "<": return held < test.bound;
      case "<=": return held <= test.bound;
      case ">": return held > test.bound;
      default: return held >= test.bound;
    }
  });
}
