import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { TimePoint } from "@wire";

import { job, phase } from "../../fixtures";
import { apart, courseOf, wasClockSet } from "./course";

const OFF = 8 * 86_400;
const at = (second: number) => new Date(second * 1000).toISOString();
const line = (...points: [number, number][]): TimePoint[] => points.map(([second, step]) => ({ at: at(second), step, temperature: 31, rate: 1, bad_sectors: 0 }));
const steps = (...seconds: number[]) => seconds.map((one) => phase({ status: "done", seconds: one }));

interface Case { name: string; started: number; ended: number; worked: number[]; line: [number, number][]; resumes: number[]; at: number[]; cuts: number[]; lasts: number; clock_was_set: boolean; apart: number | null }

const cases = JSON.parse(readFileSync(new URL("../../../../../wire/cases/course.json", import.meta.url), "utf8")) as Case[];

it.each(cases)("$name, as on the certificate", (of) => {
  const [phases, told, seconds] = [steps(...of.worked), line(...of.line), (ms: number) => Math.round(ms / 1000)];
  const course = courseOf(told, phases, at(of.started), at(of.ended));
  expect([course.at.map(seconds), course.cuts.map(({ point }) => point), seconds(course.lasts)]).toEqual([of.at, of.cuts, of.lasts]);
  const resumes = of.resumes.map((second) => ({ at: at(second), why: "", phase: "write" as const, step: 0, from: 0 }));
  const was = job({ phases, started: at(of.started), timeline: told, resumes });
  expect(wasClockSet(was, at(of.ended))).toBe(of.clock_was_set);
  const off = apart(was, at(of.ended));
  expect(off === null ? null : seconds(off)).toBe(of.apart);
});

it("how long the box was off stands beside the point before which it was", () => {
  const told = line([3, 0], [8, 0], [OFF + 29, 0], [OFF + 86, 1]);
  expect(courseOf(told, steps(87, 9), at(0), at(OFF + 95)).cuts.map(({ point, off }) => [point, Math.round(off / 1000)])).toEqual([[2, OFF - 1]]);
});

it("a step that was at work all along is cut nowhere", () => {
  const told = line(...Array.from({ length: 20 }, (_, n): [number, number] => [n < 10 ? n * 300 : n * 300 + 5000, 0]));
  expect(courseOf(told, steps(10_700), at(0), at(10_700)).cuts).toEqual([]);
  expect(courseOf(told, steps(5_700), at(0), at(10_700)).cuts.map(({ point }) => point)).toEqual([10]);
  expect(courseOf(told, [phase({ status: "running", seconds: 0 })], at(0), at(10_700)).cuts).toEqual([]);
});
