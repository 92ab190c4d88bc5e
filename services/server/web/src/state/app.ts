/**
 * The page's signals: who is looking, what is known, whether the box answers. Messages of the stream
 * are applied in one go four times a second, so that sixty busy drives cost four redraws, not sixty.
 */
import { computed, signal } from "@preact/signals";
import type { Drive, Event, Job, JobId } from "@wire";
import type { BoxView, Credentials, DriveId, Problem, Session } from "./types";

import { api, asProblem, onUnauthorized } from "../api";
import { ahead, LATE_MS, mayBeLate } from "./clock";
import { forgetDrafts } from "./drafts";
import { listen } from "../sse";
import { printing } from "../printing";
import { place, type Place } from "../route";
import { silence, STEP_MS } from "./heard";
import { keep, kept, keptValue } from "./tab";
import { decode, lastWords, mergeEvents, NOTHING, reduce, staysChosen, type Known, type News } from "./store";

/** Who is looking, and how far the page has come. */
export type Visit =
  | { kind: "opening" }
  | { kind: "unreachable"; problem: Problem }
  | { kind: "unclaimed"; box: BoxView }
  /** `expired`: the session has ended; a text where the tab knows what ended it. */
  | { kind: "login"; box: BoxView; expired: boolean | string }
  | { kind: "in"; session: Session };

/** Who is looking. */
export const visit = signal<Visit>({ kind: "opening" });
/** What the stream told. */
export const known = signal<Known>(NOTHING);
/** Since when the box does not answer, in milliseconds; `null` while it does. */
export const lostSince = signal<number | null>(null);
/** Whether that is so because nobody looked at this page, which gave its stream back. */
export const rested = signal(false);
/** How often the box has told all of its present state: on each connection, and where this page read too slowly. What the stream alone does not bring again, log lines say, is asked for anew then. */
export const connections = signal(0);
/** The box's version where it is another than when this page was loaded: then the page's own program is that of before. `null` while it is the same. */
export const updated = signal<string | null>(null);
/** The box's clock as far as the page knows it, in milliseconds; turns once a second. */
export const now = signal(Date.now());
/** This page's monotonic clock, in milliseconds; turns with each {@link STEP_MS}. */
export const pulse = signal(0);
/** What is typed into the search. */
export const search = signal("");
/** Whether the list of keys is open. */
export const helpOpen = signal(false);

/** The job that has the last word on each drive. */
export const latest = computed(() => lastWords(known.value.jobs));

/** For how many seconds nothing came of a running test; `null` while it is heard. */
export const silentFor = (job: Job | undefined): number | null => (job ? silence(job, known.value.heard, pulse.value) : null);

const CHOSEN = "kiln-chosen";
/** The drives that were chosen on the bench; survives a reload of this tab, never a new one. */
export const chosen = signal<readonly DriveId[]>(readChosen());

/** Drives that were pulled after they had been chosen, and were not chosen again; the gate says that they are not among what is burnt in. */
export const pulled = signal<readonly Drive[]>([]);

function readChosen(): DriveId[] {
  const value = keptValue(CHOSEN);
  return Array.isArray(value) ? value.filter((id) => typeof id === "string") : [];
}

/** Chooses these drives and no others. */
export function choose(ids: readonly DriveId[]): void {
  chosen.value = ids;
  pulled.value = ids.length === 0 ? [] : pulled.value.filter(({ id }) => id === null || !ids.includes(id));
  keep(CHOSEN, JSON.stringify(ids));
}

/** Chooses a drive, or lets it go. */
export function toggle(id: DriveId): void {
  choose(chosen.value.includes(id) ? chosen.value.filter((other) => other !== id) : [...chosen.value, id]);
}

/** How far the box's clock is ahead of this machine's, in milliseconds. */
let skew = 0;

/** Follows the box's clock from now on: this machine's may be years off, and what is shown at once is counted by it, too. */
function goBy(told: string): void {
  skew = ahead(told, Date.now());
  now.value = Date.now() + skew;
}

/** The version that the box told first, from which this page was loaded. */
let first: string | null = null;

/** Compares the box's version with the one that this page was loaded from. */
export function goesBy(version: string): void {
  first ??= version;
  updated.value = version === first ? null : version;
}

/** Asks the box what time it is; an answer that is read late, too, tells nothing, and the next word is asked about again. */
async function askTime(): Promise<void> {
  const asked = monotonic();
  try {
    const { now: told } = await api.box();
    if (monotonic() - asked < LATE_MS) goBy(told);
  } catch {
    // That the box does not answer is told by the stream.
  }
}

/** A monotonic clock: changing this machine's time of day gives nobody more than two minutes at the gate, and makes nothing silent. */
export function monotonic(): number {
  return performance.now();
}

const queue: { news: News; at: number }[] = [];
let flushing: ReturnType<typeof setTimeout> | undefined;

function flush(): void {
  flushing = undefined;
  const before = known.value.drives;
  let next = known.value;
  for (const { news, at } of queue.splice(0)) next = reduce(next, news, at);
  if (next.box && next.box !== known.value.box) {
    goesBy(next.box.version);
    if (mayBeLate(skew, ahead(next.box.now, Date.now()))) void askTime();
    else goBy(next.box.now);
  }
  known.value = next;
  if (next.drives) {
    // A drive that was pulled or came into use is not chosen any more.
    const jobs = lastWords(next.jobs);
    const open = new Set(next.drives.filter((d) => d.id !== null && staysChosen(d, jobs.get(d.id))).map((d) => d.id));
    const fallen = chosen.value.filter((id) => !open.has(id));
    if (fallen.length > 0) {
      const here = new Set(next.drives.filter(({ present }) => present).map(({ id }) => id));
      const gone = [...pulled.value, ...(before ?? []).filter(({ id }) => id !== null && fallen.includes(id) && !here.has(id))];
      choose(chosen.value.filter((id) => open.has(id)));
      pulled.value = gone;
    }
  }
}

let stop: (() => void) | null = null;
let lostTimer: ReturnType<typeof setTimeout> | undefined;

let earlier: ReturnType<typeof setTimeout> | undefined;

/** After so long the box has told all, in milliseconds: one that went back to an earlier version does not say `ready`. */
const EARLIER_MS = 15_000;

/** Places that listen on where nobody looks: a screen across the room may count as hidden, and at the gate whoever fetches a password would have all drives read anew. */
const LISTENS: ReadonlySet<Place["name"]> = new Set(["wall", "gate"]);

/** Two ends so close together, in milliseconds, are of one session: the box reckons an end anew each time it tells it. */
const SAME_MS = 60_000;

/** Asks whether it is still the same session: a page that heard nothing for a while does not know who logged in elsewhere in this browser, nor to a box in which state. */
async function askWho(): Promise<void> {
  try {
    const session = await api.session();
    const who = visit.peek();
    if (who.kind !== "in") return;
    const apart = Math.abs(Date.parse(who.session.expires) - Date.parse(session.expires));
    if (who.session.username !== session.username || apart > SAME_MS) enter(session);
  } catch {
    // That nobody is logged in is told to `onUnauthorized`, and by the stream.
  }
}

/** The box has told all that is. */
function ready(): void {
  if (lostSince.peek() !== null) void askWho();
  clearTimeout(earlier);
  clearTimeout(flushing);
  flush();
  clearTimeout(lostTimer);
  lostTimer = undefined;
  lostSince.value = null;
  rested.value = false;
  connections.value += 1;
}

function connect(): void {
  stop?.();
  clearTimeout(earlier);
  stop = listen("/api/v1/stream", {
    message: ({ event, data }) => {
      if (event === "logout") {
        void open(true);
        return;
      }
      if (event === "ready") {
        ready();
        return;
      }
      const news = decode(event, data);
      if (!news) return;
      queue.push({ news, at: monotonic() });
      flushing ??= setTimeout(flush, known.value.drives === null ? 0 : 250);
    },
    // An answer is only the beginning: until the box is ready, what is shown is of before.
    live: () => (earlier = setTimeout(ready, EARLIER_MS)),
    lost: (lastHeard, rests) => {
      clearTimeout(earlier);
      if (rests) {
        clearTimeout(lostTimer);
        lostTimer = undefined;
        // Told at once: what is seen first by whoever looks again is of before.
        lostSince.value = lastHeard + skew;
        rested.value = true;
        return;
      }
      // A server that restarts under its supervisor is back before anybody needs to know.
      lostTimer ??= setTimeout(() => {
        lostSince.value = lastHeard + skew;
        rested.value = false;
      }, 1500);
    },
    rests: () => document.hidden && !printing.peek() && !LISTENS.has(place.peek().name),
    unauthorized: () => void open(true),
  });
}

onUnauthorized.call = () => void open(true);

/** Finds out who is looking: is the box there, is it claimed, is there a session? */
export async function open(expired = false): Promise<void> {
  stop?.();
  let box: BoxView;
  try {
    box = await api.box();
  } catch (thrown) {
    visit.value = { kind: "unreachable", problem: asProblem(thrown) };
    setTimeout(() => void open(expired), 3000);
    return;
  }
  goBy(box.now);
  goesBy(box.version);
  try {
    // Before the claim: one that was opened again at the console ends no session, and whoever has one can look and pause.
    enter(await api.session());
  } catch (thrown) {
    const problem = asProblem(thrown);
    visit.value = problem.status !== 401 ? { kind: "unreachable", problem } : box.claimed ? { kind: "login", box, expired } : { kind: "unclaimed", box };
    if (problem.status !== 401) setTimeout(() => void open(expired), 3000);
  }
}

/** Looks at the login whether the box takes a claim code by now: somebody who lost the password may have asked for one at its console. */
export async function lookForClaim(): Promise<void> {
  const before = visit.peek();
  try {
    const box = await api.box();
    // Whoever chose the login beside an open claim stays there.
    if (before.kind === "login" && before.box.claimed && !box.claimed && visit.peek() === before) visit.value = { kind: "unclaimed", box };
  } catch {
    // That the box does not answer is told to who logs in.
  }
}

const LAST = "kiln-last";
/** Who looked last at this page; survives a reload of this tab, as does what he chose. */
let last = kept(LAST);

/** Who looked last at this page; `null`: nobody did in this tab. */
export const lookedLast = (): string | null => last;

function keepLast(name: string): void {
  last = name;
  keep(LAST, name);
}

/** What else goes with what was chosen, where whoever looks next is another one. */
export const onLeft = { call: () => {} };

/** Forgets what a person chose, looked for, wished and wrote: it is nothing for whoever looks next. */
function forgetOwn(): void {
  choose([]);
  search.value = "";
  forgetDrafts();
  onLeft.call();
}

/** Forgets what was told: the stream tells all that is. */
function forget(): void {
  queue.length = 0;
  known.value = NOTHING;
}

function enter(session: Session): void {
  // It may be of before a reset or a backup, which end every session, or of what another person was shown.
  forget();
  if (last !== null && last !== session.username) forgetOwn();
  keepLast(session.username);
  visit.value = { kind: "in", session };
  connect();
}

/** Logs in. Throws what the box refuses. */
export async function login(credentials: Credentials): Promise<void> {
  await api.login(credentials);
  enter(await api.session());
}

/** Claims the box with the code on its console, and logs in. */
export async function claim(code: string, credentials: Credentials): Promise<void> {
  await api.claim({ code, ...credentials });
  forgetOwn();
  try {
    enter(await api.session());
  } catch {
    await login(credentials);
  }
}

/** Ends the session. */
export async function logout(): Promise<void> {
  // The box ends this page's stream with its session, and whoever asks for that is not told that it has ended.
  stop?.();
  try {
    await api.logout();
  } catch (thrown) {
    connect();
    throw thrown;
  }
  forget();
  await open();
  // Once the gate has gone: it keeps its wish.
  forgetOwn();
}

/** Fetches the newest events, of which the stream brings only those since it began. */
export async function newestEvents(limit: number): Promise<readonly Event[]> {
  const events = await api.events(null, limit);
  known.value = { ...known.value, events: mergeEvents(known.value.events, events) };
  return events;
}

/** Asks for a job that stands otherwise than this page shows, since the stream that tells it may be lost. What is not answered, that brings when it is back. */
export async function askAgain(id: JobId): Promise<void> {
  try {
    known.value = reduce(known.peek(), { type: "job", data: await api.job(id) }, monotonic());
  } catch {
    // What was asked for first says why.
  }
}

/** Starts the page's clocks. */
export function startClock(): void {
  setInterval(() => {
    now.value = Date.now() + skew;
    pulse.value = Math.floor(monotonic() / STEP_MS) * STEP_MS;
  }, 1000);
}
