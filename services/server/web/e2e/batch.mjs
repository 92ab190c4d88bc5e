/** Twenty-four drives at once over a played box (`played.mjs`): the gate, where one of them changes, and a reader of bar codes. */
import { readFileSync } from "node:fs";
import { unzipSync } from "fflate";
import { until } from "./box.mjs";
import { atOnce, inspect, visit } from "./browser.mjs";
import { drive, job, Played } from "./played.mjs";
import { assert, SETTLES_MS, tester } from "./test.mjs";

const COUNT = 24;

export async function batch(browser, width, scheme, count) {
  const box = await new Played().open();
  const drives = Array.from({ length: COUNT }, (_, n) => drive(n, { kernel_name: `sd${String.fromCharCode(97 + n)}`, serial: `WSD1${String(1000 + n * 377).slice(-4)}` }));
  Object.assign(box.state, { drives, jobs: [] });
  const { page, context, complaints } = await visit(browser, box.url, width, scheme);
  const test = tester(width, count, () => ({ page, complaints, box: { output: "" } }));
  /** What the box reads on each drive, and each plan that it was asked for. */
  const content = new Map();
  const asked = [];
  let refuses = false;
  await page.route("**/api/v1/plans", (route) => {
    const { drives: ids, playbook, options } = route.request().postDataJSON();
    asked.push(ids);
    if (refuses) return route.fulfill({ status: 503, contentType: "application/problem+json", json: { type: "busy", status: 503, title: "The box is busy", detail: "Ask again in a moment." } });
    const of = ids.map((id) => drives.find((one) => one.id === id)).map(({ id, model, serial, capacity }) => ({ id, model, serial, capacity, sector: 512, content: content.get(id) ?? { state: "empty" }, given_up: [], label: serial.slice(-4) }));
    return route.fulfill({ json: { id: `p${asked.length}`, playbook, steps: "[]", options, drives: of, digest: JSON.stringify(of), nonce: "n", seconds: 120, made: new Date().toISOString() } });
  });
  const gate = async () => {
    await page.goto("/");
    await page.locator(".bay").first().waitFor();
    await page.evaluate((ids) => sessionStorage.setItem("kiln-chosen", JSON.stringify(ids)), drives.map(({ id }) => id));
    await page.goto("/burn");
    await page.locator("[data-drive]").first().waitFor();
  };
  const fields = () => page.locator("[data-drive]").evaluateAll((inputs) => inputs.map((input) => input.value));
  const field = (of) => page.locator(`[data-drive="${of.id}"]`);

  try {
    await test("bench: as a list all of 24 bays are seen at once, and it stays so over a reload", async () => {
      await page.goto("/");
      const bays = page.locator(".bay");
      await until("the cards", async () => (await bays.count()) === COUNT);
      const high = () => page.locator(".bays").evaluate((one) => one.getBoundingClientRect().height);
      const cards = await high();
      await page.getByRole("button", { name: "List" }).press("Enter");
      await until("the list", async () => (await page.locator(".bays.list").count()) === 1);
      await page.reload();
      await until("the list again", async () => (await page.locator(".bays.list .bay").count()) === COUNT);
      const list = await high();
      assert(`${list} px instead of ${cards}`, list < cards / 2);
      if (width >= 1440) assert("none is below the window", await bays.evaluateAll((all) => all.every((one) => one.getBoundingClientRect().bottom <= innerHeight)));
      const cut = await page.locator(".bay .st").evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent));
      assert(`cut off: ${cut}`, cut.length === 0);
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("x");
      await page.getByText("1 drive chosen").waitFor();
      await inspect(page, `list-${width}`);
      await page.getByRole("button", { name: "Clear" }).click();
      await page.getByRole("button", { name: "Cards" }).click();
      await until("the cards again", async () => (await page.locator(".bays.list").count()) === 0);
    });

    await test("gate: one drive of 24 that changes costs its own label, and can be left", async () => {
      await gate();
      content.set(drives[13].id, { state: "unreadable", why: "no answer in 25 s" });
      for (const one of drives) await field(one).fill(one.serial.slice(-4));
      await page.getByRole("heading", { name: "What you read is no longer true" }).waitFor();
      const four = drives[13].serial.slice(-4);
      await page.getByText("What you typed for the other 23 drives stays.").waitFor();
      await inspect(page, `one-changed-${width}`);
      await page.getByRole("button", { name: "Read it again" }).click();
      await page.getByText("no answer in 25 s").waitFor();
      assert("one label is empty, that one", JSON.stringify((await fields()).flatMap((text, n) => (text === "" ? [n] : []))) === "[13]");
      await until("the focus on it", () => field(drives[13]).evaluate((input) => input === document.activeElement));
      content.delete(drives[13].id);
      await field(drives[13]).fill(four);
      await page.getByRole("heading", { name: "What you read is no longer true" }).waitFor();
      refuses = true;
      await page.getByRole("button", { name: `Go on without …${four}` }).press("Enter");
      await page.getByText("The box is busy").waitFor();
      assert("the button is gone, and the focus not with it", await page.evaluate(() => document.activeElement?.closest("main") != null));
      refuses = false;
      await page.getByRole("button", { name: "Ask again" }).click();
      await page.getByText("Left to arm.").waitFor();
      await page.getByRole("button", { name: "Erase and test 23 drives" }).waitFor();
      assert("a plan of the others was asked for", asked.at(-1).length === COUNT - 1 && !asked.at(-1).includes(drives[13].id));
      await until("the focus on the password", () => page.evaluate(() => document.activeElement?.id === "arm-password"));
    });

    await test("gate: a reader of bar codes that is faster than a picture loses no label", async () => {
      // A picture takes as long as on a small board that is busy.
      await page.addInitScript(() => (globalThis.requestAnimationFrame = (then) => setTimeout(() => then(performance.now()), 60)));
      await gate();
      await field(drives[0]).focus();
      const order = drives.map((one, n) => ({ one, at: (n * 7 + 5) % COUNT })).sort((a, b) => a.at - b.at).map(({ one }) => one.serial);
      for (const serial of order) {
        await page.keyboard.type(serial);
        await page.keyboard.press("Enter");
      }
      await page.getByText("Left to arm.").waitFor({ timeout: 5000 }).catch(async () => {
        throw new Error(`not every label is right: ${JSON.stringify(await fields())}`);
      });
    });

    await test("bench: a reader of bar codes shows one drive after another, and opens none", async () => {
      await page.goto("/");
      const bays = page.locator(".bay");
      await until("the cards", async () => (await bays.count()) === COUNT);
      const scan = async (label, ends = ["Enter"]) => {
        await page.keyboard.type(label);
        for (const key of ends) await page.keyboard.press(key);
      };
      const shown = async ({ serial }) => {
        await bays.getByRole("link", { name: new RegExp(`^${serial.slice(-4)},`) }).and(page.locator(":focus")).waitFor();
        assert(`${serial} alone`, (await bays.count()) === 1 && (await page.locator("#search").inputValue()) === serial);
      };
      for (const one of [drives[3], drives[4], drives[4], drives[17]]) {
        await scan(one.serial);
        await shown(one);
      }
      // Some readers end with two.
      await atOnce(page, () => scan(drives[9].serial, ["Enter", "Enter"]));
      await shown(drives[9]);
      await scan("WSD17777");
      await page.getByText("No drive answers to “WSD17777”.").waitFor();
      // Some begin with the key of the search.
      await scan(`/${drives[5].serial}`);
      await shown(drives[5]);
      await page.waitForTimeout(SETTLES_MS);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Identity" }).waitFor();
      await page.getByText(drives[5].serial).first().waitFor();
    });

    await test("bench: the search knows verdicts, and all that it finds is chosen with one press", async () => {
      const failed = drives.slice(0, 9);
      const verdict = (outcome) => ({ outcome, rules: [], summary: "Told.", verified: 1, engine: "kiln-burnin 0.1.0" });
      box.state.jobs = drives.map((one, n) => job(one, n, n === 8 ? { state: { kind: "waiting", why: "paused by mara" }, verdict: null, ended: null } : { verdict: verdict(failed.includes(one) ? "FAILED" : "PASSED") }));
      await page.goto("/");
      await page.locator(".bay").first().waitFor();
      // What was chosen before; the page would write it down again behind an emptied store.
      const clear = page.getByRole("button", { name: "Clear", exact: true });
      if (await clear.isVisible()) await clear.click();
      const found = async (words, many) => {
        await page.getByRole("searchbox", { name: "Search drives" }).fill(words);
        await until(`${many} drives for ${words}`, async () => (await page.locator(".bay").count()) === many);
        await page.getByText(`${many} drive${many === 1 ? "" : "s"} found.`).waitFor();
      };
      await found("paused", 1);
      assert("what is under test cannot be chosen", (await page.getByRole("button", { name: /^Choose/ }).count()) === 0);
      await found("FAILED", 8);
      await page.getByRole("button", { name: "Choose all" }).press("Enter");
      await page.getByText("8 drives chosen").waitFor();
      await inspect(page, `found-${width}`);
    });

    await test("certificates: all that are found in one ZIP, and a file that cannot be had is told", async () => {
      box.state.jobs = drives.map((one, n) => job(one, n));
      const broken = box.state.jobs[3];
      for (const { id } of box.state.jobs) for (const form of ["", ".pdf"]) box.instead.set(`GET /api/v1/jobs/${id}/certificate${form}`, () => ({ of: `${id}${form}` }));
      box.instead.set(`GET /api/v1/jobs/${broken.id}/certificate.pdf`, 500);
      await page.goto("/certificates");
      await page.getByRole("button", { name: `Choose all ${COUNT}` }).click();
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: `Save ${COUNT} as one ZIP` }).click()]);
      assert(`its name: ${download.suggestedFilename()}`, /^kiln-certificates-\d{4}-\d\d-\d\d\.zip$/.test(download.suggestedFilename()));
      const files = unzipSync(readFileSync(await download.path()));
      assert(`47 files and what is missing: ${Object.keys(files)}`, Object.keys(files).length === 2 * COUNT && "MISSING.txt" in files);
      assert("by serial and job", new TextDecoder().decode(files[`${drives[5].serial}-${box.state.jobs[5].id}.pdf`]) === JSON.stringify({ of: `${box.state.jobs[5].id}.pdf` }));
      await page.getByText(`PDF of ${broken.certificate.id}: The box answered 500`).waitFor();
      await inspect(page, `bundle-${width}`);
      await page.evaluate(() => ([globalThis.given, URL.createObjectURL] = [URL.createObjectURL, () => { throw new Error("out of memory"); }]));
      await page.getByRole("button", { name: `Save ${COUNT} as one ZIP` }).click();
      await page.getByText("This page made a mistake").waitFor();
      await inspect(page, `bundle-failed-${width}`);
      await page.evaluate(() => (URL.createObjectURL = globalThis.given));
      await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: `Save ${COUNT} as one ZIP` }).click()]);
      assert("what went wrong is not told any more", (await page.getByText("This page made a mistake").count()) === 0);
      await page.getByRole("button", { name: "Choose none" }).click();
      await page.getByRole("checkbox", { name: `Choose ${box.state.jobs[7].certificate.id}` }).check();
      await page.getByRole("button", { name: "Save 1 as one ZIP" }).waitFor();
    });
  } finally {
    await context.close();
    await box.close();
  }
}
