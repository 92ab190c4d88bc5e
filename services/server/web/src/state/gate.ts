/**
 * The page's half of the gate as a pure machine: `step(gate, input)` gives the next state.
 *
 * ```text
 *  loading ─► reading ─(last label right)─► checking ─(same digest)─► arming ─► started
 *     │          ▲ ▲                           │                        │ └─(no answer to the start)─► unsure
 *     ▼          │ └── accept ── changed ◄─────┘ (another digest)       │
 *  refused       └──────────── two minutes over, plan void ◄────────────┘
 * ```
 *
 * From `changed` a person can `leave` the drives that changed: `loading` then asks for a plan of the others. What was typed for a
 * drive stays as long as all that was read of it is still so, also where that plan is refused and asked for again.
 *
 * Another playbook or option is another plan, for which every label is typed anew. What was read stays `shown` while it is asked for, so
 * that what is typed or scanned meanwhile has its field; it counts for the drives of which the new plan tells the same.
 *
 * Once the box and its agent answer again (`back`), what was refused meanwhile is asked anew, and `arming` goes through `checking` to a
 * plan that the box still knows: within the same two minutes, and only where its digest is the same.
 *
 * From `unsure` nothing leads on: the drives may be being erased, and only the bench shows whether they are.
 *
 * The box decides everything again; this only keeps a person from arming what they have not read.
 * Time is an argument. Tested in `gate.test.ts`.
 */
import type { DriveId, JobId, Plan, PlanDrive, Problem } from "@wire";

import { bytes, contentWords, lastFour } from "../format";

/** What a person typed, by drive. */
export type Typed = Readonly<Partial<Record<DriveId, string>>>;

/** What was read and typed for the drives that are gone on with. */
type Kept = { plan: Plan; typed: Typed };

/** Where the gate stands. */
export type Gate =
  | { step: "loading"; notice?: Problem; kept?: Kept; shown?: Kept }
  | { step: "refused"; problem: Problem; kept?: Kept }
  | { step: "reading"; plan: Plan; typed: Typed; notice: Problem | null }
  | { step: "checking"; plan: Plan; typed: Typed; problem: Problem | null; until?: number }
  | { step: "changed"; plan: Plan; typed: Typed; changes: string[]; drives: readonly PlanDrive[] }
  | { step: "arming"; plan: Plan; typed: Typed; deadline: number; busy: boolean; starting: boolean; problem: Problem | null }
  | { step: "unsure"; plan: Plan; problem: Problem }
  | { step: "started"; jobs: readonly JobId[] };

/** What happens to it. Times are milliseconds of one clock. */
export type Input =
  | { type: "reset" }
  | { type: "planned"; plan: Plan; asked: number }
  | { type: "refused"; problem: Problem; now: number }
  | { type: "typed"; drive: DriveId; text: string }
  | { type: "complete" }
  | { type: "accept" }
  | { type: "leave" }
  | { type: "submit" }
  | { type: "starting" }
  | { type: "started"; jobs: readonly JobId[] }
  | { type: "back" }
  | { type: "tick"; now: number };

/** How a typed text stands to a drive. */
export type Match = "empty" | "partial" | "right" | "wrong";

const same = (a: string, b: string) => a.trim().toUpperCase() === b.trim().toUpperCase();

/** Whether a drive's label is its world wide name, because another drive tells its serial, too: then the serial confirms nothing. */
export const isByWwn = (drive: PlanDrive): boolean => !drive.serial.trim().toUpperCase().endsWith(drive.label.trim().toUpperCase());

/** Compares what was typed with a drive's label, or its whole serial where that is its alone; letter case is free. */
export function match(drive: PlanDrive, text: string): Match {
  const typed = text.trim().toUpperCase();
  if (typed === "") return "empty";
  const whole = isByWwn(drive) ? drive.label : drive.serial;
  if (same(typed, drive.label) || same(typed, whole)) return "right";
  const onTheWay = drive.label.toUpperCase().startsWith(typed) || whole.trim().toUpperCase().startsWith(typed);
  return onTheWay || typed.length < Math.min(4, drive.label.length) ? "partial" : "wrong";
}

/** What is typed to give up what a drive is a member of; letter case is free. */
export const GIVE_UP = "GIVE UP";

/** Under which name the words that give up a drive's memberships are kept among what was typed. */
export const giveUpKey = (drive: DriveId): DriveId => `give up:${drive}`;

/** Whether a drive's memberships, where it has any, are given up in words. */
export function givenUp(drive: PlanDrive, typed: Typed): boolean {
  return drive.given_up.length === 0 || same((typed[giveUpKey(drive.id)] ?? "").replace(/\s+/g, " "), GIVE_UP);
}

/** Whether one drive needs no more typing. */
export function settled(drive: PlanDrive, typed: Typed): boolean {
  return match(drive, typed[drive.id] ?? "") === "right" && givenUp(drive, typed);
}

/** Whether every label of the plan has been typed, and every membership given up. */
export function complete(plan: Plan, typed: Typed): boolean {
  return plan.drives.length > 0 && plan.drives.every((drive) => settled(drive, typed));
}

/** What of a text stands before this drive's whole serial, which ends it; `null` where it does not. */
function before(drive: PlanDrive, text: string): string | null {
  const whole = (isByWwn(drive) ? drive.label : drive.serial).trim();
  const at = text.length - whole.length;
  // Of a short serial too many texts end so.
  return whole.length > 4 && at >= 0 && same(text.slice(at), whole) ? text.slice(0, at) : null;
}

/** What stays of a text in a drive's field into which another one's serial was scanned: its own label, or its whole serial that begins it. */
function standing(drive: PlanDrive, text: string): string {
  if (match(drive, text) === "right") return text.trim();
  const whole = text.trim().slice(0, drive.serial.trim().length);
  return before(drive, whole) === "" ? whole : "";
}

/**
 * What a scan (a whole serial and Enter) into one field comes to: it goes to the drive whose serial
 * it is, whichever field had the focus and whatever stood there, and the focus to the next field that is still open.
 */
export function scan(plan: Plan, typed: Typed, into: DriveId, text: string): { typed: Typed; focus: DriveId | null } {
  const scanned = text.trim();
  const right = plan.drives.filter((drive) => match(drive, scanned) === "right");
  const owners = right.length > 0 ? right : plan.drives.filter((drive) => before(drive, scanned) !== null);
  const owner = owners.find((drive) => drive.id === into) ?? (owners.length === 1 ? owners[0] : undefined);
  if (!owner) return { typed: { ...typed, [into]: text }, focus: into };
  const stood = before(owner, scanned) ?? "";
  const field = plan.drives.find((drive) => drive.id === into);
  const next: Typed = {
    ...typed,
    [into]: field ? standing(field, stood) : "",
    [owner.id]: scanned.slice(stood.length),
  };
  return { typed: next, focus: plan.drives.find((drive) => match(drive, next[drive.id] ?? "") !== "right")?.id ?? null };
}

/** What is different between the plan that a person read and the one that the box made since, in sentences. */
export function differences(before: Plan, after: Plan): string[] {
  const changes: string[] = [];
  if (before.playbook !== after.playbook) changes.push(`The playbook was ${before.playbook} and is ${after.playbook} now.`);
  else if (before.steps !== after.steps) changes.push(`The steps of the playbook ${after.playbook} are not those that you read.`);
  const now = new Map(after.drives.map((drive) => [drive.id, drive]));
  for (const old of before.drives) {
    const name = `…${lastFour(old.serial)}`;
    const fresh = now.get(old.id);
    if (!fresh) {
      changes.push(`${name} is no longer part of it.`);
      continue;
    }
    now.delete(old.id);
    if (JSON.stringify(old.content) !== JSON.stringify(fresh.content)) {
      const words = (drive: PlanDrive) => {
        const { head, detail } = contentWords(drive.content);
        return detail ? `${head} (${detail})` : head;
      };
      const [was, is] = [words(old), words(fresh)];
      changes.push(
        was === is ? `${name}: the identifiers of its content are different, under the same name: ${is}.` : `${name} held ${was} and holds ${is} now.`,
      );
    }
    if (JSON.stringify(old.given_up) !== JSON.stringify(fresh.given_up)) {
      changes.push(`${name} was a member of ${old.given_up.join(", ") || "nothing"} and is of ${fresh.given_up.join(", ") || "nothing"} now.`);
    }
    if (old.capacity !== fresh.capacity) changes.push(`${name} told a capacity of ${bytes(old.capacity)} and tells ${bytes(fresh.capacity)} now.`);
    if (old.model !== fresh.model || old.serial !== fresh.serial) changes.push(`${name} was ${old.model} ${old.serial} and is ${fresh.model} ${fresh.serial} now.`);
    if (old.label !== fresh.label) changes.push(`${name} has to be named by ${fresh.label} now.`);
    if (old.sector !== fresh.sector) changes.push(`${name} had sectors of ${old.sector} bytes and has ${fresh.sector} now.`);
  }
  for (const added of now.values()) changes.push(`…${lastFour(added.serial)} was not part of it before.`);
  return changes.length > 0 ? changes : ["The box computed another digest than before. Read the list again."];
}

const alike = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** Whether two plans were asked for alike. */
const sameChoice = (a: Plan, b: Plan) => a.playbook === b.playbook && alike(a.options, b.options);

/** Whether two plans do the same to their drives: a playbook's steps may change under its name. */
const sameAct = (a: Plan, b: Plan) => sameChoice(a, b) && a.steps === b.steps;

/** Drives of a fresh plan of which something else was read. */
function unlike(read: Plan, fresh: Plan): PlanDrive[] {
  const before = new Map(read.drives.map((drive) => [drive.id, drive]));
  return fresh.drives.filter((drive) => !alike(before.get(drive.id), drive));
}

/** What was typed for these drives. */
function typedFor(drives: readonly PlanDrive[], typed: Typed): Typed {
  const theirs = new Set(drives.flatMap(({ id }) => [id, giveUpKey(id)]));
  return Object.fromEntries(Object.entries(typed).filter(([key]) => theirs.has(key)));
}

/** What of what was typed before a plan came holds for it. */
function holding({ plan, typed }: Kept, fresh: Plan): Typed {
  const other = unlike(plan, fresh);
  return typedFor(fresh.drives.filter((drive) => !other.includes(drive)), typed);
}

/** Stops at a plan that is not the one that was read. Where no drive shows what is different, it may be different for all. */
function changed(read: Plan, typed: Typed, fresh: Plan): Gate {
  const drives = unlike(read, fresh);
  const kept = drives.length > 0 && sameAct(read, fresh) ? fresh.drives.filter((drive) => !drives.includes(drive)) : [];
  return { step: "changed", plan: fresh, typed: typedFor(kept, typed), changes: differences(read, fresh), drives };
}

/** The drives that a person can go on with after others have changed; none where all have, or what changed is no drive's. */
export function remaining(gate: Gate & { step: "changed" }): readonly PlanDrive[] {
  return gate.plan.drives.filter(({ id }) => id in gate.typed);
}

/** Problems that make the plan void: labels have to be typed again on a new one. */
const VOID = new Set(["plan-expired", "plan-unknown", "ticket-used", "ticket-wrong", "ticket-forged", "not-armed"]);
/** Problems that say that the drives are not what was read: ask again and show the difference. */
const CHANGED = new Set(["plan-changed", "drive-changed", "drive-unknown", "drive-refused", "drive-busy", "content-unknown"]);
/** Problems that do not say whether the box did what it was asked: it may be doing it. */
const UNANSWERED = new Set(["agent-unsure", "agent-late", "agent-odd", "unreachable", "page-error", "about:blank", "internal"]);

/** Problems that are over once box and agent answer; `about:blank` is a proxy's word that the box does not. */
const AWAY = new Set(["agent-away", "busy", "unreachable", "about:blank"]);

/** Whether a problem was only that the box or its agent did not answer. */
export const isAway = (problem: Problem) => AWAY.has(problem.type);

/** What a box says to a start that a browser has sent twice, as it does by itself where a connection breaks: the first one may be under way. */
const TWICE = new Set(["plan-unknown", "ticket-used"]);

/** Whether a start that came to this may be under way all the same. */
export const isUnanswered = (problem: Problem) => UNANSWERED.has(problem.type);

/** Told when the two minutes are over. */
export const OVER: Problem = {
  type: "plan-expired",
  status: 0,
  title: "The two minutes are over",
  detail: "Nothing has been written. Type the labels again when you are ready.",
};

/** Told when the box does not know the plan any more. Its own words name the plan by an id that says nothing to a person. */
export const FORGOTTEN: Problem = {
  type: "plan-unknown",
  status: 0,
  title: "The box was restarted, or the drives were asked for anew",
  detail: "Nothing has been written. Read the list and type the labels again.",
};

/** Told when the box does not know the start, which it may have begun before. */
const RESTARTED = { title: "The connection broke, or the box was restarted, while it was told to start", detail: "The bench shows what runs." };

/** Told when a start that nobody took up can be asked for again. */
export const AGAIN: Problem = {
  type: "agent-back",
  status: 0,
  title: "The box answers again",
  detail: "Nothing was started. Type the labels again.",
};

/** How far the gate was when the session ended. */
export type Cut = "before" | "starting";

/** Whether a session that ends now takes something with it that whoever logs in again has to be told of. */
export function cutAt(gate: Gate): Cut | null {
  switch (gate.step) {
    case "reading":
    case "checking":
    case "changed":
      return "before";
    case "loading":
      return gate.kept || gate.shown ? "before" : null;
    case "arming":
      return gate.starting ? "starting" : "before";
    case "unsure":
      return "starting";
    case "refused":
      // The box's answer to the last question may be what told that the session is over.
      return gate.kept || gate.problem.status === 401 ? "before" : null;
    case "started":
      return null;
  }
}

/** Told to whoever logs in again at the gate. */
export const CUT: Record<Cut, Problem> = {
  before: { type: "session-over", status: 0, title: "Your session had ended", detail: "Nothing was started, and nothing has been written. Type the labels again." },
  starting: {
    type: "session-over", status: 0, title: "Your session ended while the box was told to start",
    detail: "It may be erasing already. Look at the bench before you type anything: what has started is shown there, within two minutes.",
  },
};

/** Asks anew; what is kept of another plan stays, and what was read is shown on. */
function anew(gate: Gate): Gate {
  switch (gate.step) {
    case "loading":
      return gate.shown ? { ...gate, shown: { ...gate.shown, typed: {} } } : gate;
    case "refused":
      return gate.kept ? { step: "loading", kept: gate.kept } : { step: "loading" };
    case "reading":
    case "checking":
      return { step: "loading", shown: { plan: gate.plan, typed: {} } };
    case "changed":
    case "arming":
    case "unsure":
    case "started":
      return { step: "loading" };
  }
}

/** The next state. An input that does not fit the state changes nothing. */
export function step(gate: Gate, input: Input): Gate {
  switch (input.type) {
    case "reset":
      return anew(gate);
    case "planned":
      if (gate.step === "loading") {
        const kept = gate.kept && sameChoice(gate.kept.plan, input.plan) ? gate.kept : null;
        if (kept && (!sameAct(kept.plan, input.plan) || unlike(kept.plan, input.plan).length > 0)) return changed(kept.plan, kept.typed, input.plan);
        return { step: "reading", plan: input.plan, typed: kept?.typed ?? (gate.shown ? holding(gate.shown, input.plan) : {}), notice: gate.notice ?? null };
      }
      if (gate.step !== "checking") return gate;
      if (gate.plan.digest !== input.plan.digest) return changed(gate.plan, gate.typed, input.plan);
      return {
        step: "arming", plan: input.plan, typed: gate.typed, busy: false, starting: false, problem: gate.problem,
        deadline: Math.min(input.asked + input.plan.seconds * 1000, gate.until ?? Infinity),
      };
    case "refused":
      switch (gate.step) {
        case "loading":
          return { step: "refused", problem: input.problem, ...(gate.kept && { kept: gate.kept }) };
        case "checking":
          return { step: "refused", problem: input.problem };
        case "arming":
          if (gate.starting && isUnanswered(input.problem)) {
            return { step: "unsure", plan: gate.plan, problem: input.problem };
          }
          if (gate.starting && TWICE.has(input.problem.type)) {
            return { step: "unsure", plan: gate.plan, problem: { ...input.problem, ...RESTARTED } };
          }
          if (CHANGED.has(input.problem.type) && input.now < gate.deadline) {
            return { step: "checking", plan: gate.plan, typed: gate.typed, problem: input.problem };
          }
          // A plan that went to its start is good for no other one.
          if (VOID.has(input.problem.type) || gate.starting || input.now >= gate.deadline) {
            return { step: "reading", plan: gate.plan, typed: {}, notice: input.problem.type === FORGOTTEN.type ? FORGOTTEN : input.problem };
          }
          return { ...gate, busy: false, problem: input.problem };
        default:
          return gate;
      }
    case "typed":
      if (gate.step === "loading" && gate.shown) return { ...gate, shown: { ...gate.shown, typed: { ...gate.shown.typed, [input.drive]: input.text } } };
      return gate.step === "reading" ? { ...gate, typed: { ...gate.typed, [input.drive]: input.text } } : gate;
    case "complete":
      return gate.step === "reading" && complete(gate.plan, gate.typed)
        ? { step: "checking", plan: gate.plan, typed: gate.typed, problem: null }
        : gate;
    case "accept":
      return gate.step === "changed" ? { step: "reading", plan: gate.plan, typed: gate.typed, notice: null } : gate;
    case "leave": {
      const drives = gate.step === "changed" ? remaining(gate) : [];
      return gate.step === "changed" && drives.length > 0 ? { step: "loading", kept: { plan: { ...gate.plan, drives: [...drives] }, typed: gate.typed } } : gate;
    }
    case "submit":
      return gate.step === "arming" && !gate.busy ? { ...gate, busy: true, problem: null } : gate;
    case "starting":
      return gate.step === "arming" && gate.busy ? { ...gate, starting: true } : gate;
    case "started":
      return gate.step === "arming" ? { step: "started", jobs: input.jobs } : gate;
    case "back":
      switch (gate.step) {
        case "refused":
          return anew(gate);
        case "arming":
          // Where the box is deciding, its answer is on its way, or fails.
          return gate.busy ? gate : { step: "checking", plan: gate.plan, typed: gate.typed, problem: gate.problem && !isAway(gate.problem) ? gate.problem : null, until: gate.deadline };
        case "reading":
          return gate.notice && isAway(gate.notice) ? { ...gate, notice: AGAIN } : gate;
        case "loading":
        case "checking":
        case "changed":
        case "unsure":
        case "started":
          return gate;
      }
    case "tick":
      // While the box is deciding, its own clock rules.
      return gate.step === "arming" && !gate.busy && input.now >= gate.deadline
        ? { step: "reading", plan: gate.plan, typed: {}, notice: OVER }
        : gate;
  }
}
