/** The line of a small multiple, and where it goes in words. Pure; tested in `line.test.ts`. */
import type { HostDriveTrend } from "../../../openapi";

/** Moments in seconds with their values, oldest first. */
export type Line = [number, number][];

/** A line's path in a box of 120 × 32, and its lowest and highest value. A value that never moved lies in the middle. */
export function outline(line: Line): { path: string; low: number; high: number } {
  const values = line.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const first = line[0]?.[0] ?? 0;
  const span = Math.max(1, (line[line.length - 1]?.[0] ?? 0) - first);
  const x = (at: number) => ((at - first) / span) * 120;
  const y = (value: number) => (high === low ? 16 : 30 - ((value - low) / (high - low)) * 28);
  const path = line.map(([at, value], n) => `${n ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  return { path: line.length === 1 ? `${path}h120` : path, low, high };
}

/** A serial as it is compared: translation layers pad and case it differently. */
export const plain = (serial: string) => serial.replace(/[^0-9a-z]/gi, "").toUpperCase();

/** What of a trend is put into words. */
export type Trend = Pick<HostDriveTrend, "per_day" | "confidence" | "direction"> & { crossings: Pick<HostDriveTrend["crossings"][number], "name" | "days" | "at">[] };

const SURE = { none: "", low: ", by few readings", medium: "", high: ", closely on a line" } as const;
const LIMITS: Record<string, string> = { limit: "its limit", wear_90: "90 %", rated_life: "its rated life", threshold: "its threshold", warning: "80", critical: "what is critical" };

/** A trend in a sentence: how fast, how sure, and when it crosses the next limit; `day` writes a date. Empty where it goes nowhere. */
export function trendWords(name: string, trend: Trend, day: (iso: string) => string): string {
  if (trend.direction === "steady") return "";
  const speed = Math.abs(trend.per_day) >= 0.1 ? `${round(Math.abs(trend.per_day))} a day` : `${round(Math.abs(trend.per_day) * 30)} a month`;
  const next = [...trend.crossings].sort((a, b) => a.days - b.days)[0];
  const reaches = next ? `; reaches ${LIMITS[next.name] ?? next.name} about ${day(next.at)}` : "";
  return `${name} ${trend.direction === "rising" ? "rises" : "falls"} by ${speed}${SURE[trend.confidence]}${reaches}.`;
}

const round = (value: number) => (value >= 10 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, ""));
