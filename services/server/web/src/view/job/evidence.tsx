/** Smaller pieces of evidence: interruptions, self-tests, what formatting came to, the certificate. */
import { VALID_DAYS, type CertificateInfo, type Job, type SelfTestOutcome } from "@wire";

import { certificateUrl } from "../../api";
import { bytes, clock, dated, grouped, phaseName, within } from "../../format";
import { now } from "../../state/app";
import { isOver } from "../../state/store";
import { Icon, Panel, Shape } from "../bits";
import { Words } from "../term";
import { FILE_SYSTEMS } from "../gate/options";
import { Revoked } from "./revoked";
import { stepName } from "./steps";

/** After what it went on. */
export function Resumes({ job }: { job: Job }) {
  if (job.resumes.length === 0) return null;
  return (
    <Panel title="Interruptions" span={showsSelfTests(job) ? "c7" : "c12"} note="It went on after each; the verdict says so.">
      <ul class="ev">
        {job.resumes.map((resume, index) => (
          <li key={index}><Icon name="info" /><div><b>{resume.why}</b><span class="rule">went on {clock(resume.at, now.value)} in {within(stepName(job, resume.step, resume.phase))}, at {bytes(resume.from)}</span></div></li>
        ))}
      </ul>
    </Panel>
  );
}

const SELF_TEST: Record<SelfTestOutcome, { shape: "pass" | "fail" | "inc" | "warn"; word: string }> = {
  passed: { shape: "pass", word: "completed without error" },
  failed: { shape: "fail", word: "failed" },
  aborted: { shape: "inc", word: "was ended before its end" },
  unsupported: { shape: "warn", word: "not known to this drive, or not reachable over its bridge" },
  unknown: { shape: "inc", word: "left no result of its own" },
};

/** Whether there is something to tell of the drive's own tests. */
const showsSelfTests = (job: Job) => job.self_tests.length > 0 || job.phases.some(({ phase }) => phase === "self_test_short" || phase === "self_test_extended");

/** The drive's own tests, by their own log entries. */
export function SelfTests({ job }: { job: Job }) {
  if (!showsSelfTests(job)) return null;
  return (
    <Panel title="The drive’s own tests" span={job.resumes.length > 0 ? "c5" : "c12"} note="Judged by this test’s own entry in the drive’s log.">
      {job.self_tests.length === 0 ? <p class="mute">{isOver(job) ? "None was run." : "None has ended yet."}</p> : (
        <ul class="ev">
          {job.self_tests.map((test, index) => {
            const { shape, word } = SELF_TEST[test.outcome];
            return (
              <li key={index} class={`is-${shape}`}><Shape of={shape} /><div><b>{phaseName(test.phase)} {word}</b>
                <span class="rule"><Words text={[test.told, test.lba === null ? "" : `first failing sector: LBA ${grouped(test.lba)}`].filter(Boolean).join("; ")} /></span></div></li>
            );
          })}
        </ul>
      )}
    </Panel>
  );
}

/** Whether a partition is made on the drive in the end: a person chose it, or the playbook does by itself. Pure. */
export const formats = (job: Pick<Job, "phases" | "options" | "formatted">) =>
  job.formatted !== null || job.options.format !== null || job.phases.some(({ phase }) => phase === "partition" || phase === "format");

/** What partitioning and formatting came to. */
export function FormattedPanel({ job }: { job: Job }) {
  const made = job.formatted;
  if (!formats(job)) return null;
  return (
    <Panel title="Formatted" span={job.certificate ? "c5" : "c12"}>
      {!made ? <p class="mute">{isOver(job) ? "Not done: it is only done after PASSED or WARN." : "Comes last, and only after PASSED or WARN."}</p> : (
        <>
          {made.problem && <p class="v is-fail"><Shape of="fail" />{made.problem}</p>}
          <dl class="facts">
            {made.table !== "auto" && <><dt>Partition table</dt><dd>{made.table.toUpperCase()}</dd><dt>Size</dt><dd>{bytes(made.size)}</dd></>}
            <dt>{made.problem ? "Asked for" : "File system"}</dt><dd>{FILE_SYSTEMS[made.filesystem].name}{made.label && `, “${made.label}”`}</dd>
            {made.uuid && <><dt>UUID</dt><dd class="mono">{made.uuid}</dd></>}
          </dl>
          <ul class="ev">{made.checks.map((check) => <li key={check} class="is-pass"><Shape of="pass" /><div>{check}</div></li>)}</ul>
        </>
      )}
    </Panel>
  );
}

/** A key's fingerprint in groups of four, as it is compared by voice. */
export function grouped4(key: string): string {
  return (key.match(/.{1,4}/g) ?? []).join(" ");
}

/** Whether a certificate speaks for its drive no more, as every check of it will say. */
export function outOfDate(info: CertificateInfo, at: number): boolean {
  return at > Date.parse(info.made) + VALID_DAYS * 86_400_000;
}

/** The certificate: to look at, to hand over, and whether it still holds. */
export function CertificatePanel({ job }: { job: Job }) {
  const info = job.certificate;
  if (!info) return null;
  return (
    <Panel title="Certificate" span={formats(job) ? "c7" : "c12"} note={info.id}>
      {info.revoked ? (
        <Revoked what="Revoked" by={info.revoked} />
      ) : outOfDate(info, now.value) ? <p class="v is-warn"><Shape of="warn" />out of date: what it says is more than {VALID_DAYS} days old</p>
        : job.verdict?.outcome === "PASSED" ? <p class="v is-pass"><Shape of="pass" />in force as far as this box knows</p>
        // A green tick beside another verdict would be read as the drive's.
        : <p>It says {job.verdict?.outcome ?? "what was found"}, and is in force as far as this box knows.</p>}
      <dl class="facts">
        <dt>Signed</dt><dd>{dated(info.made)}</dd>
        <dt>Key of this box</dt><dd class="mono print">{grouped4(info.key)}</dd>
      </dl>
      <div class="do">
        {!info.revoked && <a class="btn prime" href={certificateUrl(job.id, ".html")} target="_blank" rel="noopener"><Icon name="cert" />Open</a>}
        {!info.revoked && !outOfDate(info, now.value) && <a class="btn" href={certificateUrl(job.id, ".pdf")} download><Icon name="file" />PDF to hand over</a>}
        <a class="btn" href={certificateUrl(job.id, "")} download={`${info.id}.json`}><Icon name="file" />Signed JSON</a>
      </div>
    </Panel>
  );
}
