/** One burn-in: what it is doing, what it found, and what that means. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Job, LogLine, PhaseState, Problem, SmartRow } from "@wire";

import { api, asProblem } from "../api";
import { bytes, clock, duration, faultName, findingPlace, grouped, lastFour, phaseName, plural, rate, stamp, timeLeft, verdictShape, verifiedWords } from "../format";
import { drivePath } from "../route";
import { known, now } from "../state/app";
import { isOver } from "../state/store";
import { Dialog, Icon, Panel, ProblemNote, Serial, Shape, VerdictMark } from "./bits";
import { SurfacePlot } from "./plot";

/** What a phase needs relative to the others, for the width of its segment. */
function weight(phase: PhaseState): number {
  if (phase.phase === "write" || phase.phase === "verify") return 40;
  return phase.phase === "probe" ? 8 : 5;
}

function Track({ job }: { job: Job }) {
  return (
    <ol class="track">
      {job.phases.map((phase, step) => {
        const p = job.progress?.step === step && phase.status === "running" ? job.progress : null;
        const share = p && p.total > 0 ? p.done / p.total : 0;
        const kind = { done: "done", running: "run", pending: "todo", skipped: "todo skipped", interrupted: "run halted" }[phase.status];
        const speed = phase.seconds > 0 && phase.bytes > 0 ? rate(phase.bytes / phase.seconds) : "";
        const beneath = { done: [duration(phase.seconds), speed], running: [p && p.total > 0 ? (p.eta === null ? "time left not known yet" : `${timeLeft(p.eta)} left`) : duration(phase.seconds), p ? rate(p.rate) : ""], pending: ["to come"], skipped: ["not done"], interrupted: ["interrupted"] }[phase.status];
        return (
          <li key={step} class={kind} style={{ "--w": weight(phase) }} aria-current={phase.status === "running" ? "step" : undefined}>
            <div class="bar"><i style={{ width: `${(share * 100).toFixed(1)}%` }} /></div>
            <div class="nm">{phaseName(phase.phase)}{p && p.total > 0 ? `, ${Math.floor(share * 100)}\u00a0%` : ""}</div>
            <div class="du">{beneath.filter((text) => text && text !== "–").join(", ")}</div>
          </li>
        );
      })}
    </ol>
  );
}

/** The one sentence over everything; pure. */
export function headline(job: Job, at: number): { title: string; line: string } {
  const done = job.progress ? `${Math.floor(job.progress.percent)} % of the whole test` : "";
  if (job.verdict) {
    const seconds = ((job.ended ? Date.parse(job.ended) : at) - Date.parse(job.started)) / 1000;
    return { title: `Ended ${job.ended ? `at ${clock(job.ended, at)} ` : ""}after ${duration(seconds)}`, line: `${verifiedWords(job.verdict.verified, job.capacity)}.` };
  }
  if (job.state.kind === "waiting") return { title: "Waiting, goes on by itself", line: `${job.state.why}. ${done}` };
  if (isOver(job)) return { title: "Ended", line: "The verdict has not come yet." };
  const found = job.bad_sectors > 0 ? `${plural(job.bad_sectors, "bad sector")} so far: heading for FAILED.` : job.findings.length > 0 ? `${plural(job.findings.length, "finding")} so far.` : "Nothing wrong so far.";
  const left = job.progress?.eta_job;
  const title = left === null || left === undefined ? "Under way, time left not known yet" : `Done in ${timeLeft(left)}, near ${clock(new Date(at + left * 1000).toISOString(), at)}`;
  return { title, line: [done, found].filter(Boolean).join(". ") };
}

function Head({ job }: { job: Job }) {
  const asking = useSignal(false);
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const { title, line } = headline(job, now.value);
  const abort = async () => {
    busy.value = true;
    problem.value = null;
    try {
      await api.abort(job.id);
      asking.value = false;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  return (
    <div class="jobhd">
      <div class="who"><span class="l4">{lastFour(job.serial)}</span>
        <div class="sn">{job.model}, {bytes(job.capacity)}<br /><Serial serial={job.serial} /><br /><a href={drivePath(job.drive)}>The drive’s page</a></div></div>
      <div class="mid">{job.verdict && <VerdictMark outcome={job.verdict.outcome} />}<h1>{title}</h1><p class="sayit">{line}</p></div>
      {!isOver(job) && <div class="do"><button class="btn" type="button" onClick={() => (asking.value = true)}>End this test…</button></div>}
      {asking.value && (
        <Dialog title="End this test?" onClose={() => (asking.value = false)}>
          <p>The verdict of …{lastFour(job.serial)} will be INCONCLUSIVE: not every sector was tested. What is erased stays erased. Other drives go on.</p>
          <ProblemNote problem={problem.value} />
          <div class="do">
            <button class="btn" type="button" onClick={() => (asking.value = false)}>Go on testing</button>
            <button class="btn danger" type="button" disabled={busy.value} onClick={() => void abort()}>{busy.value ? "Ending" : "End the test"}</button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

function VerdictPanel({ job }: { job: Job }) {
  const verdict = job.verdict;
  if (!verdict) return null;
  return (
    <Panel title="Verdict" span="c12" note={`engine ${verdict.engine}, playbook ${job.playbook}, armed by ${job.actor}`}>
      <p class={`bigverdict is-${verdictShape(verdict.outcome)}`}><Shape of={verdictShape(verdict.outcome)} big /><span><b>{verdict.outcome}</b>{verdict.summary}</span></p>
      {verdict.rules.length > 0 && (
        <table class="tbl rules">
          <thead><tr><th>Rule</th><th>Leads to</th><th>Seen</th><th>Limit</th><th>Source of the limit</th></tr></thead>
          <tbody>
            {verdict.rules.map((rule) => (
              <tr key={rule.id}>
                <td data-k="Rule" class="mono">{rule.id}</td><td data-k="Leads to"><VerdictMark outcome={rule.outcome} /></td>
                <td data-k="Seen">{rule.value}</td><td data-k="Limit">{rule.limit}</td><td data-k="Source">{rule.source}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {verdict.rules.length === 0 && <p class="mute">No rule fired.</p>}
    </Panel>
  );
}

const SHOWN = 20;

function Findings({ job }: { job: Job }) {
  const all = useSignal(false);
  const list = all.value ? job.findings : job.findings.slice(0, SHOWN);
  const note = job.bad_sectors > 0 ? `${plural(job.bad_sectors, "bad sector")} in all` : undefined;
  return (
    <Panel title="Findings" span="c12" {...(note ? { note } : {})}>
      {job.findings.length === 0 ? (
        <p class="mute">{isOver(job) ? "None." : "None so far."}</p>
      ) : (
        <table class="tbl finds">
          <thead><tr><th>What</th><th>Where</th><th class="num">Sectors</th><th>Found there</th><th>Seen in</th><th>In words</th></tr></thead>
          <tbody>
            {list.map((finding, index) => (
              <tr key={index}>
                <td class="nm is-fail"><b>{faultName(finding.kind)}</b></td>
                <td data-k="Where" class="mono">{findingPlace(finding)}</td>
                <td data-k="Sectors" class="num">{grouped(finding.sectors)}</td>
                <td data-k="Found there" class="mono">{finding.found === null ? "–" : `data of LBA ${grouped(finding.found)}`}</td>
                <td data-k="Seen in">{phaseName(finding.phase)}</td>
                <td data-k="In words">{finding.detail}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {job.findings.length > SHOWN && <button class="btn" type="button" onClick={() => (all.value = !all.value)}>{all.value ? "Fewer" : `All ${job.findings.length}`}</button>}
    </Panel>
  );
}

const MEANING: Record<number, string> = {
  5: "Spare sectors used up.", 9: "Hours under power.", 187: "Reads that the drive could not correct.", 188: "Commands that took too long.",
  194: "Temperature in °C.", 190: "Temperature in °C.", 196: "Attempts to move a sector.", 197: "Sectors that it could not read and waits to retry.",
  198: "Sectors given up.", 199: "Errors on the cable: blames the link, not the drive.", 12: "Times powered on.",
};

/** The same for NVMe and SAS, which have names instead of numbers. */
const MEANING_BY_NAME: Record<string, string> = {
  "media errors": "Data that it could not correct.", "available spare": "Spare blocks left, in percent.", "percentage used": "Of the writes that it was made for.",
  "num err log entries": "Commands that ended with an error.", "unsafe shutdowns": "Power lost without a warning.", "critical warning": "Not 0: the drive itself warns.",
  "power on hours": "Hours under power.", temperature: "In °C.", "bytes written": "As the drive counts them.",
};

function meaning(row: SmartRow): string | undefined {
  return row.id === null ? MEANING_BY_NAME[row.name.replaceAll("_", " ").toLowerCase()] : MEANING[row.id];
}

/** Rows that changed first, then the telling ones. */
function sorted(rows: readonly SmartRow[]): SmartRow[] {
  const rank = (row: SmartRow) => (row.before !== row.after ? 0 : meaning(row) ? 1 : 2);
  return [...rows].sort((a, b) => rank(a) - rank(b) || (a.id ?? 999) - (b.id ?? 999));
}

/** SMART before and after as a table with bars of change. */
export function SmartTable({ rows, running }: { rows: readonly SmartRow[]; running?: boolean }) {
  const changes = rows.map((row) => (row.before === null || row.after === null ? 0 : Math.abs(row.after - row.before)));
  const most = Math.max(1, ...changes);
  const numbered = rows.some((row) => row.id !== null);
  const value = (n: number | null) => (n === null ? "–" : grouped(n));
  return (
    <table class="tbl smart">
      <thead><tr>{numbered && <th>ID</th>}<th>What</th><th class="num">Before</th><th class="num">After</th><th>Change</th></tr></thead>
      <tbody>
        {sorted(rows).map((row) => {
          const change = row.before === null || row.after === null ? null : row.after - row.before;
          const width = change === null ? 0 : (Math.log1p(Math.abs(change)) / Math.log1p(most)) * 100;
          return (
            <tr key={`${row.id ?? ""}${row.name}`}>
              {numbered && <td class="at">{row.id ?? ""}</td>}
              <td class="nm"><b>{row.name.charAt(0).toUpperCase() + row.name.slice(1).replaceAll("_", " ")}</b>{meaning(row) && <span>{meaning(row)}</span>}</td>
              <td class="num from" data-k="Before">{value(row.before)}</td>
              <td class="num to" data-k="After"><b>{value(row.after)}</b></td>
              <td class="dl">
                {change !== null && (
                  <div class={`delta ${change === 0 ? "zero" : ""}`}><span class="d">{change > 0 ? `+${grouped(change)}` : grouped(change)}</span><span class="t"><i style={{ width: `${width.toFixed(0)}%` }} /></span></div>
                )}
                {change === null && <span class="mute">{running ? "to come" : "told once only"}</span>}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function micros(us: number): string {
  if (us < 1000) return `${us}\u00a0µs`;
  return us < 1_000_000 ? `${(us / 1000).toPrecision(3)}\u00a0ms` : `${(us / 1_000_000).toPrecision(3)}\u00a0s`;
}

function Latency({ job }: { job: Job }) {
  const rows = job.surface.filter((s) => s.max_us > 0);
  return (
    <Panel title="How long one access takes" span="c5">
      {rows.length === 0 ? <p class="mute">Not measured yet.</p> : rows.map((s) => (
        <div key={s.step} class="pct">
          <div class="of">{phaseName(s.phase)}</div>
          <div><span class="k">half under</span><span class="n">{micros(s.p50_us)}</span></div>
          <div><span class="k">99 % under</span><span class="n">{micros(s.p99_us)}</span></div>
          <div><span class="k">longest</span><span class="n">{micros(s.max_us)}</span></div>
        </div>
      ))}
    </Panel>
  );
}

function Resumes({ job }: { job: Job }) {
  if (job.resumes.length === 0) return null;
  return (
    <Panel title="Interruptions" note="It went on after each; the verdict says so.">
      <ul class="ev">
        {job.resumes.map((resume, index) => (
          <li key={index}><Icon name="info" /><div><b>{resume.why}</b><span class="rule">went on {clock(resume.at, now.value)} in {phaseName(resume.phase).toLowerCase()}, at {bytes(resume.from)}</span></div></li>
        ))}
      </ul>
    </Panel>
  );
}

/** Log lines of the box and those that came since, each once, newest first. */
export function mergeLog(told: readonly LogLine[], live: readonly LogLine[]): LogLine[] {
  const key = (line: LogLine) => `${line.timestamp ?? ""} ${line.message}`;
  const seen = new Set(told.map(key));
  return [...told, ...live.filter((line) => !seen.has(key(line)))].reverse();
}

function Log({ job }: { job: Job }) {
  const told = useSignal<LogLine[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    api.jobLog(job.id).then((lines) => (told.value = lines), (thrown: unknown) => (problem.value = asProblem(thrown)));
  }, [job.id]);
  const lines = mergeLog(told.value ?? [], known.value.logs.get(job.id) ?? []);
  return (
    <Panel title="Log" note={lines.length > 0 ? `${plural(lines.length, "line")}, newest first` : undefined}>
      <ProblemNote problem={problem.value} />
      {lines.length === 0 ? <p class="mute">{told.value === null && !problem.value ? "Asking the box." : "Nothing logged yet."}</p> : (
        <div class="log" tabIndex={0} role="log" aria-label="Log, newest first">
          {lines.slice(0, 400).map((line, index) => (
            <div key={lines.length - index} class={/^(warn|error)/.test(line.level) ? "w" : ""}>{line.timestamp && <b>{stamp(line.timestamp)}</b>} {line.level !== "info" && `${line.level}: `}{line.message}</div>
          ))}
        </div>
      )}
    </Panel>
  );
}

/** The page of one job. */
export function JobPage({ id }: { id: string }) {
  const job = known.value.jobs.get(id);
  const problem = useSignal<Problem | null>(null);
  const missing = !job && known.value.drives !== null;
  useEffect(() => {
    if (!missing) return;
    api.job(id).then(
      (told) => (known.value = { ...known.peek(), jobs: new Map(known.peek().jobs).set(told.id, told) }),
      (thrown: unknown) => (problem.value = asProblem(thrown)),
    );
  }, [id, missing]);
  if (!job) {
    return (
      <main id="main" class="door" tabIndex={-1}>
        {problem.value ? (
          <div class="panel"><h1>No such job</h1><ProblemNote problem={problem.value} /><a class="btn" href="/">To the bench</a></div>
        ) : <p class="mute" role="status">Asking the box for this job.</p>}
      </main>
    );
  }
  return (
    <main id="main" tabIndex={-1}>
      <Head job={job} />
      <div class="cols">
        <VerdictPanel job={job} />
        <section class="panel c12" aria-label="Phases"><Track job={job} /></section>
        <SurfacePlot job={job} trail={known.value.trails.get(job.id)} />
        {(job.findings.length > 0 || isOver(job)) && <Findings job={job} />}
        <Panel title="SMART, before and after" span="c7">
          {job.smart.length > 0 ? <SmartTable rows={job.smart} running={!isOver(job)} /> : <p class="mute">{job.phases.some((p) => p.phase === "smart_before") ? "Nothing read yet, or the drive tells nothing." : "This playbook does not read SMART."}</p>}
        </Panel>
        <Latency job={job} />
        <Resumes job={job} />
        <Log job={job} />
      </div>
    </main>
  );
}
