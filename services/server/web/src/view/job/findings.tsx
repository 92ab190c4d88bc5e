/** What was found wrong, with its place, its kind and its words. */
import { useSignal } from "@preact/signals";
import type { Job } from "@wire";

import { faultName, findingPlace } from "../../called";
import { grouped, plural } from "../../format";
import { printing } from "../../printing";
import { isOver } from "../../state/store";
import { Panel } from "../bits";
import { useSort } from "../sort";
import { Words } from "../term";
import { stepName } from "./steps";

const SHOWN = 20;

/** Most findings that a job carries: `wire`'s `FINDINGS_MAX`. */
const LISTED = 200;

/** The panel. */
export function Findings({ job }: { job: Job }) {
  const all = useSignal(false);
  const { list: order, head } = useSort(job.findings, "found", {
    found: () => 0, what: ({ kind }) => faultName(kind), where: ({ lba }) => lba, sectors: ({ sectors }) => sectors, seen: ({ step }) => step,
  });
  const list = all.value || printing.value ? order : order.slice(0, SHOWN);
  const cut = job.findings.length >= LISTED ? `; at most ${LISTED} findings are listed, some of each kind` : "";
  const note = job.bad_sectors > 0 ? `${plural(job.bad_sectors, "bad sector")} in all${cut}` : undefined;
  return (
    <Panel title="Findings" span="c12" {...(note ? { note } : {})}>
      {job.findings.length === 0 ? (
        <p class="mute">{isOver(job) ? "None." : "None so far."}</p>
      ) : (
        <table class="tbl finds">
          <thead><tr>{head("what", "What")}{head("where", "Where")}{head("sectors", "Sectors", "num")}<th scope="col">Found there</th>{head("seen", "Seen in")}<th scope="col">In words</th></tr></thead>
          <tbody>
            {list.map((finding, index) => (
              <tr key={index}>
                <td class="nm is-fail"><b>{faultName(finding.kind)}</b></td>
                <td data-k="Where" class="mono">{index === 0 ? <Words text={findingPlace(finding)} /> : findingPlace(finding)}</td>
                <td data-k="Sectors" class="num">{grouped(finding.sectors)}</td>
                <td data-k="Found there" class="mono">{finding.found === null ? "–" : `data of LBA ${grouped(finding.found)}`}</td>
                <td data-k="Seen in">{stepName(job, finding.step, finding.phase)}</td>
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

