// Generated from services/wire by `KILN_BLESS=1 cargo test -p wire --test bindings`; do not edit.

export type Acknowledged = { 
/**
 * User name.
 */
by: string, 
/**
 * When.
 */
at: string, };

export type ActionCall = { 
/**
 * Chosen by the server, unique on a connection; the result bears it.
 */
request_id: string, 
/**
 * The component of the manifest on which it was asked.
 */
component_id: string, 
/**
 * The action as the manifest names it.
 */
action: string, 
/**
 * What the form's fields hold; never the password or the confirmation.
 */
data: unknown, };

export type ActionResult = { 
/**
 * The call's.
 */
request_id: string, 
/**
 * As an HTTP status: 200 to 299 is done, 400 to 599 refused or failed. Absent: 200, or 422 with an `error`.
 */
status?: number | null, 
/**
 * What there is to say, handed to the page that asked.
 */
data?: unknown, 
/**
 * Why it was refused or failed, in a sentence.
 */
error?: string | null, };

export type ActionSpec = string | Endpoint;

export type Actor = { 
/**
 * `person`, `agent`, `server`, `supervisor`, `addon`.
 */
kind: string, 
/**
 * Its name.
 */
name: string, };

export type AgentView = { 
/**
 * Liveness.
 */
state: Liveness, 
/**
 * Last frame from it.
 */
last_seen: string | null, };

export type Answer = { "name": "planned", "value": Plan } | { "name": "started", "value": { 
/**
 * The jobs.
 */
jobs: Array<JobId>, } } | { "name": "aborted" } | { "name": "records", "value": { 
/**
 * The rows.
 */
rows: Array<BackupRow>, 
/**
 * Number of the row after them; nothing where these were the last.
 */
next: number | null, } } | { "name": "done", "value": { 
/**
 * What was done.
 */
told: string, } };

export type ArmRequest = { 
/**
 * Password of the person who arms.
 */
password: string, 
/**
 * What was typed for each drive.
 */
confirm: { [key in DriveId]: string }, };

export type Armed = { 
/**
 * The JSON text of a [`Ticket`], byte for byte as it was signed.
 */
ticket: string, 
/**
 * Ed25519 over [`SIGNED_PREFIX`] and the text, 128 hexadecimal digits.
 */
signature: string, };

export type Axes = { left?: Axis, right?: Axis, };

export type Axis = { title?: string, unit?: string, min?: number, max?: number, };

export type BackupRow = { 
/**
 * Its table.
 */
table: string, 
/**
 * The key's bytes.
 */
key: string, 
/**
 * The value's bytes.
 */
value: string, };

export type Banner = { 
/**
 * `info`, `warning` or `critical`.
 */
severity: Severity, 
/**
 * In a sentence, with what to do.
 */
text: string, };

export type BayRequest = { 
/**
 * What the bay where the drive sits, or sat last, is called from now on: one line of at most 64 characters; empty takes
 * the name away.
 */
bay: string, };

export type Binary = { install_url: string, platforms: unknown, };

export type BootView = { 
/**
 * Slot, `a` or `b`; empty when booted without a boot loader of ours.
 */
slot: string, 
/**
 * Why the boot loader took this slot.
 */
why: string, 
/**
 * `bios`, `efi-x86_64`, `efi-arm64` …
 */
via: string, 
/**
 * Kernel release.
 */
kernel: string, 
/**
 * Where state is kept.
 */
medium: Medium, 
/**
 * Why the box booted this time: power-on, an orderly reboot, the hardware watchdog, a panic …
 */
reason: string, 
/**
 * Identifies this boot.
 */
boot_id: string, };

export type BoxView = { 
/**
 * Host name.
 */
name: string, 
/**
 * Version of the software.
 */
version: string, 
/**
 * SHA-256, in hex, of the list of what the running image is made of (`GET /api/v1/sbom`); `None` outside an image, or without a login.
 */
sbom: string | null, 
/**
 * Whether somebody has claimed it.
 */
claimed: boolean, 
/**
 * What everybody has to know, worst first; without a login only whether there is any.
 */
banners: Array<Banner>, 
/**
 * The burn-in agent.
 */
agent: AgentView, 
/**
 * What the supervisor says; `None` where the server does not run under it, or without a login.
 */
supervisor: Status | null, 
/**
 * The box's clock.
 */
now: string, };

export type Bus = "sata" | "scsi" | "nvme" | "usb" | "virtio" | "mmc" | "loop" | "other";

export type Bytes = number;

export type Call = { 
/**
 * Chosen by the server, unique on a connection.
 */
id: string, 
/**
 * What is asked.
 */
command: Command, };

export type CallOutcome = { "ok": Answer } | { "error": Problem };

export type Cancel = { enabled?: boolean, endpoint?: string, method?: string, action?: string, confirm_message?: string, };

export type Celsius = number;

export type CertificateCheck = { 
/**
 * Whether it may be relied on.
 */
standing: Standing, 
/**
 * Why it stands so, in a sentence.
 */
told: string, 
/**
 * Whether the signature is that of the key that the certificate names, over exactly what it says.
 */
signature_good: boolean, 
/**
 * SHA-256 over the public key, 64 hexadecimal digits; `None` where the text names no key.
 */
key: string | null, 
/**
 * Under which name the reader knows that key; `None`: not at all.
 */
known_as: string | null, 
/**
 * Whether `valid_until` has passed.
 */
expired: boolean, 
/**
 * Whether it says that it was made more than a day from now: a clock was wrong. A box of an older version does not tell.
 */
not_yet_valid: boolean, 
/**
 * Whether it was revoked.
 */
revocation: RevocationState, 
/**
 * What it says; only where the signature is good.
 */
says: CertificateFacts | null, };

export type CertificateEntry = { 
/**
 * The job.
 */
job: JobId, 
/**
 * The drive.
 */
drive: DriveId, 
/**
 * Model.
 */
model: string, 
/**
 * Serial.
 */
serial: string, 
/**
 * Serial that the drive itself told, as its job has it; `None` in lists of earlier versions, too.
 */
own_serial?: string, 
/**
 * Capacity.
 */
capacity: Bytes, 
/**
 * Playbook.
 */
playbook: string, 
/**
 * The verdict's word.
 */
outcome: Outcome | null, 
/**
 * Its id, key, time, and whether it was revoked.
 */
info: CertificateInfo, };

export type CertificateFacts = { 
/**
 * Its id, as printed on it.
 */
id: string, 
/**
 * The drive; `None` where only the code on paper was checked.
 */
drive: DriveId | null, 
/**
 * Model.
 */
model: string, 
/**
 * Serial.
 */
serial: string, 
/**
 * Capacity.
 */
capacity: Bytes, 
/**
 * The verdict's word.
 */
outcome: Outcome, 
/**
 * When it was signed.
 */
made: string, 
/**
 * Until when it speaks for the drive.
 */
valid_until: string, 
/**
 * SHA-256 over what was signed, 64 hexadecimal digits.
 */
digest: string, };

export type CertificateInfo = { 
/**
 * Its id, as printed on it.
 */
id: string, 
/**
 * SHA-256 over the public key, hexadecimal.
 */
key: string, 
/**
 * When it was signed.
 */
made: string, 
/**
 * Why it was revoked on this box, and when: the same drive failed later.
 */
revoked: Revocation | null, };

export type CertificateText = { 
/**
 * The job it is of.
 */
job: JobId, 
/**
 * Canonical JSON with its signature, byte for byte.
 */
text: string, };

export type ChartConfig = { source?: string, datasets?: Array<Dataset>, maxPoints?: number, height?: number, yAxes?: Axes, time_range?: string, type?: string, labels: Array<unknown>, data?: ChartData, options: unknown, };

export type ChartData = { labels: Array<unknown>, datasets?: Array<Dataset>, };

export type CheckRequest = { 
/**
 * The certificate's text, byte for byte, or that of its QR code.
 */
text: string, 
/**
 * Keys that the reader knows besides those of this box: lines `key FINGERPRINT NAME` and `revoked ID WHY`.
 */
trust: string, };

export type Claim = { 
/**
 * The code on the console.
 */
code: string, 
/**
 * Name of the first person.
 */
username: string, 
/**
 * Password, 8 characters at least.
 */
password: string, };

export type Column = { key: string, label?: string, format?: string, actions?: Array<ColumnAction>, };

export type ColumnAction = { type: string, id_key?: string, label?: string, safety_tier?: SafetyTier, safety?: Safety, destructive?: boolean, };

export type ColumnSpec = string | Column;

export type Command = { "name": "plan", "args": { 
/**
 * The drives.
 */
drives: Array<DriveId>, 
/**
 * Name of the playbook.
 */
playbook: string, 
/**
 * What was chosen beside it.
 */
options: PlanOptions, } } | { "name": "start", "args": Armed } | { "name": "scan", "args": { 
/**
 * The drives.
 */
drives: Array<DriveId>, 
/**
 * Name of the playbook.
 */
playbook: string, 
/**
 * Who asked for it.
 */
actor: string, } } | { "name": "pause", "args": { 
/**
 * The job.
 */
job: JobId, 
/**
 * Who asked for it.
 */
actor: string, } } | { "name": "resume", "args": { 
/**
 * The job.
 */
job: JobId, 
/**
 * Who asked for it.
 */
actor: string, } } | { "name": "locate", "args": { 
/**
 * The drive.
 */
drive: DriveId, 
/**
 * On or off; on ends by itself after five minutes.
 */
on: boolean, 
/**
 * Who asked for it.
 */
actor: string, } } | { "name": "name_bay", "args": { 
/**
 * The drive.
 */
drive: DriveId, 
/**
 * The bay's name, at most [`BAY_NAME_MAX`](crate::boxes::BAY_NAME_MAX) characters; empty takes it away.
 */
bay: string, 
/**
 * Who asked for it.
 */
actor: string, } } | { "name": "save_playbook", "args": { 
/**
 * Its TOML text.
 */
text: string, 
/**
 * Who.
 */
actor: string, } } | { "name": "forget_playbook", "args": { 
/**
 * Its name.
 */
playbook: string, 
/**
 * Who.
 */
actor: string, } } | { "name": "backup", "args": { 
/**
 * Number of the first row.
 */
from: number, } } | { "name": "restore", "args": { 
/**
 * The rows.
 */
rows: Array<BackupRow>, 
/**
 * Whether these are the first.
 */
first: boolean, 
/**
 * Whether these are the last.
 */
last: boolean, 
/**
 * Who asked for it.
 */
actor: string, } } | { "name": "abort", "args": { 
/**
 * The job.
 */
job: JobId, 
/**
 * Who asked for it.
 */
actor: string, } };

export type Component = { "type": "form" } & Part<FormConfig> | { "type": "progress" } & Part<ProgressConfig> | { "type": "chart" } & Part<ChartConfig> | { "type": "smart-table" } & Part<SmartTableConfig> | { "type": "log-viewer" } & Part<LogViewerConfig> | { "type": "deploy-wizard" } & Part<DeployWizardConfig> | { "type": "config-card" } & Part<ConfigCardConfig> | { "type": "disk-storage" } & Part<DiskStorageConfig> | { "type": "discovery-card" } & Part<DiscoveryCardConfig>;

export type ConfigCardConfig = { source?: string, labels?: { [key in string]: string }, link_page?: string, };

export type Confirm = { title?: string, message?: string, button_label?: string, button_variant?: string, success_message?: string, error_message?: string, };

export type Content = { "state": "unknown" } | { "state": "empty" } | { "state": "found", 
/**
 * Whole disk first, then the partitions in order.
 */
signatures: Array<Signature>, 
/**
 * In words: `GPT, 2 partitions: ext4 "photos", swap`.
 */
summary: string, } | { "state": "unreadable", 
/**
 * The kernel's error.
 */
why: string, };

export type Dataset = { key?: string, label?: string, color?: string, yAxis?: string, fill: unknown, data: Array<unknown>, };

export type DeployWizardConfig = { target_label?: string, docker?: Docker, binary?: Binary, prefill_endpoint?: string, };

export type DiscoveryCardConfig = { source?: string, poll_interval_seconds?: number, target_table?: string, expand_endpoint?: string, pools_endpoint?: string, };

export type DiskStorageConfig = { source?: string, aliases: unknown, thresholds?: { [key in string]: number }, };

export type Docker = { image: string, default_tag?: string, container_name?: string, network_mode?: string, ports?: Array<string>, privileged?: boolean, volumes?: Array<string>, named_volumes?: Array<string>, environment?: { [key in string]: Variable }, platforms: unknown, };

export type Download = { 
/**
 * From where; as [`shown_address`] tells it, without what may be a secret.
 */
url: string, 
/**
 * Whether it is under way.
 */
running: boolean, 
/**
 * Why it was not fetched.
 */
error: string | null, };

export type Drive = { 
/**
 * Identity; `None` where the device has none that could be trusted. Such a drive is shown and never offered.
 */
id: DriveId | null, 
/**
 * A key for lists that is unique among present devices: the identity, else the kernel's device path.
 */
key: string, 
/**
 * Kernel name at this moment, e.g. `sda`; never used to address a drive.
 */
kernel_name: string, 
/**
 * Model as the drive tells it; empty when it tells none.
 */
model: string, 
/**
 * Serial number as printed on the label; empty when unknown.
 */
serial: string, 
/**
 * World wide name in hexadecimal digits, where the drive has one.
 */
wwn: string | null, 
/**
 * Capacity that the drive claims.
 */
capacity: Bytes, 
/**
 * Logical sector size in bytes: 512 or 4096, rarely another.
 */
logical_sector: number, 
/**
 * Physical sector size in bytes.
 */
physical_sector: number, 
/**
 * How it is attached.
 */
bus: Bus, 
/**
 * Speed of its link as it was negotiated, in megabits a second: 6,000 for SATA's third generation, 480 for USB 2; absent where
 * nothing tells it.
 */
link_mbps?: number, 
/**
 * Rotation: spinning at so many rpm, or solid state.
 */
rotation: Rotation, 
/**
 * Where it sits: controller and port in words, e.g. `PCI 00:1f.2, port 3`.
 */
location: string, 
/**
 * Name that a person gave to the bay where it sits, or sat last; it stays with the bay when the drive is exchanged.
 */
bay?: string, 
/**
 * Temperature from the kernel's sensors; `None` where there is no sensor.
 */
temperature: Celsius | null, 
/**
 * What is on it now.
 */
content: Content, 
/**
 * Why it is not offered for a burn-in; `None` when it is offered.
 */
refused: Refused | null, 
/**
 * Whether the kernel sees it now.
 */
present: boolean, 
/**
 * Since when it is present, or gone.
 */
since: string, 
/**
 * Of when all this is, where nobody watches the bus now: the agent has not told its drives since the server's start or
 * since its connection ended, and the drive may be under another kernel name or gone. The server alone sets it.
 */
as_of?: string, 
/**
 * The highest temperature that counts as well for it; above, its alert comes and it needs a person. A burn-in pauses at a limit
 * of its own, which is another one. The server alone sets it.
 */
heat_limit?: Celsius, 
/**
 * What its own SMART says against it; `None` while nothing does, or nobody has read it. The server alone sets it.
 */
ill?: Ill, 
/**
 * Until when it is made findable for the eye; `None` while nobody looks for it.
 */
shown_until?: string, };

export type DriveId = string;

export type Endpoint = { method?: string, endpoint: string, };

export type Event = { 
/**
 * Position in the log, from 1; without gaps.
 */
seq: number, 
/**
 * Unique id.
 */
id: string, 
/**
 * `noun.verb`: `drive.added`, `job.started`, `job.passed`, `unit.restarted` …
 */
type: string, 
/**
 * When, UTC.
 */
ts: string, 
/**
 * How much it matters.
 */
severity: Severity, 
/**
 * Who or what did it.
 */
actor: Actor, 
/**
 * The job it is about.
 */
job?: JobId | null, 
/**
 * The drive it is about.
 */
drive?: DriveId | null, 
/**
 * In a sentence, for people.
 */
message: string, 
/**
 * Facts for programs.
 */
data?: unknown, 
/**
 * Hash of the event before, hexadecimal; 64 zeros for the first.
 */
prev_hash: string, 
/**
 * SHA-256, hexadecimal, over the text of `prev_hash` followed by the RFC 8785 form of this event without `prev_hash` and
 * `hash`.
 */
hash: string, };

export type FaultKind = "bit_flip" | "corrupt" | "lost_write" | "stale" | "misdirected" | "wrap_around" | "truncated" | "zeroed" | "read_error" | "write_error" | "transient" | "slow" | "hang" | "disconnect" | "reset" | "host_memory";

export type Field = { name: string, label?: string, type?: FieldType, required?: boolean, options?: Array<FieldOption>, source?: string, placeholder?: string, custom_placeholder?: string, default: unknown, min?: number, max?: number, step: number | "any", unit?: string, hint?: string, depends_on?: string, visible_when: string | { [key: string]: unknown }, live_calculation?: string, security_gate?: boolean, };

export type FieldOption = { value: string, label?: string, };

export type FieldType = "text" | "number" | "select" | "checkbox" | "toggle" | "hidden" | "range";

export type FileSystem = "ext4" | "xfs" | "btrfs" | "exfat" | "swap" | "raw";

export type Finding = { 
/**
 * What kind of fault.
 */
kind: FaultKind, 
/**
 * First bad sector; `None` for a fault without a place (a disconnect).
 */
lba: Lba | null, 
/**
 * Number of consecutive bad sectors of this kind.
 */
sectors: number, 
/**
 * The sector whose data was found there, for a misdirected or wrapped access.
 */
found: Lba | null, 
/**
 * Which phase saw it.
 */
phase: Phase, 
/**
 * Which step of the job: index into [`Job::phases`].
 */
step: number, 
/**
 * In words: "17 bits differ", "Input/output error, three re-reads failed".
 */
detail: string, };

export type Flaw = { 
/**
 * Where: `pages[0].components[2].config.fields[1].name`; empty for the manifest itself.
 */
path: string, 
/**
 * What is there.
 */
what: string, 
/**
 * What was expected.
 */
expected: string, };

export type FormConfig = { fields?: Array<Field>, action?: string, submit_label?: string, reset_label?: string, layout?: string, safety?: Safety, destructive?: boolean, };

export type FormatRequest = { 
/**
 * Partition table; by capacity where it is `auto`.
 */
table: Table, 
/**
 * File system of the one partition.
 */
filesystem: FileSystem, 
/**
 * ext4: share kept back for root in percent, 0–50 (`mke2fs -m`).
 */
reserved_percent: number, 
/**
 * Volume label; the file system's own limit holds.
 */
label: string, };

export type Formatted = { 
/**
 * The table that was written.
 */
table: Table, 
/**
 * The file system, where one was made.
 */
filesystem: FileSystem, 
/**
 * Its label.
 */
label: string, 
/**
 * Its UUID, where it has one.
 */
uuid: string | null, 
/**
 * Size of the partition.
 */
size: Bytes, 
/**
 * Each check that was done, in words: "table read again: equal".
 */
checks: Array<string>, 
/**
 * What went wrong; then nothing above may be relied on.
 */
problem: string | null, };

export type Hello = { 
/**
 * Id of the box, made once.
 */
box_id: string, 
/**
 * Public half of the gate key, 64 hexadecimal digits; the agent pins the first that it sees over its
 * machine's own socket.
 */
gate_key: string, 
/**
 * Whether somebody has claimed the box; nothing destructive before that.
 */
claimed: boolean, 
/**
 * Jobs whose certificate the server has: the agent does not send it again. A certificate never changes; what is revoked the job tells.
 */
known_jobs: Array<JobId>, 
/**
 * Greatest [`NewEvent::origin`] of this agent that is in the event log; 0 for none. Up to it the agent
 * sends no event again.
 */
events_seen: number, };

export type Ill = { 
/**
 * That of its gravest alert.
 */
severity: Severity, 
/**
 * In words, the gravest first: `300 reallocated sectors; it says itself that it fails`.
 */
says: string, 
/**
 * When the newest of it began or got worse: no earlier test has weighed that. `None` where an earlier version kept it.
 */
since?: string, };

export type Job = { 
/**
 * Id; later jobs sort later.
 */
id: JobId, 
/**
 * The drive.
 */
drive: DriveId, 
/**
 * Model, as it was at the start.
 */
model: string, 
/**
 * Serial, as it was at the start: behind some docks their own, whatever drive is in them.
 */
serial: string, 
/**
 * Serial that the drive itself told with its SMART data, once there is a verdict; `None` where it told none.
 */
own_serial?: string, 
/**
 * Capacity that the drive claims.
 */
capacity: Bytes, 
/**
 * Logical sector size in bytes; LBAs of the findings count these.
 */
sector: number, 
/**
 * Name of the playbook.
 */
playbook: string, 
/**
 * Who armed it.
 */
actor: string, 
/**
 * Where it stands.
 */
state: JobState, 
/**
 * The phases in order.
 */
phases: Array<PhaseState>, 
/**
 * Progress of the running phase.
 */
progress: Progress | null, 
/**
 * What was found wrong, most telling first; at most [`FINDINGS_MAX`], the rest is only counted.
 */
findings: Array<Finding>, 
/**
 * How many sectors are bad in all.
 */
bad_sectors: number, 
/**
 * What the verdict is heading for while there is none: rules that fired by SMART before and by self-tests, the worst first. Beside
 * them what is found leads to its own.
 */
heading: Array<RuleHit>, 
/**
 * The verdict, once there is one.
 */
verdict: Verdict | null, 
/**
 * Interruptions that it went on after.
 */
resumes: Array<Resume>, 
/**
 * Throughput over LBA and latencies, per phase that moved data.
 */
surface: Array<Surface>, 
/**
 * SMART attributes before and after, those that both snapshots know or one alone.
 */
smart: Array<SmartRow>, 
/**
 * The drive's own self-tests, as its own log told of *these* tests.
 */
self_tests: Array<SelfTest>, 
/**
 * Temperature, throughput and errors over time; at most [`TIMELINE_MAX`] points, evenly thinned out.
 */
timeline: Array<TimePoint>, 
/**
 * What the person chose beside the playbook.
 */
options: PlanOptions, 
/**
 * What partitioning and formatting came to.
 */
formatted: Formatted | null, 
/**
 * The certificate, once one is signed.
 */
certificate: CertificateInfo | null, 
/**
 * Who has seen how it ended, once a person said so. The server alone tells it, never the agent; it changes nothing of the verdict.
 */
acknowledged?: Acknowledged, 
/**
 * When it was started.
 */
started: string, 
/**
 * When it ended.
 */
ended: string | null, };

export type JobEnd = { 
/**
 * The verdict's; `None` where it ended without one.
 */
outcome: Outcome | null, 
/**
 * When it ended, as [`Job::ended`] has it.
 */
ended: string | null, };

export type JobId = string;

export type JobLine = { 
/**
 * The job it is about, if it is about one.
 */
job: JobId | null, 
/**
 * The line.
 */
line: LogLine, };

export type JobProgress = { 
/**
 * The job.
 */
job: JobId, 
/**
 * How far it is.
 */
progress: Progress, };

export type JobState = { "kind": "running" } | { "kind": "waiting", 
/**
 * What it waits for.
 */
why: string, } | { "kind": "finished" } | { "kind": "aborted" };

export type LastUpdate = { 
/**
 * When.
 */
at: string, 
/**
 * Its version, where it is known.
 */
version: string | null, 
/**
 * Its slot.
 */
slot: string, 
/**
 * How.
 */
outcome: UpdateOutcome, 
/**
 * In a sentence, with the reason and what to do.
 */
text: string, };

export type Lba = number;

export type Liveness = "online" | "degraded" | "offline";

export type LocateRequest = { 
/**
 * On, for five minutes at most, or off.
 */
on: boolean, };

export type LogLine = { 
/**
 * `info`, `warn`, `error` (and `debug`; `warning` is read as `warn`).
 */
level: string, 
/**
 * The line.
 */
message: string, 
/**
 * Who says it.
 */
source: string, 
/**
 * The job it is about.
 */
job_id?: string | null, 
/**
 * RFC 3339; the server's time where absent.
 */
timestamp?: string | null, };

export type LogViewerConfig = { source?: string, max_lines?: number, levels?: Array<string>, show_timestamp?: boolean, show_source?: boolean, filterable_by_job?: boolean, time_filter?: TimeFilter, };

export type Login = { 
/**
 * User name; `email` is read as the same.
 */
username: string, 
/**
 * Password.
 */
password: string, };

export type Manifest = { name: string, version: string, description?: string, author?: string, docker_image?: string, pages: Array<Page>, };

export type Medium = "disk" | "ram";

export type NewEvent = { 
/**
 * As [`Event::kind`].
 */
type: string, 
/**
 * As [`Event::severity`].
 */
severity: Severity, 
/**
 * As [`Event::job`].
 */
job?: JobId | null, 
/**
 * As [`Event::drive`].
 */
drive?: DriveId | null, 
/**
 * As [`Event::message`].
 */
message: string, 
/**
 * As [`Event::data`].
 */
data?: unknown, 
/**
 * Number that the agent gave it: rising, never used twice, also after the agent lost its store. The agent
 * sends an event again until the server tells in its `hello` that it has seen that number.
 */
origin?: number | null, };

export type Notification = { 
/**
 * `job_started`, `phase_complete`, `burnin_passed`, `job_complete`, `job_failed`; other words are relayed.
 */
event_type: string, 
/**
 * `info`, `warning` or `critical`; an unknown word is read as `info`.
 */
severity: Severity, 
/**
 * In a sentence.
 */
message: string, 
/**
 * Host name; may be empty.
 */
host: string, 
/**
 * Facts, text to text.
 */
metadata?: { [key in string]: string }, };

export type Outcome = "PASSED" | "WARN" | "INCONCLUSIVE" | "FAILED";

export type Page = { id: string, title: string, icon?: string, components?: Array<Component>, page_config?: PageConfig, };

export type PageConfig = { refresh?: Refresh, agent_selector: unknown, };

export type Part<C> = { id: string, title?: string, source?: string, config?: C, };

export type Phase = "smart_before" | "self_test_short" | "probe" | "sample" | "write" | "verify" | "seek" | "trim" | "trim_check" | "scan" | "self_test_extended" | "smart_after" | "partition" | "format";

export type PhaseState = { 
/**
 * Which.
 */
phase: Phase, 
/**
 * What tells it from other steps of the same phase: "pass 2, complement, backwards"; empty where none is needed.
 */
note: string, 
/**
 * How often it has been run to its end, where steps repeat; 1 after the first.
 */
rounds: number, 
/**
 * Where it stands.
 */
status: PhaseStatus, 
/**
 * Wall time spent in it so far, in seconds, without interruptions.
 */
seconds: number, 
/**
 * Bytes moved, over all rounds; 0 for a phase that moves none.
 */
bytes: Bytes, };

export type PhaseStatus = "pending" | "running" | "done" | "skipped" | "interrupted";

export type Plan = { 
/**
 * Id.
 */
id: PlanId, 
/**
 * Playbook that will be run.
 */
playbook: string, 
/**
 * Its steps as JSON, all that they say: a person's may change under its name. Empty from an earlier agent.
 */
steps: string, 
/**
 * What was chosen beside it.
 */
options: PlanOptions, 
/**
 * The drives, in the order asked for.
 */
drives: Array<PlanDrive>, 
/**
 * SHA-256 over playbook, steps, options, identities and content, hexadecimal; see [`digest`].
 */
digest: string, 
/**
 * 32 random bytes in hexadecimal; good for one start.
 */
nonce: string, 
/**
 * Seconds it is good for from when the agent made it.
 */
seconds: number, 
/**
 * When the agent made it.
 */
made: string, };

export type PlanDrive = { 
/**
 * Identity.
 */
id: DriveId, 
/**
 * Model.
 */
model: string, 
/**
 * Serial as on the label.
 */
serial: string, 
/**
 * Capacity.
 */
capacity: Bytes, 
/**
 * Logical sector size in bytes.
 */
sector: number, 
/**
 * What will be lost.
 */
content: Content, 
/**
 * Memberships that are given up because [`PlanOptions::give_up`] names this drive: "md member of 7f3a…".
 */
given_up: Array<string>, 
/**
 * What has to be typed for this drive: the last four of its serial, or the whole serial where
 * the serial of another drive ends alike or the serial is shorter. Where another drive tells the
 * same serial it is the world wide name, and the serial confirms nothing.
 */
label: string, };

export type PlanId = string;

export type PlanOptions = { 
/**
 * Which limits judge it.
 */
profile: Profile, 
/**
 * Partition and format afterwards; only where the verdict is PASSED or WARN.
 */
format: FormatRequest | null, 
/**
 * Drives whose inactive members of arrays, volumes, pools or encrypted containers are given up by name.
 */
give_up: Array<DriveId>, 
/**
 * Repeat the playbook's repeatable steps for this many hours instead of what it says; 1–720.
 */
soak_hours: number | null, 
/**
 * End a drive's job as FAILED at the first fault that fails it, and leave the rest of it untested.
 */
stop_at_first?: boolean, };

export type PlanRequest = { 
/**
 * The drives.
 */
drives: Array<DriveId>, 
/**
 * Name of the playbook.
 */
playbook: string, 
/**
 * What was chosen beside it.
 */
options: PlanOptions, };

export type PlaybookInfo = { 
/**
 * Its name.
 */
name: string, 
/**
 * What it is for, in one sentence.
 */
about: string, 
/**
 * Whether it erases what the drive holds; one that does not needs no gate.
 */
erases: boolean, 
/**
 * Whether a person added it.
 */
own: boolean, 
/**
 * Its steps in words, in order.
 */
steps: Array<string>, 
/**
 * How often the whole drive is written or read; steps of [`Self::soaks`] are counted once.
 */
sweeps: number, 
/**
 * Extended self-tests: in each the drive reads itself once more.
 */
self_tests: number, 
/**
 * Seconds of the steps that end by their time; steps of [`Self::soaks`] are counted once.
 */
timed_seconds: number, 
/**
 * Blocks of steps that are repeated for a time: those that it has, else the one that a soak asked for beside it would repeat.
 */
soaks: Array<SoakInfo>, 
/**
 * Whether a drive that passes it can be formatted afterwards.
 */
formats: boolean, 
/**
 * Whether a drive can be judged as sold new by it: it asks for SMART.
 */
judges_new: boolean, 
/**
 * Its TOML text.
 */
text: string, 
/**
 * Why it cannot be used; then it is only shown.
 */
problem: string | null, };

export type PlaybookText = { 
/**
 * Its TOML text, at most 64 KiB; `name` in it is the name in the path.
 */
text: string, };

export type Problem = { 
/**
 * A stable word for programs, e.g. `plan-expired`; see the module that makes it.
 */
type: string, 
/**
 * HTTP status.
 */
status: number, 
/**
 * What went wrong, in one short line.
 */
title: string, 
/**
 * Which drive, field or file, and what to do about it.
 */
detail?: string, };

export type Profile = "used" | "new";

export type Progress = { 
/**
 * The running phase.
 */
phase: Phase, 
/**
 * Which step of the job: index into [`Job::phases`].
 */
step: number, 
/**
 * Bytes done of this phase.
 */
done: Bytes, 
/**
 * Bytes of this phase in all; 0 where it moves none.
 */
total: Bytes, 
/**
 * Throughput over the last seconds, bytes a second.
 */
rate: Bytes, 
/**
 * Seconds to the end of this phase, from the rate so far; `None` while unknown.
 */
eta: number | null, 
/**
 * Seconds to the end of the job, likewise.
 */
eta_job: number | null, 
/**
 * Share of the whole job that is done, 0–100; never goes back but for a resume.
 */
percent: number, 
/**
 * Temperature, where a sensor tells it.
 */
temperature: Celsius | null, 
/**
 * Share of this phase that is done, 0–100, where it moves no bytes (a self-test).
 */
phase_percent: number | null, };

export type ProgressConfig = { source?: string, multi?: boolean, show_phase?: boolean, show_eta?: boolean, show_speed?: boolean, show_temperature?: boolean, cancel?: Cancel, };

export type ProgressFrame = { 
/**
 * The job.
 */
job_id: string, 
/**
 * The phase, as a word.
 */
phase: string, 
/**
 * 0–100.
 */
percent: number, 
/**
 * In words.
 */
message: string, 
/**
 * Time left in words, e.g. `2h13m`; empty when unknown.
 */
eta: string, 
/**
 * Bytes done of this phase.
 */
bytes_done: number, 
/**
 * Bytes of this phase in all.
 */
bytes_total: number, 
/**
 * What our own page shows; absent from foreign add-ons.
 */
kiln?: Progress | null, };

export type ProgressIndicator = { field: string, busy_values?: Array<string>, interval_seconds?: number, };

export type Refresh = { manual?: boolean, auto_options?: Array<RefreshOption>, };

export type RefreshOption = { value: number, label?: string, };

export type Refused = { 
/**
 * A stable word: `mounted`, `swap`, `md-member`, `boot-disk`, `no-identity`, `same-identity` …
 */
kind: string, 
/**
 * In a sentence that names the place: "mounted at /mnt/data".
 */
reason: string, };

export type Reply = { 
/**
 * The call's id.
 */
id: string, 
/**
 * What it came to.
 */
outcome: CallOutcome, };

export type Resume = { 
/**
 * When it went on.
 */
at: string, 
/**
 * Why it had been interrupted: "power cut or reset", "worker ended", …
 */
why: string, 
/**
 * The phase it went on in.
 */
phase: Phase, 
/**
 * Which step of the job: index into [`Job::phases`].
 */
step: number, 
/**
 * Where in the phase it went on, in bytes.
 */
from: Bytes, };

export type Revocation = { 
/**
 * When.
 */
at: string, 
/**
 * The job that found it.
 */
job: JobId, 
/**
 * In words.
 */
why: string, };

export type RevocationState = { "kind": "unknown" } | { "kind": "standing" } | { "kind": "revoked" } & Revocation | { "kind": "doubted", 
/**
 * What it found and what to do, within a sentence.
 */
why: string, } | { "kind": "trust_file", 
/**
 * With what reason.
 */
why: string, };

export type Rotation = { "kind": "spinning", 
/**
 * Revolutions per minute, 4,000 to 15,000; `None` when not told.
 */
rpm: number | null, } | { "kind": "solid_state" } | { "kind": "unknown" };

export type RuleHit = { 
/**
 * Id of the rule, e.g. `verify-mismatch`.
 */
id: string, 
/**
 * What it leads to.
 */
outcome: Outcome, 
/**
 * What was seen.
 */
value: string, 
/**
 * The limit it broke.
 */
limit: string, 
/**
 * Where the limit comes from.
 */
source: string, 
/**
 * What that means, as the rest of a sentence about the value; empty where the source says it, and in older certificates.
 */
means?: string, };

export type Rung = "late" | "degraded" | "abort" | "kill" | "abandoned" | "restart" | "quarantine" | "reboot" | "hard_reboot" | "watchdog";

export type Safety = "read" | "write" | "destructive";

export type SafetyTier = "green" | "yellow" | "red";

export type ScanRequest = { 
/**
 * The drives, 1 to 128.
 */
drives: Array<DriveId>, 
/**
 * Name of the playbook.
 */
playbook: string, };

export type SelfTest = { 
/**
 * [`Phase::SelfTestShort`] or [`Phase::SelfTestExtended`].
 */
phase: Phase, 
/**
 * What came of it.
 */
outcome: SelfTestOutcome, 
/**
 * The drive's own words.
 */
told: string, 
/**
 * First failing sector, where the drive names one.
 */
lba: Lba | null, 
/**
 * Place of its step among the job's phases; not told by older agents, nor of an earlier burn-in of the drive.
 */
step?: number, };

export type SelfTestOutcome = "passed" | "failed" | "aborted" | "unsupported" | "unknown";

export type Session = { 
/**
 * Who is logged in.
 */
username: string, 
/**
 * Until when.
 */
expires: string, };

export type Severity = "info" | "warning" | "critical";

export type Signature = { 
/**
 * Partition number; 0 for the whole disk.
 */
partition: number, 
/**
 * libblkid's TYPE or PTTYPE: `ext4`, `linux_raid_member`, `LVM2_member`, `gpt` …; `192 more` for so many further ones that are
 * not told one by one, from this partition on: their sum is the UUID.
 */
kind: string, 
/**
 * Label, where it has one.
 */
label: string | null, 
/**
 * UUID, where it has one.
 */
uuid: string | null, 
/**
 * Partition's name (GPT), where it has one.
 */
name: string | null, 
/**
 * Bytes that files take in it, as a file system itself counts them; `None` where that is not known.
 */
used?: Bytes, 
/**
 * When it was last mounted, as it says itself by the clock of that computer; `None` where it does not.
 */
mounted?: string, };

export type SlotState = "good" | "trying" | "bad" | "empty";

export type SlotView = { 
/**
 * `a` or `b`.
 */
name: string, 
/**
 * Whether it may be started.
 */
state: SlotState, 
/**
 * Version of the system in it.
 */
version: string | null, 
/**
 * Whether it runs.
 */
running: boolean, 
/**
 * Whether the next start takes it.
 */
next: boolean, 
/**
 * Starts that it has left while it is on trial.
 */
tries_left: number, };

export type SmartLimit = { 
/**
 * WARN.
 */
warn?: number, 
/**
 * INCONCLUSIVE.
 */
inconclusive?: number, 
/**
 * FAILED.
 */
failed?: number, };

export type SmartRow = { 
/**
 * ATA attribute number; `None` for NVMe and SAS values.
 */
id: number | null, 
/**
 * Name as smartctl gives it.
 */
name: string, 
/**
 * Raw value before, decoded.
 */
before: number | null, 
/**
 * Raw value after.
 */
after: number | null, 
/**
 * By how much it may change before a rule of the verdict speaks of it; absent where none looks at its change, and in jobs of
 * older engines.
 */
limit?: SmartLimit, };

export type SmartTableConfig = { source?: string, columns?: Array<ColumnSpec>, highlight_deltas?: boolean, critical_ids: Array<number | string>, sortable?: boolean, default_sort?: Sort, filterable?: boolean, filter_keys?: Array<string>, expandable?: boolean, expand_key?: string, child_columns?: Array<ColumnSpec>, tree: boolean | { [key: string]: unknown }, selectable?: boolean, key_field?: string, page_size?: number, time_filter?: TimeFilter, progress_indicator?: ProgressIndicator, row_actions?: Array<TableAction>, toolbar_actions?: Array<TableAction>, bulk_actions?: Array<TableAction>, };

export type SoakInfo = { 
/**
 * How often one round writes or reads the whole drive.
 */
sweeps: number, 
/**
 * Seconds of those of its steps that end by their time, in one round.
 */
timed_seconds: number, 
/**
 * For how many seconds it is repeated; 0: it is done once, unless a person asks for a soak.
 */
seconds: number, };

export type Sort = { key: string, direction?: string, };

export type Standing = "trusted" | "unknown_key" | "other_drawing" | "bad";

export type Started = { 
/**
 * The jobs, in the order of the plan's drives.
 */
jobs: Array<JobId>, };

export type Status = { 
/**
 * Host name.
 */
host: string, 
/**
 * Addresses that answer, without prefix length; loopback left out.
 */
addresses: Array<string>, 
/**
 * Its units, by name.
 */
units: Array<UnitView>, 
/**
 * How the box came up.
 */
boot: BootView, 
/**
 * How often a person at the console has asked, in this boot, to get in without a password.
 */
recovery: number, 
/**
 * Slots and updates.
 */
update: UpdateView, 
/**
 * After how many seconds without PID 1 the hardware watchdog resets the box, as its driver took it; nothing while none is armed,
 * or where the supervisor is of a version that does not tell.
 */
watchdog: number | null, 
/**
 * What everybody has to know: a malformed unit file, no medium, `kiln.toml` errors …
 */
banners: Array<Banner>, };

export type Surface = { 
/**
 * The phase.
 */
phase: Phase, 
/**
 * Which step of the job: index into [`Job::phases`].
 */
step: number, 
/**
 * Bytes a second in each of up to 1024 equal zones from LBA 0 to the end; 0 where nothing was measured.
 */
zones: Array<Bytes>, 
/**
 * Latency of one I/O in microseconds: median.
 */
p50_us: number, 
/**
 * 99th percentile.
 */
p99_us: number, 
/**
 * Longest.
 */
max_us: number, 
/**
 * Number of I/Os whose latency was in [2^i, 2^(i+1)) microseconds, from i = 0.
 */
latencies: Array<number>, };

export type Table = "auto" | "mbr" | "gpt";

export type TableAction = { id: string, label?: string, icon?: string, safety_tier?: SafetyTier, safety?: Safety, destructive?: boolean, visible_when: string | { [key: string]: unknown }, action?: ActionSpec, confirm?: Confirm, form: { [key: string]: unknown }, hidden?: boolean, };

export type Ticket = { 
/**
 * The plan.
 */
plan: PlanId, 
/**
 * Its digest.
 */
digest: string, 
/**
 * Its nonce.
 */
nonce: string, 
/**
 * Its drives.
 */
drives: Array<DriveId>, 
/**
 * Who armed it.
 */
actor: string, 
/**
 * The box it was armed on.
 */
box_id: string, 
/**
 * When.
 */
at: string, };

export type TimeFilter = { default?: string, options?: Array<TimeOption>, };

export type TimeOption = { value: string, label?: string, };

export type TimePoint = { 
/**
 * When.
 */
at: string, 
/**
 * Step that ran, index into [`Job::phases`].
 */
step: number, 
/**
 * Temperature, where a sensor told it.
 */
temperature: Celsius | null, 
/**
 * Bytes a second at that time.
 */
rate: Bytes, 
/**
 * Bad sectors found up to then.
 */
bad_sectors: number, };

export type Told = { 
/**
 * The sentence.
 */
told: string, };

export type TrustedKeys = { 
/**
 * What people compare of each key: half of its SHA-256, in groups of four digits.
 */
fingerprints: Array<string>, 
/**
 * How many of them must have signed, from 1.
 */
threshold: number, 
/**
 * Number of this set, from 1; each that replaces another has the next one.
 */
version: number, };

export type UnitState = "stopped" | "starting" | "ready" | "degraded" | "stopping" | "backoff" | "quarantined" | "done" | "failed";

export type UnitView = { 
/**
 * Its name: the file's without `.toml`.
 */
name: string, 
/**
 * State of its life cycle.
 */
state: UnitState, 
/**
 * Rung of the ladder it stands on, where it stands on one.
 */
rung: Rung | null, 
/**
 * Why it is in this state, in a sentence.
 */
reason: string, 
/**
 * Its own status text (`STATUS=`).
 */
status: string, 
/**
 * Restarts since the boot.
 */
restarts: number, 
/**
 * Main process.
 */
pid: number | null, 
/**
 * Since when it is in this state.
 */
since: string, };

export type UpdateChunk = { 
/**
 * Its number among all chunks.
 */
number: number, 
/**
 * Where it begins in the bundle, in bytes.
 */
offset: number, 
/**
 * Its bytes, at most a MiB.
 */
len: number, };

export type UpdateFetch = { 
/**
 * `http://` or `https://`.
 */
url: string, 
/**
 * Also when it is older than what runs.
 */
downgrade: boolean, };

export type UpdateNeeds = { 
/**
 * Its version.
 */
version: string, 
/**
 * Slot that it goes into.
 */
slot: string, 
/**
 * Chunks of it, of a MiB each but the last of each file.
 */
chunks: number, 
/**
 * Those that an earlier try has left, whole.
 */
found: number, 
/**
 * Those that were copied from the running system.
 */
copied: number, 
/**
 * What has to be sent, in this order.
 */
need: Array<UpdateChunk>, };

export type UpdateOutcome = "written" | "kept" | "failed" | "fell_back";

export type UpdateState = { 
/**
 * What the box knows of its systems and updates.
 */
view: UpdateView, 
/**
 * The update that was fetched last, or is being fetched.
 */
download: Download | null, };

export type UpdateView = { 
/**
 * Both slots, a first; empty while the boot partition has not been read, or where there is none.
 */
slots: Array<SlotView>, 
/**
 * The update that is being written.
 */
writing: Writing | null, 
/**
 * What is still to be proven before the running slot is kept; `None` when it is kept.
 */
trial: string | null, 
/**
 * How the last update ended.
 */
last: LastUpdate | null, 
/**
 * Whose updates are taken; `None` while that has not been looked at, or where no key is trusted.
 */
keys: TrustedKeys | null, };

export type UpdateWritten = { 
/**
 * Its slot.
 */
slot: string, 
/**
 * Its version.
 */
version: string, };

export type Variable = { source: string, key?: string, label?: string, placeholder?: string, hint?: string, value?: string, readonly?: boolean, secret?: boolean, rotate_action?: string, optional?: boolean, };

export type Verdict = { 
/**
 * The word.
 */
outcome: Outcome, 
/**
 * Each rule that fired, worst first.
 */
rules: Array<RuleHit>, 
/**
 * In one sentence.
 */
summary: string, 
/**
 * Bytes written and then read back without a difference.
 */
verified: Bytes, 
/**
 * Engine version that gave it, and the one that began the burn-in where that was another; `0.1.0+1f0c3a9e`, of older ones the number alone.
 */
engine: string, };

export type Writing = { 
/**
 * Version of the update.
 */
version: string, 
/**
 * Chunks that are on the medium.
 */
done: number, 
/**
 * Chunks of the update, of at most a MiB each.
 */
chunks: number, };

export const MEANINGS = {"names":[["total_pending","reported_uncorrectable"],["total_offl_unc","reported_uncorrectable"],["read_failure_blk","reported_uncorrectable"],["total_unc_read","reported_uncorrectable"],["total_unc_nand","reported_uncorrectable"],["uncor_read_error","reported_uncorrectable"],["ecc_error_count","reported_uncorrectable"],["error_correction_count",null],["uncorr_soft_read_err_rt",null],["power_on_uncorr",null],["retried_blk",null],["read_disturb_realloc",null],["current_pending_ecc","pending_ecc"],["current_pending","pending"],["pending_sector","pending"],["offline_uncorrectable","offline_uncorrectable"],["reported_uncor","reported_uncorrectable"],["reported_ue","reported_uncorrectable"],["uncorrectable_err","reported_uncorrectable"],["uncorrectable_ecc","reported_uncorrectable"],["uncorrectable_sectors","reported_uncorrectable"],["uncorr_record","reported_uncorrectable"],["uecc_ct","reported_uncorrectable"],["sata_unc","reported_uncorrectable"],["reallocated_event","reallocation_events"],["erase_failure_blk","reallocation_events"],["total_erase_failures","reallocation_events"],["reallocated_","reallocated"],["reallocate_nand","reallocated"],["retired_block","reallocated"],["grown_bad","grown_bad_blocks"],["grown_failing","grown_bad_blocks"],["later_bad","grown_bad_blocks"],["runtime_bad","grown_bad_blocks"],["new_bad_blk","grown_bad_blocks"],["added_bad","grown_bad_blocks"],["bad_blk_ct_","grown_bad_blocks"],["program_fail","flash_failures"],["prog_fail","flash_failures"],["erase_fail","flash_failures"],["bad_block_count","flash_failures"],["bad_block_cnt","flash_failures"],["total_bad_block","flash_failures"],["die_fail","flash_failures"],["runtime_invalid_blk","flash_failures"],["read_fail_count","flash_failures"],["dynamic_remaps","flash_failures"],["lat_bad_blk","flash_failures"],["unused_rsvd",null],["used_rsvd_blk","flash_failures"],["helium_condition","helium"],["end-to-end","end_to_end"],["end_to_end","end_to_end"],["undetected_data","end_to_end"],["path_prot_unc","end_to_end"],["crc_err","crc"],["error_ct_crc","crc"]],"numbers":[[5,"reallocated"],[10,"spin_retry"],[22,"helium"],[184,"end_to_end"],[187,"reported_uncorrectable"],[188,"command_timeout"],[196,"reallocation_events"],[197,"pending"],[198,"offline_uncorrectable"],[199,"crc"]],"something_else":["bogus","not_in_use","unknown_jmf","host_reads","host_writes","_sectors_tot_ct","factory_bad","initial_bad","spare_block"]} as const;

export const MEANT = {"either":["runtime_bad","Of flash, blocks gone bad since it was made: a rise is a sign of wear. Of a disk, times that its link fell back to a lower speed: look at the cable."],"faults":{"command_timeout":"Commands that took too long. A rise is bad: look at power and cable, too.","crc":"Errors on the cable. A rise blames the link, not the drive.","end_to_end":"Data that changed between its own cache and the host. A rise is bad.","flash_failures":"Blocks of flash that could not be written or erased, or went bad. How many tells little; a rise is a sign of wear.","grown_bad_blocks":"Blocks of flash gone bad since it was made. Some do on every drive; many at once are bad.","helium":"Helium left. A fall is bad: the drive leaks.","offline_uncorrectable":"Sectors that its own scan could not read. A rise is bad.","pending":"Sectors that it could not read and waits to retry. A rise is bad.","pending_ecc":"Sectors that it waits to correct. One comes and goes by itself; more are bad.","reallocated":"Spare sectors used up in place of bad ones. A rise is bad.","reallocation_events":"Attempts to move a bad sector to a spare one. A rise is bad.","reported_uncorrectable":"Reads that the drive could not correct. A rise is bad.","spin_retry":"Times that the motor had to try again. A rise is bad."},"others":[["unknown","What it counts only its maker knows."],["bogus","What it counts only its maker knows."],["not_in_use","What it counts only its maker knows."],["vendor_","What it counts only its maker knows."],["spin_up","How long it takes to spin up, in milliseconds or its maker's unit. A slow rise over years is a sign of wear."],["start_stop","Times that the motor was started. It rises by itself."],["calibration_retry","Times that it had to find its tracks again. A rise is a sign of wear."],["recalibration","Times that it had to find its tracks again. A rise is a sign of wear."],["seek_error","Its maker's own count of heads that missed their track. Only comparable with itself; a rise alone tells nothing."],["seek_time","Its maker's own figure of how fast it works. Only comparable with itself."],["offline_seek","Its maker's own figure of how fast it works. Only comparable with itself."],["throughput","Its maker's own figure of how fast it works. Only comparable with itself."],["read_channel_margin","Its maker's own figure of how fast it works. Only comparable with itself."],["factory_bad","Blocks of flash that were bad when it was made. It stays as it is."],["initial_bad","Blocks of flash that were bad when it was made. It stays as it is."],["high_fly","Writes with a head too far from the surface, which were done again. A rise is a sign of wear or shaking."],["fly_height","How high the heads fly, as its maker counts. Only comparable with itself."],["flying_height","How high the heads fly, as its maker counts. Only comparable with itself."],["flying_hours","Hours with the heads over the surface. It rises by itself."],["loaded_hours","Hours with the heads over the surface. It rises by itself."],["head_amplitude","How far the heads swing, as its maker counts. Only comparable with itself."],["g-sense","Knocks and shaking that it felt. A rise blames how it stands, or was carried."],["g_sense","Knocks and shaking that it felt. A rise blames how it stands, or was carried."],["shock","Knocks and shaking that it felt. A rise blames how it stands, or was carried."],["free_fall","Times that it felt itself fall and parked its heads. A rise blames how it was carried."],["disk_shift","How far the platters have moved on their axle. A rise is bad: it was dropped or got too hot."],["thermal_asperity","Times that a head touched something on the surface. A rise is bad."],["thermal_throttle","How often or how far it slowed down because it was too hot. A rise blames the cooling."],["throttle","How often or how far it slowed down because it was too hot. A rise blames the cooling."],["multi_zone","Its maker's own count of errors while it wrote. A rise is a sign of wear."],["write_error","Errors while it wrote. A rise is a sign of wear."],["data_address_mark","Sectors whose mark it could not find. A rise is a sign of wear."],["run_out","Errors while it corrected data. A rise is a sign of wear."],["ecc_recovered","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["ecc_error_rate","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["ecc_correction","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["ecc_on_the_fly","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["error_correction","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["corrected","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["soft_ecc","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["soft_read_err","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["soft_error","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["raid_recover","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["retried_blk","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["read_error_retry","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["read_retry","Errors that it corrected by itself. Normal in some number; only comparable with itself."],["read_disturb","Blocks that it moved because reading wears them, too. It rises by use."],["power_on_uncorr","Reads that it could not correct since it was switched on. More than none is bad."],["error_rate","Its maker's own count of errors that it met and corrected. Only comparable with itself; a rise alone tells nothing."],["err_rt","Its maker's own count of errors that it met and corrected. Only comparable with itself; a rise alone tells nothing."],["por_recovery","Times that it had to put itself in order after the power went. A rise blames the power."],["unexpect","Times that the power went without a warning. A rise blames the power."],["unsafe_shutdown","Times that the power went without a warning. A rise blames the power."],["power_loss","Times that the power went without a warning, or a check of what it keeps for that. Its maker says which."],["pwr_loss","Times that the power went without a warning, or a check of what it keeps for that. Its maker says which."],["plp_","Times that the power went without a warning, or a check of what it keeps for that. Its maker says which."],["exception_mode","Not 0: it has locked itself after an error inside."],["retract","Heads parked in a hurry since the power went. A rise blames the power."],["load_retry","Times that the heads had to try again to leave their park. A rise is a sign of wear."],["load_friction","How hard it is to move the heads or to turn the platters, as its maker counts. A rise is a sign of wear."],["load-in_time","How long the heads were over the surface. It rises by itself."],["load_cycle","Times that the heads were parked. It rises in use; drives are made for some hundred thousand."],["load/unload","Times that the heads were parked. It rises in use; drives are made for some hundred thousand."],["torq","How hard it is to move the heads or to turn the platters, as its maker counts. A rise is a sign of wear."],["spin_high_current","How hard it is to move the heads or to turn the platters, as its maker counts. A rise is a sign of wear."],["spin_buzz","Times that it shook itself free to spin up. A rise is bad."],["power_on_hours","Hours under power. It rises by itself."],["hours","Hours under power. It rises by itself."],["power_on_minutes","Hours under power. It rises by itself."],["power_cycle","Times powered on. It rises by itself."],["drive_power","Times powered on. It rises by itself."],["temp","Temperature in °C. It goes up and down."],["airflow","Temperature in °C. It goes up and down."],["downshift","Times that the link fell back to a lower speed or began anew. A rise blames cable and contacts."],["hot_plug","Times that the link fell back to a lower speed or began anew. A rise blames cable and contacts."],["phy_error","Times that the link fell back to a lower speed or began anew. A rise blames cable and contacts."],["transfer_error","Times that the link fell back to a lower speed or began anew. A rise blames cable and contacts."],["reserv","Spare blocks left. A fall is bad: they stand in for blocks gone bad."],["resrvd","Spare blocks left. A fall is bad: they stand in for blocks gone bad."],["rsvd","Spare blocks left. A fall is bad: they stand in for blocks gone bad."],["spare","Spare blocks left. A fall is bad: they stand in for blocks gone bad."],["life_used","Of the writes that it was made for, in percent. It rises by being written to."],["lifetime_used","Of the writes that it was made for, in percent. It rises by being written to."],["life_left","Life left of the flash, in percent or its maker's unit. It falls by being written to."],["lifetime_rem","Life left of the flash, in percent or its maker's unit. It falls by being written to."],["remaining_life","Life left of the flash, in percent or its maker's unit. It falls by being written to."],["life_remain","Life left of the flash, in percent or its maker's unit. It falls by being written to."],["lifetime_perc","Life left of the flash, in percent or its maker's unit. It falls by being written to."],["endurance","Life left of the flash, in percent or its maker's unit. It falls by being written to."],["media_wear","Wear of the flash: how often its cells were erased, as the maker counts. It rises by being written to."],["wear","Wear of the flash: how often its cells were erased, as the maker counts. It rises by being written to."],["erase_count","Wear of the flash: how often its cells were erased, as the maker counts. It rises by being written to."],["erase_cycle","Wear of the flash: how often its cells were erased, as the maker counts. It rises by being written to."],["block-erase","Wear of the flash: how often its cells were erased, as the maker counts. It rises by being written to."],["pe_cycle","Wear of the flash: how often its cells were erased, as the maker counts. It rises by being written to."],["p/e","Wear of the flash: how often its cells were erased, as the maker counts. It rises by being written to."],["program_page","Written in its life, as the drive counts. It rises by use."],["writ","Written in its life, as the drive counts. It rises by use."],["wts_to","Written in its life, as the drive counts. It rises by use."],["write_sectors","Written in its life, as the drive counts. It rises by use."],["reads","Read in its life, as the drive counts. It rises by use."],["read","Read in its life, as the drive counts. It rises by use."]],"values":[["power_on_hours","Hours under power. It rises by itself."],["power_cycles","Times powered on. It rises by itself."],["temperature","Temperature in °C. It goes up and down."],["error_log_count","Commands that the drive has logged as failed. A rise is worth a look: some hosts ask for what a drive does not know."],["bytes_written","Written in its life, in bytes, as the drive counts. It rises by use."],["critical_warning","Not 0: the drive itself warns. A rise is bad."],["available_spare","Spare blocks left, in percent. A fall is bad."],["available_spare_threshold","Of its spare blocks, in percent: with fewer left it warns. It stays as it is."],["percentage_used","Of the writes that it was made for, in percent. It rises by being written to."],["data_units_read","Read in its life, in units of 512,000 bytes. It rises by use."],["data_units_written","Written in its life, in units of 512,000 bytes. It rises by use."],["media_errors","Data that it could not correct. A rise is bad."],["num_err_log_entries","Commands that ended with an error. A rise is worth a look: some hosts ask for what a drive does not know."],["unsafe_shutdowns","Times that the power went without a warning. A rise blames the power."],["warning_temp_time","Minutes above the temperature at which it warns. A rise blames the cooling."],["critical_comp_time","Minutes above its critical temperature, at which it slows down. A rise is bad, and blames the cooling."],["grown_defects","Sectors that went bad since it was made. A rise is bad."],["non_medium","Errors beside the medium: link, cable, power. A rise blames what is around the drive."],["read.rereads_rewrites","Reads that it had to do again before they were right. Some are normal on a large disk; many a terabyte are not."],["read.uncorrected","Reads that it could not correct. A rise is bad."],["write.rereads_rewrites","Writes that it had to do again before they were right. Some are normal on a large disk; many a terabyte are not."],["write.uncorrected","Writes that it could not correct. A rise is bad."],["verify.uncorrected","Checks of its own that it could not correct. A rise is bad."],["phy_errors","Errors on the link. A rise blames cable and backplane."],["pending_defects","Sectors that it could not read and waits to retry. A rise is bad."],["ata_pending_defects_log","Sectors that it could not read and waits to retry. A rise is bad."],["background_scan_errors","Bad places that its own scan of the surface has met. A rise is worth a look: a write may cure them."],["scsi_percentage_used","Of the writes that it was made for, in percent. It rises by being written to."],["farm_power_on_hours","Hours under power by the drive's own field record, which a seller does not reset with the others. It rises by itself."],["farm.reallocated","Spare sectors used up, by the drive's own field record. A rise is bad."],["farm.candidates","Sectors that may have to be replaced, by the drive's own field record. A rise is bad."],["farm.unrecoverable","Sectors that it could not read or write, by the drive's own field record. A rise is bad."],["sct.lifetime_max","The highest temperature of its life, in °C."],["sct.over_limit","Readings above the highest temperature that its maker allows. A rise blames the cooling."],["number_of_reported_uncorrectable_errors","Reads that the drive could not correct. A rise is bad."],["number_of_reallocated_logical_sectors","Spare sectors used up in place of bad ones. A rise is bad."],["number_of_realloc._candidate_logical_sectors","Sectors that it could not read and waits to retry. A rise is bad."],["number_of_reallocation_candidate_logical_sectors","Sectors that it could not read and waits to retry. A rise is bad."],["pending_error_count","Sectors that it could not read and waits to retry. A rise is bad."],["number_of_mechanical_start_failures","Times that the motor could not start. A rise is bad."],["number_of_interface_crc_errors","Errors on the cable. A rise blames the link, not the drive."]]} as const;

export const VALID_DAYS = 365;
