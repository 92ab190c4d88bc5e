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
  // It bounds what never comes, and a machine that builds images beside it is slow.
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    // Chromium itself reports every 4xx and every refused connection here; the page shows those to the person.
    if (["error", "warning"].includes(message.type()) && !/Failed to load resource|net::ERR_/.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { context, page, complaints };
}

/** Goes to a place, and waits until it is drawn: the door that is shown before has a heading, too. */
export async function arrive(page, path) {
  await page.goto(path);
  await page.locator("main h1, main h2").filter({ hasNotText: "Opening the bench" }).first().waitFor();
}

/** Does something while the page's clock stands still: there it comes within one moment, however slow this machine is. */
export async function atOnce(page, run) {
  await page.evaluate(() => {
    const at = performance.now();
    performance.now = () => at;
  });
  try {
    await run();
  } finally {
    await page.evaluate(() => delete performance.now);
  }
}

/** Roles of what a person acts on: each of them is read out by a name. */
const ACTS = new Set(["button", "link", "textbox", "searchbox", "checkbox", "radio", "combobox", "listbox", "slider", "spinbutton", "switch", "tab", "menuitem", "option", "progressbar", "dialog", "alertdialog", "heading", "img", "image"]);

/** What a screen reader is given that it cannot read out: the browser's own tree of names and roles. */
async function unnamed(page) {
  const session = await page.context().newCDPSession(page);
  try {
    const { nodes } = await session.send("Accessibility.getFullAXTree");
    return nodes.filter((node) => !node.ignored && ACTS.has(node.role?.value) && !node.name?.value?.trim())
      .map((node) => `${node.role.value} ${JSON.stringify(node.properties?.map(({ name, value }) => `${name}=${value.value}`) ?? [])}`);
  } finally {
    await session.detach();
  }
}

/** A run of axe: all rules, or those that look at colours. */
async function violations(page, name, runOnly) {
  await page.evaluate(axe);
  const found = (await page.evaluate((only) => globalThis.axe.run(document, { runOnly: only }), runOnly)).violations;
  if (found.length === 0) return;
  const words = found.map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")}: ${n.failureSummary?.split("\n").slice(1, 3).join(" ")}`).join("; ")}`);
  throw new Error(`${name}: axe: ${words.join("\n")}`);
}

/** Every screen, by day and by night: no accessibility violation, a name for all one can act on, nothing wider than the window, a picture to look at. */
export async function inspect(page, name) {
  await page.screenshot({ path: join(out, `${name}.png`), fullPage: true });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) {
    const wide = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1).slice(0, 6).map((one) => `${one.tagName.toLowerCase()}.${one.className} in .${one.parentElement?.className}`));
    throw new Error(`${name}: the page is ${over} px wider than the window: ${wide.join("; ")}`);
  }
  await violations(page, name, ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
  const mute = await unnamed(page);
  if (mute.length > 0) throw new Error(`${name}: nothing to read out for ${mute.slice(0, 6).join("; ")}`);
  // Colours alone differ in the other scheme.
  const other = (await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches)) ? "light" : "dark";
  await page.emulateMedia({ colorScheme: other });
  try {
    await page.screenshot({ path: join(out, `${name}-${other}.png`), fullPage: true });
    await violations(page, `${name} (${other})`, { type: "rule", values: ["color-contrast", "link-in-text-block"] });
  } finally {
    await page.emulateMedia({ colorScheme: other === "dark" ? "light" : "dark" });
  }
}
