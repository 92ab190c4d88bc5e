/** Taking the box's records away and putting them back. */
import { useSignal } from "@preact/signals";

import "../../style/gate.css";
import "../../style/playbook.css";
import { call } from "../../api";
import { bytes, clock } from "../../format";
import { known, now } from "../../state/app";
import { Panel, Shape } from "../bits";
import { FileDrop } from "../file";
import { Field, file, save, useDeed } from "./deed";
import { tellAtDoor } from "./door";
import { barWords, running } from "./running";

/** Shortest passphrase, as the box says it. */
const LEAST = 12;

/** Bytes of a backup in which its two lines in clear end. */
const CLEAR = 8192;

/** What the door says to who has put a backup back. */
const RESTORED = "The backup is put back. Log in with a name and password of it.";

/** What is missing in a backup, by the head that stands in clear in its second line; pure. */
export function missing(clear: string): string {
  let head: unknown;
  try {
    head = JSON.parse(clear.split("\n")[1] ?? "");
  } catch {
    return "";
  }
  const lacks = typeof head === "object" && head !== null && "agent" in head && head.agent === false;
  return lacks ? "The burn-in agent’s records are not in it (the key of certificates, bays, playbooks of one’s own), because no agent was there." : "";
}

function Take() {
  const password = useSignal("");
  const phrase = useSignal("");
  const { busy, run, note } = useDeed();
  const ready = password.value !== "" && phrase.value.length >= LEAST;
  return (
    <Panel title="Take a backup" note="Events, tests, certificates, people, add-ons, alerts: one encrypted file.">
      <form onSubmit={(event) => {
        event.preventDefault();
        if (!ready) return;
        void run(async () => {
          const made = await file("POST", "/backup", { password: password.value, passphrase: phrase.value });
          save(made);
          password.value = phrase.value = "";
          return `${made.name}, ${bytes(made.blob.size)}. ${missing(await made.blob.slice(0, CLEAR).text())}`.trim();
        });
      }}>
        <Field id="b-pw" label="Your password" complete="current-password" value={password} />
        <Field id="b-ph" label="A passphrase for the file" hint={`${LEAST} characters or more. Keep it: without it nobody opens the file again, also not this box.`} complete="new-password" value={phrase} />
        {note}
        <button class="btn prime" type="submit" disabled={!ready || busy.value}>{busy.value ? "Making it" : "Take a backup"}</button>
      </form>
      <p class="mute foot">Tests under way and the keys that make this box this box are not in it.</p>
    </Panel>
  );
}

interface Brought { name: string; made: string; version: string; bytes: number; agent: boolean }

function Bring() {
  const password = useSignal("");
  const phrase = useSignal("");
  const brought = useSignal<Brought | null>(null);
  const { busy, run, note } = useDeed();
  const take = (chosen: File | undefined) => {
    if (!chosen) return;
    void run(async () => {
      brought.value = null;
      const { blob } = await file("PUT", "/restore", chosen);
      brought.value = JSON.parse(await blob.text()) as Brought;
      return "";
    });
  };
  const was = brought.value;
  const bar = barWords(running(), known.value.box?.agent.state === "online");
  const ready = was !== null && bar === "" && password.value !== "" && phrase.value !== "";
  return (
    <Panel title="Put a backup back" note="Of this box or another.">
      {bar && <p class="v wrap is-warn" id="r-bar"><Shape of="warn" />{bar}</p>}
      <FileDrop onFile={take}><b>Choose the file</b>, or drop it here. Nothing happens yet.</FileDrop>
      {was && (
        <form onSubmit={(event) => {
          event.preventDefault();
          if (!ready) return;
          void run(async () => {
            await call("POST", "/restore", { password: password.value, passphrase: phrase.value });
            brought.value = null;
            tellAtDoor(RESTORED);
            return "The server starts again. Log in as in the backup.";
          });
        }}>
          <dl class="facts says"><dt>Made on</dt><dd>{was.name}, version {was.version}</dd><dt>At</dt><dd>{clock(was.made, now.value)}</dd><dt>Size</dt><dd>{bytes(was.bytes)}</dd></dl>
          <p><b>Everything that this box keeps now is replaced</b>: its events, tests, people and passwords. The drives are not touched.</p>
          {!was.agent && <p>The burn-in agent’s records are not in it: what the agent of this box keeps stays as it is.</p>}
          <Field id="r-ph" label="The backup's passphrase" value={phrase} />
          <Field id="r-pw" label="Your password on this box" complete="current-password" value={password} />
          <button class="btn danger" type="submit" disabled={!ready || busy.value} aria-describedby={bar ? "r-bar" : undefined}>Replace everything with this backup</button>
        </form>
      )}
      {note}
    </Panel>
  );
}

/** The page. */
export default function Page() {
  return (
    <>
      <Take />
      <Bring />
    </>
  );
}
