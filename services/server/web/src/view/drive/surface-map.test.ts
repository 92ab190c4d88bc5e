import { expect, it } from "vitest";

import { strips } from "./surface-map";

it("a strip of the map ends where the drive does, and one alone takes the whole width", () => {
  const of = (count: number) => strips(Array.from({ length: count })).map(({ row, share }) => [row.length, share]);
  expect(of(16)).toEqual([[16, 1]]);
  expect(of(32)).toEqual([[32, 1]]);
  expect(of(48)).toEqual([[32, 1], [16, 0.5]]);
  expect(of(0)).toEqual([]);
});
