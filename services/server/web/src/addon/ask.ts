/** What the page asks the box about add-ons, and an add-on through the box. */
import { call, segment } from "../api";
import type { AddonRegistered, AddonToken, AddonTokenMade, AddonTokenRotated, AddonView } from "../openapi";
import { at, obj, objs, type Config } from "./manifest";

/** The burn-in agent's number: part of the box. */
export const BUILT_IN = 1;

/** Longest wait for an action, in milliseconds: the box itself waits five minutes for the add-on. */
const ACTION_MS = 310_000;

const ROOT = "/api/addons";

export const addons = {
  list: () => call<AddonView[]>("GET", ROOT),
  show: (id: number | string) => call<AddonView>("GET", `${ROOT}/${segment(String(id))}`),
  tokens: () => call<AddonToken[]>("GET", `${ROOT}/tokens`),
  makeToken: (name: string) => call<AddonTokenMade>("POST", `${ROOT}/tokens`, { name }),
  revoke: (id: number) => call<unknown>("DELETE", `${ROOT}/tokens/${id}`),
  /** With a manifest: it is checked first, and nothing is made if it is bad. */
  register: (name: string, url: string, token: string, manifest?: unknown) =>
    call<AddonRegistered>("POST", `${ROOT}/register`, { name, url, token, ...(manifest === undefined ? {} : { manifest }) }),
  rotate: (id: number) => call<AddonTokenRotated>("POST", `${ROOT}/${id}/rotate-token`),
  enable: (id: number, enabled: boolean, password: string) => call<AddonView>("PUT", `${ROOT}/${id}/enabled`, { enabled, password }),
  remove: (id: number, password: string) => call<unknown>("DELETE", `${ROOT}/${id}`, { password }),
};

/** What an action carries to open the gate; checked by the box and never passed on. */
export interface Key { _password: string; confirm: "CONFIRM" }

/** Has an add-on do something that its manifest declares. */
export const act = (addon: number, component: string, action: string, data: Config, key: Key | null) =>
  call<unknown>("POST", `${ROOT}/${addon}/action`, { component_id: component, action, data, ...(key ?? {}) }, ACTION_MS);

/** What a source is asked with. */
export interface Question { component: string; range?: string; job?: string; agent?: string }

/** What a source answered: its items, or one value; `stale`: the add-on did not answer, and this is what it said last. */
export interface Told { items: Config[]; value: unknown; stale: boolean }

/** Lists of items under the names that add-ons give them. */
const LISTS = ["items", "data", "rows", "results", "jobs", "agents", "drives", "disks", "pools", "entries", "logs", "lines", "points", "history"];

/** Reads an answer in any of its shapes. Pure. */
export function readTold(answer: unknown): Told {
  const whole = obj(answer);
  const outer = at(whole, "items") !== undefined ? at(whole, "items") : at(whole, "value") !== undefined && at(whole, "source") !== undefined ? at(whole, "value") : answer;
  const stale = at(whole, "stale") === true;
  if (Array.isArray(outer)) return { items: objs(outer), value: outer, stale };
  const inner = obj(outer);
  const list = LISTS.find((name) => Array.isArray(at(inner, name)));
  return { items: list === undefined ? [] : objs(at(inner, list)), value: outer, stale };
}

/** Asks one of an add-on's sources, a name or a path of the add-on's that begins with `/api/`. */
export async function ask(addon: number, source: string, question: Question): Promise<Told> {
  const query = new URLSearchParams({ component: question.component });
  if (question.range) query.set("range", question.range);
  if (question.job) query.set("job", question.job);
  if (question.agent) query.set("agent_id", question.agent);
  return readTold(await call<unknown>("GET", `/addons/${addon}/sources/${segment(source)}?${query.toString()}`));
}
