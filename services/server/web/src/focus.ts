/**
 * Keeps the focus where it was when what had it goes, or cannot be pressed while the box is asked: else a keyboard and a screen
 * reader would begin at the top of the page again.
 */

/** What had the focus last, and what it stood in, the innermost first; nothing once a person took the focus away. */
let path: Element[] = [];

/** Gives the focus back to what had it, or to what that stood in, which nothing can be pressed in by mistake. */
function restore(): void {
  const [had] = path;
  const at = document.activeElement;
  if (had === undefined || (at !== null && at !== document.body && !at.matches(":disabled"))) return;
  if (had.isConnected) {
    if (!had.matches(":disabled") && had instanceof HTMLElement) had.focus({ preventScroll: true });
    return;
  }
  const left = path.find((one): one is HTMLElement => one.isConnected && one instanceof HTMLElement && one.closest("main") !== null);
  path = [];
  const to = left ?? document.getElementById("main");
  if (!to) return;
  if (!to.hasAttribute("tabindex")) {
    to.tabIndex = -1;
    to.addEventListener("blur", () => to.removeAttribute("tabindex"), { once: true });
  }
  to.focus({ preventScroll: true });
}

/** Follows the focus from now on. */
export function startFocus(): void {
  document.addEventListener("focusin", ({ target }) => {
    path = [];
    for (let at = target instanceof Element ? target : null; at !== null; at = at.parentElement) path.push(at);
  });
  document.addEventListener("focusout", () =>
    // Behind what is being drawn: Chromium tells it of what is about to be taken away, too.
    queueMicrotask(() => {
      const [had] = path;
      if (had?.isConnected && !had.matches(":disabled") && document.activeElement !== had) path = [];
    }),
  );
  new MutationObserver(restore).observe(document.documentElement, { subtree: true, childList: true, attributeFilter: ["disabled"] });
}
