/** What this box signs with, and whom it lets in. Every line is what the box answers; none holds a secret. */
import { useSignal } from "@preact/signals";
import type { CertificateEntry, Problem, TrustedKeys, UpdateState } from "@wire";
import { useEffect } from "preact/hooks";

import { addons } from "../../addon/ask";
import { api, asProblem, call, segment } from "../../api";
import { ago, clock, plural } from "../../format";
import type { AddonToken, AddonView, HostAgent, HostAgents, HostToken, HostTokens, ServerKey, TlsView } from "../../openapi";
import { now, visit } from "../../state/app";
import { Dialog, Panel, ProblemNote } from "../bits";
import { useSort } from "../sort";

/** A key that signed certificates here. */
export interface SigningKey { key: string; count: number; first: string; last: string }

/** The keys of these certificates, the one used last first; pure. */
export function signingKeys(entries: readonly CertificateEntry[]): SigningKey[] {
  const keys = new Map<string, SigningKey>();
  for (const { info } of entries) {
    const one = keys.get(info.key);
    if (!one) keys.set(info.key, { key: info.key, count: 1, first: info.made, last: info.made });
    else {
      one.count += 1;
      if (info.made < one.first) one.first = info.made;
      if (info.made > one.last) one.last = info.made;
    }
  }
  return [...keys.values()].sort((a, b) => (a.last < b.last ? 1 : -1));
}

/** A long hexadecimal number in fours, as it is read out aloud. */
export const inFours = (hex: string) => hex.match(/.{1,4}/g)?.join(" ") ?? hex;

/** A day alone. */
const day = (iso: string) => new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });

interface Told {
  gate: string;
  tls: TlsView | null;
  updates: TrustedKeys | null;
  signing: SigningKey[];
  tokens: AddonToken[];
  addons: AddonView[];
  hosts: HostAgent[];
  enrol: HostToken[];
}

/** Takes a refusal of that type for "there is none"; every other failure stays one. */
const none = (type: string) => (thrown: unknown) => {
  if (asProblem(thrown).type === type) return null;
  throw thrown;
};

async function ask(): Promise<Told> {
  const [gate, tls, updates, certificates, tokens, all, hosts, enrol] = await Promise.all([
    call<ServerKey>("GET", "/server/pubkey"),
    // A server without TLS answers that it has none, which is no failure of the page.
    call<TlsView>("GET", "/tls").catch(none("no-tls")),
    // Nor is one that runs outside a box, where no system is updated.
    call<UpdateState>("GET", "/update").then(({ view }) => view.keys).catch(none("no-supervisor")),
    api.certificates(),
    addons.tokens(),
    addons.list(),
    call<HostAgents>("GET", "/agents"),
    call<HostTokens>("GET", "/tokens"),
  ]);
  return { gate: gate.public_key, tls, updates, signing: signingKeys(certificates), tokens, addons: all, hosts: hosts.agents, enrol: enrol.tokens };
}

function Own({ told }: { told: Told }) {
  return (
    <Panel title="What it signs with" note="Public halves: anybody may have them.">
      <dl class="facts">
        <dt>Gate</dt><dd><span class="mono print">{told.gate}</span><span class="mute rule">Ed25519, base64. The agent writes to a drive only with an order that this key has signed.</span></dd>
        <dt>Certificates</dt>
        <dd>{told.signing.length === 0 && "Nothing is signed yet. The key shows here with the first certificate."}
          {told.signing.map(({ key, count, first, last }) => (
            <div key={key}><span class="mono print">{inFours(key)}</span><span class="mute rule">{plural(count, "certificate")}, {count === 1 ? clock(last, now.value) : `${clock(first, now.value)} to ${clock(last, now.value)}`}. SHA-256 of the key, as printed on each.</span></div>
          ))}</dd>
        <dt>HTTPS</dt>
        <dd>{told.tls === null ? "This server speaks no TLS." : (
          <>
            <span class="mono print">{told.tls.fingerprint}</span>
            <span class="mute rule">SHA-256 of the box’s certificate, from {day(told.tls.begins)} to {day(told.tls.ends)}; 30 days before its end the box makes a new one for the same key. It stands on the box’s own screen and serial line, too: compare it there, for what stands here came by the same way as this page. {!told.tls.by_tls && <>You are on plain HTTP now: <a href={`https://${location.host}${location.pathname}`}>go to HTTPS</a>.</>}</span>
          </>
        )}</dd>
      </dl>
    </Panel>
  );
}

/** How many of a set's keys must have signed, as it is said. */
export const needed = ({ fingerprints, threshold }: TrustedKeys) =>
  fingerprints.length === 1 ? "It must have signed." : `${threshold === fingerprints.length ? "All" : `At least ${threshold}`} of these ${fingerprints.length} must have signed.`;

function Updates({ keys }: { keys: TrustedKeys | null }) {
  return (
    <Panel title="Whose updates it takes" note="Keys come with the system, and change only with an update that they have signed.">
      {keys === null ? <p class="mute">None: no system is updated here, or its boot medium has not been read yet.</p> : (
        <dl class="facts">
          <dt>Keys</dt><dd>{keys.fingerprints.map((print) => <div key={print}><span class="mono print">{print}</span></div>)}
            <span class="mute rule">{needed(keys)} Set {keys.version}; half of each key’s SHA-256, as <span class="mono">kiln-image key</span> prints it.</span></dd>
        </dl>
      )}
    </Panel>
  );
}

/** What is about to be taken away, and how. */
interface Going { title: string; text: string; act: () => Promise<unknown> }

function LetIn({ told, take }: { told: Told; take: (going: Going) => void }) {
  const nameOf = (id: number | null) => (id === null ? "no add-on yet" : (told.addons.find((one) => one.id === id)?.name ?? `add-on ${id}`));
  const end = (iso: string | null) => (iso === null ? "never" : clock(iso, now.value));
  const rows = [
    ...told.tokens.map((token) => ({
      key: `a${token.id}`, name: token.name, what: `Add-on: ${nameOf(token.addon_id)}`, made: token.created_at, ends: token.expires_at, id: token.id,
      going: { title: `Take the token “${token.name}” away?`, text: `${nameOf(token.addon_id)}: whoever uses it is cut off at once and cannot come back with it.`, act: () => addons.revoke(token.id) },
    })),
    ...told.enrol.filter((token) => token.used_at === null).map((token) => ({
      key: `h${token.id}`, name: token.name, what: "Enrols one computer", made: token.created_at, ends: token.expires_at, id: token.id,
      going: { title: `Take the token “${token.name}” away?`, text: "No computer can be enrolled with it any more.", act: () => call("DELETE", `/tokens/${segment(String(token.id))}`) },
    })),
  ];
  const { list, head } = useSort(rows, null, { name: ({ name }) => name, what: ({ what }) => what, made: ({ made }) => made, ends: ({ ends }) => ends });
  return (
    <Panel title="Tokens" note="Programs that may talk to this box. It keeps only prints of them.">
      {rows.length === 0 ? <p class="mute">None. One is made when an <a href="/addons">add-on</a> is added, or a <a href="/settings/hosts">host</a>.</p> : (
        <table class="tbl">
          <thead><tr>{head("name", "Name")}{head("what", "For")}{head("made", "Made")}{head("ends", "Ends")}<th scope="col"><span class="sr">Act</span></th></tr></thead>
          <tbody>
            {list.map((row) => (
              <tr key={row.key}>
                <td class="nm"><b>{row.name}</b></td><td>{row.what}</td><td data-k="Made">{clock(row.made, now.value)}</td><td data-k="Ends">{end(row.ends)}</td>
                <td><button class="btn plain" type="button" onClick={() => take(row.going)}>Take away…<span class="sr"> {row.name}</span></button></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Computers({ told }: { told: Told }) {
  const { list, head } = useSort(told.hosts, null, { host: ({ hostname }) => hostname, print: ({ fingerprint }) => fingerprint, enrolled: ({ registered_at }) => registered_at, heard: ({ last_seen_at }) => last_seen_at });
  return (
    <Panel title="Computers" note="Each has a key of its own; this is its machine’s print.">
      {told.hosts.length === 0 ? <p class="mute">None is enrolled. <a href="/settings/hosts">Hosts and SMART</a> tells how.</p> : (
        <table class="tbl">
          <thead><tr>{head("host", "Host")}{head("print", "Print")}{head("enrolled", "Enrolled")}{head("heard", "Heard")}</tr></thead>
          <tbody>
            {list.map((host) => (
              <tr key={host.id}><td class="nm"><b>{host.hostname}</b></td><td class="mono" data-k="Print">{host.fingerprint}</td><td data-k="Enrolled">{clock(host.registered_at, now.value)}</td><td data-k="Heard">{host.last_seen_at ? ago(host.last_seen_at, now.value) : "not yet"}</td></tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

/** The page. */
export default function Page() {
  const told = useSignal<Told | null>(null);
  const problem = useSignal<Problem | null>(null);
  const going = useSignal<Going | null>(null);
  const look = async () => {
    try {
      told.value = await ask();
      problem.value = null;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
  };
  useEffect(() => void look(), []);
  const take = async ({ act }: Going) => {
    going.value = null;
    try {
      await act();
      await look();
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
  };
  const session = visit.value.kind === "in" ? visit.value.session : null;
  return (
    <>
      <ProblemNote problem={problem.value} />
      {problem.value && !told.value && <p><button class="btn" type="button" onClick={() => void look()}>Ask again</button></p>}
      {!told.value && !problem.value && <p class="mute" role="status">Asking the box.</p>}
      {told.value && <><Own told={told.value} /><Updates keys={told.value.updates} /><LetIn told={told.value} take={(one) => (going.value = one)} /><Computers told={told.value} /></>}
      {session && (
        <Panel title="This session">
          <dl class="facts"><dt>Who</dt><dd>{session.username}</dd><dt>Ends</dt><dd>{clock(session.expires, now.value)}</dd></dl>
          <p class="foot mute">Others are ended at <a href="/settings/people">People</a>.</p>
        </Panel>
      )}
      {going.value && (
        <Dialog title={going.value.title} onClose={() => (going.value = null)}>
          <p>{going.value.text}</p>
          <div class="do">
            <button class="btn" type="button" onClick={() => (going.value = null)}>Keep it</button>
            <button class="btn danger" type="button" onClick={() => going.value && void take(going.value)}>Take it away</button>
          </div>
        </Dialog>
      )}
    </>
  );
}
