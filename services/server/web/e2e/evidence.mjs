/**
 * The second half of the browser tests: options to a certificate, its check, a revocation, pause, scan, own playbooks.
 * `at` is what `run.mjs` has: the box, the page, its helpers. Leaves every loop device free.
 */
import { join } from "node:path";

import { until } from "./box.mjs";
import { inspect, out } from "./browser.mjs";
import { assert } from "./test.mjs";

const plain = (text) => (text ?? "").replaceAll(/[\u202f\u00a0]/g, " ");

/** Arms what is chosen and typed, and waits for the job's page; gives the job's id. */
async function arm(at, ...names) {
  const page = at.page();
  await at.typeAll(...names);
  await page.getByLabel("Your password").fill(at.password);
  await page.getByRole("button", { name: /^Erase and test/ }).click();
  await page.waitForURL((url) => url.pathname.startsWith("/jobs/"));
  return new URL(page.url()).pathname.split("/").at(-1);
}

const verdict = (at, word, seconds = 120) => at.page().locator(".bigverdict").getByText(word, { exact: true }).waitFor({ timeout: seconds * 1000 });

/** All of them, in order. */
export async function evidence(at) {
  const { box, test, shot, pick } = at;
  const api = async (path) => (await at.page().request.get(`/api/v1${path}`)).json();
  let first;

  await test("options: new only where SMART is asked for, formatted afterwards, PASSED, and a certificate that others can check", async () => {
    const page = at.page();
    await pick("blank");
    await at.surface();
    await page.locator(".options > summary").click();
    await page.getByText("“surface” asks for no SMART").waitFor();
    assert("new cannot be chosen", await page.getByRole("radio", { name: /^New/ }).isDisabled());
    await page.getByRole("checkbox", { name: /Format afterwards/ }).check();
    await page.getByRole("heading", { name: "What will be lost" }).waitFor();
    await page.getByLabel(/^Label/).fill("bulk");
    // Another drive tells of itself while somebody types.
    box.format("photos", "meanwhile");
    await until("the agent to see the new file system", async () => JSON.stringify(await api("/drives")).includes("meanwhile"));
    await page.waitForTimeout(500);
    assert("what is half typed stays", (await page.getByLabel(/^Label/).inputValue()) === "bulk");
    await page.getByLabel(/^Label/).press("Tab");
    await page.getByRole("heading", { name: "What will be lost" }).waitFor();
    await shot("options");
    first = await arm(at, "blank");
    await verdict(at, "PASSED");
    await page.getByRole("heading", { name: "Certificate", exact: true }).waitFor();
    await page.getByRole("heading", { name: "Formatted", exact: true }).waitFor();
    await shot("formatted");
    const job = await api(`/jobs/${first}`);
    assert("the options came through", job.options.profile === "used" && job.options.format?.label === "bulk");
    assert(`it was formatted: ${JSON.stringify(job.formatted)}`, job.formatted && !job.formatted.problem && job.formatted.label === "bulk");
    const words = plain(await page.locator("main").textContent());
    for (const fact of ["“bulk”", job.certificate.id, ...job.formatted.checks]) assert(`${fact} is on the page`, words.includes(fact));
  });

  await test("certificate: as page, as PDF, as signed; its check says genuine, and bad when one letter differs", async () => {
    const page = at.page();
    const signed = await (await page.request.get(`/api/v1/jobs/${first}/certificate`)).text();
    const pdf = await page.request.get(`/api/v1/jobs/${first}/certificate.pdf`);
    assert("the PDF is one", pdf.headers()["content-type"] === "application/pdf" && (await pdf.body()).subarray(0, 5).toString() === "%PDF-");
    const [opened] = await Promise.all([page.waitForEvent("popup"), page.getByRole("link", { name: "Open", exact: true }).click()]);
    await opened.waitForLoadState();
    assert("the page names the drive", plain(await opened.locator("body").textContent()).includes(box.loops.get("blank").serial));
    // The page that is handed over: read on a screen by day and night, and printed.
    await inspect(opened, `certificate-${at.width}`);
    await opened.emulateMedia({ media: "print", colorScheme: "light" });
    await opened.screenshot({ path: join(out, `certificate-${at.width}-print.png`), fullPage: true });
    const dark = await opened.evaluate(() => [document.documentElement, document.body].map((one) => getComputedStyle(one).backgroundColor).filter((color) => !/^rgba\(0, 0, 0, 0\)$|^rgb\((2[45]\d), (2[45]\d), (2[45]\d)\)$/.test(color)));
    assert(`it is printed on white: ${dark}`, dark.length === 0);
    await opened.close();
    await page.goto("/verify");
    await page.getByLabel(/^Or its text/).fill(signed);
    await page.getByRole("button", { name: "Check", exact: true }).click();
    await page.locator(".bigverdict").getByText("Genuine", { exact: true }).waitFor();
    await page.getByText("The signature is good").first().waitFor();
    await shot("verify-good");
    await page.getByLabel(/^Or its text/).fill(signed.replace(/"PASSED"/, '"FAILED"'));
    await page.getByRole("button", { name: "Check", exact: true }).click();
    await page.locator(".bigverdict").getByText("Not to be relied on").waitFor();
    await page.locator("input[type=file]").setInputFiles({ name: "c.json", mimeType: "application/json", buffer: Buffer.from(signed) });
    await page.locator(".bigverdict").getByText("Genuine", { exact: true }).waitFor();
    await page.getByLabel(/^Or its text/).fill("");
    await page.locator(".bigverdict").waitFor({ state: "detached" });
    await page.locator("input[type=file]").setInputFiles({ name: "c.pdf", mimeType: "application/pdf", buffer: await pdf.body() });
    await page.locator(".bigverdict").getByText("Genuine", { exact: true }).waitFor();
    await page.goto("/certificates");
    await page.getByRole("row", { name: new RegExp(box.loops.get("blank").serial) }).first().waitFor();
    await shot("certificates");
    // As somebody types it who has the paper.
    await page.goto(`/certificates/${(await api(`/jobs/${first}`)).certificate.id.toLowerCase()}`);
    await page.waitForURL(/\/jobs\/[^/]+\/certificate\.html$/);
  });

  await test("revoked: the same drive fails later, and its certificate says so", async () => {
    const page = at.page();
    const stop = box.spoil("blank", 4096 * 512);
    try {
      // The drive is done in a moment, and a busy machine may spoil nothing between write and verification: once more, then.
      for (let left = 8; ; left -= 1) {
        await pick("blank");
        await at.surface();
        const id = await arm(at, "blank");
        let outcome;
        await until("the verdict", async () => (outcome = (await api(`/jobs/${id}`)).verdict?.outcome), 120);
        if (outcome !== "PASSED" || left === 0) break;
      }
      await verdict(at, "FAILED");
    } finally {
      stop();
    }
    await until("the revocation", async () => (await api(`/jobs/${first}`)).certificate.revoked);
    await page.goto(`/jobs/${first}`);
    await page.getByText(/^Revoked/).waitFor();
    await page.getByText(/^No longer holds since/).waitFor();
    await page.locator(".jobhd").getByText("no longer holds", { exact: true }).waitFor();
    await shot("revoked");
    await page.goto(`/certificates/${(await api(`/jobs/${first}`)).certificate.id}`);
    await page.getByRole("row", { name: /revoked/ }).first().waitFor();
    assert("only that one is listed", (await page.locator("table.certs tbody tr").count()) === 1);
    const signed = await (await page.request.get(`/api/v1/jobs/${first}/certificate`)).text();
    await page.goto("/verify");
    await page.getByLabel(/^Or its text/).fill(signed);
    await page.getByRole("button", { name: "Check", exact: true }).click();
    await page.locator(".bigverdict").getByText("Not to be relied on").waitFor();
    await page.getByText("Revoked", { exact: true }).waitFor();
  });

  await test("pause and go on: held, said so, and then to its end", async () => {
    const page = at.page();
    await pick("long");
    await at.surface();
    const id = await arm(at, "long");
    await page.locator(".track li[aria-current=step]").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("heading", { name: "Paused" }).waitFor();
    await shot("paused");
    // What was in flight when it was held is still told; after that nothing more comes.
    const done = async () => (await api(`/jobs/${id}`)).progress?.done;
    await until("it to stand still", async () => {
      const before = await done();
      await page.waitForTimeout(1500);
      return (await done()) === before;
    });
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    // A busy machine makes accesses slow, which is WARN: what counts here is that it came to its end.
    await verdict(at, /^(PASSED|WARN)$/, 240);
    await shot("long-passed");
    const kinds = (await api("/events?limit=500")).filter((event) => event.job === id).map((event) => event.type);
    assert(`who paused it is in the log: ${kinds}`, kinds.includes("job.paused") && kinds.includes("job.continued"));
  });

  await test("scan: without a gate, and nothing on the drive changes", async () => {
    const page = at.page();
    const of = async () => (await api("/drives")).find((drive) => drive.serial === box.loops.get("photos").serial);
    const before = JSON.stringify((await of()).content);
    await page.goto("/");
    await page.goto(`/drives/${encodeURIComponent((await of()).id)}`);
    await page.getByRole("button", { name: "Read scan…" }).click();
    await page.getByRole("heading", { name: "What will be read" }).waitFor();
    await shot("scan");
    await page.getByRole("button", { name: /read 1 drive/ }).click();
    await page.waitForURL((url) => url.pathname.startsWith("/jobs/"));
    const id = new URL(page.url()).pathname.split("/").at(-1);
    await page.locator(".bigverdict").waitFor({ timeout: 120_000 });
    await shot("scanned");
    const job = await api(`/jobs/${id}`);
    assert(`reading alone never passes a drive: ${job.verdict.outcome}`, job.verdict.outcome !== "PASSED" && job.verdict.outcome !== "FAILED");
    assert("what is on it is still there", JSON.stringify((await of()).content) === before);
  });

  await test("show me which: what one tab asked for another one sees and ends", async () => {
    const page = at.page();
    const { id } = (await api("/drives")).find((drive) => drive.serial === box.loops.get("photos").serial);
    await page.goto(`/drives/${encodeURIComponent(id)}`);
    await page.getByRole("button", { name: "Show me which" }).click();
    await page.getByRole("button", { name: "Stop showing it", pressed: true }).waitFor();
    await shot("shown");
    const other = await page.context().newPage();
    await other.goto(`/drives/${encodeURIComponent(id)}`);
    await other.getByRole("button", { name: "Stop showing it", pressed: true }).click();
    await page.getByRole("button", { name: "Show me which", pressed: false }).waitFor();
    await other.close();
  });

  await test("playbooks: an error is shown at its line, a right one is kept, chosen at the gate and taken away", async () => {
    const page = at.page();
    await page.goto("/playbooks");
    await page.getByRole("heading", { name: "Standard" }).waitFor();
    await shot("playbooks");
    await page.getByRole("link", { name: "Write one" }).click();
    const text = page.getByLabel("Text of the playbook");
    await text.fill('name = "two-looks"\nabout = "Twice."\n\n[[step]]\ndo = "dance"\n');
    await page.getByRole("button", { name: /^Check and save/ }).click();
    await page.locator(".problem").getByText(/dance/).first().waitFor();
    await page.locator(".code pre .hit").waitFor();
    assert("the line of the error is marked", (await page.locator(".code pre .hit").textContent()).trim() === "5");
    await shot("playbook-error");
    await text.fill('name = "two-looks"\nabout = "Write and verify, two times."\n\n[[step]]\nrepeat = 2\nsteps = [ { do = "write" }, { do = "verify" } ]\n');
    await page.getByRole("button", { name: /^Check and save/ }).click();
    await page.waitForURL((url) => url.pathname === "/playbooks/two-looks");
    await page.getByRole("heading", { name: "Two looks" }).waitFor();
    await page.getByText("Write and verify, two times.").first().waitFor();
    await shot("playbook");
    await pick("blank");
    await page.locator(".books > summary").click();
    await page.getByRole("radio", { name: "Two looks", exact: true }).check();
    await page.getByRole("heading", { name: "What will be lost" }).waitFor();
    await page.goto("/playbooks/two-looks");
    await page.getByRole("button", { name: "Take it away…" }).click();
    await page.getByRole("button", { name: "Take it away", exact: true }).click();
    await page.waitForURL((url) => url.pathname === "/playbooks");
    await page.getByRole("heading", { name: "Standard" }).waitFor();
    await page.getByRole("heading", { name: "Two looks" }).waitFor({ state: "detached" });
  });
}
