import { expect, it } from "vitest";

import { sortedBy } from "./sort";

it("numbers by size, words as people order them, what is not told last in either direction", () => {
  const by = <T extends string | number | null>(rows: T[], down: boolean) => sortedBy(rows, (row) => row, down);
  expect(by([10, null, 9, 100], false)).toEqual([9, 10, 100, null]);
  expect(by([10, null, 9, 100], true)).toEqual([100, 10, 9, null]);
  expect(by(["bay 10", "Bay 9", "bay 1"], false)).toEqual(["bay 1", "Bay 9", "bay 10"]);
});

it("equal rows keep their places", () => {
  const rows = [{ n: 1, id: "a" }, { n: 0, id: "b" }, { n: 1, id: "c" }];
  expect(sortedBy(rows, ({ n }) => n, true).map(({ id }) => id)).toEqual(["a", "c", "b"]);
});
