/** Tables that people compare: heads are buttons, the order stands in `aria-sort` and in a sign of its own. */
import { useSignal } from "@preact/signals";
import type { ComponentChild } from "preact";

/** What a cell is ordered by; `null` is not told and stays last in either direction. */
export type Measure = string | number | null;

const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;

/** Rows by a measure; pure. Equal ones keep their places. */
export function sortedBy<T>(rows: readonly T[], of: (row: T) => Measure, down: boolean): T[] {
  const by = (a: Measure, b: Measure): number => (typeof a === "number" && typeof b === "number" ? a - b : order(String(a), String(b)));
  return [...rows].sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return down ? by(y, x) : by(x, y);
  });
}

/** Rows in the order that the heads say, and a function that draws a head. `down`: whether the first order is from the greatest. */
export function useSort<T, K extends string>(rows: readonly T[], first: NoInfer<K>, of: Record<K, (row: T) => Measure>, down = false): { list: T[]; head: (key: K, label: string, cls?: string) => ComponentChild } {
  const by = useSignal<{ key: K; down: boolean }>({ key: first, down });
  const now = by.value;
  const head = (key: K, label: string, cls = "") => {
    const on = now.key === key;
    return (
      <th scope="col" class={cls} aria-sort={on ? (now.down ? "descending" : "ascending") : undefined}>
        <button class="sort" type="button" onClick={() => (by.value = { key, down: on ? !now.down : false })}>{label}<span class="dir" aria-hidden="true">{on ? (now.down ? "▼" : "▲") : ""}</span></button>
      </th>
    );
  };
  return { list: sortedBy(rows, of[now.key], now.down), head };
}
