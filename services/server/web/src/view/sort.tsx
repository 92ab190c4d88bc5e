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

/** A head that orders its column; `down`: the order that it is in now, `null` where another column leads. */
export function SortHead({ label, down, turn, cls = "" }: { label: string; down: boolean | null; turn: () => void; cls?: string }) {
  return (
    <th scope="col" class={cls} aria-sort={down === null ? undefined : down ? "descending" : "ascending"}>
      <button class="sort" type="button" onClick={turn}>{label}<span class="dir" aria-hidden="true">{down === null ? "" : down ? "▼" : "▲"}</span></button>
    </th>
  );
}

/**
 * Rows in the order that the heads say, and a function that draws a head. `first`: what they are ordered by until somebody
 * presses a head; `null`: as they come. `down`: whether that first order is from the greatest. One row alone has no order.
 */
export function useSort<T, K extends string>(rows: readonly T[], first: NoInfer<K> | null, of: Record<K, (row: T) => Measure>, down = false): { list: readonly T[]; head: (key: K, label: string, cls?: string) => ComponentChild } {
  const by = useSignal<{ key: K; down: boolean } | null>(first === null ? null : { key: first, down });
  const now = by.value;
  const head = (key: K, label: string, cls = "") => {
    if (rows.length < 2) return <th scope="col" class={cls}>{label}</th>;
    const on = now?.key === key;
    return <SortHead label={label} cls={cls} down={on ? now.down : null} turn={() => (by.value = { key, down: on ? !now.down : false })} />;
  };
  return { list: now ? sortedBy(rows, of[now.key], now.down) : rows, head };
}
