/** What a drive is after its last test, in a word to the one who holds it. */
import type { Outcome } from "@wire";

export const AFTER: Record<Outcome, string> = { PASSED: "Passed its test", WARN: "Keep it or send it back", FAILED: "Take it out; put no data on it", INCONCLUSIVE: "Not known yet whether it is good" };
