/** Dark or light: as the system has it, or as a person chose for this browser. */
import { signal } from "@preact/signals";

/** What may be chosen. */
export type Theme = "system" | "light" | "dark";

const KEY = "kiln-theme";

/** What was kept; anything else is the system's. Pure. */
export function readTheme(kept: string | null): Theme {
  return kept === "light" || kept === "dark" ? kept : "system";
}

function kept(): Theme {
  try {
    return readTheme(localStorage.getItem(KEY));
  } catch {
    return "system";
  }
}

/** What is chosen. */
export const theme = signal<Theme>(kept());

/** Shows a theme: the chosen one, or another for as long as a place wants it. */
export function showTheme(shown: Theme = theme.value): void {
  const root = document.documentElement;
  if (shown === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = shown;
  // The browser's own bar has the page's colour.
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    const own = (meta.dataset["media"] ??= meta.media);
    meta.media = shown === "system" ? own : own.includes(shown) ? "all" : "not all";
  }
}

/** Chooses, keeps and shows. */
export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  showTheme();
  try {
    if (chosen === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, chosen);
  } catch {
    // A browser without storage forgets the choice at a reload.
  }
}

/** Shows what was kept, and follows what another tab of this browser chooses. */
export function startTheme(): void {
  showTheme();
  addEventListener("storage", ({ key }) => {
    if (key !== KEY && key !== null) return;
    theme.value = kept();
    showTheme();
  });
}
