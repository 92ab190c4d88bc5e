import { expect, it } from "vitest";

import { playbook } from "../../fixtures";
import { isRecommended, ordered, purposeOf } from "./choice";

it("what most people want stands first, a person's own last, and only the box's own has a purpose told here", () => {
  const all = ["scan", "thorough", "standard", "later"].map((name) => playbook({ name }));
  const mine = playbook({ name: "a-soak", own: true });
  expect(ordered([mine, ...all]).map(({ name }) => name)).toEqual(["standard", "thorough", "scan", "later", "a-soak"]);
  expect([purposeOf(playbook()), purposeOf({ name: "later", own: false }), purposeOf({ name: "standard", own: true })]).toEqual(["For a drive that is to hold data, new or used.", "", ""]);
  expect([...all, mine].filter(isRecommended).map(({ name }) => name)).toEqual(["standard"]);
});
