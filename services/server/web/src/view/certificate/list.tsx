/** The certificates that this box signed, those that it revoked among them. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { CertificateEntry, Problem } from "@wire";

import "../../style/lists.css";
import "../../style/playbook.css";
import { api, asProblem, certificateUrl } from "../../api";
import { bytes, dated, plural } from "../../format";
import { drivePath, jobPath } from "../../route";
import { known, now } from "../../state/app";
import { Icon, Panel, ProblemNote, Serial, Shape, VerdictMark } from "../bits";
import { grouped4, outOfDate } from "../job/evidence";
import { useSort } from "../sort";

/** Whether an entry answers to what is searched for: id, model, serial, playbook. */
export function answers(entry: CertificateEntry, text: string): boolean {
  const hay = [entry.info.id, entry.model, entry.serial, entry.playbook, entry.outcome ?? "", entry.info.revoked ? "revoked" : ""].join(" ").toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => hay.includes(word));
}

/** Whether a job's files are those of this entry: a job that a box ended twice, after its agent's store was put back, has its last. */
export function isNewest(entry: CertificateEntry, list: readonly CertificateEntry[]): boolean {
  return !list.some(({ job, info }) => job === entry.job && info.made > entry.info.made);
}

/** A number without what people write otherwise: case, signs, and letters that look like digits. */
const plain = (id: string) => id.toUpperCase().replace(/[^0-9A-Z]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");

/** The certificate of this number that can be opened: one that was revoked, or that its job has no more, is only listed. */
export function opened(list: readonly CertificateEntry[], id: string): CertificateEntry | undefined {
  return list.find((entry) => plain(entry.info.id) === plain(id) && !entry.info.revoked && isNewest(entry, list));
}

/** The page. `id`: the number of one, as it stands on a paper: its page is opened where it holds, else the list tells what became of it. */
export function CertificatesPage({ id }: { id: string | null }) {
  const list = useSignal<CertificateEntry[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  const text = useSignal(id ?? "");
  // A job that gets its certificate, or loses it, is told by the stream; then the list is asked for again.
  const told = [...known.value.jobs.values()].map((job) => `${job.certificate?.id ?? ""}${job.certificate?.revoked ? "!" : ""}`).join();
  useEffect(() => {
    api.certificates().then((entries) => {
      const one = id === null ? undefined : opened(entries, id);
      if (one) location.replace(certificateUrl(one.job, ".html"));
      list.value = entries;
    }, (thrown: unknown) => (problem.value = asProblem(thrown)));
  }, [told]);
  const shown = (list.value ?? []).filter((entry) => answers(entry, text.value));
  const { list: order, head } = useSort(shown, "signed", {
    number: ({ info }) => info.id, drive: ({ model, serial }) => `${model} ${serial}`, outcome: ({ outcome }) => outcome, signed: ({ info }) => info.made, holds: ({ info }) => (info.revoked ? 2 : outOfDate(info, now.value) ? 1 : 0),
  }, true);
  const key = list.value?.[0]?.info.key;
  return (
    <main id="main" tabIndex={-1}>
      <div class="pagehd"><div><h1>Certificates</h1><p class="mute">What this box signed for a drive: a page and a PDF to hand over, and the signed text that anybody can check.</p></div>
        <a class="btn" href="/verify">Check a certificate…</a></div>
      <Panel title="Signed by this box" note={list.value ? plural(shown.length, "certificate") : undefined}>
        <ProblemNote problem={problem.value} />
        {list.value === null && !problem.value && <p class="mute" role="status">Asking the box.</p>}
        {list.value?.length === 0 && <p class="mute">None yet. One is signed whenever a burn-in ends with a verdict.</p>}
        {list.value && list.value.length > 0 && (
          <>
            <div class="filter"><label class="find"><Icon name="find" /><span class="sr">Search certificates</span><input type="search" placeholder="Number, drive, verdict" value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} /></label></div>
            {shown.length === 0 && id !== null && text.value === id && <p class="note"><Icon name="info" />This box signed none with the number {id}. One from another box is checked with its file: <a href="/verify">Check a certificate</a>.</p>}
            <table class="tbl certs">
              <thead><tr>{head("number", "Number")}{head("drive", "Drive")}{head("outcome", "Verdict")}{head("signed", "Signed")}{head("holds", "Holds")}<th scope="col"><span class="sr">Files</span></th></tr></thead>
              <tbody>
                {order.map((entry) => (
                  <tr key={entry.info.id}>
                    <td class="nm mono">{entry.info.revoked || !isNewest(entry, list.value ?? []) ? entry.info.id : <a href={certificateUrl(entry.job, ".html")} target="_blank" rel="noopener">{entry.info.id}</a>}</td>
                    <td data-k="Drive"><a href={drivePath(entry.drive)}>{entry.model}</a>, {bytes(entry.capacity)}<br /><Serial serial={entry.serial} /></td>
                    <td data-k="Verdict">{entry.outcome ? <VerdictMark outcome={entry.outcome} /> : "–"}</td>
                    <td data-k="Signed"><a href={jobPath(entry.job)}>{dated(entry.info.made)}</a></td>
                    <td data-k="Holds">{entry.info.revoked
                      ? <><span class="v is-fail"><Shape of="fail" />revoked</span><span class="rule"><a href={jobPath(entry.info.revoked.job)}>{entry.info.revoked.why}</a></span></>
                      : outOfDate(entry.info, now.value) ? <span class="v is-warn"><Shape of="warn" />out of date</span>
                      // A green tick beside FAILED would be read as the drive's.
                      : entry.outcome === "PASSED" ? <span class="v is-pass"><Shape of="pass" />yes</span> : "yes"}</td>
                    <td class="files">{isNewest(entry, list.value ?? []) && <>{!entry.info.revoked && <a href={certificateUrl(entry.job, ".pdf")} download aria-label={`PDF of ${entry.info.id}`}>PDF</a>} <a href={certificateUrl(entry.job, "")} download={`${entry.info.id}.json`} aria-label={`JSON, signed, of ${entry.info.id}`}>JSON</a></>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </>
        )}
        {key && <p class="foot mute">Fingerprint of this box’s key, to give to whoever checks: <span class="mono print">{grouped4(key)}</span></p>}
      </Panel>
    </main>
  );
}
