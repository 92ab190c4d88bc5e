/** Small pieces that every screen uses: icons, verdicts, problems, panels, last four, dialog. */
import { Component, type ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Outcome, Problem } from "@wire";

import { lastFour, verdictShape } from "../format";

/** A line icon of the sprite in `index.html`. */
export function Icon({ name }: { name: string }) {
  return <svg class="i" aria-hidden="true"><use href={`#${name}`} /></svg>;
}

/** A verdict's shape; the word stands beside it. */
export function Shape({ of, big }: { of: "pass" | "warn" | "inc" | "fail"; big?: boolean }) {
  return <svg class={`${big ? "shape rg" : "m"} is-${of}`} aria-hidden="true"><use href={`#${of}`} /></svg>;
}

/** A verdict's shape, or the ring of what is no verdict. */
export function Mark({ of }: { of: "pass" | "warn" | "inc" | "fail" | "info" }) {
  return of === "info" ? <Icon name="info" /> : <Shape of={of} />;
}

/** A verdict by colour, shape and word. */
export function VerdictMark({ outcome }: { outcome: Outcome }) {
  const shape = verdictShape(outcome);
  return <span class={`v is-${shape}`}><Shape of={shape} />{outcome}</span>;
}

/** What went wrong, beside what caused it; or, as `info`, that it is over. */
export function ProblemNote({ problem, id, of = "fail" }: { problem: Problem | null; id?: string; of?: "fail" | "info" }) {
  return (
    <div class="problem-slot" role="alert" id={id}>
      {problem && (
        <div class={`problem is-${of}`}>
          <Mark of={of} />
          <div><b>{problem.title}</b>{problem.detail && <span>{problem.detail}</span>}</div>
        </div>
      )}
    </div>
  );
}

/** A serial with its last four marked, as it is looked for on a label. */
export function Serial({ serial }: { serial: string }) {
  if (!serial) return <span class="mute">no serial told</span>;
  const tail = lastFour(serial).length;
  return <span class="mono sn">{serial.slice(0, -tail)}<b>{serial.slice(-tail)}</b></span>;
}

/** A panel with a heading. With an `id` of its own it is a group and no landmark: pages of add-ons may use a title twice. */
export function Panel(props: { id?: string; title: string; note?: ComponentChildren; end?: ComponentChildren; span?: string; children: ComponentChildren }) {
  const id = props.id ?? `p-${props.title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  const Frame = props.id === undefined ? "section" : "div";
  return (
    <Frame class={`panel ${props.span ?? "c12"}`} aria-labelledby={id} {...(props.id === undefined ? {} : { role: "group" as const })}>
      <header><h2 id={id}>{props.title}</h2>{props.note && <p>{props.note}</p>}{props.end && <span class="r">{props.end}</span>}</header>
      {props.children}
    </Frame>
  );
}

/** A modal question. `onClose` is called when it is left by any road. */
export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    // It is taken away, not closed, so the browser gives nothing back; the button that opened it may be gone, too.
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={ref} aria-labelledby="dialog-title" onClose={props.onClose}>
      <h2 id="dialog-title">{props.title}</h2>
      {props.children}
    </dialog>
  );
}

/** A component that is drawn again only when one of its properties is another object or value. */
export abstract class Still<P> extends Component<P> {
  override shouldComponentUpdate(next: P): boolean {
    // No list of the properties is made: a log asks this of each of its rows in each picture.
    for (const key in next) if ((this.props as P)[key] !== next[key]) return true;
    return false;
  }
}
