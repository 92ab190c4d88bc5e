import { duration } from "../../format";

/** How long something took: below ten minutes to the second, as the certificate has it: `0.5 s`, `1 min 28 s`. */
export function lasted(seconds: number): string {
  if (seconds > 0 && seconds < 0.95) return `${seconds.toFixed(1)}\u00a0s`;
  const s = Math.round(seconds);
  return s < 60 || s >= 600 ? duration(seconds) : `${Math.floor(s / 60)}\u00a0min ${s % 60}\u00a0s`;
}
