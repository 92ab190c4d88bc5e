/**
 * Add-ons in Chromium against the real server and a scripted add-on over a real WebSocket and a real HTTP port: the list
 * and its dialogs, every component, the gate, a hostile manifest, a thousand log lines a second.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { Box, until } from "./box.mjs";
import { arrive, inspect, visit } from "./browser.mjs";
import { hostile, HOSTILE, MANIFEST, ScriptedAddon } from "./scripted.mjs";
import { connect } from "./socket.mjs";
import { assert, tester } from "./test.mjs";

const PASSWORD = "correct horse battery";

/** Claims a box and logs a page in. */
export async function enter(page, box) {
  await page.goto("/");
  await page.getByLabel("Claim code").fill(box.code);
  await page.getByLabel("Your name").fill("mara");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Password, again").fill(PASSWORD);
  await page.getByRole("button", { name: "Claim this box" }).click();
  await page.getByRole("navigation").first().waitFor();
}

/** Registers an add-on over the API, as the dialog does. */
export async function register(page, name, url = "") {
  const post = async (path, data) => {
    const answer = await page.request.post(path, { data, headers: { "X-Requested-With": "XMLHttpRequest" } });
    if (!answer.ok()) throw new Error(`${path}: ${answer.status()} ${await answer.text()}`);
    return answer.json();
  };
  const { token } = await post("/api/addons/tokens", { name });
  const { addon } = await post("/api/addons/register", { name, url, token });
  return { id: addon.id, token };
}

/** The round of one width. */
export async function addons(browser, width, scheme, count) {
  const box = new Box();
  const addon = new ScriptedAddon();
  const plain = new ScriptedAddon();
  let page, context, complaints;
  const test = tester(width, count, () => ({ page, complaints, box }));
  const shot = (name) => inspect(page, `addon-${name}-${width}`);
  const panel = (title) => page.locator(".panel", { has: page.getByRole("heading", { name: title, exact: true }) });
  let id, token;
  try {
    await box.open();
    await addon.listen();
    ({ page, context, complaints } = await visit(browser, box.url, width, scheme));
    await enter(page, box);

    await test("add-ons: a new one gets its number and token, shown once, with what to paste", async () => {
      await page.goto("/addons");
      await page.getByRole("heading", { name: "Add-ons", exact: true }).waitFor();
      await page.getByRole("button", { name: "Add an add-on…" }).click();
      const dialog = page.getByRole("dialog");
      const choose = async (name, text) => {
        writeFileSync(join(box.dir, name), text);
        await dialog.getByLabel("Manifest").setInputFiles(join(box.dir, name));
      };
      await choose("text.json", "{ no json");
      await dialog.getByText(/The file is not JSON/).waitFor();
      await choose("hologram.json", JSON.stringify({ ...MANIFEST, pages: [{ ...MANIFEST.pages[0], components: [{ type: "hologram", id: "x", title: "x" }] }] }));
      await dialog.getByText(/hologram.json is read/).waitFor();
      await dialog.getByLabel("Name").fill("Bench helper");
      await dialog.getByLabel("Address").fill(addon.url);
      await dialog.getByRole("button", { name: "Register it" }).click();
      await dialog.locator(".problem").getByText(/pages\[0\]\.components\[0\]\.type/).waitFor();
      assert("nothing was made of a bad manifest", (await (await page.request.get("/api/addons")).json()).length === 1);
      await until("its token to be gone", async () => (await (await page.request.get("/api/addons/tokens")).json()).every((one) => one.addon_id !== null));
      await choose("manifest.json", JSON.stringify(MANIFEST));
      await dialog.getByText(/manifest.json is read; the box checks it/).waitFor();
      await shot("new");
      await dialog.getByRole("button", { name: "Register it" }).click();
      await dialog.getByText("may connect now").waitFor();
      token = await dialog.locator(".tokn").textContent();
      id = Number(await dialog.locator(".big").textContent());
      assert("the token has 64 digits", /^[0-9a-f]{64}$/.test(token));
      const lines = await dialog.locator("pre").first().textContent();
      assert("the exact lines", lines === `VIGIL_SERVER_URL=${box.url}\nVIGIL_ADDON_ID=${id}\nVIGIL_ADDON_TOKEN=${token}`);
      assert("the compose file names the image", (await dialog.locator("pre").nth(1).textContent()).includes("image: registry.example/bench-helper:2.1.0"));
      await shot("token");
      await dialog.getByRole("button", { name: "I have copied it" }).click();
      await page.getByRole("link", { name: "Bench helper" }).waitFor();
      assert("the token is nowhere any more", !(await page.content()).includes(token));
    });

    await test("add-ons: Offline, then Online as soon as it connects, without a reload", async () => {
      const card = page.locator(".addon-card", { has: page.getByRole("link", { name: "Bench helper" }) });
      await card.getByText("Offline").waitFor();
      await addon.connect(box, id, token);
      await card.getByText("Online").waitFor();
      addon.send("progress", { job_id: 7, percent: "lots" });
      await until("the complaint", async () => {
        const items = (await (await page.request.get(`/api/v1/addons/${id}/sources/log_history?component=`)).json()).items ?? [];
        return items.some((line) => line.source === "server");
      });
      await card.getByText("What was refused").click();
      await card.getByText(/percent|job_id/).first().waitFor();
      await shot("list");
    });

    await test("a page that was answered for before the manifest came is drawn all the same", async () => {
      // As if the manifest came between the answer and the begin of the page's stream.
      await page.route(`**/api/addons/${id}`, async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, json: { ...(await answer.json()), has_manifest: false } });
      }, { times: 1 });
      await page.goto(`/addons/${id}`);
      await page.getByRole("heading", { name: "Active jobs" }).waitFor();
    });

    await test("progress: phases, time left, throughput, temperature, several jobs, cancel", async () => {
      await page.goto(`/addons/${id}`);
      await page.getByRole("heading", { name: "Active jobs" }).waitFor();
      await page.getByText("Nothing runs.").waitFor();
      // Of one that sends no frames the page asks while something runs.
      const jobs = panel("Active jobs");
      addon.active = [{ job_id: "polled", status: "running", progress_percent: 10 }];
      await page.reload();
      await jobs.getByText("10.0\u00a0%").waitFor();
      addon.active = [{ job_id: "polled", status: "running", progress_percent: 11 }];
      await jobs.getByText("11.0\u00a0%").waitFor();
      addon.active = [];
      await jobs.getByText("not listed").waitFor();
      await page.reload();
      await page.getByText("Nothing runs.").waitFor();
      addon.progress("burnin-sda", 3, { phase: "SMART_SHORT", phase_detail: "short self-test" });
      addon.progress("burnin-sda", 42.5, { smart_deltas: { 5: { name: "Reallocated_Sector_Ct", baseline: 0, current: 8 }, 9: { name: "Power_On_Hours", baseline: 1200, current: 1202 }, 197: { name: "Current_Pending_Sector", baseline: 0, current: 0 } } });
      addon.progress("burnin-sdb", 71.2, { phase: "READ", phase_detail: "pattern 3 of 4", temp_c: 44, speed_mbps: 204 });
      addon.progress("burnin-sdc", 99.9, { phase: "COMPLETE", phase_detail: "", status: "failed", message: "2 blocks could not be read" });
      await jobs.getByText("42.5\u00a0%").waitFor();
      const row = jobs.locator(".ajob", { hasText: "burnin-sda" });
      for (const fact of ["SMART short", "Write", "187", "38", "left", "pattern 2 of 4"]) assert(`the job tells ${fact}`, (await row.textContent()).includes(fact));
      addon.progress("burnin-sdb", 71.9, { phase: "READ", phase_detail: `pattern 3 of 4, at block 1111111111${" of 2222222222 on this side".repeat(9)}`, temp_c: 44, speed_mbps: 204 });
      await jobs.getByText("71.9\u00a0%").waitFor();
      addon.progress("burnin-sdb", 71.1, { phase: "READ", phase_detail: `pattern 3 of 4, at block 8888888888${" of 4444444444 on this side".repeat(9)}`, temp_c: 41, speed_mbps: 207 });
      await jobs.getByText("71.1\u00a0%").waitFor();
      const tight = await jobs.locator(".steady > span").evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1).map((one) => one.textContent));
      assert(`texts fit into the room of their like: ${tight.join("; ")}`, tight.length === 0);
      assert("its bar is told to screen readers", (await row.getByRole("progressbar").getAttribute("aria-valuenow")) === "43");
      await jobs.locator(".ajob", { hasText: "burnin-sdc" }).getByText("failed").waitFor();
      assert("what ended is no verdict", !(await jobs.textContent()).includes("PASSED"));
      for (let i = 0; i < 40; i++) addon.send("chart", { component_id: "drive-temperature", key: "temp_c", value: 34 + (i % 9), timestamp: new Date(Date.now() - (40 - i) * 5000).toISOString() });
      for (let i = 0; i < 40; i++) addon.send("chart", { component_id: "drive-temperature", key: "mbps", value: 210 - i, timestamp: new Date(Date.now() - (40 - i) * 5000).toISOString() });
      for (let i = 0; i < 60; i++) addon.log(i % 17 === 0 ? "error" : i % 7 === 0 ? "warning" : "info", `${i % 17 === 0 ? "block 81920 could not be read" : "wrote"} at ${i * 64} MiB`);
      await panel("Drive temperature").locator("canvas").waitFor();
      await panel("Drive temperature").getByRole("img", { name: /Hottest drive 4?3/ }).waitFor();
      await panel("Verdicts by week").locator("canvas").waitFor();
      assert("a chart of its own values has them", await panel("Verdicts by week").getByRole("img", { name: /Burned in 9, between 3 and 9/ }).count() === 1);
      const deltas = panel("SMART changes");
      const hit = deltas.locator("tr.hit");
      await hit.getByText("Reallocated_Sector_Ct").waitFor();
      assert("only what is critical and grew is marked", (await hit.count()) === 1 && (await hit.textContent()).includes("+8"));
      await panel("Live log").locator(".ln.error").first().waitFor();
      await shot("main");
      await row.getByRole("button", { name: /^Cancel/ }).click();
      await page.getByRole("dialog").getByText("The pass begins anew").waitFor();
      await page.getByRole("button", { name: "Cancel the job" }).click();
      await page.getByRole("dialog").waitFor({ state: "detached" });
      const asked = addon.asked.findLast(({ method }) => method === "DELETE");
      assert(`the cancel reached the add-on (${asked?.path})`, asked?.path === "/api/jobs/burnin-sda");
      // Gone, what it said last stays, and is not taken for now.
      addon.away = true;
      addon.socket.close();
      await page.getByText("Offline").first().waitFor();
      await page.reload();
      await jobs.getByText("This is what it said last").waitFor();
      await deltas.getByText("This is what it said last").waitFor();
      await jobs.getByText("burnin-sdb").waitFor();
      await shot("stale");
      addon.away = false;
      await addon.connect(box, id, token);
      await page.getByText("Online").first().waitFor();
      await deltas.getByText("This is what it said last").waitFor({ state: "detached" });
    });

    await test("log: level, job and text filter, pause; 1,000 lines a second stay smooth", async () => {
      const log = panel("Live log");
      await log.getByLabel("At least").selectOption("error");
      await until("only errors", async () => (await log.locator(".ln").count()) > 0 && (await log.locator(".ln:not(.error)").count()) === 0);
      await log.getByLabel("At least").selectOption("");
      await log.getByPlaceholder("Words in a line").fill("at 128 MiB");
      await until("one line", async () => (await log.locator(".ln").count()) === 1);
      await log.getByPlaceholder("Words in a line").fill("");
      await page.evaluate(() => {
        globalThis.longTasks = [];
        new PerformanceObserver((list) => globalThis.longTasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
      });
      const begun = Date.now();
      let sent = 0;
      while (Date.now() - begun < 5000) {
        for (const due = Math.floor(Date.now() - begun); sent < due; sent++) addon.log(sent % 97 === 0 ? "warn" : "info", `line ${sent} of the flood, wrote 64 MiB at 187 MB/s`, sent % 2 ? { job_id: "burnin-sdb" } : {});
        await new Promise((done) => setTimeout(done, 10));
      }
      addon.log("info", "the last of the flood");
      await log.getByText("the last of the flood").waitFor({ timeout: 30_000 });
      assert("only what is in view is drawn", (await log.locator(".ln").count()) < 80);
      const tasks = await page.evaluate(() => globalThis.longTasks);
      console.log(`       ${sent} lines in 5 s: ${tasks.length} long tasks, longest ${Math.round(Math.max(0, ...tasks))} ms`);
      assert("no task holds the page for a second", tasks.every((took) => took < 1000));
      await log.getByLabel("Job").selectOption("burnin-sdb");
      await until("one job's lines", async () => !(await log.locator(".ln").allTextContents()).some((text) => text.includes("the last of the flood")));
      await log.getByLabel("Job").selectOption("");
      await log.locator(".lines").hover();
      await page.mouse.wheel(0, -400);
      await log.getByRole("button", { name: "Follow" }).click();
      await log.getByRole("button", { name: "Pause" }).click();
      const before = await log.locator(".ln").last().textContent();
      for (let i = 0; i < 30; i++) addon.log("info", `while it stands still ${i}`);
      await log.getByRole("button", { name: /Follow, 30 new lines/ }).waitFor();
      assert("nothing moved", (await log.locator(".ln").last().textContent()) === before);
      await log.getByRole("button", { name: /Follow/ }).click();
      await log.getByText("while it stands still 29").waitFor();
    });

    await test("form: dependencies, conditions, calculation, own value, validation", async () => {
      await page.getByRole("link", { name: "New job" }).click();
      const form = panel("Start a job");
      await form.getByLabel("What to do").waitFor();
      assert("a drive waits for an agent", await form.getByLabel("Drive").isDisabled());
      assert("a condition that does not hold hides its field", (await form.getByLabel(/Reserved space/).count()) === 0);
      await form.getByRole("button", { name: "Start the job" }).click();
      await form.getByText("Choose one").first().waitFor();
      await form.getByLabel("Agent").selectOption("node1");
      await until("the agent's drives", async () => (await form.getByLabel("Drive").locator("option").count()) >= 3);
      assert("a drive in use is not offered", await form.getByLabel("Drive").locator("option", { hasText: "Samsung" }).isDisabled());
      await form.getByLabel("Drive").selectOption("/dev/disk/by-id/ata-WD80-A");
      await form.getByLabel(/^Passes/).fill("9");
      await form.getByText("At most 8").waitFor();
      await form.getByLabel(/^Passes/).fill("3");
      await form.getByText("37 h").waitFor();
      await form.getByLabel("Note").waitFor();
      await form.getByLabel("What to do", { exact: true }).selectOption("__custom__");
      await form.getByPlaceholder("name of the command").fill("shred");
      await form.getByLabel("What to do", { exact: true }).selectOption("burnin");
      await form.getByLabel(/Reserved space/).waitFor();
      await shot("form");
      const settings = panel("Configuration");
      await until("the values from the add-on", async () => (await settings.getByLabel(/Pause above/).inputValue()) === "48");
    });

    await test("gate: tick, password, CONFIRM; the box checks all three", async () => {
      const form = panel("Start a job");
      const posts = () => addon.asked.filter(({ path }) => path === "/api/execute");
      await form.getByRole("button", { name: "Start the job" }).click();
      await form.getByText("Tick this to go on").waitFor();
      await form.getByLabel(/all data on this drive is lost/).check();
      await form.getByRole("button", { name: "Start the job" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Your password").fill("not the password");
      await page.keyboard.press("Enter");
      assert("Enter opens nothing", await dialog.getByLabel("Your password").isVisible());
      await dialog.getByRole("button", { name: "Go on" }).click();
      await dialog.getByLabel("Type CONFIRM").fill("confirm");
      assert("another word is none", await dialog.getByRole("button", { name: "Start the job" }).isDisabled());
      await dialog.getByLabel("Type CONFIRM").fill("CONFIRM");
      await page.keyboard.press("Enter");
      await page.waitForTimeout(300);
      assert("Enter starts nothing", posts().length === 0);
      await shot("gate");
      await dialog.getByRole("button", { name: "Start the job" }).click();
      await dialog.getByText("The password is wrong").waitFor();
      assert("nothing went out", posts().length === 0);
      await dialog.getByLabel("Your password").fill(PASSWORD);
      await dialog.getByRole("button", { name: "Go on" }).click();
      await dialog.getByLabel("Type CONFIRM").fill("CONFIRM");
      await dialog.getByRole("button", { name: "Start the job" }).click();
      await form.getByText(/Accepted, job job-7/).waitFor();
      const [sent] = posts();
      assert("one job was started", posts().length === 1);
      assert(`the values as typed, numbers as numbers, and no secret (${JSON.stringify(sent.body)})`,
        sent.body.passes === 3 && sent.body.hours === 37 && sent.body.abort === true && sent.body.target === "/dev/disk/by-id/ata-WD80-A" && sent.body.origin === "dashboard" && !JSON.stringify(sent.body).includes(PASSWORD) && !("_password" in sent.body));
      const { authorization, ...others } = sent.headers;
      assert(`the add-on's own token went with it (${authorization?.slice(0, 7)})`, authorization === `Bearer ${token}`);
      assert("and nothing else that opens the box", !JSON.stringify([others, sent.body]).includes(token) && !others.cookie);
    });

    await test("tables: formats, order, filter, more, tree, chosen rows, actions", async () => {
      await page.getByRole("link", { name: "Pools", exact: true }).click();
      const pools = panel("Pools");
      await pools.getByText("tank", { exact: true }).first().waitFor();
      for (const fact of ["DEGRADED", "4\u00a0TB", "61.4\u00a0%", "7\u00a0h 2\u00a0min", "30\u00a0h ago", "never"]) assert(`a cell says ${fact}`, (await pools.textContent()).includes(fact));
      const names = async () => (await pools.locator("tbody tr:not(.inner)").allTextContents()).map((text) => /backup|scratch|tank/.exec(text)?.[0]);
      // As narrow as its columns are ever squeezed.
      await page.setViewportSize({ width: 700, height: 900 });
      const broken = await pools.locator(".badge").evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().height > 30).map((one) => one.textContent));
      assert(`each word is in one piece: ${broken}`, broken.length === 0);
      await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
      assert("in the manifest's order", (await names()).join() === "backup,scratch,tank");
      if (width < 500) await pools.getByLabel("Order").selectOption("-size");
      else {
        await pools.getByRole("button", { name: "Size" }).click();
        await pools.getByRole("button", { name: /Size/ }).click();
      }
      assert("by size", (await names()).join() === "backup,tank,scratch");
      await pools.getByRole("button", { name: "More about tank" }).click();
      await pools.getByText("sdb").waitFor();
      await shot("tables");
      const tree = panel("Datasets");
      await tree.getByRole("button", { name: "Rows under tank/films" }).click();
      await until("the branch to close", async () => (await tree.getByText("tank/films/old").count()) === 0);
      await pools.getByPlaceholder("Filter").fill("degr");
      assert("filtered", (await names()).join() === "backup");
      await pools.getByPlaceholder("Filter").fill("");
      await pools.getByLabel("Choose tank").check();
      await pools.getByLabel("Choose scratch").check();
      await pools.getByText("2 rows chosen").waitFor();
      await pools.getByRole("button", { name: "Scrub these" }).click();
      await until("the bulk action", () => addon.asked.some(({ path, body }) => path === "/api/scrub_all" && body.name?.join() === "tank,scratch"));
      assert("a hidden button is not drawn", await pools.getByText("Never drawn").count() === 0);
      await pools.getByRole("button", { name: "Trim these…" }).click();
      await page.getByRole("group", { name: "How" }).getByLabel("Rate").fill("0x10");
      await page.getByRole("dialog").getByRole("button", { name: "Trim these" }).click();
      await page.getByRole("dialog").getByText("Expected a number").waitFor();
      await page.getByRole("dialog").getByLabel("Rate").fill("25");
      await shot("trim");
      await page.getByRole("dialog").getByRole("button", { name: "Trim these" }).click();
      await pools.getByText("The trim began.").waitFor();
      assert("once a row", ["tank", "scratch"].every((name) => addon.asked.filter(({ path, body }) => path === `/api/pools/${name}/trim` && body.rate === 25).length === 1));
      await pools.getByRole("button", { name: "Destroy: tank" }).click();
      await page.getByRole("dialog").getByText("The pool tank and all its data are gone.").waitFor();
      await page.getByRole("button", { name: "Destroy…" }).click();
      await page.getByLabel("Your password").fill(PASSWORD);
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByLabel("Type CONFIRM").fill("CONFIRM");
      await page.getByRole("dialog").getByRole("button", { name: "Destroy" }).click();
      await until("the destruction", () => addon.asked.some(({ path }) => path === "/api/destroy"));
    });

    await test("cards and wizard", async () => {
      await page.getByRole("link", { name: "Deploy", exact: true }).click();
      await panel("Configuration").getByText("Rack 3").waitFor();
      await panel("Disk space").getByText(/95\s%, nearly full/).waitFor();
      await panel("Disk space").getByText("Films").waitFor();
      await panel("New disks").getByText("WSD1AB", { exact: false }).waitFor();
      const wizard = panel("Add an agent");
      await until("what the add-on knows", async () => (await wizard.getByLabel("Address of the hub").inputValue()) === "http://192.168.1.20:9100");
      await wizard.getByText("Still to fill in: Name of the agent.").waitFor();
      await wizard.getByLabel("Name of the agent").fill('b"2\n');
      assert("what is typed is quoted", (await wizard.locator("pre").first().textContent()).includes('AGENT_ID: "b\\"2"'));
      await wizard.getByLabel("Key of the hub").fill("s3$cret");
      const told = async () => (await wizard.locator("pre").allTextContents()).join("\n");
      assert("a secret is hidden", !(await told()).includes("s3") && (await told()).includes("PSK"));
      await wizard.getByRole("button", { name: "Show secrets" }).click();
      assert("a secret is shown on request, as its reader takes it", (await told()).includes('PSK: "s3$$cret"') && (await told()).includes("'PSK=s3$cret'"));
      await shot("deploy");
    });

    await test("a component that is not known is a card that names it, and the rest goes on", async () => {
      await page.route(`**/api/addons/${id}`, async (route) => {
        const answer = await (await route.fetch()).json();
        const manifest = JSON.parse(answer.manifest_json);
        manifest.pages[0].components.splice(1, 0, { type: "hologram", id: "h", title: "A view from tomorrow" }, { type: "chart", id: "broken", title: "Broken", config: { datasets: 7, yAxes: "x", data: [] } });
        await route.fulfill({ json: { ...answer, manifest_json: JSON.stringify(manifest) } });
      });
      await page.goto(`/addons/${id}/main`);
      await page.getByText(/components of the type “hologram”/).waitFor();
      // Until the page's stream has begun nobody hears a line of an add-on that keeps none.
      await until("a line of the log", async () => {
        addon.log("info", "and on it goes");
        return (await panel("Live log").locator(".ln").count()) > 0;
      }, 30);
      await page.unroute(`**/api/addons/${id}`);
    });

    await test("an add-on without an address: its manifest as the first frame, commands down its own connection", async () => {
      const second = await register(page, "No port");
      await plain.connect(box, second.id, second.token, { ...MANIFEST, name: "no-port", pages: [MANIFEST.pages[0]] });
      await page.goto(`/addons/${second.id}`);
      await page.getByRole("heading", { name: "Active jobs" }).waitFor();
      plain.progress("j-1", 12);
      await panel("Active jobs").locator(".ajob").getByRole("button", { name: /^Cancel/ }).waitFor();
      // A frame that comes before the page's stream listens is in the answer that the page asks for afterwards.
      await page.route(`**/api/addons/${second.id}/telemetry`, async (route) => {
        await new Promise((done) => setTimeout(done, 1000));
        plain.progress("j-2", 3);
        await until("the box to know of it", async () => (await (await page.request.get(`/api/v1/addons/${second.id}/sources/active_jobs`)).text()).includes("j-2"));
        await route.continue();
      });
      await page.reload();
      await panel("Active jobs").getByText("j-2").waitFor();
      await page.unroute(`**/api/addons/${second.id}/telemetry`);
      await panel("Active jobs").locator(".ajob", { hasText: "j-1" }).getByRole("button", { name: /^Cancel/ }).click();
      await page.getByRole("button", { name: "Cancel the job" }).click();
      await until("the command", () => plain.commands.some(({ action, data }) => action === "cancel" && data.job_id === "j-1"));
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.reload();
      await panel("Active jobs").getByText("j-1").waitFor();
      await plain.close();
    });

    await test("hostile: nothing of a manifest or a frame is ever more than text", async () => {
      const third = await register(page, "hostile");
      const bad = new ScriptedAddon();
      await bad.connect(box, third.id, third.token, hostile());
      await page.goto(`/addons/${third.id}/p`);
      await page.getByRole("heading", { name: HOSTILE, exact: true }).first().waitFor();
      bad.progress(HOSTILE, 50, { phase: HOSTILE, phase_detail: HOSTILE, message: HOSTILE, agent_id: HOSTILE });
      bad.log("info", HOSTILE, { component_id: "logs", source: HOSTILE, job_id: HOSTILE });
      bad.send("telemetry", [{ a: HOSTILE, ["__proto__"]: "x", constructor: HOSTILE }]);
      bad.send("chart", { component_id: "chart", key: "k", value: 4 });
      await page.locator(".ajob").getByText(HOSTILE, { exact: false }).first().waitFor();
      await page.locator(".ln").getByText("onerror", { exact: false }).first().waitFor();
      await page.waitForTimeout(300);
      assert("no script ran", await page.evaluate(() => globalThis.pwned === undefined));
      assert("no element came of it", (await page.locator("main img, main script, main iframe, main object").count()) === 0);
      const links = await page.locator("main a").evaluateAll((all) => all.map((link) => link.href));
      assert(`no link leads away (${links})`, links.every((link) => link.startsWith(box.url)));
      await shot("hostile");
      await bad.close();
    });

    await test("enable, disable, new token, revoke, delete: each asked, each told", async () => {
      await page.goto("/addons");
      const card = page.locator(".addon-card", { has: page.getByRole("link", { name: "Bench helper" }) });
      const dialog = page.getByRole("dialog");
      await card.getByRole("button", { name: /^Disable/ }).click();
      await dialog.getByLabel("Your password").fill("wrong");
      await dialog.getByRole("button", { name: "Disable it" }).click();
      await dialog.getByText("The password is wrong").waitFor();
      await dialog.getByLabel("Your password").fill(PASSWORD);
      await dialog.getByRole("button", { name: "Disable it" }).click();
      await card.getByText("Disabled").waitFor();
      await card.getByRole("button", { name: /^Enable/ }).click();
      await dialog.getByLabel("Your password").fill(PASSWORD);
      await dialog.getByRole("button", { name: "Enable it" }).click();
      await card.getByText("Offline").waitFor();
      await card.getByRole("button", { name: /^New token/ }).click();
      await dialog.getByRole("button", { name: "Make a new token" }).click();
      const next = await dialog.locator(".tokn").textContent();
      assert("another token", next !== token && /^[0-9a-f]{64}$/.test(next));
      await dialog.getByRole("button", { name: "I have copied it" }).click();
      const refused = await connect(`${box.url}/api/addons/ws?addon_id=${id}`, { Authorization: `Bearer ${token}` }, () => {}).then(() => "let in", (error) => error.message);
      assert(`the old one is dead (${refused})`, refused.endsWith("401"));
      await page.locator("tr", { hasText: "hostile" }).getByRole("button", { name: /^Revoke/ }).click();
      await dialog.getByRole("button", { name: "Revoke it" }).click();
      await dialog.waitFor({ state: "detached" });
      const gone = page.locator(".addon-card", { has: page.getByRole("link", { name: "hostile" }) });
      await gone.getByRole("button", { name: /^Delete/ }).click();
      await dialog.getByLabel("Your password").fill(PASSWORD);
      await dialog.getByRole("button", { name: "Delete it" }).click();
      await gone.waitFor({ state: "detached" });
    });

    await test("320 px, keys alone, settings", async () => {
      await page.setViewportSize({ width: 320, height: 640 });
      for (const path of ["/addons", ...MANIFEST.pages.map((one) => `/addons/${id}/${one.id}`), "/settings"]) {
        await arrive(page, path);
        await page.waitForTimeout(300);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert(`${path} fits into 320 px, ${over} px too wide`, over <= 0);
      }
      await page.setViewportSize({ width: 3840, height: 2160 });
      await page.goto(`/addons/${id}/pools`);
      await panel("Pools").getByText("tank", { exact: true }).first().waitFor();
      await shot("4k");
      await panel("Pools").getByRole("button", { name: "Size" }).focus();
      await page.keyboard.press("Enter");
      await panel("Pools").locator('th[aria-sort="ascending"]', { hasText: "Size" }).waitFor();
      await page.goto("/settings");
      await page.setViewportSize({ width, height: 900 });
      await shot("settings");
    });
  } finally {
    await addon.close();
    await plain.close().catch(() => {});
    await context?.close().catch(() => {});
    await box.close();
  }
}
