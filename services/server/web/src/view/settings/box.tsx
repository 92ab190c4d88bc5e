/** The box itself: its name, addresses, clock and state as it tells them, what sets them, and its power. */
import { useSignal } from "@preact/signals";
import type { BoxView } from "@wire";

import "../../style/addon.css";
import { Snippet } from "../../addon/snippet";
import { call } from "../../api";
import { ago, bytes, duration, stamp, zone } from "../../format";
import { known, now } from "../../state/app";
import { Dialog, Panel, Shape } from "../bits";
import { Banners } from "../box";
import { systemWords, Units, unwell } from "../units";
import { Aside } from "./aside";
import { Field, file, save, useDeed } from "./deed";
import { jobWords, lostWords, running } from "./running";

/** How far two clocks may be apart before it is worth a word, in milliseconds. */
const APART_MS = 5_000;

/** How the box's clock stands to this computer's; pure. */
export function apart(box: number, own: number): string {
  const by = box - own;
  return Math.abs(by) < APART_MS ? "as on this computer" : `${duration(Math.abs(by) / 1000)} ${by > 0 ? "ahead of" : "behind"} this computer`;
}

/** The URL of an address: IPv6 in brackets. Link-local ones need the name of an interface that only the reader knows. */
export function urlOf(address: string): string | null {
  if (!address.includes(":")) return `http://${address}/`;
  return /^fe[89ab]/i.test(address) ? null : `http://[${address}]/`;
}

/**
 * `kiln.toml` with the name that the box has now, to be changed by a person; pure. Network and clock stand in it as comments: how the box
 * came by them is not told here, and a guess would take it off the network.
 */
export function settingsFile(name: string, addresses: readonly string[]): string {
  const four = addresses.find((address) => /^\d+\./.test(address) && !address.startsWith("169.254."));
  return [
    `hostname = "${name}"`,
    "",
    "# [network]               # without this part: DHCP",
    `# address = "${four ?? "192.0.2.10"}/24"   # the length is a guess`,
    '# gateway = "192.0.2.1"   # your router',
    '# dns = ["192.0.2.1"]',
    "",
    "# [time]                  # without this part: the servers that DHCP names",
    '# servers = ["ntp.example"]',
    "",
  ].join("\n");
}

/** What becomes of a box that hangs: the time-out that its watchdog's driver took, in seconds; pure. */
export function watchdogWords(seconds: number | null | undefined): string {
  return seconds ? `restarts the box ${duration(seconds)} after it hangs` : "none: a box that hangs does not restart by itself";
}

function Facts({ box }: { box: BoxView }) {
  const { supervisor } = box;
  const unit = (name: string) => supervisor?.units.find((one) => one.name === name);
  const said = (name: string) => {
    const one = unit(name);
    return one && (unwell([one]).length > 0 ? <span class="v is-warn wrap"><Shape of="warn" />{one.reason || one.state}</span> : one.status || one.state);
  };
  return (
    <Panel title="As it is now">
      <dl class="facts">
        <dt>Name</dt><dd>{box.name}{unit("mdns")?.status && <span class="mute">, on the network {unit("mdns")?.status}</span>}</dd>
        <dt>Addresses</dt>
        <dd>{supervisor ? supervisor.addresses.map((address) => {
          const url = urlOf(address);
          return <div key={address} class="mono">{url ? <a href={url}>{address}</a> : `${address} (this link only)`}</div>;
        }) : location.host}{supervisor?.addresses.length === 0 && "none yet: is a cable plugged in?"}</dd>
        {unit("network") && <><dt>Network</dt><dd>{said("network")}</dd></>}
        <dt>Clock</dt><dd>{stamp(new Date(now.value).toISOString(), now.value)} {zone(now.value)}, {apart(now.value, Date.now())}</dd>
        {unit("time") && <><dt>Time service</dt><dd>{said("time")}</dd></>}
        <dt>Version</dt><dd>Kiln {box.version}</dd>
        {box.sbom && <><dt>Made of</dt><dd><a href="/api/v1/sbom" download>its list of parts</a> <span class="mute">(SPDX), SHA-256</span> <span class="mono wrap">{box.sbom}</span></dd></>}
        {supervisor && (
          <>
            <dt>System</dt><dd>{systemWords(supervisor.boot)}</dd>
            <dt>Kernel</dt><dd>{supervisor.boot.kernel || "not told"}</dd>
            <dt>Last boot</dt><dd>{supervisor.boot.reason || "no reason told"}</dd>
            <dt>Hardware watchdog</dt><dd>{watchdogWords(supervisor.watchdog)}</dd>
            <dt>Records</dt>
            <dd>{supervisor.boot.medium === "disk"
              ? <span class="v is-pass wrap"><Shape of="pass" />kept on the boot medium</span>
              : <span class="v is-warn wrap"><Shape of="warn" />in memory alone: gone with the power. Put a medium that can be written into the box and start it again.</span>}</dd>
          </>
        )}
        <dt>Burn-in agent</dt><dd>{box.agent.state}{box.agent.last_seen && `, heard ${ago(box.agent.last_seen, now.value)}`}</dd>
      </dl>
      {!supervisor && <p class="mute foot">This server does not run under Kiln’s own supervisor: the system below it has network, clock and power in its hands.</p>}
    </Panel>
  );
}

function Set({ box }: { box: BoxView }) {
  return (
    <Panel title="Name, address, time" note="Set in one file on the boot medium, read at each start.">
      <ol class="numbered">
        <li>When nothing is under way, switch the box off and put its boot medium into any computer.</li>
        <li>Open the partition that the computer shows and change <span class="mono">kiln.toml</span> in it; every setting is explained there. What it does not say the box finds out: its name from the board, its address by DHCP.</li>
        <li>Put it back and start. A mistake in the file stops nothing; it is shown above, with its line.</li>
      </ol>
      <p class="mute">Such a file, with the name that holds now. Network and clock are comments in it, left to what the box finds out: to set them, take the # away and write your own. Where the file on the medium sets them already, keep its lines.</p>
      <Snippet what="kiln.toml" text={settingsFile(box.name, box.supervisor?.addresses ?? [])} />
    </Panel>
  );
}

function Power({ name }: { name: string }) {
  const asking = useSignal<"restart" | "off" | null>(null);
  const typed = useSignal("");
  const agreed = useSignal(false);
  const { busy, run, note } = useDeed();
  const jobs = running();
  const ask = (what: "restart" | "off" | null) => {
    typed.value = "";
    agreed.value = false;
    asking.value = what;
  };
  const act = (work: () => Promise<string>) => {
    ask(null);
    void run(work);
  };
  const ready = typed.value.trim() === name && (jobs === 0 || agreed.value);
  const off = () => act(async () => {
    await call("POST", "/power-off", { confirm: name, while_testing: jobs > 0 });
    return "The box switches itself off.";
  });
  return (
    <Panel title="Power" note="Tests write down where they are and go on after the next start.">
      {note}
      <div class="do">
        <button class="btn" type="button" disabled={busy.value} onClick={() => ask("restart")}>Restart the box…</button>
        <button class="btn" type="button" disabled={busy.value} onClick={() => ask("off")}>Switch it off…</button>
      </div>
      {asking.value === "restart" && (
        <Dialog title="Restart the box?" onClose={() => ask(null)}>
          <p>{jobWords(jobs)} This page comes back by itself.</p>
          <div class="do">
            <button class="btn prime" type="button" onClick={() => act(async () => { await call("POST", "/update/reboot"); return "The box restarts."; })}>Restart it</button>
            <button class="btn" type="button" onClick={() => ask(null)}>Leave it on</button>
          </div>
        </Dialog>
      )}
      {asking.value === "off" && (
        <Dialog title="Switch the box off?" onClose={() => ask(null)}>
          <form onSubmit={(event) => { event.preventDefault(); if (ready) off(); }}>
            <p>{jobWords(jobs)} Nobody switches it on again from here: somebody has to stand before it.</p>
            <Field id="off-nm" label={`Type the box’s name: ${name}`} open value={typed} />
            {jobs > 0 && <label class="check"><input type="checkbox" checked={agreed.value} onChange={(event) => (agreed.value = event.currentTarget.checked)} /><span><b>Also while drives are being tested</b><span>They stand still until the box is on again.</span></span></label>}
            <div class="do">
              <button class="btn danger" type="submit" disabled={!ready}>Switch it off</button>
              <button class="btn" type="button" onClick={() => ask(null)}>Leave it on</button>
            </div>
          </form>
        </Dialog>
      )}
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
          return "The box marks its medium and reboots; its console shows a new code then. Should it not reboot, a banner says why.";
        });
      }}>
        <p>The box reboots and forgets everything: people, events, jobs, certificates, add-ons. Take a backup first. Drives on test bays are not touched, and kiln.toml on the boot partition stays. {lostWords(running())}</p>
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
  const { box } = known.value;
  if (!box) return <p class="mute" role="status">Waiting for the box to tell of itself.</p>;
  return (
    <>
      <Banners />
      <Facts box={box} />
      {box.supervisor && <Panel title="Services"><Units units={box.supervisor.units} /></Panel>}
      {box.supervisor && <Set box={box} />}
      {box.supervisor && <Power name={box.name} />}
      <Help />
      <Aside />
      {box.supervisor && <Reset />}
    </>
  );
}
