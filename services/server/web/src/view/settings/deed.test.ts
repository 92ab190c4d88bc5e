import { afterEach, expect, it, vi } from "vitest";

import { asProblem, Late } from "../../api";
import { file } from "./deed";

afterEach(() => vi.unstubAllGlobals());
const answers = (answer: () => Promise<unknown>) => vi.stubGlobal("fetch", answer);
const thrown = () => file("GET", "/x", undefined, 45_000).catch((why: unknown) => why);
const late = () => Promise.reject(new DOMException("", "TimeoutError"));

it("a file that does not come in time is told so, and not as a connection that failed", async () => {
  for (const answer of [late, () => Promise.resolve({ ok: true, headers: new Headers(), blob: late }), () => Promise.resolve({ ok: false, headers: new Headers(), text: late })]) {
    answers(answer);
    const why = await thrown();
    expect(why).toBeInstanceOf(Late);
    expect(asProblem(why)).toMatchObject({ type: "unreachable", detail: expect.stringContaining("No answer within 45 s") as string });
  }
});

it("a connection that breaks within a file is no mistake of the page", async () => {
  answers(() => Promise.resolve({ ok: true, headers: new Headers(), blob: () => Promise.reject(new TypeError("network error")) }));
  const why = await thrown();
  expect(why).not.toBeInstanceOf(Late);
  expect(asProblem(why)).toMatchObject({ title: "The box did not answer", detail: expect.stringContaining("The connection failed") as string });
});
