/** One's own password and sessions. What the box enforces is told here, not decided. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "@wire";

import "../../style/gate.css";
import { asProblem, call, segment } from "../../api";
import { programWords } from "../../called";
import { clock, zone } from "../../format";
import type { SessionView } from "../../openapi";
import { now, visit } from "../../state/app";
import { Panel, ProblemNote, Shape } from "../bits";
import { WayBack } from "../doors";
import { useSettled } from "../settle";
import { useSort } from "../sort";
import { useDeed } from "./deed";

/** Shortest password, as the box says it. */
const LEAST = 8;

function Password() {
  const old = useSignal("");
  const fresh = useSignal("");
  const again = useSignal("");
  const busy = useSignal(false);
  const done = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const differs = again.value !== "" && again.value !== fresh.value;
  const ready = old.value !== "" && fresh.value.length >= LEAST && again.value === fresh.value;
  const change = async () => {
    busy.value = true;
    done.value = false;
    problem.value = null;
    try {
      await call("PUT", "/session/password", { old: old.value, new: fresh.value });
      old.value = fresh.value = again.value = "";
      done.value = true;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  return (
    <Panel title="Your password" note="Changing it logs you out everywhere else.">
      <form onSubmit={(event) => { event.preventDefault(); if (ready) void change(); }}>
        <input class="sr" type="text" autocomplete="username" value={visit.value.kind === "in" ? visit.value.session.username : ""} readOnly tabIndex={-1} aria-hidden="true" />
        <div class="field"><label for="pw-old">Present password</label>
          <input id="pw-old" type="password" autocomplete="current-password" value={old.value} onInput={(event) => (old.value = event.currentTarget.value)} /></div>
        <div class="field"><label for="pw-new">New password</label>
          <input id="pw-new" type="password" autocomplete="new-password" minLength={LEAST} value={fresh.value} onInput={(event) => (fresh.value = event.currentTarget.value)} aria-describedby="pw-new-h" />
          <p class="h" id="pw-new-h">{LEAST} characters or more. Length is what counts: four words are better than one with signs.</p></div>
        <div class="field"><label for="pw-again">New password, again</label>
          <input id="pw-again" type="password" autocomplete="new-password" value={again.value} onInput={(event) => (again.value = event.currentTarget.value)} aria-describedby="pw-again-h" aria-invalid={differs} />
          <p class="h" id="pw-again-h">{differs ? "This is not the same." : ""}</p></div>
        <ProblemNote problem={problem.value} />
        {done.value && <p class="v is-pass" role="status"><Shape of="pass" />It is changed</p>}
        <button class="btn prime" type="submit" disabled={!ready || busy.value}>{busy.value ? "Changing" : "Change the password"}</button>
      </form>
    </Panel>
  );
}

function Sessions() {
  const list = useSignal<SessionView[]>([]);
  const { busy, run, note } = useDeed();
  const look = async () => (list.value = await call<SessionView[]>("GET", "/sessions"));
  useEffect(() => void run(async () => { await look(); return ""; }), []);
  const { list: order, head } = useSort(list.value, null, { program: ({ program }) => programWords(program), from: ({ address }) => address, since: ({ created }) => created, ends: ({ expires }) => expires });
  const settled = useSettled(order.map(({ id }) => ({ key: id })));
  const end = (path: string, words: string) => void run(async () => { await call("DELETE", path); await look(); return words; });
  return (
    <Panel title="Where you are logged in" note={`A session ends by itself after 24 hours; times in ${zone(now.value)}.`} end={list.value.length > 1 && <button class="btn plain" type="button" disabled={busy.value} onClick={() => end("/session/others", "Only this browser is logged in now.")}>Log out everywhere else</button>}>
      <table class="tbl">
        <thead><tr>{head("program", "Program")}{head("from", "From")}{head("since", "Since")}{head("ends", "Ends")}<th scope="col"><span class="sr">Act</span></th></tr></thead>
        <tbody>
          {order.map((one) => (
            <tr key={one.id}>
              <td class="nm"><b>{programWords(one.program)}</b>{one.own && <span class="mute"> this one</span>}</td>
              <td class="mono" data-k="From">{one.address || "not kept"}</td><td data-k="Since">{clock(one.created, now.value)}</td><td data-k="Ends">{clock(one.expires, now.value)}</td>
              <td>{!one.own && <button class="btn plain" type="button" disabled={busy.value} onClick={() => settled(one.id) && end(`/sessions/${segment(one.id)}`, "It is logged out.")}>Log out<span class="sr"> {programWords(one.program)} from {one.address}</span></button>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {note}
    </Panel>
  );
}

/** The page. */
export default function Page() {
  return (
    <>
      <Password />
      <Sessions />
      <Panel title="If the password is lost">
        <p><WayBack /> Who is logged in logs out for that.</p>
      </Panel>
    </>
  );
}
