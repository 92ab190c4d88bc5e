import { expect, it, vi } from "vitest";

import { readWish } from "./wish";

it("a wish that was kept is read as it was; one that cannot be read is for no drive, and none is none", () => {
  const scan = { drives: ["a"], bench: true, readOnly: true, playbook: "scan", reads: true, options: { soak_hours: 2 }, cut: "before" as const };
  expect(readWish(JSON.parse(JSON.stringify(scan)))).toEqual(scan);
  expect(readWish({ drives: ["a", "b"] })).toEqual({ drives: ["a", "b"], bench: false, readOnly: false, reads: false });
  for (const odd of [7, "scan", {}, { drives: "a" }, { drives: [1] }, { readOnly: true }]) expect(readWish(odd)).toEqual({ drives: [] });
  expect([readWish(null), readWish(undefined)]).toEqual([null, null]);
});

it("a playbook that was preferred survives a reload, so that a scan does not come back as an erasure, and goes when it is let go", async () => {
  const kept = new Map<string, string>();
  vi.stubGlobal("sessionStorage", { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value), removeItem: (key: string) => kept.delete(key) });
  vi.stubGlobal("history", { state: null });
  const reloaded = async () => {
    vi.resetModules();
    return import("./wish");
  };
  (await reloaded()).prefer({ playbook: "scan", reads: true });
  const again = await reloaded();
  expect(again.wished()).toMatchObject({ bench: true, playbook: "scan", reads: true });
  again.prefer(null);
  expect((await reloaded()).wished()).toEqual({ drives: [], bench: true });
  kept.set("kiln-preferred", '{"reads":true}');
  expect((await reloaded()).preferred.value).toBeNull();
  vi.unstubAllGlobals();
});
