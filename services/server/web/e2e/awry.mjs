/**
 * What the page says where something went otherwise than its owner wanted, over a played box (`played.mjs`): a drive pulled at the
 * armed gate, a file that is brought again, a name that is taken, an answer that did not come, a lost password, an update.
 */
import { until } from "./box.mjs";
import { arrive, inspect, visit } from "./browser.mjs";
import { Played } from "./played.mjs";
import { assert, tester } from "./test.mjs";

export async function awry(browser, width, scheme, count) {
  const box = await new Played().open();
  const { page, context, complaints } = await visit(browser, box.url, width, scheme);
  const test = tester(width, count, () => ({ page, complaints, box: { output: "" } }));
  const at = (path) => arrive(page, path);

  try {
    await test("gate: a drive that is pulled while it is armed is named there, and shuts the button until it is back", async () => {
      const { drives } = box.state;
      const [stays, goes] = [drives[6], drives[7]];
      await at("/");
      for (const of of [stays, goes]) await page.locator(`[data-bay="${of.id}"]`).getByRole("checkbox").check();
      await page.getByRole("link", { name: "Burn in…" }).click();
      for (const [index, of] of [stays, goes].entries()) await page.locator(`#label-${index}`).fill(of.serial.slice(-4));
      await page.getByText("Left to arm.").waitFor();
      await page.getByLabel("Your password").fill("whatever");
      const button = page.getByRole("button", { name: "Erase and test 2 drives" });
      assert("the button is open", await button.isEnabled());
      box.say("drives", drives.filter((one) => one !== goes));
      await page.locator(".arm").getByText("…9F2K is not plugged in any more").waitFor();
      assert("the button is shut", await button.isDisabled());
      await inspect(page, `gate-armed-gone-${width}`);
      box.say("drives", drives);
      await page.locator(".arm").getByText("…9F2K is not plugged in any more").waitFor({ state: "detached" });
      await page.getByText("Left to arm.").waitFor();
      await until("the button to be open", () => button.isEnabled());
    });

    await test("gate: a label from elsewhere turns no sentence that it stands in", async () => {
      const { drives } = box.state;
      const [plain, turned] = [drives[7], { ...drives[7], content: { ...drives[7].content, summary: "ext4 \"\u202esotohp\"", signatures: [{ ...drives[7].content.signatures[0], label: "\u202esotohp" }] } }];
      drives[7] = turned;
      await at("/");
      for (const of of [drives[6], turned]) await page.locator(`[data-bay="${of.id}"]`).getByRole("checkbox").check();
      await page.getByRole("link", { name: "Burn in…" }).click();
      for (const [index, of] of [drives[6], turned].entries()) await page.locator(`#label-${index}`).fill(of.serial.slice(-4));
      await page.getByText("Left to arm.").waitFor();
      const places = await page.locator(".lose.brief li", { hasText: "sotohp" }).evaluate((line) => {
        const at = (node) => {
          const range = document.createRange();
          range.selectNodeContents(node);
          return [...range.getClientRects()].map(({ left, right, top }) => ({ left, right, top }));
        };
        const head = line.querySelector("b");
        return { head: at(head), rest: at(head.nextSibling) };
      });
      assert(`what follows the label stands behind it: ${JSON.stringify(places)}`, places.rest.every(({ left, top }) => places.head.every((of) => of.right <= left + 1 || of.top < top)));
      drives[7] = plain;
    });

    await test("a file that is brought again is asked for anew: its field holds none while one chooses", async () => {
      for (const path of ["/settings/update", "/settings/backup", "/verify", "/playbooks/+"]) {
        await at(path);
        const field = page.locator("main input[type=file]");
        const held = () => field.evaluate((one) => one.files.length);
        const choose = async (words) => {
          const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.locator("main label:has(input[type=file])").click()]);
          // The browser tells a change only where what is chosen differs from what the field holds.
          assert(`${path}: its field holds a file`, (await held()) === 0);
          await chooser.setFiles({ name: "brought.txt", mimeType: "text/plain", buffer: Buffer.from(words) });
        };
        await choose("brought");
        await until(`${path} to have taken it`, async () => (await held()) === 1 && (await field.isEnabled()));
        await choose("brought again");
      }
      // What was brought to the editor is a draft there, as soon as it is read.
      const text = page.getByRole("textbox", { name: "Text of the playbook" });
      await until("the second file's text in the editor", async () => (await text.inputValue()) === "brought again");
      await page.getByRole("button", { name: "Undo the changes" }).click();
    });

    await test("playbooks: one of one's own is replaced only after a question, and its page tells that it was kept", async () => {
      const mine = { ...box.state.playbooks[0], name: "my-soak", own: true, text: "name = \"my-soak\"\n# 72 hours\n" };
      box.state.playbooks.push(mine);
      let sent = 0;
      box.instead.set("PUT /api/v1/playbooks/my-soak", () => (sent += 1, { told: "Kept." }));
      await at("/playbooks/+");
      const text = page.getByRole("textbox", { name: "Text of the playbook" });
      const save = page.getByRole("button", { name: "Check and save as “my-soak”…" });
      await save.click();
      await page.getByRole("dialog", { name: "Replace “My soak”?" }).waitFor();
      await inspect(page, `playbook-replace-${width}`);
      await page.getByRole("button", { name: "Keep it" }).click();
      // The question gives the focus back to the button.
      await until("the focus to be back", () => save.evaluate((one) => one === document.activeElement));
      await text.press("Control+s");
      await page.getByRole("dialog").waitFor();
      assert("nothing was sent", sent === 0);
      const written = await text.inputValue();
      await page.getByRole("button", { name: "Replace it" }).click();
      await page.waitForURL((url) => url.pathname === "/playbooks/my-soak");
      await page.getByRole("status").getByText("Kept.").waitFor();
      assert("its text is what was saved, though the box tells the earlier one yet", (await text.inputValue()) === written && sent === 1);
      await at("/playbooks/my-soak");
      assert("a later visit has what the box tells", (await text.inputValue()) === mine.text);
      box.instead.clear();
    });

    await test("an error is what it says, and goes when the box answers: a test, a drive, the certificates, what was told", async () => {
      for (const [path, asked, says] of [
        ["/jobs/0199a-old", "GET /api/v1/jobs/0199a-old", "This test could not be asked for"], ["/drives/unknown", "GET /api/v1/jobs", "This drive could not be asked for"], ["/certificates", "GET /api/v1/certificates", "Certificates"],
      ]) {
        box.instead.set(asked, 503);
        await at(path);
        await page.getByRole("heading", { name: says }).first().waitFor();
        await page.getByRole("alert").getByText("The box answered 503").waitFor();
        box.instead.clear();
        box.cut();
        await page.getByText("The box answered 503").waitFor({ state: "detached" });
      }
      await at("/jobs/0199a-old");
      await page.getByRole("heading", { name: "No such test" }).waitFor();
      // Of what the box does not tell nobody knows that it is nothing.
      await at("/settings/alerts");
      await page.getByText("The box has not told it.").waitFor();
      assert("nothing is not told", (await page.getByText("Nothing yet.").count()) === 0);
    });

    await test("log out: a box that does not take it says so, until one goes elsewhere or is out", async () => {
      await at("/");
      box.instead.set("DELETE /api/v1/session", 503);
      await page.getByRole("button", { name: "Log out" }).click();
      const note = page.getByRole("alert").getByText("You are still logged in");
      await note.waitFor();
      await inspect(page, `stayed-${width}`);
      await page.getByRole("link", { name: "Events" }).filter({ visible: true }).click();
      await note.waitFor({ state: "detached" });
      box.instead.clear();
    });

    await test("the way back in: told at the door, which takes the code as soon as the box does; whoever has a session keeps it", async () => {
      const { session } = box;
      const refused = () => box.instead.set("POST /api/v1/session", 401);
      const attempt = async () => {
        await page.getByLabel("Name").fill("mara");
        await page.getByLabel("Password").fill("what was it");
        // With the look that follows a refusal: told late, it would take the door away from under the next attempt.
        await Promise.all([page.waitForResponse("**/api/v1/box"), page.getByRole("button", { name: "Log in", exact: true }).click()]);
      };
      box.session = null;
      await at("/events");
      await page.getByText("press c and type RECOVER").waitFor();
      await inspect(page, `door-${width}`);
      refused();
      await attempt();
      await page.getByRole("alert").getByText("The box answered 401").waitFor();
      // Somebody at the console asks for a code: the next refusal finds it out, and so does a look at this page.
      box.state.box.claimed = false;
      await attempt();
      await page.getByRole("heading", { name: "Claim this box" }).waitFor();
      await inspect(page, `door-code-${width}`);
      await page.getByRole("button", { name: "Log in instead" }).click();
      await attempt();
      await page.getByRole("alert").getByText("The box answered 401").waitFor();
      await page.waitForTimeout(300);
      await page.getByRole("button", { name: "Use the code on its console" }).click();
      await page.getByRole("heading", { name: "Claim this box" }).waitFor();
      box.state.box.claimed = true;
      await at("/events");
      await page.getByRole("heading", { name: "Log in" }).waitFor();
      box.state.box.claimed = false;
      await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
      await page.getByRole("heading", { name: "Claim this box" }).waitFor();
      box.session = session;
      await page.reload();
      await page.getByRole("heading", { name: "Events", exact: true }).first().waitFor();
      box.state.box.claimed = true;
      box.instead.clear();
    });

    await test("an update: a page of before says so and offers to be loaded anew, a wall is, and what cannot be drawn is no blank page", async () => {
      // What was chosen before would stand over the foot of the bench.
      await page.evaluate(() => sessionStorage.clear());
      await at("/");
      let loads = 0;
      page.on("load", () => (loads += 1));
      box.state.box.version = "0.2.0";
      box.cut();
      const line = page.getByRole("status").getByText("The box runs version 0.2.0 now.");
      await line.waitFor();
      await inspect(page, `updated-${width}`);
      // A word of the new version that this page does not know.
      const { drives } = box.state;
      box.say("drives", [{ ...drives[8], content: { state: "encrypted", summary: "x" } }]);
      await page.getByRole("heading", { name: "This page cannot be drawn" }).waitFor();
      await page.getByText("What runs on the box goes on.").waitFor();
      await inspect(page, `broken-${width}`);
      await page.getByRole("link", { name: "Events" }).filter({ visible: true }).click();
      await page.getByRole("heading", { name: "Events", exact: true }).first().waitFor();
      box.say("drives", drives);
      // Told behind them: once it is there, they are.
      box.say("event", { ...box.state.events[0], seq: 1000, id: "e1000", ts: new Date().toISOString(), message: "the drives are told" });
      await page.getByText("the drives are told").waitFor();
      await page.getByRole("link", { name: "Bench", exact: true }).filter({ visible: true }).click();
      await page.locator(".bay").first().waitFor();
      assert("it has not loaded by itself", loads === 0);
      await page.getByRole("button", { name: "Load it anew" }).click();
      await until("it to be loaded", () => loads === 1);
      await page.locator(".bay").first().waitFor();
      assert("and is the one of now", (await line.count()) === 0);
      await page.goto("/wall");
      await page.locator(".w").first().waitFor();
      box.state.box.version = "0.3.0";
      await Promise.all([page.waitForEvent("load"), box.cut()]);
      await page.locator(".w").first().waitFor();
      const walls = loads;
      await page.waitForTimeout(1000);
      assert("a wall is loaded once", loads === walls);
      page.removeAllListeners("load");
    });
  } finally {
    await context.close();
    await box.close();
  }
}
