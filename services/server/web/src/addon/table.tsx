/** Component `smart-table`: SMART attributes with what changed, or any rows with formats, order, filter, trees and actions. */
import { useComputed, useSignal } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { Outcome } from "@wire";

import { plural } from "../format";
import { usualNumber } from "../meaning";
import { known, now } from "../state/app";
import { Icon, Panel, Shape } from "../view/bits";
import { ActionButton, offered, readAction, type Action } from "./actions";
import { cell, plain, readColumn, titled, type Cell, type Column } from "./cell";
import { SortHead, useSort } from "../view/sort";
import { AskedNote } from "./asked";
import { useSource, useTurned, type PartProps } from "./context";
import { isFor, isOf } from "./feed";
import { update } from "./jobs";
import { arr, at, bool, choices, deep, num, obj, objs, str, within, type Config } from "./manifest";
import { ownTest } from "./own";
import { flatten, matches, readTree, rowKey, smartKey, smartRows, type Order } from "./rows";

/** Attributes whose growth means that a drive is dying, unless the manifest names its own. Source: spec V-19. */
const CRITICAL = ["5", "187", "196", "197", "198"];

/** Whether a row's growth is bad: by what its name tells that it counts, which most drives have under one of these numbers. */
export function isCritical(row: Config, numbers: ReadonlySet<string>): boolean {
  const id = num(at(row, "id"));
  if (id === null) return numbers.has(str(at(row, "id")));
  const usual = usualNumber(id, str(at(row, "name")));
  return usual !== null && (numbers.has(String(usual)) || numbers.has(String(id)));
}
const SMART_COLUMNS = ["id", "name", "baseline", "current", "delta"];
/** Most rows that are kept; more come only from a hostile add-on. */
const ROWS_MAX = 5000;

/** Verdicts beside those that their tone gives a shape: each has one wherever it stands. */
const VERDICTS: ReadonlySet<string> = new Set(["PASSED", "INCONCLUSIVE"] satisfies Outcome[]);

/** A cell as it is drawn. */
export function CellView({ cell: { text, tone, as, part } }: { cell: Cell }) {
  switch (as) {
    case "badge": return <span class={`badge is-${tone ?? "info"}`}>{tone && tone !== "info" && (tone === "fail" || tone === "warn" || VERDICTS.has(text)) && <Shape of={tone} />}{text}</span>;
    case "dot": return <span class={`dotted is-${tone ?? "inc"}`}><i class={tone === "pass" ? "" : "hollow"} />{text}</span>;
    case "bar": return <span class="barred"><span class="t"><i style={{ width: `${part * 100}%` }} /></span>{text}</span>;
    case "plain": return <>{text}</>;
  }
}

function Delta({ data, critical }: { data: Config; critical: boolean }) {
  const delta = num(at(data, "delta"));
  if (delta === null) return <>{plain(at(data, "delta")) || "–"}</>;
  if (delta === 0) return <span class="mute">no change</span>;
  const words = `${delta > 0 ? "+" : "−"}${Math.abs(delta)}`;
  return critical && delta > 0 ? <span class="v is-fail"><Shape of="fail" />{words}</span> : <b>{words}</b>;
}

/** The component. */
export function TablePart(props: PartProps) {
  const { part, around } = props;
  const { config } = part;
  const written = arr(at(config, "columns"));
  const smart = part.source === "smart_deltas" || bool(at(config, "highlight_deltas")) || (part.source === "" && (written.length === 0 || written.every((one) => typeof one === "string")));
  const columns = useMemo<Column[]>(() => {
    const list = (written.length > 0 ? written : smart ? SMART_COLUMNS : []).map(readColumn).filter(({ key }) => key !== "");
    return smart ? list.map((column) => ({ ...column, key: smartKey(column.key) })) : list;
  }, [part]);
  const keyField = str(at(config, "key_field"));
  const expandKey = str(at(config, "expand_key"));
  const tree = readTree(at(config, "tree"), expandKey);
  const timeFilter = obj(at(config, "time_filter"));
  const ranges = choices(at(timeFilter, "options"));
  const range = useSignal(str(at(timeFilter, "default")));
  const telemetryKey = str(at(config, "telemetry_key"));
  const live = part.source === "telemetry";
  const asked = useSource(props, live ? "" : part.source || (smart ? "smart_deltas" : ""), range.value ? { range: range.value } : {});
  const rows = useSignal<readonly Config[]>([]);
  const heard = useSignal(false);
  const told = asked.told.value;

  const turned = useTurned(around);
  useEffect(() => {
    if (!told) return;
    heard.value = true;
    if (turned()) rows.value = [];
    // Attributes do not go away: what is told is added to what was heard. Other rows are as they are told.
    if (smart) merge(smartRows(told.items.length > 0 ? told.items : told.value), smartId);
    else rows.value = told.items.slice(0, ROWS_MAX);
  }, [told]);
  const smartId = (row: Config) => `${str(at(row, "serial"), str(at(row, "job_id"), str(at(row, "drive"))))}/${str(at(row, "id"))}`;
  const merge = (fresh: readonly Config[], key: (row: Config, index: number) => string) => {
    if (fresh.length === 0) return;
    heard.value = true;
    const byKey = new Map(rows.peek().map((row, index) => [key(row, index), row]));
    fresh.forEach((row, index) => byKey.set(key(row, index), { ...byKey.get(key(row, index)), ...row }));
    rows.value = [...byKey.values()].slice(-ROWS_MAX);
  };
  useEffect(() => around.feed.hear(["smart", "attributes", "progress", "telemetry"], (frames) => {
    const agent = around.agent.peek();
    for (const { type, payload } of frames) {
      const raw = obj(payload);
      if (!isFor(raw, part.id) || !isOf(raw, agent)) continue;
      if (type === "telemetry" && live) {
        const found = telemetryKey === "" ? payload : deep(payload, telemetryKey);
        if (Array.isArray(found)) {
          heard.value = true;
          rows.value = objs(found).slice(0, ROWS_MAX);
        }
      } else if (type === "smart" || type === "attributes") {
        const named = str(at(raw, "component_id")) === part.id;
        if (smart) merge(smartRows(at(raw, "rows") ?? raw), smartId);
        else if (named && Array.isArray(at(raw, "rows"))) {
          heard.value = true;
          rows.value = objs(at(raw, "rows")).slice(0, ROWS_MAX);
        }
      } else if (type === "progress") {
        const deltas = at(raw, "smart_deltas");
        if (smart && deltas !== undefined) merge(smartRows([raw]), smartId);
        else if (part.source === "active_jobs" && str(at(raw, "job_id")) !== "") merge([{ ...raw, status: update(undefined, raw, 0).state }], (row) => str(at(row, "job_id")));
      }
    }
  }), [around.feed, part]);

  const indicator = obj(at(config, "progress_indicator"));
  const busyWords = arr(at(indicator, "busy_values")).map((one) => str(one).toLowerCase());
  const busyField = str(at(indicator, "field"));
  const isBusy = (row: Config) => busyField !== "" && busyWords.includes(plain(at(row, busyField)).toLowerCase());
  const anyBusy = rows.value.some(isBusy);
  const pause = within(at(indicator, "interval_seconds"), 2, 3600, 5);
  useEffect(() => {
    if (!anyBusy) return;
    const timer = setInterval(asked.again, pause * 1000);
    return () => clearInterval(timer);
  }, [anyBusy, pause]);

  const first = obj(at(config, "default_sort"));
  const order = useSignal<Order | null>(str(at(first, "key")) ? { key: str(at(first, "key")), down: /^desc/i.test(str(at(first, "direction"), str(at(first, "dir")))) } : null);
  const text = useSignal("");
  const open = useSignal<ReadonlySet<string>>(new Set());
  const picked = useSignal<ReadonlySet<string>>(new Set());
  const size = within(at(config, "page_size"), 5, 500, 50);
  const pages = useSignal(1);
  const said = useSignal("");
  const actions = useMemo(() => {
    const of = (name: string) => objs(at(config, name)).map(readAction).filter(({ name: known, hidden }) => known !== "" && !hidden);
    return { row: of("row_actions"), toolbar: of("toolbar_actions"), bulk: of("bulk_actions") };
  }, [part]);
  const selectable = bool(at(config, "selectable")) || actions.bulk.length > 0;
  const filterKeys = arr(at(config, "filter_keys")).map((one) => str(one));
  const filterable = bool(at(config, "filterable"), filterKeys.length > 0);
  const sortable = (column: Column) => column.actions.length === 0 && (column.sortable ?? (smart || bool(at(config, "sortable"))));
  const critical = new Set((Array.isArray(at(config, "critical_ids")) ? arr(at(config, "critical_ids")) : CRITICAL).map((one) => str(one)));

  const found = filterable ? rows.value.filter((row) => matches(row, text.value, filterKeys)) : rows.value;
  const all = flatten(found, tree, (key) => !open.value.has(key), keyField, order.value);
  const page = all.slice(0, size * pages.value);
  const drives = new Set(smart ? found.map((row) => str(at(row, "serial"), str(at(row, "job_id"), str(at(row, "drive"))))) : []);
  const drawn = useMemo<Column[]>(() => {
    if (drives.size > 1 && !columns.some(({ key }) => ["drive", "serial", "job_id"].includes(key))) return [{ ...readColumn("serial"), label: "Drive" }, ...columns];
    return columns.length > 0 ? columns : Object.keys(rows.value[0] ?? {}).slice(0, 8).map(readColumn);
  }, [columns, drives.size > 1, rows.value.length === 0]);
  const expandable = (bool(at(config, "expandable")) || expandKey !== "" && !tree) && !tree;
  const width = drawn.length + Number(selectable) + Number(expandable) + Number(actions.row.length > 0);
  const sort = (key: string) => (order.value = order.peek()?.key === key ? { key, down: !order.peek()?.down } : { key, down: false });
  const chosen = all.filter(({ key }) => picked.value.has(key)).map(({ data }) => data);
  const flip = (set: typeof open, key: string) => {
    const next = new Set(set.peek());
    if (!next.delete(key)) next.add(key);
    set.value = next;
  };
  const show = (row: Config, column: Column) => {
    if (smart && column.key === "delta") return <Delta data={row} critical={isCritical(row, critical)} />;
    if (column.actions.length > 0 || column.format === "actions") return column.actions.map(readAction).filter(({ hidden }) => !hidden).map((action) => <ActionButton key={action.name} {...props} action={action} rows={[row]} keyField={keyField} said={(words) => (said.value = words)} />);
    const value = column.key === "serial" && drives.size > 1 ? (at(row, "serial") ?? at(row, "drive") ?? at(row, "job_id")) : column.key.includes(".") ? (at(row, column.key) ?? deep(row, column.key)) : at(row, column.key);
    return <CellView cell={cell(value, column, column.format === "relative_time" ? now.value : 0)} />;
  };
  // Turns only when a test comes or goes: the stream's other news must not draw the table.
  void useComputed(() => known.value.jobs.size).value;
  const hit = (row: Config) => smart && isCritical(row, critical) && (num(at(row, "delta")) ?? 0) > 0;
  const changed = (row: Config) => smart && (num(at(row, "delta")) ?? 0) !== 0;
  return (
    <Panel id={`t-${part.id}`} title={part.title} note={part.about || (all.length > 0 ? plural(all.length, "row") : undefined)}
      end={actions.toolbar.length > 0 && <span class="do">{actions.toolbar.map((action) => <ActionButton key={action.name} {...props} action={action} rows={[]} keyField={keyField} said={(words) => (said.value = words)} />)}</span>}>
      {(filterable || ranges.length > 0 || drawn.some(sortable)) && (
        <div class="filter">
          {filterable && <label class="find"><Icon name="find" /><span class="sr">Filter {part.title}</span><input type="search" placeholder="Filter" value={text.value} onInput={(e) => { text.value = e.currentTarget.value; pages.value = 1; }} /></label>}
          {ranges.length > 0 && <label>Since <select value={range.value} onChange={(e) => (range.value = e.currentTarget.value)}>{ranges.map((one) => <option key={one.value} value={one.value}>{one.label}</option>)}</select></label>}
          {drawn.some(sortable) && <label class="sortby">Order <select value={order.value ? `${order.value.down ? "-" : "+"}${order.value.key}` : ""} onChange={(e) => {
            const to = e.currentTarget.value;
            order.value = to === "" ? null : { key: to.slice(1), down: to.startsWith("-") };
          }}><option value="">as it comes</option>{drawn.filter(sortable).flatMap(({ key, label }) => [<option key={`+${key}`} value={`+${key}`}>{label}, up</option>, <option key={`-${key}`} value={`-${key}`}>{label}, down</option>])}</select></label>}
        </div>
      )}
      <AskedNote asked={asked} around={around} />
      {selectable && chosen.length > 0 && (
        <div class="bulk" role="status"><b>{plural(chosen.length, "row")} chosen</b><span class="do">{actions.bulk.map((action: Action) => {
            // Of what is chosen those rows for which it is offered; the question says how many.
            const fit = chosen.filter((row) => offered(action, row));
            return fit.length > 0 && <ActionButton key={action.name} {...props} action={action} rows={fit} bulk keyField={keyField} said={(words) => (said.value = words)} />;
          })}
          <button class="btn small plain" type="button" onClick={() => (picked.value = new Set())}>Clear</button></span></div>
      )}
      <p class="told" role="status">{said.value}</p>
      {all.length === 0 ? <p class="mute">{rows.value.length > 0 ? "No row answers to this filter." : asked.problem.value ? "" : heard.value || part.source === "" || live ? "Nothing told yet. Rows appear as soon as the add-on sends them." : "Asking the add-on."}</p> : (
        <div class="wide" tabIndex={0} role="group" aria-label={part.title}>
          <table class={`tbl rowed ${smart ? "deltas" : ""}`}>
            <thead><tr>
              {selectable && <th class="tick"><input type="checkbox" aria-label="Choose all rows" checked={chosen.length > 0 && chosen.length === all.length} onChange={(e) => (picked.value = e.currentTarget.checked ? new Set(all.map(({ key }) => key)) : new Set())} /></th>}
              {expandable && <th><span class="sr">More</span></th>}
              {drawn.map((column) => (sortable(column)
                ? <SortHead key={column.key} label={column.label || titled(column.key)} cls={column.numeric ? "num" : ""} down={order.value?.key === column.key ? order.value.down : null} turn={() => sort(column.key)} />
                : <th key={column.key} scope="col" class={column.numeric ? "num" : ""}>{column.label || <span class="sr">{column.key === "_actions" ? "Actions" : column.key}</span>}</th>
              ))}
              {actions.row.length > 0 && <th><span class="sr">Actions</span></th>}
            </tr></thead>
            <tbody>
              {page.map(({ key, depth, data, children }) => {
                const opened = tree ? !open.value.has(key) : open.value.has(key);
                const name = plain(at(data, drawn[0]?.key ?? ""));
                const test = ownTest(data);
                return (
                  <Fragment key={key}>
                    <tr class={`${hit(data) ? "hit is-fail" : changed(data) ? "moved" : ""} ${isBusy(data) ? "busy" : ""}`}>
                      {selectable && <td class="tick"><input type="checkbox" aria-label={`Choose ${name}`} checked={picked.value.has(key)} onChange={() => flip(picked, key)} /></td>}
                      {expandable && <td class="more"><button type="button" class="twist" aria-expanded={opened} aria-label={`More about ${name}`} onClick={() => flip(open, key)}><Icon name="go" /></button></td>}
                      {drawn.map((column, index) => (
                        <td key={column.key} class={`${column.numeric ? "num" : ""} ${column.key === "serial" ? "sn" : ""} ${index === 0 ? "lead" : ""}`} data-k={column.label || undefined}>
                          {index === 0 && tree ? (
                            <span class={`branch d${depth}`}>{children > 0 ? <button type="button" class="twist" aria-expanded={opened} aria-label={`Rows under ${name}`} onClick={() => flip(open, key)}><Icon name="go" /></button> : <i />}{show(data, column)}</span>
                          ) : index === 0 && test ? <a href={test}>{show(data, column)}</a> : show(data, column)}
                          {index === 0 && isBusy(data) && <span class="badge is-warn working">working</span>}
                        </td>
                      ))}
                      {actions.row.length > 0 && <td class="acts"><span class="do">{actions.row.filter((action) => offered(action, data)).map((action) => <ActionButton key={action.name} {...props} action={action} rows={[data]} keyField={keyField} said={(words) => (said.value = words)} />)}</span></td>}
                    </tr>
                    {expandable && opened && <tr class="inner"><td colSpan={width}><Inner data={data} expandKey={expandKey} columns={arr(at(config, "child_columns")).map(readColumn)} shown={drawn} /></td></tr>}
                  </Fragment>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      {page.length < all.length && <button class="btn" type="button" onClick={() => (pages.value += 1)}>Show {plural(Math.min(size, all.length - page.length), "more row")} of {plural(all.length, "row")}</button>}
    </Panel>
  );
}

/** Rows beneath a row, as a table of their own. */
function Under({ list, heads }: { list: readonly Config[]; heads: readonly Column[] }) {
  const by = Object.fromEntries(heads.map(({ key }) => [key, (row: Config) => num(at(row, key)) ?? (plain(at(row, key)) || null)]));
  const { list: order, head } = useSort<Config, string>(list, null, by);
  return (
    <table class="tbl rowed">
      <thead><tr>{heads.map((column) => head(column.key, column.label, column.numeric ? "num" : ""))}</tr></thead>
      <tbody>{order.slice(0, 500).map((row, index) => <tr key={`${index} ${rowKey(row, "")}`}>{heads.map((column) => <td key={column.key} class={column.numeric ? "num" : ""} data-k={column.label}><CellView cell={cell(at(row, column.key), column, now.value)} /></td>)}</tr>)}</tbody>
    </table>
  );
}

function Inner({ data, expandKey, columns, shown }: { data: Config; expandKey: string; columns: readonly Column[]; shown: readonly Column[] }) {
  const below = expandKey === "" ? undefined : at(data, expandKey);
  const list = objs(below);
  if (list.length > 0) {
    const heads = columns.length > 0 ? columns : Object.keys(list[0] ?? {}).filter((key) => typeof at(list[0] ?? {}, key) !== "object").slice(0, 8)
      // Its name leads the row; the add-on's JSON says no order.
      .sort((a, b) => Number(/^(name|path|device)$/.test(b)) - Number(/^(name|path|device)$/.test(a)))
      .map((key) => readColumn({ key, format: /bytes|capacity/.test(key) ? "bytes" : "", ...(/bytes$/.test(key) ? { label: readColumn({ key }).label.replace(/ bytes$/, "") } : {}) }));
    return <Under list={list} heads={heads} />;
  }
  const facts = Object.entries(expandKey !== "" && Object.keys(obj(below)).length > 0 ? obj(below) : data).filter(([key, value]) => !shown.some((column) => column.key === key) && plain(value) !== "").slice(0, 60);
  if (facts.length === 0) return <p class="mute">The add-on tells nothing more about this.</p>;
  return <dl class="facts">{facts.map(([key, value]) => <Fragment key={key}><dt>{titled(key)}</dt><dd>{plain(value)}</dd></Fragment>)}</dl>;
}
