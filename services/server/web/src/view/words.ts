/** What a word means, shown beside it: one popover for all of them, in the browser's top layer, so that nothing cuts it off. */
import "../style/words.css";
import guide from "../../../../../rootfs/docs/words.md?raw";
import type { Word } from "./term";

/** What the guide says of each word, by its heading. */
export const MEANS: ReadonlyMap<string, string> = new Map(
  guide.split(/^## /m).slice(1).map((part) => {
    const [head = "", ...lines] = part.split("\n");
    return [head.trim(), lines.join(" ").replace(/\s+/g, " ").trim()] as const;
  }),
);

/** Room to the edges of the window, in pixels. */
const EDGE = 8;

let box: HTMLElement | null = null;

/** Shows what `word` means beside `link`. Escape, a press elsewhere or Tab out of it closes it, and who read it is back at the word. */
export function tell(link: HTMLElement, word: Word): void {
  box?.remove();
  box = document.createElement("div");
  box.className = "meant";
  box.popover = "auto";
  box.tabIndex = -1;
  box.setAttribute("role", "dialog");
  box.setAttribute("aria-label", word);
  const text = document.createElement("p");
  const name = document.createElement("b");
  name.textContent = word;
  text.append(name, ` ${MEANS.get(word) ?? ""}`);
  const all = document.createElement("a");
  all.href = link instanceof HTMLAnchorElement ? link.getAttribute("href") ?? "/docs/words" : "/docs/words";
  // What is typed beside the word stays.
  all.target = "_blank";
  all.textContent = "All words";
  box.append(text, all);
  // In a dialog that is open nothing outside of it can be reached.
  (link.closest("dialog") ?? document.body).append(box);
  box.showPopover();
  const at = link.getBoundingClientRect();
  const own = box.getBoundingClientRect();
  const below = at.bottom + 4 + own.height <= innerHeight - EDGE;
  // It goes along when the page is scrolled.
  box.style.left = `${scrollX + Math.max(EDGE, Math.min(at.left, innerWidth - own.width - EDGE))}px`;
  box.style.top = `${scrollY + (below ? at.bottom + 4 : Math.max(EDGE, at.top - own.height - 4))}px`;
  box.focus({ preventScroll: true });
  const gone = box;
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" || (!event.shiftKey && document.activeElement === gone)) return;
    // It stands at the page's end, from where Tab would begin at the top.
    event.preventDefault();
    gone.hidePopover();
    link.focus({ preventScroll: true });
  });
  box.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    const inside = gone.contains(document.activeElement) || document.activeElement === document.body;
    gone.remove();
    if (inside && link.isConnected) link.focus({ preventScroll: true });
  });
}
