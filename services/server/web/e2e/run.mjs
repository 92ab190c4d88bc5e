/**
 * The dashboard in Chromium against the real server and the real agent on loop devices, once as a phone in the dark
 * and once as a desk by day. Closes with `browser: N passed, M failed, K not run`.
 */
import { Box, missing, noLoops, until } from "./box.mjs";
import { addons } from "./addons.mjs";
import { alerts } from "./alerts.mjs";
import { awry } from "./awry.mjs";
import { batch } from "./batch.mjs";
import { arrive, inspect, launch, visit } from "./browser.mjs";
import { cards } from "./cards.mjs";
import { evidence } from "./evidence.mjs";
import { hosts } from "./hosts.mjs";
import { looks } from "./looks.mjs";
import { settings } from "./settings.mjs";
import { assert, tester } from "./test.mjs";

const PASSWORD = "correct horse battery";
/** The sector that the bad drive loses. */
const SPOILED = 409_600;
const count = { passed: 0, failed: 0, skipped: 0 };

async function round(browser, width, scheme) {
  const box = new Box();
  let page, context, complaints;
  const test = tester(width, count, () => ({ page, complaints, box }));
  const shot = (name) => inspect(page, `${name}-${width}`);
  const card = (name) => page.locator(".bay", { has: page.getByRole("link", { name: new RegExp(`^${box.loops.get(name).four},`) }) });
  const field = (name) => page.locator(`li:has-text("${box.loops.get(name).serial}") .four input`);
  const button = page_button(() => page);
  /** Waits until the focus is there: where a screen reader goes on reading. */
  const focus = (selector) => until(`the focus on ${selector}`, () => page.evaluate((where) => document.activeElement?.matches(where) ?? false, selector))
    .catch(async (error) => { throw new Error(`${error.message}: it is on ${await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 120))}`); });
  const pick = async (...names) => {
    // What was chosen before stays chosen in this tab: begin from nothing.
    await page.goto("/nothing");
    await page.evaluate(() => sessionStorage.clear());
    await page.goto("/");
    for (const name of names) await card(name).getByRole("checkbox").check();
    await page.getByRole("link", { name: "Burn in…" }).click();
    await page.getByRole("heading", { name: "What will be lost" }).waitFor();
  };
  const typeAll = async (...names) => {
    for (const name of names) await field(name).fill(box.loops.get(name).four.toLowerCase());
    await page.getByText("Left to arm.").waitFor();
  };
  const surface = async () => {
    await page.locator(".books > summary").click();
    await page.getByRole("radio", { name: "Surface", exact: true }).check();
    await page.waitForTimeout(300);
    await page.getByRole("heading", { name: "What will be lost" }).waitFor();
  };

  try {
    await box.open();
    ({ page, context, complaints } = await visit(browser, box.url, width, scheme));

    await test("claim: a wrong code is refused with words, the right one opens the bench", async () => {
      const loaded = [];
      page.on("response", (response) => !response.url().includes("/api/") && loaded.push(response));
      await page.goto("/", { waitUntil: "networkidle" });
      await page.getByRole("heading", { name: "Claim this box" }).waitFor();
      const sizes = await Promise.all(loaded.map(async (response) => (await response.request().sizes()).responseBodySize));
      const first = sizes.reduce((sum, size) => sum + size, 0);
      assert(`the first load is page, script and style (${loaded.length} answers)`, loaded.length >= 3);
      assert(`the first load is ${first} bytes on the wire, at most 45000`, first > 10_000 && first <= 45_000);
      page.removeAllListeners("response");
      await shot("claim");
      await page.getByLabel("Claim code").fill(box.code === "AAAA0000" ? "BBBB0000" : "AAAA0000");
      await page.getByLabel("Your name").fill("mara");
      await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
      await page.getByLabel("Password, again").fill(`${PASSWORD}!`);
      await page.getByRole("button", { name: "Claim this box" }).click();
      await page.getByText("The two passwords differ").waitFor();
      await page.getByLabel("Password, again").fill(PASSWORD);
      await page.getByRole("button", { name: "Claim this box" }).click();
      await page.getByText("This is not the claim code").waitFor();
      await page.getByLabel("Claim code").fill(box.code.toLowerCase());
      await page.getByRole("button", { name: "Claim this box" }).click();
      await page.getByRole("heading", { name: "Waiting for the burn-in agent" }).waitFor();
      await focus("main");
      await shot("empty");
    });

    await test("login: a wrong password is told beside the form, the right one goes where one was", async () => {
      await page.getByRole("button", { name: "Log out" }).click();
      await page.getByRole("heading", { name: "Log in" }).waitFor();
      await page.goto("/events");
      await page.getByLabel("Name").fill("mara");
      await page.getByLabel("Password").fill("not the password");
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByRole("alert").getByText(/wrong|not/i).first().waitFor();
      await shot("login");
      await page.getByLabel("Password").fill(PASSWORD);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByRole("heading", { name: "Events", exact: true }).first().waitFor();
      await page.getByText(/claimed the box/).waitFor();
      await shot("events");
    });

    const loops = noLoops();
    if (loops) {
      count.skipped += 21;
      console.log(`NOT RUN: ${width} px: everything with drives: ${loops}`);
      return;
    }
    box.loop("photos", 64, "photos");
    box.loop("blank", 48);
    box.loop("bad", 384);
    box.loop("long", 3072);
    box.loop("used", 32, "kept");
    box.startAgent();

    await test("drives: model, size, content and why one is not offered", async () => {
      await page.goto("/");
      await card("photos").getByText("“photos”").waitFor();
      await card("blank").getByText("No known content").waitFor();
      for (const drive of (await (await page.request.get("/api/v1/drives")).json()).filter((one) => one.refused)) {
        const locked = page.locator(`[data-bay="${drive.id ?? drive.key}"]`);
        await locked.getByText(drive.refused.reason).waitFor();
        assert("a drive in use has no checkbox", (await locked.getByRole("checkbox").count()) === 0);
      }
      assert("a free drive is not chosen by itself", !(await card("photos").getByRole("checkbox").isChecked()));
      assert("its size is told", (await card("photos").textContent()).includes("67.1"));
      await shot("bench");
      await card("photos").getByRole("link").click();
      await page.getByRole("heading", { name: "Identity" }).waitFor();
      await page.getByText(box.loops.get("photos").serial).first().waitFor();
      await shot("drive");
    });

    await test("a bay: named by keyboard, on its card, and its name is taken away again", async () => {
      await page.goto("/");
      await card("photos").getByRole("link").click();
      await page.getByRole("button", { name: "Name bay" }).press("Enter");
      await focus("[aria-label='Name of its bay']");
      await page.keyboard.type("front, second");
      await page.keyboard.press("Enter");
      await until("the focus to be back", () => page.getByRole("button", { name: "Rename bay" }).evaluate((one) => one === document.activeElement));
      await shot("bay");
      await page.goto("/");
      await card("photos").getByText("front, second").waitFor();
      await card("photos").getByRole("link").click();
      await page.getByRole("button", { name: "Rename bay" }).click();
      await page.getByLabel("Name of its bay").fill("");
      await page.getByRole("button", { name: "Keep" }).click();
      await page.getByRole("button", { name: "Name bay" }).waitFor();
    });

    await test("keys: search, arrows, choose, burn in, help", async () => {
      await page.goto("/events");
      await page.getByRole("heading", { name: "Events", exact: true }).first().waitFor();
      // A reader of bar codes types faster than a picture is drawn: not a letter is lost, or taken for a key.
      const label = box.loops.get("blank").serial;
      const scan = (text) => page.evaluate((keys) => {
        for (const key of keys) (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      }, text);
      await scan(`/${label}`);
      await until("the search of the bench to have it all", async () => (await page.locator("#search").inputValue()) === label);
      await focus("#search");
      await page.goto("/");
      await card("photos").waitFor();
      await scan("/");
      assert("the focus is in the search before the next letter", await page.evaluate(() => document.activeElement?.id === "search"));
      await page.keyboard.type(label);
      await until("the search to leave one card", async () => (await page.locator(".bay").count()) === 1);
      await page.keyboard.press("Enter");
      assert("Enter leads from the search to the card", await page.evaluate(() => document.activeElement?.closest("[data-bay]") !== null));
      await page.keyboard.press("/");
      await page.keyboard.press("Escape");
      await until("all cards", async () => (await page.locator(".bay").count()) >= 5);
      await page.keyboard.press("ArrowRight");
      const first = await page.evaluate(() => document.activeElement?.closest("[data-bay]")?.getAttribute("data-bay"));
      await page.keyboard.press(width < 500 ? "ArrowDown" : "ArrowRight");
      const second = await page.evaluate(() => document.activeElement?.closest("[data-bay]")?.getAttribute("data-bay"));
      assert(`arrows move over the bays (${first}, ${second})`, first && second && first !== second);
      await page.keyboard.press("?");
      await page.getByRole("dialog").waitFor();
      await page.keyboard.press("Escape");
      // It gives the focus back when it goes.
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await card("blank").getByRole("link").focus();
      await page.keyboard.press("x");
      await page.getByText("1 drive chosen").waitFor();
      await page.keyboard.press("b");
      await page.getByRole("heading", { name: "What will be lost" }).waitFor();
      await page.goto("/");
      await page.getByRole("button", { name: "Clear" }).click();
    });

    await test("gate: nothing opens it but every label, and Enter presses nothing", async () => {
      await pick("photos", "blank");
      await page.getByText("“photos”").first().waitFor();
      await field("photos").fill("zzzz");
      await page.getByText("This drive does not end in ZZZZ").waitFor();
      assert("the button is off", await button("Erase and test 2 drives").isDisabled());
      await shot("gate");
      await field("photos").fill(box.loops.get("photos").four);
      await page.waitForTimeout(800);
      assert("one label of two is not enough", await button("Erase and test 2 drives").isDisabled());
      // A bar-code reader types the whole serial and Enter, into whichever field has the focus.
      await field("photos").fill("");
      await field("photos").focus();
      await page.keyboard.type(box.loops.get("blank").serial);
      await page.keyboard.press("Enter");
      assert("the scan went to its drive", (await field("blank").inputValue()) === box.loops.get("blank").serial);
      assert("and the focus to the next", await field("photos").evaluate((input) => input === document.activeElement));
      await typeAll("photos");
      await page.getByLabel("Your password").fill("not the password");
      await page.keyboard.press("Enter");
      await page.waitForTimeout(500);
      assert("Enter armed nothing", await page.getByText("Left to arm.").isVisible());
      await button("Erase and test 2 drives").click();
      await page.getByText("The password is wrong").waitFor();
      await focus("#arm-password");
      await shot("armed");
      assert("nothing was started", (await (await page.request.get("/api/v1/jobs")).json()).length === 0);
    });

    await test("gate: two minutes, then everything is typed again", async () => {
      await page.clock.install();
      await pick("blank");
      await typeAll("blank");
      await page.clock.fastForward("02:01");
      await page.getByText("The two minutes are over").waitFor();
      await focus("#label-0");
      assert("the label is gone", (await field("blank").inputValue()) === "");
      assert("the button is off", await button("Erase and test 1 drive").isDisabled());
      await shot("expired");
      await context.close();
      ({ page, context, complaints } = await again(browser, box, width, scheme));
    });

    await test("gate: what changed since it was read stops it, and says what", async () => {
      await pick("photos");
      await page.getByText("“photos”").first().waitFor();
      box.format("photos", "wedding");
      await until("the agent to see the new file system", async () => JSON.stringify(await (await page.request.get("/api/v1/drives")).json()).includes("wedding"));
      await field("photos").fill(box.loops.get("photos").four);
      await page.getByRole("heading", { name: "What you read is no longer true" }).waitFor();
      await focus("main");
      await page.getByText(/“photos”.*“wedding”/).waitFor();
      await shot("changed");
      await page.getByRole("button", { name: "Read it again" }).click();
      await page.getByText("“wedding”").first().waitFor();
      assert("the label is typed again", (await field("photos").inputValue()) === "");
    });

    await test("gate: a drive that came into use is refused on its very descriptor, beside the button", async () => {
      await pick("used");
      await typeAll("used");
      await page.getByLabel("Your password").fill(PASSWORD);
      // After the last look, before the first write.
      box.mount("used");
      await button("Erase and test 1 drive").click();
      await page.locator(".problem").getByText(/mounted|in use|refused/i).first().waitFor();
      await shot("refused");
      assert("nothing was started", (await (await page.request.get("/api/v1/jobs")).json()).length === 0);
    });

    await test("gate: who leaves while the password is checked has nothing started, as the way out says", async () => {
      await pick("photos");
      await typeAll("photos");
      await page.getByLabel("Your password").fill(PASSWORD);
      const started = [];
      const see = (request) => request.method() === "POST" && request.url().endsWith("/start") && started.push(request.url());
      page.on("request", see);
      let answer;
      const asked = new Promise((done) => (answer = done));
      let release;
      const held = new Promise((done) => (release = done));
      await page.route("**/arm", async (route) => {
        answer();
        await held;
        await route.continue();
      });
      await button("Erase and test 1 drive").click();
      await asked;
      const armed = page.waitForResponse((response) => response.url().endsWith("/arm"));
      await page.getByRole("link", { name: "Back to the bench; nothing has been written" }).click();
      await card("photos").waitFor();
      release();
      assert("the password was right", (await armed).ok());
      await page.waitForTimeout(1000);
      assert("the box is not told to start", started.length === 0);
      assert("nobody is taken away from the bench", new URL(page.url()).pathname === "/");
      assert("nothing was started", (await (await page.request.get("/api/v1/jobs")).json()).length === 0);
      page.off("request", see);
      await page.unroute("**/arm");
    });

    const jobs = {};
    await test("start: a good drive and a bad one, from the gate to two verdicts", async () => {
      await pick("blank", "bad");
      await surface();
      await typeAll("blank", "bad");
      await page.getByLabel("Your password").fill(PASSWORD);
      const stop = box.spoil("bad", SPOILED * 512);
      try {
        await button("Erase and test 2 drives").click();
        await page.waitForURL((url) => url.pathname === "/");
        await card("blank").getByText("PASSED").waitFor({ timeout: 90_000 });
        await card("bad").getByText("FAILED").waitFor({ timeout: 90_000 });
      } finally {
        stop();
      }
      await page.getByText("Needs you").waitFor();
      await shot("verdicts");
      for (const job of await (await page.request.get("/api/v1/jobs")).json()) jobs[job.serial] = job;
      await card("blank").getByRole("link").click();
      await page.getByRole("heading", { name: "Verdict" }).waitFor();
      await focus("main");
      await page.locator(".bigverdict").getByText("PASSED", { exact: true }).waitFor();
      await shot("passed");
    });

    await test("the failed drive's page names the sector, the kind and the rule with its limit and source", async () => {
      const job = jobs[box.loops.get("bad").serial];
      await page.goto(`/jobs/${job.id}`);
      await page.locator(".bigverdict").getByText("FAILED", { exact: true }).waitFor();
      const words = (await page.locator("main").textContent()).replaceAll(/[\u202f\u00a0 ]/g, "");
      assert(`LBA ${SPOILED} is named`, words.includes(`LBA${SPOILED}`));
      assert("the job itself names it", job.findings.some((finding) => finding.lba === SPOILED));
      const rule = job.verdict.rules.find((hit) => hit.outcome === "FAILED");
      for (const fact of [rule.id, rule.value, rule.limit, rule.source]) {
        assert(`the rule's ${fact} is on the page`, words.includes(fact.replaceAll(/[\u202f\u00a0 ]/g, "")));
      }
      await shot("failed-job");
      // The stream of this page begins after it happened.
      await page.goto(`/drives/${encodeURIComponent(job.drive)}`);
      await page.getByRole("region", { name: "What happened to it" }).locator("li").first().waitFor();
    });

    await test("progress is live, and a test is ended only after a question", async () => {
      await pick("long");
      await typeAll("long");
      await page.getByLabel("Your password").fill(PASSWORD);
      await button("Erase and test 1 drive").click();
      await page.waitForURL((url) => url.pathname.startsWith("/jobs/"));
      await focus("main");
      // All that is read out unasked from here on.
      await page.evaluate(() => {
        globalThis.spoken = [];
        new MutationObserver((changes) => {
          const regions = new Set(changes.map(({ target }) => (target.nodeType === 1 ? target : target.parentElement)?.closest("[role=status], [role=alert], [aria-live=polite]")));
          for (const region of regions) if (region?.textContent) globalThis.spoken.push(region.textContent);
        }).observe(document.body, { subtree: true, childList: true, characterData: true });
      });
      const track = () => page.locator(".track li[aria-current=step]").textContent().catch(() => "");
      const before = await until("a running phase", track);
      await until("the figures to move by themselves", async () => (await track()) !== before);
      const said = () => page.evaluate(() => globalThis.spoken);
      await until("progress to be read out", async () => (await said()).some((text) => /, \d+0 %\.$/.test(text)));
      await shot("running");
      await page.getByRole("button", { name: "End this test…" }).click();
      await page.getByRole("dialog").getByText("INCONCLUSIVE").waitFor();
      await page.getByRole("button", { name: "Go on testing" }).click();
      assert("it goes on", (await page.getByRole("button", { name: "End this test…" }).count()) === 1);
      assert("the focus is back", await page.getByRole("button", { name: "End this test…" }).evaluate((one) => one === document.activeElement));
      await page.getByRole("button", { name: "End this test…" }).click();
      await page.getByRole("button", { name: "End the test" }).click();
      await page.locator(".bigverdict").getByText("INCONCLUSIVE", { exact: true }).waitFor({ timeout: 60_000 });
      await until("the verdict to be read out", async () => (await said()).includes("Verdict: INCONCLUSIVE."));
      const spoken = await said();
      assert(`the verdict is read out once: ${spoken.join(" | ")}`, spoken.filter((text) => text === "Verdict: INCONCLUSIVE.").length === 1);
      assert(`no line is read out twice in a row: ${spoken.join(" | ")}`, spoken.every((text, i) => text !== spoken[i - 1]));
      await focus(".jobhd");
      await shot("aborted");
    });

    await evidence({ box, test, shot, width, pick, typeAll, surface, password: PASSWORD, page: () => page });

    await test("agent gone: the bench says so, and takes it back", async () => {
      await page.goto("/");
      await card("photos").waitFor();
      await box.kill("agent");
      await page.locator(".banners").getByText(/agent/i).waitFor({ timeout: 60_000 });
      await shot("agent-gone");
      box.startAgent();
      await page.locator(".banners").getByText(/agent is not connected/i).waitFor({ state: "detached", timeout: 60_000 });
    });

    await test("server gone: dimmed with the time, then back without a reload, nothing lost", async () => {
      // The agent that was just started tells its loop devices a second after the rest.
      await card("bad").getByText("FAILED").waitFor();
      await page.evaluate(() => (globalThis.notReloaded = true));
      await box.kill("server");
      await page.getByText(/The box does not answer since/).waitFor({ timeout: 60_000 });
      assert("the bench is still there", await card("bad").getByText("FAILED").isVisible());
      await shot("lost");
      await box.startServer();
      await page.getByText(/The box does not answer since/).waitFor({ state: "detached", timeout: 60_000 });
      await card("bad").getByText("FAILED").waitFor();
      assert("the page was not reloaded", await page.evaluate(() => globalThis.notReloaded === true));
    });

    await test("session over: asks who it is, and comes back to the same place", async () => {
      await until("the agent to find the server again", async () => (await (await page.request.get("/api/v1/box")).json()).agent.state === "online");
      await pick("photos");
      // The heading stands while the box still reads the drive, whose answer needs the session.
      await field("photos").waitFor({ timeout: 60_000 });
      await context.clearCookies();
      await field("photos").fill(box.loops.get("photos").four);
      await page.getByText("Your session has ended").waitFor({ timeout: 60_000 });
      await page.getByLabel("Name").fill("mara");
      await page.getByLabel("Password").fill(PASSWORD);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByRole("heading", { name: "What will be lost" }).waitFor();
      await page.getByText("Nothing was started, and nothing has been written. Type the labels again.").waitFor();
      assert("nothing is typed", (await field("photos").inputValue()) === "");
      await page.reload();
      await field("photos").waitFor();
      assert("it is told once", (await page.getByText("Your session had ended").count()) === 0);
    });

    await test("wall: every drive at one glance, on one screen from a phone to 4K, and nothing to press", async () => {
      await page.goto("/wall");
      const tile = (name) => page.locator(".w", { hasText: box.loops.get(name).four });
      const screen = async (size, name) => {
        await page.setViewportSize(size);
        await page.locator(".w").first().waitFor();
        await shot(name);
        const small = await page.evaluate(() => {
          const unit = Math.max(0.5, Math.min(Math.max(innerWidth, innerHeight) / 1920, Math.min(innerWidth, innerHeight) / 1080));
          return [...document.querySelectorAll(".wall :not(:has(*)):not(svg, use, .skip, i)")].filter((one) => parseFloat(getComputedStyle(one).fontSize) < 30 * unit - 0.1).map((one) => one.outerHTML.slice(0, 80));
        });
        assert(`no letter is smaller than three metres allow: ${small.join(", ")}`, small.length === 0);
        assert("nothing is below the edge", await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight));
      };
      await screen({ width: 3840, height: 2160 }, "wall-4k");
      await tile("bad").getByText("FAILED").waitFor();
      await tile("long").getByText(/PASSED|WARN/).waitFor();
      await page.getByText("take it out").first().waitFor();
      await screen({ width: 1920, height: 1080 }, "wall");
      await screen({ width: 360, height: 780 }, "wall-phone");
      await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
      await page.keyboard.press("Escape");
      await card("photos").waitFor();
    });

    await test("the log of events has it all; nowhere is told; 320 px is enough", async () => {
      await page.goto("/events");
      await page.getByText(/armed the erasure/).first().waitFor();
      await shot("events-full");
      const nowhere = await page.goto("/wp-login.php");
      assert("the status is 404", nowhere.status() === 404);
      await page.getByRole("heading", { name: "Nothing is here" }).waitFor();
      await shot("nowhere");
      await page.goto("/docs");
      await shot("docs");
      await page.getByRole("link", { name: "Who may what on the box" }).click();
      await page.getByRole("table").first().waitFor();
      await shot("docs-guide");
      const unknown = await page.goto("/docs/nothing");
      assert("a guide that there is none of is a page with 404", unknown.status() === 404);
      await page.getByRole("heading", { name: "There is no such guide" }).waitFor();
      await shot("docs-unknown");
      await page.setViewportSize({ width: 320, height: 640 });
      const { id, drive } = jobs[box.loops.get("bad").serial];
      for (const path of ["/", "/events", `/jobs/${id}`, `/drives/${encodeURIComponent(drive)}`, "/certificates", "/verify", "/playbooks", "/addons", "/settings", "/settings/alerts", "/settings/hosts", "/settings/box", "/settings/people", "/settings/keys", "/docs/trouble"]) {
        await arrive(page, path);
        await page.waitForTimeout(300);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert(`${path} fits into 320 px, ${over} px too wide`, over <= 0);
      }
    });
  } finally {
    await context?.close().catch(() => {});
    await box.close();
  }
}

function page_button(page) {
  return (name) => page().getByRole("button", { name });
}

/** A new window on the same box, logged in. */
async function again(browser, box, width, scheme) {
  const fresh = await visit(browser, box.url, width, scheme);
  await fresh.page.goto("/");
  await fresh.page.getByLabel("Name").fill("mara");
  await fresh.page.getByLabel("Password").fill(PASSWORD);
  await fresh.page.getByRole("button", { name: "Log in" }).click();
  await fresh.page.getByText("Needs you").waitFor();
  return fresh;
}

const why = missing();
if (why) {
  console.log(`not ok ${why}`);
  console.log("browser: 0 passed, 1 failed, 0 not run");
  process.exit(1);
}
const browser = await launch();
const widths = process.argv.slice(2).map(Number);
for (const [width, scheme] of [[360, "dark"], [1440, "light"]]) {
  if (widths.length > 0 && !widths.includes(width)) continue;
  try {
    await round(browser, width, scheme);
    await addons(browser, width, scheme, count);
    await hosts(browser, width, scheme, count);
    await alerts(browser, width, scheme, count);
    await settings(browser, width, scheme, count);
    await looks(browser, width, scheme, count);
    await cards(browser, width, scheme, count);
    await batch(browser, width, scheme, count);
    await awry(browser, width, scheme, count);
  } catch (error) {
    count.failed += 1;
    console.log(`not ok ${width} px  ${error.stack ?? error}`);
  }
}
await browser.close();
console.log(`browser: ${count.passed} passed, ${count.failed} failed, ${count.skipped} not run`);
process.exit(count.failed === 0 ? 0 : 1);
