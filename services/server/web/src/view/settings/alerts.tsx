/** Alerts: the channels, a new one, and what became of each message. What the box enforces is told here, not decided. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "@wire";

import "../../style/gate.css";
import "../../style/alerts.css";
import { asProblem } from "../../api";
import { clock, duration } from "../../format";
import { known, now } from "../../state/app";
import { useAgain } from "../again";
import { Panel, ProblemNote, Shape } from "../bits";
import { useSettled } from "../settle";
import { useSort } from "../sort";
import { ChannelSettings } from "./alerts/channel";
import { alerts, destination, fateOf, filled, isSwitched, toldOf, type Alert, type Delivery, type Draft, type Kind, type Provider, type Service, type Tried } from "./alerts/data";
import { ServiceForm } from "./alerts/form";
import { OpenAlerts } from "./alerts/open";

const when = (text: string) => clock(text, now.value);

function Said({ tried }: { tried: Tried | null }) {
  return (
    <div class="said" role="status">
      {tried && (tried.success
        ? <p class="v is-pass"><Shape of="pass" />It was taken: {tried.message}</p>
        : <p class="v is-fail"><Shape of="fail" />It was not taken: {tried.error}</p>)}
    </div>
  );
}

function Channel(props: { service: Service; providers: Record<string, Provider>; kinds: readonly Kind[]; onChange: () => void }) {
  const { service } = props;
  const open = useSignal(false);
  const busy = useSignal(false);
  const tried = useSignal<Tried | null>(null);
  const problem = useSignal<Problem | null>(null);
  const toggle = service.enabled ? "Switch off" : "Switch on";
  const settled = useSettled([{ key: service.id, says: toggle }]);
  const run = async (work: () => Promise<unknown>) => {
    busy.value = true;
    problem.value = null;
    tried.value = null;
    try {
      await work();
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
    props.onChange();
  };
  const label = props.providers[service.service_type]?.label ?? service.service_type;
  const state = service.disabled_why ?? (!service.enabled ? "switched off" : service.failing_since ? `nothing has reached it since ${when(service.failing_since)}` : "");
  return (
    <li class="chan">
      <div class="line">
        <div>
          <b>{service.name}</b> <span class="mute">{[label !== service.name && label, destination(service), toldOf(service), service.locked && "set in kiln.toml", service.escalate_after_secs > 0 && `second line, after ${duration(service.escalate_after_secs)}`].filter(Boolean).join(" · ")}</span>
          {state !== "" && <p class={service.enabled || service.disabled_why ? "v is-warn" : "mute"}>{(service.enabled || service.disabled_why) && <Shape of="warn" />}{state}</p>}
          {service.waiting > 0 && <p class="mute">{service.waiting} waiting to be sent</p>}
        </div>
        <div class="do">
          <button class="btn" type="button" disabled={busy.value} onClick={() => void run(async () => { tried.value = await alerts.test(service.id); })}>{busy.value ? "One moment" : "Send a test"}<span class="sr"> to {service.name}</span></button>
          {isSwitched(service) && <button class="btn" type="button" disabled={busy.value} onClick={() => settled(service.id) && void run(() => alerts.change(service.id, { enabled: !service.enabled }))}>{toggle}<span class="sr"> {service.name}</span></button>}
          {!service.locked && !service.enabled && service.disabled_why && <button class="btn" type="button" disabled={busy.value} onClick={() => void run(() => alerts.change(service.id, { enabled: false }))}>Leave it off<span class="sr">: {service.name}</span></button>}
          {!service.locked && <button class="btn" type="button" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>Settings<span class="sr"> of {service.name}</span></button>}
        </div>
      </div>
      <Said tried={tried.value} />
      <ProblemNote problem={problem.value} />
      {open.value && <ChannelSettings id={service.id} providers={props.providers} kinds={props.kinds} onClose={() => (open.value = false)} onDone={() => { open.value = false; props.onChange(); }} />}
    </li>
  );
}

/** Chosen instead of a service. */
const BY_URL = "url";

function NewChannel(props: { providers: Record<string, Provider>; onAdded: () => void }) {
  const url = useSignal("");
  const kind = useSignal("");
  const values = useSignal<Record<string, string>>({});
  const busy = useSignal(false);
  const tried = useSignal<Tried | null>(null);
  const problem = useSignal<Problem | null>(null);
  const provider = props.providers[kind.value];
  const isUrl = kind.value === BY_URL;
  const draft = (): Draft => (provider ? { service_type: kind.value, config_fields: filled(provider, values.value) } : { url: url.value.trim() });
  const ready = provider !== undefined || (isUrl && url.value.trim() !== "");
  const forget = () => {
    problem.value = null;
    tried.value = null;
  };
  const run = async (work: () => Promise<unknown>) => {
    busy.value = true;
    forget();
    try {
      await work();
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  const add = () => run(async () => {
    await alerts.add(draft());
    url.value = kind.value = "";
    values.value = {};
    props.onAdded();
  });
  return (
    <Panel title="A new channel" note="Whom the box tells, and by what.">
      <form onSubmit={(event) => { event.preventDefault(); if (ready) void add(); }}>
        <div class="alert-form">
          <div class="field wide"><label for="al-kind">Service</label>
            <select id="al-kind" value={kind.value} onChange={(event) => { kind.value = event.currentTarget.value; values.value = {}; forget(); }}>
              <option value="">Choose a service</option>
              {Object.values(props.providers).map((one) => <option key={one.type} value={one.type}>{one.label}</option>)}
              <option value={BY_URL}>Another, or by a URL</option>
            </select></div>
        </div>
        {provider
          ? <ServiceForm key={provider.type} id="al-new" provider={provider} values={values.value} onChange={(key, value) => (values.value = { ...values.value, [key]: value })} />
          : isUrl && <div class="field"><label for="al-url">URL</label>
            <input id="al-url" value={url.value} autocomplete="off" spellcheck={false} placeholder="ntfy://my-bench or mailtos://user:password@example.org" onInput={(event) => (url.value = event.currentTarget.value)} aria-describedby="al-url-h" />
            <p class="h" id="al-url-h">As Apprise and shoutrrr write them: mailtos, discord, tgram, slack, ntfys, gotifys, pover, signal, jsons, generic, https.</p></div>}
        <Said tried={tried.value} />
        <ProblemNote problem={problem.value} />
        <div class="alert-do">
          <button class="btn prime" type="submit" disabled={!ready || busy.value}>Add it</button>
          <button class="btn" type="button" disabled={!ready || busy.value} onClick={() => void run(async () => { tried.value = await alerts.tryOut(draft()); })}>{busy.value ? "One moment" : "Try it first"}</button>
        </div>
      </form>
    </Panel>
  );
}

/** `lines`: `null` until the box has told them; `failed`: it did not. */
function Past({ lines, failed, services }: { lines: readonly Delivery[] | null; failed: boolean; services: readonly Service[] }) {
  const fate = (line: Delivery) => fateOf(line, services, when);
  const { list, head } = useSort(lines ?? [], "when", { when: ({ created_at }) => created_at, channel: ({ service_name }) => service_name, message: ({ message }) => message, fate: (line) => fate(line).words }, true);
  return (
    <Panel title="What was told" note="The newest fifty.">
      {lines === null || lines.length === 0 ? <p class="mute">{lines ? "Nothing yet." : failed ? "The box has not told it." : "Asking the box."}</p> : (
        <table class="tbl alert-past">
          <thead><tr>{head("when", "When")}{head("channel", "Channel")}{head("message", "Message")}{head("fate", "What became of it")}</tr></thead>
          <tbody>
            {list.map((line) => {
              const { shape, words, next } = fate(line);
              return (
                <tr key={line.id}>
                  <td>{when(line.created_at)}</td>
                  <td>{line.service_name}</td>
                  <td>{line.message}<div class="mute mono">{line.event_type}</div></td>
                  <td>
                    <span class={`v is-${shape}`}><Shape of={shape} />{words}</span>
                    {line.error_message && <div>{line.error_message}</div>}
                    {next && <div class="mute">{next}</div>}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

/** The page. */
export default function Page() {
  const providers = useSignal<Record<string, Provider>>({});
  const kinds = useSignal<Kind[]>([]);
  const list = useSignal<Service[] | null>(null);
  const past = useSignal<Delivery[] | null>(null);
  const open = useSignal<Alert[]>([]);
  const problem = useSignal<Problem | null>(null);
  const load = async () => {
    try {
      const [services, history, waiting] = await Promise.all([alerts.list(), alerts.history(), alerts.open()]);
      list.value = services;
      open.value = waiting;
      past.value = history;
      problem.value = null;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
  };
  // How many are open stands in a banner: where it changes, so does the list.
  const said = known.value.box?.banners.map(({ text }) => text).find((text) => text.includes("not acknowledged")) ?? "";
  useEffect(() => {
    if (list.value) void load();
  }, [said]);
  const words = async () => {
    try {
      [providers.value, kinds.value] = await Promise.all([alerts.providers(), alerts.kinds()]);
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    await load();
  };
  useEffect(() => void words(), []);
  useAgain(() => problem.peek() !== null, () => void words());
  return (
    <>
      {(open.value.length > 0 || list.value?.some((service) => service.escalate_after_secs > 0)) && <OpenAlerts alerts={open.value} onChange={() => void load()} />}
      <Panel title="Channels" end={<button class="btn plain" type="button" onClick={() => void load()}>Look again</button>}>
        <ProblemNote problem={problem.value} />
        {list.value?.length === 0 && <p class="mute">Nobody is told yet. A drive that fails at night is seen in the morning.</p>}
        <ul>
          {(list.value ?? []).map((service) => <Channel key={service.id} service={service} providers={providers.value} kinds={kinds.value} onChange={() => void load()} />)}
        </ul>
      </Panel>
      <NewChannel providers={providers.value} onAdded={() => void load()} />
      <Past lines={past.value} failed={problem.value !== null} services={list.value ?? []} />
    </>
  );
}
