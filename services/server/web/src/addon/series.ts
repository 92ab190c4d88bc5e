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

/** Most values of one curve. */
const POINTS_MAX = 5000;

/** A moment on the x axis in milliseconds; small numbers and names with figures in them ("Disk 1") are none. */
function moment(value: unknown): number | null {
  const number = num(value);
  if (number !== null) return number > 1e8 ? time(number) : null;
  return /^\d{4}-\d\d-\d\d/.test(str(value)) ? time(value) : null;
}

/** The values that a manifest itself has: over moments where all of them are, else over names in a row. */
function valuesOf(given: readonly unknown[], written: readonly Config[], curves: readonly Curve[]): Pick<Chart, "labels" | "fixed"> {
  const all = written.map((one) => arr(at(one, "data")).slice(0, POINTS_MAX).flatMap((value, index) => {
    const isPoint = typeof value === "object" && value !== null;
    const y = num(isPoint ? at(obj(value), "y") : value);
    const x = isPoint && at(obj(value), "x") !== undefined ? at(obj(value), "x") : (given[index] ?? null);
    return y === null ? [] : [{ x, y, index }];
  }));
  const points = all.flat();
  const overTime = points.length > 0 && points.every(({ x }) => moment(x) !== null);
  const names = overTime ? [] : given.map((one) => str(one));
  const place = new Map(names.map((name, index) => [name, index]));
  const placeOf = (x: unknown, index: number): number => {
    // A value without a name of its own stands at its number; one that names a place stands there.
    if (x === null || x === given[index]) {
      while (names.length <= index) names.push(String(names.length + 1));
      return index;
    }
    const name = str(x);
    if (!place.has(name)) place.set(name, names.push(name) - 1);
    return place.get(name) ?? 0;
  };
  const fixed = new Map<string, [number, number][]>();
  all.forEach((list, which) => {
    const curve = curves[which];
    if (list.length > 0 && curve) fixed.set(curve.key, list.map(({ x, y, index }) => [overTime ? (moment(x) ?? 0) / 1000 : placeOf(x, index), y]));
  });
  return { labels: names.length > 0 ? names : null, fixed };
}

/** Kinds of Chart.js that compare amounts of names: drawn as bars, of which more than the eye's guess can be read. */
const BARS: ReadonlySet<string> = new Set(["bar", "pie", "doughnut", "polarArea"]);

/** Whether Chart.js fills below a curve: a truth value, or words, a number or an object that say down to where. */
const fills = (value: unknown): boolean =>
  typeof value === "number" || (typeof value === "object" && value !== null) || (typeof value === "string" ? value !== "" && value !== "false" : bool(value));

/** The first of colours: Chart.js takes one for all, or a list with one a value. */
const inkOf = (value: unknown): string | null => colorOf(Array.isArray(value) ? (value as readonly unknown[])[0] : value);

/** A key of its own for each curve: values of two curves that share a label stay apart. */
function keyOf(one: Config, index: number, taken: Set<string>): string {
  const said = str(at(one, "key"));
  const label = str(at(one, "label"), String(index));
  const key = said || (taken.has(label) ? `${label} ${index}` : label);
  taken.add(key);
  return key;
}

/** Reads a chart's configuration in any of the shapes that are in use. */
export function readChart(config: Config): Chart {
  const chartType = str(at(config, "chart_type"), str(at(config, "type"), "line"));
  const data = obj(at(config, "data"));
  // Values stand in `data`, as Chart.js has it, or in the configuration itself.
  const written = [...objs(at(config, "datasets")), ...objs(at(data, "datasets"))].slice(0, CURVES_MAX);
  const taken = new Set<string>();
  const curves = written.map((one, index): Curve => {
    const key = keyOf(one, index, taken);
    const axis = str(at(one, "yAxis"), str(at(one, "yAxisID")));
    return {
      key, label: str(at(one, "label"), key), color: inkOf(at(one, "color")) ?? inkOf(at(one, "borderColor")) ?? inkOf(at(one, "backgroundColor")),
      right: axis === "right" || axis === "y1" || axis === "y2", fill: fills(at(one, "fill")) || chartType === "area", bars: BARS.has(str(at(one, "type"), chartType)),
    };
  });
  const yKey = str(at(config, "y_axis"));
  if (curves.length === 0 && yKey !== "") curves.push({ key: yKey, label: str(at(config, "y_label"), yKey), color: null, right: false, fill: false, bars: chartType === "bar" });
  const scales = obj(at(obj(at(config, "options")), "scales"));
  const axes = obj(at(config, "yAxes"));
  const { labels, fixed } = valuesOf(arr(at(config, "labels") ?? at(data, "labels")), written, curves);
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
    // Values that the manifest itself has are all shown.
    points: Math.max(within(at(config, "maxPoints") ?? at(config, "max_points"), 10, POINTS_MAX, 360), ...[...fixed.values()].map(({ length }) => length)),
    height: within(at(config, "height"), 120, 800, 260),
    range: str(at(config, "time_range"), str(at(timeFilter, "default"))),
    labels, fixed,
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
