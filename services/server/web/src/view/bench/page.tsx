/** The bench: every bay at one glance, what needs a person, and what was chosen. */
import { computed } from "@preact/signals";
import type { Drive, Job } from "@wire";

import { bytes, lastFour, plural, rate, timeLeft, titleOf } from "../../format";
import { choose, chosen, known, latest, now, search, silentFor } from "../../state/app";
import { byGroup, hottestOf, isOver, matches } from "../../state/store";
import { prefer, preferred } from "../../state/wish";
import { Icon } from "../bits";
import { Card } from "./card";
import { Banners, unheard } from "../box";
import { lazy } from "../lazy";
import { Needs } from "./needs";
import { asList, MANY, showAs } from "./view";

const Empty = lazy(() => import("./empty").then((m) => m.Empty), "", "div");
const Found = lazy(() => import("./found").then((m) => m.Found), "", "div");
const TheBox = lazy(() => import("../units").then((m) => m.TheBox), "", "div");

const minute = computed(() => Math.floor(now.value / 60_000) * 60_000);
const tens = computed(() => Math.floor(now.value / 10_000) * 10_000);

/** The moment that a card counts from: seconds are told of what has just ended alone, so that the others are drawn once a minute. */
const moment = (job: Job | undefined) => (job?.ended && tens.value - Date.parse(job.ended) < 90_000 ? tens.value : minute.value);

/** What the tests come to that nobody hears of: no figure that was true before. */
function Unheard({ words }: { words: string }) {
  return (
    <div class="figs">
      {["Testing", "Throughput", "Hottest"].map((what, i) => <div key={what} class="fig"><span class="k">{what}</span><span class="n">–</span><span class="s">{i === 0 ? words.replace(/;.*/, "").replace(/^./, (one) => one.toLowerCase()) : ""}</span></div>)}
    </div>
  );
}

function Figures({ drives }: { drives: readonly Drive[] }) {
  const still = unheard();
  if (still !== null) return <Unheard words={still} />;
  const here = drives.filter((drive) => drive.present);
  const open = [...latest.value.values()].filter((job) => !isOver(job));
  const running = open.filter((job) => job.state.kind === "running");
  const heard = running.filter((job) => silentFor(job) === null);
  const silent = running.length - heard.length;
  const moving = heard.reduce((sum, job) => sum + (job.progress?.rate ?? 0), 0);
  const waiting = open.length - running.length;
  const next = Math.min(...heard.map((job) => job.progress?.eta_job ?? Infinity));
  const hottest = hottestOf(here.filter((drive) => silentFor(latest.value.get(drive.id ?? "")) === null), latest.value);
  const [amount, unit] = rate(moving).split("\u00a0");
  return (
    <div class="figs">
      <div class="fig"><span class="k">Testing</span><span class="n">{running.length} <small>of {here.filter((drive) => drive.refused?.kind !== "boot-disk").length}</small></span>
        <span class="s">{running.length === 0 ? (waiting > 0 ? `${waiting} ${waiting === 1 ? "waits" : "wait"}` : "nothing runs") : silent > 0 ? `nothing heard of ${silent}` : Number.isFinite(next) ? `next done in ${timeLeft(next)}` : "time left not known yet"}</span></div>
      <div class="fig"><span class="k">Throughput</span><span class="n">{amount} <small>{unit}</small></span>
        <span class="s">{silent > 0 ? "of those that are heard" : "all drives together"}</span></div>
      <div class="fig"><span class="k">Hottest</span><span class="n">{hottest ? hottest.heat : "–"} <small>{hottest ? "°C" : ""}</small></span>
        <span class="s">{hottest ? `…${lastFour(hottest.drive.serial)}` : "no sensor tells"}</span></div>
    </div>
  );
}

function ActBar({ drives }: { drives: readonly Drive[] }) {
  const picked = drives.filter((drive) => drive.id !== null && chosen.value.includes(drive.id));
  if (picked.length === 0) return null;
  const clear = () => {
    choose([]);
    prefer(null);
  };
  const total = bytes(picked.reduce((sum, drive) => sum + drive.capacity, 0));
  return (
    <div class="actbar" role="region" aria-label="Chosen drives">
      <b>{plural(picked.length, "drive")} chosen</b>
      <span class="sub">{total} in all: {picked.map((drive) => `…${lastFour(drive.serial)}`).join(", ")}</span>
      {preferred.value && <button class="btn for" type="button" onClick={() => prefer(null)}><span>for {titleOf(preferred.value.playbook)}</span><span aria-hidden="true">×</span><span class="sr">, chosen with the playbooks: let it go</span></button>}
      <span class="r">
        <button class="btn clr" type="button" onClick={clear}>Clear</button>
        <a class="btn hot" href="/burn">Burn in…</a>
      </span>
    </div>
  );
}

/** The bench. */
export function Bench() {
  const { drives, jobs: _jobs, trails } = known.value;
  if (drives === null) return <main id="main" tabIndex={-1}><p class="mute" role="status">Waiting for the box to tell its drives.</p></main>;
  const jobs = latest.value;
  const list = asList.value;
  const shown = search.value ? drives.filter((drive) => matches(drive, jobs.get(drive.id ?? ""), search.value)) : drives;
  return (
    <main id="main" tabIndex={-1}>
      <h1 class="sr">Bench</h1>
      <Banners />
      <div class="now"><Figures drives={drives} /><Needs drives={drives} /></div>
      {drives.length === 0 && <Empty />}
      {search.value !== "" && <Found drives={shown} />}
      {shown.length > 0 && shown.every((drive) => drive.refused !== null) && (
        <p class="note all" role="status"><Icon name="lock" /><span><b>None of these drives is offered.</b> Each says why. What is in use stays untouched: free it (unmount it, take it out of its pool), or plug in another; it shows here within two seconds.</span></p>
      )}
      {drives.length > 0 && (list || drives.length >= MANY) && (
        <p class="views" role="group" aria-label="How the bays are shown">
          {([["Cards", false], ["List", true]] as const).map(([name, one]) => <button key={name} class="btn plain" type="button" aria-pressed={list === one} onClick={() => showAs(one)}>{name}</button>)}
        </p>
      )}
      <div class={`box-all ${list ? "listed" : ""}`}>
        {byGroup(shown).map((group) => (
          <section key={`${group.name} ${group.note}`} class="chassis" aria-label={`${group.name} ${group.note}`} style={{ "--n4": Math.min(4, group.drives.length), "--n3": Math.min(3, group.drives.length), "--n2": Math.min(2, group.drives.length), "--n8": Math.min(8, group.drives.length) }}>
            <header><h2>{group.name}</h2><span>{group.note}</span><span class="r">{plural(group.drives.length, "drive")}</span></header>
            <ul class={`bays ${list ? "list" : ""}`} aria-label={`Drives, ${group.name}`}>
              {group.drives.map((drive) => {
                const job = drive.id === null ? undefined : jobs.get(drive.id);
                return <Card key={drive.key} drive={drive} job={job} trail={job && trails.get(job.id)} selected={drive.id !== null && chosen.value.includes(drive.id)} at={moment(job)} silent={silentFor(job)} />;
              })}
            </ul>
          </section>
        ))}
      </div>
      <TheBox />
      <div class="keys" aria-hidden="true">
        <span><kbd>←→↑↓</kbd> over bays</span><span><kbd>x</kbd> choose</span><span><kbd>b</kbd> burn in</span><span><kbd>/</kbd> search</span><span><kbd>?</kbd> all keys</span>
      </div>
      <ActBar drives={drives} />
    </main>
  );
}
