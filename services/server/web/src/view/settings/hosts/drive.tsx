/** A drive that a host reported: its score with parts, its alerts, and its values over time as small multiples. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "@wire";

import { asProblem, call, segment } from "../../../api";
import { ago, bytes, celsius, duration } from "../../../format";
import { meaningOf } from "../../../meaning";
import type { HostAlert, HostDrive, HostDriveHistories, HostDrivesAttributes } from "../../../openapi";
import { ProblemNote, Serial, Shape } from "../../bits";
import { type Line, outline } from "./line";

/** The shape of a status; its word stands beside it. */
export const shapeOf = (status: HostDrive["status"]) => ({ healthy: "pass", warning: "warn", critical: "fail", unknown: "inc" } as const)[status];

/** Values that people know by a name, in the order in which they are shown. */
const NAMES: Record<string, string> = {
  score: "Score", temperature: "Temperature", wear: "Wear", written: "Written", reallocated: "Reallocated", reported_uncorrectable: "Uncorrectable",
  command_timeout: "Time-outs", reallocation_events: "Reallocation events", pending: "Pending", pending_ecc: "Pending", offline_uncorrectable: "Offline uncorrectable", crc: "CRC errors",
  end_to_end: "End-to-end errors", spin_retry: "Spin retries", media_errors: "Media errors", grown_defects: "Grown defects", pending_defects: "Pending defects",
  available_spare: "Spare", read_uncorrected: "Read errors", write_uncorrected: "Write errors", verify_uncorrected: "Verify errors",
};

/** The drive's own names of its attributes, by their numbers. */
export type Named = Readonly<Record<string, string>>;

/** The names of the attributes of the drives that `of` asks for. */
export async function namesOf(of: string): Promise<Named> {
  const { drives } = await call<HostDrivesAttributes>("GET", `/api/smart/attributes?${of}`);
  return Object.fromEntries(drives.flatMap(({ attributes }) => attributes.map(({ key, name }) => [key, name])));
}

/** The keys that people know, in order, each with its name: of an attribute by what its own name tells that it counts. */
export function known(keys: readonly string[], named: Named): [key: string, name: string][] {
  const order = Object.keys(NAMES);
  const word = (key: string) => (/^\d+$/.test(key) ? (meaningOf(Number(key), named[key] ?? "") ?? "") : key);
  return keys.filter((key) => order.includes(word(key))).sort((a, b) => order.indexOf(word(a)) - order.indexOf(word(b))).map((key) => [key, NAMES[word(key)] ?? key]);
}

function figure(key: string, value: number): string {
  if (key === "temperature") return celsius(value);
  if (key === "wear" || key === "available_spare") return `${value}\u00a0%`;
  if (key === "written") return bytes(value);
  return String(value);
}

function Small({ of, name, line }: { of: string; name: string; line: Line }) {
  const last = line[line.length - 1];
  if (!last) return null;
  const { path, low, high } = outline(line);
  const range = low === high ? "unchanged" : `${figure(of, low)} to ${figure(of, high)}`;
  return (
    <li>
      <span class="mute">{name}</span>
      <b>{figure(of, last[1])}</b>
      <svg viewBox="0 0 120 32" preserveAspectRatio="none" role="img" aria-label={`${name} over time: ${range}`}><path d={path} /></svg>
      <span class="mute">{range}</span>
    </li>
  );
}

/** What costs a drive points. */
export function Parts({ parts }: { parts: HostDrive["parts"] }) {
  if (parts.length === 0) return <>Nothing costs it points.</>;
  return <ul class="plain">{parts.map((part) => <li key={part.part}>{`−${part.cost}: ${part.why}`}</li>)}</ul>;
}

/** A drive's values of the last 90 days as small pictures. */
export function History({ drive }: { drive: HostDrive }) {
  const lines = useSignal<{ all: Record<string, Line>; named: Named } | null>(null);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    const of = `hostname=${segment(drive.hostname)}&serial=${segment(drive.serial)}&model=${segment(drive.model)}&days=90`;
    Promise.all([call<HostDriveHistories>("GET", `/api/smart/attributes/history?${of}`), namesOf(of)]).then(
      ([told, named]) => (lines.value = { all: told.drives.find(({ id }) => id === drive.id)?.history ?? {}, named }),
      (thrown) => (problem.value = asProblem(thrown)),
    );
  }, [drive.id]);
  const told = lines.value;
  const shown = told && known(Object.keys(told.all).filter((key) => (told.all[key]?.length ?? 0) > 0), told.named);
  return (
    <>
      <ProblemNote problem={problem.value} />
      {!told && !problem.value && <p class="mute">Reading its history.</p>}
      {told && shown && <ul class="smalls" aria-label="Values of the last 90 days">{shown.map(([key, name]) => <Small key={key} of={key} name={name} line={told.all[key] ?? []} />)}</ul>}
    </>
  );
}

/** What people call a drive. */
export const nameOf = (drive: Pick<HostDrive, "alias" | "model" | "device">): string => drive.alias || drive.model || drive.device;

/** One drive, folded until somebody wants its history. `page`: where it has a page of its own; `forget`: asks whether one that is gone is to be forgotten. */
export function DriveRow({ drive, now, page, forget }: { drive: HostDrive; now: number; page?: string; forget: () => void }) {
  const open = useSignal(false);
  const shape = shapeOf(drive.status);
  return (
    <li class="hostdrive">
      <details onToggle={(event) => (open.value = event.currentTarget.open)}>
        <summary>
          <span class={`v is-${shape}`}><Shape of={shape} />{drive.score === null ? "no score" : `${drive.score} ${drive.status}`}</span>
          <span class="who"><b>{nameOf(drive)}</b><span class="mute"><Serial serial={drive.serial} /> {drive.device}</span></span>
          <span class="mute">{drive.present ? celsius(drive.temperature) : `last seen ${ago(drive.last_seen, now)}`}</span>
        </summary>
        <dl class="facts">
          {drive.capacity !== null && <><dt>Size</dt><dd>{bytes(drive.capacity)}</dd></>}
          {drive.power_on_hours !== null && <><dt>Running for</dt><dd>{duration(drive.power_on_hours * 3600)}</dd></>}
          <dt>Score</dt>
          <dd><Parts parts={drive.parts} /></dd>
        </dl>
        {drive.alerts.map((alert) => <AlertLine key={alert.alert} alert={alert} now={now} />)}
        {open.value && <History drive={drive} />}
        {!drive.present && <p><button class="btn small danger" type="button" aria-label={`Forget ${nameOf(drive)} ${drive.serial}…`} onClick={forget}>Forget it…</button></p>}
        {page && <p><a href={page}>Everything about this drive</a></p>}
      </details>
    </li>
  );
}

/** An alert in one line. */
export function AlertLine({ alert, now }: { alert: HostAlert; now: number }) {
  const shape = alert.severity === "critical" ? "fail" : "warn";
  return <p class={`v said is-${shape}`}><Shape of={shape} /><span>{alert.message} <span class="mute">began {ago(alert.since, now)}</span></span></p>;
}
