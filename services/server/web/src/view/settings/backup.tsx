/** Taking the box's records away, putting them back, telling somebody who helps, and beginning anew. */
import { useSignal } from "@preact/signals";
import type { Problem } from "@wire";

import "../../style/gate.css";
import "../../style/playbook.css";
import { asProblem, call, readProblem, Refusal, unreachable } from "../../api";
import { bytes, clock } from "../../format";
import { known, now } from "../../state/app";
import { Icon, Panel, ProblemNote, Shape } from "../bits";

/** Shortest passphrase, as the box says it. */
const LEAST = 12;

/** Longest backup that the box takes. */
const FILE_MAX = 64 << 20;

/** Sends a request whose body or answer is a file; the answer's name and bytes. */
async function file(method: "GET" | "POST" | "PUT", path: string, body?: Blob | object): Promise<{ name: string; blob: Blob }> {
  const init: RequestInit = { method, headers: { "X-Requested-With": "XMLHttpRequest" } };
  if (body instanceof Blob) {
    init.body = body;
    init.headers = { ...init.headers, "Content-Type": "application/octet-stream" };
  } else if (body) {
    init.body = JSON.stringify(body);
    init.headers = { ...init.headers, "Content-Type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, init);
  } catch {
    throw new Refusal(unreachable("The connection failed"));
  }
  if (!answer.ok) throw new Refusal(readProblem(answer.status, await answer.text()));
  const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "kiln";
  return { name, blob: await answer.blob() };
}

/** Gives a file to the person. */
function save({ name, blob }: { name: string; blob: Blob }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Runs one request at a time and shows what came of it. */
function useDeed() {
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const told = useSignal("");
  const run = async (work: () => Promise<string>) => {
    busy.value = true;
    problem.value = null;
    told.value = "";
    try {
      told.value = await work();
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  const note = (
    <>
      <ProblemNote problem={problem.value} />
      {told.value && <p class="v is-pass" role="status"><Shape of="pass" />{told.value}</p>}
    </>
  );
  return { busy, run, note };
}

function Field(props: { id: string; label: string; hint?: string; value: { value: string }; open?: boolean; complete?: string }) {
  return (
    <div class="field"><label for={props.id}>{props.label}</label>
      {props.open
        ? <input id={props.id} type="text" autocomplete="off" spellcheck={false} value={props.value.value} onInput={(event) => (props.value.value = event.currentTarget.value)} />
        : <input id={props.id} type="password" autocomplete={props.complete ?? "off"} value={props.value.value} onInput={(event) => (props.value.value = event.currentTarget.value)} aria-describedby={props.hint ? `${props.id}-h` : undefined} />}
      {props.hint && <p class="h" id={`${props.id}-h`}>{props.hint}</p>}
    </div>
  );
}

function Take() {
  const password = useSignal("");
  const phrase = useSignal("");
  const { busy, run, note } = useDeed();
  const ready = password.value !== "" && phrase.value.length >= LEAST;
  return (
    <Panel title="Take a backup" note="Events, jobs, certificates, people, add-ons, alerts: one encrypted file.">
      <form onSubmit={(event) => {
        event.preventDefault();
        if (!ready) return;
        void run(async () => {
          const made = await file("POST", "/backup", { password: password.value, passphrase: phrase.value });
          save(made);
          password.value = phrase.value = "";
          return `${made.name}, ${bytes(made.blob.size)}`;
        });
      }}>
        <Field id="b-pw" label="Your password" complete="current-password" value={password} />
        <Field id="b-ph" label="A passphrase for the file" hint={`${LEAST} characters or more. Keep it: without it nobody opens the file again, also not this box.`} complete="new-password" value={phrase} />
        {note}
        <button class="btn prime" type="submit" disabled={!ready || busy.value}>{busy.value ? "Making it" : "Take a backup"}</button>
      </form>
      <p class="mute foot">Jobs under way and the keys that make this box this box are not in it.</p>
    </Panel>
  );
}

interface Brought { name: string; made: string; version: string; bytes: number }

function Bring() {
  const password = useSignal("");
  const phrase = useSignal("");
  const brought = useSignal<Brought | null>(null);
  const { busy, run, note } = useDeed();
  const take = (chosen: File | undefined) => {
    if (!chosen) return;
    void run(async () => {
      brought.value = null;
      if (chosen.size > FILE_MAX) throw new Refusal({ type: "page", status: 0, title: "This file is too long for a backup", detail: `${chosen.name} has ${bytes(chosen.size)}; at most ${bytes(FILE_MAX)} are taken.` });
      const { blob } = await file("PUT", "/restore", chosen);
      brought.value = JSON.parse(await blob.text()) as Brought;
      return "";
    });
  };
  const was = brought.value;
  const ready = was !== null && password.value !== "" && phrase.value !== "";
  return (
    <Panel title="Put a backup back" note="Of this box or another.">
      <label class="drop" onDragOver={(event) => event.preventDefault()} onDrop={(event) => { event.preventDefault(); take(event.dataTransfer?.files[0]); }}>
        <Icon name="file" /><span><b>Choose the file</b>, or drop it here. Nothing happens yet.</span>
        <input class="sr" type="file" onChange={(event) => take(event.currentTarget.files?.[0])} />
      </label>
      {was && (
        <form onSubmit={(event) => {
          event.preventDefault();
          if (!ready) return;
          void run(async () => {
            await call("POST", "/restore", { password: password.value, passphrase: phrase.value });
            brought.value = null;
            return "The server starts again. Log in as in the backup.";
          });
        }}>
          <dl class="facts says"><dt>Made on</dt><dd>{was.name}, version {was.version}</dd><dt>At</dt><dd>{clock(was.made, now.value)}</dd><dt>Size</dt><dd>{bytes(was.bytes)}</dd></dl>
          <p><b>Everything that this box keeps now is replaced</b>: its events, jobs, people and passwords. The drives are not touched.</p>
          <Field id="r-ph" label="The backup's passphrase" value={phrase} />
          <Field id="r-pw" label="Your password on this box" complete="current-password" value={password} />
          <button class="btn danger" type="submit" disabled={!ready || busy.value}>Replace everything with this backup</button>
        </form>
      )}
      {note}
    </Panel>
  );
}

function Help() {
  const { busy, run, note } = useDeed();
  return (
    <Panel title="For somebody who helps" note="Status, events, the end of the log, what the kernel says.">
      <p class="mute">Passwords, tokens and keys are not in it; serial numbers and addresses are.</p>
      {note}
      <p><button class="btn" type="button" disabled={busy.value} onClick={() => void run(async () => {
        const made = await file("GET", "/debug-bundle");
        save(made);
        return `${made.name}, ${bytes(made.blob.size)}`;
      })}>{busy.value ? "Collecting" : "Take a debug bundle"}</button></p>
    </Panel>
  );
}

function Reset() {
  const password = useSignal("");
  const typed = useSignal("");
  const { busy, run, note } = useDeed();
  const name = known.value.box?.name ?? "";
  const ready = password.value !== "" && name !== "" && typed.value.trim() === name;
  return (
    <Panel title="Begin anew" note="Factory reset.">
      <form onSubmit={(event) => {
        event.preventDefault();
        if (!ready) return;
        void run(async () => {
          await call("POST", "/reset", { password: password.value, confirm: typed.value });
          return "The box reboots. Its console shows a new code.";
        });
      }}>
        <p>The box reboots and forgets everything: people, events, jobs, certificates, add-ons. Take a backup first. Drives on test bays are not touched.</p>
        <Field id="x-nm" label={`Type the box's name: ${name}`} open value={typed} />
        <Field id="x-pw" label="Your password" complete="current-password" value={password} />
        {note}
        <button class="btn danger" type="submit" disabled={!ready || busy.value}>Forget everything and reboot</button>
      </form>
    </Panel>
  );
}

/** The page. */
export default function Page() {
  return (
    <>
      <Take />
      <Bring />
      <Help />
      <Reset />
    </>
  );
}
