/**
 * The whole way on a box that is already there: `npm run tour -- URL CODE_OR_PASSWORD [FOLDER]`.
 *
 * Claims it with the code (or logs in as `admin` with the password), chooses every drive that is offered, goes through
 * the gate, waits for the verdicts and prints one line a drive. Leaves pictures in FOLDER. **Erases those drives.**
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { launch, visit } from "./browser.mjs";

const [url, secret, folder = "e2e/out/tour"] = process.argv.slice(2);
if (!url || !secret) {
  console.error("usage: npm run tour -- URL CODE_OR_PASSWORD [FOLDER]   (erases every drive that the box offers)");
  process.exit(64);
}
mkdirSync(folder, { recursive: true });
const PASSWORD = process.env.KILN_TOUR_PASSWORD ?? "correct horse battery";
const PLAYBOOK = process.env.KILN_TOUR_PLAYBOOK ?? "Standard";
/** Longest wait for all verdicts, in milliseconds: an emulated box is slow. */
const PATIENCE = 1_800_000;

const browser = await launch();
const { page, complaints } = await visit(browser, url, 1440, "dark");
page.setDefaultTimeout(120_000);
const shot = async (name) => {
  await page.screenshot({ path: join(folder, `${name}.png`) });
  console.log(`picture ${join(folder, `${name}.png`)}`);
};
const get = async (path) => (await page.request.get(`/api/v1/${path}`)).json();

await page.goto("/");
await page.getByRole("heading", { name: /Claim this box|Log in/ }).waitFor();
let password = secret;
if (await page.getByRole("heading", { name: "Claim this box" }).isVisible()) {
  password = PASSWORD;
  await page.getByLabel("Claim code").fill(secret);
  await page.getByLabel("Your name").fill("admin");
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByLabel("Password, again").fill(password);
  await page.getByRole("button", { name: "Claim this box" }).click();
} else {
  await page.getByLabel("Name").fill("admin");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}
await page.locator(".bay.can").first().waitFor();
// Every drive has been looked at: what is on one is not known in the first second.
await page.waitForFunction(() => ![...document.querySelectorAll(".bay.can .st")].some((line) => line.textContent === "Not looked at yet"));
await shot("bench");
const boxes = page.locator(".bay.can input[type=checkbox]");
for (let i = 0, n = await boxes.count(); i < n; i++) await boxes.nth(i).check();
const drives = (await get("drives")).filter((drive) => drive.present && !drive.refused && drive.id);
await page.getByRole("link", { name: "Burn in…" }).click();
await page.getByRole("heading", { name: "What will be lost" }).waitFor();
await page.locator(".books > summary").click();
await page.getByRole("radio", { name: PLAYBOOK, exact: true }).check();
await page.locator(".books > summary").click();
await page.locator(".lose li").first().waitFor();
await shot("gate");
const fields = page.locator(".four input");
for (let i = 0, n = await fields.count(); i < n; i++) {
  const id = await fields.nth(i).getAttribute("data-drive");
  await fields.nth(i).fill(drives.find((drive) => drive.id === id).serial);
}
await page.getByText("Left to arm.").waitFor();
await page.getByLabel("Your password").fill(password);
await shot("armed");
await page.getByRole("button", { name: /^Erase and test/ }).click();
await page.waitForURL((to) => to.pathname !== "/burn");
await page.goto("/");
await page.locator(".bay.hot .hot").first().waitFor().catch(() => console.log("too quick to be seen running"));
await page.waitForTimeout(4000);
await shot("burning");
const begun = Date.now();
let jobs = [];
for (;;) {
  jobs = await get("jobs");
  if (jobs.length >= drives.length && jobs.every((job) => job.verdict)) break;
  if (Date.now() - begun > PATIENCE) throw new Error(`no verdict after ${PATIENCE / 60_000} min: ${JSON.stringify(jobs.map((job) => [job.serial, job.state, job.progress?.percent]))}`);
  await page.waitForTimeout(1000);
}
await page.waitForTimeout(1500);
await shot("verdicts");
for (const job of jobs) console.log(`${job.verdict.outcome} ${job.model} ${job.serial}: ${job.verdict.summary}`);
const failed = jobs.find((job) => job.verdict.outcome === "FAILED");
if (failed) {
  await page.goto(`/jobs/${failed.id}`);
  await page.getByRole("heading", { name: "Verdict" }).waitFor();
  await shot("failed");
}
await browser.close();
if (complaints.length > 0) {
  console.error(`the console is not clean: ${complaints.join(" | ")}`);
  process.exit(1);
}
