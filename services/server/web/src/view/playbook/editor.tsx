/** One playbook's text: looked at, written, brought as a file, checked by the box, taken away. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { PlaybookInfo, Problem } from "@wire";

import "../../style/gate.css";
import "../../style/playbook.css";
import { api, asProblem } from "../../api";
import { titleOf } from "../../format";
import { FRESH, go, playbookPath } from "../../route";
import { known } from "../../state/app";
import { draftOf, keepDraft } from "../../state/drafts";
import { Dialog, Icon, ProblemNote, Shape } from "../bits";
import { FileInput } from "../file";
import { Effect, Steps } from "../gate/choice";
import { useHere } from "../here";
import { useKeeping } from "../keeping";

const BEGIN = `name = "my-soak"
about = "Write and verify, over and over, for a day."

[[step]]
do = "smart_before"

[[step]]
hours = 24
steps = [ { do = "write" }, { do = "verify" } ]

[[step]]
do = "smart_after"
`;

/** The `name` that a playbook's text gives itself; empty where there is none that can be read. */
export function nameIn(text: string): string {
  return /^\s*name\s*=\s*(["'])([^"'\n]*)\1/m.exec(text)?.[2] ?? "";
}

/** The line that an error speaks of, from 1; `null` where it names none. */
export function lineIn(detail: string): number | null {
  const told = /\bline (\d+)/i.exec(detail)?.[1] ?? /:(\d+):\d+/.exec(detail)?.[1];
  return told === undefined ? null : Number(told);
}

/** The playbook of one's own that is gone once a text is saved under `name`, other than the one that is looked at; pure. */
export function replaced(name: string, book: PlaybookInfo | undefined, playbooks: readonly PlaybookInfo[]): PlaybookInfo | undefined {
  return name === book?.name ? undefined : playbooks.find((one) => one.own && one.name === name);
}

/** What was saved under a name that has a page of its own, for that page: the box may not have told it by then. */
let carried: { name: string; text: string; told: string } | null = null;

/** Longest file that is read; the box takes no longer text. */
const FILE_MAX = 65_536;

function Editor({ id, book, fresh }: { id: string; book: PlaybookInfo | undefined; fresh: boolean }) {
  const brought = carried?.name === id ? carried : null;
  const stands = brought?.text ?? book?.text ?? "";
  const text = useSignal(draftOf(id) ?? (fresh ? BEGIN : stands));
  const saved = useSignal(fresh ? "" : stands);
  const begun = fresh ? BEGIN : saved.value;
  useKeeping(() => keepDraft(id, text.value === (fresh ? BEGIN : saved.value) ? null : text.value));
  const here = useHere();
  const busy = useSignal(false);
  const asking = useSignal<"forget" | "replace" | null>(null);
  const told = useSignal(brought?.told ?? "");
  const problem = useSignal<Problem | null>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLPreElement>(null);
  const fixed = book !== undefined && !book.own;
  const wrong = problem.value ? lineIn(`${problem.value.title} ${problem.value.detail}`) : null;
  const lines = text.value.split("\n");
  const name = nameIn(text.value);
  const over = replaced(name, book, known.value.playbooks ?? []);

  useEffect(() => {
    const field = area.current;
    if (problem.value === null || !field) return;
    field.focus();
    if (wrong === null) return;
    // The caret goes to the line that the box names.
    const from = lines.slice(0, wrong - 1).reduce((sum, line) => sum + line.length + 1, 0);
    field.setSelectionRange(from, from + (lines[wrong - 1]?.length ?? 0));
    field.scrollTop = Math.max(0, (wrong - 6) * 22);
  }, [problem.value]);

  const save = async () => {
    busy.value = true;
    problem.value = null;
    told.value = "";
    try {
      if (name === "") {
        problem.value = { type: "page", status: 0, title: "The playbook has no name", detail: "Its first line gives it one: name = \"my-soak\"" };
      } else {
        told.value = (await api.savePlaybook(name, text.value)).told;
        saved.value = text.value;
        keepDraft(id, null);
        // What stands there now is what was saved, whatever was begun under that name.
        keepDraft(name, null);
        if (name !== book?.name && here()) {
          carried = { name, text: text.value, told: told.value };
          go(playbookPath(name));
        }
      }
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    asking.value = null;
    busy.value = false;
  };
  const press = () => {
    if (over) asking.value = "replace";
    else void save();
  };
  const forget = async () => {
    busy.value = true;
    try {
      await api.forgetPlaybook(book?.name ?? "");
      keepDraft(id, null);
      // The stream may have taken this editor away by then; its address stays.
      if (location.pathname === playbookPath(id)) go("/playbooks");
    } catch (thrown) {
      problem.value = asProblem(thrown);
      asking.value = null;
    }
    busy.value = false;
  };
  const take = async (file: File | undefined) => {
    if (!file) return;
    problem.value = file.size > FILE_MAX ? { type: "page", status: 0, title: "This file is too long for a playbook", detail: `${file.name} has ${file.size} bytes; at most ${FILE_MAX} are taken.` } : null;
    if (!problem.value) text.value = await file.text();
  };
  return (
    <div class="edit">
      <section class="panel" aria-labelledby="ed">
        <header><h2 id="ed">Text</h2><p>{fixed ? "part of the box; save it under another name to change it" : "TOML"}</p>
          <label class="btn r filebtn"><Icon name="file" />From a file<FileInput class="sr" accept=".toml,text/plain" onFile={(file) => void take(file)} /></label></header>
        <div class={`code ${wrong !== null ? "bad" : ""}`} onDragOver={(event) => event.preventDefault()} onDrop={(event) => { event.preventDefault(); void take(event.dataTransfer?.files[0]); }}>
          <pre ref={gutter} aria-hidden="true">{lines.map((_, i) => <span key={i} class={wrong === i + 1 ? "hit" : ""}>{i + 1}{"\n"}</span>)}</pre>
          <textarea
            ref={area} value={text.value} spellcheck={false} autocapitalize="off" autocomplete="off" wrap="off" aria-label="Text of the playbook" aria-invalid={problem.value !== null} aria-describedby="ed-problem"
            onInput={(event) => { text.value = event.currentTarget.value; problem.value = null; told.value = ""; }}
            onScroll={(event) => { if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop; }}
            onKeyDown={(event) => { if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); press(); } }}
          />
        </div>
        <ProblemNote problem={problem.value} id="ed-problem" />
        <div class="do">
          <button class="btn prime" type="button" disabled={busy.value || text.value === saved.value} onClick={press}>{busy.value ? "The box checks it" : name && name !== book?.name ? `Check and save as “${name}”${over ? "…" : ""}` : "Check and save"}</button>
          {text.value !== begun && text.value !== saved.value && <button class="btn" type="button" disabled={busy.value} onClick={() => { text.value = begun; problem.value = null; told.value = ""; }}>Undo the changes</button>}
          {book?.own && <button class="btn danger" type="button" disabled={busy.value} onClick={() => (asking.value = "forget")}>Take it away…</button>}
          <span class="told" role="status">{told.value && <span class="v is-pass"><Shape of="pass" />{told.value}</span>}</span>
        </div>
      </section>
      <aside class="panel" aria-labelledby="says">
        <header><h2 id="says">What the box reads</h2></header>
        {!book || text.value !== book.text ? <p class="mute">{book ? "Changed since it was saved. " : ""}It tells the steps here once the text is checked and saved.</p> : (
          <>
            <p><Effect book={book} /></p>
            {book.problem ? <p class="v is-warn wrap"><Shape of="warn" />{book.problem}</p> : <p>{book.about}</p>}
            <Steps steps={book.steps} />
          </>
        )}
        <details class="help"><summary>Reference: keys and values</summary>
          <dl class="facts">
            <dt class="mono">do</dt><dd>smart_before, self_test_short, probe, sample, write, verify, seek, trim, trim_check, scan, self_test_extended, smart_after, partition, format</dd>
            <dt class="mono">pattern</dt><dd>for write and verify: keyed (default), complement, aa, 55, ff, 00</dd>
            <dt class="mono">order</dt><dd>forward (default) or reverse</dd>
            <dt class="mono">minutes</dt><dd>how long a seek goes on</dd>
            <dt class="mono">repeat, hours</dt><dd>with steps: so many times, or for so many hours</dd>
          </dl>
        </details>
      </aside>
      {asking.value === "replace" && over && (
        <Dialog title={`Replace “${titleOf(over.name)}”?`} onClose={() => (asking.value = null)}>
          <p>You have a playbook of this name. Its text is gone unless you keep a copy; to keep both, give this one another name in its first line. Jobs that run go on.</p>
          <div class="do"><button class="btn" type="button" onClick={() => (asking.value = null)}>Keep it</button><button class="btn danger" type="button" disabled={busy.value} onClick={() => void save()}>Replace it</button></div>
        </Dialog>
      )}
      {asking.value === "forget" && book && (
        <Dialog title={`Take “${titleOf(book.name)}” away?`} onClose={() => (asking.value = null)}>
          <p>Jobs that run go on; those that ended keep what they did. The text is gone unless you keep a copy.</p>
          <div class="do"><button class="btn" type="button" onClick={() => (asking.value = null)}>Keep it</button><button class="btn danger" type="button" disabled={busy.value} onClick={() => void forget()}>Take it away</button></div>
        </Dialog>
      )}
    </div>
  );
}

/** The page; `id` is the playbook's name, or [`FRESH`]. */
export function PlaybookPage({ id }: { id: string }) {
  const { playbooks } = known.value;
  const fresh = id === FRESH;
  const book = playbooks?.find((one) => one.name === id);
  useEffect(() => () => {
    if (carried?.name === id) carried = null;
  }, []);
  if (!fresh && !book) {
    return (
      <main id="main" class="door" tabIndex={-1}>
        {playbooks === null ? <p class="mute" role="status">Waiting for the box to tell its playbooks.</p>
          : <div class="panel"><h1>No such playbook</h1><p class="lead">The box knows none called <span class="mono">{id}</span>. One that was just saved shows here in a moment.</p><a class="btn" href="/playbooks">To the playbooks</a></div>}
      </main>
    );
  }
  return (
    <main id="main" tabIndex={-1}>
      <div class="pagehd"><div><p class="mute"><a href="/playbooks">Playbooks</a></p><h1>{fresh ? "A playbook of your own" : titleOf(id)}</h1></div></div>
      <Editor key={`${id}${book ? "" : "-new"}`} id={id} book={book} fresh={fresh} />
    </main>
  );
}
