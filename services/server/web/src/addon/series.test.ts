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
  it("as Chart.js has it, without a name for it", () => {
    const chart = readChart({ type: "line", labels: ["Disk 1", "Disk 2"], datasets: [
      { label: "n", data: [1, 2], fill: "origin", backgroundColor: "#abc" }, { label: "n", data: ["3", null], fill: 1, backgroundColor: ["teal"] }, { data: [5], fill: "false" }, { data: [6], fill: { target: "origin" } }] });
    expect(chart.labels).toEqual(["Disk 1", "Disk 2"]);
    expect(chart.curves.map(({ key, fill, color }) => [key, fill, color])).toEqual([["n", true, "#abc"], ["n 1", true, "teal"], ["2", false, null], ["3", true, null]]);
    expect([...chart.fixed]).toEqual([["n", [[0, 1], [1, 2]]], ["n 1", [[0, 3]]], ["2", [[0, 5]]], ["3", [[0, 6]]]]);
    expect(readChart({ type: "doughnut", data: { labels: ["a"], datasets: [{ data: [4] }] } }).curves[0]?.bars).toBe(true);
  });
  it("places on the x axis are moments, names or numbers", () => {
    const of = (labels: unknown, data: unknown[]) => (({ labels: names, fixed }) => [names, fixed.get("0")])(readChart({ labels, datasets: [{ data }] }));
    expect(of(["2024-01-01T00:00:00Z"], [7])).toEqual([null, [[1_704_067_200, 7]]]);
    expect(of(undefined, [{ x: "2024-01-01", y: 7 }])).toEqual([null, [[1_704_067_200, 7]]]);
    expect(of([2020, 2021], [1, 2])).toEqual([["2020", "2021"], [[0, 1], [1, 2]]]);
    expect(of(["same", "same"], [1, 2])).toEqual([["same", "same"], [[0, 1], [1, 2]]]);
    expect(of(undefined, [5, 6])).toEqual([["1", "2"], [[0, 5], [1, 6]]]);
    expect(of(undefined, [{ x: 3, y: 5 }, { x: 9, y: 6 }])).toEqual([["3", "9"], [[0, 5], [1, 6]]]);
    expect(of(["a", "b"], [{ x: "b", y: 6 }])).toEqual([["a", "b"], [[1, 6]]]);
  });
  it("values of its own are all shown, however few points it keeps of what comes", () => expect(readChart({ maxPoints: 10, datasets: [{ data: Array.from({ length: 30 }, (_, index) => index) }] }).points).toBe(30));
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
