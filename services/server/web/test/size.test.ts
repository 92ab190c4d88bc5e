/** First load: everything that `index.html` names, and itself, as it goes over the wire. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";

/** Source: the issue that asks for the dashboard, line 7. */
const FIRST_LOAD_MAX = 45_000;

const dist = fileURLToPath(new URL("../dist/", import.meta.url));

it(`first load is at most ${FIRST_LOAD_MAX} bytes gzip`, () => {
  const html = readFileSync(`${dist}index.html`, "utf8");
  const named = [...html.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(named.filter((name) => name.endsWith(".js")).length, "scripts that index.html names").toBeGreaterThan(0);
  expect(named.filter((name) => name.endsWith(".css")).length, "style sheets that index.html names").toBeGreaterThan(0);
  const sizes = ["index.html", ...named].map((name) => ({ name, bytes: statSync(`${dist}${name}.gz`).size }));
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  console.log(`first load: ${total} bytes gzip (${sizes.map((s) => `${s.name} ${s.bytes}`).join(", ")})`);
  expect(total).toBeLessThanOrEqual(FIRST_LOAD_MAX);
});

it("the compressed files are those files, and nothing is loaded from elsewhere", () => {
  const html = readFileSync(`${dist}index.html`);
  expect(gunzipSync(readFileSync(`${dist}index.html.gz`)).equals(html)).toBe(true);
  expect(html.toString()).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  expect(existsSync(`${dist}kiln.svg`)).toBe(true);
});
