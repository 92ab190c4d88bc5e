import { expect, it } from "vitest";
import type { BoxView } from "@wire";

import { visit } from "../../state/app";
import { tellAtDoor } from "./door";

it("the login page says once what the deed came to, in place of a session that has ended", async () => {
  const box = { name: "b" } as BoxView;
  visit.value = { kind: "opening" };
  tellAtDoor("The backup is put back.");
  visit.value = { kind: "unreachable", problem: { type: "t", status: 0, title: "", detail: "" } };
  visit.value = { kind: "login", box, expired: true };
  expect(visit.value).toEqual({ kind: "login", box, expired: "The backup is put back." });
  await Promise.resolve();
  visit.value = { kind: "login", box, expired: true };
  expect(visit.value).toEqual({ kind: "login", box, expired: true });
});
