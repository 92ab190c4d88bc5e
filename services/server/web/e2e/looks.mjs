/**
 * How the page shows what a box says, over a played one (`played.mjs`): widths, forced colours, paper, fingers, the look that is
 * chosen, the order of what is urgent, tables by keyboard, and what is said when nothing answers.
 */
import { until } from "./box.mjs";
import { arrive, atOnce, inspect, visit } from "./browser.mjs";
import { Played } from "./played.mjs";
import { assert, SETTLES_MS, tester } from "./test.mjs";


export async function looks(browser, width, scheme, count) {
  const box = await new Played().open();
  let { page, context, complaints } = await visit(browser, box.url, width, scheme);
  const test = tester(width, count, () => ({ page, complaints, box: { output: "" } }));
  const failed = `/drives/${encodeURIComponent(box.state.drives[2].id)}`;
  const PLACES = ["/", failed, "/jobs/0199a-002", "/jobs/0199a-001", "/certificates", "/events", "/playbooks", "/settings", "/settings/update", "/verify"];
  const at = (path) => arrive(page, path);

  try {
    await test("needs you: the most urgent first, five lines at most, the rest behind a button", async () => {
      // Two more drives make it too long.
      for (const n of [6, 8]) box.state.drives[n] = { ...box.state.drives[n], temperature: 75 };
      await at("/");
      const lines = page.locator(".needs li");
      await until("the lines", async () => (await lines.count()) === 4);
      assert("heat comes first", /too hot/.test(await lines.first().textContent()));
      assert("and FAILED before what stays as it is", /cannot be read/.test(await lines.nth(3).textContent()));
      // A line costs what its words need, however small the screen, and all of it is the link.
      const spare = await lines.evaluateAll((all) => all.map((one) => Math.round(one.getBoundingClientRect().height - Math.max(44, one.querySelector("b").parentElement.getBoundingClientRect().height))));
      assert(`${spare} px more than its words`, Math.max(...spare) <= 12);
      assert("its words lead there, too", await lines.first().evaluate((line) => {
        const { left, top, height } = line.querySelector("b").getBoundingClientRect();
        return document.elementFromPoint(left + 4, top + Math.min(8, height / 2))?.closest("a") === line.querySelector("a");
      }));
      const more = page.getByRole("button", { name: "2 more" });
      assert("it says that there is more", (await more.getAttribute("aria-expanded")) === "false");
      await inspect(page, `needs-${width}`);
      await more.press("Enter");
      await until("all lines", async () => (await lines.count()) === 6);
      box.state.update.view.slots[1].running = false;
      box.say("box", { ...box.state.box, now: new Date().toISOString(), supervisor: { ...box.state.box.supervisor, update: { ...box.state.update.view, trial: null } } });
      await page.getByText("Version 0.1.0 is written and waits for a restart").waitFor();
    });

    await test("a drive that is broken already says so before hours are given to it, on the bench and in the gate", async () => {
      const before = box.state.drives[6];
      box.state.drives[6] = { ...before, temperature: 34, ill: { severity: "critical", says: "300 reallocated sectors", since: before.since } };
      await at("/");
      await page.locator(".needs li", { hasText: "tells of itself: 300 reallocated sectors" }).waitFor();
      const card = page.locator(`.bay[data-bay="${before.id}"]`);
      assert("its card says so", /SMART: bad/.test(await card.textContent()));
      await card.locator("input[type=checkbox]").check();
      await page.getByRole("link", { name: "Burn in…" }).click();
      const told = page.locator(".lose .ill", { hasText: "It tells of itself: 300 reallocated sectors" });
      await told.waitFor();
      await inspect(page, `ill-${width}`);
      box.state.drives[6] = before;
    });

    await test("what is seen needs nobody: its line says so, keeps place and focus, and goes when one has left the list; the verdict stays", async () => {
      const [warn, fail] = [box.state.jobs[3], box.state.jobs[2]];
      const four = (of) => of.serial.slice(-4);
      const line = (of) => page.locator(".needs li", { hasText: `…${four(of)}:` });
      const card = page.locator(".bay", { has: page.getByRole("link", { name: new RegExp(`^${four(warn)},`) }) });
      const unfold = async () => {
        const more = page.getByRole("button", { name: /^\d+ more$/ });
        await page.locator(".needs li").first().waitFor();
        if (await more.count()) await more.click();
      };
      const focused = (name, selector) => until(name, () => page.evaluate((where) => document.activeElement?.matches(where) ?? false, selector));
      await page.setViewportSize({ width: Math.min(width, width < 500 ? 320 : width), height: 900 });
      await at("/");
      await unfold();
      // Beside the link, which the rest of the line leads to, and as large as a finger.
      const keep = page.getByRole("button", { name: `Keep it: …${four(warn)}` });
      const { width: wide, height } = await keep.boundingBox();
      assert(`${wide} × ${height} px`, wide >= 44 && height >= 44);
      await keep.scrollIntoViewIfNeeded();
      assert("the button is over the line's link", await keep.evaluate((one) => {
        const { left, top, width, height } = one.getBoundingClientRect();
        return document.elementFromPoint(left + width / 2, top + height / 2) === one;
      }));
      await inspect(page, `needs-ack-${width}`);
      const places = () => page.locator(".needs li").evaluateAll((all) => all.map((one) => one.offsetTop).join());
      const before = await places();
      await page.waitForTimeout(SETTLES_MS);
      const back = page.getByRole("button", { name: `Take it back: …${four(warn)}` });
      // A key that is pressed twice is no second word.
      await atOnce(page, async () => {
        await keep.press("Enter");
        await back.waitFor();
        await page.keyboard.press("Enter");
      });
      await focused("the focus where it was", `[aria-label="Take it back: …${four(warn)}"]`);
      assert("no line has moved", (await places()) === before);
      await page.locator(".needs [role=status]").getByText(`…${four(warn)} is kept; its verdict stays WARN.`).waitFor();
      await line(warn).getByText("Kept; its verdict stays WARN.").waitFor();
      await card.getByText("WARN", { exact: true }).waitFor();
      await inspect(page, `needs-acked-${width}`);
      assert("it is still kept", warn.acknowledged !== undefined);
      await page.waitForTimeout(SETTLES_MS);
      await back.press("Enter");
      await keep.waitFor();
      await page.waitForTimeout(SETTLES_MS);
      await keep.press("Enter");
      await back.waitFor();
      await page.locator("main .bay a").first().focus();
      await until("the line to go", async () => (await line(warn).count()) === 0);
      delete warn.acknowledged;
      box.say("job", warn);
      await line(warn).waitFor();
      await page.waitForTimeout(SETTLES_MS);
      // A second press in the same place is no word on the next line, nor one that takes the first back.
      await page.evaluate(() => scrollTo(0, 0));
      const { x, y, width: across, height: tall } = await page.locator(".needs li button").first().boundingBox();
      const press = () => page.mouse.click(x + across / 2, y + tall / 2);
      await atOnce(page, async () => {
        await press();
        await page.getByRole("button", { name: /^Take it back/ }).waitFor();
        await press();
      });
      await page.waitForTimeout(SETTLES_MS);
      const said = box.state.jobs.filter(({ acknowledged }) => acknowledged);
      assert(`${said.length} are noted`, said.length === 1);
      await page.mouse.move(1, 1);
      await until("its line to go, too", async () => (await line(said[0]).count()) === 0);
      delete said[0].acknowledged;
      box.say("job", said[0]);
      await line(said[0]).waitFor();
      await page.waitForTimeout(SETTLES_MS);
      // A box that does not take it says why, and the line stays.
      const path = `POST /api/v1/jobs/${fail.id}/ack`;
      box.instead.set(path, 503);
      await page.getByRole("button", { name: `Noted: …${four(fail)}` }).click();
      await page.locator(".needs [role=alert]").getByText("The box answered 503").waitFor();
      assert("its line stays", (await line(fail).count()) === 1);
      box.instead.clear();

      await at(`/jobs/${fail.id}`);
      const button = page.locator(".seen button");
      await button.waitFor();
      await page.waitForTimeout(SETTLES_MS);
      // Nor here does a second press take it back.
      await atOnce(page, async () => {
        await button.press("Enter");
        await page.locator(".seen").getByText(/^Noted by mara, \d\d:\d\d\./).waitFor();
        await page.keyboard.press("Enter");
      });
      await page.waitForTimeout(SETTLES_MS);
      assert("it stays noted", fail.acknowledged !== undefined);
      await focused("the focus on the button that takes it back", ".seen button");
      await page.locator(".bigverdict").getByText("FAILED").waitFor();
      await inspect(page, `job-acked-${width}`);
      // Whoever looks at the bench meanwhile, and at the wall, is asked no more.
      await at("/");
      await unfold();
      assert("no line", (await line(fail).count()) === 0);
      await page.goto("/wall");
      await page.locator(".w", { hasText: four(fail) }).getByText("FAILED").waitFor({ timeout: 90_000 });
      assert("the foot does not name it", !(await page.locator(".say").textContent()).includes(`…${four(fail)}`));
      await at(`/jobs/${fail.id}`);
      await button.waitFor();
      await page.waitForTimeout(SETTLES_MS);
      await page.getByRole("button", { name: `Take it back: …${four(fail)}` }).click();
      await page.getByRole("button", { name: `Noted: …${four(fail)}` }).waitFor();
      await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
    });

    await test("an end that the page has not heard of is not acknowledged with the one that it shows, and is shown then", async () => {
      const warn = box.state.jobs[3];
      const four = warn.serial.slice(-4);
      const failed = { ...warn, ended: new Date().toISOString(), verdict: { ...warn.verdict, outcome: "FAILED", summary: "It ended once more." } };
      for (const [path, shown] of [["/", page.locator(".needs li", { hasText: `…${four}: It ended once more.` })], [`/jobs/${warn.id}`, page.locator(".bigverdict").getByText("FAILED")]]) {
        await at(path);
        const more = page.getByRole("button", { name: /^\d+ more$/ });
        const keep = page.getByRole("button", { name: `Keep it: …${four}` });
        await keep.or(more).first().waitFor();
        if (await more.count()) await more.click();
        await keep.waitFor();
        box.state.jobs[3] = failed;
        await page.waitForTimeout(SETTLES_MS);
        await keep.press("Enter");
        await page.getByRole("alert").getByText("This job has come to another end").waitFor();
        await shown.waitFor();
        await page.getByRole("button", { name: `Noted: …${four}` }).waitFor();
        assert("nobody has seen it", failed.acknowledged === undefined);
        box.state.jobs[3] = warn;
      }
    });

    await test("a card: its reason is read whole, be it what a blank drive may hold, a verdict's, a wait's or a refusal's", async () => {
      const used = box.state.drives[9];
      box.state.drives[9] = { ...used, refused: { kind: "mounted", reason: "it is mounted at /mnt/media and 2 other places" } };
      for (const size of [{ width, height: 900 }, { width: 1024, height: 768 }, { width: 1920, height: 1080 }]) {
        await page.setViewportSize(size);
        await at("/");
        await page.locator(".bay").getByText("may still hold data").first().waitFor();
        assert(`${size.width} px: nothing is wider than the window`, await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
        const cut = await page.locator(".bay :is(.st, .why)").evaluateAll((lines) => lines.filter((one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight + 1).map((one) => one.textContent));
        assert(`${size.width} px: cut off: ${cut.join(", ")}`, cut.length === 0);
      }
      const labelled = page.locator(".bay", { hasText: "“photos”" });
      assert("what is on it is told once", (await labelled.textContent()).split("photos").length === 2);
      box.state.drives[9] = used;
      await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
    });

    await test("a job: what it logged while the connection was lost is there when that is back", async () => {
      await at("/jobs/0199a-001");
      const lines = page.getByRole("log");
      await lines.getByText("phase write began").waitFor();
      box.say("log", { job: "0199a-001", line: { timestamp: new Date().toISOString(), level: "info", message: "before the cut", source: "agent" } });
      await lines.getByText("before the cut").waitFor();
      box.log.push({ timestamp: new Date().toISOString(), level: "warn", message: "one sector was slow", source: "agent" });
      box.cut();
      await lines.getByText("one sector was slow").waitFor();
      assert("nothing is told to be lost", (await page.locator(".app.lost").count()) === 0);
    });

    await test("a job that is over: the box does not tell its time line, and the page says so", async () => {
      // The stream brings one point of it.
      const [job, path] = [box.state.jobs[2], "GET /api/v1/jobs/0199a-002/timeline"];
      const whole = job.timeline;
      job.timeline = whole.slice(0, 1);
      box.instead.set(path, 503);
      await at("/jobs/0199a-002");
      const panel = page.getByRole("region", { name: "Heat, speed and errors" });
      await panel.getByText("The box answered 503").waitFor();
      await inspect(page, `timeline-away-${width}`);
      box.instead.set(path, () => whole);
      box.cut();
      await panel.getByRole("img", { name: /^Temperature between/ }).waitFor();
      assert("the problem is over", (await panel.getByText("The box answered 503").count()) === 0);
      box.instead.clear();
      job.timeline = whole;
    });

    await test("events: older ones to the very first, and then there is no button for more", async () => {
      box.state.events = Array.from({ length: 3000 }, (_, i) => ({ ...box.state.events[0], seq: i + 1, id: `e${i}`, message: `number ${i + 1} of the log` }));
      await at("/events");
      const older = page.getByRole("button", { name: "Older" });
      const shown = page.locator(".events li");
      for (let pressed = 1; pressed <= 5; pressed += 1) {
        await older.click();
        await until(`page ${pressed}`, async () => (await shown.count()) === 500 + 500 * pressed);
        if (pressed < 5) assert("the focus stays", await older.evaluate((one) => one === document.activeElement));
      }
      await page.getByText("number 1 of the log").waitFor();
      await older.waitFor({ state: "hidden" });
      box.state.events = new Played().state.events;
    });

    await test("events: of drives alone, and of a day", async () => {
      await at("/events");
      const shown = page.locator(".events li");
      await until("all", async () => (await shown.count()) === 40);
      await page.getByLabel("About").selectOption({ label: "drives" });
      await until("the drives'", async () => (await shown.count()) === 4);
      await inspect(page, `events-${width}`);
      await page.reload();
      await until("the drives' again", async () => (await shown.count()) === 4);
      await page.getByLabel("Day").fill("2001-01-01");
      await page.getByText("Nothing answers to this.").waitFor();
    });

    await test("a drive: its surface with the slow and the faulty place located, in a picture and in words", async () => {
      await at(failed);
      const map = page.locator(".surfacemap");
      await map.waitFor();
      const words = (await map.getAttribute("aria-label")).replaceAll("\u00a0", " ");
      assert(`the picture has its words: ${words}`, /fault/.test(words) && /MB\/s/.test(words));
      assert("a fault has a mark beside its colour", (await map.locator(".mark:not(.low)").count()) > 0);
      assert("a slow place has another", (await map.locator(".mark.low").count()) > 0);
      const summary = page.getByText("The same as a table");
      await summary.focus();
      await page.keyboard.press("Enter");
      await page.locator(".odd").getByText("Unreadable").first().waitFor();
      await inspect(page, `surface-${width}`);
    });

    await test("a drive: where it was seen, its tests and certificates on one line of time, the newest first", async () => {
      await at(`/drives/${encodeURIComponent(box.state.drives[0].id)}`);
      const line = page.getByRole("region", { name: "What happened to it" }).locator("li");
      // What the stream has of it is drawn before the box tells the rest.
      await line.filter({ hasText: "plugged in at bay front" }).waitFor();
      const words = await line.allTextContents();
      const order = [/Certificate KC-/, /PASSED/, /plugged in at pci-0000:00:1f\.2-ata-4/, /Playbook standard began/, /is gone; it was last seen in bay front/, /plugged in at bay front/].map((of) => words.findIndex((text) => of.test(text)));
      assert(`in order: ${order}`, order.every((place, n) => place >= 0 && (n === 0 || place > order[n - 1])));
    });

    await test("a word that not everybody knows says what it means, by keyboard and by a press, and gives the focus back", async () => {
      await at("/jobs/0199a-002");
      const word = page.locator(".term", { hasText: "LBA" }).first();
      const meant = page.locator(".meant");
      await word.focus();
      await page.keyboard.press("Enter");
      await meant.waitFor();
      assert("it says what it is", /number of a sector/.test(await meant.textContent()));
      const { x, width: wide } = await meant.boundingBox();
      assert("it is whole", x >= 0 && x + wide <= width);
      await inspect(page, `word-${width}`);
      await page.keyboard.press("Escape");
      await meant.waitFor({ state: "detached" });
      assert("the focus is back", await word.evaluate((one) => one === document.activeElement));
      await page.keyboard.press("Enter");
      await meant.waitFor();
      await page.keyboard.press("Tab");
      assert("Tab leads to all words", await meant.getByRole("link").evaluate((one) => one === document.activeElement && one.target === "_blank"));
      await page.keyboard.press("Tab");
      await meant.waitFor({ state: "detached" });
      assert("out of it the focus is back, too", await word.evaluate((one) => one === document.activeElement));
      await page.locator(".term", { hasText: "what SMART is" }).click();
      await meant.waitFor();
      assert("the guide has all of them", (await meant.getByRole("link").getAttribute("href")) === "/docs/words#smart");
      await page.mouse.click(2, 200);
      await meant.waitFor({ state: "detached" });
    });

    await test("a drive: its siblings, sorted by keyboard, the order told", async () => {
      await at(failed);
      const table = page.locator(".sibs");
      await table.getByText("this drive").waitFor();
      const order = () => table.locator("tbody tr th a").allTextContents();
      assert(`the slowest is first: ${await order()}`, (await order())[0] === "…1754");
      await table.getByRole("button", { name: /^Mean/ }).press("Enter");
      assert("turned round", (await table.locator("th[aria-sort=descending]").textContent()).startsWith("Mean"));
      assert("the slowest is last", (await order()).at(-1) === "…1754");
      if (width >= 641) assert("figures stand at the right", (await table.locator("td.num").first().evaluate((cell) => getComputedStyle(cell).textAlign)) === "right");
    });

    await test("gate: a scan stays a scan over a reload and a new login, whatever is chosen on the bench; so does a chosen playbook", async () => {
      const [thorough] = box.state.playbooks.map((book) => ({ ...book, name: "thorough", about: "Writes and reads twice." }));
      box.state.playbooks.push(thorough);
      await at("/");
      for (const n of [6, 8]) await page.getByRole("checkbox", { name: new RegExp(`^Choose ${box.state.drives[n].serial.slice(-4)}`) }).check();
      await page.getByRole("link", { name: new RegExp(`^${box.state.drives[7].serial.slice(-4)},`) }).click();
      await page.getByRole("button", { name: "Read scan…" }).click();
      const harmless = async (when) => {
        await page.getByText("Nothing is written", { exact: true }).waitFor();
        await page.getByRole("button", { name: "Scan: read 1 drive" }).waitFor();
        const drives = await page.locator(".lose > li").allTextContents();
        assert(`${when}: one drive, that one: ${drives}`, drives.length === 1 && drives[0].includes(box.state.drives[7].serial));
      };
      await harmless("at first");
      await page.reload();
      await harmless("after a reload");
      await page.goto("/burn");
      await harmless("the address entered again");
      const logsIn = async (username) => {
        box.session = null;
        await page.reload();
        await page.getByRole("heading", { name: "Log in" }).waitFor();
        box.session = { username, expires: "2099-01-01T00:00:00Z" };
        await page.getByLabel("Name").fill(username);
        await page.getByLabel("Password").fill("any");
        await page.getByRole("button", { name: "Log in" }).click();
      };
      await logsIn("mara");
      await harmless("after a new login");
      await page.goBack();
      await page.getByRole("heading", { name: "Identity" }).waitFor();
      await page.goForward();
      await harmless("on the way back to it");
      box.instead.set("POST /api/v1/scans", () => ({ jobs: ["0199a-001"] }));
      await page.getByRole("button", { name: "Scan: read 1 drive" }).click();
      await page.locator(".jobhd").waitFor();
      await page.goBack();
      await page.getByRole("heading", { name: "No drive is chosen" }).waitFor();
      box.instead.clear();
      // From the bench it is what is chosen there.
      await page.getByRole("link", { name: "To the bench" }).click();
      await page.getByText("2 drives chosen").waitFor();
      await page.getByRole("link", { name: "Burn in…" }).click();
      const summary = page.locator(".books > summary");
      await page.getByRole("heading", { name: "What will be lost" }).waitFor();
      await summary.click();
      await page.getByRole("radio", { name: "Thorough" }).check();
      await page.locator(".options > summary").click();
      await page.getByRole("checkbox", { name: /^Soak/ }).check();
      await page.reload();
      await summary.getByText("Thorough", { exact: true }).waitFor();
      await page.locator(".options > summary").getByText("soak for 24 h").waitFor();
      await page.locator(".lose > li").nth(1).waitFor();
      assert("with both drives", (await page.locator(".lose > li").count()) === 2);
      // Whoever logs in next wished and chose nothing of that.
      await logsIn("lena");
      await page.getByRole("heading", { name: "No drive is chosen" }).waitFor();
      await page.getByRole("link", { name: "To the bench" }).click();
      await page.locator(".bay").first().waitFor();
      assert("nothing is chosen", (await page.getByText("drives chosen").count()) === 0);
      await logsIn("mara");
      await page.locator(".bay").first().waitFor();
      box.state.playbooks.pop();
    });

    await test("playbooks: a card says what it is for, and leads to the gate with what is chosen, or to the bench to choose it", async () => {
      const { drives } = box.state;
      // A huge disk of the box itself is none that a test could take.
      box.state.drives = drives.map((one, n) => (n === 9 ? { ...one, capacity: 9e15 } : one));
      await at("/playbooks");
      const card = page.locator(".cards > li", { has: page.getByRole("heading", { name: "Read scan" }) });
      const first = page.locator(".cards > li").first();
      await first.getByText("Recommended.").waitFor();
      assert("the time is one of a drive that can be tested", /(roughly|about) \d+\sh for the largest drive here/.test(await first.textContent()));
      await inspect(page, `playbooks-${width}`);
      await card.getByRole("button", { name: "Choose drives for it…" }).click();
      await page.getByRole("checkbox", { name: new RegExp(`^Choose ${drives[6].serial.slice(-4)}`) }).check();
      await page.getByRole("link", { name: "Burn in…" }).click();
      await page.getByRole("button", { name: "Read scan: read 1 drive" }).waitFor();
      await page.getByRole("link", { name: "Playbooks" }).filter({ visible: true }).click();
      await first.getByRole("button", { name: "Use it for 1 chosen drive…" }).click();
      await page.getByRole("heading", { name: "What will be lost" }).waitFor();
      box.state.drives = drives;
      await at("/");
      await page.getByRole("button", { name: "Clear" }).click();
    });

    await test("gate: a drive stands behind the plate that it has on the bench, and its field is named by its bay", async () => {
      const before = box.state.drives;
      box.state.drives = before.map((drive, n) => (n === 6 ? { ...drive, bay: "front 7" } : n === 7 ? { ...drive, bay: "shelf two, third from left" } : drive));
      await at("/");
      for (const n of [6, 7]) await page.getByRole("checkbox", { name: new RegExp(`^Choose ${before[n].serial.slice(-4)}`) }).check();
      const plates = await page.locator(".bay:has(input:checked) .plate").allTextContents();
      await page.getByRole("link", { name: "Burn in…" }).click();
      await page.locator(".lose > li").nth(1).waitFor();
      const shown = await page.locator(".lose .plate").allTextContents();
      assert(`${shown} as on the bench: ${plates}`, shown.join() === plates.join() && shown[0] === "front 7");
      await page.locator(".lose .drv").getByText("shelf two, third from left: WDC").waitFor();
      await page.getByLabel("Last four on the label of the drive in bay front 7").fill(before[6].serial.slice(-4));
      await inspect(page, `gate-bays-${width}`);
      await page.getByLabel("Last four on the label of the drive in bay shelf two").fill(before[7].serial.slice(-4));
      await page.getByText("Left to arm.").waitFor();
      await page.locator(".lose.brief").getByText("shelf two, third from left: WDC").waitFor();
      assert("and so when it is armed", (await page.locator(".lose.brief .plate").allTextContents()).join() === plates.join());
      await inspect(page, `gate-bays-armed-${width}`);
      box.state.drives = before;
      await at("/");
      await page.getByRole("button", { name: "Clear" }).click();
    });

    await test("what waits keeps its ring: on card, in the list and on the wall there is no shape of a verdict", async () => {
      const four = box.state.drives[5].serial.slice(-4);
      await at("/");
      const card = page.locator(".bay", { has: page.getByRole("link", { name: new RegExp(`^${four},`) }) });
      await card.getByRole("img", { name: "31 percent of this phase" }).waitFor();
      assert("no shape on the card", (await card.locator(".shape").count()) === 0);
      const line = page.locator(".needs li", { hasText: `…${four} waits` });
      if ((await line.count()) > 0) assert("and none in its line", (await line.locator("svg.m").count()) === 0);
      await page.goto("/wall");
      const tile = page.locator(".w.held", { hasText: four });
      await tile.getByText("WAITS").waitFor({ timeout: 90_000 });
      assert("none on its tile", (await tile.locator("svg").count()) === 0);
      await inspect(page, `wall-held-${width}`);
    });

    await test("wall: the foot still asks for a drive that FAILED and was taken out before the box started, which has no tile", async () => {
      const { drives } = box.state;
      const four = drives[2].serial.slice(-4);
      // The foot names three, the hot ones first.
      box.state.drives = drives.filter((one) => one !== drives[2]).map((one) => ({ ...one, temperature: 30 }));
      await page.goto("/wall");
      await page.locator(".say", { hasText: `…${four}` }).waitFor();
      assert("no tile for what is not there", (await page.locator(".w", { hasText: four }).count()) === 0);
      box.state.drives = drives;
      box.say("drives", drives);
      await page.locator(".w", { hasText: four }).first().waitFor({ timeout: 90_000 });
    });

    await test("a rule that leads to PASSED is told, and is no row among the limits that were broken", async () => {
      const { verdict } = box.state.jobs[0];
      box.state.jobs[0].verdict = { ...verdict, rules: [{ id: "resumed", outcome: "PASSED", value: "1 interruption", limit: "at least 1 interruption", source: "engine" }] };
      await at("/jobs/0199a-000");
      await page.getByText("Told: resumed (1 interruption)", { exact: true }).waitFor();
      // "Passed" beneath PASSED would be read as the verdict's.
      await page.getByText("No limit was exceeded.", { exact: true }).waitFor();
      assert("no limit", !(await page.locator("main").textContent()).includes("at least 1 interruption"));
      await inspect(page, `told-${width}`);
      box.state.jobs[0].verdict = verdict;
    });

    await test("every table that is read sorts by keyboard, on a phone too", async () => {
      // The values of SMART have an order of their own: what stands out first.
      const tables = page.locator("main table:not(.smart)").filter({ visible: true }).filter({ has: page.locator("tbody tr:nth-child(2)") });
      for (const [path, many] of [[failed, 1], ["/jobs/0199a-002", 2], ["/certificates", 1], ["/settings/update", 1]]) {
        await at(path);
        await until(`${many} tables of ${path}`, async () => (await tables.count()) >= many);
        for (const table of await tables.all()) {
          const head = table.locator("th .sort").last();
          const name = (await head.textContent()).trim();
          await head.press("Enter");
          assert(`${path}: ordered by ${name}`, (await table.locator("th[aria-sort]").allTextContents()).every((text) => text.startsWith(name.replace(/[▲▼]$/, ""))));
        }
      }
    });

    await test("after FAILED and INCONCLUSIVE the first step is to read why, after PASSED another test", async () => {
      for (const [n, first] of [[2, "Read why"], [4, "Read why"], [0, "Burn in…"]]) {
        await at(`/drives/${encodeURIComponent(box.state.drives[n].id)}`);
        // The page's part that comes later takes the place of the one that was found first.
        const strongest = () => page.locator(".jobhd .btn.prime").allTextContents();
        await until(`drive ${n}: ${first}`, async () => (await strongest()).join() === first);
      }
      await at(failed);
      for (const name of ["Certificate", "Show me which", "Burn in again…"]) await page.locator(".jobhd .do").getByText(name).waitFor();
      await page.getByRole("link", { name: "Read why" }).click();
      await page.getByRole("heading", { name: "Verdict", exact: true }).waitFor();
      // The test's own page has the next step, too, and the drive only where it is.
      await page.getByRole("heading", { name: "Take it out; put no data on it" }).waitFor();
      await page.locator(".jobhd .do").getByRole("link", { name: "Certificate" }).waitFor();
      await inspect(page, `job-after-${width}`);
      const again = page.locator(".jobhd .do").getByRole("button", { name: "Burn in again…" });
      const { drives } = box.state;
      box.say("drives", drives.map((one, n) => (n === 2 ? { ...one, present: false } : one)));
      await again.waitFor({ state: "detached" });
      box.say("drives", drives);
      await again.click();
      await page.getByRole("heading", { name: "What will be lost" }).waitFor();
    });

    await test("a phone's foot leads to the certificates, and no name in it is cut off", async () => {
      await page.setViewportSize({ width: 320, height: 640 });
      await at("/");
      const tabs = page.locator(".tabs a");
      const cut = await tabs.evaluateAll((all) => all.filter((one, i) => one.scrollWidth > one.clientWidth || (i > 0 && one.getBoundingClientRect().left < all[i - 1].getBoundingClientRect().right - 1)).map((one) => one.textContent));
      assert(`cut off: ${cut}`, cut.length === 0);
      await tabs.getByText("Certificates").click();
      await page.getByRole("heading", { name: "Certificates", exact: true }).waitFor();
      await tabs.getByText("More").click();
      await page.getByRole("link", { name: /^Add-ons What/ }).waitFor();
      await inspect(page, `foot-${width}`);
      await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
    });

    await test("nothing is wider than the window from 320 px to 4K, by day and by night", async () => {
      for (const size of [{ width: 320, height: 640 }, { width: 768, height: 1024 }, { width: 3840, height: 2160 }]) {
        await page.setViewportSize(size);
        for (const path of PLACES) {
          await at(path);
          const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert(`${path} fits into ${size.width} px, ${over} px too wide`, over <= 0);
        }
      }
      await at(failed);
      // The page's part that comes later takes the place of the one that was found first.
      await until("4K to be used", async () => (await page.locator("main").evaluate((main) => main.getBoundingClientRect().width / innerWidth)) > 0.9);
      await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
    });

    await test("the look that is chosen is kept, over reloads and in another tab", async () => {
      await at("/settings");
      const ground = (where) => where.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const system = await ground(page);
      await page.getByRole("radio", { name: scheme === "dark" ? "Light" : "Dark", exact: true }).check();
      const chosen = await ground(page);
      assert(`${chosen} is not ${system}`, chosen !== system);
      await inspect(page, `looks-${width}`);
      await at("/");
      assert("it is kept over a reload", (await ground(page)) === chosen);
      const other = await context.newPage();
      await other.goto("/settings");
      await other.getByRole("radio", { name: "As the system" }).check();
      assert("and given up", (await ground(other)) === system);
      await until("the first tab to follow", async () => (await ground(page)) === system);
      await other.close();
    });

    await test("forced colours: every verdict keeps its shape and its word, and bars are drawn", async () => {
      await page.emulateMedia({ forcedColors: "active" });
      await at("/");
      for (const word of ["PASSED", "WARN", "FAILED", "INCONCLUSIVE"]) {
        const card = page.locator(".bay", { has: page.getByText(word, { exact: true }) }).first();
        await card.locator("svg.shape").waitFor();
      }
      const seen = (selector) => page.locator(selector).first().evaluate((one) => {
        const ground = (node) => { const own = getComputedStyle(node).backgroundColor; return node.parentElement && own === "rgba(0, 0, 0, 0)" ? ground(node.parentElement) : own; };
        return [ground(one), ground(one.parentElement)];
      });
      await at("/jobs/0199a-002");
      await page.locator(".lane .mark").first().waitFor();
      for (const selector of [".track .bar", ".delta .t i", ".lane .mark"]) {
        const [own, around] = await seen(selector);
        assert(`${selector} is seen: ${own} on ${around}`, own !== around);
      }
      await page.emulateMedia({ forcedColors: "none" });
    });

    await test("paper: no frame, no buttons, everything unfolded, by day", async () => {
      box.state.jobs[2].findings = Array.from({ length: 30 }, (_, i) => ({ ...box.state.jobs[2].findings[0], lba: 6_512_337_120 + i * 64 }));
      await at("/jobs/0199a-002");
      await page.locator(".finds tbody tr").first().waitFor();
      assert("on the screen it is folded", (await page.locator(".finds tbody tr").count()) === 20);
      await page.emulateMedia({ media: "print" });
      for (const selector of [".top", ".tabs", ".do", ".skip"]) assert(`${selector} is not printed`, (await page.locator(selector).filter({ visible: true }).count()) === 0);
      assert("ink is dark", await page.evaluate(() => getComputedStyle(document.body).color === "rgb(26, 27, 29)"));
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      await until("all findings", async () => (await page.locator(".finds tbody tr").count()) === 30);
      await page.evaluate(() => dispatchEvent(new Event("afterprint")));
      await until("the fold", async () => (await page.locator(".finds tbody tr").count()) === 20);
      await page.emulateMedia({ media: null });
      for (const format of ["A4", "Letter"]) {
        const bytes = await page.pdf({ format });
        assert(`${format} is a document`, bytes.subarray(0, 5).toString() === "%PDF-");
      }
    });

    await test("wall: no digit of a serial is cut off, beside a long plate and a verdict with its place", async () => {
      const before = box.state.drives;
      box.state.drives = before.map((drive) => ({ ...drive, bay: "front 7" }));
      // As many as fill the wall: each tile is as small as tiles are.
      for (let n = 10; n < 16; n += 1) box.state.drives.push({ ...before[6], key: `k${n}`, id: `k${n}`, serial: `WSD1W8M${n}`, bay: "back 77" });
      for (const size of [{ width: 1920, height: 1080 }, { width: 1440, height: 900 }, { width: 1366, height: 768 }, { width: 360, height: 780 }, { width: 3840, height: 2160 }]) {
        await page.setViewportSize(size);
        await page.goto("/wall");
        const failed = page.locator(".w.is-fail", { hasText: before[2].serial.slice(-4) });
        // A small wall shows one screen after the other, each for twelve seconds.
        await failed.getByText("FAILED").waitFor({ timeout: 90_000 });
        // Only after its first paint the page is divided for this window.
        await until(`${size.width} px: a wall of this window`, () => page.evaluate(() => {
          const unit = Math.max(0.5, Math.min(Math.max(innerWidth, innerHeight) / 1920, Math.min(innerWidth, innerHeight) / 1080));
          return Math.abs(parseFloat(document.querySelector("main.wall").style.getPropertyValue("--u")) - unit) < 0.001;
        }));
        assert("with its place beside it", (await failed.locator(".tm").textContent({ timeout: 90_000 })).startsWith("at "));
        const cut = await page.evaluate(() => [...document.querySelectorAll(".w .id")].flatMap((one) => {
          const [frame, four] = [one.getBoundingClientRect(), one.querySelector("b").getBoundingClientRect()];
          return one.scrollWidth <= one.clientWidth && four.right <= frame.right + 0.5 ? [] : [`${one.textContent}: ${one.scrollWidth} of ${one.clientWidth}`];
        }));
        assert(`${size.width} px: cut off: ${cut.join(", ")}`, cut.length === 0);
        const foot = await page.evaluate(() => {
          const say = document.querySelector(".say").getBoundingClientRect();
          return [...document.querySelectorAll(".say > span, .say > span > span")].flatMap((one) => {
            const { right, bottom, top } = one.getBoundingClientRect();
            return one.scrollWidth <= one.clientWidth + 1 && right <= say.right + 1 && top >= say.top - 1 && bottom <= say.bottom + 1 ? [] : [one.textContent];
          });
        });
        assert(`${size.width} px: cut in the foot: ${foot.join(", ")}`, foot.length === 0 && (await page.locator(".say > span").count()) > 1);
        if (size.width === 1920) await inspect(page, `wall-plates-${width}`);
      }
      box.state.drives = before;
      await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
      await at("/");
    });

    await test("wall: a step and its time left are both read whole, however long they are", async () => {
      const before = { drives: box.state.drives, jobs: box.state.jobs };
      const steps = [["self_test_extended", 0.31, 128_000], ["seek", 0.4, 5400], ["self_test_short", null, 100], ["smart_before", null, 5400], ["verify", 0.62, 5400]];
      // As many as fill the wall: each tile is as small as tiles are.
      box.state.drives = Array.from({ length: 16 }, (_, n) => ({ ...before.drives[6], key: `k${n}`, id: `k${n}`, serial: `WSD1W8M${10 + n}` }));
      box.state.jobs = box.state.drives.map((one, n) => {
        const [phase, share, left] = steps[n % steps.length];
        const total = share === null ? 0 : 1000;
        return { ...before.jobs[1], id: `j${n}`, drive: one.id, progress: { ...before.jobs[1].progress, phase, phase_percent: null, done: Math.round((share ?? 0) * total), total, eta_job: left } };
      });
      for (const size of [{ width: 1920, height: 1080 }, { width: 1440, height: 900 }, { width: 360, height: 780 }, { width: 3840, height: 2160 }]) {
        await page.setViewportSize(size);
        await page.goto("/wall");
        await page.locator(".w", { hasText: "Extended self-test" }).first().waitFor();
        const measured = () => page.evaluate(() => [...document.querySelectorAll(".w")].flatMap((tile) => {
          const parts = [...tile.querySelectorAll(".id, .cp, .ph, .bg, .bg > span, .tm")].filter((one) => one.textContent);
          const cut = parts.filter((one) => one.scrollWidth > one.clientWidth + 1);
          const boxes = parts.filter((one) => !one.matches(".bg")).map((one) => one.getBoundingClientRect());
          const over = boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1));
          return cut.length > 0 || over ? [`${tile.textContent}${over ? " over each other" : " cut off"}`] : [];
        }));
        // The tiles still find their size.
        await until(`${size.width} px: each tile to be read whole`, async () => (await measured()).length === 0, 10)
          .catch(async (error) => { throw new Error(`${error.message}: ${(await measured()).join(", ")}`); });
        if (size.width !== 3840) await inspect(page, `wall-steps-${size.width}-${width}`);
      }
      Object.assign(box.state, before);
      await page.setViewportSize({ width, height: width < 500 ? 780 : 900 });
      await at("/");
    });

    await test("agent away: no page tells rate or time left of what nobody hears of, and each says so", async () => {
      const text = "The burn-in agent is not connected since 07:06. Running jobs go on when it is back.";
      const away = { ...box.state.box, agent: { state: "offline", last_seen: new Date().toISOString() }, banners: [{ severity: "critical", text }] };
      const main = async () => (await page.locator("main").textContent()).replaceAll("\u00a0", " ");
      await at("/jobs/0199a-001");
      await page.getByRole("heading", { name: /^Done in/ }).waitFor();
      await page.getByText("MB/s without pauses, from the first sector to the last").waitFor();
      assert("it moves", /171\sMB\/s/.test(await page.locator(".track").textContent()) && (await page.locator(".plot .dot").count()) === 1);
      box.say("box", away);
      await page.getByRole("heading", { name: /^Last heard \d\d:\d\d; goes on when the agent is back$/ }).waitFor();
      await page.locator(".banners").getByText(text).waitFor();
      const track = await page.locator(".track [aria-current=step]").textContent();
      assert(`the step tells neither: ${track}`, !/MB\/s|left/.test(track));
      assert("nothing is running", (await page.locator(".keyrow").getByText("running").count()) === 0 && (await page.locator(".plot .dot").count()) === 0);
      await inspect(page, `job-away-${width}`);
      for (const path of ["/", failed]) {
        await page.getByRole("link", { name: "Bench", exact: true }).filter({ visible: true }).click();
        if (path !== "/") await page.getByRole("link", { name: new RegExp(`^${box.state.drives[2].serial.slice(-4)},`) }).click();
        if (path !== "/") await page.getByRole("link", { name: "The drive’s page" }).click();
        await page.locator(".banners").getByText(text).waitFor();
      }
      await page.getByRole("button", { name: "Read scan…" }).click();
      await page.locator(".banners").getByText(text).waitFor();
      await page.getByRole("link", { name: "Bench", exact: true }).filter({ visible: true }).click();
      await page.locator(".figs").getByText(/^last heard/).waitFor();
      const figures = await page.locator(".figs").textContent();
      assert(`no figures: ${figures}`, !/MB|next done|°C/.test(figures));
      box.say("box", { ...box.state.box, now: new Date().toISOString() });
      await page.locator(".figs").getByText("171 MB/s".split(" ")[0]).waitFor();
      assert("the banner is gone", !(await main()).includes(text));
    });

    await test("agent away: where nothing needs a person, it says up to when", async () => {
      const { drives, jobs } = box.state;
      const update = box.state.box.supervisor.update;
      [box.state.drives, box.state.jobs] = [drives.slice(6, 8).map((one) => ({ ...one, temperature: 30 })), []];
      box.state.box.supervisor.update = null;
      await at("/");
      await page.locator(".needs").getByText("Nothing. This line says so when that changes.").waitFor();
      box.say("box", { ...box.state.box, agent: { state: "offline", last_seen: new Date().toISOString() }, now: new Date().toISOString() });
      await page.locator(".needs").getByText(/^Nothing up to when the drives were heard of\. Last heard \d\d:\d\d; goes on when the agent is back\.$/).waitFor();
      await inspect(page, `needs-away-${width}`);
      box.say("box", { ...box.state.box, now: new Date().toISOString() });
      await page.locator(".needs").getByText("Nothing. This line says so when that changes.").waitFor();
      [box.state.drives, box.state.jobs, box.state.box.supervisor.update] = [drives, jobs, update];
    });

    await test("gate: a chosen drive that is pulled, before it or in it, is named, and told not to be burnt in", async () => {
      const { drives } = box.state;
      const [stays, goes] = [drives[6], drives[7]];
      const without = drives.filter((one) => one !== goes);
      const card = (of) => page.locator(".bay", { has: page.getByRole("link", { name: new RegExp(`^${of.serial.slice(-4)},`) }) });
      await at("/");
      for (const of of [stays, goes]) await card(of).getByRole("checkbox").check();
      box.say("drives", without);
      await page.getByText("1 drive chosen").waitFor();
      // What is asked for elsewhere has nothing to do with what was chosen here.
      await page.getByRole("link", { name: new RegExp(`^${stays.serial.slice(-4)},`) }).click();
      await page.getByRole("button", { name: "Read scan…" }).click();
      await page.getByRole("button", { name: "Scan: read 1 drive" }).waitFor();
      assert("the drive of the bench is not named", (await page.getByText("was chosen").count()) === 0);
      await page.getByRole("link", { name: "Back to the bench" }).click();
      await page.getByRole("link", { name: "Burn in…" }).click();
      const left = page.getByText("…9F2K was chosen and is not plugged in any more: it is not among these, and will not be burnt in.");
      await left.waitFor();
      await inspect(page, `gate-left-${width}`);
      box.say("drives", drives);
      await left.waitFor({ state: "detached" });
      await page.getByText("…9F2K was unplugged after it had been chosen: it is not among these").waitFor();
      await inspect(page, `gate-slipped-${width}`);
      await at("/");
      for (const of of [stays, goes]) await card(of).getByRole("checkbox").check();
      await page.getByRole("link", { name: "Burn in…" }).click();
      await page.locator(".four input").nth(1).waitFor();
      box.say("drives", without);
      await page.getByText("…9F2K is not plugged in any more").waitFor();
      await page.getByText("it will not be burnt in like this").waitFor();
      await inspect(page, `gate-gone-${width}`);
      box.say("drives", drives);
      await page.getByText("…9F2K is not plugged in any more").waitFor({ state: "detached" });
    });

    await test("gate: a scan leaves out a drive that is missing, and says so in words of its own", async () => {
      const { drives, playbooks } = box.state;
      box.state.playbooks = [...playbooks, { ...playbooks[0], name: "scan", about: "Reads every sector.", erases: false }];
      await at("/");
      for (const of of [drives[6], drives[7]]) await page.getByRole("checkbox", { name: new RegExp(`^Choose ${of.serial.slice(-4)}`) }).check();
      await page.getByRole("link", { name: "Burn in…" }).click();
      await page.locator(".books > summary").click();
      await page.getByRole("radio", { name: "Scan", exact: true }).click();
      await page.getByRole("button", { name: "Scan: read 2 drives" }).waitFor();
      box.say("drives", drives.filter((one) => one !== drives[7]));
      await page.getByRole("button", { name: "Scan: read 1 drive" }).waitFor();
      await page.getByText("…9F2K was chosen and is not plugged in any more: it is not among these, and will not be read.").waitFor();
      assert("nothing is burnt in", (await page.getByText("burnt in").count()) === 0);
      await inspect(page, `scan-gone-${width}`);
      box.instead.set("POST /api/v1/scans", () => ({ jobs: ["0199a-001"] }));
      const [asked] = await Promise.all([page.waitForRequest("**/api/v1/scans"), page.getByRole("button", { name: "Scan: read 1 drive" }).click()]);
      assert("the other one is asked for", JSON.stringify(asked.postDataJSON().drives) === JSON.stringify([drives[6].id]));
      await page.locator(".jobhd").waitFor();
      box.instead.clear();
      box.state.playbooks = playbooks;
      box.say("drives", drives);
    });

    await test("agent silent: before the box knows, no page tells rate or time left of a test of which nothing comes", async () => {
      const [of, running] = [box.state.drives[1], box.state.jobs[1]];
      const own = await visit(browser, box.url, width, scheme);
      // The page's clock goes on while this machine is slow, and a narrow wall turns to other drives meanwhile.
      const silent = /Nothing heard for [2-5]\d\ss/;
      const told = () => box.say("progress", { job: running.id, progress: running.progress });
      const places = {
        "/": { figures: () => own.page.locator(".bay", { hasText: of.serial.slice(-4) }).locator(".ft"), silent },
        [`/jobs/${running.id}`]: { figures: () => own.page.locator("main"), silent },
        [`/drives/${encodeURIComponent(of.id)}`]: { figures: () => own.page.locator(".jobhd"), silent },
        "/wall": { figures: () => own.page.locator(".w", { hasText: of.serial.slice(-4) }), silent: /silent [2-5]\d\ss/ },
      };
      await own.page.clock.install();
      for (const [path, place] of Object.entries(places)) {
        await own.page.goto(path);
        await place.figures().waitFor();
        const height = () => place.figures().first().evaluate((one) => one.getBoundingClientRect().height);
        // A phone's wall has a line less above its tiles, and more room for them.
        const before = path === "/" || path.startsWith("/drives/") ? await height() : null;
        await own.page.clock.fastForward("00:21");
        await place.figures().getByText(place.silent).first().waitFor();
        const words = await place.figures().textContent();
        assert(`${path} tells neither rate nor time left: ${words}`, !/171\sMB|Done in|left|about/.test(words));
        const after = before === null ? null : await height();
        assert(`${path} does not jump: ${before} to ${after}`, after === before);
        assert(`${path} tells no fault`, (await own.page.locator(".banners .is-fail").count()) === 0);
        await inspect(own.page, `silent-${path.split("/")[1] || "bench"}-${width}`);
        told();
        await own.page.clock.runFor(1000);
        await until("figures of now", async () => !place.silent.test(await place.figures().textContent()));
      }
      assert(`the console is clean: ${own.complaints}`, own.complaints.length === 0);
      await own.context.close();
    });

    await test("updates: a server that is no box says so without alarm, and a banner is a whole sentence", async () => {
      box.instead.set("GET /api/v1/update", () => ({ type: "no-supervisor", status: 503, title: "This server does not run in a box, or its supervisor is away" }));
      await page.route("**/api/v1/update", async (route) => route.fulfill({ response: await route.fetch(), status: 503, contentType: "application/problem+json" }));
      await at("/settings/update");
      await page.getByText("Updates are for the appliance").waitFor();
      assert("nothing is red", (await page.locator(".problem").count()) === 0);
      await inspect(page, `update-none-${width}`);
      await page.unroute("**/api/v1/update");
      box.instead.clear();
      await at("/");
      // It is told until the page's stream stands.
      const told = page.locator(".banners").getByText("The burn-in agent does not answer in time.", { exact: true });
      await until("the banner", async () => {
        box.say("box", { ...box.state.box, banners: [{ severity: "warning", text: "The burn-in agent does not answer in time" }], now: new Date().toISOString() });
        return told.isVisible();
      });
      box.say("box", { ...box.state.box, now: new Date().toISOString() });
    });

    await test("paused: no page tells that it runs, and each that it waits for a person", async () => {
      const running = box.state.jobs[1];
      box.state.jobs[1] = { ...running, state: { kind: "waiting", why: "paused by mara" } };
      await at("/jobs/0199a-001");
      await page.getByRole("heading", { name: "Paused" }).waitFor();
      const track = await page.locator(".track [aria-current=step]").textContent();
      assert(`neither rate nor time left: ${track}`, !/MB\/s|left/.test(track));
      const drawn = () => page.locator(".plot path.b").first().getAttribute("d");
      const before = await drawn();
      for (const rate of [90e6, 20e6, 1e6]) box.say("progress", { job: running.id, progress: { ...running.progress, done: running.progress.done + 4e11, rate } });
      await page.waitForTimeout(700);
      assert("the curve does not fall while it stands", (await drawn()) === before);
      await page.getByRole("link", { name: "Bench", exact: true }).filter({ visible: true }).click();
      const card = page.locator(".bay", { has: page.getByRole("link", { name: new RegExp(`^${running.serial.slice(-4)},`) }) });
      await card.getByText("waits for Go on").waitFor();
      assert("it does not go on by itself", !/by itself/.test(await card.textContent()));
      const figures = await page.locator(".figs .fig").first().textContent();
      assert(`nothing is under test: ${figures}`, figures.startsWith("Testing0 of") && figures.endsWith("2 wait"));
      await page.goto("/wall");
      await page.locator(".w", { hasText: running.serial.slice(-4) }).getByText("PAUSED").waitFor();
      assert("nothing burns", (await page.locator(".hd .q").first().textContent()) === "0 burning");
      await page.goto(`/drives/${encodeURIComponent(running.drive)}`);
      await page.getByRole("heading", { name: "Its test is paused" }).waitFor();
      box.state.jobs[1] = running;
    });

    await test("pause and go on: the button waits for the test to stand so, or it can be asked again after a while", async () => {
      const running = box.state.jobs[1];
      const own = await visit(browser, box.url, width, scheme);
      const { page, page: { clock } } = own;
      const button = page.locator(".jobhd .do .btn").first();
      const presses = [];
      for (const what of ["pause", "resume"]) box.instead.set(`POST /api/v1/jobs/0199a-001/${what}`, () => presses.push(what) && {});
      // The page's time is what is given to it, however long this machine takes; in steps that are shorter than a picture.
      const drawn = (what, fact) => until(what, async () => {
        await clock.runFor(10);
        return fact();
      });
      const shows = (name) => drawn(`the button to say ${name}`, async () => (await button.count()) > 0 && (await button.textContent()) === name && (await button.isEnabled()));
      const press = async () => {
        const [answer] = await Promise.all([page.waitForResponse((response) => response.request().method() === "POST"), button.click()]);
        await answer.finished();
      };
      const stillAsks = async () => assert(`still ${await button.textContent()}`, (await button.isDisabled()) && (await button.textContent()) === "Asking the box");
      await clock.install();
      await clock.pauseAt(Date.now() + 3000);
      await page.goto("/jobs/0199a-001");
      for (const [name, after, state] of [["Pause", "Go on", { kind: "waiting", why: "paused by mara" }], ["Go on", "Pause", { kind: "running" }]]) {
        await shows(name);
        await press();
        await clock.runFor(400);
        await stillAsks();
        box.say("job", { ...running, state });
        await shows(after);
        await drawn("the focus to be on it, too", () => button.evaluate((one) => one === document.activeElement));
      }
      assert(`each was asked for once: ${presses}`, presses.join() === "pause,resume");
      await press();
      await stillAsks();
      await clock.runFor(5000);
      await shows("Pause");
      await drawn("what takes long to be told", () => page.getByText("It does not pause yet.").isVisible());
      await press();
      await page.getByRole("button", { name: "End this test…" }).click();
      await drawn("the question", () => page.getByRole("dialog").isVisible());
      assert("it can be ended meanwhile", await page.getByRole("button", { name: "End the test" }).isEnabled());
      assert(`the console is clean: ${own.complaints}`, own.complaints.length === 0);
      await own.context.close();
      box.instead.clear();
    });

    await test("a playbook: what was typed and not saved is there after a look at the bench, until it is saved or undone", async () => {
      const text = page.getByRole("textbox", { name: "Text of the playbook" });
      const away = async () => {
        await page.getByRole("link", { name: "Bench", exact: true }).filter({ visible: true }).click();
        await page.locator(".bay").first().waitFor();
        await page.goBack();
      };
      for (const [path, mine] of [["/playbooks/+", "name = \"mine\"\n"], ["/playbooks/standard", "name = \"like-standard\"\n"]]) {
        await at(path);
        const before = await text.inputValue();
        await text.fill(mine);
        await away();
        assert(`${path}: it is there`, (await text.inputValue()) === mine);
        await page.getByRole("button", { name: "Undo the changes" }).click();
        assert(`${path}: it is undone`, (await text.inputValue()) === before);
        await away();
        assert(`${path}: and stays so`, (await text.inputValue()) === before);
        await text.fill(mine);
        box.instead.set(`PUT /api/v1/playbooks/${/"(.*)"/.exec(mine)[1]}`, () => ({ told: "Kept." }));
        await page.getByRole("button", { name: /^Check and save/ }).click();
        await page.getByRole("heading", { name: "No such playbook" }).waitFor();
        await at(path);
        assert(`${path}: nothing is left once it is saved`, (await text.inputValue()) === before);
      }
      box.instead.clear();
    });

    await test("back after a cut: no error of before is left, on a job's page and at the armed gate, which asks for its plan anew", async () => {
      await at("/jobs/0199a-001");
      box.instead.set("POST /api/v1/jobs/0199a-001/pause", 503);
      await page.getByRole("button", { name: "Pause" }).click();
      await page.getByText("The box answered 503").waitFor();
      box.cut();
      await page.getByText("The box answered 503").waitFor({ state: "detached" });
      await at("/");
      for (const n of [6, 7]) await page.getByRole("checkbox", { name: new RegExp(`^Choose ${box.state.drives[n].serial.slice(-4)}`) }).check();
      await page.getByRole("link", { name: "Burn in…" }).click();
      for (const n of [6, 7]) await page.locator(`li:has-text("${box.state.drives[n].serial}") .four input`).fill(box.state.drives[n].serial.slice(-4));
      await page.getByText("Left to arm.").waitFor();
      box.instead.set("POST /api/v1/plans/p1/arm", 503);
      await page.getByLabel("Your password").fill("a password");
      await page.getByRole("button", { name: "Erase and test 2 drives" }).click();
      await page.getByText("The box answered 503").waitFor();
      const [asked] = await Promise.all([page.waitForRequest((request) => request.url().endsWith("/api/v1/plans")), box.cut()]);
      assert("a plan is asked for", asked.method() === "POST");
      await page.getByText("The box answered 503").waitFor({ state: "detached" });
      await page.getByText("Left to arm.").waitFor();
      assert("what was typed is there", (await page.getByLabel("Your password").inputValue()) === "a password");
      // Refused while the agent is away, asked anew when it is back.
      box.instead.set("POST /api/v1/plans", 503);
      await page.reload();
      await page.getByRole("heading", { name: "These drives cannot be tested" }).waitFor();
      box.say("box", { ...box.state.box, agent: { state: "offline", last_seen: null }, banners: [{ severity: "critical", text: "The burn-in agent is not connected." }] });
      await page.locator(".banners").getByText("The burn-in agent is not connected.").waitFor();
      box.instead.clear();
      box.say("box", box.state.box);
      await page.getByRole("heading", { name: "What will be lost" }).waitFor();
      await at("/");
      await page.getByRole("button", { name: "Clear" }).click();
    });

    await test("the question whether to end a test goes when somebody else has ended it", async () => {
      const running = box.state.jobs[1];
      await at("/jobs/0199a-001");
      await page.getByRole("button", { name: "End this test…" }).click();
      await page.getByRole("dialog").waitFor();
      const ended = { ...running, state: { kind: "aborted" }, ended: new Date().toISOString(), verdict: { ...box.state.jobs[4].verdict, summary: "lena ended it." } };
      box.say("job", ended);
      await page.locator(".bigverdict").waitFor();
      assert("no question stands over the verdict", (await page.getByRole("dialog").count()) === 0);
      box.say("job", running);
      await page.getByRole("button", { name: "End this test…" }).waitFor();
      assert("nor does it come back", (await page.getByRole("dialog").count()) === 0);
    });

    await test("check: a number or a picture is no certificate, and no verdict is told of it", async () => {
      await at("/verify");
      const words = page.locator(".problem").getByText("No certificate in this");
      await page.getByLabel("Or its text, or that of its QR code").fill("KC-7Q2M-4XKD-9PZA");
      await page.getByRole("button", { name: "Check", exact: true }).click();
      await words.waitFor();
      await page.getByText("The number alone cannot be checked").waitFor();
      await page.getByLabel("Or its text, or that of its QR code").fill("");
      await words.waitFor({ state: "detached" });
      await page.locator(".drop input").setInputFiles({ name: "label.png", mimeType: "image/png", buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x7b, 0x7d]) });
      await words.waitFor();
      assert("nothing of a signature", (await page.getByText(/Not to be relied on|never signed/).count()) === 0);
      await inspect(page, `verify-none-${width}`);
    });

    await test("check: what it comes to is seen where it was asked for", async () => {
      const of = box.state.drives[2];
      box.instead.set("POST /api/v1/certificates/check", () => ({
        standing: "trusted", told: "signed by this box", signature_good: true, key: "9f2c4be1".repeat(8), known_as: "this box", expired: false, not_yet_valid: false, revocation: { kind: "standing" },
        says: { id: "KC-1", model: of.model, serial: of.serial, capacity: of.capacity, outcome: "FAILED", made: new Date().toISOString(), valid_until: "2099-01-01T00:00:00Z" },
      }));
      await at("/verify");
      await page.getByLabel("Or its text, or that of its QR code").fill("{}");
      await page.getByRole("button", { name: "Check", exact: true }).click();
      await page.locator(".bigverdict").waitFor();
      await until("the whole verdict to be in the window", () => page.locator(".bigverdict").evaluate((one) => one.getBoundingClientRect().bottom <= Math.min(innerHeight, ...[...document.querySelectorAll(".tabs")].map((bar) => bar.getBoundingClientRect().top || innerHeight))), 10);
      await inspect(page, `verify-${width}`);
      box.instead.clear();
    });

    await test("a card: a step that is measured by time has its percentage, and ages of seconds go on", async () => {
      const [ended, running] = box.state.jobs;
      box.state.jobs[0] = { ...ended, ended: new Date(Date.now() - 45_000).toISOString() };
      box.state.jobs[1] = { ...running, progress: { ...running.progress, done: 0, total: 0, phase_percent: 37 } };
      await at("/");
      const card = (of) => page.locator(".bay", { has: page.getByRole("link", { name: new RegExp(`^${of.serial.slice(-4)},`) }) });
      await card(running).getByRole("img", { name: "37 percent of this phase" }).waitFor();
      await card(ended).getByText(/^[34]\d\ss ago$/).waitFor();
      [box.state.jobs[0], box.state.jobs[1]] = [ended, running];
    });

    await test("a second press in the same place does nothing to the row that came there: alerts, sessions, tokens", async () => {
      const none = new Map([["services", []], ["history", []], ["providers", {}], ["event-types", []]]);
      for (const [name, answer] of none) box.instead.set(`GET /api/notifications/${name}`, () => answer);
      const later = new Date(Date.now() + 900_000).toISOString();
      const lists = [
        { path: "/settings/alerts", rows: ".chan", get: "/api/notifications/alerts", wrap: (rows) => rows, end: (id) => `POST /api/notifications/alerts/${id}/ack`,
          row: (id) => ({ id, title: `alert ${id}`, message: `alert ${id}`, severity: "critical", at: later, steps: [{ service_name: "boss", told_at: null, due_at: later }] }) },
        { path: "/settings/people", rows: ".tbl tbody tr:has(button)", get: "/api/v1/sessions", wrap: (rows) => rows, end: (id) => `DELETE /api/v1/sessions/${id}`,
          row: (id) => ({ id: `${id}`, program: `Program ${id}`, address: "192.168.1.9", created: later, expires: later, own: false }) },
        { path: "/settings/hosts", rows: ".plain li:has(button)", get: "/api/v1/tokens", wrap: (tokens) => ({ tokens }), end: (id) => `DELETE /api/v1/tokens/${id}`,
          row: (id) => ({ id, name: `host ${id}`, created_at: later, used_at: null }) },
      ];
      for (const { path, rows, get, wrap, end, row } of lists) {
        let left = [1, 2, 3].map(row);
        box.instead.set(`GET ${get}`, () => wrap(left));
        for (const one of left) box.instead.set(end(one.id), () => ((left = left.filter(({ id }) => id !== one.id)), {}));
        await page.goto(path);
        const lines = page.locator(rows);
        await until(`three rows at ${path}`, async () => (await lines.count()) === 3);
        await page.waitForTimeout(SETTLES_MS);
        const press = lines.first().getByRole("button");
        await press.scrollIntoViewIfNeeded();
        const { x, y, width: across, height: tall } = await press.boundingBox();
        await atOnce(page, async () => {
          await page.mouse.click(x + across / 2, y + tall / 2);
          await until("one row less", async () => (await lines.count()) === 2);
          await page.mouse.click(x + across / 2, y + tall / 2);
        });
        await page.waitForTimeout(SETTLES_MS);
        assert(`${path}: ${left.length} are left`, left.length === 2);
        await press.click();
        await until("the next one is taken when it is meant", () => left.length === 1);
      }
      box.instead.clear();
    });

    await test("nine tabs: those that nobody looks at give their stream back, and say what they show of before until they have it again", async () => {
      // Headless pages are all shown: what a browser says of a tab behind another one is said here.
      const own = await visit(browser, box.url, width, scheme);
      await own.context.addInitScript(() => {
        let hidden = false;
        Object.defineProperties(Document.prototype, { hidden: { get: () => hidden }, visibilityState: { get: () => (hidden ? "hidden" : "visible") } });
        globalThis.look = (is) => {
          hidden = !is;
          document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
        };
      });
      const look = (tab, is) => tab.evaluate((shown) => globalThis.look(shown), is);
      const tabs = [own.page];
      const bay = (tab) => tab.locator(".bay").first();
      await own.page.goto("/");
      await bay(own.page).waitFor();
      // More than a browser opens connections to one host.
      while (tabs.length < 9) {
        await look(tabs.at(-1), false);
        const tab = await own.context.newPage();
        tabs.push(tab);
        await tab.goto("/", { timeout: 15_000 });
        await bay(tab).waitFor({ timeout: 15_000 });
      }
      await look(tabs.at(-1), false);
      const first = tabs[0];
      await first.getByText(/^What you see is from \d\d:\d\d/).waitFor();
      const of = box.state.drives[0];
      const before = of.bay;
      of.bay = "moved";
      box.say("drives", box.state.drives);
      await first.waitForTimeout(1000);
      assert("a tab that nobody looks at hears nothing", (await first.getByText("moved", { exact: true }).count()) === 0);
      await look(first, true);
      await first.getByText("moved", { exact: true }).first().waitFor();
      await first.getByText(/^What you see is from/).waitFor({ state: "detached" });
      // Who logged in elsewhere in this browser meanwhile is who looks.
      await look(first, false);
      await first.getByText(/^What you see is from/).waitFor();
      const { username } = box.session;
      box.session = { ...box.session, username: "lena" };
      await look(first, true);
      await until("the other one's name", async () => (await first.locator(".who").textContent()) === "lena");
      // So is a box that was reset and claimed anew there: what it does not know is not shown.
      const verdict = first.locator(".bay", { hasText: of.serial.slice(-4) }).getByText("PASSED");
      await verdict.waitFor();
      await look(first, false);
      await first.getByText(/^What you see is from/).waitFor();
      const [jobs, session] = [box.state.jobs, box.session];
      box.state.jobs = jobs.slice(1);
      box.session = { ...session, expires: new Date(Date.parse(session.expires) + 3_600_000).toISOString() };
      await look(first, true);
      await verdict.waitFor({ state: "detached" });
      await bay(first).waitFor();
      [box.state.jobs, box.session] = [jobs, session];
      await first.goto("/wall");
      await first.locator(".w").first().waitFor();
      await look(first, false);
      await first.waitForTimeout(3000);
      of.bay = "again";
      box.say("drives", box.state.drives);
      await first.getByText("again", { exact: true }).first().waitFor();
      assert("a wall listens on", (await first.locator(".wall.lost").count()) === 0);
      assert(`the console is clean: ${own.complaints}`, own.complaints.length === 0);
      box.session = { ...box.session, username };
      of.bay = before;
      await own.context.close();
    });

    await test("session over and box away: each says what to do", async () => {
      await at("/certificates");
      await page.getByRole("link", { name: "Events", exact: true }).filter({ visible: true }).click();
      await page.getByRole("heading", { name: "Events", exact: true }).first().waitFor();
      box.session = null;
      await page.reload();
      await page.getByRole("heading", { name: "Log in" }).waitFor();
      box.session = { username: "mara", expires: "2099-01-01T00:00:00Z" };
      box.instead.set("GET /api/v1/box", 503);
      await page.reload();
      await page.getByText(/tries again every three seconds/).waitFor();
      await inspect(page, `away-${width}`);
      box.instead.clear();
      await page.getByRole("heading", { name: "Events", exact: true }).first().waitFor({ timeout: 60_000 });
    });

    await test("every drive is refused: each says why; no drive and no agent teach the next step", async () => {
      box.state.drives = box.state.drives.map((drive) => ({ ...drive, refused: { kind: "mounted", reason: "it is mounted at /srv" } }));
      box.state.jobs = [];
      await at("/");
      await until("the reason on every card", async () => (await page.locator(".bay").getByText("it is mounted at /srv").count()) === box.state.drives.length);
      await page.getByText("None of these drives is offered").waitFor();
      await inspect(page, `refused-all-${width}`);
      box.say("drives", []);
      await page.getByRole("heading", { name: "No drive is plugged in" }).waitFor();
      box.say("box", { ...box.state.box, agent: { state: "offline", last_seen: null } });
      await page.getByRole("heading", { name: "Waiting for the burn-in agent" }).waitFor();
    });

    await test("the way back to the other system: asked twice, told to the box with what becomes of the drives under test", async () => {
      box.state = new Played().state;
      box.instead.set("POST /api/v1/update/back", () => null);
      await at("/settings/update");
      await page.getByRole("button", { name: "Go back to it…" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("version 0.0.9 in slot A").waitFor();
      const restart = dialog.getByRole("button", { name: "Restart with it" });
      await dialog.getByText("Also while drives are being tested").waitFor();
      assert("not while drives are tested and nobody agreed", await restart.isDisabled());
      await inspect(page, `back-${width}`);
      await dialog.getByText("Also while drives are being tested").click();
      const [sent] = await Promise.all([page.waitForRequest((request) => request.url().endsWith("/api/v1/update/back")), restart.click()]);
      assert(`told: ${sent.method()} ${sent.postData()}`, sent.method() === "POST" && JSON.parse(sent.postData()).while_testing === true);
      await page.getByText("The box restarts with version 0.0.9 in slot A.").waitFor();
      box.instead.set("POST /api/v1/update/back", 409);
      await page.getByRole("button", { name: "Go back to it…" }).click();
      await dialog.getByText("Also while drives are being tested").click();
      await restart.click();
      await page.getByText("The box answered 409").waitFor();
      box.instead.clear();
      // With a system beside it that must not be started there is no such way.
      box.state.update.view.slots[0].state = "bad";
      await page.getByText("The other system").waitFor({ state: "hidden" });
    });

    await test("fingers: nothing that one presses is smaller than 44 px, or 24 in a line of text", async () => {
      await context.close();
      box.state = new Played().state;
      context = await browser.newContext({ baseURL: box.url, viewport: { width, height: 780 }, colorScheme: scheme, hasTouch: true, isMobile: true, reducedMotion: "reduce" });
      page = await context.newPage();
      complaints = [];
      const small = [];
      for (const path of PLACES) {
        await at(path);
        await page.locator("main").locator("a[href], button, input, summary").first().waitFor({ state: "attached" });
        small.push(...(await page.evaluate((where) => [...document.querySelectorAll("a[href], button, select, summary, input:not(.sr)")].flatMap((one) => {
          const box = one.getBoundingClientRect();
          if (box.width === 0 || box.height === 0 || one.closest(".sr, .skip") || getComputedStyle(one).visibility === "hidden") return [];
          // A label, or an area laid over the card, is pressed as well as what it belongs to.
          const label = one.closest("label")?.getBoundingClientRect();
          const laid = ["::before", "::after"].some((what) => getComputedStyle(one, what).position === "absolute" || (one.closest("label") && getComputedStyle(one.closest("label"), what).position === "absolute"));
          const high = Math.max(box.height, label?.height ?? 0);
          const inText = one.matches("a") && getComputedStyle(one).display === "inline";
          return laid || high >= (inText ? 24 : 43.5) ? [] : [`${where}: ${one.outerHTML.slice(0, 90)} is ${Math.round(high)} px high`];
        }), path)));
      }
      assert(`too small: ${small.slice(0, 12).join("\n")}`, small.length === 0);
    });
  } finally {
    await context.close().catch(() => {});
    await box.close();
  }
}
