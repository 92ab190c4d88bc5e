/** Everything that is set for one channel: form, severities, rules, quiet hours, digest. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "@wire";

import { asProblem } from "../../../api";
import { ProblemNote, Shape } from "../../bits";
import { useSettled } from "../../settle";
import { alerts, filled, offset, type Detail, type Digest, type Kind, type Provider, type QuietHours, type Rule } from "./data";
import { ServiceForm } from "./form";

const here = () => offset(new Date().getTimezoneOffset());

/** See the file. `onDone` is called when the box has taken everything. */
export function ChannelSettings(props: { id: number; providers: Record<string, Provider>; kinds: readonly Kind[]; onDone: () => void; onClose: () => void }) {
  const detail = useSignal<Detail | null>(null);
  const values = useSignal<Record<string, string>>({});
  const rules = useSignal<Rule[]>([]);
  const quiet = useSignal<QuietHours>({ enabled: false, start_time: "22:00", end_time: "07:00", timezone: here() });
  const digest = useSignal<Digest>({ enabled: false, send_at: "08:00", every: "daily", weekday: 1, timezone: here() });
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  const sure = useSignal(false);
  const settled = useSettled([{ key: "remove", says: String(sure.value) }]);
  // As typed: whoever draws the page again while somebody types must find it, a whole number or not.
  const minutes = useSignal("15");
  useEffect(() => {
    alerts.detail(props.id).then((found) => {
      detail.value = found;
      values.value = found.service.config_fields;
      if (found.service.escalate_after_secs > 0) minutes.value = String(found.service.escalate_after_secs / 60);
      rules.value = found.event_rules;
      if (found.quiet_hours) quiet.value = found.quiet_hours;
      if (found.digest) digest.value = found.digest;
    }, (thrown: unknown) => (problem.value = asProblem(thrown)));
  }, [props.id]);
  const found = detail.value;
  const provider = found ? props.providers[found.service.service_type] : undefined;
  if (!found) return <ProblemNote problem={problem.value} />;
  const { service } = found;
  // As it is now, not as it was drawn: a field is left and the button pressed before the page is drawn again.
  const latest = () => detail.value ?? found;
  const set = (change: Partial<typeof service>) => (detail.value = { ...latest(), service: { ...latest().service, ...change } });
  const run = async (work: () => Promise<unknown>) => {
    busy.value = true;
    problem.value = null;
    try {
      await work();
      props.onDone();
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  const save = () => run(async () => {
    const { service } = latest();
    const escalate_after_secs = service.escalate_after_secs > 0 ? Math.round(Number(minutes.value) * 60) : 0;
    await alerts.change(props.id, {
      name: service.name, notify_on_critical: service.notify_on_critical, notify_on_warning: service.notify_on_warning,
      notify_on_healthy: service.notify_on_healthy, escalate_after_secs, ...(provider ? { config_fields: filled(provider, values.value) } : {}),
      event_rules: rules.value.map(sent), ...(found.quiet_hours || quiet.value.enabled ? { quiet_hours: quiet.value } : {}),
      ...(found.digest || digest.value.enabled ? { digest: digest.value } : {}), updated_at: service.updated_at,
    });
  });
  return (
    <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
      <div class="field"><label for={`ch-name-${props.id}`}>Name</label>
        <input id={`ch-name-${props.id}`} value={service.name} maxLength={64} onInput={(event) => set({ name: event.currentTarget.value })} /></div>
      {provider && <ServiceForm id={`ch-${props.id}`} provider={provider} values={values.value} onChange={(key, value) => (values.value = { ...values.value, [key]: value })} />}
      <fieldset class="alert-set"><legend>What is told</legend>
        <Tick label="Criticals: a drive failed, a service of the box is down" on={service.notify_on_critical} onChange={(on) => set({ notify_on_critical: on })} />
        <Tick label="Warnings: a burn-in waits or has no clear verdict, a drive is too hot" on={service.notify_on_warning} onChange={(on) => set({ notify_on_warning: on })} />
        <Tick label="Everything else, too" on={service.notify_on_healthy} onChange={(on) => set({ notify_on_healthy: on })} />
      </fieldset>
      <fieldset class="alert-set"><legend>Second line</legend>
        <Tick label="Told only of warnings and criticals that nobody has acknowledged in time" on={service.escalate_after_secs > 0} onChange={(on) => set({ escalate_after_secs: on ? 900 : 0 })} />
        {service.escalate_after_secs > 0 && (
          <div class="alert-form">
            <div class="field"><label for={`ch-esc-${props.id}`}>After so many minutes</label>
              <input id={`ch-esc-${props.id}`} type="number" min={1} max={1440} step="any" required value={minutes.value} onInput={(event) => (minutes.value = event.currentTarget.value)} /></div>
          </div>
        )}
      </fieldset>
      <fieldset class="alert-set"><legend>Rules</legend>
        <p class="mute">The first rule that fits decides, whatever is ticked above.</p>
        <Rules id={`ch-${props.id}`} rules={rules.value} kinds={props.kinds} onChange={(next) => (rules.value = next)} />
      </fieldset>
      <fieldset class="alert-set"><legend>Quiet hours</legend>
        <Tick label="Keep quiet; criticals come all the same, the rest when the hours are over" on={quiet.value.enabled} onChange={(enabled) => (quiet.value = { ...quiet.value, enabled })} />
        {quiet.value.enabled && (
          <div class="alert-form">
            <Text id={`q-from-${props.id}`} label="From" time value={quiet.value.start_time} onInput={(start_time) => (quiet.value = { ...quiet.value, start_time })} />
            <Text id={`q-to-${props.id}`} label="Until" time value={quiet.value.end_time} onInput={(end_time) => (quiet.value = { ...quiet.value, end_time })} />
            <Text id={`q-tz-${props.id}`} label="Time zone" value={quiet.value.timezone} onInput={(timezone) => (quiet.value = { ...quiet.value, timezone })} help="UTC, +01:00, or CET-1CEST,M3.5.0,M10.5.0/3 for summer time" />
          </div>
        )}
      </fieldset>
      <fieldset class="alert-set"><legend>Digest</legend>
        <Tick label="Collect, and send one summary; criticals come at once" on={digest.value.enabled} onChange={(enabled) => (digest.value = { ...digest.value, enabled })} />
        {digest.value.enabled && (
          <div class="alert-form">
            <div class="field"><label for={`d-ev-${props.id}`}>How often</label>
              <select id={`d-ev-${props.id}`} value={digest.value.every} onChange={(event) => (digest.value = { ...digest.value, every: event.currentTarget.value as Digest["every"] })}>
                <option value="hourly">Every hour</option><option value="daily">Every day</option><option value="weekly">Every week</option>
              </select></div>
            {digest.value.every === "weekly" && (
              <div class="field"><label for={`d-wd-${props.id}`}>On</label>
                <select id={`d-wd-${props.id}`} value={String(digest.value.weekday)} onChange={(event) => (digest.value = { ...digest.value, weekday: Number(event.currentTarget.value) })}>
                  {["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"].map((day, i) => <option key={day} value={String(i + 1)}>{day}</option>)}
                </select></div>
            )}
            <Text id={`d-at-${props.id}`} label="At" time value={digest.value.send_at} onInput={(send_at) => (digest.value = { ...digest.value, send_at })} />
            <Text id={`d-tz-${props.id}`} label="Time zone" value={digest.value.timezone} onInput={(timezone) => (digest.value = { ...digest.value, timezone })} />
          </div>
        )}
      </fieldset>
      <ProblemNote problem={problem.value} />
      <div class="alert-do">
        <button class="btn prime" type="submit" disabled={busy.value}>Save</button>
        <button class="btn plain" type="button" onClick={props.onClose}>Close</button>
        {sure.value
          ? <button class="btn danger" type="button" disabled={busy.value} onClick={() => settled("remove") && void run(() => alerts.remove(props.id))}><Shape of="fail" />Yes, remove it</button>
          : <button class="btn danger" type="button" onClick={() => (sure.value = true)}>Remove…</button>}
      </div>
    </form>
  );
}

/** A rule as it is sent: what is empty is for any. */
function sent({ drive, workspace, min_severity, ...rule }: Rule): Rule {
  return { ...rule, ...(drive && { drive }), ...(workspace && { workspace }), ...(min_severity && { min_severity }) };
}

function Tick(props: { label: string; on: boolean; onChange: (on: boolean) => void }) {
  return <label class="alert-tick"><input type="checkbox" checked={props.on} onChange={(event) => props.onChange(event.currentTarget.checked)} /><span>{props.label}</span></label>;
}

function Text(props: { id: string; label: string; value: string; time?: boolean; help?: string; onInput: (value: string) => void }) {
  return (
    <div class="field"><label for={props.id}>{props.label}</label>
      {props.time
        ? <input id={props.id} type="time" value={props.value} required onInput={(event) => props.onInput(event.currentTarget.value)} />
        : <input id={props.id} type="text" value={props.value} required onInput={(event) => props.onInput(event.currentTarget.value)} aria-describedby={props.help && `${props.id}-h`} />}
      {props.help && <p class="h" id={`${props.id}-h`}>{props.help}</p>}
    </div>
  );
}

function Rules(props: { id: string; rules: Rule[]; kinds: readonly Kind[]; onChange: (rules: Rule[]) => void }) {
  // A rule has no name of its own: where their number changes, any of them may have come where another was.
  const keyOf = (at: number) => `${at} of ${props.rules.length}`;
  const settled = useSettled(props.rules.map((_, i) => ({ key: keyOf(i) })));
  const put = (at: number, change: Partial<Rule>) => props.onChange(props.rules.map((rule, i) => (i === at ? { ...rule, ...change } : rule)));
  return (
    <div class="alert-rules">
      <datalist id={`${props.id}-kinds`}>{props.kinds.map((kind) => <option key={kind.type} value={kind.type}>{kind.label}</option>)}</datalist>
      {props.rules.map((rule, i) => (
        <div class="alert-rule" key={i}>
          <label>Event<input list={`${props.id}-kinds`} value={rule.event_type} required placeholder="job.failed, job.* or *" onInput={(event) => put(i, { event_type: event.currentTarget.value })} /></label>
          <label>What happens<select value={String(rule.enabled)} onChange={(event) => put(i, { enabled: event.currentTarget.value === "true" })}><option value="true">It is told</option><option value="false">It is kept back</option></select></label>
          <label>Again after, in s (0 always, −1 never)<input type="number" min={-1} value={rule.cooldown_secs} onInput={(event) => put(i, { cooldown_secs: Number(event.currentTarget.value) })} /></label>
          <label>At least<select value={rule.min_severity ?? ""} onChange={(event) => put(i, { min_severity: (event.currentTarget.value || null) as NonNullable<Rule["min_severity"]> | null })}><option value="">any severity</option><option value="warning">warning</option><option value="critical">critical</option></select></label>
          <label>Only drive<input value={rule.drive ?? ""} placeholder="any" onInput={(event) => put(i, { drive: event.currentTarget.value })} /></label>
          <label>Only workspace<input value={rule.workspace ?? ""} placeholder="any" onInput={(event) => put(i, { workspace: event.currentTarget.value })} /></label>
          <button class="btn" type="button" onClick={() => settled(keyOf(i)) && props.onChange(props.rules.filter((_, other) => other !== i))} aria-label={`Remove rule ${i + 1}`}>Remove</button>
        </div>
      ))}
      <div class="alert-do">
        <button class="btn" type="button" onClick={() => props.onChange([...props.rules, { event_type: "job.passed", enabled: true, cooldown_secs: 0 }])}>Add a rule</button>
      </div>
    </div>
  );
}
