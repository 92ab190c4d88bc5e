/** Beside what a source told: why it told nothing, or that it is what the add-on said before it was out of reach. */
import { ProblemNote, Shape } from "../view/bits";
import type { Around, Asked } from "./context";

/** Whether an answer is of before: its add-on is out of reach, and the box told what it had kept. */
export const isPast = (asked: Asked, around: Around): boolean => asked.told.value?.stale === true && around.addon.status === "offline";

/** The note; nothing while all is well. What an add-on that is connected has sent is no older for its address being silent. */
export function AskedNote({ asked, around }: { asked: Asked; around: Around }) {
  return (
    <>
      <ProblemNote problem={asked.problem.value} />
      {isPast(asked, around) && !asked.problem.value && (
        <p class="v is-inc wrap stale" role="status"><Shape of="inc" /><span><b>The add-on is out of reach.</b> This is what it said last. <button class="btn plain" type="button" disabled={asked.busy.value} onClick={asked.again}>{asked.busy.value ? "Asking" : "Ask again"}</button></span></p>
      )}
    </>
  );
}
