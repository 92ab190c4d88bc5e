/** Stores that were damaged and records that could not be read: what lies there, and its removal for good. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { call } from "../../api";
import { bytes } from "../../format";
import type { SetAsideFile } from "../../openapi";
import { Panel } from "../bits";
import { Field, useDeed } from "./deed";

/** How much lies there; pure. */
export function asideWords(files: readonly SetAsideFile[]): string {
  const all = bytes(files.reduce((sum, file) => sum + file.bytes, 0));
  return files.length === 1 ? `1 file, ${all}` : `${files.length} files, ${all}`;
}

/** Shown only where there is something. */
export function Aside() {
  const files = useSignal<SetAsideFile[]>([]);
  const password = useSignal("");
  const { busy, run, note } = useDeed();
  const look = async () => (files.value = await call<SetAsideFile[]>("GET", "/set-aside"));
  // A box that does not answer this has nothing to show here.
  useEffect(() => void look().catch(() => {}), []);
  if (files.value.length === 0) return null;
  return (
    <Panel title="Set aside" note={asideWords(files.value)}>
      <p>A store that was damaged or records that could not be read. The box goes on without them; they are of use to somebody who looks for what was lost.</p>
      <dl class="facts">
        {files.value.map((file) => [<dt key={`${file.name} name`} class="mono">{file.name}</dt>, <dd key={`${file.name} why`}>{bytes(file.bytes)}: {file.why}</dd>])}
      </dl>
      <form onSubmit={(event) => {
        event.preventDefault();
        if (password.value === "") return;
        void run(async () => {
          await call("DELETE", "/set-aside", { password: password.value });
          password.value = "";
          await look();
          return "They are removed.";
        });
      }}>
        <Field id="a-pw" label="Your password" complete="current-password" value={password} />
        {note}
        <button class="btn danger" type="submit" disabled={password.value === "" || busy.value}>Remove them for good</button>
      </form>
    </Panel>
  );
}
