/** One bay: five fixed rows, so that no change of state moves a neighbour. */
import type { Drive, Job } from "@wire";

import { area, ceiling, curves, line, placeOfFinding, thin } from "../../curve";
import { ago, bytes, capacityWords, celsius, clock, contentBrief, lastFour, phaseName, plural, rate, timeLeft, usedOf, verdictShape } from "../../format";
import { drivePath, jobPath } from "../../route";
import { bayName, seatOf } from "../../seat";
import { toggle } from "../../state/app";
import { silenceWords } from "../../state/heard";
import { bayOf, canChoose, firstFault, hasFailed, headingOf, heatOf, illOf, isOver, isPaused, plateOf, shareOf, stepOf, unmeasured, type Trail } from "../../state/store";
import { Icon, Shape, Still } from "../bits";
import { asks } from "../job/ack";

/** What a card says in its second and third row and at its foot; `holds`: what is on the drive now, beneath a verdict that may be of before that came. */
interface Say { kind: string; word: string; line: string; foot: [string, string, string] | string; holds?: string }

/** A drive's state in words; `silent`: for how many seconds nothing came of its running test. Pure. */
export function say(drive: Drive, job: Job | undefined, now: number, silent: number | null = null): Say {
  const words = sayNow(drive, job, now);
  if (!drive.present) return words;
  // What was measured then is no news; what was found out about the drive is still true of it.
  const stale = (foot: string) => ({ ...words, kind: `${words.kind} stale`, foot });
  if (drive.as_of) return stale(`As of ${clock(drive.as_of, now)}; not seen since`);
  return silent === null ? words : stale(silenceWords(silent));
}

function sayNow(drive: Drive, job: Job | undefined, now: number): Say {
  const temperature = celsius(heatOf(drive, job));
  if (job && !isOver(job)) {
    if (job.state.kind === "waiting" || !drive.present) {
      return {
        kind: "held", word: isPaused(job) ? "Paused" : "Waiting", line: job.state.kind === "waiting" ? job.state.why.replace(/^paused /i, "") : "drive is out",
        foot: drive.present ? [temperature, "", isPaused(job) ? "waits for Go on" : "goes on by itself"] : `Out since ${clock(drive.since, now)}`,
      };
    }
    const at = stepOf(job);
    const step = job.phases[at];
    const name = step && phaseName(job.progress?.phase ?? step.phase);
    const word = !name ? "Ending" : job.progress || step.status !== "pending" ? name : at === 0 ? "Starting" : `Next: ${name}`;
    const bad = job.bad_sectors > 0 ? plural(job.bad_sectors, "bad sector") : headingOf(job)?.outcome === "FAILED" ? "heading for FAILED" : job.findings.length > 0 ? plural(job.findings.length, "finding") : "";
    return {
      kind: "hot", word, line: bad || (step ? `step ${at + 1} of ${job.phases.length}` : "its verdict is being signed"),
      foot: [temperature, rate(job.progress?.rate), job.progress ? timeLeft(job.progress.eta_job) : unmeasured(job)],
    };
  }
  if (!drive.present) return { kind: "gone", word: job && asks(job) ? job.verdict!.outcome : "Pulled", line: `out since ${clock(drive.since, now)}`, foot: "Nothing runs on it." };
  if (drive.refused && !hasFailed(job)) return { kind: "locked", word: "Not offered", line: drive.refused.reason, foot: [temperature, "", "kept as it is"] };
  const ill = illOf(drive, job);
  const content = contentBrief(drive.content);
  const smart = ill ? (ill.severity === "critical" ? "SMART: bad" : "SMART: look") : "";
  if (job?.verdict) {
    const first = firstFault(job);
    const place = first !== undefined && job.verdict.outcome === "FAILED" ? `at ${bytes(first * job.sector)}` : null;
    return {
      kind: `done is-${verdictShape(job.verdict.outcome)} ${job.verdict.outcome === "FAILED" ? "fail" : job.verdict.outcome === "INCONCLUSIVE" ? "inc" : ""}`,
      word: job.verdict.outcome,
      line: job.verdict.outcome === "PASSED" ? `${bytes(job.verdict.verified)} verified` : job.verdict.summary,
      ...(drive.content.state === "found" && { holds: `Now: ${[content.head, content.detail].filter(Boolean).join(", ")}` }),
      foot: drive.refused ? `Not offered: ${drive.refused.reason}` : place ?? [temperature, "", smart || (job.ended ? ago(job.ended, now) : "")],
    };
  }
  return { kind: "idle", word: content.head, line: content.detail, foot: [temperature, "", smart || "idle"] };
}

/** A card's first row: the bay's name where the plate has no room for it, and the model; pure. */
export function title(drive: Drive): string {
  const model = drive.model || "no model told";
  const { told, place } = bayOf(drive);
  // A shelf's own name of a bay, where its plate has no room for it, is what stands on the shelf.
  const bay = drive.bay ?? (told.startsWith("bay ") ? place : "");
  return bay && plateOf(drive) !== bay ? `${bay}: ${model}` : model;
}

function Ring({ job }: { job: Job }) {
  const told = job.progress ? shareOf(job, job.progress.step) : null;
  const share = told ?? 0;
  const percent = Math.floor(share * 100);
  const round = 2 * Math.PI * 28;
  const label = told !== null ? `${percent} percent of this phase` : "this phase has no measure";
  return (
    <svg class="ring rg" viewBox="0 0 64 64" role="img" aria-label={label}>
      <circle cx="32" cy="32" r="28" />
      <circle class="p" cx="32" cy="32" r="28" stroke-dasharray={round.toFixed(1)} stroke-dashoffset={(round * (1 - share)).toFixed(1)} />
      <text x="32" y="38">{told !== null ? `${percent}%` : "…"}</text>
    </svg>
  );
}

function Spark({ job, trail }: { job: Job; trail: Trail | undefined }) {
  const all = curves(job, trail, true);
  const max = Math.max(1, ceiling(all.flatMap((c) => c.points.map(([, y]) => y))).top) * 1.1;
  const now = all.find((c) => c.running);
  const grey = all.filter((c) => c !== now).at(-1);
  const hot = now && thin(now.points, 100);
  const tick = job.findings.map((f) => placeOfFinding(job, f)).find((x) => x !== null);
  return (
    <span class="spark">
      <svg viewBox="0 0 300 40" preserveAspectRatio="none" aria-hidden="true">
        {grey && <path class={hot ? "gh" : "ln"} d={line(thin(grey.points, 100), 300, 40, max)} />}
        {hot && <path class="ar" d={area(hot, 300, 40, max)} />}
        {hot && <path class="hot" d={line(hot, 300, 40, max, 2)} />}
        <path class="base" d="M0 39.5H300" />
      </svg>
      {tick !== undefined && tick !== null && <span class="tick is-fail" style={{ left: `${(tick * 100).toFixed(1)}%` }} />}
    </span>
  );
}

/** How full a drive is where nothing ran on it: what its file systems count, of all of it; nothing where none does. */
function Fill({ drive }: { drive: Drive }) {
  const used = usedOf(drive.content);
  if (used === null) return <span class="spark blank" />;
  const share = Math.min(1, used / Math.max(1, drive.capacity));
  return <span class="spark blank fill" role="img" aria-label={`${bytes(used)} used`}><i style={{ width: `${(share * 100).toFixed(1)}%` }} /></span>;
}

interface CardProps { drive: Drive; job: Job | undefined; trail: Trail | undefined; selected: boolean; at: number; silent: number | null }

/** One bay's card. `at` is the present moment in milliseconds, as finely as ages on it need; `silent` as {@link say} has it. */
export class Card extends Still<CardProps> {
  override render({ drive, job, trail, selected, at, silent }: CardProps) {
    const words = say(drive, job, Math.max(at, Date.parse(job?.ended ?? "") || 0), silent);
    const can = canChoose(drive, job);
    const name = lastFour(drive.serial) || drive.kernel_name;
    const href = job ? jobPath(job.id) : drivePath(drive.key);
    const id = drive.id;
    const what = title(drive);
    const label = [name, seatOf(drive), drive.model, capacityWords(drive.capacity)].filter(Boolean).join(", ");
    const told = [words.word, words.line, words.holds].filter(Boolean).join(", ");
    return (
      <li class={`bay ${words.kind} ${can ? "can" : ""} ${selected ? "sel" : ""}`} data-bay={id ?? drive.key} data-can={can ? "" : undefined}>
        <span class="hd">
          <span class={`plate ${bayName(drive) ? "" : "port"}`}>{plateOf(drive)}</span>
          <span class="md" title={what}>{what}</span>
          <span class="cap">{capacityWords(drive.capacity)}</span>
          {can && id !== null && (
            <label class="box">
              <input type="checkbox" checked={selected} onChange={() => toggle(id)} aria-label={`Choose ${label}, ${told}`} />
              <Icon name="tick" />
            </label>
          )}
        </span>
        <span class="id">
          <a class="l4" href={href} aria-label={`${label}, ${told}`}>{name}</a>
          <span class="st" title={words.word}>{words.word}</span>
        </span>
        <Place drive={drive} job={job} />
        <span class={`why ${words.holds ? "two" : ""}`} title={[words.line, words.holds].filter(Boolean).join(". ")}>{words.holds ? <><span>{words.line}</span><b>{words.holds}</b></> : words.line}</span>
        {job ? <Spark job={job} trail={trail} /> : <Fill drive={drive} />}
        <span class="ft">
          {typeof words.foot === "string" ? <span class="wide">{words.foot}</span> : words.foot.map((text, i) => <span key={i}>{text.startsWith("SMART") ? <a class="term" href="/docs/words#smart">{text}</a> : text}</span>)}
        </span>
      </li>
    );
  }
}

/** The 64-pixel place at the right: ring, verdict, lock or dotted ring. */
function Place({ drive, job }: { drive: Drive; job: Job | undefined }) {
  // What waits has no verdict: its ring stays where it was.
  if (job && !isOver(job)) return <Ring job={job} />;
  if ((drive.refused && !hasFailed(job)) || drive.id === null) return <span class="lockd rg"><Icon name="lock" /></span>;
  if (job?.verdict && drive.present) return <Shape of={verdictShape(job.verdict.outcome)} big />;
  return <svg class="ring rg" viewBox="0 0 64 64" aria-hidden="true"><circle class="wait" cx="32" cy="32" r="29" /></svg>;
}
