import { expect, it } from "vitest";

import { drive, job, plan, planDrive } from "../../fixtures";
import { failedWords, leftWords, lossWords, namedOf, pulledWords, refusedWords } from "./reading";

it("the gate's lead counts what is lost", () => {
  const full = planDrive("BBBBCCCC", { content: { state: "found", signatures: [], summary: "ext4" } });
  expect(lossWords(plan([planDrive("AAAABBBB"), full]))).toMatch(/^2 drives, 8.TB in all\. 1 of them holds something\./);
  expect(lossWords(plan([full]))).toMatch(/It holds something/);
});

it("what this box found of a drive is told before hours are given to it again, and no other verdict is", () => {
  const ended = (outcome: "FAILED" | "WARN") => job({ state: { kind: "finished" }, ended: "2026-11-20T11:46:00Z", verdict: { outcome, rules: [], summary: "3 sectors could not be read.", verified: 1e9, engine: "0.1.0" } });
  expect(failedWords(ended("FAILED"))).toBe("Failed here on 20 November 2026: 3 sectors could not be read.");
  expect([ended("WARN"), job(), undefined].map(failedWords)).toEqual([null, null, null]);
});

it("a format that one drive is too small for is told of that drive, and that the others can go on", () => {
  const [small, large] = [drive({ model: "Loop device", serial: "/dev/loop6" }), drive()];
  const problem = { type: "options-wrong", status: 422, title: "These options cannot be followed", detail: "format: Loop device /dev/loop6: its partition would have 49.3 MB, and btrfs needs at least 114 MB." };
  expect(refusedWords(problem, [large, small])).toEqual({ head: "…OOP6 cannot be formatted like this", lead: expect.stringContaining("go on with the other one") as string });
  expect(refusedWords(problem, [small]).lead).toBe("Choose another format, or none.");
  expect([[small], [small, large]].map((drives) => refusedWords({ ...problem, detail: "soak_hours is 0." }, drives).head)).toEqual(["This drive cannot be tested", "These drives cannot be tested"]);
});

it("a drive that is pulled at the gate is told at once, by its last four and with what to do", () => {
  const here = drive();
  expect(pulledWords([here])).toBeNull();
  const pulled = pulledWords([here, drive({ serial: "ZRT09F2K", present: false })]);
  expect(pulled).toMatchObject({ title: "…9F2K is not plugged in any more", detail: expect.stringMatching(/Plug it in again .* choose without it/) as string });
  expect(pulledWords([drive({ present: false }), drive({ serial: "ZRT09F2K", present: false })])?.title).toBe("…2B7H, …9F2K are not plugged in any more");
  expect(refusedWords(pulled!, [here]).head).toBe("A drive is missing");
});

it("a chosen drive that the list has no more is told by its last four: it is not burnt in", () => {
  const [here, gone] = [drive(), drive({ serial: "ZRT09F2K" })];
  const ids = [here.id!, gone.id!];
  const named = namedOf(ids, [here], new Map([here, gone].map((one) => [one.id!, one])));
  expect(named.map(({ serial, present }) => [serial, present])).toEqual([["ZRT02B7H", true], ["ZRT09F2K", false]]);
  expect(pulledWords(named)).toMatchObject({ title: "…9F2K is not plugged in any more", detail: expect.stringMatching(/will not be burnt in/) as string });
  expect(namedOf(ids, [here, drive({ serial: "OTHER" }), gone], new Map())).toEqual([here, gone]);
});

it("one that was pulled between the choice and the gate is told there, also where it is plugged in again", () => {
  const [here, gone] = [drive(), drive({ serial: "ZRT09F2K" })];
  expect(leftWords([gone], [here])).toBe("…9F2K was chosen and is not plugged in any more: it is not among these, and will not be burnt in.");
  expect(leftWords([gone], [here, { ...gone, present: false }])).toMatch(/^…9F2K was/);
  expect(leftWords([gone, drive({ serial: "ZRT0AAAA" })], [here])).toMatch(/^…9F2K, …AAAA were chosen and are not/);
  const back = "…9F2K was unplugged after it had been chosen: it is not among these, and will not be burnt in unless you choose it again on the bench.";
  expect([leftWords([gone], [here, gone]), leftWords([], [here])]).toEqual([back, null]);
  expect(leftWords([gone], [here], "read")).toBe("…9F2K was chosen and is not plugged in any more: it is not among these, and will not be read.");
  expect(leftWords([drive({ serial: "ZRT0AAAA" }), gone], [here, gone])).toBe(`…AAAA was chosen and is not plugged in any more: it is not among these, and will not be burnt in. ${back}`);
});
