/**
 * The box's own pages: what it tells of itself, its keys, its wall, and updates from refusal to fall-back, with the real
 * supervisor and the real writer below a folder. Without those the pages are looked at as a server alone shows them.
 */
import { createServer } from "node:http";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Appliance, bundle, noAppliance, STRANGER } from "./appliance.mjs";
import { Box, until } from "./box.mjs";
import { inspect, launch, visit } from "./browser.mjs";
import { assert, SETTLES_MS, tester } from "./test.mjs";

const PASSWORD = "correct horse battery";
const XHR = { headers: { "X-Requested-With": "XMLHttpRequest" } };

/** A place from which updates are fetched. */
async function shelf(files) {
  const server = createServer((request, response) => {
    const bytes = files[request.url];
    if (bytes) response.writeHead(200, { "Content-Length": bytes.length }).end(bytes);
    else response.writeHead(404).end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

export async function settings(browser, width, scheme, count) {
  const without = noAppliance();
  const box = new Box();
  let appliance, page, context, complaints;
  const test = tester(width, count, () => ({ page, complaints, box }));
  const shot = (name) => inspect(page, `${name}-${width}`);
  const file = page_file(() => page);
  const slot = (words) => page.locator(".slots tbody tr", { hasText: words });
  try {
    if (!without) {
      appliance = new Appliance(join(box.dir, "box"));
      writeFileSync(join(box.dir, "box/etc/kiln/units/sleeper.toml"), 'exec = ["/bin/sleep", "100000"]\ntype = "simple"\n');
      await appliance.start();
      box.control = appliance.control;
    }
    box.admin = PASSWORD;
    await box.open();
    ({ page, context, complaints } = await visit(browser, box.url, width, scheme));

    await test("box: name, clock and agent are told, and what is not under a supervisor says so", async () => {
      await until("the login", async () => (await page.request.post("/api/v1/session", { ...XHR, data: { username: "admin", password: PASSWORD } })).ok());
      await page.goto("/settings/box");
      await page.getByRole("heading", { name: "As it is now" }).waitFor();
      await page.getByText("as on this computer").waitFor();
      if (without) {
        await page.getByText("does not run under Kiln’s own supervisor").waitFor();
        assert("nothing is offered that nobody would do", (await page.getByRole("button", { name: /Restart|Forget/ }).count()) === 0);
      } else {
        await page.locator("td.nm", { hasText: "sleeper" }).waitFor();
        await page.getByText("hostname = ").waitFor();
        await page.getByRole("button", { name: "Restart the box…" }).click();
        await page.getByRole("dialog").getByText("Nothing is under way").waitFor();
        await page.getByRole("button", { name: "Leave it on" }).click();
        await page.getByRole("button", { name: "Switch it off…" }).click();
        const off = page.getByRole("dialog");
        assert("nobody switches it off without its name", await off.getByRole("button", { name: "Switch it off" }).isDisabled());
        await shot("settings-power");
        await off.getByRole("button", { name: "Leave it on" }).click();
        await page.getByLabel("Your password").fill("not the password");
        const name = (await (await page.request.get("/api/v1/box")).json()).name;
        assert("the reset is off without the name", await page.getByRole("button", { name: "Forget everything and reboot" }).isDisabled());
        await page.getByLabel(/^Type the box's name/).fill(name);
        await page.getByRole("button", { name: "Forget everything and reboot" }).click();
        await page.getByText("This is not your password").waitFor();
      }
      await shot("settings-box");
    });

    await test("people: where one is logged in, and a telephone that was lost is logged out", async () => {
      const phone = await fetch(`${box.url}/api/v1/session`, { method: "POST", headers: { "X-Requested-With": "XMLHttpRequest", "Content-Type": "application/json", "User-Agent": "Mozilla/5.0 (Linux; Android 15) Chrome/140.0.0.0 Mobile Safari/537.36" }, body: JSON.stringify({ username: "admin", password: PASSWORD }) });
      const cookie = /kiln_session=[^;]+/.exec(phone.headers.get("set-cookie"))[0];
      const lost = await visit(browser, box.url, width, scheme);
      await lost.context.addCookies([{ name: "kiln_session", value: cookie.slice(cookie.indexOf("=") + 1), url: box.url }]);
      await lost.page.goto("/settings/people");
      await lost.page.getByText("this one").waitFor();
      await page.goto("/settings/people");
      await page.getByText("this one").waitFor();
      await shot("settings-people");
      await page.waitForTimeout(SETTLES_MS);
      await page.getByRole("button", { name: "Log out Chrome on Android from 127.0.0.1" }).click();
      await page.getByText("It is logged out.").waitFor();
      await lost.page.getByText("Your session has ended").waitFor({ timeout: 10_000 });
      await lost.context.close();
      assert("it is out", (await fetch(`${box.url}/api/v1/session`, { headers: { Cookie: cookie } })).status === 401);
    });

    await test("keys: what the box signs with, and a token that is taken away only after a question", async () => {
      const made = await page.request.post("/api/addons/tokens", { ...XHR, data: { name: "the bench" } });
      assert(`the token answered ${made.status()}`, made.ok());
      const { public_key: gate } = await (await page.request.get("/api/v1/server/pubkey")).json();
      await page.goto("/settings/keys");
      await page.getByText(gate).waitFor();
      const tls = await (await page.request.get("/api/v1/tls")).json();
      await page.getByText(tls.fingerprint).waitFor();
      await page.getByText("Nothing is signed yet").waitFor();
      // Updates are PID 1's part: where there is one it tells whose it takes.
      const update = await page.request.get("/api/v1/update");
      const keys = update.ok() ? (await update.json()).view.keys : null;
      await page.getByText(keys?.fingerprints[0] ?? "no system is updated here").waitFor();
      await shot("settings-keys");
      await page.getByRole("button", { name: "Take away… the bench" }).click();
      await page.getByRole("button", { name: "Keep it" }).click();
      assert("it is still there", (await page.locator("td.nm", { hasText: "the bench" }).count()) === 1);
      await page.getByRole("button", { name: "Take away… the bench" }).click();
      await page.getByRole("button", { name: "Take it away", exact: true }).click();
      await page.locator("td.nm", { hasText: "the bench" }).waitFor({ state: "detached" });
      assert("no token is left", (await (await page.request.get("/api/addons/tokens")).json()).length === 0);
    });

    await test("events: the whole log is checked as the box wrote it, and exported; a changed one is told with its number", async () => {
      await page.goto("/events");
      await page.getByRole("button", { name: "Check the chain" }).click();
      await page.getByText(/events from 1 to \d+: each is as it was written/).waitFor();
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export" }).click()]);
      const lines = readFileSync(await download.path(), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
      assert(`the export has every event (${lines.length})`, lines.length > 2 && lines.every(({ seq }, at) => seq === at + 1));
      await page.route("**/api/v1/events?after=**", async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, body: (await answer.text()).replace('"message":"', '"message":"not ') });
      });
      await page.getByRole("button", { name: "Check the chain" }).click();
      await page.getByRole("alert").getByText(/does not hold at event \d+: it was changed/).waitFor();
      await page.unroute("**/api/v1/events?after=**");
      await shot("events-chain");
    });

    await test("wall: without drives it says so, in either theme, and Escape leads back", async () => {
      await page.goto("/wall?theme=light");
      await page.getByText("No drive is plugged in").waitFor();
      await until("the address to have its word", () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme === "light"));
      await shot("wall-empty");
      await page.keyboard.press("Escape");
      await page.getByRole("navigation", { name: "Places" }).first().waitFor({ state: "attached" });
      await until("the theme to be the system's again", () => page.evaluate(() => document.documentElement.dataset.theme === undefined));
    });

    if (without) {
      await test("update: a server alone says that it cannot", async () => {
        await page.goto("/settings/update");
        await page.getByText("does not run in a box").first().waitFor();
        await shot("update-alone");
      });
      count.skipped += 4;
      console.log(`NOT RUN: ${width} px: updates: ${without}`);
      return;
    }

    await test("update: what runs, and each file that is none for this box is refused with its reason", async () => {
      await page.goto("/settings/update");
      await slot(/^A1\.0good.*runs/).waitFor();
      await shot("update");
      const whole = bundle("2.0");
      for (const [name, bytes, words] of [
        ["notes.txt", Buffer.from("not an update"), /does not begin as updates do/],
        ["cut-head.kiln", whole.subarray(0, 200), /cut short/],
        ["stranger.kiln", bundle("2.0", { key: STRANGER }), /by none of the keys that this box trusts/],
        ["other.kiln", bundle("2.0", { board: "toaster" }), /is for board toaster/],
        ["old.kiln", bundle("0.9"), /older than 1\.0, which runs/],
        // Cut before the kernel, which the box has already and never asks for.
        ["cut.kiln", whole.subarray(0, whole.length - 41_000), /The file is cut short/],
      ]) {
        await file(name, bytes);
        await page.getByRole("alert").getByText(words).waitFor();
      }
      await shot("update-refused");
      const { view } = await (await page.request.get("/api/v1/update")).json();
      assert("what runs is still what is next", view.slots[0].running && view.slots[0].next);
    });

    await test("update: an address that is none, one that has nothing, and one that has an update", async () => {
      const place = await shelf({ "/new.kiln": bundle("2.0") });
      try {
        const fetchIt = async (url) => {
          await page.getByLabel(/address/i).fill(url);
          await page.getByRole("button", { name: "Fetch it" }).click();
        };
        await fetchIt("ftp://example.net/new.kiln");
        await page.getByText("The update cannot be fetched from there").waitFor();
        await fetchIt(`${place.url}/gone.kiln`);
        await page.getByText(/It was not taken: .*404/).waitFor();
        await fetchIt(`${place.url}/new.kiln`);
        await slot(/^B2\.0on trial.*3 starts left.*is next/).waitFor();
        await shot("update-written");
      } finally {
        place.close();
      }
    });

    await test("update: the same from a file, of which only what the box lacks is sent, and the restart into it", async () => {
      await file("new.kiln", bundle("2.1", { fill: 7 }));
      await page.getByText("Version 2.1 is written to slot B").first().waitFor();
      await slot(/^B2\.1on trial/).waitFor();
      await page.getByRole("button", { name: "Restart into it" }).click();
      await until("the box to restart", () => appliance.ended);
      await page.getByText(/supervisor is away|does not run in a box/).first().waitFor();
      await shot("update-away");
    });

    await test("update: a system that did not prove itself is told with its reason, and one on trial with what is missing", async () => {
      // The boot loader has tried the new system three times, and starts the old one again.
      appliance.variables({ prefer: "b", a: "good", b: "trying", left: "0", once: "" });
      await appliance.start();
      await page.getByText(/slot B \(2\.1\)/).waitFor();
      await slot(/^B2\.1not to be started/).waitFor();
      await shot("update-fell-back");
      await appliance.stop();
      appliance.variables({ prefer: "a", a: "trying", b: "good", left: "2", once: "" });
      await appliance.start();
      await page.getByText(/This system is on trial:/).waitFor();
      await file("new.kiln", bundle("2.2"));
      await page.getByRole("alert").getByText(/is not proven yet/).waitFor();
      await shot("update-trial");
    });
  } finally {
    await context?.close();
    await appliance?.stop();
    await box.close();
  }
}

/** Gives the page a file, as a person chooses it. */
function page_file(page) {
  return async (name, buffer) => {
    // The field rests while something is sent.
    await until("the field for files", () => page().locator("input[type=file]").isEnabled());
    await page().locator("input[type=file]").setInputFiles({ name, mimeType: "application/octet-stream", buffer });
  };
}

// By itself: `node e2e/settings.mjs`.
if (import.meta.filename === process.argv[1]) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const browser = await launch();
  for (const [width, scheme] of [[360, "dark"], [1440, "light"]]) await settings(browser, width, scheme, count);
  await browser.close();
  console.log(`browser: ${count.passed} passed, ${count.failed} failed, ${count.skipped} not run`);
  process.exit(count.failed === 0 ? 0 : 1);
}
