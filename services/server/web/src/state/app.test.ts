import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Drive } from "@wire";

import { drive, job } from "../fixtures";
import { choose, chosen, claim, goesBy, known, login, pulled, search, updated } from "./app";
import { draftOf, keepDraft } from "./drafts";
import { NOTHING } from "./store";
import { keepWish, prefer, preferred, startWish, wished } from "./wish";

it("a drive that was pulled and is chosen again is not told as pulled, and another one stays so", () => {
  const [back, gone] = [drive(), drive({ serial: "ZRT09F2K" })];
  pulled.value = [back, gone];
  choose([back.id!]);
  expect(pulled.value).toEqual([gone]);
  choose([]);
  expect(pulled.value).toEqual([]);
});

it("what was chosen stays so while the box has not told the drives anew, and only what is out or in use falls", async () => {
  const [stays, goes] = [drive(), drive({ serial: "ZRT09F2K" })];
  const stream = new TransformStream<Uint8Array, Uint8Array>();
  const writer = stream.writable.getWriter();
  const tell = (drives: Drive[]) => writer.write(new TextEncoder().encode(`event: drives\ndata: ${JSON.stringify(drives)}\n\nevent: ready\ndata: {}\n\n`));
  const session = { username: "mara", expires: "2026-12-01T12:00:00Z" };
  for (const name of ["addEventListener", "removeEventListener"]) vi.stubGlobal(name, () => {});
  vi.stubGlobal("document", { hidden: false });
  vi.stubGlobal("history", { state: null, replaceState: () => {} });
  vi.stubGlobal("fetch", (url: string) => Promise.resolve(url.endsWith("/stream") ? new Response(stream.readable) : Response.json(session)));
  await login({ username: "mara", password: "a password" });
  choose([stays.id!, goes.id!]);
  const as_of = "2026-11-20T06:00:00Z";
  for (const [told, left] of [
    [[stays, goes], [stays.id, goes.id]],
    [[{ ...stays, as_of }, { ...goes, as_of }], [stays.id, goes.id]],
    [[stays, { ...goes, present: false }], [stays.id]],
  ] as const) {
    await tell([...told]);
    await vi.waitFor(() => expect(known.value.drives).toEqual(told));
    expect(chosen.value).toEqual(left);
  }
  expect(pulled.value.map(({ id }) => id)).toEqual([goes.id]);
  choose([]);
  vi.unstubAllGlobals();
});

describe("whoever logs in", () => {
  let username = "mara";
  const enters = (by: (name: string) => Promise<void>) => async (name: string) => {
    username = name;
    const stream = new Promise<Response>(() => {});
    vi.stubGlobal("addEventListener", () => {});
    vi.stubGlobal("removeEventListener", () => {});
    vi.stubGlobal("document", { hidden: false });
    vi.stubGlobal("fetch", (url: string) => (url.endsWith("/stream") ? stream : Promise.resolve(new Response(JSON.stringify({ username, expires: "2026-12-01T12:00:00Z" })))));
    await by(name);
  };
  const logsIn = enters((name) => login({ username: name, password: "a password" }));
  const claims = enters((name) => claim("AAAA0000", { username: name, password: "a password" }));
  const told = () => {
    known.value = { ...NOTHING, drives: [drive()], jobs: new Map([[job().id, job()]]) };
    choose([drive().id!]);
  };
  beforeEach(() => {
    const entry = { state: null as unknown, replaceState: (state: unknown) => (entry.state = state) };
    vi.stubGlobal("history", entry);
  });
  afterEach(() => vi.unstubAllGlobals());

  it("sees nothing of before: the box may have been reset meanwhile, or a backup put back", async () => {
    await logsIn("mara");
    told();
    await logsIn("mara");
    expect(known.value).toEqual(NOTHING);
  });
  it("finds what was chosen if it is the same person, and nothing chosen by another one", async () => {
    await logsIn("mara");
    told();
    await logsIn("mara");
    expect(chosen.value).toEqual([drive().id]);
    await logsIn("lena");
    expect(chosen.value).toEqual([]);
  });
  const kept = new Map<string, string>();
  /** A browser's tab, in which the gate was asked for something and a playbook was written. */
  const wishes = () => {
    kept.clear();
    vi.stubGlobal("sessionStorage", new Proxy({}, {
      get: (_, key: string) => ({ getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, text: string) => kept.set(name, text), removeItem: (name: string) => kept.delete(name) })[key],
      ownKeys: () => [...kept.keys()],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    }));
    keepWish({ drives: [drive().id!], playbook: "thorough" });
    prefer({ playbook: "thorough", reads: false });
    keepDraft("thorough", "name = 1");
    choose([drive().id!]);
  };
  const asked = () => [wished().drives.length, preferred.value?.playbook, draftOf("thorough"), chosen.value.length];
  it("finds what the same person wished and wrote before the session ended, and nothing of another one's", async () => {
    startWish();
    for (const [by, found] of [["mara", [1, "thorough", "name = 1", 1]], ["lena", [0, undefined, null, 0]]] as const) {
      await logsIn("mara");
      wishes();
      await logsIn(by);
      expect(asked()).toEqual(found);
    }
    await logsIn("mara");
    wishes();
    await claims("mara");
    expect(asked()).toEqual([0, undefined, null, 0]);
  });
  it("finds all drives, though another one looked for one", async () => {
    await logsIn("mara");
    search.value = "9F2K";
    await logsIn("mara");
    expect(search.value).toBe("9F2K");
    await logsIn("lena");
    expect(search.value).toBe("");
  });
  it("who goes back in the browser finds no wish of another one's, and again one's own", async () => {
    startWish();
    await logsIn("mara");
    keepWish({ drives: [drive().id!], playbook: "thorough" });
    const before: unknown = history.state;
    for (const [by, found] of [["lena", { drives: [] }], ["mara", { drives: [drive().id], playbook: "thorough" }]] as const) {
      await logsIn(by);
      history.replaceState(before, "");
      expect(wished()).toMatchObject(found);
    }
  });
  it("finds nothing of another one's also where the page was loaded anew at the login", async () => {
    await logsIn("mara");
    wishes();
    await logsIn("mara");
    vi.resetModules();
    const page = await import("./app");
    expect(page.chosen.value).toEqual([drive().id]);
    await enters((name) => page.login({ username: name, password: "a password" }))("lena");
    expect(page.chosen.value).toEqual([]);
  });
  it("finds nothing chosen on a box that is claimed", async () => {
    await logsIn("mara");
    told();
    await claims("mara");
    expect([known.value, chosen.value]).toEqual([NOTHING, []]);
  });
});

it("a page is the one of before while the box has another version than it told first", () => {
  const said = ["0.1.0", "0.1.0", "0.2.0", "0.1.0"].map((version) => {
    goesBy(version);
    return updated.value;
  });
  // An update that does not prove itself is taken back.
  expect(said).toEqual([null, null, "0.2.0", null]);
});
