/**
 * A manifest as the page reads it: tolerant of everything, because it is another's text.
 *
 * The server has checked it; still nothing here believes a type. What is missing or of another kind is its default, and
 * what is not known is kept in `config`, where the component that knows it looks. All of it is shown as text, never as markup.
 */

/** An object of somebody else's. */
export type Config = Readonly<Record<string, unknown>>;

/** The value of a key that the object itself has. */
export const at = (of: Config, key: string): unknown => (Object.hasOwn(of, key) ? of[key] : undefined);
/** A text, or else `or`; numbers and truth values are read as text. */
export const str = (value: unknown, or = ""): string =>
  typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : or;
/** A number as people write it, and as the box reads it; `0x10` is none. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A finite number, also one that is written as a text, or else `null`. */
export function num(value: unknown): number | null {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "string" || !DECIMAL.test(value.trim())) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}
/** A truth value, or else `or`. */
export const bool = (value: unknown, or = false): boolean => (typeof value === "boolean" ? value : value === "true" ? true : value === "false" ? false : or);
/** A list, or else an empty one. */
export const arr = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
/** An object, or else an empty one. */
export const obj = (value: unknown): Config => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Config) : {});
/** The objects of a list. */
export const objs = (value: unknown): Config[] => arr(value).filter((one): one is Config => typeof one === "object" && one !== null && !Array.isArray(one));
/** A whole number within limits. */
export const within = (value: unknown, least: number, most: number, or: number): number => Math.min(most, Math.max(least, Math.round(num(value) ?? or)));

/** A choice of a list: its value and what it is called. */
export interface Choice { value: string; label: string }

/** Choices as manifests write them: `{value, label}` or a plain value. */
export const choices = (value: unknown): Choice[] =>
  arr(value).map((one) => {
    if (typeof one !== "object" || one === null) return { value: str(one), label: str(one) };
    const option = obj(one);
    const held = str(at(option, "value"));
    return { value: held, label: str(at(option, "label"), held) };
  });

/** One component of a page. */
export interface Part { type: string; id: string; title: string; about: string; source: string; config: Config }

/** One page of an add-on. */
export interface AddonPage {
  id: string;
  title: string;
  icon: string;
  parts: Part[];
  /** Whether there is a button that asks everything anew. */
  manual: boolean;
  /** How often it may be asked anew by itself, in seconds. */
  every: Choice[];
  /** Whose names one of the add-on's own agents is chosen from for the whole page; empty: none is chosen. */
  agents: string;
}

/** A manifest. */
export interface Manifest { name: string; version: string; description: string; author: string; pages: AddonPage[] }

function part(one: Config, index: number): Part {
  const config = obj(at(one, "config"));
  const type = str(at(one, "type"));
  const id = str(at(one, "id"), `part-${index}`);
  return {
    type, id, title: str(at(one, "title"), type), about: str(at(one, "description"), str(at(config, "description"))),
    source: str(at(one, "source"), str(at(config, "source"))), config,
  };
}

/** The source of a page's agents: a truth value, or an object that may name it. */
function selector(value: unknown): string {
  const isThere = typeof value === "object" && value !== null ? bool(at(obj(value), "enabled"), true) : bool(value);
  return isThere ? str(at(obj(value), "source"), "addon_agents") : "";
}

/** Reads the text that the server keeps; `null`: the add-on has sent none yet. */
export function readManifest(json: string): Manifest | null {
  if (json === "") return null;
  let whole: Config;
  try {
    whole = obj(JSON.parse(json));
  } catch {
    return null;
  }
  const pages = objs(at(whole, "pages")).map((page, index): AddonPage => {
    const settings = obj(at(page, "page_config"));
    const refresh = obj(at(settings, "refresh"));
    const id = str(at(page, "id"), String(index));
    return {
      id, title: str(at(page, "title"), id), icon: str(at(page, "icon")),
      parts: objs(at(page, "components")).map(part),
      manual: bool(at(refresh, "manual")),
      every: choices(at(refresh, "auto_options")).filter(({ value }) => (num(value) ?? 0) >= 1),
      agents: selector(at(settings, "agent_selector")),
    };
  });
  return pages.length === 0 ? null : {
    name: str(at(whole, "name")), version: str(at(whole, "version")), description: str(at(whole, "description")), author: str(at(whole, "author")), pages,
  };
}

/** Fills `{row.name}` and `{name}` of a text with a row's values. */
export const fill = (text: string, row: Config): string => text.replace(/\{(?:row\.)?([A-Za-z0-9_.-]{1,64})\}/g, (_, key: string) => str(deep(row, key)));

/** The value at a dotted path, `array_status.disks`. */
export function deep(of: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (key === "" ? value : Array.isArray(value) ? value[Number(key)] : at(obj(value), key)), of);
}
