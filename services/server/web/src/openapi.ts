// Made by openapi.mjs from wire/bindings/openapi.json: never typed by hand.

/** An add-on that was registered. */
export type AddonRegistered = {
  /** The add-on. */
  addon: AddonView;
  /** The token that its daemon needs. */
  token: string;
};

/** An add-on's token, without its secret, which nobody has. */
export type AddonToken = {
  /** The add-on that it belongs to. */
  addon_id: number | null;
  /** When it was made. */
  created_at: string;
  /** When it ends; null for never. */
  expires_at: string | null;
  /** Number. */
  id: number;
  /** In words. */
  name: string;
};

/** A token that was made. */
export type AddonTokenMade = {
  /** When it was made. */
  created_at: string;
  /** When it ends; null for never. */
  expires_at: string | null;
  /** Number. */
  id: number;
  /** In words. */
  name: string;
  /** The secret, shown this once. */
  token: string;
};

/** The token that takes the place of another. */
export type AddonTokenRotated = {
  /** Number. */
  id: number;
  /** The secret, shown this once. */
  token: string;
};

/** An add-on. */
export type AddonView = {
  /** Whether a connection of it stands. */
  connected: boolean;
  /** When it was registered. */
  created_at: string;
  /** As its manifest says. */
  description: string;
  /** Whether it may connect. */
  enabled: boolean;
  /** Whether its own manifest has come. */
  has_manifest: boolean;
  /** Number; 1 is the burn-in agent. */
  id: number;
  /** When it was heard last. */
  last_seen: string | null;
  /** Its manifest as it was sent; until one has come, one with an empty page, as existing dashboards expect. */
  manifest_json: string;
  /** In words. */
  name: string;
  /** Whether it is heard. */
  status: Liveness;
  /** When it or its manifest was changed. */
  updated_at: string;
  /** Where it listens; empty where it does not. */
  url: string;
  /** As its manifest says. */
  version: string;
};

/** One choice of a field. */
export type AlertChoice = {
  /** What is shown. */
  label: string;
  /** What is kept. */
  value: string;
};

/** One line of the history. */
export type AlertDelivery = {
  /** The service's words when it did. */
  answer?: string;
  /** Attempts made. */
  attempts: number;
  /** When it was queued. */
  created_at: string;
  /** The service's words when it did not take it. */
  error_message?: string;
  /** The event's kind, `test` or `digest`. */
  event_type: string;
  /** Where. */
  hostname: string;
  /** Number. */
  id: number;
  /** In a line: `[severity] [host] message`, as existing dashboards show it; at most 500 characters. */
  message: string;
  /** When it is tried next. */
  next_at?: string | null;
  /** When it was taken. */
  sent_at?: string | null;
  /** Of which drive. */
  serial_number: string;
  /** Its name then. */
  service_name: string;
  /** Number of the channel. */
  setting_id: number;
  /** What became of it. */
  status: AlertStatus;
};

/** A summary instead of single messages; criticals are told at once all the same. */
export type AlertDigest = {
  /** Whether messages are collected. */
  enabled?: boolean;
  /** How often. */
  every?: AlertEvery;
  /** `HH:MM`. */
  send_at: string;
  /** As in the quiet hours. */
  timezone?: string;
  /** Day of a weekly one: 1 (Monday) to 7. */
  weekday?: number;
};

/** How often what has come together is told. */
export type AlertEvery = "hourly" | "daily" | "weekly";

/** One field of a form. */
export type AlertField = {
  /** What holds when it is empty. */
  default?: string;
  /** What to know. */
  help_text?: string;
  /** Its name. */
  key: string;
  /** In words. */
  label: string;
  /** The choices of a select. */
  options?: AlertChoice[];
  /** An example. */
  placeholder?: string;
  /** Whether it must be there. */
  required: boolean;
  /** How it is shown. */
  type: AlertFieldKind;
};

/** How a field is shown. */
export type AlertFieldKind = "text" | "password" | "number" | "checkbox" | "select";

/** Drives that have rules of their own, which are looked at before the channel's. */
export type AlertGroup = {
  /** Ids or serials of its drives. */
  drives?: string[];
  /** Number. */
  id: number;
  /** In words. */
  name?: string;
  /** Its rules. */
  rules?: AlertRule[];
};

/** One kind, for forms. */
export type AlertKind = {
  /** Group in a form. */
  category: string;
  /** Seconds between two of the same that make sense. */
  default_cooldown: number;
  /** Whether a new rule for it is on. */
  default_enabled: boolean;
  /** As which severity it comes, mostly: 0 info, 1 warning, 2 critical, as existing dashboards read it. */
  default_severity: number;
  /** In words. */
  label: string;
  /** The name that a rule gives. */
  type: string;
};

/** An alert that somebody is asked to acknowledge. */
export type AlertOpen = {
  /** When. */
  acknowledged_at?: string | null;
  /** Who acknowledged it. */
  acknowledged_by?: string | null;
  /** When it happened. */
  at: string;
  /** The event's kind. */
  event_type: string;
  /** Number of its event in the log. */
  id: number;
  /** The event in a sentence. */
  message: string;
  /** How much it matters. */
  severity: Severity;
  /** The channels of the second line that want it. */
  steps: AlertStep[];
  /** One line. */
  title: string;
};

/** One service. */
export type AlertProvider = {
  /** Its form. */
  fields: AlertField[];
  /** In words. */
  label: string;
  /** Its name: `service_type`. */
  type: string;
};

/** Hours in which only criticals are told; the rest waits for their end. */
export type AlertQuietHours = {
  /** Whether they are kept. */
  enabled?: boolean;
  /** `HH:MM`, excluded; before `start_time` it is of the next day. */
  end_time: string;
  /** `HH:MM`, included. */
  start_time: string;
  /** `UTC`, an offset (`+01:00`), a zone's name (`Europe/Berlin`) or a POSIX rule (`CET-1CEST,M3.5.0,M10.5.0/3`). */
  timezone?: string;
};

/** One rule: the first that matches an event decides. */
export type AlertRule = {
  /** -1: once; 0: always; else seconds in which a repetition (same channel, kind, host and serial) is kept back. */
  cooldown_secs?: number;
  /** The rule is for this drive: its id, or its serial. */
  drive?: string | null;
  /** Told if true, kept back if false. */
  enabled?: boolean;
  /** `job.failed`, `job_failed`, `job.*` or `*`. */
  event_type: string;
  /** The rule is for this job. */
  job?: string | null;
  min_severity?: Severity | null;
  /** The rule is for this workspace; events that name none are of `default`. */
  workspace?: string | null;
};

/** What became of a message. */
export type AlertStatus = "pending" | "retrying" | "sent" | "failed";

/** One channel that is told unless somebody acknowledges the alert before. */
export type AlertStep = {
  /** When it is its turn. */
  due_at: string;
  /** Number of the channel. */
  service_id: number;
  /** Its name then. */
  service_name: string;
  /** When it was told. */
  told_at?: string | null;
};

/** A value of an ATA drive, by its number. */
export type AttributeRow = {
  /** Always empty. */
  flags: string;
  /** Number. */
  id: number;
  /** Name as smartctl gives it. */
  name: string;
  /** Raw value. */
  raw_value: number;
  /** At or below it the attribute counts as failed. */
  thresh: number | null;
  /** When it was read. */
  timestamp: string;
  /** Normalised value. */
  value: number | null;
  /** The lowest ever. */
  worst: number | null;
};

/** One finding and what it costs. */
export type HealthPart = {
  /** Points that it costs. */
  cost: number;
  /** What it is about: `smart_status`, `attribute:5`, `wear` … */
  part: string;
  /** Why, in words. */
  why: string;
};

/** The word for a score. */
export type HealthStatus = "unknown" | "healthy" | "warning" | "critical";

/** Drives and how many of them are how well. */
export type HealthSummary = HealthTotals & HostDrives;

/** How many drives are how well. */
export type HealthTotals = {
  /** Below 50. */
  critical: number;
  /** Scores of 80 and more. */
  healthy: number;
  /** All. */
  total: number;
  /** Without a score. */
  unknown: number;
  /** 50 to 79. */
  warning: number;
};

/** An enrolled host agent. */
export type HostAgent = {
  /** Always true. */
  enabled: boolean;
  /** The beginning of what it calls its machine: with the whole of it and the key anybody could register as it. */
  fingerprint: string;
  /** Its computer. */
  hostname: string;
  /** Number. */
  id: number;
  /** When it last proved its key. */
  last_auth_at: string;
  /** When it last reported. */
  last_seen_at: string | null;
  /** Name for people. */
  name: string;
  /** Its Ed25519 public key in base64. */
  public_key: string;
  /** When it was enrolled. */
  registered_at: string;
};

/** The enrolled host agents. */
export type HostAgents = {
  /** The agents. */
  agents: HostAgent[];
  /** How many. */
  count: number;
};

/** An alert that holds. */
export type HostAlert = {
  /** What it is about. */
  alert: HostAlertKind;
  /** In words, without the drive's name. */
  message: string;
  /** How much it matters. */
  severity: Severity;
  /** Since when. */
  since: string;
  /** The count, percentage or temperature when last told of. */
  value: number;
};

/** What an alert is about. */
export type HostAlertKind = "smart_failed" | "attribute_failing" | "reallocated" | "pending" | "uncorrectable" | "media_errors" | "temperature" | "spare_low" | "critical_warning" | "wear" | "self_test_failed" | "host_silent" | "no_room" | "pool_health" | "pool_errors" | "pool_scan" | "pool_full";

/** How a drive is. */
export type HostDrive = HostDriveIdentity & {
  /** What holds, worst first. */
  alerts: HostAlert[];
  /** What cost points, dearest first. */
  parts: HealthPart[];
  /** How often it was switched on. */
  power_cycles: number | null;
  /** Hours. */
  power_on_hours: number | null;
  /** 0 to 100; null where it told nothing of its health. */
  score: number | null;
  /** Whether its newest self-test failed. */
  self_test_failed: boolean | null;
  /** Its own word. */
  smart_passed: boolean | null;
  /** The word for it. */
  status: HealthStatus;
  /** Degrees Celsius. */
  temperature: number | null;
  /** Degrees Celsius that count as too hot. */
  temperature_limit: number;
};

/** One value of a drive, with what is known of it. */
export type HostDriveAttribute = SmartAttribute & {
  /** Points that its count costs now; null where it costs nothing whatever it is. */
  cost: number | null;
  /** Whether its count costs points of the score. */
  critical: boolean;
  /** What it counts; null where it costs nothing. */
  meaning: string | null;
};

/** The newest values of a drive. */
export type HostDriveAttributes = HostDriveIdentity & {
  /** Its values, as the drive orders them. */
  attributes: HostDriveAttribute[];
};

/** When a line crosses a limit. */
export type HostDriveCrossing = TrendCrossing & {
  /** The limit's name. */
  name: string;
};

/** Histories of drives. */
export type HostDriveHistories = {
  /** How many drives. */
  count: number;
  /** The drives. */
  drives: HostDriveHistory[];
  /** True where there was no room for all drives in one answer. */
  truncated?: boolean;
};

/** A drive's values over time. */
export type HostDriveHistory = HostDriveIdentity & {
  /** Pairs of seconds since 1970 and a value, by the value's key; besides the drive's own `temperature`, `score`, `wear` and `written`. */
  history: Record<string, ([number, number])[]>;
  /** Moments of which something is kept. */
  points: number;
};

/** Who a drive is. */
export type HostDriveIdentity = {
  /** Name that a person gave it; empty where nobody did. */
  alias: string;
  /** Bytes. */
  capacity: number | null;
  /** The host's name of it: `/dev/sda`. */
  device: string;
  /** smartctl's device type. */
  device_type: string;
  /** Firmware. */
  firmware: string;
  /** First report of it. */
  first_seen: string;
  /** Its host. */
  hostname: string;
  /** Its key. */
  id: string;
  /** Newest report of it. */
  last_seen: string;
  /** What the data is kept on. */
  medium: HostDriveMedium;
  /** Model. */
  model: string;
  /** Whether the host's last report had it. */
  present: boolean;
  /** Command set. */
  protocol: HostDriveProtocol;
  /** Turns a minute; null where it tells none. */
  rpm: number | null;
  /** Serial number; empty where it tells none. */
  serial: string;
};

/** What the data is kept on. */
export type HostDriveMedium = "disk" | "flash" | "unknown";

/** Which command set the drive speaks, as smartctl found it. */
export type HostDriveProtocol = "ata" | "nvme" | "scsi" | "unknown";

/** Where a value goes, by a straight line. */
export type HostDriveTrend = TrendLine & {
  /** The limits that it crosses. */
  crossings: HostDriveCrossing[];
};

/** Where a drive's values go. */
export type HostDriveTrends = HostDriveIdentity & {
  /** By the value's key. */
  trends: Record<string, HostDriveTrend>;
};

/** How much of a drive's rated life is used. */
export type HostDriveWear = HostDriveIdentity & WearView & {
  /** Hours. */
  power_on_hours: number | null;
};

/** Drives with their number. */
export type HostDrives = {
  /** How many. */
  count: number;
  /** The drives. */
  drives: HostDrive[];
};

/** The newest values of drives. */
export type HostDrivesAttributes = OneDriveAttributes & {
  /** How many drives. */
  count: number;
  /** The drives. */
  drives: HostDriveAttributes[];
};

/** Trends of drives. */
export type HostDrivesTrends = {
  /** How many drives. */
  count: number;
  /** The drives. */
  drives: HostDriveTrends[];
};

/** Wear of drives. */
export type HostDrivesWear = {
  /** How many drives. */
  count: number;
  /** The drives. */
  drives: HostDriveWear[];
};

/** A token for a host agent, without its secret. */
export type HostToken = {
  /** When it was made. */
  created_at: string;
  /** When it ends; null for never. */
  expires_at: string | null;
  /** Number. */
  id: number;
  /** Name for people. */
  name: string;
  /** When it was used. */
  used_at: string | null;
  /** By which agent. */
  used_by_agent_id: number | null;
};

/** A token that was made for a host agent. */
export type HostTokenMade = HostToken & {
  /** The secret, shown this once. */
  token: string;
};

/** The tokens for host agents. */
export type HostTokens = {
  /** How many. */
  count: number;
  /** The tokens. */
  tokens: HostToken[];
};

/** A computer whose drives are known: this box, or one that reports to it. */
export type HostView = {
  /** Number of its agent; the box has none. */
  agent_id: number | null;
  /** Version of that agent. */
  agent_version: string;
  /** Alerts about the host itself, worst first. */
  alerts: HostAlert[];
  /** Drives of it. */
  drives_count: number;
  /** First report. */
  first_seen: string;
  /** How they are. */
  health: HealthTotals;
  /** Its name; `this box` for the box itself. */
  hostname: string;
  /** When the drives of the last report were read, by the host's clock. */
  last_report: string;
  /** When the last report arrived. */
  last_seen: string;
  /** Whether its agent can blink a light and listens. */
  led_identify: boolean;
  /** Whether it is the box itself. */
  own: boolean;
  /** Why drives of the last report were not taken. */
  rejected: string[];
  /** Reports taken. */
  reports: number;
  /** The score of the worst drive that is there. */
  score: number | null;
  /** Whether it no longer reports. */
  silent: boolean;
};

/** The hosts. */
export type Hosts = {
  /** How many. */
  count: number;
  /** This box before those that report to it. */
  hosts: HostView[];
};

/** Liveness of an add-on, from its heartbeats. */
export type Liveness = "online" | "degraded" | "offline";

/** The values of the one drive that was asked for; null where it is none or several. */
export type OneDriveAttributes = {
  /** How many have a number; those of NVMe and SCSI have none. */
  attribute_count: number | null;
  /** They. */
  attributes: AttributeRow[] | null;
  /** `HDD`, `SSD`, `NVMe` or `Unknown`. */
  drive_type: string | null;
  /** Its host. */
  hostname: string | null;
  /** Its model. */
  model_name: string | null;
  /** Its serial number. */
  serial_number: string | null;
  /** Its own word. */
  smart_passed: boolean | null;
};

/** How often host agents report. */
export type ReportInterval = {
  /** Seconds that can be chosen. */
  choices: number[];
  /** Seconds. */
  value: number;
};

/** The key with which this box signs. */
export type ServerKey = {
  /** 32 bytes of Ed25519 in base64. */
  public_key: string;
};

/** A channel with everything that is set for it. */
export type ServiceDetail = {
  digest?: AlertDigest | null;
  /** Its rules; the first that matches decides. */
  event_rules: AlertRule[];
  /** Groups of drives with rules of their own. */
  groups: AlertGroup[];
  quiet_hours?: AlertQuietHours | null;
  /** The channel. */
  service: ServiceView;
};

/** A channel to keep. What is missing stays as it is; a new one is on, for criticals and warnings. */
export type ServiceRequest = {
  /** The form. */
  config_fields?: Record<string, unknown> | null;
  /** Instead of it, as Vigil's clients send it: `{"fields": {…}}` or `{"shoutrrr_url": "…"}`. */
  config_json?: string | null;
  cooldown_secs?: number | null;
  digest?: AlertDigest | null;
  enabled?: boolean | null;
  escalate_after_secs?: number | null;
  /** All rules of a channel; the first that matches decides. */
  event_rules?: AlertRule[] | null;
  /** 1 to 64 characters; without it the service's name. */
  name?: string | null;
  notify_on_critical?: boolean | null;
  notify_on_healthy?: boolean | null;
  notify_on_warning?: boolean | null;
  quiet_hours?: AlertQuietHours | null;
  /** One of the providers; not needed with a URL. */
  service_type?: string | null;
  /** When the settings were changed last that this was made from: where they have been changed since, nothing is kept. */
  updated_at?: string | null;
  /** Instead of it: an Apprise or shoutrrr URL. */
  url?: string | null;
};

/** A channel, without its secrets. */
export type ServiceView = {
  /** The form. */
  config_fields: Record<string, string>;
  /** The form as text, as Vigil's clients read it. */
  config_json: string;
  /** Seconds between two of the same; -1: once. */
  cooldown_secs: number;
  /** When it was made. */
  created_at: string;
  /** Why it switched itself off. */
  disabled_why?: string | null;
  /** Whether it is used. */
  enabled: boolean;
  /** 0: told at once; else told only of warnings and criticals that nobody acknowledged for so many seconds. */
  escalate_after_secs: number;
  /** Since when nothing has reached it. */
  failing_since?: string | null;
  /** Number. */
  id: number;
  /** Set by kiln.toml or the environment. */
  locked: boolean;
  /** As a person calls it. */
  name: string;
  /** Criticals are told. */
  notify_on_critical: boolean;
  /** Everything else is told. */
  notify_on_healthy: boolean;
  /** Warnings are told. */
  notify_on_warning: boolean;
  /** Which service. */
  service_type: string;
  /** When what a form sets of it was changed: all but `enabled` and the groups. */
  updated_at: string;
  /** Messages that wait for it. */
  waiting: number;
};

/** One of one's own sessions. */
export type SessionView = {
  /** Address from which the login came; empty for one that is older than this version. */
  address: string;
  /** When the login was. */
  created: string;
  /** When it ends by itself. */
  expires: string;
  /** By what it is named. */
  id: string;
  /** Whether it is the one that asks. */
  own: boolean;
  /** What the program calls itself; empty where it does not say. */
  program: string;
};

/** A store that was damaged, or records that could not be read. */
export type SetAsideFile = {
  /** Its size in bytes. */
  bytes: number;
  /** Its name in the folder of the server's state. */
  name: string;
  /** What was wrong. */
  why: string;
};

/** How much an event matters. */
export type Severity = "info" | "warning" | "critical";

/** One value of a drive. ATA attributes keep their number as key; those of NVMe and SCSI have words. */
export type SmartAttribute = {
  /** The count in it, unpacked. */
  count: number;
  /** `5`, `194`; `media_errors`, `grown_defects`. */
  key: string;
  /** Name as smartctl gives it. */
  name: string;
  /** ATA: failing it announces the end, rather than age. */
  prefail?: boolean;
  /** Raw value as the drive gave it. */
  raw: number;
  /** smartctl's rendering of the raw value. */
  text?: string;
  /** ATA: at or below it the attribute counts as failed; 0 never fails. */
  threshold?: number | null;
  /** ATA: normalised value, 1..=253. */
  value?: number | null;
  /** `now`, `past` or nothing. */
  when_failed?: string;
  /** ATA: lowest normalised value ever. */
  worst?: number | null;
};

/** The box's certificate for TLS, which nobody but its own screen vouches for. */
export type TlsView = {
  /** From when it holds. */
  begins: string;
  /** Whether this very request came by TLS. */
  by_tls: boolean;
  /** Until when; 30 days before that the box makes a new one for the same key. */
  ends: string;
  /** SHA-256: 32 hexadecimal pairs with colons, as browsers show it. */
  fingerprint: string;
};

/** How much a line can be trusted. */
export type TrendConfidence = "none" | "low" | "medium" | "high";

/** When a line crosses a limit. */
export type TrendCrossing = {
  /** The date. */
  at: string;
  /** Days from the last point. */
  days: number;
  /** The limit. */
  limit: number;
};

/** A line through points. */
export type TrendLine = {
  /** How much it can be trusted. */
  confidence: TrendConfidence;
  /** Days from the first to the last. */
  days: number;
  /** `rising`, `falling` or `steady`. */
  direction: string;
  /** First and last value. */
  first: number;
  /** See `first`. */
  last: number;
  /** Change per day. */
  per_day: number;
  /** Half the width of the 95 % interval of `per_day`; `None` with two points. */
  plus_minus: number | null;
  /** Points. */
  points: number;
  /** Share of the scatter that the line explains, 0..=1. */
  r2: number;
};

/** Wear with what is known of the model. */
export type WearView = {
  /** What is left of 100, not below 0. */
  percent_left: number | null;
  /** Percent of the rated life that is used: the greater of both; `None` where nobody says. */
  percent_used: number | null;
  /** Terabytes that the model is rated for. */
  rated_tb: number | null;
  /** Percent of the rating that is written. */
  rating_percent: number | null;
  /** Where the percentage comes from. */
  source: string;
  /** By the drive's own word. */
  told_percent: number | null;
  /** Terabytes written. */
  written_tb: number | null;
};
