/** Redraws that leave time for everything else. */

/**
 * A function that may be called as often as something changes, and runs `redraw` at once while that is cheap, else so
 * rarely that it takes at most a quarter of the time, and never sooner than `least` milliseconds after the last time. What
 * `redraw` leaves to a microtask is counted.
 */
export function paced(redraw: () => void, least: number): { soon: () => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let free = 0;
  const run = () => {
    timer = null;
    const begun = performance.now();
    redraw();
    queueMicrotask(() => queueMicrotask(() => {
      const ended = performance.now();
      free = Math.max(begun + least, ended + 3 * (ended - begun));
    }));
  };
  return {
    soon: () => {
      if (timer !== null) return;
      const wait = free - performance.now();
      if (wait < 4) run();
      else timer = setTimeout(run, wait);
    },
    stop: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
