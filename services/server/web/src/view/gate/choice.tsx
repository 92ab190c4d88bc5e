/** What is done with the drives: the playbook, with what it does and how long that takes. */
import type { Signal } from "@preact/signals";
import type { Drive, PlaybookInfo } from "@wire";

import { duration, plural, titleOf } from "../../format";
import { playbookPath } from "../../route";
import { known } from "../../state/app";
import { estimate } from "../../state/estimate";
import { Shape } from "../bits";

/** What each of the box's own is for, what most people want first. */
const PURPOSES: Readonly<Record<string, string>> = {
  standard: "For a drive that is to hold data, new or used.",
  quick: "For a fake or a dead drive, found in a minute.",
  surface: "For a drive whose SMART tells nothing, or is of no interest.",
  thorough: "For a drive that others will rely on, where a few days more do not matter.",
  ssd: "For an SSD that is to hold data.",
  badblocks: "Where somebody asks for a run of badblocks.",
  preclear: "For a drive that goes into an array, empty.",
  erase: "For a drive that is given away.",
  scan: "For a drive whose data stays.",
};

/** What a playbook is for; empty for a person's own, which says so itself. Pure. */
export const purposeOf = ({ name, own }: Pick<PlaybookInfo, "name" | "own">): string => (own ? "" : PURPOSES[name] ?? "");

/** Whether it is the one to take where nothing else is asked for: the gate begins with it. Pure. */
export const isRecommended = ({ name, own }: Pick<PlaybookInfo, "name" | "own">): boolean => name === "standard" && !own;

/** Playbooks in the order of {@link PURPOSES}, a person's own last; pure. */
export function ordered(books: readonly PlaybookInfo[]): PlaybookInfo[] {
  const names = Object.keys(PURPOSES);
  const rank = ({ own, name }: PlaybookInfo) => (own ? 100 : names.includes(name) ? names.indexOf(name) : 50);
  return [...books].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

/** What a playbook does to what is on a drive, in two words with a shape. */
export function Effect({ book }: { book: PlaybookInfo }) {
  return book.erases ? <span class="effect is-fail"><i />erases everything</span> : <span class="effect is-pass"><i />only reads</span>;
}

/** How long it takes, said as roughly as it is known; `soak`: hours that were asked for beside it. */
export function timeWords(book: PlaybookInfo, drives: readonly Drive[], soak: number | null = null): string {
  const told = estimate(book, drives, [...known.value.jobs.values()], soak);
  if (!told) return book.sweeps === 0 ? "minutes" : "";
  const words = duration(told.seconds < 60 ? 60 : told.seconds);
  return told.measured ? `about ${words}` : `roughly ${words}`;
}

/** The steps in words. */
export function Steps({ steps }: { steps: readonly string[] }) {
  return <ol class="steps">{steps.map((step, index) => <li key={index}>{step}</li>)}</ol>;
}

/** The list to choose from. `readOnly`: only those that need no gate; `soak`: hours of a soak that was asked for. */
export function PlaybookChoice(props: { chosen: Signal<string>; drives: readonly Drive[]; readOnly: boolean; soak: number | null }) {
  const all = known.value.playbooks;
  if (all === null || all.length === 0) {
    return <p class="mute" role="status">The box has not told its playbooks yet; “{props.chosen.value}” is asked for.</p>;
  }
  const books = ordered(all.filter((book) => !props.readOnly || !book.erases));
  const chosen = books.find((book) => book.name === props.chosen.value);
  return (
    <details class="books">
      <summary>
        <span class="one"><span class="k">What is done with {props.drives.length === 1 ? "it" : "them"}</span><b>{titleOf(props.chosen.value)}</b><span class="what">{chosen?.about}</span></span>
        {chosen && <span class="meta"><Effect book={chosen} /><span class="time">{timeWords(chosen, props.drives, props.soak)}</span></span>}
        <span class="change">Change</span>
      </summary>
      <fieldset>
      <legend class="sr">Playbook</legend>
      {books.map((book) => {
        const on = props.chosen.value === book.name;
        const id = `book-${book.name}`;
        return (
          <div key={book.name} class={`book ${on ? "on" : ""} ${book.problem ? "off" : ""}`}>
            <label for={id}>
              <input id={id} type="radio" name="playbook" value={book.name} checked={on} disabled={book.problem !== null} onChange={() => (props.chosen.value = book.name)} aria-describedby={`${id}-a`} />
              <b>{titleOf(book.name)}</b>
            </label>
            <span class="meta"><Effect book={book} /><span class="time">{timeWords(book, props.drives, props.soak)}</span></span>
            <p id={`${id}-a`}>{book.problem ? <span class="v is-warn"><Shape of="warn" />{book.problem}</span> : <>{purposeOf(book) && <b>{purposeOf(book)} </b>}{isRecommended(book) && <b>Recommended. </b>}{book.about}</>}</p>
            {on && <Steps steps={book.steps} />}
            {on && <p class="more">{book.sweeps > 0 && `Moves over the whole drive ${plural(book.sweeps, "time")}. `}<a href={playbookPath(book.name)}>Look at its text</a></p>}
          </div>
        );
      })}
      </fieldset>
    </details>
  );
}
