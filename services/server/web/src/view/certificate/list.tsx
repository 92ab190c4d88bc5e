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
import { useAgain } from "../again";
import { Icon, Panel, ProblemNote, Serial, Shape, VerdictMark } from "../bits";
import { useHere } from "../here";
import { grouped4, outOfDate } from "../job/evidence";
import { file, save } from "../settings/deed";
import { useSort } from "../sort";
import { bundle, type Missing } from "./bundle";

/** Whether an entry answers to what is searched for: id, model, serial, playbook, verdict, day. */
export function answers(entry: CertificateEntry, text: string): boolean {
  const hay = [entry.info.id, entry.model, entry.serial, entry.playbook, entry.outcome ?? "", entry.info.made.slice(0, 10), dated(entry.info.made), entry.info.revoked ? "revoked" : ""].join(" ").toLowerCase();
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

const isAll = (found: readonly CertificateEntry[], chosen: readonly CertificateEntry[]) => found.every((entry) => chosen.includes(entry));

/** The numbers that are chosen after the press: with all that is found, or, where all of that is already, without it. What the search hides stays as it is. Pure. */
export function chooseFound(found: readonly CertificateEntry[], chosen: readonly CertificateEntry[]): string[] {
  const next = isAll(found, chosen) ? chosen.filter((entry) => !found.includes(entry)) : [...new Set([...chosen, ...found])];
  return next.map(({ info }) => info.id);
}

/** Longest wait for one of several files, in milliseconds: a small board draws a PDF in seconds. */
const FILE_MS = 45_000;

/** All that is found chosen with one press, and what is chosen saved with another. */
function Bundle({ found, chosen, onChoose }: { found: readonly CertificateEntry[]; chosen: readonly CertificateEntry[]; onChoose: (ids: readonly string[]) => void }) {
  const step = useSignal<string | null>(null);
  const told = useSignal<{ saved: boolean; missing: readonly Missing[] } | null>(null);
  const failed = useSignal<Problem | null>(null);
  const here = useHere();
  const run = async () => {
    told.value = null;
    failed.value = null;
    const get = async (path: string) => (await file("GET", path, undefined, FILE_MS)).blob;
    try {
      const { zip, missing } = await bundle(chosen, get, (done, all) => {
        step.value = `Asking for file ${done + 1} of ${all}`;
        return here();
      }, now.value);
      if (zip) save({ name: `kiln-certificates-${new Date(now.value).toISOString().slice(0, 10)}.zip`, blob: new Blob([zip], { type: "application/zip" }) });
      told.value = { saved: zip !== null, missing };
    } catch (thrown) {
      // So many files may be more than a small machine's memory takes.
      failed.value = asProblem(thrown);
    } finally {
      step.value = null;
    }
  };
  const missing = told.value?.missing ?? [];
  const mark = missing.length > 0 ? "warn" : "pass";
  return (
    <>
      {found.length > 0 && <button class="btn plain" type="button" onClick={() => onChoose(chooseFound(found, chosen))}>{isAll(found, chosen) ? "Choose none" : `Choose all ${found.length}`}</button>}
      <button class="btn" type="button" disabled={chosen.length === 0} aria-disabled={step.value !== null} onClick={() => step.value === null && void run()}><Icon name="file" />{step.value ?? (chosen.length === 0 ? "Save as one ZIP" : `Save ${chosen.length} as one ZIP`)}</button>
      {failed.value && <div class="saved"><ProblemNote problem={failed.value} /></div>}
      <div class="saved" role="status">
        {told.value?.saved && <p class={`v wrap is-${mark}`}><Shape of={mark} />Saved: PDF and signed JSON{missing.length > 0 ? ", but not all of them" : " of each"}.</p>}
        {missing.length > 0 && <p class="v wrap is-fail"><Shape of="fail" />{plural(missing.length, "file")} could not be had{told.value?.saved ? ", as MISSING.txt in the ZIP says, too" : "; nothing was saved"}:</p>}
        {missing.length > 0 && <ul class="plain">{missing.map(({ what, why }) => <li key={what}>{what}: {why}</li>)}</ul>}
      </div>
    </>
  );
}

/** The page. `id`: the number of one, as it stands on a paper: its page is opened where it holds, else the list tells what became of it. */
export function CertificatesPage({ id }: { id: string | null }) {
  const list = useSignal<CertificateEntry[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  const here = useHere();
  const text = useSignal(id ?? "");
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  // A job that gets its certificate, or loses it, is told by the stream; then the list is asked for again.
  const told = [...known.value.jobs.values()].map((job) => `${job.certificate?.id ?? ""}${job.certificate?.revoked ? "!" : ""}`).join();
  const ask = () => {
    api.certificates().then((entries) => {
      problem.value = null;
      const one = id === null ? undefined : opened(entries, id);
      if (one && here()) location.replace(certificateUrl(one.job, ".html"));
      list.value = entries;
    }, (thrown: unknown) => (problem.value = asProblem(thrown)));
  };
  useEffect(ask, [told]);
  useAgain(() => problem.peek() !== null, ask);
  const shown = (list.value ?? []).filter((entry) => answers(entry, text.value));
  const { list: order, head } = useSort(shown, "signed", {
    number: ({ info }) => info.id, drive: ({ model, serial }) => `${model} ${serial}`, outcome: ({ outcome }) => outcome, signed: ({ info }) => info.made, holds: ({ info }) => (info.revoked ? 2 : outOfDate(info, now.value) ? 1 : 0),
  }, true);
  const key = list.value?.[0]?.info.key;
  const filed = (entry: CertificateEntry) => isNewest(entry, list.value ?? []);
  return (
    <main id="main" tabIndex={-1}>
      <div class="pagehd"><div><h1>Certificates</h1><p class="mute">What this box signed for a drive: a page and a PDF to hand over, and the signed text that anybody can check.</p></div>
        <a class="btn" href="/verify">Check a certificate</a></div>
      <Panel title="Signed by this box" note={list.value ? plural(shown.length, "certificate") : undefined}>
        <ProblemNote problem={problem.value} />
        {list.value === null && !problem.value && <p class="mute" role="status">Asking the box.</p>}
        {list.value?.length === 0 && <p class="mute">None yet. One is signed whenever a burn-in ends with a verdict.</p>}
        {list.value && list.value.length > 0 && (
          <>
            <div class="filter"><label class="find"><Icon name="find" /><span class="sr">Search certificates</span><input type="search" placeholder="Number, drive, verdict, day" value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} /></label>
              <Bundle found={order.filter(filed)} chosen={list.value.filter((entry) => chosen.value.has(entry.info.id) && filed(entry))} onChoose={(ids) => (chosen.value = new Set(ids))} /></div>
            {shown.length === 0 && id !== null && text.value === id && <p class="note"><Icon name="info" />This box signed none with the number {id}. One from another box is checked with its file: <a href="/verify">Check a certificate</a>.</p>}
            <table class="tbl certs">
              <thead><tr><th scope="col" class="tick"><span class="sr">Choose</span></th>{head("number", "Number")}{head("drive", "Drive")}{head("outcome", "Verdict")}{head("signed", "Signed")}{head("holds", "In force")}<th scope="col"><span class="sr">Files</span></th></tr></thead>
              <tbody>
                {order.map((entry) => (
                  <tr key={entry.info.id}>
                    <td class="tick">{filed(entry) && <label class="box"><input type="checkbox" checked={chosen.value.has(entry.info.id)} aria-label={`Choose ${entry.info.id}`}
                      onChange={(event) => (chosen.value = new Set(event.currentTarget.checked ? [...chosen.value, entry.info.id] : [...chosen.value].filter((one) => one !== entry.info.id)))} /><Icon name="tick" /></label>}</td>
                    <td class="nm mono">{entry.info.revoked || !filed(entry) ? entry.info.id : <a href={certificateUrl(entry.job, ".html")} target="_blank" rel="noopener">{entry.info.id}</a>}</td>
                    <td data-k="Drive"><a href={drivePath(entry.drive)}>{entry.model}</a>, {bytes(entry.capacity)}<br /><Serial serial={entry.serial} /></td>
                    <td data-k="Verdict">{entry.outcome ? <VerdictMark outcome={entry.outcome} /> : "–"}</td>
                    <td data-k="Signed"><a href={jobPath(entry.job)}>{dated(entry.info.made)}</a></td>
                    <td data-k="In force">{entry.info.revoked
                      ? <><span class="v is-fail"><Shape of="fail" />revoked</span><span class="rule"><a href={jobPath(entry.info.revoked.job)}>{entry.info.revoked.why}</a></span></>
                      : outOfDate(entry.info, now.value) ? <span class="v is-warn"><Shape of="warn" />out of date</span>
                      // A green tick beside FAILED would be read as the drive's.
                      : entry.outcome === "PASSED" ? <span class="v is-pass"><Shape of="pass" />yes</span> : "yes"}</td>
                    <td class="files">{filed(entry) && <>{!entry.info.revoked && <a href={certificateUrl(entry.job, ".pdf")} download aria-label={`PDF of ${entry.info.id}`}>PDF</a>} <a href={certificateUrl(entry.job, "")} download={`${entry.info.id}.json`} aria-label={`JSON, signed, of ${entry.info.id}`}>JSON</a></>}</td>
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
