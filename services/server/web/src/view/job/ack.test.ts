import { afterEach, describe, expect, it, vi } from "vitest";
import type { Outcome, Verdict } from "@wire";

import { job } from "../../fixtures";
import { known } from "../../state/app";
import { addJobs, NOTHING } from "../../state/store";
import { ack, ackedWord, ackWord, asks } from "./ack";

const ended = (outcome: Outcome) => job({ state: { kind: "finished" }, verdict: { outcome, rules: [], summary: "", verified: 0, engine: "" } satisfies Verdict });

afterEach(() => {
  vi.unstubAllGlobals();
  known.value = NOTHING;
});

describe("that somebody has seen how a test ended", () => {
  it("is asked of all but PASSED, once, and of nothing that is under way", () => {
    expect((["PASSED", "WARN", "INCONCLUSIVE", "FAILED"] as const).map((outcome) => asks(ended(outcome)))).toEqual([false, true, true, true]);
    expect(asks({ ...ended("FAILED"), acknowledged: { by: "mara", at: "2026-11-20T07:00:00Z" } })).toBe(false);
    expect(asks(job())).toBe(false);
    expect(asks(job({ state: { kind: "aborted" } }))).toBe(false);
  });

  it("is not asked of a drive that was read without a fault, as nothing is needed", () => {
    const read = (...ids: string[]) => {
      const warned = ended("WARN");
      const rules = ids.map((id) => ({ id, outcome: "WARN" as const, value: "", limit: "", source: "", means: "" }));
      return asks({ ...warned, verdict: { ...warned.verdict!, rules } });
    };
    expect([read("only-read"), read("only-read", "crc-errors"), read("not-whole-drive")]).toEqual([false, true, true]);
  });

  it("is a decision after WARN, and no more than known of after the others", () => {
    expect((["WARN", "FAILED", "INCONCLUSIVE"] as const).map((outcome) => [ackWord(outcome), ackedWord(outcome)])).toEqual([["Keep it", "Kept"], ["Noted", "Noted"], ["Noted", "Noted"]]);
  });

  it("is said of the end that the page shows; where the job has come to another one, that is shown, be the stream lost or not", async () => {
    const shown = { ...ended("WARN"), ended: "2026-11-20T06:00:00Z" };
    const failed = { ...ended("FAILED"), ended: "2026-11-20T07:00:00Z" };
    known.value = addJobs(NOTHING, [shown]);
    const sent: unknown[] = [];
    vi.stubGlobal("fetch", async (url: string, { method, body }: RequestInit) => {
      sent.push(`${method} ${url}`, JSON.parse(String(body ?? null)));
      return method === "POST" ? new Response(JSON.stringify({ type: "job-ended-again", title: "This job has come to another end", detail: "" }), { status: 409 }) : new Response(JSON.stringify(failed));
    });
    expect((await ack(shown, true))?.type).toBe("job-ended-again");
    expect(sent).toEqual(["POST /api/v1/jobs/0199-1/ack", { outcome: "WARN", ended: shown.ended }, "GET /api/v1/jobs/0199-1", null]);
    expect(known.value.jobs.get(shown.id)).toEqual(failed);
  });
});
