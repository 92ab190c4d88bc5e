/**
 * Updates: both systems of the box, a new one from a file or an address, and the restart into it.
 *
 * A file is read here in pieces: its head tells the box what it is, the box says which pieces it lacks, and only those are
 * sent. Whether the update is genuine is the box's to decide; this page trusts and checks nothing.
 */
import { useSignal } from "@preact/signals";
import type { Problem, SlotView, UpdateNeeds, UpdateState, UpdateWritten } from "@wire";
import { useEffect } from "preact/hooks";

import "../../style/gate.css";
import { asProblem, call, readProblem, Refusal, unreachable } from "../../api";
import { bytes, clock } from "../../format";
import { now } from "../../state/app";
import { Icon, Panel, ProblemNote, Shape } from "../bits";
import { FileDrop } from "../file";
import { useSort } from "../sort";
import { Back, wayBack } from "./back";
import { useDeed } from "./deed";

/** Between two looks, in milliseconds. */
const LOOK_MS = 2_000;
/** Longest head of an update that is read, in bytes. */
const HEAD_MAX = 600 * 1024;
/** How often in a row sending may fail without fewer pieces lacking than ever before. */
const TRIES = 5;

/** Sends bytes; JSON or nothing comes back. */
async function send<T>(method: "POST" | "PUT", path: string, body: Blob): Promise<T> {
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method,
      body,
      headers: { "X-Requested-With": "XMLHttpRequest", "Content-Type": "application/octet-stream" },
    });
    text = await answer.text();
  } catch {
    throw new Refusal(unreachable("The connection failed"));
  }
  if (!answer.ok) throw new Refusal(readProblem(answer.status, text));
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** The head of an update: ten letters, then two parts behind their lengths. */
export async function headOf(file: Blob): Promise<Blob> {
  const bad = (detail: string) =>
    new Refusal({ type: "page", status: 0, title: "This is no Kiln update", detail });
  const first = new DataView(await file.slice(0, HEAD_MAX).arrayBuffer());
  const magic = "KILNBNDL1\n";
  for (let n = 0; n < magic.length; n += 1) {
    if (first.byteLength <= n || first.getUint8(n) !== magic.charCodeAt(n)) throw bad("It does not begin as updates do. Choose the file that was downloaded, unpacked.");
  }
  let end = magic.length;
  for (let part = 0; part < 2; part += 1) {
    if (first.byteLength < end + 4) throw bad("It is cut short: download it again.");
    end += 4 + first.getUint32(end);
  }
  if (end > first.byteLength) throw bad("It is cut short: download it again.");
  return file.slice(0, end);
}

function wait(ms: number) {
  return new Promise((done) => setTimeout(done, ms));
}

/** Sends what the box lacks of a file; `told` hears how many bytes of how many are there. */
export async function upload(file: Blob, downgrade: boolean, told: (done: number, all: number) => void): Promise<UpdateWritten> {
  const head = await headOf(file);
  let begun = false;
  // A piece that was sent before is no progress: a medium that keeps nothing takes it again and again.
  let fewest = Infinity;
  for (let failed = 0; ; ) {
    try {
      const needs = await send<UpdateNeeds>("POST", `/update/begin?downgrade=${downgrade}`, head);
      begun = true;
      const all = needs.need.reduce((sum, c) => sum + c.len, 0);
      let done = 0;
      told(done, all);
      for (const [sent, c] of needs.need.entries()) {
        const piece = file.slice(c.offset, c.offset + c.len);
        if (piece.size !== c.len) throw new Refusal({ type: "page", status: 400, title: "The file is cut short", detail: "Download it again." });
        await send<undefined>("PUT", `/update/chunks/${c.number}`, piece);
        const lacking = needs.need.length - sent - 1;
        if (lacking < fewest) [fewest, failed] = [lacking, 0];
        done += c.len;
        told(done, all);
      }
      return await send<UpdateWritten>("POST", "/update/finish", new Blob());
    } catch (thrown) {
      const { status, type } = asProblem(thrown);
      // Only what a new try can mend: no answer, a writer that was lost, an update that somebody else has begun. Before the box
      // has taken the head there is nothing to go on with, what was given up meanwhile stays so, and so does a medium that fails.
      if (!begun || type === "update-given-up" || type === "update-medium" || !(status === 0 || status === 409 || status === 503) || (failed += 1) >= TRIES) throw thrown;
      await wait(2_000 * failed);
    }
  }
}

const STATES: Record<SlotView["state"], { text: string; shape: "pass" | "warn" | "fail" | "inc" }> = {
  good: { text: "good", shape: "pass" },
  trying: { text: "on trial", shape: "warn" },
  bad: { text: "not to be started", shape: "fail" },
  empty: { text: "empty", shape: "inc" },
};

function Slots({ state }: { state: UpdateState }) {
  const { slots, trial, last, writing } = state.view;
  const { list, head } = useSort(slots, "name", { name: ({ name }) => name, version: ({ version }) => version, state: ({ state: how }) => STATES[how].text, now: ({ running, next }) => (running ? 0 : next ? 1 : 2) });
  return (
    <Panel title="Systems" note="The box keeps two. An update goes into the one that does not run.">
      {slots.length === 0 && <p class="mute">The boot medium has not been read, or there is none.</p>}
      {slots.length > 0 && (
        <table class="tbl slots">
          <thead><tr>{head("name", "Slot")}{head("version", "Version")}{head("state", "State")}{head("now", "Now")}</tr></thead>
          <tbody>
            {list.map((slot) => (
              <tr key={slot.name}>
                <th scope="row"><span class="plate">{slot.name.toUpperCase()}</span></th>
                <td class="mono">{slot.version ?? "–"}</td>
                <td><span class={`v is-${STATES[slot.state].shape}`}><Shape of={STATES[slot.state].shape} />{STATES[slot.state].text}{slot.state === "trying" && !slot.running ? `, ${slot.tries_left} starts left` : ""}</span></td>
                <td>{slot.running ? "runs" : ""}{slot.next && !slot.running ? "is next" : ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {writing && <Progress label={`Version ${writing.version}: on the medium`} done={writing.done} all={writing.chunks} unit={`${writing.done} of ${writing.chunks} MiB`} />}
      {trial && <p class="v is-warn wrap" role="status"><Shape of="warn" /><span><b>This system is on trial</b>: {trial}.</span></p>}
      {last && (
        <p class={`v wrap is-${last.outcome === "kept" || last.outcome === "written" ? "pass" : "fail"}`}>
          <Shape of={last.outcome === "kept" || last.outcome === "written" ? "pass" : "fail"} />
          <span><b>{clock(last.at, now.value)}</b>: {last.text}.</span>
        </p>
      )}
    </Panel>
  );
}

function Progress({ label, done, all, unit }: { label: string; done: number; all: number; unit: string }) {
  return <p class="going"><label>{label}<progress max={Math.max(all, 1)} value={done} /></label><span>{unit}</span></p>;
}

/** The page. */
export default function Page() {
  const state = useSignal<UpdateState | null>(null);
  const asked = useSignal<Problem | null>(null);
  const sending = useSignal<{ done: number; all: number } | null>(null);
  const downgrade = useSignal(false);
  const url = useSignal("");
  const { run: deed, note } = useDeed();

  const look = async () => {
    try {
      state.value = await call<UpdateState>("GET", "/update");
      asked.value = null;
    } catch (thrown) {
      asked.value = asProblem(thrown);
    }
  };
  useEffect(() => {
    void look();
    const timer = setInterval(() => void look(), LOOK_MS);
    return () => clearInterval(timer);
  }, []);

  const run = async (work: () => Promise<string>) => {
    await deed(work);
    sending.value = null;
    await look();
  };
  const take = (file: File | undefined) => {
    if (!file || sending.value) return;
    sending.value = { done: 0, all: 0 };
    void run(async () => {
      const made = await upload(file, downgrade.value, (done, all) => (sending.value = { done, all }));
      return `Version ${made.version} is written to slot ${made.slot.toUpperCase()}. The next start tries it.`;
    });
  };

  const known = state.value;
  const download = known?.download ?? null;
  const next = known?.view.slots.find((slot) => slot.next && !slot.running);
  const busy = sending.value !== null || download?.running === true;
  const other = known && !busy ? wayBack(known.view) : null;
  return (
    <>
      {/* Off the appliance that is as it should be; where a supervisor was heard of, it is away. */}
      {asked.value?.type === "no-supervisor" && !known
        ? <Panel title="Systems"><p class="note"><Icon name="info" /><span><b>{asked.value.title}.</b> Updates are for the appliance; elsewhere install the new package or container.</span></p></Panel>
        : <ProblemNote problem={asked.value} />}
      {known && <Slots state={known} />}
      {known && next && (
        <Panel title="Restart" note="Tests write down where they are and go on after it.">
          <p>The next start takes slot {next.name.toUpperCase()}{next.version ? `, version ${next.version}` : ""}. It has three starts to prove itself; if it does not, the box goes back to the system that runs now.</p>
          <button class="btn prime" type="button" disabled={busy} onClick={() => void run(async () => { await call("POST", "/update/reboot"); return "The box restarts. This page comes back by itself."; })}>Restart into it</button>
        </Panel>
      )}
      {known && (
        <Panel title="New system" note="Signed by a key that this box trusts.">
          <FileDrop disabled={busy} onFile={take}><b>Choose the update</b>, or drop it here. What runs goes on running; only what the box lacks is sent.</FileDrop>
          {sending.value && <Progress label="Sent" done={sending.value.done} all={sending.value.all} unit={`${bytes(sending.value.done)} of ${bytes(sending.value.all)}`} />}
          <form onSubmit={(event) => {
            event.preventDefault();
            if (url.value === "" || busy) return;
            void run(async () => { await call("POST", "/update", { url: url.value, downgrade: downgrade.value }); return "The box fetches it."; });
          }}>
            <div class="field"><label for="u-url">Or an address from which the box fetches it</label>
              <input id="u-url" type="url" placeholder="https://" value={url.value} onInput={(event) => (url.value = event.currentTarget.value)} /></div>
            <label class="check"><input type="checkbox" checked={downgrade.value} onChange={(event) => (downgrade.value = event.currentTarget.checked)} /><span><b>Also when it is older than what runs</b><span>Holds for a file, too. Records that a newer system has written may be more than an older one reads.</span></span></label>
            <button class="btn" type="submit" disabled={busy || url.value === ""}>Fetch it</button>
          </form>
          {download?.running && <p role="status">It is being fetched from <span class="mono">{download.url}</span>.</p>}
          {download && !download.running && download.error && <p class="v wrap is-fail" role="status"><Shape of="fail" /><span><b>It was not taken</b>: {download.error}</span></p>}
          {note}
        </Panel>
      )}
      {other && <Back slot={other} onAsked={() => void look()} />}
    </>
  );
}
