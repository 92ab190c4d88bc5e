import { expect, it } from "vitest";

import { stayedWords } from "./shell";

it("whoever could not log out is told so, and where the answer alone is lost, that nobody knows", () => {
  expect(stayedWords({ type: "busy", status: 503, title: "The box is busy", detail: "" })).toMatchObject({ title: "You are still logged in", detail: "The box is busy. Log out again before you leave this screen." });
  const lost = stayedWords({ type: "unreachable", status: 0, title: "The box did not answer", detail: "The connection failed." });
  expect(lost).toMatchObject({ title: "It is not known whether you are logged out", detail: "The box did not answer. The connection failed. Log out again before you leave this screen." });
});
