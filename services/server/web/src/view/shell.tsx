/** The frame round every place: name of the box, places, search, lost connection, help. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Problem, Session } from "@wire";

import { asProblem } from "../api";
import { clock } from "../format";
import { arrivals, place, type Place } from "../route";
import { helpOpen, known, lostSince, logout, now, rested, search } from "../state/app";
import { Icon, ProblemNote, Shape } from "./bits";
import { lazy } from "./lazy";
import { Updated } from "./updated";

const Help = lazy(() => import("./help").then((m) => m.Help), "One moment.", "div");

const PLACES: [name: Place["name"], path: string, label: string, icon: string][] = [
  ["bench", "/", "Bench", "bay"],
  ["playbooks", "/playbooks", "Playbooks", "book"],
  ["certificates", "/certificates", "Certificates", "cert"],
  ["addons", "/addons", "Add-ons", "plug"],
  ["events", "/events", "Events", "evts"],
  ["settings", "/settings", "Settings", "gear"],
];

/** Places of the bar at the foot of a phone: five fit into 320 px; the settings' page leads to the rest. */
const AT_FOOT: readonly (readonly [name: Place["name"], path: string, label: string, icon: string])[] = PLACES
  .filter(([name]) => name !== "addons")
  .map(([name, path, label, icon]) => (name === "settings" ? [name, path, "More", "gear"] as const : [name, path, label, icon] as const));

function Lost() {
  const since = lostSince.value;
  return (
    <div class="lostbar" role="status">
      {since !== null && (
        <>
          <Shape of="inc" />
          {rested.value
            ? <span><b>What you see is from {clock(new Date(since).toISOString(), now.value)}.</b> Nobody looked at this page since; it asks the box anew.</span>
            : <span><b>The box does not answer since {clock(new Date(since).toISOString(), now.value)}.</b> What you see is from then. What runs on it goes on; this page connects again by itself.</span>}
        </>
      )}
    </div>
  );
}

/** What a person is told who wanted to log out and may not be; where the answer alone is lost, nobody knows. Pure. */
export function stayedWords({ status, title, detail }: Problem): Problem {
  return {
    type: "logged-in", status, title: status === 0 ? "It is not known whether you are logged out" : "You are still logged in",
    detail: `${[title, detail ?? ""].filter((words) => words !== "").map((words) => words.replace(/\.?$/, ".")).join(" ")} Log out again before you leave this screen.`,
  };
}

/** The frame. */
export function Shell({ session, children }: { session: Session; children: ComponentChildren }) {
  const box = known.value.box;
  const here = place.value.name;
  const under: Partial<Record<Place["name"], Place["name"]>> = { playbook: "playbooks", verify: "certificates", addon: "addons" };
  const stayed = useSignal<Problem | null>(null);
  // Whoever goes on to another place has read it.
  useEffect(() => void (stayed.value = null), [arrivals.value]);
  const leave = async () => {
    stayed.value = null;
    try {
      await logout();
    } catch (thrown) {
      stayed.value = stayedWords(asProblem(thrown));
    }
  };
  const current = (name: string) => (name === (under[here] ?? here) ? ("page" as const) : undefined);
  return (
    <div class={`app ${lostSince.value !== null ? "lost" : ""}`}>
      <a class="skip" href="#main">To the content</a>
      <header class="top">
        <a class="brand" href="/"><svg aria-hidden="true"><use href="#kiln" /></svg>
          <span class="nm">{box?.name ?? "Kiln"}<span class="ad">{box?.supervisor?.addresses[0] ?? location.host}</span></span></a>
        <nav class="nav" aria-label="Places">
          {PLACES.map(([name, path, label]) => <a key={path} href={path} aria-current={current(name)}>{label}</a>)}
        </nav>
        <div class="end">
          {here === "bench" && (
            <label class="find"><Icon name="find" /><span class="sr">Search drives</span>
              <input id="search" type="search" placeholder="Drive, place, verdict" value={search.value} autocomplete="off" spellcheck={false}
                onInput={(event) => (search.value = event.currentTarget.value)} /><kbd aria-hidden="true">/</kbd></label>
          )}
          <span class="who">{session.username}</span>
          <button class="btn plain" type="button" onClick={() => (helpOpen.value = true)}><span aria-hidden="true">?</span><span class="sr">Help</span></button>
          <button class="btn plain" type="button" onClick={() => void leave()}>Log out</button>
        </div>
      </header>
      <Lost />
      <Updated />
      <ProblemNote problem={stayed.value} />
      {children}
      <nav class="tabs" aria-label="Places, below">
        {AT_FOOT.map(([name, path, label, icon]) => <a key={path} href={path} aria-current={current(name)}><Icon name={icon} />{label}</a>)}
      </nav>
      {helpOpen.value && <Help />}
    </div>
  );
}
