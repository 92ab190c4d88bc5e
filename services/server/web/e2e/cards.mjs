/** What a card, the list of what needs somebody and the pages behind them say of where a drive is and what is on it, over a played box (`played.mjs`). */
import { inspect, visit } from "./browser.mjs";
import { Played } from "./played.mjs";
import { assert, tester } from "./test.mjs";

export async function cards(browser, width, scheme, count) {
  const box = await new Played().open();
  const { page, context, complaints } = await visit(browser, box.url, width, scheme);
  const test = tester(width, count, () => ({ page, complaints, box: { output: "" } }));
  const { drives, jobs } = box.state;
  const four = (of) => of.serial.slice(-4);
  const card = (of) => page.locator(`[data-bay="${of.id}"]`);
  const line = (of) => page.locator(".needs li", { hasText: `…${four(of)}` });
  const at = async (path) => {
    await page.goto(path);
    await page.locator("main h1, main h2").first().waitFor();
  };

  try {
    await test("needs you: each line names where to pull, and so does the test's page, with the light beside it; a port looks otherwise than a bay", async () => {
      drives[2] = { ...drives[2], bay: "7" };
      await at("/");
      await line(drives[2]).getByText(`Bay 7 (…${four(drives[2])}): `).waitFor();
      await line(drives[4]).getByText(`SATA 5 …${four(drives[4])}: `).waitFor();
      const plate = (of) => card(of).locator(".plate").evaluate((one) => getComputedStyle(one).backgroundColor);
      assert("a named bay and a port look apart", (await plate(drives[2])) !== (await plate(drives[3])));
      await inspect(page, `seats-${width}`);
      await line(drives[2]).getByRole("link", { name: "Evidence" }).click();
      await page.getByRole("button", { name: "Show me which" }).waitFor();
      await page.locator(".jobhd .who").getByText("Bay 7").waitFor();
      await inspect(page, `seat-job-${width}`);
    });

  } finally {
    await context.close().catch(() => {});
    await box.close();
  }
}
