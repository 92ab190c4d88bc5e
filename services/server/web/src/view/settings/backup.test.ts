import { expect, it } from "vitest";

import { missing } from "./backup";

it("a backup without the agent's records says so, by its second line", () => {
  const file = (head: string) => `KILN-BACKUP 1\n${head}\n\u{fffd}sealed`;
  expect(missing(file('{"name":"kiln","agent":false}'))).toContain("agent’s records are not in it");
  for (const head of ['{"name":"kiln","agent":true}', '{"name":"kiln"}', "null", "no head"]) expect(missing(file(head))).toBe("");
  expect(missing("")).toBe("");
});
