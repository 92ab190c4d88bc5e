/** What a card, the list of what needs somebody and the pages behind them say of where a drive is and what is on it, over a played box (`played.mjs`). */
import { until } from "./box.mjs";
import { inspect, visit } from "./browser.mjs";
import { Played } from "./played.mjs";
import { assert, SETTLES_MS, tester } from "./test.mjs";

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
    await test("bench: what the search has found among drives that were here leads to what is known of them", async () => {
      const [gone] = drives.splice(2, 1);
      const event = { seq: 900, id: "x", type: "drive.removed", ts: jobs[2].ended, severity: "info", actor: { kind: "box", name: "agent" }, drive: gone.id, message: `${gone.model} ${gone.serial} (8.00 TB) is gone; it was last seen in bay 7 (pci-0000:00:1f.2-ata-3)`, prev_hash: "", hash: "" };
      box.state.events.push(event);
      await at("/");
      await page.getByRole("searchbox", { name: "Search drives" }).fill(four(gone));
      await page.getByText(`No drive that is here answers to “${four(gone)}”.`).waitFor();
      const were = page.getByRole("region", { name: "Drives that were here" });
      await were.getByText("FAILED").waitFor();
      await inspect(page, `were-here-${width}`);
      await were.getByRole("link", { name: `…${four(gone)}` }).click();
      await page.getByRole("heading", { name: "Not plugged in" }).waitFor();
      const known = page.getByRole("region", { name: "Identity" });
      await known.getByText(/^bay 7 \(pci-0000:00:1f.2-ata-3\), /).waitFor();
      assert("its serial is told", (await known.textContent()).includes(gone.serial));
      await inspect(page, `gone-${width}`);
      // A certificate tells of one whose tests the page does not hold.
      const [old] = jobs.splice(2, 1);
      box.instead.set("GET /api/v1/certificates", () => [{ job: old.id, drive: old.drive, model: old.model, serial: old.serial, capacity: old.capacity, playbook: old.playbook, outcome: "FAILED", info: old.certificate }]);
      await at("/");
      await page.getByRole("searchbox", { name: "Search drives" }).fill(four(gone));
      await were.getByText("FAILED").waitFor();
      await page.getByRole("searchbox", { name: "Search drives" }).fill("nothing has this");
      await page.getByText("No drive answers to “nothing has this”.").waitFor();
      await page.getByRole("button", { name: "Show all" }).click();
      box.instead.clear();
      jobs.splice(2, 0, old);
      drives.splice(2, 0, gone);
      box.state.events.pop();
    });

    await test("needs you: each line names where to pull, and so does the test's page, with the light beside it; a port looks otherwise than a bay", async () => {
      drives[2] = { ...drives[2], bay: "7" };
      await at("/");
      await line(drives[2]).getByText(`Bay 7 (…${four(drives[2])}): `).waitFor();
      await line(drives[4]).getByText(`SATA 5 …${four(drives[4])}: `).waitFor();
      const plate = (of) => card(of).locator(".plate").evaluate((one) => getComputedStyle(one).backgroundColor);
      assert("a named bay and a port look apart", (await plate(drives[2])) !== (await plate(drives[3])));
      for (const name of ["What needs you", "Drives, SATA", "Drives, NVMe"]) await page.getByRole("list", { name, exact: true }).waitFor();
      await inspect(page, `seats-${width}`);
      await line(drives[2]).getByRole("link", { name: "Evidence" }).click();
      await page.getByRole("button", { name: "Show me which" }).waitFor();
      await page.locator(".jobhd .who").getByText("Bay 7").waitFor();
      await inspect(page, `seat-job-${width}`);
    });

    await test("needs you: a drive that FAILED asks on though the box has not seen it since it started", async () => {
      const [gone] = drives.splice(2, 1);
      await at("/");
      await line(gone).getByText("It is not plugged in; do not put data on it.").waitFor();
      await page.waitForTimeout(SETTLES_MS);
      await line(gone).getByRole("button", { name: "Noted" }).click();
      await page.locator(".needs [role=status]").getByText(`…${four(gone)} is noted; its verdict stays FAILED.`).waitFor();
      drives.splice(2, 0, gone);
      delete jobs[2].acknowledged;
    });

    await test("card: what is on the drive now stands beneath its verdict, and is read out with its place", async () => {
      const [passed, failed] = [drives[0], drives[2]];
      const content = { state: "found", summary: "ext4 \"taxes2025\" (42 MB used)", signatures: [{ partition: 0, kind: "ext4", label: "taxes2025", uuid: null, name: null, used: 42e6 }] };
      for (const n of [0, 2]) drives[n] = { ...drives[n], content };
      await at("/");
      for (const of of [passed, failed]) {
        await card(of).getByText("Now: “taxes2025”, ext4").waitFor();
        const [box_, words] = await Promise.all([card(of).boundingBox(), card(of).locator(".why b").boundingBox()]);
        assert("it is seen whole in height", words.height >= 12 && words.y + words.height <= box_.y + box_.height);
      }
      await card(passed).getByRole("checkbox", { name: /^Choose 1000, SATA 1, ST8000VN004-2M2101, 8.TB, PASSED, .*Now: “taxes2025”/ }).waitFor();
      await card(failed).getByRole("link", { name: /^\w{4}, Bay 7, .*FAILED, .*Now: “taxes2025”/ }).waitFor();
      await inspect(page, `now-on-it-${width}`);
      // A label is read whole, however narrow its table.
      await at(`/drives/${encodeURIComponent(passed.id)}`);
      if (width > 640) assert("the label stands on one line", (await page.locator(".sigs .lb").boundingBox()).height < 60 && (await page.locator(".sigs .lb").evaluate((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return range.getClientRects().length;
      })) === 1);
      drives[0] = passed;
      await at(`/drives/${encodeURIComponent(passed.id)}`);
      await page.getByText(/what was on it was written over from end to end by the test that ended/).waitFor();
      drives[2] = failed;
    });

    await test("card: between two steps it says which comes next, and behind the last that it ends", async () => {
      const running = jobs[1];
      const steps = (...statuses) => running.phases.map((step, i) => ({ ...step, status: statuses[i] ?? "pending" }));
      await at("/");
      // What is said before its stream is open nobody hears.
      await card(drives[1]).waitFor();
      for (const [phases, says] of [[steps("done", "done", "done"), "Next: Verify"], [steps("done", "done", "done", "done", "running"), "nearly done"], [steps("done", "done", "done", "done", "done"), "its verdict is being signed"]]) {
        box.say("job", { ...running, progress: null, phases });
        await card(drives[1]).getByText(says).waitFor();
        await until("nothing to start", async () => !/starting/i.test(await card(drives[1]).textContent()));
      }
      await inspect(page, `between-${width}`);
    });
  } finally {
    await context.close().catch(() => {});
    await box.close();
  }
}
