/** Alerts that nobody has acknowledged: what each is, to whom it goes on, and that one looks after it. */
import { useSignal } from "@preact/signals";
import type { Problem } from "@wire";

import { asProblem } from "../../../api";
import { clock } from "../../../format";
import { now } from "../../../state/app";
import { Panel, ProblemNote, Shape } from "../../bits";
import { useSettled } from "../../settle";
import { alerts, goesOn, type Alert } from "./data";

/** See the file. `onChange` is called when the box has taken an acknowledgement, or has refused it. */
export function OpenAlerts(props: { alerts: readonly Alert[]; onChange: () => void }) {
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const take = async (list: readonly Alert[]) => {
    busy.value = true;
    problem.value = null;
    try {
      for (const { id } of list) await alerts.acknowledge(id);
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
    props.onChange();
  };
  const ids = props.alerts.map(({ id }) => id);
  const settled = useSettled([...ids.map((key) => ({ key })), { key: "all", says: ids.join() }]);
  const when = (iso: string) => clock(iso, now.value);
  return (
    <Panel title="Not acknowledged" note="Whoever acknowledges an alert looks after it; it goes on to nobody else." end={props.alerts.length > 1 && <button class="btn plain" type="button" disabled={busy.value} onClick={() => settled("all") && void take(props.alerts)}>Acknowledge all</button>}>
      <ProblemNote problem={problem.value} />
      {props.alerts.length === 0 && <p class="mute">No alert is waiting.</p>}
      <ul>
        {props.alerts.map((alert) => (
          <li key={alert.id} class="chan">
            <div class="line">
              <div>
                <p class={`v wrap ${alert.severity === "critical" ? "is-fail" : "is-warn"}`}><Shape of={alert.severity === "critical" ? "fail" : "warn"} /><b>{alert.title}</b></p>
                {alert.message !== alert.title && <p>{alert.message}</p>}
                <p class="mute">{when(alert.at)}. {goesOn(alert, when)}</p>
              </div>
              <div class="do"><button class="btn" type="button" disabled={busy.value} onClick={() => settled(alert.id) && void take([alert])}>Acknowledge<span class="sr"> {alert.title}</span></button></div>
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
