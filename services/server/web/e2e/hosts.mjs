/** The page of hosts: an agent enrols with a token from the page, reports over days, and the page shows what it sent. */
import { generateKeyPairSync } from "node:crypto";

import { Box, until } from "./box.mjs";
import { inspect, launch, visit } from "./browser.mjs";
import { assert, tester } from "./test.mjs";

const PASSWORD = "correct horse battery";
const DAY = 86_400_000;

/** What smartctl says of a disk, by halves made up: only what the page shows. */
const disk = (serial, pending, celsius, passed = true) => ({
  device: { name: `/dev/${serial.slice(-3).toLowerCase()}`, type: "sat", protocol: "ATA" },
  model_name: "WDC WD140EDFZ-11A0VA0", serial_number: serial, rotation_rate: 5400, user_capacity: { bytes: 14_000_519_643_136 },
  smart_status: { passed }, temperature: { current: celsius }, power_on_time: { hours: 1730 },
  ata_smart_attributes: { table: [
    { id: 5, name: "Reallocated_Sector_Ct", value: 100, worst: 100, thresh: 1, raw: { value: 0, string: "0" } },
    { id: 197, name: "Current_Pending_Sector", value: 100, worst: 100, thresh: 0, raw: { value: pending, string: String(pending) } },
  ] },
});

async function post(url, body, bearer) {
  const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json", ...(bearer && { Authorization: `Bearer ${bearer}` }) }, body: JSON.stringify(body) });
  assert(`${url} answered ${answer.status}: ${await answer.clone().text()}`, answer.ok);
  return answer.json();
}

export async function hosts(browser, width, scheme, count) {
  const box = new Box();
  let page, context, complaints, session;
  const test = tester(width, count, () => ({ page, complaints, box }));
  try {
    await box.open();
    ({ page, context, complaints } = await visit(browser, box.url, width, scheme));

    await test("hosts: the page says how the first host comes, and makes a token that is shown once", async () => {
      const claimed = await page.request.post("/api/v1/claim", { headers: { "X-Requested-With": "XMLHttpRequest" }, data: { code: box.code, username: "mara", password: PASSWORD } });
      assert(`the claim answered ${claimed.status()}`, claimed.ok());
      await page.goto("/settings/hosts");
      await page.getByRole("heading", { name: "No host reports yet" }).waitFor();
      await page.getByLabel("What do you call it").fill("the NAS");
      await page.getByRole("button", { name: "Make a token" }).click();
      await page.getByText("This is shown once").waitFor();
      await inspect(page, `hosts-empty-${width}`);
      const lines = await page.locator(".envlines").textContent();
      const token = /TOKEN=([0-9a-f]{64})/.exec(lines)?.[1];
      assert(`the agent's lines are there: ${lines}`, token && lines.includes(`SERVER=${box.url}`));
      const key = generateKeyPairSync("ed25519").publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("base64");
      const agent = await post(`${box.url}/api/v1/agents/register`, { token, hostname: "nas", fingerprint: "mid:1", public_key: key });
      session = agent.session_token;
      for (let day = 10; day >= 0; day -= 1) {
        const timestamp = new Date(Date.now() - day * DAY).toISOString();
        const drives = [disk("9RK1WELL", 0, 30 + (day % 3)), disk("9RK1SICK", 2 * (10 - day), 34), disk("9RK1GONE", 0, 31, day > 0)];
        await post(`${box.url}/api/report`, { hostname: "nas", timestamp, agent_version: "3.0", drives }, agent.session_token);
      }
      await page.reload();
      await page.getByRole("heading", { name: "nas" }).waitFor();
      assert("the token is not shown again", !(await page.locator("main").textContent()).includes(token));
    });

    await test("hosts: each drive has its score, alerts and history", async () => {
      const row = (serial) => page.locator(".hostdrive", { hasText: serial });
      await until("three drives", async () => (await page.locator(".hostdrive").count()) === 3);
      // The score of a well one.
      await row("WELL").locator("summary", { hasText: "100" }).waitFor();
      await row("SICK").locator("summary").click();
      await row("SICK").getByText("20 pending sectors", { exact: false }).first().waitFor();
      await row("SICK").getByRole("img", { name: "Pending over time: 0 to 20" }).waitFor();
      await row("GONE").locator("summary").click();
      await row("GONE").getByText("failing (SMART status FAILED)", { exact: false }).waitFor();
      await row("GONE").getByRole("img", { name: /^Temperature over time/ }).waitFor();
      await inspect(page, `hosts-${width}`);
    });

    await test("hosts: a drive that is reported no more can be forgotten", async () => {
      await post(`${box.url}/api/report`, { hostname: "nas", timestamp: new Date().toISOString(), agent_version: "3.0", drives: [disk("9RK1WELL", 0, 30), disk("9RK1SICK", 20, 34)] }, session);
      await page.reload();
      const row = page.locator(".hostdrive", { hasText: "GONE" });
      await row.locator("summary").click();
      await row.getByRole("button", { name: /^Forget/ }).click();
      await page.getByRole("dialog").getByText("Serial 9RK1GONE").waitFor();
      await page.getByRole("button", { name: "Forget it", exact: true }).click();
      await row.waitFor({ state: "detached" });
      assert("two drives are left", (await page.locator(".hostdrive").count()) === 2);
      assert("none that is reported has the button", (await page.getByRole("button", { name: /^Forget/ }).count()) === 0);
    });

    await test("hosts: the interval is kept, and a host goes with all its histories", async () => {
      await Promise.all([page.waitForResponse((response) => response.request().method() === "PUT" && response.ok()), page.getByLabel("A report every").selectOption("900")]);
      await page.reload();
      await page.getByRole("heading", { name: "nas" }).waitFor();
      await page.waitForFunction(() => document.querySelector("#host-every")?.value === "900");
      await page.getByRole("button", { name: "Take away", exact: true }).first().click();
      await page.getByRole("button", { name: "Take it away" }).click();
      await page.getByRole("heading", { name: "No host reports yet" }).waitFor();
      const left = await (await page.request.get("/api/smart/health/all")).json();
      assert("no drive is left", left.count === 0);
    });
  } finally {
    await context?.close();
    await box.close();
  }
}

// By itself: `node e2e/hosts.mjs`.
if (import.meta.filename === process.argv[1]) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const browser = await launch();
  for (const [width, scheme] of [[320, "dark"], [1440, "light"]]) await hosts(browser, width, scheme, count);
  await browser.close();
  console.log(`browser: ${count.passed} passed, ${count.failed} failed, ${count.skipped} not run`);
  process.exit(count.failed === 0 ? 0 : 1);
}
