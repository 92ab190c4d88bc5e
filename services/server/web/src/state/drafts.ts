/**
 * What was typed into the playbook editor and not saved: the tab keeps it by the playbook's name until it is saved, undone or somebody
 * else logs in.
 */
import { keep, kept } from "./tab";

const PREFIX = "kiln-draft ";

/** The draft of a playbook; `null`: none. */
export const draftOf = (id: string): string | null => kept(PREFIX + id);

/** Keeps a draft, or forgets it (`null`). */
export const keepDraft = (id: string, text: string | null): void => keep(PREFIX + id, text);

/** Forgets all of them: they are nothing for whoever logs in next. */
export function forgetDrafts(): void {
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
  } catch {
    // None was kept.
  }
}
