/**
 * What the page says where something went otherwise than its owner wanted, over a played box (`played.mjs`): a drive pulled at the
 * armed gate, a file that is brought again, a name that is taken, an answer that did not come, a lost password, an update.
 */
import { until } from "./box.mjs";
import { inspect, visit } from "./browser.mjs";
import { Played } from "./played.mjs";
import { assert, tester } from "./test.mjs";

export async function awry(browser, width, scheme, count) {
  const box = await new Played().open();
  const { page, context, complaints } = await visit(browser, box.url, width, scheme);
  const test = tester(width, count, () => ({ page, complaints, box: { output: "" } }));
  const at = async (path) => {
    await page.goto(path);
    await page.locator("main h1, main h2").first().waitFor();
  };

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
      await until("the button to be open", () => button.isEnabled(), 10);
    });

    await test("a file that is brought again is asked for anew: its field holds none while one chooses", async () => {
      for (const path of ["/settings/update", "/settings/backup", "/verify", "/playbooks/+"]) {
        await at(path);
        const field = page.locator("main input[type=file]");
        const held = () => field.evaluate((one) => one.files.length);
        const choose = async () => {
          const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.locator("main label:has(input[type=file])").click()]);
          // The browser tells a change only where what is chosen differs from what the field holds.
          assert(`${path}: its field holds a file`, (await held()) === 0);
          await chooser.setFiles({ name: "brought.txt", mimeType: "text/plain", buffer: Buffer.from("brought") });
        };
        await choose();
        await until(`${path} to have taken it`, async () => (await held()) === 1 && (await field.isEnabled()), 10);
        await choose();
      }
    });
  } finally {
    await context.close();
    await box.close();
  }
}
