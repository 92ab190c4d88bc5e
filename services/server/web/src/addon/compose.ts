/** Texts to deploy an add-on or one of its agents: compose files, environment lines, commands. Pure; `shapes.test.ts`. */
import { arr, at, bool, obj, str, type Config } from "./manifest";

/** A text as YAML reads it back, whatever is in it. */
export const yaml = (text: string): string => (/^[A-Za-z0-9_./:@-]+$/.test(text) && !/^[-:@]|: |:$|^(true|false|null|yes|no|on|off|~|[\d.:_-]+)$/i.test(text) ? text : JSON.stringify(text));

/** A text as a shell reads it back. */
export const shell = (text: string): string => (/^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** A value as a compose file reads it back: YAML takes it as it is, and compose would put its own variables in place of `$`. */
const literal = (text: string): string => JSON.stringify(text).replaceAll("$", "$$$$");

/** One line of an environment. */
export interface Variable { name: string; value: string }

/** A service of a compose file. */
export interface Service {
  name: string;
  image: string;
  network: string;
  privileged: boolean;
  ports: readonly string[];
  volumes: readonly string[];
  named: readonly string[];
  environment: readonly Variable[];
}

const list = (indent: string, name: string, items: readonly string[]) => (items.length === 0 ? [] : [`${indent}${name}:`, ...items.map((item) => `${indent}  - ${JSON.stringify(item)}`)]);

/** A compose file of one service. */
export function compose(of: Service): string {
  return [
    "services:",
    `  ${yaml(of.name)}:`,
    `    image: ${yaml(of.image)}`,
    `    container_name: ${yaml(of.name)}`,
    "    restart: unless-stopped",
    ...(of.privileged ? ["    privileged: true"] : []),
    ...(of.network ? [`    network_mode: ${yaml(of.network)}`] : []),
    ...list("    ", "ports", of.network === "host" ? [] : of.ports),
    ...list("    ", "volumes", of.volumes),
    ...(of.environment.length === 0 ? [] : ["    environment:", ...of.environment.map(({ name, value }) => `      ${yaml(name)}: ${literal(value)}`)]),
    ...(of.named.length === 0 ? [] : ["volumes:", ...of.named.map((name) => `  ${yaml(name)}:`)]),
    "",
  ].join("\n");
}

/** The same as one command. */
export const run = (of: Service): string =>
  ["docker run -d", `--name ${shell(of.name)}`, "--restart unless-stopped", ...(of.privileged ? ["--privileged"] : []), ...(of.network ? [`--network ${shell(of.network)}`] : []),
    ...(of.network === "host" ? [] : of.ports.map((port) => `-p ${shell(port)}`)), ...of.volumes.map((volume) => `-v ${shell(volume)}`),
    ...of.environment.map(({ name, value }) => `-e ${shell(`${name}=${value}`)}`), shell(of.image)].join(" \\\n  ");

/** The environment alone, as in a file for systemd or a shell. */
export const environment = (of: readonly Variable[]): string => of.filter(({ name }) => /^[A-Za-z_]\w*$/.test(name)).map(({ name, value }) => `${name}=${shell(value)}`).join("\n");

/** Where a program's installer is: a path alone is one of the add-on's address, or of this box where it has none. */
export function installer(url: string, addon: string, box: string): string {
  if (!url.startsWith("/")) return url;
  try {
    return new URL(url, addon || box).href;
  } catch {
    return `${box}${url}`;
  }
}

/** What an add-on needs to find this box, as the document names it. */
export const enrolment = (server: string, id: number, token: string): Variable[] => [
  { name: "VIGIL_SERVER_URL", value: server }, { name: "VIGIL_ADDON_ID", value: String(id) }, { name: "VIGIL_ADDON_TOKEN", value: token },
];

/** A variable of a deploy-wizard. */
export interface Asked { name: string; from: "prefill" | "user_input" | "literal"; key: string; label: string; placeholder: string; hint: string; value: string; readonly: boolean; secret: boolean; rotate: string; optional: boolean }

/** Reads the variables of a wizard. */
export const readAsked = (of: unknown): Asked[] => Object.entries(obj(of)).slice(0, 100).map(([name, one]) => {
  const said = obj(one);
  const from = str(at(said, "source"), "literal");
  return {
    name, from: from === "prefill" || from === "user_input" ? from : "literal", key: str(at(said, "key"), name), label: str(at(said, "label"), name),
    placeholder: str(at(said, "placeholder")), hint: str(at(said, "hint")), value: typeof one === "object" ? str(at(said, "value"), str(at(said, "default"))) : str(one),
    readonly: bool(at(said, "readonly")), secret: bool(at(said, "secret")), rotate: str(at(said, "rotate_action")), optional: bool(at(said, "optional")),
  };
});

/** What stands in the place of a secret until somebody asks to see it. */
const HIDDEN = "••••••••";

/** The values as they are shown: secrets only on request. */
export const masked = (asked: readonly Asked[], values: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...asked.map(({ name, value }) => [name, value] as const), ...values].map(([name, value]) => [name, value !== "" && asked.some((one) => one.name === name && one.secret) ? HIDDEN : value]));

/** Where something runs, each with its name: an object by name, or a list of names or objects. */
export const readPlatforms = (of: unknown): (readonly [string, Config])[] =>
  (Array.isArray(of) ? of.map((one, index) => [String(index + 1), one] as const) : Object.entries(obj(of))).slice(0, 100).map(([key, one]) => {
    const platform = obj(one);
    const named = ["label", "name", "id", "key", "value"].map((word) => str(at(platform, word))).find(Boolean);
    // A plain text is the name itself.
    return [named ?? str(one, key), platform] as const;
  });

/** The service that a wizard describes, with a tag and the values that were asked for; empty optional ones are left out. */
export function serviceOf(docker: Config, tag: string, platform: Config, values: ReadonlyMap<string, string>): Service {
  const image = str(at(docker, "image"));
  const own = obj(platform);
  const pick = (key: string) => at(own, key) ?? at(docker, key);
  const texts = (key: string) => arr(pick(key)).map((one) => str(one)).filter(Boolean);
  return {
    name: str(pick("container_name"), image.split("/").at(-1)?.split(":")[0] ?? "addon"), image: tag ? `${image}:${tag}` : image,
    network: str(pick("network_mode")), privileged: bool(pick("privileged")), ports: texts("ports"), volumes: texts("volumes"), named: texts("named_volumes"),
    environment: readAsked(at(docker, "environment")).map((one) => ({ name: one.name, value: values.get(one.name) ?? one.value, optional: one.optional })).filter(({ value, optional }) => value !== "" || !optional).map(({ name, value }) => ({ name, value })),
  };
}
