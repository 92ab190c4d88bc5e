import { expect, it } from "vitest";

import { neighbour } from "./keys";

it("arrows follow rows and columns", () => {
  const spots = [0, 1, 2, 3].map((index) => ({ index, x: (index % 2) * 100, y: Math.floor(index / 2) * 200 }));
  const [a, b, c, d] = spots as [typeof spots[0] & object, typeof spots[0] & object, typeof spots[0] & object, typeof spots[0] & object];
  expect(neighbour(spots, a, "ArrowRight")).toBe(b);
  expect(neighbour(spots, b, "ArrowDown")).toBe(d);
  expect(neighbour(spots, d, "ArrowUp")).toBe(b);
  expect(neighbour(spots, c, "ArrowLeft")).toBe(b);
  expect(neighbour(spots, a, "ArrowUp")).toBeUndefined();
});
