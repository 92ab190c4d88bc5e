import { expect, it, vi } from "vitest";

import { neighbour, startKeys } from "./keys";
import { search } from "./state/app";

it("arrows follow rows and columns", () => {
  const spots = [0, 1, 2, 3].map((index) => ({ index, x: (index % 2) * 100, y: Math.floor(index / 2) * 200 }));
  const [a, b, c, d] = spots as [typeof spots[0] & object, typeof spots[0] & object, typeof spots[0] & object, typeof spots[0] & object];
  expect(neighbour(spots, a, "ArrowRight")).toBe(b);
  expect(neighbour(spots, b, "ArrowDown")).toBe(d);
  expect(neighbour(spots, d, "ArrowUp")).toBe(b);
  expect(neighbour(spots, c, "ArrowLeft")).toBe(b);
  expect(neighbour(spots, a, "ArrowUp")).toBeUndefined();
});

it("Enter and the arrow down lead from the search to the first bay that it left, and other keys are typed into it", () => {
  let press: (event: object) => void = () => {};
  const focus = vi.fn();
  const bay = { contains: () => false, getBoundingClientRect: () => ({ left: 0, top: 0 }), querySelector: () => ({ focus }) };
  const field = { id: "search", tagName: "INPUT", blur: vi.fn() };
  vi.stubGlobal("document", { activeElement: field, addEventListener: (_: string, on: typeof press) => (press = on), querySelectorAll: () => [bay], querySelector: () => null });
  startKeys();
  search.value = "0003";
  const after = (key: string) => {
    const preventDefault = vi.fn();
    press({ key, target: field, preventDefault });
    return [focus.mock.calls.length, preventDefault.mock.calls.length];
  };
  expect(["x", "Enter", "ArrowDown"].map(after)).toEqual([[0, 0], [1, 1], [2, 1]]);
  expect(search.value).toBe("0003");
  after("Escape");
  expect([search.value, field.blur.mock.calls.length]).toEqual(["", 1]);
  vi.unstubAllGlobals();
});
