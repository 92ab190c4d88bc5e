import { expect, it } from "vitest";

import { drive } from "../fixtures";
import { choose, pulled } from "./app";

it("a drive that was pulled and is chosen again is not told as pulled, and another one stays so", () => {
  const [back, gone] = [drive(), drive({ serial: "ZRT09F2K" })];
  pulled.value = [back, gone];
  choose([back.id!]);
  expect(pulled.value).toEqual([gone]);
  choose([]);
  expect(pulled.value).toEqual([]);
});
