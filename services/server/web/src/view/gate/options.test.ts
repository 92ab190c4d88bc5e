import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { signal } from "@preact/signals";
import { isValidElement, type ComponentChildren } from "preact";

import { OPTIONS, playbook } from "../../fixtures";
import { FILE_SYSTEMS, formatWords, OptionsForm, optionWords, shortened } from "./options";

const longest: unknown = JSON.parse(readFileSync(new URL("../../../../../wire/cases/labels.json", import.meta.url), "utf8"));

describe("labels", () => {
  it("are as long as the engine takes them", () =>
    expect(Object.fromEntries(Object.entries(FILE_SYSTEMS).map(([name, { label }]) => [name, label]))).toEqual(longest));
  it("are shortened by whole characters, from the end", () => {
    expect(shortened("0123456789🌵", 11)).toBe("0123456789");
    expect(shortened("0123456789🌵b", 11)).toBe("0123456789");
    expect(shortened("0123456789🌵", 12)).toBe("0123456789🌵");
    expect(shortened("x", 0)).toBe("");
  });
});

it("the words over a field are one piece: a grid makes a line of each", () => {
  const pieces = (node: ComponentChildren): number[] => {
    if (Array.isArray(node)) return node.flatMap(pieces);
    if (!isValidElement(node)) return [];
    const { class: name, children } = node.props as { class?: string; children?: ComponentChildren };
    // Texts that stand side by side are one.
    const list = [children].flat().map((child) => typeof child === "object");
    return name === "label small" || name === "small" ? [list.filter((is, at) => is || list[at - 1] !== false).length] : pieces(children);
  };
  const options = signal({ ...OPTIONS, soak_hours: 24, format: { table: "auto", filesystem: "ext4", reserved_percent: 0, label: "" } as const });
  expect(pieces(OptionsForm({ options, book: playbook() }))).toEqual([2, 2, 2, 2, 2]);
});

it("options say only what is not as usual", () => {
  expect(optionWords(OPTIONS)).toEqual([]);
  expect(optionWords({ ...OPTIONS, stop_at_first: false })).toEqual([]);
  const format = { table: "auto", filesystem: "ext4", reserved_percent: 2, label: "bulk" } as const;
  expect(optionWords({ ...OPTIONS, profile: "new", soak_hours: 24, stop_at_first: true, format })).toEqual(["judged as sold new", "soak for 24 h", "ended at the first fault", "formatted afterwards: ext4 “bulk”, 2 % kept for root"]);
  expect(formatWords({ ...format, filesystem: "exfat", table: "gpt", label: "" })).toBe("exFAT, GPT");
});
