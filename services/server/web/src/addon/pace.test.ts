import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { paced } from "./pace";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it("what is out of view is drawn seldom, and at once when it comes into view", async () => {
  const seen = signal(true);
  let drawn = 0;
  const pace = paced(() => (drawn += 1), 100, seen);
  const tell = async (times: number) => {
    for (let i = 0; i < times; i++) {
      pace.soon();
      await vi.advanceTimersByTimeAsync(50);
    }
  };
  await tell(40);
  expect(drawn).toBeGreaterThanOrEqual(15);
  seen.value = false;
  await tell(2);
  const before = drawn;
  await tell(30);
  expect(drawn).toBe(before);
  seen.value = true;
  expect(drawn).toBe(before + 1);
  seen.value = false;
  await tell(100);
  expect(drawn).toBeGreaterThanOrEqual(before + 2);
  pace.stop();
  const stopped = drawn;
  await vi.advanceTimersByTimeAsync(10_000);
  seen.value = true;
  expect(drawn).toBe(stopped);
});
