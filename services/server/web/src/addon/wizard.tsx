/** Component `deploy-wizard`: what to paste where, so that another part of the add-on runs on another machine. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { Panel, ProblemNote } from "../view/bits";
import { ActionButton, readAction } from "./actions";
import { compose, environment, installer, masked, readAsked, readPlatforms, run, serviceOf, shell } from "./compose";
import { useSource, type PartProps } from "./context";
import { at, obj, str, type Config } from "./manifest";
import { Snippet } from "./snippet";

/** The component. */
export function WizardPart(props: PartProps) {
  const { part } = props;
  const docker = obj(at(part.config, "docker"));
  const binary = obj(at(part.config, "binary"));
  const asked = useMemo(() => readAsked(at(docker, "environment") ?? at(binary, "environment")), [part]);
  const prefill = useSource(props, str(at(part.config, "prefill_endpoint")));
  const told = prefill.told.value;
  const values = useSignal<ReadonlyMap<string, string>>(new Map(asked.map((one) => [one.name, one.value])));
  const tag = useSignal(str(at(docker, "default_tag"), "latest"));
  const said = useSignal("");
  const hasDocker = str(at(docker, "image")) !== "";
  const hasBinary = str(at(binary, "install_url")) !== "";
  const platforms = (of: Config, kind: string) => readPlatforms(at(of, "platforms")).map(([name, platform], index) => ({ key: `${kind}/${index}`, label: `${name}, ${kind}`, platform, docker: kind === "container" }));
  const ways = [...(hasDocker ? platforms(docker, "container") : []), ...(hasBinary ? platforms(binary, "program") : [])];
  const way = useSignal(ways[0]?.key ?? "");
  const here = ways.find(({ key }) => key === way.value) ?? ways[0];
  useEffect(() => {
    if (!told) return;
    const facts = obj(told.value);
    const next = new Map(values.peek());
    for (const one of asked) if (one.from === "prefill" && str(at(facts, one.key)) !== "") next.set(one.name, str(at(facts, one.key)));
    values.value = next;
  }, [told]);
  const missing = asked.filter((one) => !one.optional && one.from !== "literal" && (values.value.get(one.name) ?? "") === "");
  // A program alone has its variables, too.
  const described = hasDocker ? docker : { environment: at(binary, "environment") };
  const service = serviceOf(described, tag.value, here?.platform ?? {}, values.value);
  // The same text with secrets hidden, until somebody asks to see them.
  const bare = useSignal(false);
  const hides = !bare.value && asked.some(({ secret }) => secret);
  const shown = hides ? serviceOf(described, tag.value, here?.platform ?? {}, masked(asked, values.value)) : service;
  const target = str(at(part.config, "target_label"), "part");
  const id = `${part.id}-wizard`;
  return (
    <Panel id={`t-${part.id}`} title={part.title} note={part.about || `Run another ${target.toLowerCase()} on another machine`}>
      <ProblemNote problem={prefill.problem.value} />
      <div class="wizard">
        <div class="fields">
          {ways.length > 1 && <div class="field"><label for={`${id}-way`}>Where it will run</label><select id={`${id}-way`} value={way.value} onChange={(e) => (way.value = e.currentTarget.value)}>{ways.map((one) => <option key={one.key} value={one.key}>{one.label}</option>)}</select></div>}
          {here && str(at(here.platform, "hint")) && <p class="mute">{str(at(here.platform, "hint"))}</p>}
          {hasDocker && here?.docker && <div class="field"><label for={`${id}-tag`}>Version of the image</label><input id={`${id}-tag`} value={tag.value} spellcheck={false} autocomplete="off" onInput={(e) => (tag.value = e.currentTarget.value.replace(/[^\w.-]/g, ""))} /></div>}
          {asked.filter((one) => one.from !== "literal").map((one) => (
            <div class="field" key={one.name}><label for={`${id}-${one.name}`}>{one.label}{one.optional && <span class="opt"> optional</span>}</label>
              <input id={`${id}-${one.name}`} {...(one.secret && !bare.value ? { type: "password" as const } : {})} value={values.value.get(one.name) ?? ""} placeholder={one.placeholder} readOnly={one.readonly} autocomplete="off" spellcheck={false}
                aria-describedby={one.hint ? `${id}-${one.name}-h` : undefined} onInput={(e) => (values.value = new Map(values.peek()).set(one.name, e.currentTarget.value))} />
              {one.hint && <p class="h" id={`${id}-${one.name}-h`}>{one.hint}</p>}
              {one.rotate && <ActionButton {...props} action={{ ...readAction({ id: one.rotate.split("/").at(-1) ?? one.rotate, label: `New ${one.label}` }), endpoint: one.rotate.startsWith("/api/") ? one.rotate : "" }} rows={[]} keyField="" said={(words) => { said.value = words; prefill.again(); }} />}</div>
          ))}
          {asked.some(({ secret }) => secret) && <p><button class="btn small" type="button" aria-pressed={bare.value} onClick={() => (bare.value = !bare.value)}>{bare.value ? "Hide secrets" : "Show secrets"}</button> {hides && <span class="mute">Copied texts have them all the same.</span>}</p>}
          <p class="told" role="status">{said.value || (missing.length > 0 ? `Still to fill in: ${missing.map(({ label }) => label).join(", ")}.` : "")}</p>
        </div>
        <div class="texts">
          {here?.docker ? (
            <><h3>docker-compose.yml</h3><Snippet text={compose(shown)} whole={compose(service)} what="compose file" /><details><summary>As one command</summary><Snippet text={run(shown)} whole={run(service)} what="command" /></details></>
          ) : here ? (
            <><h3>Install</h3><Snippet text={`curl -fsSL ${shell(installer(str(at(binary, "install_url")), props.around.addon.url, location.origin))} -o install.sh\nless install.sh\nsudo sh install.sh`} what="install commands" />
              {asked.length > 0 && <><h3>Environment</h3><Snippet text={environment(shown.environment)} whole={environment(service.environment)} what="environment" /></>}</>
          ) : <p class="mute">The manifest names no platform to run it on.</p>}
        </div>
      </div>
    </Panel>
  );
}
