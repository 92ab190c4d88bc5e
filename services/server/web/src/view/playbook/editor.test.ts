import { expect, it } from "vitest";

import { playbook } from "../../fixtures";
import { lineIn, nameIn, replaced } from "./editor";

it("a playbook's text names itself and the line of an error is found in the box's words", () => {
  expect(nameIn('# name = "no"\n name = "mine"\n')).toBe("mine");
  expect(nameIn("about = 1")).toBe("");
  expect(lineIn("mine.toml: line 12, field `do`: \"dance\"")).toBe(12);
  expect(lineIn("nothing of the kind")).toBeNull();
});

it("a playbook of one's own is replaced by another text of its name, and by none of its own page", () => {
  const [mine, built] = [playbook({ name: "my-soak", own: true }), playbook({ name: "standard", own: false })];
  expect(replaced("my-soak", undefined, [built, mine])).toBe(mine);
  expect(replaced("my-soak", built, [built, mine])).toBe(mine);
  expect(replaced("my-soak", mine, [built, mine])).toBeUndefined();
  // The box refuses the name of one that is part of it.
  expect(replaced("standard", undefined, [built, mine])).toBeUndefined();
});
