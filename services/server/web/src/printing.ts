/** Whether the page is being put on paper: then what is folded on a screen is shown whole. */
import { signal } from "@preact/signals";

/** See the file. */
export const printing = signal(false);

let opened: HTMLDetailsElement[] = [];

/** Follows the browser's own printing. */
export function startPrinting(): void {
  addEventListener("beforeprint", () => {
    printing.value = true;
    opened = [...document.querySelectorAll<HTMLDetailsElement>("main details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    printing.value = false;
    for (const one of opened) one.open = false;
    opened = [];
  });
}
