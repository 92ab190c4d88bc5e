/**
 * Component `chart`: uPlot, fetched when the first chart is drawn; described as Chart.js is, fed by frames and a history.
 *
 * Colours and type come from the page's tokens, so that both themes hold; the picture is for the eyes, the same figures
 * stand beneath it as text. A chart draws at most as often as leaves three quarters of the time to everything else.
 */
import { computed, useComputed, useSignal, type ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type uPlot from "uplot";

import { now } from "../state/app";
import { Panel, ProblemNote } from "../view/bits";
import { useSource, useTurned, type PartProps } from "./context";
import { isFor, isOf } from "./feed";
import { RANGES } from "./log";
import { at, choices, num, obj, str } from "./manifest";
import { paced } from "./pace";
import { figure, pointsOf, readChart, Series, type Chart, type Curve } from "./series";

/** Shortest time between two pictures of a chart that grows, in milliseconds: a minute is the least that it shows. */
const PICTURE_MS = 500;
/** Turns every five seconds: so often the words of a picture follow it. */
const slow = computed(() => Math.floor(now.value / 5000));

/** Shortest stretch of time that is drawn, in seconds: one value alone is no year. */
const MINUTE = 60;

/** Colours of curves that choose none: the page's inks; ember is for what runs, so it is not among them. */
const INKS = ["--plot-a", "--focus", "--pass", "--warn", "--inc", "--fail"] as const;

const loadPlot = async () => {
  const [plot] = await Promise.all([import("uplot"), import("uplot/dist/uPlot.min.css")]);
  return plot.default;
};

/** What a colour or a token is at this moment; a canvas knows no custom properties. */
function inkOf(element: HTMLElement, color: string): string {
  const probe = document.createElement("i");
  probe.style.color = color.startsWith("--") ? `var(${color})` : color;
  element.append(probe);
  const ink = getComputedStyle(probe).color;
  probe.remove();
  return ink;
}

/** A colour that lets others through, for what lies beneath a curve. */
const thin = (ink: string): string => ink.replace(/^rgb\(([^)]*)\)$/, "rgba($1, 0.14)");

const tokenOf = (index: number): string => INKS[index % INKS.length] ?? "--plot-a";

/** Seconds of a range like `6h`. */
export function secondsOf(range: string): number | null {
  const match = /^(\d{1,4})([mhd])$/.exec(range);
  return match ? Number(match[1]) * { m: 60, h: 3600, d: 86_400 }[match[2] as "m" | "h" | "d"] : null;
}

function draw(Plot: typeof uPlot, element: HTMLElement, chart: Chart, curves: readonly Curve[], data: uPlot.AlignedData, hidden: ReadonlySet<string>, readout: (index: number | null) => void): uPlot {
  const ink = inkOf(element, "--ink-2");
  const grid = { stroke: inkOf(element, "--plot-grid"), width: 1 };
  const ticks = { stroke: inkOf(element, "--line-2"), width: 1, size: 4 };
  // Asked once: what the style says is dear to ask, and a picture is drawn several times a second.
  const family = getComputedStyle(element).fontFamily;
  const font = `12px ${family}`;
  const limits = chart.limits.map((limit) => ({ ...limit, ink: inkOf(element, limit.color ?? "--warn") }));
  const labels = chart.labels;
  const bars = curves.some((curve) => curve.bars);
  const range = (scale: Chart["left"]): uPlot.Scale.Range => (_, low, high) => {
    const least = scale.min ?? (bars ? Math.min(0, low ?? 0) : (low ?? 0));
    // A limit that is not far away is part of the picture; one that is far would flatten the curves.
    const near = scale === chart.left ? chart.limits.map(({ value }) => value).filter((value) => value <= (high ?? 1) + Math.max(2 * ((high ?? 1) - least), 0.5 * Math.abs(high ?? 1))) : [];
    const most = scale.max ?? Math.max(high ?? 1, ...near);
    const pad = (most - least) * 0.08 || Math.abs(most) * 0.1 || 1;
    return [scale.min ?? (bars && least === 0 ? 0 : least - pad), scale.max ?? most + pad];
  };
  const onRight = curves.some(({ right }) => right);
  const onLeft = curves.some(({ right }) => !right) || !onRight;
  const axis = (side: "y" | "y2"): uPlot.Axis => ({
    scale: side, side: side === "y" ? 3 : 1, stroke: ink, font, ticks, size: 56, grid: side === "y" ? grid : { show: false },
    values: (_, splits) => splits.map((value) => figure(value)),
  });
  return new Plot({
    width: Math.max(120, element.clientWidth), height: chart.height,
    legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: labels === null, range: labels ? [-0.6, labels.length - 0.4] : (_, low, high) => (high - low >= MINUTE ? [low, high] : [high - MINUTE, high]) }, y: { range: range(chart.left) }, ...(onRight ? { y2: { range: range(chart.right) } } : {}) },
    series: [{}, ...curves.map((curve, index): uPlot.Series => {
      const stroke = inkOf(element, curve.color ?? tokenOf(index));
      return {
        label: curve.label, scale: curve.right ? "y2" : "y", stroke, width: 1.75, show: !hidden.has(curve.key), spanGaps: true,
        ...(curve.fill ? { fill: thin(stroke) } : {}), points: { show: (plot) => labels !== null || (plot.data[0]?.length ?? 0) < 3, size: 5 },
        ...(curve.bars && Plot.paths.bars ? { paths: Plot.paths.bars({ size: [0.7, 60] }), fill: stroke, points: { show: false } } : {}),
      };
    })],
    axes: [
      { stroke: ink, font, ticks, grid, space: 64, size: labels ? 32 : 42, ...(labels ? { values: (_, splits) => splits.map((place) => labels[place] ?? ""), splits: () => labels.map((_, index) => index) } : { values: [
        [86_400, "{D} {MMM}", null, null, null, null, null, null, 1], [3600, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
        [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
      ] as unknown as uPlot.Axis.Values }) },
      ...(onLeft ? [axis("y")] : []), ...(onRight ? [axis("y2")] : []),
    ],
    hooks: {
      setCursor: [(plot) => readout(plot.cursor.idx ?? null)],
      draw: [(plot) => {
        for (const limit of limits) {
          const y = Math.round(plot.valToPos(limit.value, "y", true));
          if (y < plot.bbox.top || y > plot.bbox.top + plot.bbox.height) continue;
          const { ctx } = plot;
          ctx.save();
          ctx.strokeStyle = limit.ink;
          ctx.setLineDash([6, 4]);
          ctx.lineWidth = devicePixelRatio;
          ctx.beginPath();
          ctx.moveTo(plot.bbox.left, y);
          ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
          ctx.stroke();
          ctx.font = `${12 * devicePixelRatio}px ${family}`;
          ctx.fillStyle = ink;
          ctx.textAlign = "right";
          ctx.fillText(limit.label || figure(limit.value), plot.bbox.left + plot.bbox.width - 4, y - 4 * devicePixelRatio);
          ctx.restore();
        }
      }],
    },
  }, data, element);
}

/** A curve's name with its newest figure, or the one under the cursor. It alone is drawn again with each picture. */
function Figure({ curve, index, series, plot, readout, turn, unit }: { curve: Curve; index: number; series: Series; plot: { current: uPlot | null }; readout: ReadonlySignal<number | null>; turn: ReadonlySignal<number>; unit: string }) {
  void turn.value;
  const place = readout.value;
  const column = plot.current?.data[index + 1];
  return <b>{figure(place === null ? series.last(curve.key) : column ? num(column[place]) : null, unit)}</b>;
}

/** The component. */
export function ChartPart(props: PartProps) {
  const { part, around, seen } = props;
  const written = useMemo(() => readChart(part.config), [part]);
  // Names on the x axis may come with a source's answer.
  const names = useSignal<string[] | null>(null);
  const chart = useMemo<Chart>(() => ({ ...written, labels: written.labels ?? names.value }), [written, names.value]);
  const series = useMemo(() => new Series(written.points), [written]);
  const range = useSignal(chart.range);
  const offered = choices(at(obj(at(part.config, "time_filter")), "options"));
  const asked = useSource(props, part.source || (chart.fixed.size > 0 ? "" : "chart_history"), range.value ? { range: range.value } : {});
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const drawnKeys = useSignal<readonly string[]>([]);
  const hidden = useSignal<ReadonlySet<string>>(new Set());
  const readout = useSignal<number | null>(null);
  const failed = useSignal(false);
  const told = asked.told.value;
  const turn = useSignal(0);
  const asking = useRef(chart.range);
  const turned = useTurned(around);

  const curves = useMemo<Curve[]>(() => (chart.open
    ? drawnKeys.value.map((key) => ({ key, label: key || part.title, color: null, right: false, fill: false, bars: false }))
    : chart.curves), [chart, chart.open ? drawnKeys.value : null]);
  const live = useRef(curves);
  live.current = curves;

  const pace = useMemo(() => paced(() => {
    if (chart.open && series.keys.length !== drawnKeys.peek().length) drawnKeys.value = series.keys;
    plot.current?.setData(series.columns(live.current.map(({ key }) => key)) as uPlot.AlignedData);
    turn.value += 1;
  }, PICTURE_MS, seen), [chart, series]);
  useEffect(() => pace.stop, [pace]);
  const wanted = (key: string) => chart.open || chart.curves.some((curve) => curve.key === key);

  useEffect(() => {
    for (const [key, points] of chart.fixed) for (const [seconds, value] of points) series.add({ key, seconds, value });
    pace.soon();
  }, [chart, series]);
  useEffect(() => {
    if (!told) return;
    // Another range is another picture; the same one asked anew adds to what was heard meanwhile.
    const other = turned();
    if (asking.current !== range.value || other) series.clear();
    asking.current = range.value;
    const least = secondsOf(range.value);
    const whole = obj(told.value);
    const items = told.items.length > 0 ? told.items : [];
    const points = items.flatMap((item) => (str(at(item, "component_id"), part.id) === part.id ? pointsOf(item, now.peek()) : []));
    // Or an object of lists, one a key.
    if (items.length === 0) for (const [key, list] of Object.entries(whole)) if (Array.isArray(list)) for (const one of list) points.push(...pointsOf({ key, ...obj(one) }, now.peek()));
    if (items.length === 0 && Array.isArray(at(whole, "labels"))) {
      const shaped = readChart({ data: whole });
      for (const [key, list] of shaped.fixed) points.push(...list.map(([seconds, value]) => ({ key, seconds, value })));
      if (shaped.labels !== null) {
        series.clear();
        if (JSON.stringify(shaped.labels) !== JSON.stringify(names.peek())) names.value = shaped.labels;
      }
    }
    const places = names.peek() !== null;
    for (const point of points) if (wanted(point.key) && (places || least === null || point.seconds > now.peek() / 1000 - least)) series.add(point);
    pace.soon();
  }, [told]);
  useEffect(() => around.feed.hear(["chart", "metric"], (frames) => {
    let any = false;
    const agent = around.agent.peek();
    for (const { payload } of frames) {
      const raw = obj(payload);
      if (!isFor(raw, part.id) || !isOf(raw, agent)) continue;
      if (chart.open && str(at(raw, "component_id")) !== part.id) continue;
      for (const point of pointsOf(raw, now.peek())) {
        if (!wanted(point.key)) continue;
        series.add(point);
        any = true;
      }
    }
    if (any) pace.soon();
  }), [around.feed, part]);

  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    let gone = false;
    let made: uPlot | null = null;
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    let Plot: typeof uPlot | null = null;
    const make = () => {
      made?.destroy();
      if (gone || !Plot) return;
      made = draw(Plot, element, chart, curves, series.columns(curves.map(({ key }) => key)) as uPlot.AlignedData, hidden.peek(), (index) => (readout.value = index));
      plot.current = made;
    };
    loadPlot().then((found) => {
      Plot = found;
      make();
    }, () => (failed.value = true));
    const sizes = new ResizeObserver(() => made && element.clientWidth > 0 && made.setSize({ width: Math.max(120, element.clientWidth), height: chart.height }));
    sizes.observe(element);
    scheme.addEventListener("change", make);
    return () => {
      gone = true;
      sizes.disconnect();
      scheme.removeEventListener("change", make);
      made?.destroy();
      plot.current = null;
    };
  }, [chart, curves]);

  const toggle = (curve: Curve, index: number) => {
    const next = new Set(hidden.peek());
    const show = next.delete(curve.key);
    if (!show) next.add(curve.key);
    hidden.value = next;
    plot.current?.setSeries(index + 1, { show });
  };
  void slow.value;
  const unitOf = (curve: Curve) => (curve.right ? chart.right.unit : chart.left.unit);
  const moment = readout.value === null ? null : (plot.current?.data[0][readout.value] ?? null);
  const titles = [chart.left.title && `${chart.left.title}${chart.left.unit && ` in ${chart.left.unit}`}`, chart.right.title && `${chart.right.title}${chart.right.unit && ` in ${chart.right.unit}`} (right)`].filter(Boolean).join(", ");
  const empty = useComputed(() => (void turn.value, live.current.every((curve) => series.last(curve.key) === null))).value;
  const words = curves.map((curve) => {
    const span = series.span(curve.key);
    return span ? `${curve.label} ${figure(series.last(curve.key), unitOf(curve))}, between ${figure(span[0])} and ${figure(span[1])}` : "";
  }).filter(Boolean).join("; ");
  const ranges = offered.length > 0 ? offered : chart.fixed.size > 0 ? [] : RANGES;
  return (
    <Panel id={`t-${part.id}`} title={part.title} note={part.about || (moment === null ? titles : `${titles ? `${titles}, ` : ""}${chart.labels ? (chart.labels[moment] ?? "") : new Date(moment * 1000).toLocaleTimeString("en-GB")}`) || undefined}
      end={ranges.length > 0 && (
        <label class="slim"><span class="sr">Range of {part.title}</span><select value={range.value} onChange={(e) => (range.value = e.currentTarget.value)}>
          {!ranges.some(({ value }) => value === range.value) && <option value={range.value}>{range.value || "everything kept"}</option>}{ranges.map((one) => <option key={one.value} value={one.value}>{one.label}</option>)}</select></label>
      )}>
      <ProblemNote problem={asked.problem.value} />
      {failed.value && <p class="mute">The chart's drawing did not arrive. The newest figures stand below.</p>}
      {empty && <p class="mute">{asked.busy.value && told === null ? "Asking for what was measured." : "Nothing measured yet. Curves grow here as values come."}</p>}
      <div class={`chart ${empty ? "none" : ""}`} ref={holder} role="img" aria-label={`${part.title}: ${words || "nothing measured yet"}`} />
      <ul class="legend">{curves.map((curve, index) => (
        <li key={curve.key}><button type="button" class="key" aria-pressed={!hidden.value.has(curve.key)} onClick={() => toggle(curve, index)}>
          <i style={{ background: curve.color ?? `var(${tokenOf(index)})` }} />{curve.label} <Figure curve={curve} index={index} series={series} plot={plot} readout={readout} turn={turn} unit={unitOf(curve)} /></button></li>
      ))}</ul>
    </Panel>
  );
}
