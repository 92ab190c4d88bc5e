/**
 * What is asked of the gate at this visit: which drives, and what is to be done with them. It stands in the entry of the browser's
 * history that shows the gate, so that a reload, a new login or the way back brings the same question and never a greater one: a
 * scan that is asked again must not come back as the erasure of what is chosen on the bench. For the same address entered anew,
 * which takes the entry's state away, the tab keeps it as long as the page is at the gate.
 *
 * An entry that lies further back says whose wish it has: to another person it is one of no drives.
 *
 * What was typed is not kept: labels and password are typed again. Tested in `wish.test.ts` and, over reloads, in `e2e/looks.mjs`.
 */
import { effect, signal, type ReadonlySignal } from "@preact/signals";
import type { DriveId, PlanOptions } from "@wire";

import { go, place } from "../route";
import { choose, chosen, lookedLast, onLeft } from "./app";
import type { Cut } from "./gate";
import { keep, keptValue } from "./tab";

/** What the gate is asked for: these drives, a playbook to begin with, options beside it. */
export interface Wish {
  drives: readonly DriveId[];
  /** They were chosen on the bench: what was pulled of that choice is named. */
  bench?: boolean;
  /** Only playbooks that only read are offered. */
  readOnly?: boolean;
  playbook?: string;
  /** Whether that playbook only reads, as far as the box has told: so much is true before it tells its playbooks again. */
  reads?: boolean;
  options?: Partial<PlanOptions>;
  /** The session ended here, before anything was started or after the box had been told to start. */
  cut?: Cut;
}

const KEPT = "kiln-gate";
const PREFERRED = "kiln-preferred";

/** A playbook that was chosen before its drives. */
export type Preferred = Required<Pick<Wish, "playbook" | "reads">>;

/** A wish of no drives: what is over or cannot be read comes to this, never to what is chosen on the bench. */
const NOTHING: Wish = { drives: [] };

/** Reads a wish that was kept, maybe by an earlier version of this page; `null`: none was kept. Pure. */
export function readWish(kept: unknown): Wish | null {
  if (kept === null || kept === undefined) return null;
  if (typeof kept !== "object" || !("drives" in kept) || !Array.isArray(kept.drives) || !kept.drives.every((id) => typeof id === "string")) return NOTHING;
  const { drives, bench, readOnly, playbook, reads, options, cut } = kept as { [key: string]: unknown; drives: DriveId[] };
  return {
    drives, bench: bench === true, readOnly: readOnly === true, reads: reads === true,
    ...(typeof playbook === "string" ? { playbook } : {}),
    ...(typeof options === "object" && options !== null ? { options } : {}),
    ...(cut === "before" || cut === "starting" ? { cut } : {}),
  };
}

function readPreferred(): Preferred | null {
  const kept = keptValue(PREFERRED);
  return typeof kept === "object" && kept !== null && "playbook" in kept && typeof kept.playbook === "string" ? { playbook: kept.playbook, reads: "reads" in kept && kept.reads === true } : null;
}

const preference = signal(readPreferred());

/** What was said on the playbooks' page to be used for what is chosen next, as the bench names it; survives a reload of this tab as the choice of drives does. */
export const preferred: ReadonlySignal<Preferred | null> = preference;

/** Prefers this playbook, or none. */
export function prefer(book: Preferred | null): void {
  preference.value = book;
  keep(PREFERRED, JSON.stringify(book));
}

/** The wish of this visit; what is chosen on the bench where none was made. */
export function wished(): Wish {
  const state: unknown = history.state;
  if (typeof state === "object" && state !== null && "wish" in state) return "by" in state && state.by === lookedLast() ? readWish(state.wish) ?? NOTHING : NOTHING;
  return readWish(keptValue(KEPT)) ?? { drives: chosen.peek(), bench: true, ...preferred.peek() };
}

/** What an entry of the browser's history has. */
const entry = (wish: Wish) => ({ wish, by: lookedLast() });

/** Keeps the wish for this visit. */
export function keepWish(wish: Wish): void {
  history.replaceState(entry(wish), "");
  // A browser without storage has the entry of its history.
  keep(KEPT, JSON.stringify(wish));
}

/** Goes to the gate with a wish of its own. */
export function enterGate(wish: Wish): void {
  go("/burn", "main", entry(wish));
}

/** These drives were taken: the wish is fulfilled, and whoever comes back to it starts nothing twice. `here`: the gate that wished it is still shown; else another page's entry of the history stands there. */
export function fulfil(drives: readonly DriveId[], here: boolean): void {
  choose(chosen.peek().filter((id) => !drives.includes(id)));
  prefer(null);
  if (here) keepWish(NOTHING);
}

/** Forgets the wish: whoever logs in next has made none. */
function forgetWish(): void {
  prefer(null);
  history.replaceState(null, "");
  keep(KEPT, null);
}

/** Forgets the tab's copy at every other place, and the wish with whose it was. Called once the address has been read. */
export function startWish(): void {
  onLeft.call = forgetWish;
  effect(() => {
    if (place.value.name !== "gate") keep(KEPT, null);
  });
}
