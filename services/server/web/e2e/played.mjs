/**
 * A box that is only played: the built page over HTTP, and answers that are written down here. It shows what the real server
 * and agent show seldom or never in a test: eight drives of one batch, heat, every verdict, an update on trial, a box that
 * does not answer. What the box decides is tested against the real one (`run.mjs`); here is only tested how the page shows it.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { json as sent } from "node:stream/consumers";

const dist = join(import.meta.dirname, "../dist");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const NOW = Date.now();
const ago = (hours) => new Date(NOW - hours * 3_600_000).toISOString();
const TB = 1e12;
const OPTIONS = { profile: "used", format: null, give_up: [], soak_hours: null };

/** A zone curve as a spinning drive has it: fast outside, slow inside; `dip` is a place that hesitates. */
const zones = (top, seed, dip) => Array.from({ length: 256 }, (_, i) => {
  const x = i / 255;
  const noise = Math.sin(i * 12.9898 + seed * 78.233) * 43758.5453;
  const rate = top * (1 - 0.52 * x * x) * (0.985 + 0.03 * (noise - Math.floor(noise)));
  return Math.round(dip !== undefined && Math.abs(x - dip) < 0.012 ? rate * 0.12 : rate);
});

const latencies = Array.from({ length: 28 }, (_, i) => Math.round(4e6 * Math.exp(-((i - 12) ** 2) / 6)) + (i > 18 && i < 24 ? 3 : 0));
const surface = (step, phase, rates) => ({ step, phase, zones: rates, p50_us: 4100, p99_us: 15_200, max_us: 812_000, latencies });

export function drive(n, change = {}) {
  const serial = change.serial ?? `WSD1${String(1000 + n * 377).slice(-4)}`;
  return {
    id: `sn-ST8000VN004-${serial}`, key: `sn-ST8000VN004-${serial}`, kernel_name: `sd${"abcdefghijklmnop"[n]}`, model: "ST8000VN004-2M2101", serial, wwn: `0x5000c500e0a1${serial.slice(-4)}`,
    capacity: 8_001_563_222_016, logical_sector: 512, physical_sector: 4096, bus: "sata", rotation: { kind: "spinning", rpm: 7200 },
    location: `PCI 00:1f.2, SATA port ${n + 1}`, temperature: 34 + (n % 5), content: { state: "empty" }, refused: null, present: true, since: ago(31), heat_limit: 55, ...change,
  };
}

const steps = (at) => ["smart_before", "probe", "write", "verify", "smart_after"].map((phase, i) => ({ phase, note: "", rounds: i < at ? 1 : 0, status: i < at ? "done" : i === at ? "running" : "pending", seconds: i < at ? [4, 20, 48_300, 46_100, 3][i] : 0, bytes: i < at && (i === 2 || i === 3) ? 8_001_563_222_016 : 0 }));
/** Of their changes, as the rules have them. */
const LIMITS = { 5: { failed: 1 }, 187: { failed: 1 }, 198: { failed: 1 }, 199: { warn: 1, inconclusive: 10 } };
const SMART = [[5, "Reallocated_Sector_Ct", 0, 0], [9, "Power_On_Hours", 21_402, 21_428], [187, "Reported_Uncorrect", 0, 0], [190, "Airflow_Temperature_Cel", 33, 41], [193, "Load_Cycle_Count", 8120, 8120], [197, "Current_Pending_Sector", 0, 0], [198, "Offline_Uncorrectable", 0, 0], [199, "UDMA_CRC_Error_Count", 2, 2]].map(([id, name, before, after]) => ({ id, name, before, after, ...LIMITS[id] && { limit: LIMITS[id] } }));

export function job(of, n, change = {}) {
  const top = 238e6 - n * 2.1e6;
  return {
    id: `0199a-${String(n).padStart(3, "0")}`, drive: of.id, model: of.model, serial: of.serial, capacity: of.capacity, sector: 512, playbook: "standard", actor: "mara",
    state: { kind: "finished" }, phases: steps(5), progress: null, findings: [], bad_sectors: 0, heading: [],
    verdict: { outcome: "PASSED", rules: [], summary: "Every sector holds what was written.", verified: of.capacity, engine: "kiln-burnin 0.1.0" },
    resumes: [], surface: [surface(2, "write", zones(top, n)), surface(3, "verify", zones(top * 1.03, n + 9))], smart: SMART,
    self_tests: [{ phase: "self_test_short", outcome: "passed", told: "Completed without error at 21 403 hours", lba: null }],
    timeline: Array.from({ length: 60 }, (_, i) => ({ at: ago(30 - i * 0.45), step: i < 2 ? 1 : i < 31 ? 2 : 3, temperature: 33 + Math.round(8 * Math.sin(i / 20)), rate: Math.round(top * (1 - 0.4 * ((i % 30) / 30))), bad_sectors: 0 })),
    options: OPTIONS, formatted: null, certificate: { id: `KC-${of.serial}`, key: "9f2c4be1".repeat(8), made: ago(2), revoked: null }, started: ago(30), ended: ago(2.2), ...change,
  };
}

const rule = (id, outcome, value, limit, source, means = "") => ({ id, outcome, value, limit, source, ...(means && { means }) });
const progress = (at, share, phase, rate, temperature) => ({ phase, step: at, done: Math.round(8_001_563_222_016 * share), total: 8_001_563_222_016, rate, phase_percent: share * 100, percent: 40 * share + (at === 3 ? 50 : 5), eta: Math.round((1 - share) * 47_000), eta_job: Math.round((1 - share) * 47_000 + (at === 2 ? 46_000 : 0)), temperature });

/** Comings and goings of the first drive, which the box tells of it alone. */
const CAME = [
  ["drive.added", 40, "was plugged in at bay front, second (pci-0000:00:1f.2-ata-1)"],
  ["drive.removed", 34, "is gone; it was last seen in bay front, second (pci-0000:00:1f.2-ata-1)"],
  ["drive.added", 28, "was plugged in at pci-0000:00:1f.2-ata-4"],
].map(([type, hours, words], i) => ({ seq: 101 + i, id: `c${i}`, type, ts: ago(hours), severity: "info", actor: { kind: "box", name: "agent" }, message: `ST8000VN004-2M2101 WSD11000 (8.00 TB) ${words}`, prev_hash: "", hash: "" }));

/** The box's state: everything there is at once. */
export function bench() {
  const drives = Array.from({ length: 8 }, (_, n) => drive(n));
  // Its job waits for heat, and measures nothing meanwhile.
  drives[5] = drive(5, { temperature: 58 });
  drives[7] = drive(7, { model: "WDC WD40EFRX-68N32N0", serial: "WD-WCC7K2PA9F2K", id: "sn-WD40-WD-WCC7K2PA9F2K", key: "sn-WD40-WD-WCC7K2PA9F2K", capacity: 4_000_787_030_016, content: { state: "found", summary: "GPT, 1 partition: ext4 \"photos\" (3.1 TB used, last mounted 12 March 2026)", signatures: [{ partition: 0, kind: "gpt", label: null, uuid: "0b8e1f7c-0000-4c1e-9b8a-1f2e3d4c5b6a", name: null }, { partition: 1, kind: "ext4", label: "photos", uuid: "5a1e8f7c-0000-4c1e-9b8a-1f2e3d4c5b6a", name: null, used: 3_100_000_000_000, mounted: "2026-03-12T11:20:00Z" }] } });
  const nvme = drive(8, { id: "sn-SAMSUNG-S5GX", key: "sn-SAMSUNG-S5GX", kernel_name: "nvme0n1", model: "Samsung SSD 980 PRO 2TB", serial: "S5GXNX0T123456A", bus: "nvme", capacity: 2_000_398_934_016, rotation: { kind: "solid_state" }, location: "PCI 01:00.0", temperature: 61, heat_limit: 70 });
  const used = drive(9, { id: "sn-KINGSTON-50026", key: "sn-KINGSTON-50026", kernel_name: "sdj", model: "KINGSTON SA400S37480G", serial: "50026B7784A1C2D3", heat_limit: 70, capacity: 480_103_981_056, rotation: { kind: "solid_state" }, location: "PCI 00:1f.2, SATA port 10", content: { state: "found", summary: "LVM physical volume", signatures: [{ partition: 0, kind: "LVM2_member", label: null, uuid: null, name: null }] }, refused: { kind: "lvm-member", reason: "it is a member of the volume group vg-media" } });
  const bad = { kind: "read_error", lba: 6_512_337_120, sectors: 8, found: null, phase: "verify", step: 3, detail: "Medium error, unrecovered read error" };
  const jobs = [
    job(drives[0], 0),
    job(drives[1], 1, { progress: progress(3, 0.62, "verify", 171e6, 41), state: { kind: "running" }, phases: steps(3), verdict: null, ended: null, certificate: null, surface: [surface(2, "write", zones(236e6, 1))] }),
    job(drives[2], 2, {
      verdict: { outcome: "FAILED", rules: [rule("read-error", "FAILED", "8 sectors", "at least 1 sector", "A sector that cannot be read four times is lost.", "sectors could not be read"), rule("smart-reallocated-rise", "FAILED", "+8", "at least 1 sector", "playbook standard")], summary: "8 sectors at LBA 6 512 337 120 cannot be read.", verified: 8_001_563_217_920, engine: "kiln-burnin 0.1.0" },
      findings: [bad, { ...bad, lba: 6_512_400_000, sectors: 1, kind: "bit_flip", detail: "1 bit of 4 096 differs", found: null }], bad_sectors: 9, surface: [surface(2, "write", zones(231e6, 2)), surface(3, "verify", zones(236e6, 3, 0.417))],
      smart: SMART.map((row) => (row.id === 5 ? { ...row, after: 8 } : row.id === 199 ? { ...row, after: 5 } : row)), certificate: { id: `KC-${drives[2].serial}`, key: "9f2c4be1".repeat(8), made: ago(2), revoked: null },
    }),
    job(drives[3], 3, { verdict: { outcome: "WARN", rules: [rule("slow-zone", "WARN", "31 MB/s at 3.3 TB", "half of its siblings", "playbook standard")], summary: "One place is slower than half of its siblings.", verified: drives[3].capacity, engine: "kiln-burnin 0.1.0" }, surface: [surface(2, "write", zones(234e6, 5)), surface(3, "verify", zones(238e6, 6, 0.41))] }),
    job(drives[4], 4, { verdict: { outcome: "INCONCLUSIVE", rules: [rule("not-all-verified", "INCONCLUSIVE", "41 %", "100 %", "engine")], summary: "It stopped answering at 41 %.", verified: 3.28 * TB, engine: "kiln-burnin 0.1.0" }, surface: [surface(2, "write", zones(233e6, 7).map((rate, i) => (i < 105 ? rate : 0)))], resumes: [{ at: ago(12), why: "the drive was reseated", phase: "write", step: 2, from: 1.2 * TB }] }),
    job(drives[5], 5, { state: { kind: "waiting", why: "at 58 °C it is hotter than 55 °C; goes on below 50 °C" }, progress: progress(2, 0.31, "write", 0, 58), phases: steps(2), verdict: null, ended: null, certificate: null, surface: [surface(2, "write", zones(229e6, 8).map((rate, i) => (i < 79 ? rate : 0)))] }),
  ];
  return {
    drives: [...drives, nvme, used], jobs,
    box: {
      name: "kiln-7f3a", version: "0.1.0", sbom: "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", claimed: true, banners: [], agent: { state: "online", last_seen: ago(0) }, now: new Date().toISOString(),
      supervisor: {
        host: "kiln-7f3a", recovery: 0, update: { slots: [], writing: null, trial: null, last: null, keys: null },
        watchdog: 30, banners: [], addresses: ["http://192.168.1.40", "https://kiln-7f3a.local"], console: [], boot: { slot: "b", why: "on trial", via: "GRUB", kernel: "6.12.48", medium: "disk", reason: "restart after an update", boot_id: "b1" },
        units: ["agent", "server", "network", "time"].map((name) => ({ name, state: "ready", rung: null, reason: "", status: "", restarts: 0, pid: 200, since: ago(3) })),
      },
    },
    update: { view: { slots: [{ name: "a", version: "0.0.9", state: "good", tries_left: 0, running: false, next: false }, { name: "b", version: "0.1.0", state: "trying", tries_left: 2, running: true, next: true }], writing: null, trial: "it is kept after ten minutes in which all services are well", last: { at: ago(1), outcome: "written", text: "version 0.1.0 was written to slot B", version: "0.1.0" }, keys: null }, download: null },
    playbooks: [{ name: "standard", about: "Writes every sector, reads it back and compares.", erases: true, own: false, steps: ["SMART before", "Capacity probe", "Write", "Read back and verify", "SMART after"], sweeps: 2, self_tests: 0, timed_seconds: 0, soaks: [{ sweeps: 2, timed_seconds: 0, seconds: 0 }], formats: true, judges_new: true, text: "name = \"standard\"\n", problem: null }, { name: "read-scan", about: "Reads every sector; nothing is written.", erases: false, own: false, steps: ["SMART", "Read scan"], sweeps: 1, self_tests: 0, timed_seconds: 0, soaks: [{ sweeps: 1, timed_seconds: 0, seconds: 0 }], formats: false, judges_new: false, text: "", problem: null }],
    events: Array.from({ length: 40 }, (_, i) => ({ seq: i + 1, id: `e${i}`, type: i % 9 === 8 ? "drive.error" : "job.phase", ts: ago(40 - i), severity: i % 9 === 8 ? "critical" : i % 7 === 6 ? "warning" : "info", actor: { kind: "box", name: "agent" }, drive: drives[i % 6].id, message: i % 9 === 8 ? "8 sectors at LBA 6 512 337 120 cannot be read" : "phase verify began", prev_hash: "", hash: "" })),
  };
}

export class Played {
  state = bench();
  /** What is answered instead, by "METHOD path": a status, or a function that gives an object. */
  instead = new Map();
  /** What each job logged. */
  log = [{ timestamp: ago(30), level: "info", message: "phase write began", source: "agent" }];
  #streams = new Set();
  session = { username: "mara", expires: new Date(NOW + 8.64e7).toISOString() };

  async open() {
    this.http = createServer((request, answer) => this.#answer(request, answer));
    await new Promise((done) => this.http.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.http.address().port}`;
    return this;
  }

  /** Sends one message down every stream that is open. */
  say(event, data) {
    for (const stream of this.#streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Cuts every stream that is open; each page comes back by itself. */
  cut() {
    for (const stream of this.#streams) stream.destroy();
  }

  #answer(request, answer) {
    const { pathname, searchParams } = new URL(request.url, "http://x");
    const json = (value, status = 200) => {
      answer.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" });
      answer.end(JSON.stringify(value));
    };
    const problem = (status, title, detail = "") => json({ type: status === 503 ? "agent-away" : "played", status, title, detail }, status);
    const other = this.instead.get(`${request.method} ${pathname}`);
    if (other !== undefined) return typeof other === "number" ? problem(other, `The box answered ${other}`) : json(other());
    if (!pathname.startsWith("/api/")) return this.#file(pathname, answer);
    const { box, drives, jobs, update, playbooks, events } = this.state;
    const path = pathname.replace(/^\/api\/v1/, "");
    const one = /^\/jobs\/([^/]+)(\/timeline|\/log|\/ack)?$/.exec(path);
    if (path === "/box") return json({ ...box, now: new Date().toISOString() });
    if (path === "/session" && request.method === "DELETE") this.session = null;
    if (path === "/session") return this.session ? json(this.session) : problem(401, "Nobody is logged in");
    if (path === "/stream") {
      if (!this.session) return problem(401, "Nobody is logged in");
      answer.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      this.#streams.add(answer);
      request.on("close", () => this.#streams.delete(answer));
      for (const [event, data] of [["box", { ...box, now: new Date().toISOString() }], ["playbooks", playbooks], ...jobs.map((of) => ["job", of]), ["drives", drives], ...events.map((of) => ["event", of])]) answer.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      answer.write("event: ready\ndata: {}\n\n");
      return undefined;
    }
    if (path === "/drives") return json(drives);
    if (path === "/jobs") return json(jobs.filter((of) => !searchParams.has("drive") || of.drive === searchParams.get("drive")));
    if (one) {
      const found = jobs.find(({ id }) => id === one[1]);
      if (found && one[2] === "/ack") return this.#acknowledge(found, request, json);
      return found ? json(one[2] === "/timeline" ? found.timeline : one[2] === "/log" ? this.log : found) : problem(404, "No such job");
    }
    if (path === "/update") return json(update);
    if (path === "/events") {
      const [after, limit] = [searchParams.get("after"), Number(searchParams.get("limit") ?? 100)];
      const drive = searchParams.get("drive");
      if (drive !== null) return json([...events, ...CAME.map((event) => ({ ...event, drive: drives[0].id }))].filter((event) => event.drive === drive).slice(-limit));
      return json(after === null ? events.slice(-limit) : events.filter(({ seq }) => seq > Number(after)).slice(0, limit));
    }
    if (path === "/certificates") return json(jobs.filter(({ certificate }) => certificate).map((of) => ({ job: of.id, drive: of.drive, model: of.model, serial: of.serial, capacity: of.capacity, playbook: of.playbook, outcome: of.verdict?.outcome ?? null, info: of.certificate })));
    if (path === "/plans") return json({ id: "p1", playbook: "standard", steps: "[]", options: OPTIONS, drives: drives.slice(6, 8).map((of) => ({ id: of.id, model: of.model, serial: of.serial, capacity: of.capacity, sector: 512, content: of.content, given_up: [], label: of.serial.slice(-4) })), digest: "d1", nonce: "n1", seconds: 120, made: new Date().toISOString() });
    if (path === "/api/smart/health/summary") return json({ drives: [], count: 0, total: 0, healthy: 0, warning: 0, critical: 0, unknown: 0 });
    if (path === "/api/wearout/drive" || path === "/api/smart/attributes/trend") return json({ drives: [], count: 0 });
    return problem(404, "This played box has no such thing", path);
  }

  /** That the end that a page shows was seen, and no other; taken back of any. */
  async #acknowledge(of, request, json) {
    if (request.method === "DELETE") delete of.acknowledged;
    else {
      const { ended, outcome } = await sent(request);
      if (ended !== of.ended || outcome !== of.verdict?.outcome) return json({ type: "job-ended-again", status: 409, title: "This job has come to another end", detail: `${of.model} ${of.serial} ended ${of.verdict?.outcome}` }, 409);
      of.acknowledged ??= { by: this.session.username, at: new Date().toISOString() };
    }
    this.say("job", of);
    return json(of.acknowledged ?? null);
  }

  #file(pathname, answer) {
    const ext = extname(pathname);
    const path = join(dist, TYPES[ext] && !pathname.includes("..") ? pathname : "index.html");
    answer.writeHead(200, { "content-type": TYPES[extname(path)] });
    answer.end(readFileSync(path));
  }

  async close() {
    this.cut();
    this.http.closeAllConnections();
    await new Promise((done) => this.http.close(done));
  }
}
