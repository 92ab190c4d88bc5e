/** The way back to the box's other system, which has proven itself: offered where there is one, decided by the box. */
import { useSignal } from "@preact/signals";
import type { SlotView, UpdateView } from "@wire";

import { call } from "../../api";
import { Dialog, Panel } from "../bits";
import { useDeed } from "./deed";
import { jobWords, running } from "./running";

/** The system that the box can go back to, or `null`: the other one, once it has proven itself, while nothing is written. */
export function wayBack(view: Pick<UpdateView, "slots" | "writing">): SlotView | null {
  if (view.writing || !view.slots.some((slot) => slot.running)) return null;
  return view.slots.find((slot) => !slot.running && !slot.next && slot.state === "good") ?? null;
}

/** What the other system is called in a sentence. */
export function systemOf(slot: Pick<SlotView, "name" | "version">): string {
  return slot.version ? `version ${slot.version} in slot ${slot.name.toUpperCase()}` : `slot ${slot.name.toUpperCase()}`;
}

/** The panel with its question. */
export function Back({ slot, onAsked }: { slot: SlotView; onAsked: () => void }) {
  const asking = useSignal(false);
  const agreed = useSignal(false);
  const { busy, run, note } = useDeed();
  const jobs = running();
  const ask = (open: boolean) => {
    agreed.value = false;
    asking.value = open;
  };
  const back = async () => {
    await call("POST", "/update/back", { while_testing: jobs > 0 });
    onAsked();
    return `The box restarts with ${systemOf(slot)}. This page comes back by itself.`;
  };
  return (
    <Panel title="The other system" note="It has proven itself here before.">
      <p>Where this system does not do well, the box can go back to {systemOf(slot)}. Its records stay; what a newer system has written may be more than an older one reads.</p>
      {note}
      <button class="btn" type="button" disabled={busy.value} onClick={() => ask(true)}>Go back to it…</button>
      {asking.value && (
        <Dialog title="Restart with the other system?" onClose={() => ask(false)}>
          <form onSubmit={(event) => {
            event.preventDefault();
            if (jobs > 0 && !agreed.value) return;
            ask(false);
            void run(back);
          }}>
            <p>The next start takes {systemOf(slot)}, and so does each after it. {jobWords(jobs)}</p>
            {jobs > 0 && <label class="check"><input type="checkbox" checked={agreed.value} onChange={(event) => (agreed.value = event.currentTarget.checked)} /><span><b>Also while drives are being tested</b><span>They stand still until the box is back.</span></span></label>}
            <div class="do">
              <button class="btn prime" type="submit" disabled={jobs > 0 && !agreed.value}>Restart with it</button>
              <button class="btn" type="button" onClick={() => ask(false)}>Stay here</button>
            </div>
          </form>
        </Dialog>
      )}
    </Panel>
  );
}
