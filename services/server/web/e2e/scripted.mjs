/** A scripted add-on: a manifest with every component, a WebSocket that sends what a test says, an HTTP port that answers sources. */
import { createServer } from "node:http";

import { connect } from "./socket.mjs";

/** Text that must stay text, wherever it stands. */
export const HOSTILE = `<img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script>"'{{7*7}}\${7*7}javascript:alert(1)`;

export const MANIFEST = {
  name: "Bench helper", version: "2.1.0", description: "A scripted add-on with one of each", docker_image: "registry.example/bench-helper:2.1.0",
  pages: [
    { id: "main", title: "Dashboard", icon: "activity", components: [
      { type: "progress", id: "active-jobs", title: "Active jobs", source: "active_jobs", config: { multi: true, show_phase: true, show_eta: true, show_speed: true, show_temperature: true, cancel: { enabled: true, endpoint: "/api/jobs/{job_id}", method: "DELETE", confirm_message: "The pass begins anew if you start it again." } } },
      { type: "chart", id: "drive-temperature", title: "Drive temperature", source: "chart_history", config: { datasets: [{ key: "temp_c", label: "Hottest drive", yAxis: "left" }, { key: "mbps", label: "Throughput", yAxis: "right", fill: true }], yAxes: { left: { title: "Temperature", unit: "°C" }, right: { title: "Throughput", unit: "MB/s", min: 0 } }, thresholds: [{ value: 45, label: "Warning" }], maxPoints: 600, height: 240 } },
      { type: "chart", id: "verdicts", title: "Verdicts by week", config: { type: "bar", labels: ["W44", "W45", "W46", "W47"], datasets: [{ label: "Burned in", data: [4, 7, 3, 9], fill: "origin", backgroundColor: ["teal"] }], height: 240 } },
      { type: "smart-table", id: "smart-deltas", title: "SMART changes", source: "smart_deltas", config: { columns: ["ID", "Attribute", "Baseline", "Current", "Delta"], highlight_deltas: true, critical_ids: [5, 197, 198], sortable: true } },
      { type: "log-viewer", id: "logs", title: "Live log", source: "log_history", config: { max_lines: 5000, levels: ["info", "warn", "error"], show_timestamp: true, show_source: true, filterable_by_job: true } },
    ] },
    { id: "new", title: "New job", icon: "plus-circle", components: [
      { type: "form", id: "job-form", title: "Start a job", config: { action: "execute", submit_label: "Start the job", fields: [
        { name: "command", label: "What to do", type: "select", required: true, options: [{ value: "burnin", label: "Burn in" }, { value: "check", label: "Only read" }, { value: "__custom__", label: "Something else…" }], custom_placeholder: "name of the command" },
        { name: "agent_id", label: "Agent", type: "select", required: true, source: "addon_agents", placeholder: "Choose an agent" },
        { name: "target", label: "Drive", type: "select", required: true, source: "agent_drives", depends_on: "agent_id", placeholder: "Choose a drive" },
        { name: "passes", label: "Passes", type: "number", default: 2, min: 1, max: 8, step: 1, required: true },
        { name: "gigabytes", label: "Size", type: "number", default: 4000, min: 1, unit: "GB" },
        { name: "hours", label: "About", type: "number", unit: "h", live_calculation: "round(passes * gigabytes * 2 / 3.6 / 180, 1)" },
        { name: "share", label: "Reserved space", type: "range", min: 0, max: 50, step: 1, default: 5, unit: "%", visible_when: { command: ["burnin"] } },
        { name: "abort", label: "Stop at the first error", type: "toggle", default: true },
        { name: "note", label: "Note", type: "text", hint: "Stands in the job's report.", visible_when: "passes>=3" },
        { name: "origin", type: "hidden", default: "dashboard" },
        { name: "confirm_destructive", label: "I understand that all data on this drive is lost.", type: "checkbox", security_gate: true, visible_when: { command: ["burnin"] } },
      ] } },
      { type: "form", id: "settings-form", title: "Configuration", config: { action: "config", submit_label: "Save", layout: "inline", fields: [
        { name: "max_temp", label: "Pause above", type: "number", unit: "°C", min: 30, max: 70, default: 50 }, { name: "label", label: "Name of the rack", type: "text" },
      ] } },
    ] },
    { id: "pools", title: "Pools", icon: "database", page_config: { agent_selector: true, refresh: { manual: true, auto_options: [{ value: 60, label: "1 minute" }] } }, components: [
      { type: "smart-table", id: "pool-list", title: "Pools", source: "/api/pools", config: {
        columns: [{ key: "name", label: "Pool" }, { key: "health", label: "Health", format: "badge" }, { key: "size", label: "Size", format: "bytes" }, { key: "used", label: "Used", format: "percent" }, { key: "scrub", label: "Last scrub", format: "relative_time" }, { key: "took", label: "Took", format: "duration" }, { key: "errors", label: "Errors", format: "warning_badge" }, { key: "host", label: "Host", format: "status_dot" }],
        sortable: true, default_sort: { key: "name", direction: "asc" }, filterable: true, filter_keys: ["name", "health"], expandable: true, expand_key: "vdevs", selectable: true, key_field: "name", page_size: 25,
        row_actions: [{ id: "scrub", label: "Scrub", safety: "write", confirm: { message: "Read every block of {row.name}?", button_label: "Start the scrub" } }, { id: "destroy", label: "Destroy", safety: "destructive", confirm: { message: "The pool {row.name} and all its data are gone." } }],
        toolbar_actions: [{ id: "refresh", label: "Look again", safety: "read" }], bulk_actions: [{ id: "scrub_all", label: "Scrub these", safety: "write" },
          { id: "trim_each", label: "Trim these", safety: "write", action: { method: "POST", endpoint: "/api/pools/{row.name}/trim" }, confirm: { success_message: "The trim began." },
            form: { title: "Trim", sections: [{ title: "How", fields: [{ key: "rate", label: "Rate", type: "number", default: 50, unit: "%" }] }] } },
          { id: "unseen", label: "Never drawn", hidden: true }],
      } },
      { type: "smart-table", id: "datasets", title: "Datasets", source: "/api/datasets", config: { columns: [{ key: "name", label: "Dataset" }, { key: "used", label: "Used", format: "bytes" }], tree: { parent_key: "parent", id_key: "name" }, key_field: "name" } },
    ] },
    { id: "deploy", title: "Deploy", icon: "server", components: [
      { type: "config-card", id: "config", title: "Configuration", source: "config", config: { labels: { max_temp: "Pause above", label: "Name of the rack" }, link_page: "new" } },
      { type: "disk-storage", id: "storage", title: "Disk space", source: "/api/disk_storage", config: { aliases: { d1: "Films" }, thresholds: { warning: 80, critical: 90 } } },
      { type: "discovery-card", id: "found", title: "New disks", source: "/api/disks", config: { poll_interval_seconds: 15, target_table: "pool-list" } },
      { type: "deploy-wizard", id: "wizard", title: "Add an agent", config: { target_label: "Agent", prefill_endpoint: "/api/deploy-info", docker: { image: "registry.example/agent", default_tag: "latest", container_name: "bench-agent", network_mode: "host", privileged: true, volumes: ["/dev:/dev"], environment: { HUB_URL: { source: "prefill", key: "hub_url", label: "Address of the hub" }, AGENT_ID: { source: "user_input", label: "Name of the agent", placeholder: "bench-2" }, TZ: { source: "literal", value: "UTC" }, PSK: { source: "user_input", label: "Key of the hub", secret: true, optional: true } }, platforms: { linux: { label: "Linux", hint: "Paste it on the machine with the drives." } } } } },
    ] },
  ],
};

/** Every text of a manifest made hostile. */
export const hostile = () => ({
  name: "hostile", version: "1.0", description: HOSTILE,
  pages: [{ id: "p", title: HOSTILE, icon: HOSTILE, components: [
    { type: "progress", id: "jobs", title: HOSTILE, config: {} },
    { type: "form", id: "form", title: HOSTILE, config: { action: "go", submit_label: HOSTILE, fields: [{ name: "a", label: HOSTILE, type: "text", placeholder: HOSTILE, hint: HOSTILE, default: HOSTILE }, { name: "b", label: HOSTILE, type: "select", options: [{ value: HOSTILE, label: HOSTILE }] }] } },
    { type: "smart-table", id: "table", title: HOSTILE, source: "telemetry", config: { columns: [{ key: "a", label: HOSTILE }, { key: "__proto__", label: "p" }, { key: "constructor", label: "c", format: "badge" }] } },
    { type: "chart", id: "chart", title: HOSTILE, config: { datasets: [{ key: "k", label: HOSTILE, color: "url(javascript:alert(1))" }] } },
    { type: "log-viewer", id: "logs", title: HOSTILE, config: {} },
    { type: "config-card", id: "card", title: HOSTILE, source: "config", config: { labels: { x: HOSTILE }, link_page: "p" } },
  ] }],
});

/** What its HTTP port answers. */
const HOURS = 3600_000;
const ANSWERS = {
  "/api/agents": () => [
    { agent_id: "node1", hostname: "bench-1", arch: "amd64", status: "online", drives: [
      { path: "/dev/disk/by-id/ata-WD80-A", model: "WDC WD80EFZX", serial: "VK0A11", capacity_bytes: 8001563222016, is_os_drive: false },
      { path: "/dev/disk/by-id/ata-SSD-B", model: "Samsung 870", serial: "S5PX22", capacity_bytes: 500107862016, is_os_drive: true } ] },
    { agent_id: "node2", hostname: "bench-2", arch: "arm64", status: "offline", drives: [] },
  ],
  "/api/config": () => ({ max_temp: 48, label: "Rack 3" }),
  "/api/pools": () => [
    { name: "tank", health: "ONLINE", size: 4e12, used: 61.4, scrub: new Date(Date.now() - 30 * HOURS).toISOString(), took: 25_300, errors: 0, host: "online", vdevs: [{ name: "sda", state: "ONLINE", capacity_bytes: 2e12 }, { name: "sdb", state: "ONLINE", capacity_bytes: 2e12 }] },
    { name: "backup", health: "DEGRADED", size: 12e12, used: 93, scrub: new Date(Date.now() - 900 * HOURS).toISOString(), took: 91_000, errors: 3, host: "offline", vdevs: [] },
    { name: "scratch", health: "ONLINE", size: 5e11, used: 2, scrub: null, took: null, errors: 0, host: "online", vdevs: [] },
  ],
  "/api/datasets": () => [{ name: "tank", used: 2e12 }, { name: "tank/films", parent: "tank", used: 1.5e12 }, { name: "tank/films/old", parent: "tank/films", used: 5e11 }, { name: "tank/mail", parent: "tank", used: 2e10 }],
  "/api/disk_storage": () => [{ name: "d1", used: 3.2e12, total: 4e12 }, { name: "d2", used: 7.6e12, total: 8e12 }, { name: "parity", used: 1e12, total: 8e12 }],
  "/api/disks": () => [{ name: "sdq", path: "/dev/sdq", model: "ST8000VN004", serial: "WSD1AB", size: 8001563222016, status: "new" }],
  "/api/deploy-info": () => ({ hub_url: "http://192.168.1.20:9100" }),
  "/api/jobs/active": (addon) => addon.active,
  // It keeps no history of its own.
  "/api/jobs/history": () => [], "/api/smart/deltas": () => [], "/api/chart/history": () => [], "/api/logs/history": () => [],
};

export class ScriptedAddon {
  /** What reached its HTTP port: method, path, body. */
  asked = [];
  /** Commands that came down the WebSocket. */
  commands = [];
  /** What its HTTP port says that runs. */
  active = [];
  /** Whether its HTTP port answers nobody. */
  away = false;

  async listen() {
    this.http = createServer((request, answer) => {
      if (this.away) {
        request.socket.destroy();
        return;
      }
      let body = "";
      request.on("data", (piece) => (body += piece));
      request.on("end", () => {
        const path = new URL(request.url, "http://x").pathname;
        this.asked.push({ method: request.method, path, body: body === "" ? null : JSON.parse(body), headers: request.headers });
        const found = request.method === "GET" ? ANSWERS[path] : () => ({ status: "accepted", job_id: "job-7" });
        answer.writeHead(found ? 200 : 404, { "content-type": "application/json" });
        answer.end(JSON.stringify(found ? found(this) : { error: "nothing here" }));
      });
    });
    await new Promise((done) => this.http.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.http.address().port}`;
  }

  /** Connects as the document says: number and token, the manifest as the first frame. */
  async connect(box, id, token, manifest) {
    this.socket = await connect(`${box.url.replace("http", "ws")}/api/addons/ws?addon_id=${id}`, { Authorization: `Bearer ${token}` }, (text) => {
      const { type, payload } = JSON.parse(text);
      if (type !== "command") return;
      this.commands.push(payload);
      this.send("result", { request_id: payload.request_id, status: 200, data: { status: "accepted", job_id: "job-7" } });
    });
    if (manifest) this.send("manifest", manifest);
    this.send("heartbeat", null);
  }

  send(type, payload) {
    this.socket.send(JSON.stringify({ type, payload }));
  }

  progress(job, percent, more = {}) {
    this.send("progress", { job_id: job, agent_id: "node1", command: "burnin", phase: "WRITE", phase_detail: "pattern 2 of 4", percent, speed_mbps: 187, temp_c: 38, elapsed_sec: 5400, eta_sec: 9000, message: "", ...more });
  }

  log(level, message, more = {}) {
    this.send("log", { component_id: "logs", level, message, source: "node1", job_id: "burnin-sda", timestamp: new Date().toISOString(), ...more });
  }

  async close() {
    this.socket?.close();
    await new Promise((done) => (this.http ? this.http.close(done) : done()));
  }
}
