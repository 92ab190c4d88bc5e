/** What add-ons send, in the shapes in which it comes: manifests, jobs, rows, cells, answers, texts to take away. */
import { describe, expect, it } from "vitest";

import { bodiesOf, bodyOf, offered, readAction, refusedWords, sectionsOf } from "./actions";
import { readTold } from "./ask";
import { cell, compare, phaseWords, readColumn, time, toneOf } from "./cell";
import { compose, enrolment, environment, installer, masked, readAsked, readPlatforms, run, serviceOf, shell, yaml } from "./compose";
import { readFrame } from "./reading";
import { records, roomOf, update } from "./jobs";
import { deep, fill, readManifest } from "./manifest";
import { flatten, matches, readTree, smartRows, sorted } from "./rows";
import { placeOf } from "../route";

const NOW = Date.parse("2026-11-20T12:00:00Z");

describe("a manifest", () => {
  it("of another's making never breaks the page", () => {
    for (const text of ["", "null", "[]", "{", '{"pages":7}', '{"pages":[]}']) expect(readManifest(text)).toBe(null);
    const odd = readManifest('{"name":7,"pages":[{"id":1,"components":[null,{"type":{},"config":[]},{"type":"x","id":"y","config":{"source":"s"}}],"page_config":"no"}]}');
    expect(odd?.pages[0]?.parts.map(({ type, id, source }) => [type, id, source])).toEqual([["", "part-0", ""], ["x", "y", "s"]]);
    expect(odd?.name).toBe("7");
  });
  it("what an object does not have itself is not there", () => expect([deep({}, "constructor.name"), deep({ a: [{ b: 2 }] }, "a.0.b")]).toEqual([undefined, 2]));
  it("placeholders", () => expect(fill("{row.name} of {pool}, {row.constructor}", { name: "a", pool: 3 })).toBe("a of 3, "));
  it("paths", () => {
    expect(placeOf("/addons/2/new%20job")).toEqual({ name: "addon", id: "2", page: "new job" });
    expect(placeOf("/addons/x").name).toBe("nowhere");
    expect(placeOf("/settings/alerts")).toEqual({ name: "settings", topic: "alerts" });
  });
});

describe("frames", () => {
  it("are read or passed over", () => {
    expect(readFrame("log", '{"addon_id":2,"type":"log","payload":{"a":1}}', 1)).toEqual({ type: "log", payload: { a: 1 }, arrived: 1 });
    expect(readFrame("log", "{", 1)).toBe(null);
    expect(readFrame("other", '{"type":"weather","payload":null}', 1)?.type).toBe("weather");
  });
  it("answers in any shape have their items", () => {
    expect(readTold({ source: "x", items: [{ a: 1 }, 2] }).items).toEqual([{ a: 1 }]);
    expect(readTold({ source: "x", value: { pools: [{ b: 1 }] } }).items).toEqual([{ b: 1 }]);
    expect(readTold([{ c: 1 }]).items).toEqual([{ c: 1 }]);
    expect(readTold({ source: "x", items: [{ a: 1 }], stale: true })).toEqual({ items: [{ a: 1 }], value: [{ a: 1 }], stale: true });
    expect(readTold([{ stale: true }]).stale).toBe(false);
    expect(readTold({ source: "config", value: { max: 3 } }).value).toEqual({ max: 3 });
  });
});

describe("jobs", () => {
  const raw = { job_id: "j", command: "burnin", phase: "WRITE", percent: 42.5, speed_mbps: 187, temp_c: 38, eta_sec: 9000, elapsed_sec: 60 };
  it("tell phase, throughput, temperature and time left", () => expect(update(undefined, raw, NOW)).toMatchObject({ percent: 42.5, speed: "187\u00a0MB/s", temperature: 38, eta: "about 2\u00a0h 30\u00a0min", state: "running", phases: [{ name: "WRITE", percent: 42.5 }] }));
  it("as the document has them", () => expect(update(undefined, { job_id: "j", phase: "p", percent: 1, eta: "2h", message: "Writing to /dev/sda", bytes_done: 5e11, bytes_total: 1e12 }, NOW)).toMatchObject({ eta: "2h", message: "Writing to /dev/sda", moved: "500.0\u00a0GB of 1.0\u00a0TB" }));
  it("phases are kept in the order in which they came, each once, and not without end", () => {
    let job = update(undefined, { ...raw, phase: "A" }, NOW);
    for (const phase of ["B", "A", "C"]) job = update(job, { ...raw, phase }, NOW);
    expect(job.phases.map(({ name }) => name)).toEqual(["A", "B", "C"]);
    for (let i = 0; i < 200; i++) job = update(job, { ...raw, phase: `x${i}` }, NOW);
    expect(job.phases.length).toBe(24);
  });
  it("what ended is no longer running, and says how", () => {
    expect(update(undefined, { ...raw, phase: "COMPLETE", percent: 99.9, status: "failed", fail_reason: "2 blocks" }, NOW)).toMatchObject({ state: "failed", message: "2 blocks", eta: "", speed: "" });
    expect(update(undefined, { ...raw, phase: "COMPLETE", percent: 100 }, NOW).state).toBe("completed");
    expect(update(undefined, { ...raw, phase: "SMART_EXTENDED", percent: 100 }, NOW).state).toBe("running");
    expect(update(undefined, { status: "canceled" }, NOW).state).toBe("cancelled");
  });
  it("per cent stay between 0 and 100", () => expect([update(undefined, { percent: 140 }, NOW).percent, update(undefined, { percent: -3 }, NOW).percent, update(undefined, { percent: "x" }, NOW).percent]).toEqual([100, 0, null]));
  it("texts that differ in figures alone take the same room", () => expect([roomOf("9.7\u00a0%"), roomOf("after 17 min"), roomOf("")]).toEqual(["0.0\u00a0%", "after 00 min", ""]));
  it("lists in any shape", () => expect([records([raw, 3]).length, records({ jobs: [raw] }).length, records(raw).length, records({}).length]).toEqual([1, 1, 1, 0]));
});

describe("rows", () => {
  const smart = { 5: { name: "Reallocated_Sector_Ct", baseline: 0, current: 8 }, 194: { name: "Temperature", baseline: 30, current: 28 } };
  it("SMART by number, as rows, or inside a job", () => {
    expect(smartRows(smart).map(({ id, delta }) => [id, delta])).toEqual([["5", 8], ["194", -2]]);
    expect(smartRows([{ id: 5, before: 1, after: 4, drive: "sda" }])[0]).toMatchObject({ baseline: 1, current: 4, delta: 3, drive: "sda" });
    expect(smartRows([{ job_id: "j", smart_deltas: smart }])[0]).toMatchObject({ job_id: "j", id: "5", delta: 8 });
    expect(smartRows([{ id: 9, raw: { value: 12, string: "12" } }])[0]).toMatchObject({ raw: 12, current: 12 });
  });
  it("order: numbers as numbers, nothing last in both directions, equal ones as they came", () => {
    const rows = [{ n: 10, i: 1 }, { n: 9 }, { n: null }, { n: 10, i: 2 }];
    expect(sorted(rows, { key: "n", down: false }).map(({ n }) => n)).toEqual([9, 10, 10, null]);
    expect(sorted(rows, { key: "n", down: true })).toEqual([rows[0], rows[3], rows[1], rows[2]]);
    expect(["disk10", "disk9"].sort(compare)).toEqual(["disk9", "disk10"]);
  });
  it("filter: every word, in the keys that are meant", () => {
    expect(matches({ a: "Tank", b: "x" }, "tan X", [])).toBe(true);
    expect(matches({ a: "Tank", b: "x" }, "x", ["a"])).toBe(false);
  });
  it("trees: nested or by parent, closed branches left out, circles drawn once", () => {
    const tree = readTree({ parent_key: "p", id_key: "id" }, "");
    const rows = [{ id: "c", p: "b" }, { id: "a" }, { id: "b", p: "a" }, { id: "x", p: "y" }, { id: "y", p: "x" }];
    expect(flatten(rows, tree, () => true, "id", null).map(({ data, depth }) => `${String(data["id"])}${depth}`)).toEqual(["a0", "b1", "c2"]);
    expect(flatten(rows, tree, () => false, "id", null).map(({ data }) => data["id"])).toEqual(["a"]);
    const parts = readTree({ key: "name", separator: "/" }, "");
    expect(flatten([{ name: "tank/a/x" }, { name: "tank" }, { name: "tank/a" }, { name: "tanker" }, { name: "tank/b/y" }], parts, () => true, "name", null).map(({ depth, data }) => [depth, data["name"]]))
      .toEqual([[0, "tank"], [1, "tank/a"], [2, "tank/a/x"], [1, "tank/b/y"], [0, "tanker"]]);
    const nested = readTree(true, "children");
    expect(flatten([{ id: 1, children: [{ id: 2 }] }], nested, () => true, "id", null).map(({ depth }) => depth)).toEqual([0, 1]);
  });
});

describe("a row that is chosen", () => {
  const keys = (rows: { [key: string]: unknown }[], order: Parameters<typeof flatten>[4]) => new Map(flatten(rows, null, () => true, "", order).map(({ key, data }) => [key, data]));
  it("stays the same row in another order, also without a name and with another's name", () => {
    for (const rows of [[{ size: 2 }, { size: 1 }], [{ name: "sda", size: 2 }, { name: "sda", size: 1 }], [{ size: 1 }, { size: 1 }]]) {
      const [as, up] = [keys(rows, null), keys(rows, { key: "size", down: false })];
      expect(as.size).toBe(2);
      for (const [key, data] of up) expect(as.get(key)).toEqual(data);
    }
  });
});

describe("cells", () => {
  const text = (value: unknown, format: string, more = {}) => cell(value, { ...readColumn({ key: "k", format, ...more }) }, NOW).text;
  it.each([
    ["bytes", 4e12, "4\u00a0TB"], ["bytes", "512", "512\u00a0B"], ["bytes", null, "–"], ["percent", 61.44, "61.4\u00a0%"], ["duration", 7200, "2\u00a0h"], ["duration", "3 days", "3 days"],
    ["relative_time", "2026-11-20T11:46:00Z", "14\u00a0min ago"], ["relative_time", null, "never"], ["relative_time", NOW / 1000 + 3600, "in 1\u00a0h"], ["boolean", "true", "yes"], ["warning_badge", 0, "0"], ["", [1, 2], "1, 2"], ["", "", "–"],
  ])("%s of %j", (format, value, words) => expect(text(value, format)).toBe(words));
  it("a suffix, and a badge by the manifest's own words", () => {
    expect(text(14, "", { suffix: " snapshots" })).toBe("14 snapshots");
    expect(cell("FAULTED", readColumn({ key: "h", badge: { FAULTED: "danger" } }), NOW)).toMatchObject({ text: "FAULTED", tone: "fail", as: "badge" });
    expect(cell("resting", readColumn({ key: "h", format: "badge" }), NOW)).toMatchObject({ tone: "info" });
  });
  it("a phase as code calls it is told in words, one in words as it is", () => {
    expect(["SMART_SHORT", "WRITE", "BADBLOCKS_4_OF_4", "Phase 2: read", "self_test"].map(phaseWords)).toEqual(["SMART short", "Write", "Badblocks 4 of 4", "Phase 2: read", "Self test"]);
  });
  it("tones of words, times of all kinds", () => {
    expect([toneOf("ONLINE"), toneOf("Degraded"), toneOf("failed"), toneOf("offline"), toneOf("constructor")]).toEqual(["pass", "warn", "fail", "inc", null]);
    expect([time(1700000000), time(1700000000000), time("0001-01-01T00:00:00Z"), time("x"), time(0)]).toEqual([1700000000000, 1700000000000, null, null, null]);
  });
});

describe("a page's choice of an agent", () => {
  it("is switched on by a truth value or an object", () => {
    const of = (agent_selector: unknown) => readManifest(JSON.stringify({ pages: [{ id: "p", page_config: { agent_selector } }] }))?.pages[0]?.agents;
    expect([true, {}, { source: "/api/hosts" }, { enabled: false }, false, null, undefined].map(of)).toEqual(["addon_agents", "addon_agents", "/api/hosts", "", "", "", ""]);
  });
});

describe("actions", () => {
  it("how much they may do", () => {
    expect(readAction({ id: "a", safety_tier: "red" }).tier).toBe("destructive");
    expect(readAction({ type: "delete", id_key: "agent_id", label: "x" })).toMatchObject({ name: "delete", tier: "destructive" });
    expect(readAction({ id: "a", safety: "read" }).tier).toBe("read");
    expect(readAction({ id: "scrub", action: { method: "POST", endpoint: "/api/scrub" } })).toMatchObject({ name: "scrub", tier: "write" });
  });
  it("what they send for a row", () => {
    const row = { name: "tank", id: 7, size: 3 };
    expect(bodyOf(readAction({ id: "a", action: { endpoint: "/api/pools/{row.name}", body: { op: "start" }, body_map: { pool: "row.id" } } }), row, "")).toEqual({ op: "start", name: "tank", pool: 7 });
    expect(bodyOf(readAction({ id: "a" }), row, "name")).toEqual({ name: "tank", row });
    expect(bodyOf(readAction({ type: "delete", id_key: "id" }), row, "")).toEqual({ id: 7 });
  });
  it("what they send for the chosen rows: one request a row where they are about one", () => {
    const rows = [{ name: "a", id: 1 }, { name: "b", id: 2 }];
    expect(bodiesOf(readAction({ id: "scrub", action: { endpoint: "/api/pools/{row.name}/scrub", body: { deep: true } } }), rows, true, "id")).toEqual([{ deep: true, name: "a" }, { deep: true, name: "b" }]);
    expect(bodiesOf(readAction({ id: "scrub", action: { endpoint: "/api/scrub", body_map: { pool: "row.name" } } }), rows, true, "id")).toEqual([{ pool: "a" }, { pool: "b" }]);
    expect(bodiesOf(readAction({ id: "scrub", action: { endpoint: "/api/scrub", body: { deep: true } } }), rows, true, "id")).toEqual([{ deep: true, id: [1, 2], rows }]);
    expect(bodiesOf(readAction({ id: "scrub" }), [], false, "")).toEqual([{}]);
  });
  it("forms in parts, and what is said afterwards", () => {
    const action = readAction({ id: "a", label: "Go", hidden: true, form: { title: "T", sections: [
      { title: "One", fields: [{ key: "x", value_from: "row.size" }] }, { title: "None", fields: [] }, { label: "Two", visible_when: "x=3", fields: [{ name: "y" }] }] }, confirm: { success_message: "Went", error_message: "No: {error}" } });
    expect(sectionsOf(action, { size: 3 }).map(({ title, fields }) => [title, fields.map(({ name, fallback }) => [name, fallback])])).toEqual([["One", [["x", 3]]], ["Two", [["y", undefined]]]]);
    expect(sectionsOf(action, {})[1]?.fields[0]?.when).not.toBe(null);
    expect(action).toMatchObject({ hidden: true, done: "Went", failed: "No: {error}", confirm: null });
    expect(readAction({ id: "a", confirm: { message: "Sure?", success_message: "Went" } }).confirm).not.toBe(null);
    const problem = { type: "x", status: 409, title: "Busy", detail: "until noon" };
    expect(refusedWords(action, [{ subject: "tank", problem }], 1)).toEqual({ type: "x", status: 409, title: "No: Busy: until noon", detail: "" });
    expect(refusedWords(readAction({ id: "a", label: "Go" }), [{ subject: "tank", problem }], 1)).toEqual(problem);
    expect(refusedWords(action, [{ subject: "tank", problem }], 3)).toMatchObject({ title: "Go: 1 of 3 not done", detail: "tank: Busy: until noon" });
  });
  it("for which rows they are offered", () => {
    const action = readAction({ id: "a", visible_when: { field: "row.state", equals: "running" } });
    expect([offered(action, { state: "running" }), offered(action, { state: "done" })]).toEqual([true, false]);
  });
});

describe("texts to take away", () => {
  it("the exact lines", () => expect(environment(enrolment("http://box:7000", 3, "ab12"))).toBe("VIGIL_SERVER_URL=http://box:7000\nVIGIL_ADDON_ID=3\nVIGIL_ADDON_TOKEN=ab12"));
  it("nothing that is typed breaks out of its place", () => {
    expect(shell("a'b; rm -rf /")).toBe("'a'\\''b; rm -rf /'");
    expect([yaml("yes"), yaml("a: b"), yaml("plain-1"), yaml("7:30"), yaml("x\ny")]).toEqual(['"yes"', '"a: b"', "plain-1", '"7:30"', '"x\\ny"']);
    const text = compose({ name: "a", image: "i:1", network: "", privileged: false, ports: ['1:1"\n evil'], volumes: [], named: [], environment: [{ name: "K", value: "a\n  evil: true" }] });
    expect(text.split("\n").some((line) => line.trim().startsWith("evil"))).toBe(false);
  });
  it("what is typed stays what it is, whoever reads it", () => {
    const of = { name: "a", image: "i:1", network: "", privileged: false, ports: [], volumes: [], named: [], environment: [{ name: "K", value: "pa$$w$ORD`x`" }] };
    expect(compose(of)).toContain('K: "pa$$$$w$$ORD`x`"');
    expect(run(of)).toContain("-e 'K=pa$$w$ORD`x`'");
    expect(environment([...of.environment, { name: "A\nB", value: "1" }])).toBe("K='pa$$w$ORD`x`'");
  });
  it("secrets are hidden until they are asked for", () => {
    const asked = readAsked({ KEY: { source: "prefill", secret: true }, HUB: { source: "user_input" }, OWN: { source: "literal", value: "s3cret", secret: true }, NONE: { source: "user_input", secret: true } });
    expect([...masked(asked, new Map([["KEY", "k"], ["HUB", "http://h"]]))]).toEqual([["KEY", "••••••••"], ["HUB", "http://h"], ["OWN", "••••••••"], ["NONE", ""]]);
  });
  it("an installer is where it says, or with the add-on", () => {
    expect(installer("https://example.org/i.sh", "http://hub:9100", "https://box")).toBe("https://example.org/i.sh");
    expect(installer("/install.sh", "http://hub:9100", "https://box")).toBe("http://hub:9100/install.sh");
    expect(installer("/install.sh", "", "https://box")).toBe("https://box/install.sh");
    expect(installer("/install.sh", "no address", "https://box")).toBe("https://box/install.sh");
  });
  it("platforms stand by name or in a list", () => {
    expect(readPlatforms({ linux: { label: "Linux", hint: "h" }, nas: {} })).toEqual([["Linux", { label: "Linux", hint: "h" }], ["nas", {}]]);
    expect(readPlatforms(["linux/amd64", { name: "arm" }, {}, 7])).toEqual([["linux/amd64", {}], ["arm", { name: "arm" }], ["3", {}], ["7", {}]]);
    expect([readPlatforms(null), readPlatforms("linux"), readPlatforms([])]).toEqual([[], [], []]);
  });
  it("a platform may say otherwise, optional values are left out", () => {
    const docker = { image: "r/x", network_mode: "bridge", environment: { A: { source: "user_input", optional: true }, B: { source: "literal", value: "1" } } };
    expect(serviceOf(docker, "2", { network_mode: "host" }, new Map())).toMatchObject({ name: "x", image: "r/x:2", network: "host", environment: [{ name: "B", value: "1" }] });
  });
});
