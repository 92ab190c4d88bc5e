/** The page of alerts against a receiver of its own: a channel is tried, added, tells of an event, and goes. */
import { createServer } from "node:http";

import { Box, until } from "./box.mjs";
import { atOnce, inspect, launch, visit } from "./browser.mjs";
import { assert, SETTLES_MS, tester } from "./test.mjs";

const PASSWORD = "correct horse battery";

/** A webhook's receiver that answers with `status` and keeps what came. */
async function receiver() {
  const own = { status: 204, got: [] };
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (part) => (text += part));
    request.on("end", () => {
      own.got.push({ path: request.url, headers: request.headers, body: text === "" ? null : JSON.parse(text) });
      response.writeHead(own.status).end(own.status < 300 ? "" : "the receiver is full");
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  own.place = `127.0.0.1:${server.address().port}`;
  own.close = () => server.close();
  return own;
}

export async function alerts(browser, width, scheme, count) {
  const box = new Box();
  const hook = await receiver();
  let page, context, complaints;
  const test = tester(width, count, () => ({ page, complaints, box }));
  const channel = (name) => page.locator(".chan", { hasText: name });
  const banners = async () => (await (await page.request.get("/api/v1/box")).json()).banners;
  try {
    await box.open();
    ({ page, context, complaints } = await visit(browser, box.url, width, scheme));

    await test("alerts: a URL that names no channel is refused with its part, a service's refusal is told in its words", async () => {
      const claimed = await page.request.post("/api/v1/claim", { headers: { "X-Requested-With": "XMLHttpRequest" }, data: { code: box.code, username: "mara", password: PASSWORD } });
      assert(`the claim answered ${claimed.status()}`, claimed.ok());
      await page.goto("/settings/alerts");
      await page.getByText("Nobody is told yet").waitFor();
      assert("it asks for the service first", (await page.locator("#al-url").count()) === 0 && (await page.getByRole("button", { name: "Add it" }).isDisabled()));
      await page.getByLabel("Service").selectOption("ntfy");
      assert("a topic, and little else", (await page.locator("#al-new-topic").isVisible()) && !(await page.locator("#al-new-delay").isVisible()));
      await inspect(page, `alerts-ntfy-${width}`);
      await page.getByLabel("Service").selectOption("url");
      await page.getByLabel("URL", { exact: true }).fill("discord://nothing");
      await page.getByRole("button", { name: "Try it first" }).click();
      await page.getByText("expected discord://ID/TOKEN").waitFor();
      hook.status = 507;
      await page.getByLabel("URL", { exact: true }).fill(`json://${hook.place}/hook`);
      await page.getByRole("button", { name: "Try it first" }).click();
      await page.getByText("It was not taken: answered 507: the receiver is full").waitFor();
      hook.status = 204;
      await page.getByRole("button", { name: "Try it first" }).click();
      await page.getByText("It was taken").waitFor();
      assert("the message came", hook.got.at(-1).body.title.includes("Kiln test message"));
      await inspect(page, `alerts-new-${width}`);
    });

    await test("alerts: a channel from the form, whose secret is never shown again", async () => {
      await page.getByLabel("Service").selectOption("generic");
      await page.locator("#al-new-webhook_url").fill(`http://${hook.place}/signed`);
      await page.locator("#al-new-secret").fill("whsec_c2VjcmV0IG9mIHRoZSBiZW5jaA==");
      await page.getByRole("button", { name: "Add it" }).click();
      await channel("Webhook").getByText(`${hook.place} · told of criticals and warnings`).waitFor();
      await channel("Webhook").getByRole("button", { name: /^Send a test/ }).click();
      await channel("Webhook").getByText("It was taken").waitFor();
      assert("it is signed", /^v1,/.test(hook.got.at(-1).headers["webhook-signature"]));
      await channel("Webhook").getByRole("button", { name: /^Settings/ }).click();
      await channel("Webhook").getByRole("group", { name: "Quiet hours" }).waitFor();
      assert("the secret is not shown", !(await page.content()).includes("c2VjcmV0"));
      await page.getByRole("checkbox", { name: "Everything else, too" }).check();
      await page.getByRole("button", { name: "Add a rule" }).click();
      await page.getByLabel("Event", { exact: true }).fill("person.logged_in");
      await page.getByLabel("What happens").selectOption("false");
      await page.getByRole("checkbox", { name: /^Keep quiet/ }).check();
      await page.getByRole("checkbox", { name: /^Keep quiet/ }).uncheck();
      await inspect(page, `alerts-settings-${width}`);
      await page.getByRole("button", { name: "Save" }).click();
      await until("what was set", async () => {
        const [{ id }] = await (await page.request.get("/api/notifications/services")).json();
        const kept = await (await page.request.get(`/api/notifications/services/${id}`)).json();
        return kept.event_rules[0]?.event_type === "person.logged_in" && kept.service.notify_on_healthy;
      });
    });

    await test("alerts: an event of the box arrives, and the page says so", async () => {
      const before = hook.got.length;
      const made = await page.request.post("/api/addons/tokens", { headers: { "X-Requested-With": "XMLHttpRequest" }, data: { name: "the bench" } });
      assert(`the token answered ${made.status()}`, made.ok());
      await until("the event", () => hook.got.slice(before).some(({ body }) => body.event_type === "addon.token_made"));
      await until("its line on the page", async () => {
        await page.getByRole("button", { name: "Look again" }).click();
        return (await page.locator(".alert-past tr", { hasText: "addon.token_made" }).getByText("taken").count()) > 0;
      });
      await inspect(page, `alerts-${width}`);
    });

    await test("alerts: what nobody acknowledges is listed with whom it goes on to, and one press ends that", async () => {
      await page.getByLabel("Service").selectOption("generic");
      await page.locator("#al-new-webhook_url").fill(`http://${hook.place}/boss`);
      await page.getByRole("button", { name: "Add it" }).click();
      await page.locator(".chan").nth(1).waitFor();
      const boss = page.locator(".chan").nth(1);
      await boss.getByRole("button", { name: /^Settings/ }).click();
      await page.getByLabel("Name", { exact: true }).fill("boss");
      await page.getByRole("checkbox", { name: /nobody has acknowledged in time/ }).check();
      await page.getByLabel("After so many minutes").fill("20");
      await page.getByRole("button", { name: "Save" }).click();
      await channel("boss").getByText("second line, after 20 min").waitFor();
      await page.getByText("No alert is waiting.").waitFor();
      // A refused login is a warning.
      const before = hook.got.length;
      const refused = await page.request.post("/api/v1/session", { headers: { "X-Requested-With": "XMLHttpRequest" }, data: { username: "mara", password: "not this one" } });
      assert(`the wrong password answered ${refused.status()}`, refused.status() === 401);
      await until("the first line", () => hook.got.slice(before).some(({ path, body }) => path === "/signed" && /goes on to boss after 20 min/.test(body.message)));
      await until("everybody to be told", async () => (await banners()).some(({ text }) => text.startsWith("One alert is not acknowledged")));
      // The list follows by itself.
      await page.getByText(/Goes on to boss at .*\d\d:\d\d/).waitFor();
      await inspect(page, `alerts-open-${width}`);
      await page.waitForTimeout(SETTLES_MS);
      await page.getByRole("button", { name: /^Acknowledge/ }).click();
      await page.getByText("No alert is waiting.").waitFor();
      assert("the second line was not told", !hook.got.some(({ path }) => path === "/boss"));
      await channel("boss").getByRole("button", { name: /^Settings/ }).click();
      await page.getByRole("button", { name: "Remove…" }).click();
      await page.waitForTimeout(SETTLES_MS);
      await page.getByRole("button", { name: "Yes, remove it" }).click();
      await until("one channel", async () => (await page.locator(".chan").count()) === 1);
    });

    await test("alerts: one that has switched itself off says why, and is left off or switched on by keyboard", async () => {
      hook.status = 410;
      const off = async (name) => {
        const made = await page.request.post("/api/addons/tokens", { headers: { "X-Requested-With": "XMLHttpRequest" }, data: { name } });
        assert(`the token answered ${made.status()}`, made.ok());
        await until("the channel to give up", async () => {
          await page.getByRole("button", { name: "Look again" }).click();
          return (await channel("Webhook").getByText(/answered 410/).count()) > 0;
        });
      };
      await off("the attic");
      await inspect(page, `alerts-off-${width}`);
      await channel("Webhook").getByRole("button", { name: /^Leave it off/ }).press("Enter");
      await channel("Webhook").getByText("switched off", { exact: true }).waitFor();
      assert("it asks for nobody any more", (await channel("Webhook").getByRole("button", { name: /^Leave it off/ }).count()) === 0);
      assert("the focus is not lost", await page.evaluate(() => document.activeElement !== document.body));
      await until("the banner to go", async () => !(await banners()).some(({ text }) => text.includes("switched itself off")));
      hook.status = 204;
      await page.waitForTimeout(SETTLES_MS);
      // Whoever presses twice wants it on.
      await atOnce(page, async () => {
        await channel("Webhook").getByRole("button", { name: /^Switch on/ }).press("Enter");
        await channel("Webhook").getByRole("button", { name: /^Switch off/ }).waitFor();
        await page.keyboard.press("Enter");
      });
      await page.waitForTimeout(SETTLES_MS);
      const isOn = async () => (await (await page.request.get("/api/notifications/services")).json())[0].enabled;
      assert("it is on", await isOn());
      await channel("Webhook").getByRole("button", { name: /^Switch off/ }).press("Enter");
      await until("it to be off when that is meant", async () => !(await isOn()));
      await channel("Webhook").getByRole("button", { name: /^Switch on/ }).waitFor();
      await page.waitForTimeout(SETTLES_MS);
      await channel("Webhook").getByRole("button", { name: /^Switch on/ }).press("Enter");
      await channel("Webhook").getByRole("button", { name: /^Switch off/ }).waitFor();
    });

    await test("alerts: a form is saved though the channel was switched beside it", async () => {
      const [{ id }] = await (await page.request.get("/api/notifications/services")).json();
      await channel("Webhook").getByRole("button", { name: /^Settings/ }).click();
      await page.getByRole("checkbox", { name: "Everything else, too" }).uncheck();
      for (const [press, then] of [[/^Switch off/, /^Switch on/], [/^Switch on/, /^Switch off/]]) {
        await page.waitForTimeout(SETTLES_MS);
        await channel("Webhook").getByRole("button", { name: press }).click();
        await channel("Webhook").getByRole("button", { name: then }).waitFor();
      }
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("button", { name: "Save" }).waitFor({ state: "detached" });
      const { service } = await (await page.request.get(`/api/notifications/services/${id}`)).json();
      assert("it is on, and tells what was set", service.enabled && !service.notify_on_healthy);
    });

    await test("alerts: a form that somebody else has overtaken says so, and takes nothing back", async () => {
      const [{ id }] = await (await page.request.get("/api/notifications/services")).json();
      await channel("Webhook").getByRole("button", { name: /^Settings/ }).click();
      await page.getByLabel("Name", { exact: true }).fill("door");
      const rules = [{ event_type: "job.failed", enabled: true, cooldown_secs: 0 }];
      const set = await page.request.put(`/api/notifications/services/${id}/rules`, { headers: { "X-Requested-With": "XMLHttpRequest" }, data: rules });
      assert(`the rules answered ${set.status()}`, set.ok());
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByText("This channel has been changed since the form was opened").waitFor();
      await inspect(page, `alerts-overtaken-${width}`);
      const kept = await (await page.request.get(`/api/notifications/services/${id}`)).json();
      assert("nothing is taken back", kept.service.name === "Webhook" && kept.event_rules[0]?.event_type === "job.failed");
      await page.getByRole("button", { name: "Close" }).click();
    });

    await test("alerts: a channel is removed, and a press that comes twice asks alone", async () => {
      await channel("Webhook").getByRole("button", { name: /^Settings/ }).click();
      const sure = page.getByRole("button", { name: "Yes, remove it" });
      await atOnce(page, () => page.getByRole("button", { name: "Remove…" }).dblclick());
      await sure.waitFor();
      await page.waitForTimeout(SETTLES_MS);
      assert("it is still there", await sure.isVisible());
      await sure.click();
      await page.getByText("Nobody is told yet").waitFor();
    });
  } finally {
    await context?.close();
    await box.close();
    hook.close();
  }
}

// By itself: `node e2e/alerts.mjs`.
if (import.meta.filename === process.argv[1]) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const browser = await launch();
  for (const [width, scheme] of [[360, "dark"], [1440, "light"]]) await alerts(browser, width, scheme, count);
  await browser.close();
  console.log(`browser: ${count.passed} passed, ${count.failed} failed, ${count.skipped} not run`);
  process.exit(count.failed === 0 ? 0 : 1);
}
