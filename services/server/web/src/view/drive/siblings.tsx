/** A drive beside the others of its model and size: what differs in a batch is what a single drive does not show. */
import type { Job } from "@wire";

import { line, thin } from "../../curve";
import { bytes, celsius, clock, grouped, lastFour, plural, rate } from "../../format";
import { drivePath, jobPath } from "../../route";
import { figures, telling } from "../../siblings";
import { now } from "../../state/app";
import { isOver } from "../../state/store";
import { Panel, VerdictMark } from "../bits";
import { useSort } from "../sort";

const hours = (job: Job) => job.smart.find(({ id, name }) => id === 9 || name.replaceAll("_", " ").toLowerCase() === "power on hours");

function Curve({ job, max }: { job: Job; max: number }) {
  const curve = telling(job);
  return <svg class="mini" viewBox="0 0 120 28" preserveAspectRatio="none" aria-hidden="true">{curve && <path d={line(thin(curve.points, 60), 120, 28, max)} />}</svg>;
}

/** The panel; nothing without a sibling. `own`: this drive's newest measured job, where it has one. */
export function Siblings({ own, others, model }: { own: Job | undefined; others: readonly Job[]; model: string }) {
  const rows = [...(own ? [own] : []), ...others].map((job) => {
    const hour = hours(job);
    return { job, ...figures(job), hours: hour ? (hour.after ?? hour.before) : null };
  });
  const max = Math.max(1, ...rows.flatMap(({ job }) => telling(job)?.points.map(([, y]) => y) ?? [])) * 1.1;
  const { list, head } = useSort(rows, "mean", {
    drive: (row) => lastFour(row.job.serial), outcome: (row) => row.job.verdict?.outcome ?? "", mean: (row) => row.mean, slowest: (row) => row.slowest?.[1] ?? null,
    faults: (row) => row.job.findings.length, hottest: (row) => row.hottest, hours: (row) => row.hours,
  });
  if (others.length === 0) return null;
  return (
    <Panel title="Beside its siblings" span="c12 half" note={`${plural(others.length, "other drive")} of model ${model} and the same size, each by its newest test here`}>
      <div class="scroll"><table class="tbl sibs">
        <thead><tr>{head("drive", "Drive")}{head("outcome", "Verdict")}<th scope="col">Speed over the surface</th>{head("mean", "Mean without pauses, MB/s", "num")}{head("slowest", "Slowest place, MB/s", "num")}{head("faults", "Findings", "num")}{head("hottest", "Hottest, °C", "num")}{head("hours", "Hours on", "num")}</tr></thead>
        <tbody>
          {list.map(({ job, mean, slowest, hottest, share, hours: on }) => (
            <tr key={job.id} class={job === own ? "own" : ""} aria-current={job === own ? "true" : undefined}>
              <th scope="row"><a class="mono" href={job === own ? jobPath(job.id) : drivePath(job.drive)}>…{lastFour(job.serial)}</a>{job === own && <span class="badge is-info">this drive</span>}</th>
              <td data-k="Verdict">{job.verdict ? <VerdictMark outcome={job.verdict.outcome} /> : isOver(job) ? "ended" : "running"}</td>
              <td class="pic"><Curve job={job} max={max} /></td>
              <td data-k="Mean without pauses, MB/s" class="num" title={rate(mean)}>{mean === null ? "–" : Math.round(mean / 1e6)}{mean !== null && share < 0.995 && <span class="mute"> over the first {Math.floor(share * 100)} %</span>}</td>
              <td data-k="Slowest place, MB/s" class="num">{slowest ? <>{Math.round(slowest[1] / 1e6)} <span class="mute">at {bytes(slowest[0] * job.capacity)}</span></> : "–"}</td>
              <td data-k="Findings" class="num">{grouped(job.findings.length)}</td>
              <td data-k="Hottest, °C" class="num">{hottest === null ? "–" : celsius(hottest).replace("\u00a0°C", "")}</td>
              <td data-k="Hours on" class="num">{on === null || on === undefined ? "–" : grouped(on)}</td>
            </tr>
          ))}
        </tbody>
      </table></div>
      {own && !isOver(own) && <p class="foot mute">Its own test runs since {clock(own.started, now.value)}: its figures are of what it has passed.</p>}
    </Panel>
  );
}
