/** The add-ons: how each is, what may be done with it, and the way a new one gets in. */
import { useSignal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "@wire";

import "../style/lists.css";
import "../style/playbook.css";
import "../style/addon.css";
import { asProblem } from "../api";
import { ago, plural, stamp } from "../format";
import { addonPath } from "../route";
import { now } from "../state/app";
import { Dialog, Icon, Panel, ProblemNote, Shape } from "../view/bits";
import { FileInput } from "../view/file";
import type { AddonToken, AddonView } from "../openapi";
import { useSort } from "../view/sort";
import { addons, BUILT_IN } from "./ask";
import { compose, enrolment, environment } from "./compose";
import { at, obj, readManifest, str } from "./manifest";
import { Refused } from "./refused";
import { CopyButton, Snippet } from "./snippet";
import { addonNews, Status } from "./status";

/** Longest manifest in bytes. Source: Vigil, manifest validation. */
const MANIFEST_MAX = 262_144;

/** What a person has to know once: the number and the token. */
interface Made { addon: AddonView; token: string; image: string }

/** The lines that an add-on needs, told once. */
function Enrolment({ made: { addon, token, image } }: { made: Made }) {
  const lines = enrolment(location.origin, addon.id, token);
  return (
    <div class="made">
      <dl class="facts"><dt>Number</dt><dd class="mono big">{addon.id}</dd><dt>Token</dt><dd><span class="mono tokn">{token}</span><CopyButton text={token} what="token" /></dd></dl>
      <p class="v is-warn wrap"><Shape of="warn" />The token is shown this once; the box keeps only its print. Lost, it is replaced by a new one.</p>
      <h3>Environment</h3>
      <Snippet text={environment(lines)} what="environment" />
      <h3>docker-compose.yml</h3>
      <Snippet what="compose file" text={compose({ name: addon.name.toLowerCase().replace(/[^a-z0-9_.-]+/g, "-").replace(/^[^a-z0-9]+/, "") || "addon", image, network: "host", privileged: false, ports: [], volumes: [], named: [], environment: lines })} />
      <details><summary>An add-on that brings its manifest by itself</summary>
        <p class="mute">Add-ons made of a hub and agents connect with the token alone and ask for their number:</p>
        <Snippet text={environment([{ name: "VIGIL_URL", value: location.origin }, { name: "VIGIL_TOKEN", value: token }])} what="two lines" /></details>
    </div>
  );
}

/** Reads the file of a manifest: what is in it, or what is wrong with it. */
export async function readFile(file: Pick<File, "size" | "text">): Promise<{ value: unknown } | { wrong: string }> {
  if (file.size > MANIFEST_MAX) return { wrong: `The file has ${file.size} bytes; a manifest has at most ${MANIFEST_MAX}.` };
  try {
    const value: unknown = JSON.parse(await file.text());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { value } : { wrong: "The file is JSON, but no object; a manifest begins with {." };
  } catch (thrown) {
    return { wrong: `The file is not JSON: ${thrown instanceof Error ? thrown.message : ""}` };
  }
}

function Add({ done, close }: { done: () => void; close: () => void }) {
  const name = useSignal("");
  const url = useSignal("");
  const manifest = useSignal<{ name: string; value: unknown } | null>(null);
  const wrong = useSignal<string | null>(null);
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  const made = useSignal<Made | null>(null);
  const take = async (file: File | undefined) => {
    wrong.value = null;
    manifest.value = null;
    if (!file) return;
    const read = await readFile(file);
    if ("wrong" in read) wrong.value = read.wrong;
    else {
      manifest.value = { name: file.name, value: read.value };
      if (name.peek() === "") name.value = str(at(obj(read.value), "name")).slice(0, 128);
    }
  };
  const run = async () => {
    busy.value = true;
    problem.value = null;
    let token: { id: number; token: string } | null = null;
    try {
      token = await addons.makeToken(name.peek().trim());
      const answer = await addons.register(name.peek().trim(), url.peek().trim(), token.token, manifest.peek()?.value);
      made.value = { addon: answer.addon, token: answer.token, image: str(at(obj(manifest.peek()?.value), "docker_image"), "IMAGE:TAG") };
      done();
    } catch (thrown) {
      problem.value = asProblem(thrown);
      // A token that belongs to nothing is of no use to anybody.
      if (token) await addons.revoke(token.id).catch(() => {});
    }
    busy.value = false;
  };
  if (made.value) {
    return (
      <Dialog key="made" title={`${made.value.addon.name} may connect now`} onClose={close}>
        <Enrolment made={made.value} />
        <div class="do"><button class="btn prime" type="button" onClick={close}>I have copied it</button></div>
      </Dialog>
    );
  }
  return (
    <Dialog key="ask" title="Add an add-on" onClose={close}>
      <form onSubmit={(event) => { event.preventDefault(); if (name.value.trim() !== "" && !busy.value) void run(); }}>
        <div class="field"><label for="add-name">Name</label><input id="add-name" value={name.value} maxLength={128} autocomplete="off" onInput={(e) => (name.value = e.currentTarget.value)} /><p class="h">As it will stand in the list.</p></div>
        <div class="field"><label for="add-url">Address<span class="opt"> optional</span></label><input id="add-url" inputMode="url" value={url.value} maxLength={512} placeholder="http://192.168.1.20:9100" autocomplete="off" spellcheck={false} onInput={(e) => (url.value = e.currentTarget.value)} />
          <p class="h">Only if it listens itself. Without one, commands go down its own connection.</p></div>
        <div class="field"><label for="add-file">Manifest<span class="opt"> optional</span></label><FileInput id="add-file" accept="application/json,.json" aria-describedby="add-file-h" onFile={(file) => void take(file)} />
          <p class={`h ${wrong.value ? "bad" : ""}`} id="add-file-h">{wrong.value ?? (manifest.value ? `${manifest.value.name} is read; the box checks it.` : "Its pages. Without a file it sends them when it connects.")}</p></div>
        <ProblemNote problem={problem.value} />
        <div class="do"><button class="btn prime" type="submit" disabled={busy.value || name.value.trim() === "" || wrong.value !== null}>{busy.value ? "Registering" : "Register it"}</button><button class="btn" type="button" onClick={close}>Leave it</button></div>
      </form>
    </Dialog>
  );
}

/** A question that wants the password. */
function WithPassword(props: { title: string; words: string; act: string; danger?: boolean; run: (password: string) => Promise<unknown>; close: () => void }) {
  const password = useSignal("");
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const run = async () => {
    busy.value = true;
    problem.value = null;
    try {
      await props.run(password.peek());
      props.close();
    } catch (thrown) {
      problem.value = asProblem(thrown);
      password.value = "";
    }
    busy.value = false;
  };
  return (
    <Dialog title={props.title} onClose={props.close}>
      <p>{props.words}</p>
      <form onSubmit={(event) => event.preventDefault()}>
        <div class="field"><label for="with-password">Your password</label><input id="with-password" type="password" autocomplete="current-password" value={password.value} onInput={(e) => (password.value = e.currentTarget.value)} /></div>
        <ProblemNote problem={problem.value} />
        <div class="do"><button class={`btn ${props.danger ? "danger" : "prime"}`} type="button" disabled={password.value === "" || busy.value} onClick={() => void run()}>{busy.value ? "Asking" : props.act}</button><button class="btn" type="button" onClick={props.close}>Leave it</button></div>
      </form>
    </Dialog>
  );
}

type Question = { kind: "add" } | { kind: "enable" | "remove" | "rotate"; addon: AddonView } | { kind: "made"; made: Made } | { kind: "revoke"; token: AddonToken } | null;

function One({ addon, ask: question }: { addon: AddonView; ask: Signal<Question> }) {
  const manifest = addon.has_manifest ? readManifest(addon.manifest_json) : null;
  const open = (kind: "enable" | "remove" | "rotate") => () => (question.value = { kind, addon });
  return (
    <li class={`panel addon-card ${addon.enabled ? "" : "off"}`}>
      <header><h2><a href={addonPath(addon.id)}>{addon.name}</a></h2><span class="r"><Status addon={addon} /></span></header>
      {addon.description && <p>{addon.description}</p>}
      <dl class="facts tight">
        <dt>Number</dt><dd class="mono">{addon.id}</dd>
        <dt>Version</dt><dd>{addon.version === "0.0.0" || !addon.version ? "not told yet" : addon.version}</dd>
        <dt>Last seen</dt><dd>{addon.last_seen ? <time dateTime={addon.last_seen}>{ago(addon.last_seen, now.value)}</time> : "never"}</dd>
        {addon.url && <><dt>Address</dt><dd class="mono">{addon.url}</dd></>}
      </dl>
      {manifest ? (
        <ul class="pages" aria-label={`Pages of ${addon.name}`}>{manifest.pages.map((page) => <li key={page.id}><a href={addonPath(addon.id, page.id)}>{page.title}</a></li>)}</ul>
      ) : <p class="mute">No pages yet: it has not sent its manifest.</p>}
      <Refused addon={addon} />
      {addon.id === BUILT_IN ? <p class="mute">Part of the box.</p> : (
        <div class="do">
          <button class="btn small" type="button" aria-label={`${addon.enabled ? "Disable" : "Enable"} ${addon.name}…`} onClick={open("enable")}>{addon.enabled ? "Disable…" : "Enable…"}</button>
          <button class="btn small" type="button" aria-label={`New token for ${addon.name}…`} onClick={open("rotate")}>New token…</button>
          <button class="btn small danger" type="button" aria-label={`Delete ${addon.name}…`} onClick={open("remove")}>Delete…</button>
        </div>
      )}
    </li>
  );
}

function Tokens({ list, names, ask: question }: { list: readonly AddonToken[]; names: ReadonlyMap<number, string>; ask: Signal<Question> }) {
  const owner = ({ addon_id }: AddonToken) => (addon_id === null ? null : (names.get(addon_id) ?? `add-on ${addon_id}`));
  const { list: order, head } = useSort(list, null, { name: ({ name, id }) => name || `Token ${id}`, owner, made: ({ created_at }) => created_at, ends: ({ addon_id, expires_at }) => (addon_id === null ? expires_at : null) });
  return (
    <Panel title="Tokens" note={`${plural(list.length, "token")}; of each the box keeps only a print`}>
      {list.length === 0 ? <p class="mute">There are none.</p> : (
        <table class="tbl">
          <thead><tr>{head("name", "Name")}{head("owner", "Belongs to")}{head("made", "Made")}{head("ends", "Ends")}<th scope="col"><span class="sr">Act</span></th></tr></thead>
          <tbody>{order.map((token) => (
            <tr key={token.id}>
              <td class="nm"><b>{token.name || `Token ${token.id}`}</b></td>
              <td data-k="Belongs to">{owner(token) ?? <span class="mute">nothing yet</span>}</td>
              <td data-k="Made">{ago(token.created_at, now.value)}</td>
              <td data-k="Ends">{token.addon_id !== null || token.expires_at === null ? "never" : Date.parse(token.expires_at) < now.value ? "has ended" : stamp(token.expires_at, now.value)}</td>
              <td><button class="btn small danger" type="button" aria-label={`Revoke ${token.name || `token ${token.id}`}…`} onClick={() => (question.value = { kind: "revoke", token })}>Revoke…</button></td>
            </tr>
          ))}</tbody>
        </table>
      )}
    </Panel>
  );
}

function Sure(props: { title: string; words: string; act: string; run: () => Promise<void>; close: () => void }) {
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const run = async () => {
    busy.value = true;
    try {
      await props.run();
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  return (
    <Dialog title={props.title} onClose={props.close}>
      <p>{props.words}</p>
      <ProblemNote problem={problem.value} />
      <div class="do"><button class="btn danger" type="button" disabled={busy.value} onClick={() => void run()}>{busy.value ? "Asking" : props.act}</button><button class="btn" type="button" onClick={props.close}>Leave it</button></div>
    </Dialog>
  );
}

/** The page. */
export function AddonsPage() {
  const list = useSignal<AddonView[] | null>(null);
  const tokens = useSignal<AddonToken[]>([]);
  const problem = useSignal<Problem | null>(null);
  const question = useSignal<Question>(null);
  const load = async () => {
    try {
      [list.value, tokens.value] = await Promise.all([addons.list(), addons.tokens()]);
      problem.value = null;
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
  };
  useEffect(() => void load(), [addonNews.value]);
  const close = () => {
    question.value = null;
    void load();
  };
  const asked = question.value;
  const names = new Map((list.value ?? []).map(({ id, name }) => [id, name]));
  return (
    <main id="main" tabIndex={-1}>
      <div class="pagehd"><div><h1>Add-ons</h1><p class="mute">Programs that report here and bring their own pages: other burn-in agents, storage managers, your own. What they may do, this box decides.</p></div>
        <button class="btn prime" type="button" onClick={() => (question.value = { kind: "add" })}><Icon name="plug" />Add an add-on…</button></div>
      <ProblemNote problem={problem.value} />
      {list.value === null ? !problem.value && <p class="mute" role="status">Asking the box.</p> : (
        <>
          <ul class="cards">{list.value.map((addon) => <One key={addon.id} addon={addon} ask={question} />)}</ul>
          {list.value.length <= 1 && <p class="mute after">Nothing but the box's own agent yet. An add-on needs a number and a token: “Add an add-on” makes both, and shows what to paste where.</p>}
          <div class="after"><Tokens list={tokens.value} names={names} ask={question} /></div>
        </>
      )}
      {asked?.kind === "add" && <Add done={() => void load()} close={close} />}
      {asked?.kind === "made" && <Dialog title={`A new token for ${asked.made.addon.name}`} onClose={close}><Enrolment made={asked.made} /><div class="do"><button class="btn prime" type="button" onClick={close}>I have copied it</button></div></Dialog>}
      {asked?.kind === "enable" && (
        <WithPassword title={asked.addon.enabled ? `Disable ${asked.addon.name}?` : `Enable ${asked.addon.name}?`} act={asked.addon.enabled ? "Disable it" : "Enable it"} close={close}
          words={asked.addon.enabled ? "Its connection is closed and it cannot come back until it is enabled. What it told stays." : "It may connect again with its token."} run={(password) => addons.enable(asked.addon.id, !asked.addon.enabled, password)} />
      )}
      {asked?.kind === "remove" && (
        <WithPassword danger title={`Delete ${asked.addon.name}?`} act="Delete it" close={close} words="Its pages, its tokens and what it told are gone. The program itself is not touched; it is refused from then on."
          run={(password) => addons.remove(asked.addon.id, password)} />
      )}
      {asked?.kind === "rotate" && (
        <Sure title={`A new token for ${asked.addon.name}?`} act="Make a new token" close={close} words="The old token ends at once. A connection that stands goes on; the next one needs the new token."
          run={async () => {
            const { token } = await addons.rotate(asked.addon.id);
            const raw = obj(JSON.parse(asked.addon.manifest_json));
            question.value = { kind: "made", made: { addon: asked.addon, token, image: str(at(raw, "docker_image"), "IMAGE:TAG") } };
          }} />
      )}
      {asked?.kind === "revoke" && (
        <Sure title={`Revoke ${asked.token.name || `token ${asked.token.id}`}?`} act="Revoke it" close={close} words={asked.token.addon_id === null ? "Nobody can register with it any more." : `${names.get(asked.token.addon_id) ?? "The add-on"} can no longer connect with it.`}
          run={async () => {
            await addons.revoke(asked.token.id);
            close();
          }} />
      )}
    </main>
  );
}
