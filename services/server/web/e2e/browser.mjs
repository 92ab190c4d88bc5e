/** Chromium through Playwright, and what is checked on every screen: axe, no sideways scrolling, a clean console. */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const out = join(import.meta.dirname, "out");
mkdirSync(out, { recursive: true });

export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });

/** A page of one width whose console is kept. `forgive` names what a test provokes on purpose. */
export async function visit(browser, url, width, colorScheme) {
  const context = await browser.newContext({ baseURL: url, viewport: { width, height: width < 500 ? 780 : 900 }, colorScheme, reducedMotion: "reduce" });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    // Chromium itself reports every 4xx and every refused connection here; the page shows those to the person.
    if (["error", "warning"].includes(message.type()) && !/Failed to load resource|net::ERR_/.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { context, page, complaints };
}

/** Every screen: no accessibility violation, nothing wider than the window, a picture to look at. */
export async function inspect(page, name) {
  await page.screenshot({ path: join(out, `${name}.png`), fullPage: true });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) {
    const wide = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1).slice(0, 6).map((one) => `${one.tagName.toLowerCase()}.${one.className} in .${one.parentElement?.className}`));
    throw new Error(`${name}: the page is ${over} px wider than the window: ${wide.join("; ")}`);
  }
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  if (violations.length > 0) {
    const words = violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")}: ${n.failureSummary?.split("\n").slice(1, 3).join(" ")}`).join("; ")}`);
    throw new Error(`${name}: axe: ${words.join("\n")}`);
  }
}
