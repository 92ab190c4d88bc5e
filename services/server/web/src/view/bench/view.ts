/** How a bench of many bays is shown: as cards, or as a list in which all of them are seen at once. Kept for this browser. */
import { signal } from "@preact/signals";

/** From so many drives on there is a choice, and wherever the list is chosen: of fewer, all cards are in a window of 1440 × 900, or nearly. */
export const MANY = 12;

const KEY = "kiln-bench";

function kept(): boolean {
  try {
    return localStorage.getItem(KEY) === "list";
  } catch {
    return false;
  }
}

/** Whether the list is chosen. */
export const asList = signal(kept());

/** Chooses and keeps. */
export function showAs(list: boolean): void {
  asList.value = list;
  try {
    localStorage.setItem(KEY, list ? "list" : "cards");
  } catch {
    // A browser without storage has it until it is left.
  }
}
