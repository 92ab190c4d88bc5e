/** What a person chose or typed is kept as they do it. */
import { effect } from "@preact/signals";
import { useEffect } from "preact/hooks";

/**
 * Runs `keep` once the page is drawn and then within each change of a signal that it reads. `useSignalEffect` waits for the next
 * frame: a tab that is reloaded, or taken away by its phone, before that would have lost the last word.
 */
export function useKeeping(keep: () => void): void {
  useEffect(() => effect(keep), []);
}
