/** Alerts as the box tells them: what `/api/notifications` sends and takes (its document is at `/api/v1/openapi.json`). */
import { call, segment } from "../../../api";
import type { AlertDelivery, AlertDigest, AlertKind, AlertOpen, AlertProvider, AlertQuietHours, AlertRule, ServiceDetail, ServiceRequest, ServiceView } from "../../../openapi";

const ROOT = "/api/notifications";

/** Longest wait for a test: the box gives a mail 90 s, and another service 15 s for each target. */
const TEST_MS = 120_000;

/** One service with its form. */
export type Provider = AlertProvider;
/** One field of a form. */
export type Field = AlertProvider["fields"][number];
/** One kind of event. */
export type Kind = AlertKind;
/** A channel, without its secrets. */
export type Service = ServiceView;
/** One rule; the first that matches decides. */
export type Rule = AlertRule;
/** Hours in which only criticals are told, as the box sends them: with every field. */
export type QuietHours = Required<AlertQuietHours>;
/** A summary instead of single messages, as the box sends it: with every field. */
export type Digest = Required<AlertDigest>;
/** A channel with everything that is set for it. */
export type Detail = Omit<ServiceDetail, "quiet_hours" | "digest"> & { quiet_hours: QuietHours | null; digest: Digest | null };
/** What became of one message. */
export type Delivery = AlertDelivery;

/** An alert that waits for somebody to acknowledge it. */
export type Alert = AlertOpen;

/** How a test went. */
export interface Tried { success: boolean; message?: string; error?: string }

/** What a channel is to be made of. */
export interface Draft { name?: string; url?: string; service_type?: string; config_fields?: Record<string, string> }

const of = (id: number) => `${ROOT}/services/${segment(String(id))}`;

/** One function a request. */
export const alerts = {
  providers: () => call<Record<string, Provider>>("GET", `${ROOT}/providers`),
  kinds: () => call<Kind[]>("GET", `${ROOT}/event-types`),
  list: () => call<Service[]>("GET", `${ROOT}/services`),
  detail: (id: number) => call<Detail>("GET", of(id)),
  add: (draft: Draft) => call<Service>("POST", `${ROOT}/services`, draft),
  change: (id: number, change: ServiceRequest) => call<unknown>("PUT", of(id), change),
  remove: (id: number) => call<unknown>("DELETE", of(id)),
  test: (id: number) => call<Tried>("POST", `${ROOT}/test`, { service_id: id }, TEST_MS),
  tryOut: (draft: Draft, id?: number) => call<Tried>("POST", `${ROOT}/test-url`, { ...draft, service_id: id }, TEST_MS),
  open: () => call<Alert[]>("GET", `${ROOT}/alerts?open=true`),
  acknowledge: (id: number) => call<Alert>("POST", `${ROOT}/alerts/${segment(String(id))}/ack`),
  history: () => call<Delivery[]>("GET", `${ROOT}/history?limit=50`),
};

/** This browser's place as an offset that the box understands, for those who do not know theirs: `+01:00`. */
export function offset(minutesWest: number): string {
  const east = -minutesWest;
  const two = (n: number) => String(Math.trunc(n)).padStart(2, "0");
  return east === 0 ? "UTC" : `${east < 0 ? "-" : "+"}${two(Math.abs(east) / 60)}:${two(Math.abs(east) % 60)}`;
}

/** The fields of a form as they are sent: what the form shows and is empty is sent empty, so that it is taken out. */
export function filled(provider: Provider, values: Record<string, string>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const { key } of provider.fields) if (values[key] !== undefined) out[key] = values[key];
  return out;
}

/** Fields that most people fill in although a service does without them. */
const USUAL: Readonly<Record<string, readonly string[]>> = {
  email: ["port", "security", "username", "password"], slack: ["webhook_url", "bot_token", "channel"], ntfy: ["server_url", "token"], generic: ["format", "secret"],
};

/** A form's fields in two ranks: what is needed or usual, and the rest; pure. */
export function divided({ type, fields }: Provider): { first: Field[]; more: Field[] } {
  const isFirst = ({ key, required }: Field) => required || (USUAL[type]?.includes(key) ?? false);
  return { first: fields.filter(isFirst), more: fields.filter((field) => !isFirst(field)) };
}

/** Where a channel's messages go, by what of its form is no secret; empty where that tells nothing. Pure. */
export function destination({ service_type, config_fields: form }: Pick<Service, "service_type" | "config_fields">): string {
  const of = (key: string) => form[key] ?? "";
  // The host alone: an address may bear a name and a password before it.
  const host = (address: string) => (URL.canParse(address) ? new URL(address).host : "");
  switch (service_type) {
    case "email": return [of("to"), of("cc"), of("bcc")].filter(Boolean).join(", ");
    case "ntfy": return [of("topic"), host(of("server_url") || "https://ntfy.sh")].filter(Boolean).join(" at ");
    case "telegram": return of("chat_id");
    case "slack": return of("channel") || host(of("webhook_url"));
    case "gotify": return host(of("server_url"));
    case "pushover": return of("devices");
    case "signal": return of("recipients");
    default: return host(of("webhook_url"));
  }
}

/** What a channel is told of, beside what its rules say; pure. */
export function toldOf({ notify_on_critical: critical, notify_on_warning: warning, notify_on_healthy: rest }: Pick<Service, "notify_on_critical" | "notify_on_warning" | "notify_on_healthy">): string {
  if (critical && warning && rest) return "told of everything";
  const kinds = [critical && "criticals", warning && "warnings", rest && "what is neither warning nor critical"].filter(Boolean).join(" and ");
  return kinds ? `told of ${kinds}` : "told of what its rules name alone";
}

const FATE = { sent: ["pass", "taken"], failed: ["fail", "given up"], retrying: ["warn", "tried again"], pending: ["inc", "waits"] } as const;

/** Whether a person may switch a channel on or off: one of kiln.toml only on, after it has failed and switched itself off. One that cannot be used has never failed. Pure. */
export function isSwitched({ locked, disabled_why, failing_since }: Pick<Service, "locked" | "disabled_why" | "failing_since">): boolean {
  return !locked || (Boolean(disabled_why) && Boolean(failing_since));
}

/** What became of a message, in words and with a shape, and what comes next. What waits for a channel that has switched itself off is held until a person decides; pure. */
export function fateOf(line: Delivery, services: readonly Service[], when: (iso: string) => string): { shape: (typeof FATE)[keyof typeof FATE][0]; words: string; next: string } {
  const channel = services.find(({ id }) => id === line.setting_id);
  const isHeld = (line.status === "retrying" || line.status === "pending") && channel !== undefined && !channel.enabled;
  const [shape, words] = isHeld ? (["warn", "held: the channel is off"] as const) : FATE[line.status];
  const mend = channel?.locked ? "Mend the channel in kiln.toml, where it is set, and restart the box, or switch it on here: then this is sent." : "Mend the channel and switch it on: then this is sent. Left off, it is given up.";
  const again = line.status === "retrying" && line.next_at ? `again at ${when(line.next_at)}` : "";
  return { shape, words: `${words}${line.attempts > 1 ? `, ${line.attempts} attempts` : ""}`, next: isHeld ? mend : again };
}

/** To whom an alert goes on, and when: the next step that nobody has been told, else that all were. */
export function goesOn(alert: Alert, when: (iso: string) => string): string {
  const next = alert.steps.filter((step) => step.told_at === null).sort((a, b) => (a.due_at < b.due_at ? -1 : 1))[0];
  if (next) return `Goes on to ${next.service_name} at ${when(next.due_at)}.`;
  const told = alert.steps.map((step) => step.service_name).join(" and ");
  return `Went on to ${told}.`;
}
