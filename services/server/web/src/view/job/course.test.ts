import { expect, it } from "vitest";
import type { TimePoint } from "@wire";

import { job, phase } from "../../fixtures";
import { apart, courseOf, worked } from "./course";

const OFF = 8 * 86_400;
const at = (second: number) => new Date(second * 1000).toISOString();
const line = (...points: [number, number][]): TimePoint[] => points.map(([second, step]) => ({ at: at(second), step, temperature: 31, rate: 1, bad_sectors: 0 }));
const steps = (...seconds: number[]) => seconds.map((one) => phase({ status: "done", seconds: one }));

it("a week without power is no work", () => {
  const phases = steps(87.681, 50.122, 0, 7.44);
  const told = line([3, 0], [8, 0], [OFF + 29, 0], [OFF + 86, 1], [OFF + 144, 2], [OFF + 144, 3]);
  const course = courseOf(told, phases, at(0), at(OFF + 152));
  expect(course.at.map((ms) => Math.round(ms / 1000))).toEqual([3, 8, 31, 88, 146, 146]);
  expect(course.cuts.map(({ point, off }) => [point, Math.round(off / 1000)])).toEqual([[2, OFF - 2]]);
  expect([Math.round(course.lasts / 1000), Math.round(worked(phases) / 1000)]).toEqual([154, 145]);
  const was = job({ phases, started: at(0), timeline: told });
  expect(Math.round(apart(was, at(OFF + 152))! / 1000)).toBe(OFF + 7);
  expect(apart(was, at(153))).toBeNull();
});

it("what the box's clock was set by is neither work nor told as time off", () => {
  const years = 10 * 365 * 86_400;
  const told = line([100, 0], [160, 0], [160 + years, 0], [220 + years, 0], [50, 0], [110, 0]);
  const course = courseOf(told, [], at(100), at(110));
  expect([course.at.map((ms) => ms / 1000), course.wasSet]).toEqual([[0, 60, 65, 125, 130, 190], true]);
  expect(apart(job({ phases: [], started: at(100), timeline: told }), at(900))).toBeNull();
});

it("a step that was at work all along is cut nowhere", () => {
  const told = line(...Array.from({ length: 20 }, (_, n): [number, number] => [n < 10 ? n * 300 : n * 300 + 5000, 0]));
  expect(courseOf(told, steps(10_700), at(0), at(10_700)).cuts).toEqual([]);
  expect(courseOf(told, steps(5_700), at(0), at(10_700)).cuts.map(({ point }) => point)).toEqual([10]);
  expect(courseOf(told, [phase({ status: "running", seconds: 0 })], at(0), at(10_700)).cuts).toEqual([]);
});
