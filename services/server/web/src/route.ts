/** Places and the address bar. Links are plain `<a href>`; one listener keeps them inside the page. */
import { signal } from "@preact/signals";

/** Where the page is. */
export type Place =
  | { name: "bench" }
  | { name: "gate" }
  | { name: "events" }
  | { name: "playbooks" }
  | { name: "playbook"; id: string }
  | { name: "certificates"; id: string | null }
  | { name: "verify" }
  | { name: "drive"; id: string }
  | { name: "job"; id: string }
  | { name: "addons" }
  | { name: "addon"; id: string; page: string | null }
  | { name: "settings"; topic: string | null }
  | { name: "wall" }
  | { name: "nowhere"; path: string };

/** Reads a path. */
export function placeOf(path: string): Place {
  if (path === "/") return { name: "bench" };
  if (path === "/burn") return { name: "gate" };
  const plain = /^\/(events|playbooks|verify|addons|wall)$/.exec(path)?.[1] as "events" | "playbooks" | "verify" | "addons" | "wall" | undefined;
  if (plain) return { name: plain };
  const certificate = /^\/certificates(?:\/([^/]+))?$/.exec(path);
  const number = decoded(certificate?.[1]);
  if (certificate && number !== undefined) return { name: "certificates", id: number };
  const topic = /^\/settings(?:\/([a-z]+))?$/.exec(path);
  if (topic) return { name: "settings", topic: topic[1] ?? null };
  const addon = /^\/addons\/(\d{1,15})(?:\/([^/]+))?$/.exec(path);
  if (addon?.[1]) {
    const page = decoded(addon[2]);
    if (page !== undefined) return { name: "addon", id: addon[1], page };
  }
  const part = /^\/(drives|jobs|playbooks)\/([^/]+)$/.exec(path);
  const id = decoded(part?.[2]);
  if (part && typeof id === "string") return { name: part[1] === "drives" ? "drive" : part[1] === "jobs" ? "job" : "playbook", id };
  return { name: "nowhere", path };
}

/** A piece of a path without its escapes; `null`: there is none; `undefined`: a malformed escape, which names nothing. */
function decoded(piece: string | undefined): string | null | undefined {
  try {
    return piece === undefined ? null : decodeURIComponent(piece);
  } catch {
    return undefined;
  }
}

/** Path of a drive's page. */
export const drivePath = (id: string) => `/drives/${encodeURIComponent(id)}`;
/** Path of a job's page. */
export const jobPath = (id: string) => `/jobs/${encodeURIComponent(id)}`;

/** Id in the path of the page where a playbook is written: no playbook can bear it as its name. */
export const FRESH = "+";

/** Path of a playbook's page. */
export const playbookPath = (name: string) => `/playbooks/${encodeURIComponent(name)}`;

/** Path of an add-on, or of one of its pages. */
export const addonPath = (id: number | string, page?: string) => `/addons/${id}${page === undefined ? "" : `/${encodeURIComponent(page)}`}`;

/** Path of the settings, or of one topic of them. */
export const settingsPath = (topic?: string) => (topic === undefined ? "/settings" : `/settings/${topic}`);

/** Where the page is now. */
export const place = signal<Place>({ name: "bench" });

/** Goes to a path of this page; `to` is the id of what gets the focus once it is drawn, `state` what the entry of the history keeps. */
export function go(path: string, to = "main", state: unknown = null): void {
  history.pushState(state, "", path);
  arrive(to);
}

/** Turns with each arrival at a place. */
export const arrivals = signal(0);
/** Where the focus is to go at the place that was gone to, until it has gone there. */
let ahead: string | null = null;

function arrive(to: string): void {
  ahead = to;
  place.value = placeOf(location.pathname);
  arrivals.value += 1;
  scrollTo(0, 0);
}

/** Whether the focus is on its way to this. */
export const isAhead = (id: string) => ahead === id;

/** Gives the focus to what was gone to, now that it is drawn: people who cannot see the page change are told by it. */
export function land(): void {
  const to = ahead ?? "main";
  ahead = null;
  document.getElementById(to)?.focus({ preventScroll: true });
}

/** Follows the address bar and the links. */
export function startRouting(): void {
  place.value = placeOf(location.pathname);
  addEventListener("popstate", () => arrive("main"));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest("a");
    if (!link || link.origin !== location.origin || link.target || link.hasAttribute("download") || link.hash) return;
    if (link.pathname.startsWith("/api/") || link.pathname.startsWith("/docs")) return;
    event.preventDefault();
    go(`${link.pathname}${link.search}`);
  });
}
