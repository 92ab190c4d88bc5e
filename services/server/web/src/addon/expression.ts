/**
 * Formulas of `live_calculation`: the same grammar and the same results as `wire::expression` in Rust.
 *
 * A formula becomes a list of steps for a small stack machine; no name but a field's means anything in it, and nothing
 * of the page can be reached from it. Both sides run `services/wire/cases/expression.json` (`expression.test.ts`).
 */

/** Longest formula or condition in characters. Source: Vigil, manifest validation. */
export const LENGTH_MAX = 512;
/** Deepest nesting of parentheses, calls and signs; the same number as in Rust. */
const DEPTH_MAX = 64;
/** Decimals of a result. Source: existing dashboards. */
const DECIMALS = 4;
/** Above this a 64-bit float has no room for the decimals that rounding would look at: 2^53. */
const EXACT = 2 ** 53;
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10] as const;
/** Each function and the most values it takes. */
const FUNCTIONS: ReadonlyMap<string, number> = new Map([["min", Infinity], ["max", Infinity], ["round", 2], ["floor", 1], ["ceil", 1]]);

type Token = { at: number; number: number } | { at: number; name: string } | { at: number; sign: string };
type Step = { push: number } | { name: string } | { negate: true } | { binary: string } | { call: string; count: number };

/** A formula that holds to the grammar. */
export type Formula = readonly Step[];

/** Why a text is no formula, or why one has no value; `at` counts characters from 0. */
export class ExpressionError extends Error {
  constructor(readonly what: string, readonly at: number | null = null) {
    super(at === null ? what : `at character ${at + 1}: ${what}`);
  }
}

function tokens(letters: readonly string[]): Token[] {
  const list: Token[] = [];
  const digits = (from: number) => {
    let end = from;
    while (/^[0-9]$/.test(letters[end] ?? "")) end += 1;
    return end;
  };
  let at = 0;
  for (;;) {
    const letter = letters[at];
    if (letter === undefined) return list;
    const start = at;
    if (letter === " ") at += 1;
    else if ("+-*/%(),".includes(letter)) {
      at += 1;
      list.push({ at: start, sign: letter });
    } else if (/^[A-Za-z_]$/.test(letter)) {
      while (/^[A-Za-z0-9_]$/.test(letters[at] ?? "")) at += 1;
      list.push({ at: start, name: letters.slice(start, at).join("") });
    } else if (/^[0-9.]$/.test(letter)) {
      at = digits(at);
      if (letters[at] === ".") at = digits(at + 1);
      if (letters[at] === "e" || letters[at] === "E") {
        const signed = at + 1 + (letters[at + 1] === "+" || letters[at + 1] === "-" ? 1 : 0);
        if (digits(signed) > signed) at = digits(signed);
      }
      const text = letters.slice(start, at).join("");
      const number = text === "." ? NaN : Number(text);
      if (Number.isNaN(number)) throw new ExpressionError(`"${text}" is no number`, start);
      if (!Number.isFinite(number)) throw new ExpressionError(`${text} is too large`, start);
      list.push({ at: start, number });
    } else throw new ExpressionError(`"${letter}" cannot stand here; expected a number, a field's name or one of + - * / % ( ) ,`, at);
  }
}

/** Reads a formula. Throws an {@link ExpressionError}. */
export function parse(text: string): Formula {
  const letters = [...text];
  if (letters.length > LENGTH_MAX) throw new ExpressionError(`too long; at most ${LENGTH_MAX} characters`, LENGTH_MAX);
  const list = tokens(letters);
  const steps: Step[] = [];
  let next = 0;
  let depth = 0;
  const place = () => list[next]?.at ?? letters.length;
  const sign = () => {
    const token = list[next];
    return token && "sign" in token ? token.sign : null;
  };
  const deeper = () => {
    if (depth === DEPTH_MAX) throw new ExpressionError(`nested too deep; at most ${DEPTH_MAX} levels`, place());
    depth += 1;
  };
  const close = () => {
    if (sign() !== ")") throw new ExpressionError('expected ")"', place());
    next += 1;
    depth -= 1;
  };
  const binary = (signs: string, inner: () => void) => {
    inner();
    for (let found = sign(); found !== null && signs.includes(found); found = sign()) {
      next += 1;
      inner();
      steps.push({ binary: found });
    }
  };
  const sum = (): void => binary("+-", term);
  const term = (): void => binary("*/%", signed);
  const signed = (): void => {
    if (sign() !== "-") return atom();
    deeper();
    next += 1;
    signed();
    steps.push({ negate: true });
    depth -= 1;
  };
  const atom = (): void => {
    const token = list[next];
    const expected = "expected a number, a field's name or a parenthesis, found";
    if (!token) throw new ExpressionError(`${expected} the end`, place());
    if ("number" in token) {
      next += 1;
      steps.push({ push: token.number });
    } else if ("name" in token) {
      next += 1;
      if (sign() === "(") return call(token.name, token.at);
      steps.push({ name: token.name });
    } else if (token.sign === "(") {
      deeper();
      next += 1;
      sum();
      close();
    } else throw new ExpressionError(`${expected} "${token.sign}"`, token.at);
  };
  const call = (name: string, at: number): void => {
    const most = FUNCTIONS.get(name);
    if (most === undefined) throw new ExpressionError(`"${name}" is no function; there are min, max, round, floor, ceil`, at);
    deeper();
    next += 1;
    sum();
    let count = 1;
    while (sign() === ",") {
      if (count === most) throw new ExpressionError(`${name} takes at most ${most}`, place());
      next += 1;
      sum();
      count += 1;
    }
    close();
    steps.push({ call: name, count });
  };
  sum();
  if (next < list.length) throw new ExpressionError("expected an operator or the end", place());
  return steps;
}

/** Rounds halves away from zero; never gives a negative zero. */
function rounded(value: number, digits: number): number {
  const power = POWERS[digits] ?? 1;
  const scaled = Math.abs(value) * power;
  if (scaled >= EXACT) return value;
  const size = Math.floor(scaled + 0.5) / power;
  return size === 0 ? 0 : value < 0 ? -size : size;
}

function apply(sign: string, left: number, right: number): number {
  switch (sign) {
    case "+": return left + right;
    case "-": return left - right;
    case "*": return left * right;
    case "/": return right === 0 ? 0 : left / right;
    default: return right === 0 ? 0 : left % right;
  }
}

function invoke(name: string, of: readonly number[]): number {
  const first = of[0] ?? 0;
  switch (name) {
    case "min": return of.reduce((a, b) => Math.min(a, b), first);
    case "max": return of.reduce((a, b) => Math.max(a, b), first);
    case "floor": return Math.floor(first);
    case "ceil": return Math.ceil(first);
    default: {
      const digits = of[1] ?? 0;
      if (!(digits >= 0 && digits < POWERS.length) || !Number.isInteger(digits)) throw new ExpressionError("round: expected 0 to 10 decimals, a whole number");
      return rounded(first, digits);
    }
  }
}

/** The value of a formula, rounded to four decimals; a field without a number counts as 0. Throws an {@link ExpressionError}. */
export function evaluate(formula: Formula, values: ReadonlyMap<string, number>): number {
  const stack: number[] = [];
  const pop = () => stack.pop() ?? 0;
  for (const step of formula) {
    let value: number;
    if ("push" in step) value = step.push;
    else if ("name" in step) {
      value = values.get(step.name) ?? 0;
      if (!Number.isFinite(value)) value = 0;
    } else if ("negate" in step) value = -pop();
    else if ("binary" in step) {
      const right = pop();
      value = apply(step.binary, pop(), right);
    } else value = invoke(step.call, stack.splice(stack.length - step.count));
    if (!Number.isFinite(value)) throw new ExpressionError("the result is too large");
    stack.push(value);
  }
  return rounded(pop(), DECIMALS);
}

/** The fields that a formula names. */
export const names = (formula: Formula): string[] => formula.flatMap((step) => ("name" in step ? [step.name] : []));
