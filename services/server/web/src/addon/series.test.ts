import { describe, expect, it } from "vitest";

import { secondsOf } from "./chart";
import { colorOf, figure, pointsOf, readChart, Series } from "./series";

describe("a chart's configuration", () => {
  it("as the document has it", () => {
    const chart = readChart({ datasets: [{ key: "t", label: "Temp", yAxis: "right", fill: true, color: "#f59e0b" }], yAxes: { left: { title: "x", unit: "°C", min: 0 } }, maxPoints: 20, height: 9999 });
    expect(chart.curves).toEqual([{ key: "t", label: "Temp", color: "#f59e0b", right: true, fill: true, bars: false }]);
    expect([chart.points, chart.height, chart.left.unit, chart.open]).toEqual([20, 800, "°C", false]);
  });
  it("as Chart.js has it", () => {
    const chart = readChart({ type: "bar", data: { labels: ["a", "b"], datasets: [{ label: "n", data: [4, null], borderColor: "red" }] }, options: { scales: { y: { min: 1, title: { text: "Count" } } } } });
    expect(chart.labels).toEqual(["a", "b"]);
    expect(chart.fixed.get("n")).toEqual([[0, 4]]);
    expect([chart.curves[0]?.bars, chart.curves[0]?.color, chart.left.title, chart.left.min]).toEqual([true, "red", "Count", 1]);
  });
  it("as existing burn-in add-ons have it", () => {
    const chart = readChart({ chart_type: "line", x_axis: "time", y_axis: "temp_c", y_label: "Temperature", thresholds: [{ value: 45, color: "#f59e0b", label: "Warning" }], max_points: 360 });
    expect(chart.curves[0]?.key).toBe("temp_c");
    expect(chart.limits).toEqual([{ value: 45, label: "Warning", color: "#f59e0b" }]);
  });
  it("of nonsense it makes an empty chart", () => expect(readChart({ datasets: 7, data: [], yAxes: "x", options: null }).curves).toEqual([]));
  it("a colour is a colour", () => {
    expect(["#fff", "rebeccapurple", "rgb(1, 2, 3)", "hsl(20deg 30% 40% / 0.5)"].map(colorOf)).not.toContain(null);
    expect(["url(x)", "var(--x)", "red;background:url(x)", "expression(1)", "#ggg"].map(colorOf)).toEqual([null, null, null, null, null]);
  });
});

describe("values", () => {
  const at = (seconds: number) => new Date(seconds * 1000).toISOString();
  it("of frames in each of their shapes", () => {
    expect(pointsOf({ key: "t", value: "34", timestamp: at(5) }, 0)).toEqual([{ key: "t", value: 34, seconds: 5 }]);
    expect(pointsOf({ metrics: [{ key: "a", value: 1 }, { key: "b", value: "x" }], timestamp: at(7) }, 0)).toEqual([{ key: "a", value: 1, seconds: 7 }]);
    expect(pointsOf({ key: "t", value: null }, 9000)).toEqual([]);
    expect(pointsOf({ key: "t", value: 2 }, 9000)).toEqual([{ key: "t", value: 2, seconds: 9 }]);
  });
  it("are kept in order of time, each moment once, the newest of them", () => {
    const series = new Series(3);
    for (const [seconds, value] of [[10, 1], [30, 3], [20, 2], [30, 4], [40, 5]] as const) series.add({ key: "a", seconds, value });
    series.add({ key: "b", seconds: 30, value: 9 });
    expect(series.columns(["a", "b", "none"])).toEqual([[20, 30, 40], [2, 4, 5], [undefined, 9, undefined], [undefined, undefined, undefined]]);
    expect(series.span("a")).toEqual([2, 5]);
  });
  it("figures and ranges", () => {
    expect([figure(1234567), figure(0.12345), figure(null), figure(37, "°C")]).toEqual(["1\u202f234\u202f567", "0.1235", "–", "37\u00a0°C"]);
    expect([secondsOf("15m"), secondsOf("7d"), secondsOf("x")]).toEqual([900, 604_800, null]);
  });
});
