import { expect, it } from "vitest";

import { mergeLog } from "./log";

it("log lines of box and stream stand once, newest first", () => {
  const line = (message: string) => ({ level: "info", message, source: "", timestamp: "t" });
  expect(mergeLog([line("1"), line("2")], [line("2"), line("3")]).map((l) => l.message)).toEqual(["3", "2", "1"]);
});
