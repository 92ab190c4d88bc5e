/** What a drive is after its last test, and what to do with it, in a word to the one who holds it. */
import type { Acknowledged, Bus, Outcome, Verdict } from "@wire";

export const AFTER: Record<Outcome, string> = { PASSED: "Passed its test", WARN: "Keep it or send it back", FAILED: "Take it out; put no data on it", INCONCLUSIVE: "Not known yet whether it is good" };

/** Rules that say that the sectors were not all written and compared. */
const IN_PART: ReadonlySet<string> = new Set(["not-whole-drive"]);

/** Rules that say that each sector was to hold the same: what reads back may be another's, or a drive's that stored nothing. */
const CONSTANT: ReadonlySet<string> = new Set(["constant-pattern", "constant-pattern-probed"]);

/** What a test that ended WARN by these rules alone says of the sectors; pure. */
function proven(ids: readonly string[]): string {
  if (ids.includes("only-read")) return "All sectors could be read";
  if (ids.some((id) => CONSTANT.has(id))) return "What was written reads back";
  return ids.some((id) => IN_PART.has(id)) ? "What was tested is good" : "All sectors are good";
}

/** Rules of WARN that say nothing against the drive's sectors, by what mends them; told in this order. */
const MENDED: readonly { rules: ReadonlySet<string>; next: (bus: Bus | undefined) => string; short: string }[] = [
  { rules: new Set(["warm-disk", "warm-flash"]), next: () => "cool it better", short: "cool it better" },
  { rules: new Set(["crc-errors", "link-slower", "phy-errors-grew"]), next: () => "look at its cable and backplane, then test it again", short: "look at its cable" },
  {
    rules: new Set(["smart-unreadable", "smart-without-counters", "smart-without-verdict", "smart-not-trusted"]),
    next: (bus) => (bus === "usb" ? "attach it by SATA to have its own record read" : "its own record is not known"), short: "its record is not known",
  },
  { rules: new Set(["smart-off"]), next: () => "switch its SMART on (smartctl -s on), then test it again", short: "switch its SMART on" },
  { rules: new Set(["step-unsupported", "selftest-unsupported"]), next: () => "not every step of the playbook is possible on it", short: "not every step is possible on it" },
  { rules: IN_PART, next: () => "Standard tests all, and erases it", short: "Standard tests all" },
  { rules: new Set(["only-read"]), next: () => "nothing was written; any further test erases it", short: "could be read" },
  {
    rules: CONSTANT,
    next: () => "Standard would tell more, and erases it", short: "Standard would tell more",
  },
];

/** What to do after WARN: what mends its reasons where that is so of each of them, else to decide. Pure. */
export function warned({ rules }: Pick<Verdict, "rules">, bus: Bus | undefined): { next: string; short: string } {
  const ids = rules.filter(({ outcome }) => outcome === "WARN").map(({ id }) => id);
  const mended = MENDED.filter((one) => ids.some((id) => one.rules.has(id)));
  if (ids.length === 0 || !ids.every((id) => mended.some((one) => one.rules.has(id)))) return { next: AFTER.WARN, short: "keep it or send it back" };
  return { next: [proven(ids), ...mended.map(({ next }) => next(bus))].join("; "), short: mended.map(({ short }) => short).join("; ") };
}

/** The heading of a drive or of its last test; `seen`: who has decided, where there is nothing to it but to decide. Pure. */
export function afterWords(verdict: Pick<Verdict, "rules" | "outcome">, bus: Bus | undefined, seen?: Acknowledged): string {
  const words = verdict.outcome === "WARN" ? warned(verdict, bus).next : AFTER[verdict.outcome];
  return seen && words === AFTER.WARN ? `Kept by ${seen.by}` : words;
}
