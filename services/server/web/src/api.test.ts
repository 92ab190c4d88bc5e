import { expect, it } from "vitest";

import { readProblem } from "./api";

it("an error that is no problem+json still has a title", () => {
  expect(readProblem(409, '{"type":"drive-busy","title":"A job runs","detail":"wait"}')).toEqual({ type: "drive-busy", status: 409, title: "A job runs", detail: "wait" });
  expect(readProblem(502, "<html>Bad gateway")).toMatchObject({ status: 502, title: "The box answered 502", detail: "<html>Bad gateway" });
});
