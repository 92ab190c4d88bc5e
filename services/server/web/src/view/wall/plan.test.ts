/** How a window is divided, and how drives are cut into screens. */
import { describe, expect, it } from "vitest";

import { drive } from "../../fixtures";
import { plan, screens, standing, STANDS_MS, whole } from "./plan";

const many = (count: number, bus: "sata" | "nvme" = "sata") => Array.from({ length: count }, (_, n) => drive({ serial: `${bus}${1000 + n}`, bus, location: `${bus === "sata" ? "PCI 00:1f.2, SATA port " : "PCI 01:00.0, "}${n + 1}` }));

describe("the division of a window", () => {
  it("is sixteen tiles on a wall of 1920 × 1080, and as many, twice as large, on one of 4K", () => {
    expect(plan(1920, 1080, 16)).toMatchObject({ unit: 1, tile: 1, columns: 4, rows: 4 });
    expect(plan(3840, 2160, 16)).toMatchObject({ unit: 2, tile: 2, columns: 4, rows: 4 });
  });
  it("names in the foot what stands there whole, with the count of the rest, and something at least", () => {
    const of = (width: number, height: number) => plan(width, height, 16).foot;
    const texts = ["loop7 …OOP7 take it out", "loop13 …OP13 keep it or send it back", "loop12 …OP12 keep it or send it back"];
    expect(of(1920, 1080)).toEqual(of(1440, 810));
    expect([whole(texts, 4, of(1920, 1080)), whole(texts, 4, { ...of(1920, 1080), lines: 1 }), whole(texts, 4, of(640, 480)), whole(texts, 4, of(360, 780))]).toEqual([3, 2, 2, 3]);
    expect([whole(texts, 3, { room: 100, lines: 1 }), whole([], 0, of(1920, 1080))]).toEqual([1, 0]);
  });
  it("grows the tiles where there are few", () => {
    expect(plan(1920, 1080, 2).tile).toBeGreaterThan(1.5);
    expect(plan(1920, 1080, 60).tile).toBe(1);
  });
  it("leaves a tile its height upright, where head and foot are as high as their words need", () => {
    expect([plan(360, 780, 24).rows, plan(1920, 1080, 16).rows]).toEqual([5, 4]);
  });
  it("has a place on every window", () => {
    for (const [width, height] of [[320, 480], [360, 780], [1080, 1920], [100, 100]] as const) {
      const { columns, rows, unit } = plan(width, height, 40);
      expect(columns * rows, `${width} × ${height}`).toBeGreaterThanOrEqual(1);
      expect(unit).toBeGreaterThanOrEqual(0.5);
    }
  });
});

describe("screens", () => {
  it("leave no drive out and none twice", () => {
    const drives = [...many(37), ...many(5, "nvme")];
    const cut = screens(drives, 16);
    expect(cut.flatMap((screen) => screen.drives.map(({ key }) => key)).sort()).toEqual(drives.map(({ key }) => key).sort());
    expect(Math.max(...cut.map((screen) => screen.drives.length))).toBeLessThanOrEqual(16);
  });
  it("keep an enclosure that fits on one screen together", () => {
    const cut = screens([...many(12), ...many(6, "nvme")], 16);
    expect(cut.map(({ name, drives }) => [name, drives.length])).toEqual([["SATA", 12], ["NVMe", 6]]);
  });
  it("stand one after the other, by the clock", () => {
    expect([0, 1, 2, 3].map((n) => standing(3, n * STANDS_MS))).toEqual([0, 1, 2, 0]);
    expect(standing(0, 5)).toBe(0);
  });
});
