/** The list of keys, and the places that no other leads to. */
import { helpOpen } from "../state/app";
import { Dialog } from "./bits";

/** A dialog; it is open as long as it is drawn. */
export function Help() {
  return (
    <Dialog title="Help" onClose={() => (helpOpen.value = false)}>
      <p class="sr">Keys that work on the bench</p>
      <dl class="keylist">
        <dt><kbd>/</kbd></dt><dd>search drives by model, serial, place, content, state, verdict</dd>
        <dt>a label</dt><dd>the same by itself: a bar-code reader shows one drive after another and opens none</dd>
        <dt><kbd>← → ↑ ↓</kbd></dt><dd>move over the bays</dd>
        <dt><kbd>Enter</kbd></dt><dd>open the drive or its test</dd>
        <dt><kbd>x</kbd></dt><dd>choose the drive, or let it go</dd>
        <dt><kbd>b</kbd></dt><dd>burn in the chosen drives, once you have confirmed</dd>
        <dt><kbd>Esc</kbd></dt><dd>close, or clear the search</dd>
        <dt><kbd>?</kbd></dt><dd>this list</dd>
      </dl>
      <ul class="more" onClick={() => (helpOpen.value = false)}>
        <li><a href="/wall">Wall</a><span class="mute"> the bench for a screen across the room</span></li>
        <li><a href="/docs">Guides</a><span class="mute"> what this box can do and how it is told to</span></li>
      </ul>
      <form method="dialog"><button class="btn" type="submit">Close</button></form>
    </Dialog>
  );
}
