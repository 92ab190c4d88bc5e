/** Keys that work everywhere on the bench: `/` search, arrows over the bays, `x` choose, `b` burn in, `?` help. */
import { chosen, helpOpen, monotonic, search, toggle } from "./state/app";
import { go, isAhead, place } from "./route";
import { SETTLES_MS } from "./view/settle";

/** A bay's rectangle and its index among the bays. */
export interface Spot { index: number; x: number; y: number }

/** The bay that an arrow key leads to from `from`: the nearest in that direction, by rows and columns as drawn. */
export function neighbour(spots: readonly Spot[], from: Spot, key: string): Spot | undefined {
  const ahead = (spot: Spot) => {
    switch (key) {
      case "ArrowRight": return spot.index === from.index + 1;
      case "ArrowLeft": return spot.index === from.index - 1;
      case "ArrowDown": return spot.y > from.y + 4;
      case "ArrowUp": return spot.y < from.y - 4;
      default: return false;
    }
  };
  const distance = (spot: Spot) => Math.abs(spot.y - from.y) * 1000 + Math.abs(spot.x - from.x);
  return spots.filter(ahead).sort((a, b) => distance(a) - distance(b))[0];
}

/** Whether a key press belongs to what a person is typing into. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
    !(target instanceof HTMLInputElement && target.type === "checkbox");
}

const bays = () => [...document.querySelectorAll<HTMLElement>("[data-bay]")];

function move(key: string): boolean {
  const all = bays();
  if (all.length === 0) return false;
  const here = all.findIndex((bay) => bay.contains(document.activeElement));
  const spots = all.map((bay, index) => {
    const { left, top } = bay.getBoundingClientRect();
    return { index, x: left, y: top };
  });
  const from = spots[here];
  const to = from ? neighbour(spots, from, key) : spots[0];
  if (!to) return false;
  all[to.index]?.querySelector<HTMLElement>("a")?.focus();
  return true;
}

/** To the search, where what is typed next takes the place of what stands there: each label that is scanned begins anew. */
function seek(): void {
  const field = document.getElementById("search") as HTMLInputElement | null;
  field?.focus();
  field?.select();
}

/** Within how many milliseconds the next letter tells a label that is scanned from a key that a person presses: readers type one in 1 to 20. */
const SCANS_MS = 50;

/** Starts listening. */
export function startKeys(): void {
  /** The key of the bench that was pressed just now, and what it does unless it turns out to be the first letter of a label. */
  let held: { key: string; act: () => void; timer: ReturnType<typeof setTimeout> } | null = null;
  const hold = (key: string, act: () => void) => {
    held = { key, act, timer: setTimeout(() => { held = null; act(); }, SCANS_MS) };
  };
  /** When Enter led out of the search or came again behind that, in milliseconds of this page's clock. */
  let led = -SETTLES_MS;
  document.addEventListener("keydown", (event) => {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const field = document.activeElement as HTMLInputElement | null;
    if (field?.id === "search") {
      if (key === "Escape") {
        search.value = "";
        field.blur();
      }
      // To what is found; a reader of bar codes ends with Enter. What nothing answers to makes room for the next label.
      else if (/^(Enter|ArrowDown)$/.test(key)) {
        if (move(key)) {
          event.preventDefault();
          led = monotonic();
        } else field.select();
      }
      // Before a word it is the key of the search that one is in: a reader may begin each label with it.
      else if (key === "/" && Number(field.selectionEnd) - Number(field.selectionStart) === search.value.length) event.preventDefault();
      return;
    }
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const onBench = place.value.name === "bench";
    if (held) {
      const { key: first, act, timer } = held;
      clearTimeout(timer);
      held = null;
      if (onBench && /^\S$/.test(key)) {
        event.preventDefault();
        search.value = first + key;
        document.getElementById("search")?.focus();
        return;
      }
      act();
    }
    const ahead = isAhead("search");
    let done = true;
    // What is typed faster than the bench is drawn, as a reader of bar codes does, belongs into its search.
    if (ahead && key.length === 1) search.value += key;
    else if (key === "Enter") {
      // Readers may end with two: the second opens nothing, nor does one meant for the search what had the focus before.
      if (ahead) document.addEventListener("focusin", seek, { once: true });
      else if (monotonic() - led < SETTLES_MS) led = monotonic();
      else done = false;
    } else if (key === "?") helpOpen.value = true;
    else if (key === "/") {
      if (onBench) seek();
      else go("/", "search");
    } else if (onBench && key.startsWith("Arrow")) done = move(key);
    else if (onBench && key === "x") {
      const id = document.activeElement?.closest<HTMLElement>("[data-bay][data-can]")?.dataset["bay"];
      if (id) hold(key, () => toggle(id));
      else done = false;
    } else if (onBench && key === "b") {
      if (chosen.value.length > 0) hold(key, () => go("/burn"));
      else done = false;
    } else {
      done = false;
      // The next label, or a word: the browser types it where the focus is by then.
      if (onBench && /^\S$/.test(key)) seek();
    }
    if (done) event.preventDefault();
  });
}
