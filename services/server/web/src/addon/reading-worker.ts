/** A thread that reads one add-on's stream: the page's own is woken once for all that came, not for each piece of it. */
import { Reading, type Frame } from "./reading";

/** What the page tells the thread: first what to read, then each time that it is hidden or shown, and that it took the frames. */
export type Order = { url: string; hidden: boolean } | { hidden: boolean } | "taken";
/** What the thread tells the page. */
export type Told = { frames: readonly Frame[] } | { live: boolean };

const page = globalThis as unknown as { postMessage: (told: Told) => void; onmessage: (event: MessageEvent<Order>) => void };
let reading: Reading | null = null;
let hidden = false;

const listener = {
  hidden: () => hidden,
  frames: (frames: readonly Frame[]) => {
    page.postMessage({ frames });
    return false;
  },
  live: (live: boolean) => page.postMessage({ live }),
  pauses: false,
};

page.onmessage = ({ data }) => {
  if (data === "taken") {
    reading?.taken();
    return;
  }
  hidden = data.hidden;
  if ("url" in data) {
    reading = new Reading(data.url, listener);
    return;
  }
  reading?.turned();
  // A thread sees no visibility by itself.
  dispatchEvent(new Event("visibilitychange"));
};
