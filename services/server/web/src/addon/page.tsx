/**
 * One page of an add-on, drawn from its manifest and nothing else.
 *
 * Everything that a manifest or a frame says goes into text nodes and attributes whose kind is ours; no piece of it is
 * ever read as markup, as a script, as a style or as the address of a link to elsewhere. A component that is not known,
 * or that fails, is a card that says so; the rest of the page goes on.
 */
import { signal, useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Problem } from "@wire";

import "../style/lists.css";
import "../style/playbook.css";
import "../style/job.css";
import "../style/addon.css";
import { asProblem } from "../api";
import { ago } from "../format";
import { addonPath } from "../route";
import { now } from "../state/app";
import { Icon, Panel, ProblemNote, Shape } from "../view/bits";
import { Fence } from "../view/fence";
import type { AddonView } from "../openapi";
import { addons, BUILT_IN } from "./ask";
import { ConfigPart, DiscoveryPart, DisksPart } from "./cards";
import { ChartPart } from "./chart";
import { useSource, type Around, type PartProps } from "./context";
import { Feed } from "./feed";
import { offers } from "./fields";
import { FormPart } from "./form";
import { LogPart } from "./log";
import { readManifest, type AddonPage as Page, type Manifest, type Part } from "./manifest";
import { ProgressPart } from "./progress";
import { Refused } from "./refused";
import { addonNews, Status } from "./status";
import { TablePart } from "./table";
import { WizardPart } from "./wizard";

/** The component of each type. */
const PARTS: ReadonlyMap<string, ComponentType<PartProps>> = new Map<string, ComponentType<PartProps>>([
  ["form", FormPart], ["progress", ProgressPart], ["chart", ChartPart], ["smart-table", TablePart], ["log-viewer", LogPart],
  ["deploy-wizard", WizardPart], ["config-card", ConfigPart], ["disk-storage", DisksPart], ["discovery-card", DiscoveryPart],
]);

/** Types that share a row with a neighbour of their kind on a wide screen. */
const HALF = new Set(["chart", "form", "config-card", "disk-storage", "discovery-card"]);

/** Icons of the sprite for the words that manifests use; a word that is not known gets the plug. */
const ICONS: ReadonlyMap<string, string> = new Map([
  ["activity", "evts"], ["list", "evts"], ["logs", "evts"], ["scroll-text", "evts"], ["terminal", "evts"], ["clock", "evts"], ["server", "bay"], ["database", "bay"], ["hard-drive", "bay"],
  ["folder-tree", "book"], ["book", "book"], ["shield", "lock"], ["shield-check", "cert"], ["plus-circle", "go"], ["play", "go"], ["settings", "gear"], ["sliders", "gear"], ["search", "find"], ["camera", "file"], ["bar-chart", "bar"],
]);

function Failed({ part, fault }: { part: Part; fault: string }) {
  return <Panel id={`t-${part.id}`} title={part.title}><p class="v is-warn wrap"><Shape of="warn" />This part cannot be drawn from what the add-on says: {fault}</p></Panel>;
}

function Unknown({ part }: PartProps) {
  return (
    <Panel id={`t-${part.id}`} title={part.title}>
      <p class="v is-inc wrap"><Shape of="inc" />This box does not know components of the type “{part.type.slice(0, 60)}”. A newer version of the box may.</p>
    </Panel>
  );
}

/** Spans of the parts of a page: two neighbours that need half the width share a row. */
export function spans(parts: readonly Part[]): ("half" | "whole")[] {
  const list: ("half" | "whole")[] = [];
  for (let i = 0; i < parts.length; i++) {
    const [here, next] = [parts[i], parts[i + 1]];
    if (here && next && HALF.has(here.type) && HALF.has(next.type)) {
      list.push("half", "half");
      i += 1;
    } else list.push("whole");
  }
  return list;
}

function Agents({ around, source }: { around: Around; source: string }) {
  const asked = useSource({ part: { type: "", id: "page", title: "", about: "", source: "", config: {} }, around: { ...around, agent: signal("") } }, source);
  const list = asked.told.value ? offers({ source: "addon_agents", optionValue: "", optionLabel: "" }, asked.told.value.items, asked.told.value.value, "") : [];
  return (
    <label class="slim">Agent <select value={around.agent.value} onChange={(e) => (around.agent.value = e.currentTarget.value)}>
      <option value="">all</option>{list.map((one) => <option key={one.value} value={one.value}>{one.label}</option>)}</select></label>
  );
}

function Refresh({ page, around }: { page: Page; around: Around }) {
  const every = useSignal("");
  useEffect(() => {
    const seconds = Number(every.value);
    if (!(seconds >= 1)) return;
    const timer = setInterval(() => document.visibilityState === "visible" && (around.turn.value += 1), Math.max(2, seconds) * 1000);
    return () => clearInterval(timer);
  }, [every.value]);
  return (
    <>
      {page.every.length > 0 && <label class="slim">Ask anew <select value={every.value} onChange={(e) => (every.value = e.currentTarget.value)}><option value="">by hand</option>{page.every.map((one) => <option key={one.value} value={one.value}>every {one.label}</option>)}</select></label>}
      {page.manual && <button class="btn small" type="button" onClick={() => (around.turn.value += 1)}>Ask now</button>}
    </>
  );
}

/** One part, and whether the browser draws it: what is far out of view is left out of layout and picture by `addon.css`. */
function Place({ part, around, width }: { part: Part; around: Around; width: string }) {
  const place = useRef<HTMLDivElement>(null);
  const seen = useSignal(true);
  // Before the first picture, which tells it for the first time.
  useLayoutEffect(() => {
    const element = place.current;
    // Rows of jobs are left out one by one, and tell it in the same way.
    const turned = (event: Event) => event.target === element && (seen.value = !(event as Event & { skipped: boolean }).skipped);
    element?.addEventListener("contentvisibilityautostatechange", turned);
    return () => element?.removeEventListener("contentvisibilityautostatechange", turned);
  }, []);
  const Here = PARTS.get(part.type) ?? Unknown;
  return <div ref={place} id={part.id} class={`${width} of-${PARTS.has(part.type) ? part.type : "none"}`}><Fence instead={(fault) => <Failed part={part} fault={fault} />}><Here part={part} around={around} seen={seen} /></Fence></div>;
}

function Parts({ page, around }: { page: Page; around: Around }) {
  const widths = spans(page.parts);
  if (page.parts.length === 0) return <p class="mute">This page of the add-on has nothing on it.</p>;
  return <div class="parts">{page.parts.map((part, index) => <Place key={part.id} part={part} around={around} width={widths[index] ?? "whole"} />)}</div>;
}

function Body({ addon, manifest, page, again }: { addon: AddonView; manifest: Manifest; page: string | null; again: () => void }) {
  const feed = useMemo(() => new Feed(addon.id), [addon.id]);
  useEffect(() => () => feed.close(), [feed]);
  const agent = useSignal("");
  const turn = useSignal(0);
  const around = useMemo<Around>(() => ({ addon, feed, agent, turn }), [addon, feed]);
  useEffect(() => feed.hear(["status", "manifest"], again), [feed]);
  const here = page === null ? manifest.pages[0] : manifest.pages.find(({ id }) => id === page);
  return (
    <>
      {manifest.pages.length > 1 && (
        <nav class="subnav" aria-label={`Pages of ${addon.name}`}>
          {manifest.pages.map(({ id, title, icon }) => <a key={id} href={addonPath(addon.id, id)} aria-current={id === here?.id ? "page" : undefined}><Icon name={ICONS.get(icon) ?? "plug"} />{title}</a>)}
        </nav>
      )}
      {feed.live.value === false && <p class="v is-inc wrap" role="status"><Shape of="inc" />The live figures of this add-on are interrupted; what you see is from before. The page connects again by itself.</p>}
      {here ? (
        <>
          {(here.agents || here.manual || here.every.length > 0) && <div class="pagetools">{here.agents && <Agents around={around} source={here.agents} />}<Refresh page={here} around={around} /></div>}
          <Parts key={here.id} page={here} around={around} />
        </>
      ) : <p class="mute">The add-on's manifest has no page of this name.</p>}
    </>
  );
}

/** The page of an add-on that has told none: what was refused of it, and an ear for the manifest. */
function Awaiting({ addon, again }: { addon: AddonView; again: () => void }) {
  useEffect(() => {
    const feed = new Feed(addon.id);
    const deaf = feed.hear(["status", "manifest"], again);
    // What came between the answer that had no manifest and the stream's begin is in neither.
    const listens = feed.live.subscribe((live) => live && again());
    return () => {
      deaf();
      listens();
      feed.close();
    };
  }, [addon.id]);
  return (
    <div class="panel"><h2>{addon.id === BUILT_IN ? "The agent has not told its pages yet" : "This add-on has not sent its manifest yet"}</h2>
      <p>Its pages appear here when it has. Until then there is nothing to draw: an add-on's pages come only through its manifest.</p>
      <Refused addon={addon} open /></div>
  );
}

/** When it was heard: turns with the clock, and nothing else of the page with it. */
function Heard({ at }: { at: string | null }) {
  return <span class="mute">{at ? `heard ${ago(at, now.value)}` : "never heard"}</span>;
}

/** The page. */
export function AddonPage({ id, page }: { id: string; page: string | null }) {
  const addon = useSignal<AddonView | null>(null);
  const problem = useSignal<Problem | null>(null);
  const count = useSignal(0);
  useEffect(() => {
    let gone = false;
    addons.show(id).then((view) => {
      if (gone) return;
      problem.value = null;
      // The same manifest stays the same object, so that a change of status redraws the head alone.
      addon.value = view;
    }, (thrown: unknown) => {
      if (!gone) problem.value = asProblem(thrown);
    });
    return () => {
      gone = true;
    };
  }, [id, addonNews.value, count.value]);
  const view = addon.value;
  const manifest = useMemo(() => (view?.has_manifest ? readManifest(view.manifest_json) : null), [view?.has_manifest, view?.manifest_json]);
  if (!view) {
    return (
      <main id="main" class="addon" tabIndex={-1}>{problem.value ? <><h1 class="sr">Add-on</h1><ProblemNote problem={problem.value} /><a class="btn" href="/addons">All add-ons</a></> : <p class="mute" role="status">Asking the box.</p>}</main>
    );
  }
  return (
    <main id="main" class="addon" tabIndex={-1}>
      <div class="pagehd">
        <div><p class="crumb"><a href="/addons">Add-ons</a></p><h1>{view.name}</h1>
          <p class="mute">{[view.description, view.version !== "0.0.0" && view.version ? `version ${view.version}` : ""].filter(Boolean).join(", ")}</p></div>
        <div class="state"><Status addon={view} /><Heard at={view.last_seen} /></div>
      </div>
      <ProblemNote problem={problem.value} />
      {manifest ? <Body key={view.id} addon={view} manifest={manifest} page={page} again={() => (count.value += 1)} /> : (
        <Awaiting key={view.id} addon={view} again={() => (count.value += 1)} />
      )}
    </main>
  );
}

