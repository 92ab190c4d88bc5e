/** The check of a certificate that somebody brought: is it whole, whose is it, does it still hold. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { CertificateCheck, Problem, Standing } from "@wire";

import "../../style/gate.css";
import "../../style/job.css";
import "../../style/lists.css";
import "../../style/playbook.css";
import { api, asProblem } from "../../api";
import { bytes, dated, verdictShape } from "../../format";
import { Panel, ProblemNote, Serial, Shape, VerdictMark } from "../bits";
import { FileDrop } from "../file";
import { grouped4 } from "../job/evidence";

const STANDING: Record<Standing, string> = {
  trusted: "Genuine",
  unknown_key: "Whole, but by an unknown key",
  other_drawing: "Whole, but what it shows is not confirmed",
  bad: "Not to be relied on",
};

/** One line of what a check came to. */
type Row = { shape: "pass" | "warn" | "inc" | "fail"; word: string; beneath: string };

/** What stands large over the rest, and how; pure. A large tick is taken for the drive's: it has the colour of the drive's verdict, where that may be relied on. */
export function head({ standing, says }: CertificateCheck): Row {
  if (standing !== "trusted") return { shape: standing === "bad" ? "fail" : "warn", word: STANDING[standing], beneath: "" };
  if (!says) return { shape: "inc", word: STANDING.trusted, beneath: "" };
  return { shape: verdictShape(says.outcome), word: says.outcome, beneath: STANDING.trusted };
}

/** What the signature says, and of what; pure. */
export function signature({ signature_good, standing }: CertificateCheck): Row {
  if (!signature_good) return { shape: "fail", word: "The signature is not good", beneath: "it was damaged, changed or never signed" };
  const beneath = standing === "other_drawing" ? "the signed file in it was not changed; what is shown around that may have been" : "nothing in it was changed since it was signed";
  return { shape: "pass", word: "The signature is good", beneath };
}

/** Whether its time has come, and is not over; pure. */
export function date({ expired, not_yet_valid, says }: CertificateCheck): Row {
  if (not_yet_valid) return { shape: "fail", word: "It is dated ahead of time", beneath: says ? `signed ${dated(says.made)}, which is still to come: a clock was wrong` : "" };
  const beneath = says ? `until ${dated(says.valid_until)}` : "";
  return expired ? { shape: "fail", word: "It is out of date", beneath } : { shape: "pass", word: "It is in date", beneath };
}

/** What is known of its revocation; pure. */
export function revocation({ revocation: known }: CertificateCheck): Row {
  switch (known.kind) {
    case "unknown": return { shape: "inc", word: "Not known here: only the box that signed it knows", beneath: "" };
    case "standing": return { shape: "pass", word: "Not revoked", beneath: "" };
    case "doubted": return { shape: "warn", word: "Not known yet: a burn-in of the drive has no verdict", beneath: known.why };
    case "revoked": return { shape: "fail", word: "Revoked", beneath: known.why };
    case "trust_file": return { shape: "fail", word: "Revoked, by the list that you gave", beneath: known.why };
  }
}

function Told({ row: { shape, word, beneath } }: { row: Row }) {
  return <li class={`is-${shape}`}><Shape of={shape} /><div><b>{word}</b>{beneath && <span class="rule">{beneath}</span>}</div></li>;
}

function Result({ check }: { check: CertificateCheck }) {
  const { shape, word, beneath } = head(check);
  const says = check.says;
  const top = useRef<HTMLDivElement>(null);
  // Beneath the form, on a phone, nobody sees that it is there.
  useEffect(() => top.current?.scrollIntoView({ block: "nearest" }), []);
  return (
    <div role="status" ref={top}>
      <p class={`bigverdict is-${shape}`}><Shape of={shape} big /><span><b>{word}</b>{beneath && <><strong>{beneath}</strong>: </>}{check.told}</span></p>
      <ul class="ev">
        <Told row={signature(check)} />
        {check.key && <li class={check.known_as ? "is-pass" : "is-warn"}><Shape of={check.known_as ? "pass" : "warn"} /><div><b>{check.known_as ? `By a key that is known: ${check.known_as}` : "By a key that is not known here"}</b><span class="rule mono print">{grouped4(check.key)}</span></div></li>}
        {check.signature_good && <Told row={date(check)} />}
        {check.signature_good && <Told row={revocation(check)} />}
      </ul>
      {says && (
        <dl class="facts says">
          <dt>It says of</dt><dd>{says.model}, {bytes(says.capacity)}<br /><Serial serial={says.serial} /></dd>
          <dt>Verdict</dt><dd><VerdictMark outcome={says.outcome} /></dd>
          <dt>Number</dt><dd class="mono">{says.id}</dd>
          <dt>Signed</dt><dd>{dated(says.made)}</dd>
        </dl>
      )}
      {says && <p class="mute foot">Compare the serial with the label on the drive in your hand: a certificate speaks for that drive alone.</p>}
    </div>
  );
}

/** Longest file that is read; a certificate is far shorter, and in base64 this fits the megabyte that the box takes. */
const FILE_MAX = 750_000;

/** How each PDF begins. */
const PDF = "%PDF-";

/** What the box is sent of a file: its text, or a PDF's bytes as a URL, since text does not hold them; pure. */
export async function sent(file: Blob): Promise<string> {
  if ((await file.slice(0, PDF.length).text()) !== PDF) return file.text();
  const bytes = new Uint8Array(await file.arrayBuffer());
  let letters = "";
  // A call takes some ten thousand arguments.
  for (let at = 0; at < bytes.length; at += 8192) letters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return `data:application/pdf;base64,${btoa(letters)}`;
}

/** How everything begins in which there can be a certificate: its JSON, its page, its PDF as it is sent, the text of its QR code. */
const BEGINS = ["{", "<!doctype html>", "data:application/pdf", "KILN CERTIFICATE"] as const;

/** Why the box is not asked about a text: it could call it damaged alone, and of what is no certificate that would be said of a drive; pure. */
export function unasked(text: string): Problem | null {
  const words = (title: string, detail: string): Problem => ({ type: "page", status: 0, title, detail });
  if (text.startsWith(PDF)) return words("This is a PDF, which text does not hold", "Choose its file, take out the signed file attached to it, or paste the text of its QR code.");
  const bare = text.trim();
  if (!BEGINS.some((begin) => bare.slice(0, begin.length).toLowerCase() === begin.toLowerCase())) return words("No certificate in this", "Choose its PDF or JSON, or paste the whole text of its QR code. The number alone cannot be checked.");
  if (bare.startsWith("{") && !bare.endsWith("}")) return words("This is a certificate’s beginning alone", "It breaks off, so its signature cannot be checked. Choose its file, or paste all of it.");
  return null;
}

/** The page. */
export function VerifyPage() {
  const text = useSignal("");
  const trust = useSignal("");
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const result = useSignal<CertificateCheck | null>(null);
  const check = async () => {
    if (busy.value) return;
    result.value = null;
    problem.value = unasked(text.value);
    if (problem.value) return;
    busy.value = true;
    try {
      result.value = await api.checkCertificate(text.value.trim(), trust.value);
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  const take = async (file: File | undefined) => {
    if (!file) return;
    // What was checked before is no word about this file.
    result.value = null;
    text.value = "";
    if (file.size > FILE_MAX) {
      problem.value = { type: "page", status: 0, title: "This file is too long for a certificate", detail: `${file.name} has ${file.size} bytes; at most ${FILE_MAX} are read.` };
      return;
    }
    const got = await sent(file);
    problem.value = unasked(got);
    if (problem.value) return;
    text.value = got;
    await check();
  };
  return (
    <main id="main" tabIndex={-1}>
      <div class="pagehd"><div><p class="mute"><a href="/certificates">Certificates</a></p><h1>Check a certificate</h1><p class="mute">From any box. The file is checked and not stored.</p></div></div>
      <div class="cols">
        <Panel title="What you have" span="c7">
          <form onSubmit={(event) => { event.preventDefault(); void check(); }}>
            <FileDrop accept=".json,.html,.pdf,application/json,text/html,application/pdf,text/plain" onFile={(file) => void take(file)}><b>Choose its file</b>, or drop it here: the signed JSON, its page or its PDF</FileDrop>
            <div class="field"><label for="c-text">Or its text, or that of its QR code</label>
              <textarea id="c-text" rows={6} spellcheck={false} autocomplete="off" value={text.value} onInput={(event) => { text.value = event.currentTarget.value; result.value = null; problem.value = null; }} /></div>
            <details class="help"><summary>Keys that you know</summary>
              <div class="field"><label for="c-trust">One a line</label>
                <textarea id="c-trust" rows={3} spellcheck={false} autocomplete="off" placeholder="key FINGERPRINT name" value={trust.value} onInput={(event) => (trust.value = event.currentTarget.value)} aria-describedby="c-trust-h" />
                <p class="h" id="c-trust-h">The key of this box is known by itself.</p></div>
            </details>
            <ProblemNote problem={problem.value} />
            {/* A button that is disabled loses the focus to nothing. */}
            <button class="btn prime" type="submit" aria-disabled={busy.value} disabled={text.value.trim() === ""}>{busy.value ? "Checking" : "Check"}</button>
          </form>
        </Panel>
        <Panel title="What that comes to" span="c5">{result.value ? <Result check={result.value} /> : <p class="mute">Signature, key, date and revocation are told here, each by itself.</p>}</Panel>
      </div>
    </main>
  );
}
