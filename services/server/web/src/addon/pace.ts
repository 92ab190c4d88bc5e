/** Redraws that leave time for everything else. */
import type { ReadonlySignal } from "@preact/signals";

/** So much later than it might the timer draws what nobody told of again, in milliseconds: some three pictures. */
const SLACK_MS = 60;
/** So far apart two redraws of whatever kind are, in milliseconds: no picture is to hold a chart and a log together. */
const APART_MS = 24;
/**
 * Shortest time between two redraws of what the browser leaves out of the picture, in milliseconds: nobody sees it, but a
 * screen reader and the search of the browser may come by.
 */
const UNSEEN_MS = 2000;
/** When the last redraw of any kind ended. */
let last = -Infinity;

/**
 * A function that may be called as often as something changes, and runs `redraw` at once while that is cheap, else so
 * rarely that it takes at most a quarter of the time, and never sooner than `least` milliseconds after the last time. What
 * `redraw` leaves to a microtask is counted.
 *
 * What comes again and again is drawn when it is told of once the pause is over, so in the picture that is being made
 * anyhow: a picture of its own would cost more than what is in it. The timer is for what came last. What is not `seen` is
 * drawn seldom, and at once when it comes into view.
 */
export function paced(redraw: () => void, least: number, seen: ReadonlySignal<boolean>): { soon: () => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let free = 0;
  const run = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const begun = (last = performance.now());
    redraw();
    queueMicrotask(() => queueMicrotask(() => {
      const ended = performance.now();
      free = Math.max(begun + (seen.peek() ? least : UNSEEN_MS), ended + 3 * (ended - begun));
    }));
  };
  const deaf = seen.subscribe((now) => now && timer !== null && run());
  return {
    soon: () => {
      const wait = Math.max(free, last + APART_MS) - performance.now();
      if (wait < 4) run();
      else timer ??= setTimeout(run, wait + SLACK_MS);
    },
    stop: () => {
      deaf();
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
