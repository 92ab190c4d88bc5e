/** One burn-in: what it is doing, what it found, and what that means. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "@wire";

import "../../style/job.css";
import "../../style/lists.css";
import { api, asProblem } from "../../api";
import { known } from "../../state/app";
import { addJobs, isOver } from "../../state/store";
import { useAgain } from "../again";
import { Panel, ProblemNote } from "../bits";
import { Term } from "../term";
import { Banners, unheardOf } from "../box";
import { SurfacePlot } from "./plot";
import { CertificatePanel, FormattedPanel, Resumes, SelfTests } from "./evidence";
import { Findings } from "./findings";
import { Head } from "./head";
import { Latency } from "./latency";
import { Log } from "./log";
import { SmartTable } from "./smart";
import { Track } from "./steps";
import { Timeline } from "./timeline";
import { VerdictPanel } from "./verdict";

/** The page of one job. */
export function JobPage({ id }: { id: string }) {
  const job = known.value.jobs.get(id);
  const problem = useSignal<Problem | null>(null);
  const missing = !job && known.value.drives !== null;
  const ask = () => {
    if (!missing) return;
    api.job(id).then(
      (told) => {
        problem.value = null;
        known.value = addJobs(known.peek(), [told]);
      },
      (thrown: unknown) => (problem.value = asProblem(thrown)),
    );
  };
  useEffect(ask, [id, missing]);
  useAgain(() => problem.peek() !== null, ask);
  if (!job) {
    return (
      <main id="main" class="door" tabIndex={-1}>
        {problem.value ? (
          <div class="panel"><h1>{problem.value.status === 404 ? "No such test" : "This test could not be asked for"}</h1><ProblemNote problem={problem.value} /><a class="btn" href="/">To the bench</a></div>
        ) : <p class="mute" role="status">Asking the box for this test.</p>}
      </main>
    );
  }
  const smart = job.smart.length > 0 || job.phases.some((phase) => phase.phase === "smart_before" && phase.status !== "skipped");
  const live = job.state.kind === "running" && unheardOf(job) === null;
  return (
    <main id="main" tabIndex={-1}>
      <Banners />
      <Head job={job} />
      <div class="cols">
        <VerdictPanel job={job} />
        <section class="panel c12" aria-label="Steps"><Track job={job} live={live} /></section>
        <CertificatePanel job={job} />
        <FormattedPanel job={job} />
        <SurfacePlot job={job} trail={known.value.trails.get(job.id)} live={live} />
        <Timeline job={job} live={live} />
        {(job.findings.length > 0 || isOver(job)) && <Findings job={job} />}
        {smart && (
          <Panel title="SMART, before and after" note={<Term of="SMART">what SMART is</Term>} span="c7">
            {job.smart.length > 0 ? <SmartTable rows={job.smart} running={!isOver(job)} /> : <p class="mute">{isOver(job) ? "The drive tells nothing." : "Nothing read yet."}</p>}
          </Panel>
        )}
        <Latency job={job} alone={!smart} />
        <Resumes job={job} />
        <SelfTests job={job} />
        <Log job={job} />
      </div>
    </main>
  );
}
