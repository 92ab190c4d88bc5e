/** The tables of cases that Rust runs too: what a page sends and asks for beforehand, and what the box takes, cannot drift apart. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

import { readAction } from "./actions";
import { readCancel } from "./cancel";
import { beginning, calculated, entered, flaws, payload, readFields, shown } from "./fields";
import { at, type Config } from "./manifest";
import { tierOfForm } from "./safety";
import type { Value } from "./visible";

function cases<T>(name: string): T[] {
  return JSON.parse(readFileSync(fileURLToPath(new URL(`../../../../wire/cases/${name}`, import.meta.url)), "utf8")) as T[];
}

interface Form { about: string; fields: Config[]; holds: Record<string, Value>; own?: Record<string, string>; sends: Config; wrong: string[] }
interface Named { as: "row" | "button" | "form" | "cancel"; is: Config; asked: string; safety: string | null }

describe("forms", () => {
  it.each(cases<Form>("form.json").map((one) => [one.about, one] as const))("%s", (_, { fields: list, holds, own, sends, wrong }) => {
    const fields = readFields(list);
    const custom = new Map(Object.entries(own ?? {}));
    const held = Object.entries(holds).reduce((all, [name, value]) => entered(fields, all, name, value), beginning(fields));
    const values = calculated(fields, held, custom);
    const seen = shown(fields, values);
    expect([...flaws(seen, values, custom).keys()].map(({ name }) => name)).toEqual(wrong);
    expect(payload(seen, values, custom)).toEqual(sends);
  });
});

describe("how much an action may do", () => {
  const tier = ({ as, is, asked }: Named): string | null => {
    if (as === "form") return tierOfForm(is, readFields(at(is, "fields")));
    if (as !== "cancel") return readAction(is).tier;
    const cancel = readCancel({ cancel: is });
    return cancel?.name === asked ? cancel.tier : null;
  };
  it.each(cases<Named>("safety.json").map((one) => [`${one.as} ${JSON.stringify(one.is)}`, one] as const))("%s", (_, one) => expect(tier(one)).toBe(one.safety));
});

describe("the end of a job", () => {
  it("is there unless it is switched off, by the name that the manifest gives it", () => {
    expect(readCancel({})).toBe(null);
    expect(readCancel({ cancel: null })).toBe(null);
    expect(readCancel({ cancel: { enabled: false } })).toBe(null);
    expect(readCancel({ cancel: {} })?.name).toBe("cancel");
    expect(readCancel({ cancel: { enabled: null, action: "stop_job", confirm_message: "Stop?" } })).toEqual({ name: "stop_job", tier: "write", question: "Stop?" });
  });
});
