/** A word for the login page, which a deed of this tab ends at: the box starts anew, and its sessions with it. */
import { effect } from "@preact/signals";

import { visit } from "../../state/app";

/** Longest wait for the login page, in milliseconds: later the session has ended for another reason. */
const DEED_MS = 300_000;

/** The login page, once it comes up because the session has ended, says `words` instead of that. */
export function tellAtDoor(words: string): void {
  const ends = Date.now() + DEED_MS;
  const stop = effect(() => {
    const who = visit.value;
    if (who.kind !== "login") return;
    if (who.expired === true && Date.now() < ends) visit.value = { ...who, expired: words };
    // Not from within its own first run.
    queueMicrotask(() => stop());
  });
}
