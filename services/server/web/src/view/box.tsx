/** What the box says of itself above the bench: its banners, and up to when it is heard. */
import type { Banner, BoxView, Job, Severity } from "@wire";

import { clock } from "../format";
import { known, lostSince, now, silentFor } from "../state/app";
import { silenceWords } from "../state/heard";
import { Icon, Shape } from "./bits";

const RANK: Record<Severity, number> = { critical: 0, warning: 1, info: 2 };

/** Everything that everybody who looks has to know, worst first, each said once; pure. */
export function banners(box: BoxView): Banner[] {
  const list = [...box.banners, ...(box.supervisor?.banners ?? [])];
  if (box.supervisor?.boot.medium === "ram" && !list.some((b) => /medium|memory/i.test(b.text))) {
    list.push({ severity: "warning", text: "There is no writable boot medium: settings and history are kept in memory and are gone with the power." });
  }
  const seen = new Set<string>();
  return list
    .filter(({ text }) => !seen.has(text) && seen.add(text))
    .sort((a, b) => RANK[a.severity] - RANK[b.severity]);
}

/**
 * Since when nothing more is known of what runs, and when it is again; `null` while all is heard. `lost`: since when the box itself
 * does not answer. What was measured and reckoned before is no news then, so whoever shows it says this instead. Pure.
 */
export function lastHeard(box: BoxView | null, lost: number | null, at: number): string | null {
  if (lost !== null) return `Last heard ${clock(new Date(lost).toISOString(), at)}; told anew when the box answers`;
  if (!box || box.agent.state === "online") return null;
  const { last_seen: seen } = box.agent;
  return `${seen ? `Last heard ${clock(seen, at)}` : "Not heard of yet"}; goes on when the agent is back`;
}

/** The same of now. */
export const unheard = (): string | null => lastHeard(known.value.box, lostSince.value, now.value);

/** The same of one test, of which nothing may come although box and agent count as there. */
export function unheardOf(job: Job): string | null {
  const silent = silentFor(job);
  return unheard() ?? (silent === null ? null : silenceWords(silent));
}

/** The banners. */
export function Banners() {
  const box = known.value.box;
  const list = box ? banners(box) : [];
  return (
    <ul class="banners" aria-live="polite">
      {list.map(({ severity, text }) => (
        <li key={text} class={severity === "critical" ? "is-fail" : severity === "warning" ? "is-warn" : "is-info"}>
          {severity === "info" ? <Icon name="info" /> : <Shape of={severity === "critical" ? "fail" : "warn"} />}
          <span>{text.replace(/\.?$/, ".")}</span>
        </li>
      ))}
    </ul>
  );
}
