/** Keys that work everywhere on the bench: `/` search, arrows over the bays, `x` choose, `b` burn in, `?` help. */
import { chosen, helpOpen, search, toggle } from "./state/app";
import { go, isAhead, place } from "./route";

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

/** Starts listening. */
export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.activeElement?.id === "search") {
      if (event.key === "Escape") {
        search.value = "";
        (document.activeElement as HTMLElement).blur();
      }
      // To what is found; a reader of bar codes ends with Enter.
      else if (/^(Enter|ArrowDown)$/.test(event.key) && move(event.key)) event.preventDefault();
      return;
    }
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const onBench = place.value.name === "bench";
    let done = true;
    // What is typed faster than the bench is drawn, as a reader of bar codes does, belongs into its search.
    if (isAhead("search") && event.key.length === 1) search.value += event.key;
    else if (event.key === "?") helpOpen.value = true;
    else if (event.key === "/") {
      const field = document.getElementById("search");
      if (field) field.focus();
      else go("/", "search");
    } else if (onBench && event.key.startsWith("Arrow")) done = move(event.key);
    else if (onBench && event.key === "x") {
      const id = document.activeElement?.closest<HTMLElement>("[data-bay][data-can]")?.dataset["bay"];
      if (id) toggle(id);
      else done = false;
    } else if (onBench && event.key === "b" && chosen.value.length > 0) go("/burn");
    else done = false;
    if (done) event.preventDefault();
  });
}
