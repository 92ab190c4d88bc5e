/**
 * What was typed into the playbook editor and not saved: the tab keeps it by the playbook's name until it is saved, undone or somebody
 * else logs in.
 */
const PREFIX = "kiln-draft ";

/** The draft of a playbook; `null`: none. */
export function draftOf(id: string): string | null {
  try {
    return sessionStorage.getItem(PREFIX + id);
  } catch {
    return null;
  }
}

/** Keeps a draft, or forgets it (`null`). */
export function keepDraft(id: string, text: string | null): void {
  try {
    if (text === null) sessionStorage.removeItem(PREFIX + id);
    else sessionStorage.setItem(PREFIX + id, text);
  } catch {
    // A browser without storage keeps the page's own state.
  }
}

/** Forgets all of them: they are nothing for whoever logs in next. */
export function forgetDrafts(): void {
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
  } catch {
    // None was kept.
  }
}
