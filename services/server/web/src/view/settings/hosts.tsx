/** Computers that report their drives: how those are, how often they report, and how one more is enrolled. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "@wire";

import "../../style/hosts.css";
import { asProblem, call, segment } from "../../api";
import { ago, duration, plural } from "../../format";
import type { HostDrive, HostDrives, Hosts, HostToken, HostTokenMade, HostTokens, HostView, ReportInterval } from "../../openapi";
import { drivePath } from "../../route";
import { known, now as boxNow } from "../../state/app";
import { Dialog, Panel, ProblemNote, Shape } from "../bits";
import { useSettled } from "../settle";
import { AlertLine, DriveRow, nameOf } from "./hosts/drive";
import { plain } from "./hosts/line";

/** How often the page asks while somebody looks: reports come a minute apart at most. */
const AGAIN_MS = 60_000;

/** The page of one of the box's own drives, where the box still knows it. */
function pageOf(drive: HostDrive): { page?: string } {
  const own = known.value.drives?.find(({ serial }) => plain(serial) !== "" && plain(serial) === plain(drive.serial));
  return own ? { page: drivePath(own.key) } : {};
}

function Known() {
  const hosts = useSignal<HostView[] | null>(null);
  const drives = useSignal<HostDrive[]>([]);
  const problem = useSignal<Problem | null>(null);
  const leaving = useSignal<HostView | null>(null);
  const forgetting = useSignal<HostDrive | null>(null);
  const now = boxNow.value;
  const look = async () => {
    try {
      const [told, all] = await Promise.all([
        call<Hosts>("GET", "/api/v1/hosts"),
        call<HostDrives>("GET", "/api/smart/health/all"),
      ]);
      drives.value = all.drives;
      hosts.value = told.hosts;
      problem.value = null;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
  };
  useEffect(() => {
    void look();
    const timer = setInterval(() => void look(), AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  /** Takes something away; what is gone already is no refusal. */
  const drop = (path: string) => call("DELETE", path).catch((thrown: unknown) => {
    if (asProblem(thrown).status !== 404) throw thrown;
  });
  const remove = async (host: HostView) => {
    try {
      // An agent goes with its host; one that has none any more, or another's, goes by its name.
      if (host.agent_id !== null) await drop(`/agents/${segment(String(host.agent_id))}`);
      await drop(`/api/hosts/${segment(host.hostname)}`);
      leaving.value = null;
      await look();
    } catch (thrown) {
      problem.value = asProblem(thrown);
      leaving.value = null;
    }
  };
  const forget = async (drive: HostDrive) => {
    try {
      await drop(`/api/hosts/${segment(drive.hostname)}/drives/${segment(drive.id)}`);
      await look();
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    forgetting.value = null;
  };
  return (
    <>
      <ProblemNote problem={problem.value} />
      {!hosts.value && !problem.value && <p class="mute">Asking the box.</p>}
      {hosts.value?.every(({ own }) => own) && (
        <Panel title="No host reports yet">
          <p>A computer with a Vigil agent sends what its drives say of themselves. Make a token below and start the agent with it: its drives appear here with its first report, and you are told when one begins to fail.</p>
        </Panel>
      )}
      {hosts.value?.map((host) => {
        const own = drives.value.filter((drive) => drive.hostname === host.hostname);
        return (
          <Panel key={host.hostname} title={host.own ? "This box" : host.hostname} note={`${plural(own.length, "drive")}, ${host.own ? "read" : "reported"} ${ago(host.last_seen, now)}`}
            end={!host.own && <button class="btn plain" type="button" onClick={() => (leaving.value = host)}>Take away</button>}>
            {host.alerts.map((alert) => <AlertLine key={alert.alert} alert={alert} now={now} />)}
            <ul class="hostdrives">{own.map((drive) => <DriveRow key={drive.id} drive={drive} now={now} forget={() => (forgetting.value = drive)} {...(host.own && pageOf(drive))} />)}</ul>
            {host.rejected.length > 0 && <details><summary>{plural(host.rejected.length, "device")} told nothing of its health</summary><ul class="plain">{host.rejected.map((why, n) => <li key={n}>{why}</li>)}</ul></details>}
          </Panel>
        );
      })}
      {leaving.value && (
        <Dialog title={`Take ${leaving.value.hostname} away?`} onClose={() => (leaving.value = null)}>
          <p>Its agent may no longer report. The histories of its drives go with it and cannot be brought back.</p>
          <p class="do">
            <button class="btn" type="button" onClick={() => (leaving.value = null)}>Keep it</button>
            <button class="btn danger" type="button" onClick={() => leaving.value && void remove(leaving.value)}>Take it away</button>
          </p>
        </Dialog>
      )}
      {forgetting.value && (
        <Dialog title={`Forget ${nameOf(forgetting.value)}?`} onClose={() => (forgetting.value = null)}>
          <p>{forgetting.value.serial ? `Serial ${forgetting.value.serial}. ` : ""}Its history goes with it and cannot be brought back. Should the drive be plugged in again, it begins anew.</p>
          <p class="do">
            <button class="btn" type="button" onClick={() => (forgetting.value = null)}>Keep it</button>
            <button class="btn danger" type="button" onClick={() => forgetting.value && void forget(forgetting.value)}>Forget it</button>
          </p>
        </Dialog>
      )}
    </>
  );
}

function Interval() {
  const value = useSignal<number | null>(null);
  const choices = useSignal<number[]>([]);
  const problem = useSignal<Problem | null>(null);
  const path = "/api/settings/agents/report_interval";
  const ask = async (work: Promise<ReportInterval>) => {
    try {
      const told = await work;
      value.value = told.value;
      choices.value = told.choices;
      problem.value = null;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
  };
  useEffect(() => void ask(call("GET", path)), []);
  return (
    <Panel title="How often" note="Each agent learns it with its next report. A host that misses three is told of.">
      <div class="field">
        <label for="host-every">A report every</label>
        <select id="host-every" value={value.value ?? ""} disabled={value.value === null} onChange={(event) => void ask(call("PUT", path, { value: Number(event.currentTarget.value) }))}>
          {choices.value.map((seconds) => <option key={seconds} value={seconds}>{duration(seconds)}</option>)}
        </select>
      </div>
      <ProblemNote problem={problem.value} />
    </Panel>
  );
}

function Enrol() {
  const tokens = useSignal<HostToken[]>([]);
  const name = useSignal("");
  const fresh = useSignal<HostTokenMade | null>(null);
  const problem = useSignal<Problem | null>(null);
  const look = async () => {
    try {
      tokens.value = (await call<HostTokens>("GET", "/tokens")).tokens.filter(({ used_at }) => !used_at);
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
  };
  useEffect(() => void look(), []);
  const work = async (doing: () => Promise<void>) => {
    problem.value = null;
    try {
      await doing();
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    await look();
  };
  const settled = useSettled(tokens.value.map(({ id }) => ({ key: id })));
  const make = () => work(async () => {
    fresh.value = await call<HostTokenMade>("POST", "/tokens", { name: name.value.trim(), expires_in: 86_400 });
    name.value = "";
  });
  return (
    <Panel title="One more computer" note="A token admits one agent, once, within a day.">
      <form onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <div class="field"><label for="host-name">What do you call it</label>
          <input id="host-name" value={name.value} maxLength={128} autocomplete="off" onInput={(event) => (name.value = event.currentTarget.value)} aria-describedby="host-name-h" />
          <p class="h" id="host-name-h">Only for this list, until the agent tells its own name.</p></div>
        <button class="btn prime" type="submit">Make a token</button>
      </form>
      <ProblemNote problem={problem.value} />
      {fresh.value && (
        <div role="status">
          <p class="v said is-warn"><Shape of="warn" />This is shown once. Give it to the agent as it starts:</p>
          <pre class="mono envlines">{`SERVER=${location.origin}\nTOKEN=${fresh.value.token}`}</pre>
        </div>
      )}
      {tokens.value.length > 0 && (
        <ul class="plain">
          {tokens.value.map((token) => (
            <li key={token.id}>{token.name || `Token ${token.id}`} <span class="mute">waits for its agent, made {ago(token.created_at, boxNow.value)}</span>{" "}
              <button class="btn plain" type="button" aria-label={`Take away ${token.name || `token ${token.id}`}`} onClick={() => settled(token.id) && void work(async () => { await call("DELETE", `/tokens/${token.id}`); })}>Take away</button></li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** The page. */
export default function Page() {
  return (
    <>
      <Known />
      <Enrol />
      <Interval />
      <Panel title="On paper"><p><a href="/api/reports/health">All drives, the worst first</a>, to print or keep.</p></Panel>
    </>
  );
}
