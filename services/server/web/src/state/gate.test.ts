import { describe, expect, it } from "vitest";
import type { Plan, Problem } from "@wire";

import { plan, planDrive } from "../fixtures";
import { complete, CUT, cutAt, differences, GIVE_UP, giveUpKey, match, scan, step, type Gate, type Input } from "./gate";

const A = planDrive("ZRT02B7H");
const B = planDrive("7PHAV8PK");
const P = plan([A, B]);
const problem = (type: string): Problem => ({ type, status: 409, title: type, detail: "" });
const run = (from: Gate, ...inputs: Input[]) => inputs.reduce(step, from);
const loading: Gate = { step: "loading" };
const read = run(loading, { type: "planned", plan: P, asked: 0 });
const typed = run(read, { type: "typed", drive: A.id, text: "2b7h" }, { type: "typed", drive: B.id, text: "V8PK" });
const checking = run(typed, { type: "complete" });
const arming = run(checking, { type: "planned", plan: { ...P, id: "p2", nonce: "n2" }, asked: 1000 });

describe("labels", () => {
  it("last four or the whole serial, in any case", () => {
    expect(match(A, "")).toBe("empty");
    expect(match(A, "2b")).toBe("partial");
    expect(match(A, " 2b7h ")).toBe("right");
    expect(match(A, "zrt02b7h")).toBe("right");
    expect(match(A, "ZRT0")).toBe("partial");
    expect(match(A, "2B7K")).toBe("wrong");
    expect(match(A, "ZRT02B7K")).toBe("wrong");
  });
  it("where four do not tell, four are not enough", () => {
    const whole = planDrive("ZRT02B7H", { label: "ZRT02B7H" });
    expect(match(whole, "2B7H")).toBe("wrong");
    expect(match(whole, "ZRT02B7")).toBe("partial");
    expect(match(whole, "ZRT02B7H")).toBe("right");
  });
  it("where another drive tells the same serial, the world wide name alone confirms", () => {
    const twin = planDrive("DOCK0001", { label: "5000C500A1B2C3D4" });
    expect(match(twin, "DOCK0001")).toBe("wrong");
    expect(match(twin, "0001")).toBe("wrong");
    expect(match(twin, "5000c5")).toBe("partial");
    expect(match(twin, "5000c500a1b2c3d4")).toBe("right");
  });
  it("a plan of no drives is never complete", () => expect(complete(plan([]), {})).toBe(false));
  it("a scan finds its drive from any field and moves on", () => {
    expect(scan(P, {}, A.id, "7PHAV8PK")).toEqual({ typed: { [A.id]: "", [B.id]: "7PHAV8PK" }, focus: A.id });
    expect(scan(P, { [B.id]: "V8PK" }, A.id, "ZRT02B7H")).toEqual({ typed: { [B.id]: "V8PK", [A.id]: "ZRT02B7H" }, focus: null });
    expect(scan(P, {}, A.id, "SOMETHING")).toEqual({ typed: { [A.id]: "SOMETHING" }, focus: A.id });
    // Behind what stood in the field.
    expect(scan(P, { [A.id]: "2B7H" }, A.id, "2B7H7phav8pk")).toEqual({ typed: { [A.id]: "2B7H", [B.id]: "7phav8pk" }, focus: null });
    expect(scan(P, { [A.id]: "2B7" }, A.id, "2B77PHAV8PK")).toEqual({ typed: { [A.id]: "", [B.id]: "7PHAV8PK" }, focus: A.id });
    expect(scan(P, { [A.id]: "XX" }, A.id, "XXZRT02B7H")).toEqual({ typed: { [A.id]: "ZRT02B7H" }, focus: B.id });
    // Behind a whole serial and what was left there of a scan between.
    expect(scan(P, { [A.id]: "ZRT02B7H7PHA" }, A.id, "zrt02b7h7PHA7PHAV8PK")).toEqual({ typed: { [A.id]: "zrt02b7h", [B.id]: "7PHAV8PK" }, focus: null });
  });
});

describe("a session that ends", () => {
  it("at the gate is told to whoever logs in again: that nothing was started, or that nobody knows", () => {
    const starting = run(arming, { type: "submit" }, { type: "starting" });
    expect([read, typed, checking, arming, starting, run(starting, { type: "refused", problem: problem("agent-unsure"), now: 2000 })].map(cutAt)).toEqual(["before", "before", "before", "before", "starting", "starting"]);
    expect([loading, run(loading, { type: "refused", problem: problem("x"), now: 0 })].map(cutAt)).toEqual([null, null]);
    expect(cutAt(run(checking, { type: "refused", problem: { ...problem("unauthorized"), status: 401 }, now: 0 }))).toBe("before");
  });
  it("leaves its word on the list that is read next, whichever playbook it is for, and once", () => {
    const back: Gate = { step: "loading", notice: CUT.before };
    const again = run(back, { type: "reset" }, { type: "planned", plan: P, asked: 0 });
    expect(again).toMatchObject({ step: "reading", typed: {}, notice: CUT.before });
    expect(run(again, { type: "reset" }, { type: "planned", plan: P, asked: 0 })).toMatchObject({ notice: null });
  });
});

describe("the way through", () => {
  it("reads, checks, arms, starts", () => {
    expect(read.step).toBe("reading");
    expect(checking.step).toBe("checking");
    expect(arming).toMatchObject({ step: "arming", deadline: 121_000, busy: false, plan: { id: "p2" } });
    expect(run(arming, { type: "submit" }, { type: "started", jobs: ["j"] })).toEqual({ step: "started", jobs: ["j"] });
  });
  it("nothing but both labels opens the second step", () => {
    for (const input of [{ type: "complete" }, { type: "submit" }, { type: "started", jobs: ["j"] }] as Input[]) {
      expect(step(read, input)).toBe(read);
      expect(step(run(read, { type: "typed", drive: A.id, text: "2B7H" }), input).step).toBe("reading");
    }
  });
  it("while the box is asked, typing changes nothing, and a second press is none", () => {
    expect(step(checking, { type: "typed", drive: A.id, text: "x" })).toBe(checking);
    const busy = step(arming, { type: "submit" });
    expect(step(busy, { type: "submit" })).toBe(busy);
  });
});

describe("an option that is changed beside the labels", () => {
  const soak = { options: { ...P.options, soak_hours: 24 } };
  const asked = step(typed, { type: "reset" });
  const planned = (change: Partial<Plan> = {}): Input => ({ type: "planned", plan: { ...P, id: "p2", digest: "d2", ...soak, ...change }, asked: 5 });
  const label: Input = { type: "typed", drive: A.id, text: "2B7H" };

  it("leaves the fields where they are, and what is typed while the box is asked is not lost", () => {
    expect(asked).toMatchObject({ step: "loading", shown: { plan: { id: "p1" } } });
    expect([cutAt(asked), step(checking, { type: "reset" })]).toEqual(["before", asked]);
    expect(run(asked, label, planned())).toMatchObject({ step: "reading", plan: { id: "p2" }, typed: { [A.id]: "2B7H" } });
  });
  it("is another plan all the same: what was typed before it is typed again, and so with the next option", () => {
    expect(run(asked, planned())).toMatchObject({ step: "reading", typed: {} });
    expect(run(asked, label, { type: "reset" }, planned())).toMatchObject({ step: "reading", typed: {} });
  });
  it("counts no label for a drive of which the new plan tells something else, and none for a refused one", () => {
    const other = { ...A, content: { state: "found" as const, signatures: [], summary: "ext4" } };
    expect(run(asked, label, { type: "typed", drive: B.id, text: "V8PK" }, planned({ drives: [other, B] }))).toMatchObject({ step: "reading", typed: { [B.id]: "V8PK" } });
    expect(run(asked, label, { type: "refused", problem: problem("options-wrong"), now: 0 })).toEqual({ step: "refused", problem: problem("options-wrong") });
  });
  it("opens nothing before its plan has come", () => expect(step(run(asked, label, { type: "typed", drive: B.id, text: "V8PK" }), { type: "complete" }).step).toBe("loading"));
});

describe("the ways out", () => {
  it("another digest stops, says what changed, and the label of what changed is typed again", () => {
    const other = { ...P, id: "p2", digest: "d2", drives: [{ ...A, content: { state: "found" as const, signatures: [], summary: "ext4" } }, B] };
    const changed = run(checking, { type: "planned", plan: other, asked: 5 });
    expect(changed).toMatchObject({ step: "changed", plan: { id: "p2" } });
    expect(changed.step === "changed" && changed.changes).toEqual(["…2B7H held No known content (may still hold data) and holds ext4 now."]);
    expect(step(changed, { type: "accept" })).toEqual({ step: "reading", plan: other, typed: { [B.id]: "V8PK" }, notice: null });
    expect(step(changed, { type: "submit" })).toBe(changed);
  });
  it("two minutes over: back to reading with nothing typed", () => {
    expect(step(arming, { type: "tick", now: 120_999 })).toBe(arming);
    expect(step(arming, { type: "tick", now: 121_000 })).toMatchObject({ step: "reading", typed: {}, notice: { type: "plan-expired" } });
  });
  it("the clock does not overrule a box that is deciding", () => {
    const busy = step(arming, { type: "submit" });
    expect(step(busy, { type: "tick", now: 1e9 })).toBe(busy);
  });
  it("a wrong password is told and may be typed again", () => {
    expect(run(arming, { type: "submit" }, { type: "refused", problem: problem("password-wrong"), now: 2000 })).toMatchObject({
      step: "arming", busy: false, problem: { type: "password-wrong" },
    });
  });
  it.each(["plan-expired", "plan-unknown", "ticket-used", "ticket-forged", "not-armed"])("%s voids the plan", (type) => {
    expect(run(arming, { type: "submit" }, { type: "refused", problem: problem(type), now: 2000 })).toMatchObject({ step: "reading", typed: {}, notice: { type } });
  });
  it.each(["plan-changed", "drive-unknown", "drive-refused"])("%s asks for a fresh plan to show the difference", (type) => {
    expect(run(arming, { type: "submit" }, { type: "refused", problem: problem(type), now: 2000 })).toMatchObject({ step: "checking", problem: { type } });
  });
  it.each(["agent-unsure", "agent-late", "unreachable", "about:blank", "internal"])("%s to a start never says that nothing was written", (type) => {
    const unsure = run(arming, { type: "submit" }, { type: "starting" }, { type: "refused", problem: problem(type), now: 200_000 });
    expect(unsure).toMatchObject({ step: "unsure", problem: { type }, plan: { id: "p2" } });
    const later = run(unsure, { type: "tick", now: 1e9 }, { type: "submit" }, { type: "complete" }, { type: "refused", problem: problem("plan-expired"), now: 1e9 });
    expect(later).toBe(unsure);
    expect(JSON.stringify(later)).not.toContain("othing has been written");
  });
  it.each(["plan-unknown", "ticket-used"])("%s to a start may be a start that was sent twice, and the first one runs", (type) => {
    const unsure = run(arming, { type: "submit" }, { type: "starting" }, { type: "refused", problem: problem(type), now: 2000 });
    expect(unsure).toMatchObject({ step: "unsure", problem: { type } });
    expect(JSON.stringify(unsure)).not.toContain("othing has been written");
  });
  it("a box that does not answer to the password has started nothing", () => {
    expect(run(arming, { type: "submit" }, { type: "refused", problem: problem("unreachable"), now: 2000 })).toMatchObject({ step: "arming", busy: false });
  });
  it("only what was submitted starts, and while it does no clock ends it", () => {
    expect(step(arming, { type: "starting" })).toBe(arming);
    const starting = run(arming, { type: "submit" }, { type: "starting" });
    expect(starting).toMatchObject({ step: "arming", busy: true, starting: true });
    expect(step(starting, { type: "tick", now: 1e9 })).toBe(starting);
  });
  it.each(["agent-away", "drive-silent", "busy"])("%s to a start: the plan is spent, every label is typed again", (type) => {
    expect(run(arming, { type: "submit" }, { type: "starting" }, { type: "refused", problem: problem(type), now: 2000 })).toMatchObject({
      step: "reading", typed: {}, notice: { type },
    });
  });
  it("a start that is refused for a drive asks for a fresh plan to show the difference", () => {
    expect(run(arming, { type: "submit" }, { type: "starting" }, { type: "refused", problem: problem("drive-changed"), now: 2000 })).toMatchObject({ step: "checking" });
  });
  it("back after a cut: a fresh plan within the same two minutes, without what went wrong before; what was refused is asked anew", () => {
    const failed = run(arming, { type: "submit" }, { type: "refused", problem: problem("agent-away"), now: 2000 }, { type: "back" });
    expect(failed).toMatchObject({ step: "checking", problem: null, typed: { [A.id]: "2b7h" } });
    expect(step(failed, { type: "planned", plan: { ...P, id: "p3" }, asked: 90_000 })).toMatchObject({ step: "arming", plan: { id: "p3" }, problem: null, deadline: 121_000 });
    expect(step(failed, { type: "planned", plan: { ...P, digest: "d2" }, asked: 90_000 }).step).toBe("changed");
    expect(step({ step: "refused", problem: problem("agent-away") }, { type: "back" })).toEqual(loading);
    const spent = run(arming, { type: "submit" }, { type: "starting" }, { type: "refused", problem: problem("agent-away"), now: 2000 });
    expect(step(spent, { type: "back" })).toMatchObject({ step: "reading", notice: { type: "agent-back" } });
    const wrong = run(arming, { type: "submit" }, { type: "refused", problem: problem("password-wrong"), now: 2000 }, { type: "back" });
    expect(wrong).toMatchObject({ step: "checking", problem: { type: "password-wrong" } });
    const deciding = run(arming, { type: "submit" });
    const unsure = run(deciding, { type: "starting" }, { type: "refused", problem: problem("unreachable"), now: 2000 });
    for (const gate of [loading, typed, checking, deciding, unsure]) expect(step(gate, { type: "back" })).toBe(gate);
  });
  it("a plan that the box does not know any more is told without its id", () => {
    const told = { ...problem("plan-unknown"), detail: "plan 01a21bd4-7c1e: ask for a fresh plan" };
    expect(JSON.stringify(run(arming, { type: "submit" }, { type: "refused", problem: told, now: 2000 }))).not.toContain("01a21bd4");
  });
  it("no plan, no gate", () => {
    expect(step(loading, { type: "refused", problem: problem("agent-away"), now: 0 })).toMatchObject({ step: "refused" });
    expect(step(checking, { type: "refused", problem: problem("drive-refused"), now: 0 })).toMatchObject({ step: "refused" });
  });
});

describe("differences in sentences", () => {
  it("names each, and never nothing", () => {
    expect(differences(P, plan([A]))).toEqual(["…V8PK is no longer part of it."]);
    expect(differences(plan([A]), P)).toEqual(["…V8PK was not part of it before."]);
    expect(differences(plan([A]), plan([{ ...A, capacity: 2e12 }]))[0]).toMatch(/capacity/);
    expect(differences(P, P)).toHaveLength(1);
    expect(differences(plan([A]), plan([A], { steps: "[2]" }))).toEqual(["The steps of the playbook standard are not those that you read."]);
    expect(differences(P, plan([A, { ...B, label: "7PHAV8PK" }]))).toEqual(["…V8PK has to be named by 7PHAV8PK now."]);
    const found = (uuid: string) => ({ ...A, content: { state: "found" as const, summary: "ext4", signatures: [{ partition: 0, kind: "ext4", label: null, uuid, name: null }] } });
    expect(differences(plan([found("1")]), plan([found("2")]))[0]).toMatch(/identifiers/);
  });
});

it("a member is given up only in words, beside its label", () => {
  const of = plan([planDrive("WD-1234", { given_up: ["md member of 7f3a"] })]);
  const id = of.drives[0]?.id ?? "";
  expect(complete(of, { [id]: "1234" })).toBe(false);
  expect(complete(of, { [id]: "1234", [giveUpKey(id)]: "give" })).toBe(false);
  expect(complete(of, { [giveUpKey(id)]: GIVE_UP })).toBe(false);
  expect(complete(of, { [id]: "1234", [giveUpKey(id)]: "  give  up " })).toBe(true);
});

describe("one drive of several that changed", () => {
  const C = planDrive("WD-1234", { given_up: ["md member of 7f3a"] });
  const three = plan([A, B, C]);
  const words = { [A.id]: "2b7h", [B.id]: "V8PK", [C.id]: "1234", [giveUpKey(C.id)]: GIVE_UP };
  const silent = { ...B, content: { state: "unreadable" as const, why: "no answer in 25 s" } };
  const asked: Gate = { step: "checking", plan: three, typed: words, problem: null };
  const fresh = (change: Partial<typeof three>): Input => ({ type: "planned", plan: { ...three, id: "p2", digest: "d2", ...change }, asked: 5 });
  const changed = step(asked, fresh({ drives: [A, silent, C] }));
  const { [B.id]: _, ...others } = words;

  it("costs its own label alone, and what is given up stays given up", () => {
    expect(changed).toMatchObject({ step: "changed", drives: [silent] });
    expect(step(changed, { type: "accept" })).toMatchObject({ step: "reading", typed: others, plan: { digest: "d2" } });
  });
  it.each<Partial<typeof B>>([{ model: "N" }, { serial: "7PHAV8PX" }, { capacity: 1 }, { sector: 4096 }, { given_up: ["luks"] }, { label: "7PHAV8PK" }])("%o clears what was typed for it", (change) => {
    expect(run(asked, fresh({ drives: [A, { ...B, ...change }, C] }), { type: "accept" })).toMatchObject({ step: "reading", typed: others });
  });
  it("another playbook, other steps or options, or what no drive shows: every label is typed again", () => {
    for (const change of [{ playbook: "erase", drives: [A, silent, C] }, { steps: "[2]", drives: [A, silent, C] }, { options: { ...three.options, soak_hours: 4 }, drives: [A, silent, C] }, {}]) {
      expect(run(asked, fresh(change), { type: "accept" })).toEqual({ step: "reading", plan: expect.objectContaining({ id: "p2" }) as Plan, typed: {}, notice: null });
    }
  });
  it("can be left: a plan of the others is asked for, and their labels stand", () => {
    const left = step(changed, { type: "leave" });
    expect([left.step, cutAt(left)]).toEqual(["loading", "before"]);
    expect(run(left, { type: "reset" }, fresh({ id: "p3", digest: "d3", drives: [A, C] }))).toEqual({ step: "reading", plan: expect.objectContaining({ id: "p3" }) as Plan, typed: others, notice: null });
    // Another one changes meanwhile: that is told, too.
    expect(step(left, fresh({ id: "p3", digest: "d3", drives: [{ ...A, capacity: 1 }, C] }))).toMatchObject({ step: "changed", drives: [{ id: A.id }] });
    // Its steps too, and the plan of fewer drives has no digest to compare.
    const steps = step(left, fresh({ id: "p3", digest: "d3", steps: "[2]", drives: [A, C] }));
    expect(steps).toMatchObject({ step: "changed", typed: {}, changes: ["The steps of the playbook standard are not those that you read."] });
    // Another playbook is another plan, read from the start.
    expect(step(left, fresh({ playbook: "erase", drives: [A, C] }))).toMatchObject({ step: "reading", typed: {} });
  });
  it("is left over a box that refuses meanwhile: the labels of the others stand", () => {
    const refused = step(step(changed, { type: "leave" }), { type: "refused", problem: problem("agent-late"), now: 6 });
    expect([refused.step, cutAt(refused)]).toEqual(["refused", "before"]);
    for (const again of [{ type: "reset" }, { type: "back" }] as Input[]) {
      expect(run(refused, again, fresh({ id: "p3", digest: "d3", drives: [A, C] }))).toMatchObject({ step: "reading", typed: others });
    }
  });
  it("is not left where none would remain", () => {
    const all = step(asked, fresh({ drives: [A, B, C].map((one) => ({ ...one, capacity: 1 })) }));
    const odd = step(asked, fresh({}));
    for (const gate of [all, odd, asked, read]) expect(step(gate, { type: "leave" })).toBe(gate);
  });
});
