/**
 * The pictures of the main README, taken of the built page over a played box (`played.mjs`): eight drives of one batch at
 * work, the same eight with their verdicts, and the gate. `npm run pictures`; its drives and figures are made up.
 */
import { join } from "node:path";

import { launch, visit } from "./browser.mjs";
import { bench, drive, job, Played } from "./played.mjs";

const out = join(import.meta.dirname, "../pictures");
const box = await new Played().open();
const browser = await launch();

/** A drive's job while it runs: the curve as far as it has come, the rate that the curve has there. */
function running(of, n, step, share, temperature) {
  const whole = job(of, n);
  const [phase, curve] = step === 2 ? ["write", whole.surface[0]] : ["verify", whole.surface[1]];
  const come = Math.floor(curve.zones.length * share);
  const rate = curve.zones[come];
  const left = ((1 - share) * of.capacity) / (rate * 0.8);
  return {
    ...whole, state: { kind: "running" }, verdict: null, ended: null, certificate: null,
    phases: whole.phases.map((one, i) => ({ ...one, status: i < step ? "done" : i === step ? "running" : "pending" })),
    surface: [...(step === 3 ? [whole.surface[0]] : []), { ...curve, zones: curve.zones.map((one, i) => (i < come ? one : 0)) }],
    progress: { phase, step, done: Math.round(of.capacity * share), total: of.capacity, rate, phase_percent: share * 100, percent: (step - 2 + share) * 48 + 2, eta: left, eta_job: left + (step === 2 ? 46_000 : 4), temperature },
  };
}

/** What the bench shows: drives of one batch, and one that holds something. */
function scene(jobs) {
  const state = bench();
  const photos = state.drives[7];
  const drives = [...Array.from({ length: 7 }, (_, n) => drive(n)), { ...photos, location: "PCI 00:1f.2, SATA port 8" }];
  box.state = { ...state, drives, jobs: jobs(drives, state.jobs), box: { ...state.box, supervisor: { ...state.box.supervisor, boot: { ...state.box.supervisor.boot, reason: "power on" } } } };
}

const { page } = await visit(browser, box.url, 1440, "dark");
const shot = async (name) => {
  await page.waitForTimeout(800);
  await page.screenshot({ path: join(out, `${name}.png`) });
};
try {
  scene((drives) => [running(drives[0], 0, 3, 0.62, 41), running(drives[1], 1, 3, 0.55, 42), running(drives[2], 2, 3, 0.58, 40), running(drives[3], 3, 2, 0.93, 43), running(drives[4], 4, 2, 0.88, 39), running(drives[5], 5, 2, 0.31, 38)]);
  await page.goto("/");
  await page.locator(".bay.hot").nth(5).waitFor();
  await shot("burning");

  scene((drives, known) => [known[0], job(drives[1], 1), { ...known[2], drive: drives[2].id }, { ...known[3], drive: drives[3].id }, job(drives[4], 4), job(drives[5], 5)]);
  await page.reload();
  await page.getByText("FAILED", { exact: true }).waitFor();
  await shot("bench");

  scene(() => []);
  await page.reload();
  for (const n of [6, 7]) await page.locator(".bay.can input[type=checkbox]").nth(n).check();
  await page.getByRole("link", { name: "Burn in…" }).click();
  await page.locator(".four input").first().waitFor();
  await page.locator(".four input").first().fill(box.state.drives[6].serial.slice(-4));
  await shot("gate");
} finally {
  await browser.close();
  await box.close();
}
