/** The types of the box's interface are those of the document that the server writes of itself. */
import { expect, it } from "vitest";

import { document, generate, WANTED, written } from "../openapi.mjs";

it("src/openapi.ts is what openapi.json says; otherwise: npm run types", () => {
  expect(written()).toBe(generate(document()));
});

it("a schema becomes the type of the values that it takes", () => {
  const schema = {
    type: "object", required: ["a", "list"],
    properties: {
      a: { type: "integer" }, b: { type: ["string", "null"] }, list: { type: "array", items: { enum: ["x", "y"] } },
      map: { type: "object", additionalProperties: { type: "boolean" } }, other: { oneOf: [{ type: "null" }, { $ref: "#/components/schemas/AlertKind" }] },
    },
  };
  const made = generate({ components: { schemas: Object.fromEntries(WANTED.map((name) => [name, schema])) } });
  for (const line of ["a: number;", "b?: string | null;", 'list: ("x" | "y")[];', "map?: Record<string, boolean>;", "other?: null | AlertKind;"]) expect(made).toContain(line);
});
