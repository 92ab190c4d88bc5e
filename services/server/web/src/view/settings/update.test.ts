import { afterEach, expect, test, vi } from "vitest";

import { asProblem } from "../../api";
import { headOf, upload } from "./update";

/** A bundle with a head of two parts and these chunks behind it. */
function bundle(...chunks: string[]): { file: Blob; head: number } {
  const part = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length);
    return [length, bytes];
  };
  const head = new Blob(["KILNBNDL1\n", ...part('{"manifest":1}'), ...part("{}")]);
  return { file: new Blob([head, ...chunks]), head: head.size };
}

const told = async (work: Promise<unknown>) => work.then(() => null, (thrown: unknown) => asProblem(thrown));

afterEach(() => {
  vi.unstubAllGlobals();
});

test("the head is what its lengths say, and what is none is told", async () => {
  const { file, head } = bundle("x".repeat(5000));
  expect((await headOf(file)).size).toBe(head);
  expect((await told(headOf(new Blob(["PK\u0003\u0004 a zip"]))))?.title).toBe("This is no Kiln update");
  expect((await told(headOf(new Blob([]))))?.title).toBe("This is no Kiln update");
  for (const end of [10, 12, head - 1]) {
    expect((await told(headOf(file.slice(0, end))))?.detail, `cut at ${end}`).toContain("cut short");
  }
});

test("only what the box lacks is sent, and a connection that breaks goes on", async () => {
  const { file, head } = bundle("aaaa", "bbbbbb", "cc");
  const lacking = new Map([[0, { number: 0, offset: head, len: 4 }], [2, { number: 2, offset: head + 10, len: 2 }]]);
  const came: string[] = [];
  let breaks = 1;
  vi.stubGlobal("fetch", async (url: string, init: { body: Blob }) => {
    const path = url.replace("/api/v1/update/", "");
    if (path.startsWith("begin")) {
      expect(init.body.size).toBe(head);
      return new Response(JSON.stringify({ version: "2.0", slot: "b", chunks: 3, found: 1, copied: 0, need: [...lacking.values()] }));
    }
    if (path === "finish") return new Response(JSON.stringify({ slot: "b", version: "2.0" }));
    const number = Number(path.split("/")[1]);
    if (number === 2 && (breaks -= 1) >= 0) throw new TypeError("network");
    came.push(`${number}:${await init.body.text()}`);
    lacking.delete(number);
    return new Response(null, { status: 204 });
  });
  const steps: number[] = [];
  const made = await upload(file, false, (done) => steps.push(done));
  expect(made).toEqual({ slot: "b", version: "2.0" });
  expect(came).toEqual(["0:aaaa", "2:cc"]);
  expect(steps).toEqual([0, 4, 0, 2]);
}, 20_000);

test("an update that is given up elsewhere is not begun again", async () => {
  const { file, head } = bundle("aaaa");
  let begun = 0;
  vi.stubGlobal("fetch", async (url: string) => {
    if (!url.includes("begin")) return new Response(JSON.stringify({ type: "update-given-up", title: "The update was not taken", detail: "it was given up" }), { status: 409 });
    begun += 1;
    return new Response(JSON.stringify({ version: "2.0", slot: "b", chunks: 1, found: 0, copied: 0, need: [{ number: 0, offset: head, len: 4 }] }));
  });
  expect((await told(upload(file, false, () => {})))?.detail).toBe("it was given up");
  expect(begun).toBe(1);
});

test("a network that stays away for a while costs no update", async () => {
  vi.useFakeTimers();
  const { file, head } = bundle("aaaa");
  let asked = 0;
  vi.stubGlobal("fetch", async (url: string) => {
    asked += 1;
    // The head is taken; then nobody answers three times, to a piece and to two heads.
    if (asked > 1 && asked < 5) throw new TypeError("network");
    if (url.includes("begin")) return new Response(JSON.stringify({ version: "2.0", slot: "b", chunks: 1, found: 0, copied: 0, need: [{ number: 0, offset: head, len: 4 }] }));
    if (url.includes("finish")) return new Response(JSON.stringify({ slot: "b", version: "2.0" }));
    return new Response(null, { status: 204 });
  });
  const sent = upload(file, false, () => {});
  sent.catch(() => {});
  await vi.advanceTimersByTimeAsync(60_000);
  vi.useRealTimers();
  expect(await sent).toEqual({ slot: "b", version: "2.0" });
  expect(asked).toBe(7);

  asked = 0;
  vi.stubGlobal("fetch", async () => {
    asked += 1;
    throw new TypeError("network");
  });
  expect((await told(upload(file, false, () => {})))?.title).toBe("The box did not answer");
  expect(asked, "nothing had begun").toBe(1);
});

test("what the box refuses is not sent again", async () => {
  const { file } = bundle("aaaa");
  let asked = 0;
  vi.stubGlobal("fetch", async () => {
    asked += 1;
    return new Response(JSON.stringify({ type: "update-wrong-key", title: "The update was not taken", detail: "signed by a stranger" }), { status: 422 });
  });
  expect((await told(upload(file, false, () => {})))?.detail).toBe("signed by a stranger");
  expect(asked).toBe(1);
});

test("a medium that does not keep what is written is told, and a finish that never comes ends, too", async () => {
  const { file, head } = bundle("aaaa");
  const detail = "the boot medium gives back other bytes than were written, 1 times: replace it";
  for (const [type, most] of [["update-medium", 3], ["writer-lost", 15]] as const) {
    vi.useFakeTimers();
    let asked = 0;
    vi.stubGlobal("fetch", async (url: string) => {
      if ((asked += 1) > 100) throw new Error("it goes on for ever");
      // The piece is lacking again each time.
      if (url.includes("begin")) return new Response(JSON.stringify({ version: "2.0", slot: "b", chunks: 1, found: 0, copied: 0, need: [{ number: 0, offset: head, len: 4 }] }));
      if (url.includes("finish")) return new Response(JSON.stringify({ type, title: "The update was not taken", detail }), { status: 503 });
      return new Response(null, { status: 204 });
    });
    const sent = told(upload(file, false, () => {}));
    await vi.advanceTimersByTimeAsync(600_000);
    vi.useRealTimers();
    expect((await sent)?.detail).toBe(detail);
    expect(asked).toBe(most);
  }
});
