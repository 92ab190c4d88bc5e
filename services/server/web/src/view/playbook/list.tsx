/** The playbooks: what each does, what it erases, and a person's own. */
import type { Drive, PlaybookInfo } from "@wire";

import "../../style/gate.css";
import "../../style/playbook.css";
import { plural, titleOf } from "../../format";
import { FRESH, go, playbookPath } from "../../route";
import { chosen, known } from "../../state/app";
import { enterGate, prefer, preferred } from "../../state/wish";
import { Shape } from "../bits";
import { Effect, isRecommended, ordered, purposeOf, Steps, timeWords } from "../gate/choice";

/** To the gate with what is chosen on the bench, or to the bench to choose it. */
function use({ name, erases }: PlaybookInfo): void {
  prefer({ playbook: name, reads: !erases });
  if (chosen.peek().length > 0) enterGate({ drives: chosen.peek(), bench: true, ...preferred.peek() });
  else go("/");
}

function Book({ book, largest }: { book: PlaybookInfo; largest: readonly Drive[] }) {
  const drive = largest[0];
  return (
    <li class={`panel ${book.problem ? "off" : ""}`}>
      <header><h2><a href={playbookPath(book.name)}>{titleOf(book.name)}</a></h2><span class="r"><Effect book={book} /></span></header>
      {book.problem ? <p class="v is-warn wrap"><Shape of="warn" />{book.problem}</p> : <p>{purposeOf(book) && <b>{purposeOf(book)} </b>}{isRecommended(book) && <b>Recommended. </b>}{book.about}</p>}
      <Steps steps={book.steps} />
      <p class="mute">{[book.sweeps > 0 ? `over the whole drive ${plural(book.sweeps, "time")}` : "samples only", drive && timeWords(book, largest) ? `${timeWords(book, largest)} for the largest drive here that can be tested` : "", book.formats ? "" : "no formatting afterwards"].filter(Boolean).join(", ")}</p>
      {!book.problem && <p class="use"><button class="btn" type="button" onClick={() => use(book)}>{chosen.value.length > 0 ? `Use it for ${plural(chosen.value.length, "chosen drive")}…` : "Choose drives for it…"}</button></p>}
    </li>
  );
}

/** The page. */
export function PlaybooksPage() {
  const { playbooks, drives } = known.value;
  // The box's own disk is none that a test could take.
  const here = (drives ?? []).filter((drive) => drive.present && drive.refused === null);
  const largest = here.length > 0 ? [here.reduce((a, b) => (b.capacity > a.capacity ? b : a))] : [];
  const own = ordered(playbooks ?? []).filter((book) => book.own);
  const built = ordered(playbooks ?? []).filter((book) => !book.own);
  return (
    <main id="main" tabIndex={-1}>
      <div class="pagehd"><div><h1>Playbooks</h1><p class="mute">What is done with a drive, step by step. Write your own as a few lines of TOML; the box checks it and names the line where something is wrong.</p></div>
        <a class="btn prime" href={`/playbooks/${FRESH}`}>Write one</a></div>
      {playbooks === null || playbooks.length === 0 ? <p class="mute" role="status">The box has not told its playbooks yet.</p> : (
        <>
          {own.length > 0 && <><h2 class="sect">Yours</h2><ul class="cards">{own.map((book) => <Book key={book.name} book={book} largest={largest} />)}</ul></>}
          <h2 class="sect">Part of the box</h2>
          <ul class="cards">{built.map((book) => <Book key={book.name} book={book} largest={largest} />)}</ul>
        </>
      )}
    </main>
  );
}
