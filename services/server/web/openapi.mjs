/**
 * Types of what the box's interface sends and takes that is in no message of the stream: `src/openapi.ts`, made from the
 * document that the server writes of itself. `npm run types` writes it anew; `test/openapi.test.ts` fails when it is stale.
 */
import { readFileSync, writeFileSync } from "node:fs";

const DOCUMENT = new URL("../../wire/bindings/openapi.json", import.meta.url);
const OUT = new URL("./src/openapi.ts", import.meta.url);

/** The schemas that the page uses; what they name comes with them. */
export const WANTED = ["AlertProvider", "AlertKind", "AlertDelivery", "ServiceView", "ServiceDetail", "ServiceRequest", "AlertOpen", "SessionView", "TlsView",
  "AddonView", "AddonToken", "AddonTokenMade", "AddonTokenRotated", "AddonRegistered", "Hosts", "HostAgents", "HostTokens", "HostTokenMade",
  "HealthSummary", "HostDrives", "HostDrivesAttributes", "HostDriveHistories", "HostDrivesTrends", "HostDrivesWear", "ReportInterval", "ServerKey", "SetAsideFile"];

const nameOf = (ref) => ref.replace("#/components/schemas/", "");
const comment = (text, indent) => (text ? `${indent}/** ${text.replaceAll("\n", " ").replaceAll("*/", "* /")} */\n` : "");

/** A schema as a type; `found` hears of every schema that it names. */
function typeOf(schema, found, indent = "") {
  if (schema.$ref) {
    found.add(nameOf(schema.$ref));
    return nameOf(schema.$ref);
  }
  const either = schema.oneOf ?? schema.anyOf;
  if (schema.allOf) return schema.allOf.map((one) => typeOf(one, found, indent)).join(" & ");
  if (either) return either.map((one) => typeOf(one, found, indent)).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type }, found, indent)).join(" | ");
  switch (schema.type) {
    case "string": return "string";
    case "boolean": return "boolean";
    case "null": return "null";
    case "integer":
    case "number": return "number";
    case "array":
      if (schema.prefixItems) return `[${schema.prefixItems.map((one) => typeOf(one, found, indent)).join(", ")}]`;
      return `(${typeOf(schema.items ?? {}, found, indent)})[]`.replace(/^\((\w+)\)/, "$1");
    case "object": {
      if (!schema.properties) return `Record<string, ${typeOf(schema.additionalProperties ?? {}, found, indent)}>`;
      const needed = new Set(schema.required ?? []);
      const inner = `${indent}  `;
      const fields = Object.entries(schema.properties).map(([key, value]) => `${comment(value.description, inner)}${inner}${key}${needed.has(key) ? "" : "?"}: ${typeOf(value, found, inner)};\n`);
      return `{\n${fields.join("")}${indent}}`;
    }
    default: return "unknown";
  }
}

/** The whole file. */
export function generate(document) {
  const { schemas } = document.components;
  const done = new Map();
  const waiting = [...WANTED];
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    if (done.has(name)) continue;
    const found = new Set();
    if (!schemas[name]) throw new Error(`openapi.json has no schema ${name}`);
    done.set(name, `${comment(schemas[name].description, "")}export type ${name} = ${typeOf(schemas[name], found)};\n`);
    waiting.push(...found);
  }
  const sorted = [...done].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  return `// Made by openapi.mjs from wire/bindings/openapi.json: never typed by hand.\n\n${sorted.join("\n")}`;
}

export const document = () => JSON.parse(readFileSync(DOCUMENT, "utf8"));
export const written = () => readFileSync(OUT, "utf8");

// By itself: `npm run types`.
if (import.meta.filename === process.argv[1]) writeFileSync(OUT, generate(document()));
