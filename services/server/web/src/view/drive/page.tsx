/** One drive: what it is, what is on it, what was done with it. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Drive, Job, Problem } from "@wire";

import "../../style/job.css";
import "../../style/lists.css";
import { api, asProblem, certificateUrl } from "../../api";
import { curves, line, placeOfFinding, thin } from "../../curve";
import { attachment, rotationName } from "../../called";
import { bytes, capacityWords, celsius, clock, contentWords, day, grouped, lastFour } from "../../format";
import { jobPath } from "../../route";
import { siblings, telling } from "../../siblings";
import { known, latest, now } from "../../state/app";
import { addJobs, canChoose, canGiveUp, hasFailed, isOver, isPaused } from "../../state/store";
import { enterGate } from "../../state/wish";
import { useAgain } from "../again";
import { Icon, Panel, ProblemNote, Serial, Shape, VerdictMark } from "../bits";
import { Banners, unheardOf } from "../box";
import { Locate } from "../locate";
import { Health } from "./health";
import { Gone } from "./gone";
import { Lately, useStory } from "./lately";
import { afterWords } from "../job/after";
import { howOf } from "../job/how";
import { SmartTable } from "../job/smart";
import { Siblings } from "./siblings";
import { useSort } from "../sort";
import { Term, Words } from "../term";
import { SurfaceMap } from "./surface-map";

/** What an empty drive may still hold: nothing of before a test of `jobs`, the newest first, that wrote over all of it and read all of that back; pure. */
export function leftOver({ content, since }: Pick<Drive, "content" | "since">, jobs: readonly Job[], at: number): string | null {
  const over = content.state !== "empty" ? undefined : jobs.find(({ phases, capacity, ended, verdict }) => ended !== null && /^(PASSED|WARN)$/.test(verdict?.outcome ?? "") && Number(verdict?.verified) >= capacity && phases.some(({ phase, status, bytes: written }) => phase === "write" && status === "done" && written >= capacity));
  if (!over?.ended) return null;
  const words = `what was on it was written over from end to end by the test that ended ${clock(over.ended, at)}`;
  return Date.parse(since) > Date.parse(over.ended) ? `${words}; it was not watched all the time since` : words;
}

function Content({ drive, jobs }: { drive: Drive; jobs: readonly Job[] }) {
  const { head, detail: unsure } = contentWords(drive.content);
  const detail = leftOver(drive, jobs, now.value) ?? unsure;
  const { list, head: column } = useSort(drive.content.state === "found" ? drive.content.signatures : [], null, {
    where: ({ partition }) => partition, kind: ({ kind }) => kind, label: ({ label, name }) => label ?? name, used: ({ used }) => used ?? null, mounted: ({ mounted }) => mounted ?? null, uuid: ({ uuid }) => uuid,
  });
  return (
    <Panel title="What is on it" span="c7">
      <p class="what"><Words text={head} /></p>
      {detail && <p class="mute"><Words text={detail} /></p>}
      {drive.content.state === "found" && (
        <table class="tbl sigs">
          <thead><tr>{column("where", "Where")}{column("kind", "Kind")}{column("label", "Label")}{column("used", "Used", "num")}{column("mounted", "Last mounted")}{column("uuid", "UUID")}</tr></thead>
          <tbody>
            {list.map((s, i) => (
              <tr key={i}><td data-k="Where">{s.partition === 0 ? "whole disk" : `partition ${s.partition}`}</td><td data-k="Kind" class="mono">{s.kind}</td><td data-k="Label" class="lb">{s.label ?? s.name ?? "–"}</td><td data-k="Used" class="num">{s.used === undefined ? "–" : bytes(s.used)}</td><td data-k="Last mounted">{s.mounted ? day(s.mounted) : "–"}</td><td data-k="UUID" class="mono uuid">{s.uuid ?? "–"}</td></tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

/** Throughput over the surface as a small picture: the last step that moved over the whole drive. */
function Mini({ job }: { job: Job }) {
  const curve = curves(job, undefined).at(-1);
  if (!curve) return <span class="mini" />;
  const points = thin(curve.points, 60);
  const max = Math.max(1, ...points.map(([, y]) => y)) * 1.1;
  const bad = job.findings.map((finding) => placeOfFinding(job, finding)).filter((x) => x !== null).slice(0, 20);
  return (
    <svg class="mini" viewBox="0 0 120 28" preserveAspectRatio="none" aria-hidden="true">
      {bad.map((x, i) => <line key={i} class="bad" x1={x * 120} x2={x * 120} y1="0" y2="28" />)}
      <path d={line(points, 120, 28, max)} />
    </svg>
  );
}

function Jobs({ jobs, asked }: { jobs: readonly Job[]; asked: boolean }) {
  const { list, head } = useSort(jobs, "started", {
    started: ({ started }) => started, playbook: ({ playbook }) => playbook, by: ({ actor }) => actor, outcome: ({ verdict }) => verdict?.outcome ?? null, certificate: ({ certificate }) => certificate?.id ?? null,
  }, true);
  return (
    <Panel title="Its life on this box" span="c12 half" note={jobs.length > 0 ? "each test, its throughput over the surface, and its certificate" : undefined}>
      {jobs.length === 0 ? asked && <p class="mute">No test yet. Each burn-in and read scan stays here, with its verdict and certificate.</p> : (
        <div class="scroll"><table class="tbl jobs">
          <thead><tr>{head("started", "Started")}{head("playbook", "Playbook")}{head("by", "By")}<th scope="col">Surface</th>{head("outcome", "Outcome")}<th scope="col">In a sentence</th>{head("certificate", "Certificate")}</tr></thead>
          <tbody>
            {list.map((job) => (
              <tr key={job.id}>
                <td data-k="Started"><a href={jobPath(job.id)}>{clock(job.started, now.value)}</a></td><td data-k="Playbook">{job.playbook}</td><td data-k="By">{job.actor}</td>
                <td class="pic"><Mini job={job} /></td>
                <td data-k="Outcome">{job.verdict ? <VerdictMark outcome={job.verdict.outcome} /> : isOver(job) ? "ended" : `${isPaused(job) ? "paused" : job.state.kind}, ${Math.floor(job.progress?.percent ?? 0)} %${unheardOf(job) === null ? "" : " when last heard"}`}</td>
                <td data-k="In a sentence">{job.verdict?.summary ?? (job.state.kind === "waiting" ? job.state.why : "")}</td>
                <td data-k="Certificate">{job.certificate ? (job.certificate.revoked
                  ? <span class="v is-fail"><Shape of="fail" />revoked</span>
                  : <a href={certificateUrl(job.id, ".html")} target="_blank" rel="noopener">{job.certificate.id}</a>) : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table></div>
      )}
    </Panel>
  );
}

/** Longest name of a bay, as the box takes it. */
const BAY_MAX = 64;

/** The bay's name, which a person gives once and which stays when the drive is exchanged. */
function Bay({ drive }: { drive: Drive }) {
  const text = useSignal<string | null>(null);
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const was = useRef(false);
  const open = text.value !== null;
  // Whoever opens it writes at once, and who closes it is where he was.
  useEffect(() => {
    if (open) field.current?.focus();
    else if (was.current) opener.current?.focus();
    was.current = open;
  }, [open]);
  const id = drive.id;
  if (id === null) return <>{drive.bay ?? "not named"}</>;
  const save = async () => {
    busy.value = true;
    problem.value = null;
    try {
      await api.nameBay(id, text.value ?? "");
      text.value = null;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  if (text.value === null) {
    return <>{drive.bay ?? "not named"} <button ref={opener} class="btn" type="button" disabled={drive.as_of !== undefined} onClick={() => { text.value = drive.bay ?? ""; }}>{drive.bay ? "Rename bay" : "Name bay"}</button></>;
  }
  return (
    <form class="bayname" onSubmit={(event) => { event.preventDefault(); void save(); }}>
      <input ref={field} type="text" maxLength={BAY_MAX} aria-label="Name of its bay" placeholder="front, second from left" value={text.value} onInput={(event) => { text.value = event.currentTarget.value; }} />
      <button class="btn" type="submit" disabled={busy.value}>Keep</button>
      <button class="btn" type="button" onClick={() => { text.value = null; problem.value = null; }}>Cancel</button>
      <ProblemNote problem={problem.value} />
    </form>
  );
}

/** How hot a drive is, or was when somebody last measured it; pure. */
export function heatWords({ present, as_of, temperature }: Drive): string {
  if (temperature === null) return present ? "no sensor tells" : "not known while it is out";
  return `${celsius(temperature)}${present && !as_of ? "" : " then"}`;
}

/** The page of one drive; `id` is its identity, or its key where it has none. */
export function DrivePage({ id }: { id: string }) {
  const { drives, jobs: all } = known.value;
  // The stream brings the newest jobs of the box; those of a drive that was here long ago are asked for.
  const asked = useSignal<{ of: string; problem: Problem | null } | null>(null);
  const ask = () => {
    api.jobsOf(id).then(
      (told) => {
        known.value = addJobs(known.peek(), told);
        asked.value = { of: id, problem: null };
      },
      (thrown: unknown) => (asked.value = { of: id, problem: asProblem(thrown) }),
    );
  };
  useEffect(ask, [id]);
  useAgain(() => (asked.peek()?.problem ?? null) !== null, ask);
  const answer = asked.value?.of === id ? asked.value : null;
  const drive = drives?.find((d) => d.id === id) ?? drives?.find((d) => d.key === id);
  const story = useStory(drive ? drive.id : id);
  if (drives === null) return <main id="main" tabIndex={-1}><p class="mute" role="status">Waiting for the box to tell its drives.</p></main>;
  const jobs = [...all.values()].filter((job) => job.drive === id).sort((a, b) => (a.id < b.id ? 1 : -1));
  const known_as = drive ?? jobs[0];
  if (!known_as && !answer) return <main id="main" tabIndex={-1}><p class="mute" role="status">Asking the box for this drive.</p></main>;
  if (!known_as && answer?.problem) return <main id="main" class="door" tabIndex={-1}><div class="panel"><h1>This drive could not be asked for</h1><ProblemNote problem={answer.problem} /><a class="btn" href="/">To the bench</a></div></main>;
  if (!known_as) {
    return <main id="main" class="door" tabIndex={-1}><div class="panel"><h1>This box does not know that drive</h1><p class="lead">It may have been burned in elsewhere, or was plugged in before this box kept a history.</p><a class="btn" href="/">To the bench</a></div></main>;
  }
  const job = latest.value.get(id);
  const can = drive !== undefined && canChoose(drive, job);
  // What needs the drive itself waits until somebody watches the bus; the page says why.
  const unseen = drive?.present && drive.as_of ? drive.as_of : null;
  const watched = drive?.present && !unseen;
  const smart = jobs.find((j) => isOver(j) && j.smart.length > 0);
  const measured = jobs.find((one) => telling(one));
  const others = siblings({ drive: id, model: known_as.model, capacity: known_as.capacity }, all.values());
  const outcome = job && isOver(job) ? job.verdict?.outcome : undefined;
  const refused = drive?.refused ? `${drive.refused.reason.charAt(0).toUpperCase()}${drive.refused.reason.slice(1)}.` : "";
  // Who reads a verdict that is not clear wants its reasons first; another test is the lesser step.
  const why = job && outcome && outcome !== "PASSED" ? job : null;
  const again = why && howOf(why) !== "read" ? "Burn in again…" : "Burn in…";
  return (
    <main id="main" tabIndex={-1}>
      <Banners />
      <div class="jobhd">
        <div class="who"><span class="l4">{lastFour(known_as.serial) || drive?.kernel_name}</span>
          <div class="sn">{known_as.model || "no model told"}, {capacityWords(known_as.capacity)}<br /><Serial serial={known_as.serial} /></div></div>
        <div class="mid">
          {outcome && <VerdictMark outcome={outcome} />}
          <h1>{!drive ? "Not plugged in" : !drive.present ? `Out since ${clock(drive.since, now.value)}` : unseen ? `Last seen ${clock(unseen, now.value)}` : drive.refused && !hasFailed(job) ? "Not offered for a burn-in" : job && !isOver(job) ? (isPaused(job) ? "Its test is paused" : job.state.kind === "waiting" ? "Its test waits" : "Being tested") : job?.verdict ? afterWords(job.verdict, drive.bus, job.acknowledged) : "Ready"}</h1>
          <p class="sayit">{refused && !hasFailed(job) ? refused : job?.verdict ? `Last verdict: ${job.verdict.outcome}. ${job.verdict.summary}` : job && !isOver(job) ? `${unheardOf(job) ?? "Its test has a page of its own"}.` : answer?.problem ? "" : answer ? "No test on this box yet." : "Asking the box for its tests."}</p>
          <ProblemNote problem={answer?.problem ?? null} />
          {refused && hasFailed(job) && <p class="mute">Not offered for another burn-in. {refused}</p>}
          {unseen && <p class="mute" id="unseen">The burn-in agent has not told this box's drives since then: it may be gone, or be another name to the kernel. Burning it in, scanning it and its light wait for the agent.</p>}
        </div>
        <div class="do">
          {job && <a class={`btn ${why ? "prime" : ""}`} href={jobPath(job.id)}>{why ? "Read why" : isOver(job) ? "Last test" : "Its test"}</a>}
          {why?.certificate && !why.certificate.revoked && <a class="btn" href={certificateUrl(why.id, ".html")} target="_blank" rel="noopener"><Icon name="cert" />Certificate</a>}
          {why && drive && <Locate drive={drive} />}
          {unseen && (!job || isOver(job)) && <button class={`btn ${why ? "" : "prime"}`} type="button" disabled aria-describedby="unseen">{again}</button>}
          {can && <button class={`btn ${why ? "" : "prime"}`} type="button" onClick={() => enterGate({ drives: [id] })}>{again}</button>}
          {drive && drive.present && drive.id !== null && (!job || isOver(job)) && <button class="btn" type="button" disabled={unseen !== null} aria-describedby={unseen ? "unseen" : undefined} onClick={() => enterGate({ drives: [id], readOnly: true })}>Read scan…</button>}
          {drive && canGiveUp(drive, job) && <button class="btn danger" type="button" onClick={() => enterGate({ drives: [id], options: { give_up: [id] } })}>Give it up and burn in…</button>}
          {!why && drive && <Locate drive={drive} />}
          {drive?.refused && !canGiveUp(drive, job) && <span class="mute"><Icon name="lock" /></span>}
        </div>
      </div>
      <div class="cols">
        {drive && <Content drive={drive} jobs={jobs} />}
        {drive && (
          <Panel title="Identity" span="c5">
            <dl class="facts">
              <dt>Serial</dt><dd class={drive.serial ? "mono" : ""}>{drive.serial || "not told"}</dd>
              <dt><Term of="WWN">World wide name</Term></dt><dd class={drive.wwn ? "mono" : ""}>{drive.wwn ?? "not told"}</dd>
              <dt>Capacity</dt><dd>{drive.capacity === 0 ? capacityWords(0) : `${bytes(drive.capacity)} (${grouped(drive.capacity)} bytes)`}</dd>
              <dt>Sectors</dt><dd>{drive.capacity === 0 ? "not told" : drive.logical_sector === drive.physical_sector ? `${drive.logical_sector} bytes` : `${drive.logical_sector} bytes, ${drive.physical_sector} inside`}</dd>
              <dt>Attached</dt><dd>{attachment(drive)}, {drive.location || "place not told"} ({drive.kernel_name} {watched ? "now" : "then"})</dd>
              <dt>Bay</dt><dd><Bay drive={drive} /></dd>
              <dt>Kind</dt><dd>{rotationName(drive.rotation)}</dd>
              <dt>Temperature</dt><dd>{heatWords(drive)}</dd>
              <dt>{drive.present ? "Here" : "Out"}</dt><dd>since {clock(drive.since, now.value)}</dd>
            </dl>
          </Panel>
        )}
        {!drive && jobs[0] && <Gone job={jobs[0]} story={story} />}
        {measured && <SurfaceMap job={measured} among={others} />}
        <Jobs jobs={jobs} asked={answer !== null && answer.problem === null} />
        <Siblings own={measured} others={others} model={known_as.model} />
        {known_as.serial && <Health serial={known_as.serial} />}
        {smart && <Panel title="SMART at the last burn-in" note={<Term of="SMART">what SMART is</Term>} span="c7"><SmartTable rows={smart.smart} /></Panel>}
        <Lately named={drive?.id !== null} story={story} jobs={jobs} span={smart ? "c5" : "c12"} />
      </div>
    </main>
  );
}
