/** A playbook that only reads: nothing is lost, so there is nothing to type; one button all the same. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { Drive, Problem } from "@wire";

import { api, asProblem } from "../../api";
import { bytes, contentWords, plural, titleOf } from "../../format";
import { platesOf } from "../../plates";
import { go, jobPath } from "../../route";
import { connections } from "../../state/app";
import { isAway, isUnanswered } from "../../state/gate";
import { fulfil } from "../../state/wish";
import { Icon, ProblemNote, Serial, Shape } from "../bits";
import { title } from "../bench/card";
import { Banners, unheard } from "../box";
import { useHere } from "../here";
import { Plate } from "./bay";

/** What will be read, and the button. `left`: told of what was chosen and is missing. */
export function ScanDoor({ drives, left, playbook, children }: { drives: readonly Drive[]; left: string | null; playbook: string; children: ComponentChildren }) {
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const here = useHere();
  const heard = unheard() === null;
  useEffect(() => {
    // What was refused can be asked again; whether a scan has started stays as unknown as it was.
    if (heard && problem.peek() && isAway(problem.peek()!) && !isUnanswered(problem.peek()!)) problem.value = null;
  }, [heard, connections.value]);
  const plates = platesOf(drives);
  const start = async () => {
    busy.value = true;
    problem.value = null;
    try {
      const ids = drives.flatMap((drive) => (drive.id === null ? [] : [drive.id]));
      const { jobs } = await api.scan(ids, playbook);
      fulfil(ids, here());
      if (here()) go(jobs.length === 1 && jobs[0] ? jobPath(jobs[0]) : "/");
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  return (
    <main id="main" tabIndex={-1}>
      <Banners />
      <div class="gate one">
        <section class="panel" aria-labelledby="s1">
          <p class="v is-pass"><Shape of="pass" />Nothing is written</p>
          <h1 id="s1">What will be read</h1>
          <p class="lead">The drives are opened for reading alone, so what is on them stays. A scan finds unreadable and slow places; it cannot say that the drive stores what is written to it, so it never gives PASSED.</p>
          {children}
          <ol class="lose brief">
            {drives.map((drive, index) => {
              const { head, detail } = contentWords(drive.content);
              return (
                <li key={drive.key}>
                  <Plate drive={drive} among={plates} index={index} />
                  <div><b>{head}</b>{detail && `, ${detail}`}<div class="how">{title(drive)}, {bytes(drive.capacity)}</div></div>
                  <Serial serial={drive.serial} />
                </li>
              );
            })}
          </ol>
          <ProblemNote problem={problem.value} />
          {left && <p class="note" role="status"><Icon name="info" />{left}</p>}
          {problem.value && isUnanswered(problem.value) && (
            <p class="note"><Icon name="info" />It is not known whether the scan has started. Look at the bench before you ask again: what has started is shown there, within two minutes.</p>
          )}
          <div class="do">
            <button class="btn prime" type="button" disabled={busy.value || drives.length === 0} onClick={() => void start()}>{busy.value ? "Asking the box" : `${titleOf(playbook)}: read ${plural(drives.length, "drive")}`}</button>
            <a class="btn" href="/">Back to the bench</a>
          </div>
        </section>
      </div>
    </main>
  );
}
