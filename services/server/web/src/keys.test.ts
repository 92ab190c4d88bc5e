import { afterEach, expect, it, vi } from "vitest";

import { neighbour, startKeys } from "./keys";
import { land as arrived, place } from "./route";
import { chosen, search } from "./state/app";

it("arrows follow rows and columns", () => {
  const spots = [0, 1, 2, 3].map((index) => ({ index, x: (index % 2) * 100, y: Math.floor(index / 2) * 200 }));
  const [a, b, c, d] = spots as [typeof spots[0] & object, typeof spots[0] & object, typeof spots[0] & object, typeof spots[0] & object];
  expect(neighbour(spots, a, "ArrowRight")).toBe(b);
  expect(neighbour(spots, b, "ArrowDown")).toBe(d);
  expect(neighbour(spots, d, "ArrowUp")).toBe(b);
  expect(neighbour(spots, c, "ArrowLeft")).toBe(b);
  expect(neighbour(spots, a, "ArrowUp")).toBeUndefined();
});

/** A bench with one bay per label that the search leaves, as far as keys need it; `press` tells whether the page took the key from the browser. */
function bench(labels: string[]) {
  class Element {
    tagName = "A";
    id = "";
    focus = () => void (page.activeElement = this);
    contains = (other: unknown) => other === this;
    querySelector = () => this;
    getBoundingClientRect = () => ({ left: 0, top: 0 });
    closest = () => null;
  }
  class Field extends Element {
    override tagName = "INPUT";
    override id = "search";
    selectionStart = 0;
    selectionEnd = 0;
    select = () => void ([this.selectionStart, this.selectionEnd] = [0, search.value.length]);
    blur = () => void (page.activeElement = body);
  }
  const on: Record<string, (event: object) => void> = {};
  const [body, field, cards] = [new Element(), new Field(), new Map(labels.map((label) => [label, new Element()]))];
  const found = () => labels.filter((label) => label.includes(search.value)).map((label) => cards.get(label));
  const page = {
    activeElement: body,
    addEventListener: (name: string, then: (event: object) => void) => void (on[name] = then),
    querySelectorAll: found,
    querySelector: () => null,
    getElementById: () => field,
  };
  vi.stubGlobal("document", page);
  vi.stubGlobal("HTMLElement", Element);
  vi.stubGlobal("HTMLInputElement", Field);
  let now = 10_000;
  vi.stubGlobal("performance", { now: () => now });
  search.value = "";
  startKeys();
  const press = (key: string) => {
    const preventDefault = vi.fn();
    on["keydown"]?.({ key, target: page.activeElement, preventDefault });
    const taken = preventDefault.mock.calls.length > 0;
    // What the browser does with it where the focus is by then.
    if (!taken && key.length === 1 && page.activeElement === field) {
      search.value = field.selectionStart < field.selectionEnd ? key : search.value + key;
      field.selectionStart = field.selectionEnd = search.value.length;
    }
    return taken;
  };
  const has = () => (page.activeElement === field ? "search" : (labels.find((label) => page.activeElement === cards.get(label)) ?? "nothing"));
  return { press, type: (text: string) => [...text].forEach(press), has, field, wait: (ms: number) => void (now += ms), land: () => on["focusin"]?.({}) };
}

afterEach(() => {
  vi.unstubAllGlobals();
  place.value = { name: "bench" };
});

it("Enter and the arrow down lead from the search to the first bay that it left, and other keys are typed into it", () => {
  const { press, type, has, wait } = bench(["0003x", "0004"]);
  type("/0003x");
  expect([search.value, has()]).toEqual(["0003x", "search"]);
  for (const key of ["Enter", "ArrowDown"]) {
    expect([press(key), has()]).toEqual([true, "0003x"]);
    wait(1000);
    expect(press("/"), "back into the search").toBe(true);
  }
  expect(search.value).toBe("0003x");
  press("Escape");
  expect([search.value, has()]).toEqual(["", "nothing"]);
  // It is a letter of a path, and before one it is the key.
  type("//mnt/x");
  expect(search.value).toBe("mnt/x");
});

it("a reader of bar codes shows one drive after the other, and its Enter opens none", () => {
  const { press, type, has, wait } = bench(["WSD1000", "5000cxb1", "WSD1001"]);
  const scan = (label: string) => {
    type(label);
    return [press("Enter"), search.value, has()];
  };
  // Whether the focus is nowhere yet or on the drive before; however soon the next one comes.
  for (const label of ["WSD1000", "5000cxb1", "WSD1001", "WSD1001"]) expect(scan(label)).toEqual([true, label, label]);
  // Some end with two, and a finger may rest on the key: nothing is opened before the key was let go.
  for (const _ of [1, 2, 3]) {
    wait(500);
    expect(press("Enter")).toBe(true);
  }
  wait(1000);
  expect(press("Enter"), "a person opens it").toBe(false);
  // One that is not here leaves the focus in the search, and makes room, also for a reader that begins with the search's own key.
  expect(scan("WSD7777")).toEqual([false, "WSD7777", "search"]);
  expect(scan("WSD1000")).toEqual([true, "WSD1000", "WSD1000"]);
  scan("WSD7777");
  expect(scan("/WSD1001")).toEqual([true, "WSD1001", "WSD1001"]);
  expect(scan("/WSD1000")).toEqual([true, "WSD1000", "WSD1000"]);
});

it("the bench's own keys and the space are no beginning of a search, nor is anything typed elsewhere", () => {
  const { press, has } = bench(["0003"]);
  press("ArrowDown");
  for (const key of ["x", "b", " ", "Tab", "Shift", "F5"]) expect([key, press(key), has()]).toEqual([key, false, "0003"]);
  place.value = { name: "events" };
  expect([press("W"), has()]).toEqual([false, "0003"]);
});

it("a label that begins with a key of the bench is searched for; pressed alone it is that key", () => {
  vi.useFakeTimers();
  const pushState = vi.fn();
  vi.stubGlobal("history", { pushState });
  vi.stubGlobal("location", { pathname: "/" });
  vi.stubGlobal("scrollTo", () => {});
  vi.stubGlobal("sessionStorage", { setItem: () => {}, removeItem: () => {} });
  chosen.value = ["sn-b"];
  const { press, type, has } = bench(["b0003", "0004"]);
  type("b0003");
  expect([search.value, has(), press("Enter"), has()]).toEqual(["b0003", "search", true, "b0003"]);
  vi.advanceTimersByTime(1000);
  expect(press("b")).toBe(true);
  expect(pushState).not.toHaveBeenCalled();
  vi.advanceTimersByTime(100);
  expect(pushState.mock.calls[0]?.[2]).toBe("/burn");
  chosen.value = [];
  vi.useRealTimers();
});

it("a label that is scanned before the bench is drawn is all there, opens nothing, and makes room for the next one", () => {
  const { press, type, has, field, land } = bench(["0003"]);
  vi.stubGlobal("history", { pushState: () => {} });
  vi.stubGlobal("location", { pathname: "/" });
  vi.stubGlobal("scrollTo", () => {});
  place.value = { name: "events" };
  type("/0003");
  expect([press("Enter"), search.value, has()]).toEqual([true, "0003", "nothing"]);
  // The page is drawn, and its focus comes.
  arrived();
  land();
  expect([has(), field.selectionEnd]).toEqual(["search", 4]);
});
