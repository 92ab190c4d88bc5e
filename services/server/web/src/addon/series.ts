/** Curves of a chart: a Chart.js-shaped configuration, frames and histories become columns for uPlot. Pure; `series.test.ts`. */
import { time } from "./cell";
import { arr, at, bool, num, obj, objs, str, within, type Config } from "./manifest";

/** One curve. */
export interface Curve { key: string; label: string; color: string | null; right: boolean; fill: boolean; bars: boolean }

/** A scale. */
export interface Scale { title: string; unit: string; min: number | null; max: number | null }

/** A line across the chart. */
export interface Limit { value: number; label: string; color: string | null }

/** A chart as its manifest describes it. */
export interface Chart {
  curves: Curve[];
  /** Whether a key that no curve names makes a new one. */
  open: boolean;
  left: Scale;
  right: Scale;
  limits: Limit[];
  points: number;
  height: number;
  range: string;
  /** Names of the places on the x axis, where it is no time. */
  labels: string[] | null;
  /** Values that the manifest itself has. */
  fixed: Map<string, [number, number][]>;
}

/** A colour that a manifest may choose: a hexadecimal one, a name, or rgb(); anything else is ours to choose. */
export function colorOf(value: unknown): string | null {
  const text = str(value).trim();
  return /^(#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]{3,24}|(rgb|hsl)a?\([0-9.,%\s/deg]{3,40}\))$/i.test(text) ? text : null;
}

/** Most curves of one chart. */
const CURVES_MAX = 64;

function scale(one: Config): Scale {
  const title = at(one, "title");
  return { title: typeof title === "object" ? str(at(obj(title), "text")) : str(title), unit: str(at(one, "unit")), min: num(at(one, "min")), max: num(at(one, "max")) };
}

/** Reads a chart's configuration in any of the shapes that are in use. */
export function readChart(config: Config): Chart {
  const data = obj(at(config, "data"));
  const chartType = str(at(config, "chart_type"), str(at(config, "type"), "line"));
  const written = objs(at(config, "datasets")).length > 0 ? objs(at(config, "datasets")) : objs(at(data, "datasets"));
  const curves = written.slice(0, CURVES_MAX).map((one, index): Curve => {
    const key = str(at(one, "key"), str(at(one, "label"), String(index)));
    const axis = str(at(one, "yAxis"), str(at(one, "yAxisID")));
    return {
      key, label: str(at(one, "label"), key), color: colorOf(at(one, "color")) ?? colorOf(at(one, "borderColor")),
      right: axis === "right" || axis === "y1" || axis === "y2", fill: bool(at(one, "fill")) || chartType === "area", bars: str(at(one, "type"), chartType) === "bar",
    };
  });
  const yKey = str(at(config, "y_axis"));
  if (curves.length === 0 && yKey !== "") curves.push({ key: yKey, label: str(at(config, "y_label"), yKey), color: null, right: false, fill: false, bars: chartType === "bar" });
  const scales = obj(at(obj(at(config, "options")), "scales"));
  const axes = obj(at(config, "yAxes"));
  const labels = arr(at(data, "labels"));
  const times = labels.map(time);
  const isTime = labels.length > 0 && times.every((when) => when !== null);
  const fixed = new Map<string, [number, number][]>();
  objs(at(data, "datasets")).slice(0, CURVES_MAX).forEach((one, which) => {
    const points = arr(at(one, "data")).flatMap((value, index): [number, number][] => {
      const point = obj(value);
      const y = typeof value === "object" ? num(at(point, "y")) : num(value);
      const x = typeof value === "object" ? time(at(point, "x")) : isTime ? (times[index] ?? null) : index * 1000;
      return y === null || x === null ? [] : [[x / 1000, y]];
    });
    const curve = curves[which];
    if (points.length > 0 && curve) fixed.set(curve.key, points);
  });
  const left = Object.keys(obj(at(axes, "left"))).length > 0 ? scale(obj(at(axes, "left"))) : scale(obj(at(scales, "y")));
  if (left.title === "" && str(at(config, "y_label")) !== "") left.title = str(at(config, "y_label"));
  const timeFilter = obj(at(config, "time_filter"));
  return {
    curves, open: written.length === 0 && yKey === "", left,
    right: Object.keys(obj(at(axes, "right"))).length > 0 ? scale(obj(at(axes, "right"))) : scale(obj(at(scales, "y1"))),
    limits: objs(at(config, "thresholds")).slice(0, 8).flatMap((one) => {
      const value = num(at(one, "value"));
      return value === null ? [] : [{ value, label: str(at(one, "label")), color: colorOf(at(one, "color")) }];
    }),
    points: within(at(config, "maxPoints") ?? at(config, "max_points"), 10, 5000, 360),
    height: within(at(config, "height"), 120, 800, 260),
    range: str(at(config, "time_range"), str(at(timeFilter, "default"))),
    labels: labels.length > 0 && !isTime ? labels.map((one) => str(one)) : null,
    fixed,
  };
}

/** One measured value. */
export interface Point { key: string; value: number; seconds: number }

/** The values of a frame or of an item of a history, in any of their shapes. `now` in milliseconds. */
export function pointsOf(raw: Config, now: number): Point[] {
  const when = (time(at(raw, "timestamp") ?? at(raw, "time") ?? at(raw, "t") ?? at(raw, "ts")) ?? now) / 1000;
  const inner = at(raw, "metrics") ?? at(raw, "points");
  if (Array.isArray(inner)) return objs(inner).flatMap((one) => pointsOf({ key: at(raw, "key"), timestamp: at(raw, "timestamp"), ...one }, now));
  const values = at(raw, "values");
  if (typeof values === "object" && values !== null && !Array.isArray(values)) return Object.entries(values).flatMap(([key, value]) => (num(value) === null ? [] : [{ key, value: num(value) ?? 0, seconds: when }]));
  const value = num(at(raw, "value"));
  return value === null ? [] : [{ key: str(at(raw, "key"), str(at(raw, "name"))), value, seconds: when }];
}

/** The newest values of each curve, in order of time. */
export class Series {
  #of = new Map<string, { x: number[]; y: number[] }>();

  constructor(readonly most: number) {}

  /** Adds a value; one of the same moment is replaced, an earlier one goes to its place. */
  add({ key, value, seconds }: Point): void {
    let one = this.#of.get(key);
    if (!one) {
      if (this.#of.size >= CURVES_MAX) return;
      this.#of.set(key, (one = { x: [], y: [] }));
    }
    let place = one.x.length;
    while (place > 0 && (one.x[place - 1] ?? 0) > seconds) place -= 1;
    if (one.x[place - 1] === seconds) one.y[place - 1] = value;
    else {
      one.x.splice(place, 0, seconds);
      one.y.splice(place, 0, value);
    }
    if (one.x.length > this.most) {
      one.x.shift();
      one.y.shift();
    }
  }

  /** Keys in the order in which they came. */
  get keys(): string[] {
    return [...this.#of.keys()];
  }

  /** The newest value of a curve. */
  last(key: string): number | null {
    return this.#of.get(key)?.y.at(-1) ?? null;
  }

  /** Least and greatest value of a curve. */
  span(key: string): [number, number] | null {
    const y = this.#of.get(key)?.y;
    return y && y.length > 0 ? [Math.min(...y), Math.max(...y)] : null;
  }

  /** One column of moments, and one of values for each key; `undefined` where a curve has none, so that lines go on over it. */
  columns(keys: readonly string[]): [number[], ...(number | undefined)[][]] {
    const moments = [...new Set(keys.flatMap((key) => this.#of.get(key)?.x ?? []))].sort((a, b) => a - b);
    const place = new Map(moments.map((moment, index) => [moment, index]));
    return [moments, ...keys.map((key) => {
      const column = new Array<number | undefined>(moments.length).fill(undefined);
      const one = this.#of.get(key);
      one?.x.forEach((moment, index) => (column[place.get(moment) ?? 0] = one.y[index]));
      return column;
    })];
  }

  /** Forgets everything. */
  clear(): void {
    this.#of.clear();
  }
}

/** A figure of an axis or a legend: at most four digits that mean something. */
export const figure = (value: number | null | undefined, unit = ""): string =>
  value === null || value === undefined ? "–" : `${Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en").replaceAll(",", "\u202f") : Number(value.toPrecision(4))}${unit && `\u00a0${unit}`}`;
