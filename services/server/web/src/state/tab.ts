/** What this tab keeps over a reload, and no new one has. A browser without storage forgets it then. */

/** The text that is kept by this name; `null`: none. */
export function kept(key: string): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

/** The value that is kept by this name as JSON; `null`: none that can be read. */
export function keptValue(key: string): unknown {
  try {
    return JSON.parse(kept(key) ?? "null");
  } catch {
    return null;
  }
}

/** Keeps a text, or forgets it (`null`). */
export function keep(key: string, text: string | null): void {
  try {
    if (text === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, text);
  } catch {
    // Without storage, or with a full one, the page's own state is all there is.
  }
}
