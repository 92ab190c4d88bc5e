/**
 * How much an action may do, by what its manifest declares and by its name; the same as `wire::manifest` in Rust
 * (`manifest/declared.rs`). Both sides run `services/wire/cases/safety.json` (`cases.test.ts`). The box decides; the page asks
 * beforehand what the box will ask for.
 */
import { at, bool, obj, str, type Config } from "./manifest";

/** How much an action may do, the least first. */
const TIERS = ["read", "write", "destructive"] as const;
export type Tier = (typeof TIERS)[number];

/** First words of actions that only look. */
const LOOKS: ReadonlySet<string> = new Set(["get", "list", "refresh", "show", "status", "read"]);
/** What the names of actions begin with by which something is lost. */
const DESTROYS = ["delete", "destroy", "erase", "format", "overwrite", "partition", "purge", "reformat", "remove", "repartition", "sanitize", "shred", "wipe"] as const;
/** The words of existing add-ons. They call a write green that can be undone; whether it only looks, its name tells. */
const COLOURS: ReadonlyMap<string, Tier> = new Map([["yellow", "write"], ["red", "destructive"]]);

/** How deep fields lie in a form: a part, its list, a field. */
const DEPTH_MAX = 8;

function destroys(name: string): boolean {
  const plain = name.replace(/^[^A-Za-z0-9]+/, "").toLowerCase();
  return DESTROYS.some((verb) => plain.startsWith(verb));
}

const ofName = (name: string): Tier => (destroys(name) ? "destructive" : LOOKS.has(name.split(/[_-]/, 1)[0]?.toLowerCase() ?? "") ? "read" : "write");

/** The greatest that anything says; where nothing does, what the name says. A name that destroys is not talked down. */
function greatest(one: Config, name: string): Tier {
  if (destroys(name)) return "destructive";
  const said = [str(at(one, "safety")), COLOURS.get(str(at(one, "safety_tier"))) ?? "", bool(at(one, "destructive")) ? "destructive" : ""];
  return TIERS.findLast((tier) => said.includes(tier)) ?? ofName(name);
}

/** Whether a form has a field that opens the gate, in whatever part of it. */
function isGated(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return false;
  return (!Array.isArray(value) && bool(at(obj(value), "security_gate"))) || Object.values(value).some((inner) => isGated(inner, depth + 1));
}

/** A button of a table or of one of its columns. */
export function tierOfButton(one: Config): Tier {
  const id = str(at(one, "id"), str(at(one, "type")));
  if (destroys(id) || isGated(at(one, "form"))) return "destructive";
  const asks = at(one, "action");
  const path = typeof asks === "object" && asks !== null;
  return greatest(one, path ? (str(at(obj(asks), "method")) === "GET" ? "get" : "") : str(asks) || id);
}

/** A form, with the fields of it that are shown. */
export const tierOfForm = (config: Config, fields: readonly { gate: boolean }[]): Tier =>
  fields.some(({ gate }) => gate) ? "destructive" : greatest(config, str(at(config, "action")));

/** The end of a job: a write, unless it is called otherwise. */
export const tierOfCancel = (name: string): Tier => (destroys(name) ? "destructive" : "write");
