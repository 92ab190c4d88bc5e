/** The canonical form, by the table of all readers. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

import { canonical } from "./canonical";
import { follow } from "./chain";

interface Table { canonical: { json: string; canonical: string }[]; events: unknown[] }
const table = JSON.parse(readFileSync(new URL("../../../../../wire/cases/canonical.json", import.meta.url), "utf8")) as Table;

it("is what every reader makes of the same text", () => {
  expect(table.canonical.length).toBeGreaterThan(5);
  for (const one of table.canonical) expect(canonical(JSON.parse(one.json))).toBe(one.canonical);
});

it("makes the hashes of the table's events", () => {
  expect(follow(null, table.events.map((event) => JSON.stringify(event)))).toMatchObject({ count: 3, earlier: 0, broken: null });
});

it("never takes a number that no double holds for another value", () => {
  expect(canonical(JSON.parse('{"a":1e999}'))).not.toBe(canonical({ a: null }));
});
