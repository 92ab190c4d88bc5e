/** How one of the box's own drives has been: its score, its alerts, its wear, and its values over time with where they go. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "@wire";

import "../../style/hosts.css";
import { asProblem, call, segment } from "../../api";
import { ago, bytes, clock } from "../../format";
import type { HealthSummary, HostDrive, HostDrivesTrends, HostDrivesWear, HostDriveTrend, HostDriveWear } from "../../openapi";
import { now } from "../../state/app";
import { Panel, ProblemNote, Shape } from "../bits";
import { Words } from "../term";
import { AlertLine, History, known, type Named, namesOf, Parts, shapeOf } from "../settings/hosts/drive";
import { trendWords } from "../settings/hosts/line";

interface Told { drive: HostDrive; wear: HostDriveWear | undefined; trends: Record<string, HostDriveTrend>; named: Named }

async function ask(serial: string): Promise<Told | null> {
  const of = `hostname=this%20box&serial=${segment(serial)}&days=90`;
  const [health, wear, trend, named] = await Promise.all([
    call<HealthSummary>("GET", `/api/smart/health/summary?${of}`),
    call<HostDrivesWear>("GET", `/api/wearout/drive?${of}`),
    call<HostDrivesTrends>("GET", `/api/smart/attributes/trend?${of}`),
    namesOf(of),
  ]);
  const [drive] = health.drives;
  if (!drive) return null;
  return { drive, wear: wear.drives.find(({ id }) => id === drive.id), trends: trend.drives.find(({ id }) => id === drive.id)?.trends ?? {}, named };
}

function wearWords({ percent_used, source, written_tb, rated_tb }: HostDriveWear): string {
  const written = written_tb === null ? "" : `${bytes(written_tb * 1e12)} written${rated_tb === null ? "" : ` of ${rated_tb} TB rated`}`;
  if (percent_used === null) return written || "It tells none.";
  return `${percent_used} % of its rated life is used (${source})${written && `; ${written}`}.`;
}

/** See the file. `serial`: as the drive has it; a drive without one has no history. */
export function Health({ serial }: { serial: string }) {
  const told = useSignal<Told | null | undefined>(undefined);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    told.value = undefined;
    problem.value = null;
    ask(serial).then((found) => (told.value = found), (thrown: unknown) => (problem.value = asProblem(thrown)));
  }, [serial]);
  const all = told.value;
  const going = all ? known(Object.keys(all.trends), all.named).map(([key, name]) => (all.trends[key] ? trendWords(name, all.trends[key], (iso) => clock(iso, now.value).replace(/, \d\d:\d\d$/, "")) : "")).filter(Boolean) : [];
  return (
    <Panel title="Its health over time" span="c12 half" note={all ? `the last 90 days, read ${ago(all.drive.last_seen, now.value)}` : undefined}>
      <ProblemNote problem={problem.value} />
      {all === undefined && !problem.value && <p class="mute" role="status">Reading its history.</p>}
      {all === null && <p class="mute">Nothing is kept of it yet: the agent reads its SMART when it is plugged in and every hour after that. What says no SMART has no history.</p>}
      {all && (
        <>
          <dl class="facts">
            <dt><Words text="Score by its SMART alone" /></dt>
            <dd><span class={`v is-${shapeOf(all.drive.status)}`}><Shape of={shapeOf(all.drive.status)} />{all.drive.score === null ? "no score" : `${all.drive.score} of 100, ${all.drive.status}`}</span> <Parts parts={all.drive.parts} /></dd>
            {all.wear && (all.wear.percent_used !== null || all.wear.written_tb !== null) && <><dt>Wear</dt><dd>{wearWords(all.wear)}</dd></>}
            <dt>Where it goes</dt>
            <dd>{going.length === 0 ? "Nothing moves in a clear direction." : <ul class="plain">{going.map((words) => <li key={words}>{words}</li>)}</ul>}</dd>
          </dl>
          {all.drive.alerts.map((alert) => <AlertLine key={alert.alert} alert={alert} now={now.value} />)}
          <History drive={all.drive} />
        </>
      )}
    </Panel>
  );
}
