/** What a drive is after its last test, and what to do with it, in a word to the one who holds it. */
import type { Bus, Outcome, Verdict } from "@wire";

export const AFTER: Record<Outcome, string> = { PASSED: "Passed its test", WARN: "Keep it or send it back", FAILED: "Take it out; put no data on it", INCONCLUSIVE: "Not known yet whether it is good" };

/** Rules of WARN that say nothing against the drive's sectors, by what mends them. */
const MENDED: readonly { rules: ReadonlySet<string>; next: (bus: Bus | undefined) => string; short: string }[] = [
  {
    rules: new Set(["smart-unreadable", "smart-without-counters", "smart-without-verdict", "smart-not-trusted"]),
    next: (bus) => (bus === "usb" ? "All sectors are good; attach it by SATA to have its own record read" : "All sectors are good; its own record is not known"), short: "its record is not known",
  },
  { rules: new Set(["crc-errors", "link-slower", "phy-errors-grew"]), next: () => "All sectors are good; look at its cable and backplane, then test it again", short: "look at its cable" },
  { rules: new Set(["warm-disk", "warm-flash"]), next: () => "All sectors are good; cool it better", short: "cool it better" },
];

/** What to do after WARN: what mends all of its reasons where there is such a thing, else to decide. Pure. */
export function warned({ rules }: Pick<Verdict, "rules">, bus: Bus | undefined): { next: string; short: string } {
  const ids = rules.filter(({ outcome }) => outcome === "WARN").map(({ id }) => id);
  const mended = MENDED.find((one) => ids.length > 0 && ids.every((id) => one.rules.has(id)));
  return mended ? { next: mended.next(bus), short: mended.short } : { next: AFTER.WARN, short: "keep it or send it back" };
}

/** The heading of a drive or of its last test; pure. */
export const afterWords = (verdict: Pick<Verdict, "rules" | "outcome">, bus: Bus | undefined): string => (verdict.outcome === "WARN" ? warned(verdict, bus).next : AFTER[verdict.outcome]);
