import { expect, it } from "vitest";

import { sent, unasked } from "./verify";

it("a PDF is sent with each of its bytes, and everything else as its text", async () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => at % 256);
  bytes.set(new TextEncoder().encode("%PDF-1.7\n"));
  const [head, data] = (await sent(new Blob([bytes]))).split(",");
  expect(head).toBe("data:application/pdf;base64");
  expect(Uint8Array.from(atob(data ?? ""), (letter) => letter.charCodeAt(0))).toEqual(bytes);
  for (const text of ['{"certificate":{}}', "<!doctype html>\n<p>ü</p>\n", "KILN CERTIFICATE 1\nPASSED", ""]) expect(await sent(new Blob([text]))).toBe(text);
});

it("of a PDF that was pasted the box is not asked: words instead of a verdict", () => {
  expect(unasked("%PDF-1.7\n\ufffd")?.detail).toContain("Choose its file");
  expect(unasked("{}")).toBeNull();
});
