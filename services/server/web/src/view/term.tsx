/**
 * Words that not everybody knows, each with what it means at a press. The list is the guide `/docs/words` (`rootfs/docs/words.md`), to
 * which the link leads where nothing can be shown here. The bench has no room for it in its first load and links to the guide.
 */
import type { ComponentChildren } from "preact";

import { tell } from "./words";

/** Each is a heading of the guide. */
export const WORDS = ["LBA", "SMART", "FARM", "SMR", "HPA", "DCO", "WWN", "GPT", "MBR", "UUID", "CRC", "Soak", "Trim", "p99"] as const;
export type Word = (typeof WORDS)[number];

/** How a word stands in a text, where that is not the word itself. */
const ALSO: Record<string, Word> = { soak: "Soak", trim: "Trim", TRIM: "Trim", shingled: "SMR", Shingled: "SMR" };
const IN_TEXT = new RegExp(`\\b(?:${[...WORDS, ...Object.keys(ALSO)].join("|")})\\b`, "g");

/** A word with its meaning; other words for it as children. */
export function Term({ of, children }: { of: Word; children?: ComponentChildren }) {
  return (
    <a class="term" href={`/docs/words#${of.toLowerCase()}`} aria-haspopup="dialog" onClick={(event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || !("popover" in HTMLElement.prototype)) return;
      event.preventDefault();
      tell(event.currentTarget, of);
    }}>{children ?? of}</a>
  );
}

/** A text in parts: what is a word is marked with it, at its first place. Pure. */
export function parts(text: string): (string | [string, Word])[] {
  const out: (string | [string, Word])[] = [];
  const seen = new Set<Word>();
  let end = 0;
  for (const { 0: found, index } of text.matchAll(IN_TEXT)) {
    const word = ALSO[found] ?? (found as Word);
    if (seen.has(word)) continue;
    seen.add(word);
    if (index > end) out.push(text.slice(end, index));
    out.push([found, word]);
    end = index + found.length;
  }
  if (end < text.length) out.push(text.slice(end));
  return out;
}

/** A text whose words can be asked about. */
export const Words = ({ text }: { text: string }) => <>{parts(text).map((part) => (typeof part === "string" ? part : <Term of={part[1]}>{part[0]}</Term>))}</>;
