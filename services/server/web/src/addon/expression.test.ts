/** The tables of cases that Rust runs too: what a page shows and what the server checks cannot drift apart. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

import { evaluate, ExpressionError, LENGTH_MAX, parse } from "./expression";
import { holds, parseWhen, VisibleError, type Value } from "./visible";

function cases<T>(name: string): T[] {
  return JSON.parse(readFileSync(fileURLToPath(new URL(`../../../../wire/cases/${name}`, import.meta.url)), "utf8")) as T[];
}

interface Formula { expr: string; vars?: Record<string, number>; value?: number; error?: string; at?: number }
interface Condition { when: unknown; values?: Record<string, Value>; visible: boolean | "error" }

describe("formulas", () => {
  const all = cases<Formula>("expression.json");
  it("there are many", () => expect(all.length).toBeGreaterThanOrEqual(80));
  it.each(all.map((one) => [one.expr, one] as const))("%s", (_, { expr, vars, value, at }) => {
    const found = () => evaluate(parse(expr), new Map(Object.entries(vars ?? {})));
    if (typeof value === "number") expect(found()).toBe(value === 0 ? 0 : value);
    else {
      expect(found).toThrow(ExpressionError);
      if (at !== undefined) expect((() => { try { found(); } catch (thrown) { return thrown; } return null; })()).toMatchObject({ at });
    }
  });
  it("the longest is read, and one more character is not", () => {
    expect(evaluate(parse(`1${" ".repeat(LENGTH_MAX - 1)}`), new Map())).toBe(1);
    expect(() => parse(`1${" ".repeat(LENGTH_MAX)}`)).toThrow("at character 513");
  });
  it("the deepest is read, and one level more is not", () => {
    expect(() => parse("(".repeat(64) + "1" + ")".repeat(64))).not.toThrow();
    expect(() => parse("-".repeat(65) + "1")).toThrow(ExpressionError);
  });
  it("names of the language are just names", () => {
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      expect(evaluate(parse(`${name} + 1`), new Map())).toBe(1);
      expect(() => parse(`${name}(1)`)).toThrow(ExpressionError);
    }
  });
});

describe("conditions", () => {
  const all = cases<Condition>("visible.json");
  it("there are many", () => expect(all.length).toBeGreaterThanOrEqual(60));
  it.each(all.map((one) => [JSON.stringify(one.when), one] as const))("%s", (_, { when, values, visible }) => {
    const found = () => holds(parseWhen(when), new Map(Object.entries(values ?? {})));
    if (visible === "error") expect(found).toThrow(VisibleError);
    else expect(found()).toBe(visible);
  });
});
