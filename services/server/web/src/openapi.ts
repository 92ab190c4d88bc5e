// Made by openapi.mjs from wire/bindings/openapi.json: never typed by hand.

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
  /** The title. */
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
  /** As which severity it comes, mostly. */
  default_severity: Severity;
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
  enabled?: boolean | null;
  escalate_after_secs?: number | null;
  /** 1 to 64 characters; without it the service's name. */
  name?: string | null;
  notify_on_critical?: boolean | null;
  notify_on_healthy?: boolean | null;
  notify_on_warning?: boolean | null;
  /** One of the providers; not needed with a URL. */
  service_type?: string | null;
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
  /** When its settings were changed. */
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

/** How much an event matters. */
export type Severity = "info" | "warning" | "critical";

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
