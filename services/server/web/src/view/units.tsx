/** What the box says of itself beneath the bench: its services, and the last boot. */
import type { BootView, UnitView } from "@wire";

import { ago, clock } from "../format";
import { known, now } from "../state/app";
import { useSort } from "./sort";

const STATE: Record<UnitView["state"], string> = {
  stopped: "stopped", starting: "starting", ready: "ready", degraded: "late", stopping: "stopping",
  backoff: "ended, will start again", quarantined: "ended too often, resting", done: "done", failed: "cannot start",
};

/** Units that do not do what they are for. */
export const unwell = (units: readonly UnitView[]) => units.filter((u) => u.state === "degraded" || u.state === "backoff" || u.state === "quarantined" || u.state === "failed");

/** The services as a table. */
export function Units({ units }: { units: readonly UnitView[] }) {
  const { list, head } = useSort(units, null, { name: ({ name }) => name, state: ({ state }) => STATE[state], restarts: ({ restarts }) => restarts, says: ({ since }) => since });
  return (
    <table class="tbl">
      <thead><tr>{head("name", "Service")}{head("state", "State")}{head("restarts", "Restarts", "num")}{head("says", "Says")}</tr></thead>
      <tbody>
        {list.map((unit) => (
          <tr key={unit.name}>
            <td class="nm"><b>{unit.name}</b></td>
            <td class={unit.state === "ready" || unit.state === "done" ? "" : "warmtemp"}>{STATE[unit.state]}{unit.rung && unit.rung !== "late" && unit.rung !== "degraded" ? ` (${unit.rung.replace("_", " ")})` : ""}</td>
            <td class="num" data-k="Restarts">{unit.restarts}</td>
            <td>{[unit.reason, unit.status].filter(Boolean).map((words) => `${words}. `)}<span class="mute">Since {clock(unit.since, now.value)}</span></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Services and the last boot, under the supervisor. */
export function TheBox() {
  const box = known.value.box;
  const supervisor = box?.supervisor;
  if (!box || !supervisor) return null;
  const { boot } = supervisor;
  const bad = unwell(supervisor.units);
  return (
    <details class="thebox" open={bad.length > 0}>
      <summary>
        <b>The box</b> {bad.length > 0 ? `${bad.map((u) => u.name).join(", ")}: not well` : `${supervisor.units.length} services well`}
        {boot.reason && <span class="mute">, last boot: {boot.reason}</span>}
      </summary>
      <div class="cols">
        <div class="c7"><Units units={supervisor.units} /></div>
        <dl class="facts c5">
          <dt>Last boot</dt><dd>{boot.reason || "no reason told"}</dd>
          <dt>System</dt><dd>{systemWords(boot)}</dd>
          <dt>State is kept</dt><dd>{boot.medium === "disk" ? "on the boot medium" : "in memory only"}</dd>
          <dt>Addresses</dt><dd>{supervisor.addresses.join(", ") || "none"}</dd>
          <dt>Version</dt><dd>Kiln {box.version}</dd>
          <dt>Agent</dt><dd>{box.agent.state}{box.agent.last_seen && `, heard ${ago(box.agent.last_seen, now.value)}`}</dd>
          <dt>More</dt><dd><a href="/settings/box">Box and network</a></dd>
        </dl>
      </div>
    </details>
  );
}

/** From which slot the box started, why from that one, and by what firmware. */
export function systemWords(boot: BootView): string {
  return [boot.slot ? `slot ${boot.slot.toUpperCase()}` : "no slot", boot.why, boot.via && `by ${boot.via}`].filter(Boolean).join(", ");
}
