/** Rows of a smart-table: SMART attributes with what changed, sorting, filtering, trees. Pure. */
import { compare, plain } from "./cell";
import { arr, at, num, obj, objs, str, type Config } from "./manifest";

/** A row that is shown: with its depth in a tree and whether it has children. */
export interface Row { key: string; depth: number; data: Config; children: number }

/** Order of a table. */
export interface Order { key: string; down: boolean }

/** Names that SMART columns go by; the first is ours. */
const SMART: readonly (readonly [string, ...string[]])[] = [
  ["id", "attr", "attribute_id"],
  ["name", "attribute", "attribute_name"],
  ["value", "normalized", "normalised"],
  ["worst"],
  ["threshold", "thresh", "limit"],
  ["raw", "raw_value"],
  ["baseline", "before", "initial", "first"],
  ["current", "after", "now", "last"],
  ["delta", "change", "diff"],
  ["status", "state", "health"],
];

/** Our name of a SMART column that is written in any of its forms. */
export function smartKey(column: string): string {
  const word = column.trim().toLowerCase().replace(/[\s-]+/g, "_");
  return SMART.find((names) => names.includes(word))?.[0] ?? column;
}

function smartRow(id: string, data: Config, extra: Config): Config {
  const found: Record<string, unknown> = { ...extra };
  for (const [key, value] of Object.entries(data)) found[smartKey(key)] = value;
  found["id"] ??= id;
  if (typeof found["raw"] === "object" && found["raw"] !== null) found["raw"] = at(obj(found["raw"]), "value") ?? at(obj(found["raw"]), "string");
  const [before, after] = [num(found["baseline"]), num(found["current"] ?? found["raw"])];
  found["current"] ??= found["raw"];
  if (found["delta"] === undefined && before !== null && after !== null) found["delta"] = after - before;
  return found;
}

/** Whether something is a map of attributes by number: `{"5": {name, baseline, current}}`. */
const isMap = (value: unknown): value is Config => {
  const entries = Object.entries(obj(value));
  return entries.length > 0 && entries.every(([key, one]) => /^\d+$/.test(key) && typeof one === "object" && one !== null);
};

/** Attributes out of any shape in which they come: rows, a map by number, or either inside the record of a job or a drive. */
export function smartRows(value: unknown, extra: Config = {}): Config[] {
  if (isMap(value)) return Object.entries(value).map(([id, data]) => smartRow(id, obj(data), extra));
  return objs(value).flatMap((one) => {
    const inner = at(one, "deltas") ?? at(one, "smart_deltas") ?? at(one, "attributes") ?? at(one, "rows");
    if (inner === undefined) return [smartRow(str(at(one, "id")), one, extra)];
    const whose = Object.fromEntries(["job_id", "serial", "drive", "model", "agent_id"].flatMap((key) => (at(one, key) === undefined ? [] : [[key, at(one, key)]])));
    return smartRows(inner, { ...extra, ...whose });
  });
}

/** What identifies a row, so that it can be changed in place: never where it stands, which another order or answer changes under a choice. */
export function rowKey(row: Config, field: string): string {
  for (const key of [field, "key", "id", "job_id", "agent_id", "serial", "name", "path"]) {
    const value = key === "" ? undefined : at(row, key);
    if (value !== undefined && value !== null && typeof value !== "object") return `${str(at(row, "job_id"))}/${str(value)}`;
  }
  return `#${JSON.stringify(row)}`;
}

/** Rows of one level, each with a key of its own: those that share a name are told apart by all that is in them. */
function keyed(rows: readonly Config[], field: string, path: string): { key: string; data: Config }[] {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(rowKey(row, field), (counts.get(rowKey(row, field)) ?? 0) + 1);
  const taken = new Map<string, number>();
  return rows.map((data) => {
    const name = rowKey(data, field);
    const own = `${path}${name}${(counts.get(name) ?? 0) > 1 && !name.startsWith("#") ? `#${JSON.stringify(data)}` : ""}`;
    const again = (taken.get(own) ?? 0) + 1;
    taken.set(own, again);
    return { key: again === 1 ? own : `${own} ${again}`, data };
  });
}

/** Rows in order; equal ones stay as they came. */
export function sorted(rows: readonly Config[], order: Order | null): readonly Config[] {
  if (!order || order.key === "") return rows;
  const empty = (row: Config) => [null, undefined, ""].includes(at(row, order.key) as null | undefined | "");
  return rows.map((row, index) => ({ row, index })).sort((a, b) => {
    // What is not known stays at the end in both directions.
    if (empty(a.row) !== empty(b.row)) return Number(empty(a.row)) - Number(empty(b.row));
    const way = compare(at(a.row, order.key), at(b.row, order.key));
    return (order.down ? -way : way) || a.index - b.index;
  }).map(({ row }) => row);
}

/** Whether a row has each word in one of its texts. */
export function matches(row: Config, text: string, keys: readonly string[]): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const hay = (keys.length > 0 ? keys : Object.keys(row)).map((key) => plain(at(row, key))).join(" ").toLowerCase();
  return words.every((word) => hay.includes(word));
}

/** What a tree goes by: nested lists, the number of the parent in each row, or the parts of a name where there is a separator. */
export interface Tree { children: string; parent: string; id: string; separator: string }

/** Reads `tree`; `null`: the table is flat. */
export function readTree(value: unknown, expandKey: string): Tree | null {
  if (value === undefined || value === null || value === false) return null;
  const tree = obj(value);
  const separator = str(at(tree, "separator"), at(tree, "key") === undefined ? "" : "/");
  return {
    separator,
    children: str(at(tree, "children_key"), str(at(tree, "children"), expandKey || "children")),
    parent: str(at(tree, "parent_key"), str(at(tree, "parent"), "parent_id")),
    id: str(at(tree, separator === "" ? "id_key" : "key"), str(at(tree, "id"), separator === "" ? "id" : "name")),
  };
}

/** Deepest tree that is drawn; deeper rows stay on this level. */
const DEEPEST = 12;

/** The row above one that has a name of parts: the longest front of it that is a row. */
function frontOf(name: string, separator: string, ids: ReadonlySet<string>): string {
  for (let end = name.lastIndexOf(separator); end > 0; end = name.lastIndexOf(separator, end - 1)) if (ids.has(name.slice(0, end))) return name.slice(0, end);
  return "";
}

/** A tree as rows, each parent before its children; those of closed parents are left out. A circle is drawn once. */
export function flatten(rows: readonly Config[], tree: Tree | null, open: (key: string) => boolean, field: string, order: Order | null): Row[] {
  if (!tree) return keyed(sorted(rows, order), field, "").map(({ key, data }) => ({ key, depth: 0, data, children: 0 }));
  const byParent = new Map<string, Config[]>();
  const ids = new Set(rows.map((row) => str(at(row, tree.id))).filter(Boolean));
  const roots: Config[] = [];
  for (const row of rows) {
    const parent = tree.separator === "" ? str(at(row, tree.parent)) : frontOf(str(at(row, tree.id)), tree.separator, ids);
    if (parent === "" || !ids.has(parent) || parent === str(at(row, tree.id))) roots.push(row);
    else byParent.set(parent, [...(byParent.get(parent) ?? []), row]);
  }
  const seen = new Set<Config>();
  const list: Row[] = [];
  const walk = (level: readonly Config[], depth: number, path: string) => {
    for (const { key: own, data } of keyed(sorted(level, order), field, path)) {
      if (seen.has(data)) continue;
      seen.add(data);
      const below = [...objs(arr(at(data, tree.children))), ...(byParent.get(str(at(data, tree.id))) ?? [])];
      list.push({ key: own, depth: Math.min(depth, DEEPEST), data, children: below.length });
      if (below.length > 0 && open(own)) walk(below, depth + 1, `${own}>`);
    }
  };
  walk(roots, 0, "");
  return list;
}
