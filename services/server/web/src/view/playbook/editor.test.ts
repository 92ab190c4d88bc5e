import { expect, it } from "vitest";

import { lineIn, nameIn } from "./editor";

it("a playbook's text names itself and the line of an error is found in the box's words", () => {
  expect(nameIn('# name = "no"\n name = "mine"\n')).toBe("mine");
  expect(nameIn("about = 1")).toBe("");
  expect(lineIn("mine.toml: line 12, field `do`: \"dance\"")).toBe(12);
  expect(lineIn("nothing of the kind")).toBeNull();
});
