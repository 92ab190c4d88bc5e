/** What the search has found, among the drives that are here and among those that were. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { CertificateEntry, Drive, Problem } from "@wire";

import "../../style/lists.css";
import { api, asProblem } from "../../api";
import { bytes, clock, lastFour, plural } from "../../format";
import { drivePath } from "../../route";
import { choose, chosen, connections, known, latest, now, search } from "../../state/app";
import { canChoose } from "../../state/store";
import { Panel, ProblemNote, VerdictMark } from "../bits";
import { past, type Past } from "./past";

/** Most drives that were here and are listed; more words find fewer. */
const LISTED = 20;

/** Drives that were here and answer to the search. */
function WereHere({ list }: { list: readonly Past[] }) {
  return (
    <Panel title="Drives that were here" note={`${plural(list.length, "drive")} that ${list.length === 1 ? "is" : "are"} not plugged in`}>
      <ul class="plain">
        {list.slice(0, LISTED).map(({ drive, model, serial, capacity, outcome, open, at }) => (
          <li key={drive}><a href={drivePath(drive)}>…{lastFour(serial)}, {model}, {bytes(capacity)}</a>{" "}
            {outcome ? <><VerdictMark outcome={outcome} /> <span class="mute">ended {clock(at, now.value)}</span></> : <span class="mute">{open ? "its test waits" : "no verdict that holds"}</span>}</li>
        ))}
      </ul>
      {list.length > LISTED && <p class="mute">The last {LISTED}. More of its serial finds the one.</p>}
    </Panel>
  );
}

/** The line over the bays, all that is found chosen in one go beside what was chosen before, and the drives that are not plugged in. `drives`: those here that answer. */
export function Found({ drives }: { drives: readonly Drive[] }) {
  const signed = useSignal<readonly CertificateEntry[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => {
    api.certificates().then(
      (list) => {
        signed.value = list;
        problem.value = null;
      },
      (thrown: unknown) => (problem.value = asProblem(thrown)),
    );
  }, [connections.value]);
  const can = drives.flatMap((drive) => (drive.id !== null && canChoose(drive, latest.value.get(drive.id)) ? [drive.id] : []));
  const were = past(known.value.drives ?? [], latest.value, signed.value ?? [], search.value);
  const asked = signed.value !== null || problem.value !== null;
  return (
    <>
      {drives.length > 0 ? (
        <p class="mute none"><span role="status">{plural(drives.length, "drive")} found.</span>{" "}
          {can.length > 0 && <button class="btn plain" type="button" onClick={() => choose([...new Set([...chosen.value, ...can])])}>Choose {can.length === drives.length ? (can.length === 1 ? "it" : "all") : `the ${can.length} that can be tested`}</button>}
        </p>
      ) : <p class="mute none"><span role="status">{were.length > 0 || asked ? `No drive ${were.length > 0 ? "that is here " : ""}answers to “${search.value}”.` : "Asking the box for drives that were here."}</span> <button class="btn plain" type="button" onClick={() => (search.value = "")}>Show all</button></p>}
      <ProblemNote problem={problem.value} />
      {were.length > 0 && <WereHere list={were} />}
    </>
  );
}
