/** The line of a small multiple. Pure; tested in `hosts-line.test.ts`. */

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
