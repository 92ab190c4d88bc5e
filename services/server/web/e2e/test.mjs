/** One list of tests that build on each other: after a failure the rest is not run, and said so. */
import { join } from "node:path";

import { out } from "./browser.mjs";

/** Longer than a button of a list takes no press after it came where it is, in milliseconds. */
export const SETTLES_MS = 1000;

export function assert(what, fact) {
  if (!fact) throw new Error(what);
}

/** Words of the names of the tests that are run alone, while one is written: `KILN_E2E_ONLY="read why" npm run e2e`. */
const ONLY = process.env.KILN_E2E_ONLY ?? "";

/** A function that runs one test. `state` gives what is there at the moment: `page`, `complaints`, `box`. */
export function tester(width, count, state) {
  let broken = null;
  return async (name, run) => {
    if (ONLY && !name.includes(ONLY)) return;
    if (broken) {
      count.skipped += 1;
      console.log(`NOT RUN: ${width} px: ${name} (after a failure)`);
      return;
    }
    const begun = Date.now();
    try {
      await run();
      const { complaints } = state();
      if (complaints?.length) throw new Error(`the console is not clean: ${complaints.join(" | ")}`);
      count.passed += 1;
      console.log(`ok     ${width} px  ${name}  (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
      broken = error;
      count.failed += 1;
      const [why, ...where] = String(error.stack ?? error).split("\n");
      // Its reason stands in its line, which is all that is told of it at the end of a long run.
      console.log(`not ok ${width} px  ${name}: ${why}\n       ${where.slice(0, 11).join("\n       ")}`);
      const { page, box } = state();
      await page?.screenshot({ path: join(out, `failed-${width}.png`), fullPage: true }).catch(() => {});
      // A panic's words stand above its long backtrace.
      const lines = box.output.split("\n");
      for (const [at, line] of lines.entries()) if (line.includes("panicked at")) console.log(`       ! ${lines.slice(at, at + 3).join(" ")}`);
      console.log(lines.slice(-25).map((line) => `       | ${line}`).join("\n"));
    }
  };
}
