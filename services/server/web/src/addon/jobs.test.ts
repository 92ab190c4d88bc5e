/** When a job is over: the table of cases that the server's history runs, too. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

import { update, type Shown } from "./jobs";
import type { Config } from "./manifest";

interface Case { name: string; frames: Config[]; state: Shown["state"] }
const cases = JSON.parse(readFileSync(fileURLToPath(new URL("../../../../wire/cases/job-over.json", import.meta.url)), "utf8")) as Case[];

describe("a job", () => {
  it("has many ways to end", () => expect(cases.length).toBeGreaterThanOrEqual(20));
  it.each(cases)("$name: $state", ({ frames, state }) => {
    const job = frames.reduce<Shown | undefined>((was, frame) => update(was, frame, 0), undefined);
    expect(job?.state).toBe(state);
  });
});
