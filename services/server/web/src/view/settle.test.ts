import { expect, it } from "vitest";

import { standing } from "./settle";

it("a button that came where it is a moment ago is known, be it by a line that went or by what it says itself", () => {
  const [first, second] = [{ key: "first", says: "Noted" }, { key: 2 }];
  let stands = standing(new Map(), [first, second], 1);
  const since = () => [...stands.values()].map((one) => one.since);
  stands = standing(stands, [first, second], 2);
  expect(since()).toEqual([1, 1]);
  stands = standing(stands, [{ ...first, says: "Take it back" }, second], 3);
  expect(since()).toEqual([3, 1]);
  stands = standing(stands, [second], 4);
  expect(since()).toEqual([4]);
});
