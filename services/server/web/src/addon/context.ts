/** What every component of an add-on's page is given. */
import { signal, useComputed, useSignal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Problem } from "@wire";

import { asProblem } from "../api";
import type { AddonView } from "../openapi";
import { ask, type Question, type Told } from "./ask";
import type { Feed } from "./feed";
import type { Part } from "./manifest";

/** The page round a component. */
export interface Around {
  addon: AddonView;
  feed: Feed;
  /** The add-on's own agent that is looked at; empty: all of them. */
  agent: Signal<string>;
  /** Turns when everything is to be asked anew. */
  turn: Signal<number>;
}

/** Who asks a source: a component, or a piece of it. */
export interface Asker { part: Part; around: Around }

/** Properties of every component; `seen`: whether the browser draws it, which it does not far out of view. */
export interface PartProps extends Asker { seen: ReadonlySignal<boolean> }

/** A source's answer, asked anew when the page says so; what was told stays until the next answer is here. */
export interface Asked { told: Signal<Told | null>; problem: Signal<Problem | null>; busy: Signal<boolean>; again: () => void }

/** Asks a source for as long as the component is there; an empty source is asked nothing. */
export function useSource({ part, around }: Asker, source: string, question: Omit<Question, "component"> = {}): Asked {
  const told = useSignal<Told | null>(null);
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  const count = useSignal(0);
  const agent = question.agent || around.agent.value;
  // Asked once the stream listens: what an add-on tells between an answer and the stream's begin would be in neither.
  const hears = useComputed(() => around.feed.live.value !== null).value;
  const [turn, back, again] = [around.turn.value, around.feed.again.value, count.value];
  useEffect(() => {
    if (source === "" || !hears) return;
    let gone = false;
    busy.value = true;
    ask(around.addon.id, source, { ...question, component: part.id, ...(agent ? { agent } : {}) }).then(
      (answer) => {
        if (gone) return;
        told.value = answer;
        problem.value = null;
      },
      (thrown: unknown) => {
        if (!gone) problem.value = asProblem(thrown);
      },
    ).finally(() => {
      if (!gone) busy.value = false;
    });
    return () => {
      gone = true;
    };
  }, [around.addon.id, part.id, source, question.range, question.job, agent, hears, turn, back, again]);
  return { told, problem, busy, again: () => (count.value += 1) };
}

/**
 * Asks, with each answer of a source, whether it is of another agent than the one before: what is shown of that one goes then.
 * Frames of others are left out meanwhile.
 */
export function useTurned(around: Around): () => boolean {
  const of = useRef(around.agent.peek());
  return () => {
    const turned = of.current !== around.agent.peek();
    of.current = around.agent.peek();
    return turned;
  };
}

/** A copy to the clipboard; told for a moment. Works without a secure context too, where the box has no certificate yet. */
export const copied = signal<string | null>(null);

/** Copies a text. */
export async function copy(text: string, what: string): Promise<void> {
  let good = false;
  try {
    await navigator.clipboard.writeText(text);
    good = true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.className = "sr";
    // Inside an open dialog nothing outside can be focused.
    const home = document.querySelector("dialog[open]") ?? document.body;
    home.append(area);
    area.select();
    good = document.execCommand("copy");
    area.remove();
  }
  copied.value = good ? what : null;
  setTimeout(() => (copied.value = copied.value === what ? null : copied.value), 2500);
}
