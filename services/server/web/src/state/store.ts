/**
 * What the page knows of the box, and how each message of the stream changes it.
 *
 * `reduce` is pure: the same state and message give the same new state, and parts that a message
 * does not touch keep their identity, so that a card whose drive did not change is not drawn again.
 * Tested in `store.test.ts`.
 */
import type { BoxView, Drive, DriveId, Event, FaultKind, Job, JobId, JobLine, JobProgress, LogLine, Outcome, Phase, PlaybookInfo } from "@wire";

import { contentWords } from "../format";

/** Throughput of the running phase as the page saw it, for phases whose surface has not come yet. */
export interface Trail {
  /** Index of the step. */
  step: number;
  /** Pairs of share done (0 to 1 of the step) and bytes a second, in that order. */
  points: readonly (readonly [number, number])[];
}

/** Everything that the stream told. */
export interface Known {
  box: BoxView | null;
  /** `null` until the first list has come: "no drives" is a fact, "not told yet" another. */
  drives: readonly Drive[] | null;
  /** `null` until the box has told them. */
  playbooks: readonly PlaybookInfo[] | null;
  jobs: ReadonlyMap<JobId, Job>;
  logs: ReadonlyMap<JobId, readonly LogLine[]>;
  trails: ReadonlyMap<JobId, Trail>;
  /** When something new came of each job, in milliseconds of this page's monotonic clock. */
  heard: ReadonlyMap<JobId, number>;
  /** Newest last, without gaps at the end. */
  events: readonly Event[];
}

/** Nothing yet. */
export const NOTHING: Known = {
  box: null, drives: null, playbooks: null, jobs: new Map(), logs: new Map(), trails: new Map(), heard: new Map(), events: [],
};

/** A message of the stream, decoded. */
export type News =
  | { type: "box"; data: BoxView }
  | { type: "drives"; data: Drive[] }
  | { type: "playbooks"; data: PlaybookInfo[] }
  | { type: "job"; data: Job }
  | { type: "progress"; data: JobProgress }
  | { type: "log"; data: JobLine }
  | { type: "event"; data: Event };

const WORDS = new Set(["box", "drives", "playbooks", "job", "progress", "log", "event"]);

/** Decodes a message; a word that this page does not know yet is left out. */
export function decode(event: string, data: string): News | null {
  if (!WORDS.has(event)) return null;
  try {
    return { type: event, data: JSON.parse(data) as unknown } as News;
  } catch {
    return null;
  }
}

/** Most log lines kept for one job; the box keeps the rest. */
export const LOG_LINES = 1000;

/** Most events kept in the page. */
export const EVENTS = 2000;

/** Places at which a trail is remembered. */
const TRAIL_PLACES = 256;

/** Steps that go over the drive from one end to the other. */
export const SWEEPS: ReadonlySet<Phase> = new Set<Phase>(["write", "verify", "trim", "trim_check", "scan"]);

function extend(trail: Trail | undefined, step: number, place: number, rate: number): Trail {
  const points = trail && trail.step === step ? trail.points : [];
  const bucket = (x: number) => Math.floor(x * TRAIL_PLACES);
  // A resume goes back; what lies beyond it will be measured again.
  const kept = points.filter(([x]) => bucket(x) < bucket(place));
  return { step, points: [...kept, [place, rate] as const] };
}

function changed<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

/** Puts events into their order, each once. */
export function mergeEvents(known: readonly Event[], more: readonly Event[]): readonly Event[] {
  const last = known.at(-1);
  if (more.length === 1 && more[0] && (!last || more[0].seq > last.seq)) return [...known, more[0]].slice(-EVENTS);
  const bySeq = new Map(known.map((event) => [event.seq, event]));
  for (const event of more) bySeq.set(event.seq, event);
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq).slice(-EVENTS);
}

/** One message's effect; `at`: when it came, in milliseconds of this page's monotonic clock. */
export function reduce(known: Known, news: News, at: number): Known {
  switch (news.type) {
    case "box":
      return { ...known, box: news.data };
    case "drives": {
      const before = new Map((known.drives ?? []).map((drive) => [drive.key, drive]));
      const drives = news.data.map((drive) => {
        const old = before.get(drive.key);
        return old && JSON.stringify(old) === JSON.stringify(drive) ? old : drive;
      });
      return { ...known, drives };
    }
    case "playbooks":
      return { ...known, playbooks: news.data };
    case "job": {
      const { id } = news.data;
      // After a broken connection the box tells again what it heard before: that is no news.
      const isNew = JSON.stringify(known.jobs.get(id)) !== JSON.stringify(news.data);
      return { ...known, jobs: changed(known.jobs, id, news.data), heard: isNew ? changed(known.heard, id, at) : known.heard };
    }
    case "progress": {
      const { progress } = news.data;
      const job = known.jobs.get(news.data.job);
      if (!job) return known;
      // A test that stands still measures nothing: what it tells meanwhile is a mean that runs out.
      const stands = job.state.kind !== "running" || (job.progress?.step === progress.step && job.progress.done === progress.done);
      const trails =
        !stands && progress.total > 0 && SWEEPS.has(progress.phase)
          ? changed(known.trails, job.id, extend(known.trails.get(job.id), progress.step, Math.min(1, progress.done / progress.total), progress.rate))
          : known.trails;
      return { ...known, jobs: changed(known.jobs, job.id, { ...job, progress }), trails, heard: changed(known.heard, job.id, at) };
    }
    case "log": {
      const { job: id, line } = news.data;
      if (id === null) return known;
      const lines = [...(known.logs.get(id) ?? []), line].slice(-LOG_LINES);
      return { ...known, logs: changed(known.logs, id, lines) };
    }
    case "event":
      return { ...known, events: mergeEvents(known.events, [news.data]) };
  }
}

/** Jobs that were asked for beside the stream; of a job that both told, the stream's stays: it goes on telling it. */
export function addJobs(known: Known, jobs: readonly Job[]): Known {
  const added = jobs.filter(({ id }) => !known.jobs.has(id));
  return added.length === 0 ? known : { ...known, jobs: new Map([...known.jobs, ...added.map((job) => [job.id, job] as const)]) };
}

/** The job that has the last word on each drive: the newest, but a failure stands until a later job has disproved it. Job ids made later sort later. */
export function lastWords(jobs: ReadonlyMap<JobId, Job>): ReadonlyMap<DriveId, Job> {
  const last = new Map<DriveId, Job>();
  const asked = new Map<DriveId, boolean>();
  const inOrder = [...jobs.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const job of inOrder.filter(isOver)) {
    const before = last.get(job.drive);
    // What it said of itself at an earlier failure was not asked again by a later one.
    if (hasFailed(job)) asked.set(job.drive, hasAsked(job) || (hasFailed(before) && asked.get(job.drive) === true));
    if (!hasFailed(before) || hasFailed(job) || disproves(job, asked.get(job.drive) === true)) last.set(job.drive, job);
  }
  // What runs is told first, but not what a later job has left behind.
  const newest = new Map(inOrder.map((job) => [job.drive, job]));
  for (const job of newest.values()) if (!isOver(job)) last.set(job.drive, job);
  return last;
}

const done = (job: Job, which: (phase: Phase) => boolean) => job.phases.some(({ phase, status }) => status === "done" && which(phase));

/** The steps in which a drive is asked what it says of itself. */
const OWN_WORD: ReadonlySet<Phase> = new Set(["smart_before", "smart_after", "self_test_short", "self_test_extended"]);

const hasAsked = (job: Job) => done(job, (phase) => OWN_WORD.has(phase));

/** The steps that read a drive's SMART. */
const SMART: ReadonlySet<Phase> = new Set(["smart_before", "smart_after"]);

/** What a drive's SMART says against it before hours are given to it; `undefined` where nothing does, hours are given already, or a verdict says as much: FAILED does, and one that weighed it, by a test that read SMART and ended since. */
export function illOf({ ill }: Drive, job: Job | undefined): Drive["ill"] | undefined {
  if (!ill || !job) return ill;
  const outcome = job.verdict?.outcome;
  if (!isOver(job) || outcome === "FAILED") return undefined;
  const weighed = (outcome === "PASSED" || outcome === "WARN") && done(job, (phase) => SMART.has(phase)) && Date.parse(job.ended ?? "") >= Date.parse(ill.since ?? "");
  return weighed ? undefined : ill;
}

/**
 * Whether a job showed that its drive keeps what is written to it, though it failed before, and was `asked` for its own word then: one that only
 * read, or was ended, showed nothing of that, a constant pattern looks the same in every place, and what the drive said of itself then has to be
 * asked again. As `wire`'s `Grounds` has it.
 */
function disproves(job: Job, asked: boolean): boolean {
  const outcome = job.verdict?.outcome;
  const keeps = (outcome === "PASSED" || outcome === "WARN") && done(job, (phase) => phase === "verify") && !(job.verdict?.rules ?? []).some(({ id }) => id.startsWith("constant-pattern"));
  return keeps && (!asked || done(job, (phase) => phase === "smart_after"));
}

/** Whether nothing more will happen to a job. */
export function isOver(job: Job): boolean {
  return job.state.kind === "finished" || job.state.kind === "aborted";
}

/** Index of the step that a test is at: the one that runs, between two of them the next, and their number once all are behind it. Progress comes more often than the whole job, so it knows first that one has begun. */
export function stepOf({ progress, phases }: Job): number {
  const at = progress?.step ?? phases.findIndex(({ status }) => status === "running" || status === "interrupted");
  const next = at < 0 ? phases.findIndex(({ status }) => status === "pending") : at;
  return next < 0 ? phases.length : next;
}

/** What a test without progress tells in the place of the time that is left. */
export function unmeasured(job: Job): string {
  const at = stepOf(job);
  const step = job.phases[at];
  return !step || step.phase === "smart_after" ? "nearly done" : at === 0 ? "starting" : "estimating";
}

/** How far the running step is, 0 to 1; `null` where it has no measure. */
export function shareOf(job: Job, step: number): number | null {
  const p = job.progress;
  if (!p || p.step !== step) return null;
  if (p.total > 0) return Math.min(1, p.done / p.total);
  return p.phase_percent === null ? null : Math.min(1, p.phase_percent / 100);
}

/** Whether a person holds a job: then it does not go on by itself. */
export function isPaused(job: Job): boolean {
  return job.state.kind === "waiting" && /^paused/i.test(job.state.why);
}

/** Whether the box found a drive bad: that stays true of it whatever else is wrong with it, so it is told before a refusal. */
export function hasFailed(job: Job | undefined): boolean {
  return job !== undefined && isOver(job) && job.verdict?.outcome === "FAILED";
}

/** Whether all that a job has found may be the box's own memory, which failed its test: then nothing is blamed on the drive. */
export function isHosts(job: Job): boolean {
  const may: readonly FaultKind[] = ["host_memory", "bit_flip", "corrupt", "transient"];
  return job.findings.some(({ kind }) => kind === "host_memory") && job.findings.every(({ kind }) => may.includes(kind));
}

/** Where a drive sits: the piece of hardware, and the place on it as it was told and as short as a bay number. */
export function bayOf(drive: Drive): { group: string; note: string; told: string; place: string } {
  const parts = drive.location.split(", ");
  const pci = parts.find((part) => part.startsWith("PCI ")) ?? "";
  const enclosure = parts.find((part) => part.startsWith("enclosure ")) ?? "";
  const note = [pci, enclosure].filter(Boolean).join(", ");
  const told = parts.findLast((part) => part !== pci && part !== enclosure) ?? "";
  // A SCSI address is host:channel:target:lun; where channel and lun are 0, as on a backplane, the target says it all.
  const place = told.replace(/^(SATA port|SAS|SCSI|USB|card slot|bay) /, "").replace(/^\d+:0:(\d+):0$/, "$1").replace(/^\d+:(\d+:\d+:\d+)$/, "$1");
  switch (drive.bus) {
    // One controller with many ports is one enclosure; each NVMe drive is a controller of its own.
    case "sata": return { group: "SATA", note, told, place };
    case "scsi": return { group: "SAS and SCSI", note, told, place };
    case "nvme": return { group: "NVMe", note: "", told, place: place || drive.kernel_name.replace(/n\d+$/, "") };
    case "usb": return { group: "USB", note: "", told, place };
    case "mmc": return { group: "Card slots", note: "", told, place };
    case "virtio": return { group: "Virtual disks", note: "", told, place };
    case "loop": return { group: "Loop devices", note: "for tests", told, place };
    case "other": return { group: "Others", note, told, place };
  }
}

/** Drives by controller, in the order of their places. */
export function byGroup(drives: readonly Drive[]): { name: string; note: string; drives: Drive[] }[] {
  const groups = new Map<string, { name: string; note: string; drives: Drive[] }>();
  const order = new Intl.Collator("en", { numeric: true }).compare;
  for (const drive of drives) {
    const { group: name, note } = bayOf(drive);
    const key = `${name} ${note}`;
    const group = groups.get(key) ?? { name, note, drives: [] };
    group.drives.push(drive);
    groups.set(key, group);
  }
  const rank = ["sata", "scsi", "nvme", "usb", "mmc", "virtio", "other", "loop"];
  const first = (group: { drives: Drive[] }) => rank.indexOf(group.drives[0]?.bus ?? "other");
  for (const { drives: list } of groups.values()) {
    // As a person named the bays, else as the box names them.
    const at = (drive: Drive) => drive.bay ?? bayOf(drive).place;
    list.sort((a, b) => order(at(a), at(b)) || order(a.kernel_name, b.kernel_name) || order(a.key, b.key));
  }
  return [...groups.values()].sort((a, b) => first(a) - first(b) || order(a.note, b.note));
}

/** Most characters on a plate. */
const PLATE = 8;

/** What stands on a drive's plate: the bay's name or its place, as short as a bay number, else its kernel name, which holds only while somebody watches the bus. */
export function plateOf(drive: Drive): string {
  if (drive.bay && drive.bay.length <= PLATE) return drive.bay;
  const { place } = bayOf(drive);
  if (place.length > 0 && place.length <= PLATE) return place;
  return drive.as_of ? `was ${drive.kernel_name}` : drive.kernel_name;
}

/** The worst of what a job's verdict is heading for by what its drive says of itself, in words. */
export function headingOf(job: Job): { outcome: Outcome; words: string } | undefined {
  const [worst] = job.verdict ? [] : job.heading;
  return worst && { outcome: worst.outcome, words: `${worst.means} (${worst.value})` };
}

/** Where a drive's first fault is, in sectors; `undefined` where none has a place. */
export function firstFault(job: Job): number | undefined {
  const places = job.findings.flatMap(({ lba }) => (lba === null ? [] : [lba]));
  return places.length === 0 ? undefined : Math.min(...places);
}

/** How hot a drive is, in degrees Celsius: a running job measures more often than the bus is looked at; one that waits measures nothing. */
export function heatOf(drive: Drive, job: Job | undefined): number | null {
  return job?.state.kind === "running" ? (job.progress?.temperature ?? drive.temperature) : drive.temperature;
}

/** The hottest of the drives that are here and watched. */
export function hottestOf(drives: readonly Drive[], jobs: ReadonlyMap<string, Job>): { drive: Drive; heat: number } | undefined {
  return drives.flatMap((drive) => {
    const heat = drive.present && !drive.as_of ? heatOf(drive, jobs.get(drive.id ?? "")) : null;
    return heat === null ? [] : [{ drive, heat }];
  }).sort((a, b) => b.heat - a.heat)[0];
}

/** Whether a drive may be chosen for a burn-in now. */
export function canChoose(drive: Drive, job: Job | undefined): boolean {
  return drive.present && !drive.as_of && drive.id !== null && drive.refused === null && (!job || isOver(job));
}

/** Whether a drive that was chosen stays so: one that the box has only not told anew yet does, and whoever chose it finds it chosen. */
export function staysChosen({ as_of: _, ...drive }: Drive, job: Job | undefined): boolean {
  return canChoose(drive, job);
}

/** Refusals that a person may override by giving up, drive by drive, what stands there and does not run. The box decides again. */
const isMembership = (kind: string) => kind === "luks" || kind.endsWith("-member");

/** Refusals because something works with the drive now, as the box names them; any other says what the drive or its content is. */
const USES: ReadonlySet<string> = new Set([
  "boot-disk", "mounted", "swap", "md-active", "lvm-active", "dm-crypt", "device-mapper", "bcache-active", "btrfs-mounted", "loop-backing", "exported",
  "open-for-writing", "holder", "exclusive", "locked",
]);

/** Whether a drive is refused because something works with it now. */
export function inUse(drive: Drive): boolean {
  return drive.refused !== null && USES.has(drive.refused.kind);
}

/** Whether a drive is refused only because it is a member of something that does not run. */
export function canGiveUp(drive: Drive, job: Job | undefined): boolean {
  return drive.refused !== null && isMembership(drive.refused.kind) && canChoose({ ...drive, refused: null }, job);
}

/** What is known of a drive's test in one word, as its card has it: what it does now, or its verdict. */
function testWord(drive: Drive, job: Job | undefined): string {
  if (!job) return "";
  if (isOver(job)) return job.verdict?.outcome ?? "";
  return isPaused(job) ? "paused" : drive.present ? job.state.kind : "waiting";
}

/** Whether a drive answers to what was typed into the search: what it is, where, what is on it and what its test says. */
export function matches(drive: Drive, job: Job | undefined, text: string): boolean {
  const { head, detail } = contentWords(drive.content);
  const hay = [drive.model, drive.serial, drive.kernel_name, drive.location, drive.bay ?? "", drive.wwn ?? "", drive.bus, head, detail, testWord(drive, job)].join(" ").toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => hay.includes(word));
}
