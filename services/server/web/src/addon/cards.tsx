/** Components `config-card`, `disk-storage` and `discovery-card`: facts, fill levels, what was found. */
import { useSignal } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect } from "preact/hooks";

import { bytes, plural } from "../format";
import { addonPath } from "../route";
import { Icon, Panel, ProblemNote } from "../view/bits";
import { ActionButton, readAction } from "./actions";
import { cell, plain, titled } from "./cell";
import { AskedNote } from "./asked";
import { useSource, type PartProps } from "./context";
import { arr, at, num, obj, objs, str, within, type Config } from "./manifest";

/** Facts of the add-on's own configuration, and the way to the page that changes them. */
export function ConfigPart(props: PartProps) {
  const { part, around } = props;
  const asked = useSource(props, part.source || "config");
  const told = asked.told.value;
  const value = obj(told?.value);
  const facts = obj(at(value, "config") ?? value);
  const labels = obj(at(part.config, "labels"));
  const keys = Object.keys(labels).length > 0 ? Object.keys(labels) : Object.keys(facts).slice(0, 40);
  const link = str(at(part.config, "link_page"));
  return (
    <Panel id={`t-${part.id}`} title={part.title} note={part.about || undefined} end={link && <a class="btn small" href={addonPath(around.addon.id, link)}>{str(at(part.config, "link_label"), "Change")}</a>}>
      <AskedNote asked={asked} around={around} />
      {told === null ? !asked.problem.value && <p class="mute">Asking the add-on.</p> : (
        <dl class="facts">{keys.map((key) => <Fragment key={key}><dt>{str(at(labels, key), titled(key))}</dt><dd>{typeof at(facts, key) === "boolean" ? (at(facts, key) ? "yes" : "no") : plain(at(facts, key)) || <span class="mute">not set</span>}</dd></Fragment>)}</dl>
      )}
    </Panel>
  );
}

/** How full something is: words that do not depend on the colour alone. */
export function fillOf(disk: Config, thresholds: Config): { used: number; total: number; part: number; tone: "pass" | "warn" | "fail" } | null {
  const used = num(at(disk, "used")) ?? num(at(disk, "used_bytes"));
  const free = num(at(disk, "free")) ?? num(at(disk, "free_bytes")) ?? num(at(disk, "available"));
  const total = num(at(disk, "total")) ?? num(at(disk, "size")) ?? num(at(disk, "total_bytes")) ?? num(at(disk, "capacity_bytes")) ?? (used !== null && free !== null ? used + free : null);
  const percent = num(at(disk, "percent")) ?? num(at(disk, "used_percent")) ?? num(at(disk, "usage_percent"));
  const held = used ?? (total !== null && free !== null ? total - free : total !== null && percent !== null ? (total * percent) / 100 : null);
  if (held === null || total === null || total <= 0) return null;
  const share = Math.min(1, Math.max(0, held / total));
  const warning = (num(at(thresholds, "warning")) ?? num(at(thresholds, "warn")) ?? 80) / 100;
  const critical = (num(at(thresholds, "critical")) ?? num(at(thresholds, "danger")) ?? 90) / 100;
  return { used: held, total, part: share, tone: share >= critical ? "fail" : share >= warning ? "warn" : "pass" };
}

/** Fill levels of disks. */
export function DisksPart(props: PartProps) {
  const { part } = props;
  const asked = useSource(props, part.source || "/api/disk_storage");
  const told = asked.told.value;
  const aliases = obj(at(part.config, "aliases"));
  const thresholds = obj(at(part.config, "thresholds"));
  const items = told?.items ?? [];
  return (
    <Panel id={`t-${part.id}`} title={part.title} note={part.about || (items.length > 0 ? plural(items.length, "disk") : undefined)}>
      <AskedNote asked={asked} around={props.around} />
      {items.length === 0 && !asked.problem.value && <p class="mute">{told === null ? "Asking the add-on." : "The add-on names no disk."}</p>}
      <ul class="disks">{items.slice(0, 500).map((disk, index) => {
        const name = str(at(disk, "name"), str(at(disk, "disk_name"), str(at(disk, "device"), str(at(disk, "path")))));
        const level = fillOf(disk, thresholds);
        const shown = str(at(aliases, name), name);
        return (
          <li key={name || index} class={level ? `is-${level.tone}` : ""}>
            <b>{shown || "no name"}</b>
            <span class="mute">{level ? `${bytes(level.used)} of ${bytes(level.total)}, ${bytes(level.total - level.used)} free` : "not told"}</span>
            {level && <span class="t" role="meter" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(level.part * 100)} aria-label={shown}><i style={{ width: `${level.part * 100}%` }} /></span>}
            {level && <span class="pc">{Math.round(level.part * 100)}&nbsp;%{level.tone === "fail" ? ", nearly full" : level.tone === "warn" ? ", filling up" : ""}</span>}
          </li>
        );
      })}</ul>
    </Panel>
  );
}

/** Shortest pause between two looks, in seconds. Source: Vigil, manifest. */
const POLL_LEAST = 15;

/** What an add-on found by itself, and what can be done with it. */
export function DiscoveryPart(props: PartProps) {
  const { part } = props;
  const asked = useSource(props, part.source || "/api/disks");
  const pause = within(at(part.config, "poll_interval_seconds"), POLL_LEAST, 86_400, 60);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && asked.again(), pause * 1000);
    return () => clearInterval(timer);
  }, [pause]);
  const pools = useSource(props, str(at(part.config, "pools_endpoint")));
  const said = useSignal("");
  const target = str(at(part.config, "target_table"));
  const expand = str(at(part.config, "expand_endpoint"));
  const items = asked.told.value?.items ?? [];
  const names = (pools.told.value?.items ?? []).map((pool) => str(at(pool, "name"), str(at(pool, "id")))).filter(Boolean);
  const action = (disk: string) => ({
    ...readAction({ id: "expand", label: "Add to a pool", safety: "destructive", form: { title: `Add ${disk} to a pool`, description: `Everything on ${disk} is lost, and it becomes part of the pool you choose.`, fields: [
      { name: "pool", label: "Pool", type: "select", required: true, options: names }, { name: "disk", type: "hidden", default: disk },
    ] } }), endpoint: expand,
  });
  return (
    <Panel id={`t-${part.id}`} title={part.title} note={part.about || (items.length > 0 ? `${plural(items.length, "device")} found` : undefined)}
      end={<span class="do">{target && <a class="btn small" href={`#${target}`}>To the table</a>}<button class="btn small" type="button" disabled={asked.busy.value} onClick={asked.again}><Icon name="find" />{asked.busy.value ? "Looking" : "Look again"}</button></span>}>
      <AskedNote asked={asked} around={props.around} />
      <ProblemNote problem={pools.problem.value} />
      <p class="told" role="status">{said.value}</p>
      {items.length === 0 && !asked.problem.value && <p class="mute">{asked.told.value === null ? "Looking." : "Nothing new was found."}</p>}
      <ul class="found">{items.slice(0, 200).map((item, index) => {
        const name = str(at(item, "name"), str(at(item, "path"), str(at(item, "device"), str(at(item, "id")))));
        const size = num(at(item, "size")) ?? num(at(item, "capacity_bytes"));
        const rest = [str(at(item, "model")), str(at(item, "serial")), size === null ? "" : bytes(size), str(at(item, "type"))].filter(Boolean);
        const status = str(at(item, "status"), str(at(item, "state")));
        const drawn = status ? cell(status, { format: "badge", suffix: "", badge: null }, 0) : null;
        return (
          <li key={`${name}${index}`}><div><b>{name || "no name"}</b>{drawn && <span class={`badge is-${drawn.tone ?? "info"}`}>{drawn.text}</span>}<span class="mute">{rest.length > 0 ? rest.join(" · ") : arr(at(item, "mounts")).map(plain).join(", ")}</span></div>
            {expand && names.length > 0 && objs(at(item, "holders")).length === 0 && <ActionButton {...props} action={action(str(at(item, "path"), name))} rows={[item]} keyField="" said={(words) => (said.value = words)} />}</li>
        );
      })}</ul>
    </Panel>
  );
}
