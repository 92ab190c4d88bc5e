/** A text to take away: shown as it is, with a button that copies it. */
import { Icon } from "../view/bits";
import { copied, copy } from "./context";

/** The button. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  return <button class="btn small" type="button" onClick={() => void copy(text, what)}><Icon name={copied.value === what ? "tick" : "file"} /><span aria-live="polite">{copied.value === what ? "Copied" : `Copy ${what}`}</span></button>;
}

/** The text with its button; `whole`: what is taken away, where the one that is shown hides something. */
export function Snippet({ text, what, whole }: { text: string; what: string; whole?: string }) {
  return (
    <div class="snippet"><pre tabIndex={0} role="region" aria-label={what}>{text}</pre><CopyButton text={whole ?? text} what={what} /></div>
  );
}
