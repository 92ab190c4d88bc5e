import { expect, test } from "vitest";
import { filled, offset } from "./data";

test("a browser's time zone becomes an offset east of Greenwich", () => {
  expect([0, -60, 300, -330, 570].map(offset)).toEqual(["UTC", "+01:00", "-05:00", "+05:30", "-09:30"]);
});

test("a form sends what it shows, and nothing of another service's", () => {
  const provider = { type: "ntfy", label: "ntfy", fields: [{ key: "topic", label: "", type: "text" as const, required: true }, { key: "token", label: "", type: "password" as const, required: false }] };
  expect(filled(provider, { topic: "t", token: "", webhook_url: "x" })).toEqual({ topic: "t", token: "" });
});
