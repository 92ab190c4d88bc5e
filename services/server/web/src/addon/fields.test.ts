import { describe, expect, it } from "vitest";

import { beginning, calculated, CUSTOM, flaws, initial, offers, payload, prefilled, readField, readFields, shown, waitsFor, wrong, type Values } from "./fields";

const field = (more: Record<string, unknown>) => readField({ name: "a", label: "A", ...more });
const of = (fields: ReturnType<typeof readFields>, more: Record<string, string | boolean> = {}): Values => new Map([...fields.map((one) => [one.name, initial(one)] as const), ...Object.entries(more)]);

describe("what a field begins with", () => {
  it.each([
    [{ type: "number", default: 4 }, "4"], [{ type: "number", default: "no" }, ""], [{ type: "toggle", default: true }, true], [{ type: "checkbox" }, false],
    [{ type: "range", min: 3 }, 3], [{ type: "text", default: { x: 1 } }, ""], [{ type: "select", default: false }, "false"],
  ])("%j", (more, value) => expect(initial(field(more))).toBe(value));
  it("what opens the gate is never ticked by a manifest", () => expect(initial(field({ type: "checkbox", security_gate: true, default: true }))).toBe(false));
});

describe("what is wrong", () => {
  it.each([
    [{ required: true }, "", "This is needed"], [{ required: true, type: "select" }, "", "Choose one"], [{}, "", null],
    [{ type: "number", min: 1, max: 8 }, "9", "At most 8"], [{ type: "number", min: 1, unit: "h" }, "0.5", "At least 1 h"], [{ type: "number", min: 1 }, "1", null], [{ type: "number", max: 8 }, "8", null],
    [{ type: "number" }, "1e", "Expected a number"], [{ type: "number", step: 0.1 }, "0.3", null], [{ type: "number", step: 5, min: 1 }, "7", "In steps of 5 from 1"],
    [{ type: "checkbox", security_gate: true }, false, "Tick this to go on"], [{ type: "checkbox" }, false, null], [{ type: "toggle", required: true }, false, null],
    [{ type: "hidden", required: true }, "", null],
  ])("%j with %j", (more, value, words) => expect(wrong(field(more), value, "")).toBe(words));
  it("an own value is needed where it was chosen", () => {
    expect(wrong(field({ type: "select" }), CUSTOM, " ")).toBe("This is needed");
    expect(wrong(field({ type: "select" }), CUSTOM, "x")).toBe(null);
  });
});

describe("a form", () => {
  const fields = readFields([
    { name: "mode", type: "select", options: ["fast", "deep"] }, { name: "passes", type: "number", default: 2, visible_when: { mode: ["deep"] } },
    { name: "hours", live_calculation: "passes * 4", visible_when: "passes>1" }, { name: "drive", depends_on: "mode" }, { name: "days", live_calculation: "hours / 24" },
  ]);
  it("shows by condition, and what is hidden hides what looks at it", () => {
    expect(shown(fields, of(fields)).map(({ name }) => name)).toEqual(["mode", "drive", "days"]);
    expect(shown(fields, of(fields, { mode: "deep" })).map(({ name }) => name)).toEqual(["mode", "passes", "hours", "drive", "days"]);
  });
  it("calculates, also from what was calculated", () => {
    const values = calculated(fields, of(fields, { mode: "deep", passes: "3" }));
    expect([values.get("hours"), values.get("days")]).toEqual(["12", "0.5"]);
  });
  it("fields that look at each other come to an end", () => {
    const ring = readFields([{ name: "a", live_calculation: "b + 1" }, { name: "b", live_calculation: "a + 1" }]);
    expect(calculated(ring, of(ring)).size).toBe(2);
  });
  it("what the add-on is set to stands in the field that is shown, and what was touched stays", () => {
    const list = readFields([
      { name: "how", default: "a" }, { name: "size", type: "number", default: 2, visible_when: "how=a" }, { name: "size", type: "number", default: 50, visible_when: "how=b" },
      { name: "note", default: "n" }, { name: "sure", type: "checkbox", security_gate: true },
    ]);
    const told = { how: "b", size: 70, note: "told", sure: true };
    expect(Object.fromEntries(prefilled(list, beginning(list), told, new Set()))).toEqual({ how: "b", size: "70", note: "told", sure: false });
    expect(Object.fromEntries(prefilled(list, beginning(list), told, new Set(["note", "how"])))).toEqual({ how: "a", size: "70", note: "n", sure: false });
    expect(Object.fromEntries(prefilled(list, beginning(list), { how: "b" }, new Set()))).toMatchObject({ how: "b", size: "50" });
  });
  it("a gate that waits is asked for all the same", () => {
    const list = readFields([{ name: "drive" }, { name: "sure", type: "checkbox", security_gate: true, depends_on: "drive" }]);
    expect([...flaws(list, beginning(list)).keys()].map(({ name }) => name)).toEqual(["sure"]);
  });
  it("waits for what it depends on", () => {
    expect(waitsFor(fields[3]!, of(fields))).toBe("mode");
    expect(waitsFor(fields[3]!, of(fields, { mode: "fast" }))).toBe(null);
  });
  it("sends what is shown: numbers as numbers, own values, dotted names as objects", () => {
    const list = readFields([{ name: "n", type: "number" }, { name: "s", type: "select" }, { name: "p.q" }, { name: "__proto__.x" }, { name: "t", type: "toggle", default: true }]);
    const values = of(list, { n: "4.5", s: CUSTOM, "p.q": "v", "__proto__.x": "bad" });
    expect(payload(list, values, new Map([["s", " own "]]), true)).toEqual({ n: 4.5, s: "own", p: { q: "v" }, t: true });
    expect(payload(list, values, new Map())["p.q"]).toBe("v");
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
  it("a mistake of the manifest is told beside its field", () => {
    expect(readField({ name: "a", live_calculation: "1 +" }).flaw).toMatch(/live_calculation: at character 4/);
    expect(readField({ name: "a", visible_when: 7 }).flaw).toMatch(/visible_when/);
    expect(readField({ name: "a", type: "colour" }).flaw).toMatch(/"colour" is not known/);
  });
  it("has at most a hundred fields", () => expect(readFields(Array.from({ length: 150 }, (_, i) => ({ name: `f${i}` }))).length).toBe(100));
});

describe("choices of a source", () => {
  const agents = [{ agent_id: "n1", hostname: "h", status: "online", drives: [{ path: "/dev/a", model: "M", serial: "S", capacity_bytes: 4e12 }, { path: "/dev/b", is_os_drive: true }] }, { agent_id: "n2", status: "offline", drives: [{ path: "/dev/c" }] }];
  it("agents", () => expect(offers({ source: "addon_agents", optionValue: "", optionLabel: "" }, agents, agents, "").map(({ value, label, why }) => [value, label, why])).toEqual([["n1", "h (n1)", ""], ["n2", "n2, offline", "offline"]]));
  it("drives of one agent, with the reason why one is not offered", () => {
    expect(offers({ source: "agent_drives", optionValue: "", optionLabel: "" }, agents, agents, "n1").map(({ value, why }) => [value, why])).toEqual([["/dev/a", ""], ["/dev/b", "holds the system"]]);
  });
  it("anything else, by value and label", () => expect(offers({ source: "/api/x", optionValue: "name", optionLabel: "" }, [{ name: "tank" }], [], "")).toEqual([{ value: "tank", label: "tank", why: "" }]));
});
