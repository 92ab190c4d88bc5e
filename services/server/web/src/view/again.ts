/** What the box did not answer is asked again when it does: an error of before says nothing of now. */
import { useEffect } from "preact/hooks";

import { connections } from "../state/app";
import { unheard } from "./box";

/** Asks again as soon as the box has told all anew, or its agent is back, where the last answer has `failed` by then. */
export function useAgain(failed: () => boolean, ask: () => void): void {
  const heard = unheard() === null;
  useEffect(() => {
    if (heard && failed()) ask();
  }, [heard, connections.value]);
}
