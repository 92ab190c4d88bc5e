/** What the box refused of an add-on: everything of it that was not understood or not allowed, with the reason. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "@wire";

import { asProblem } from "../api";
import { stamp } from "../format";
import { now } from "../state/app";
import { ProblemNote } from "../view/bits";
import type { AddonView } from "../openapi";
import { ask } from "./ask";
import { at, str } from "./manifest";
import { readLine, type Line } from "./ring";

/** What the box refused of an add-on, newest first. */
export function Refused({ addon, open }: { addon: AddonView; open?: boolean }) {
  const lines = useSignal<Line[] | null>(null);
  const problem = useSignal<Problem | null>(null);
  const load = () => {
    problem.value = null;
    ask(addon.id, "log_history", { component: "" }).then(
      (told) => (lines.value = told.items.filter((item) => str(at(item, "source")) === "server").map(readLine).reverse()),
      (thrown: unknown) => (problem.value = asProblem(thrown)),
    );
  };
  useEffect(() => {
    if (open) load();
  }, [open, addon.updated_at]);
  return (
    <details class="refused" open={open} onToggle={(event) => event.currentTarget.open && load()}>
      <summary>What was refused</summary>
      <ProblemNote problem={problem.value} />
      {lines.value === null ? !problem.value && <p class="mute">Asking the box.</p> : lines.value.length === 0 ? <p class="mute">Nothing since the box was started: every frame of it was understood.</p> : (
        <ol class="plain">{lines.value.slice(0, 200).map((line, index) => <li key={index}><time class="mute">{line.time ? stamp(line.time, now.value) : ""}</time> {line.message}</li>)}</ol>
      )}
    </details>
  );
}
