/**
 * Frame to pixel: sixty drives that report once a second, a processor throttled six times, a chart and a log beside.
 *
 * Each progress frame carries the moment at which it was sent; the page notes the moment at which the text that came of it
 * was painted. A change that is made while a picture is made is painted in that picture, so the moment is the first task after
 * it; one that is made between two pictures waits for the next. A row that the browser leaves out of the picture because it is
 * far out of view has no pixel: it counts as soon as its text stands, and not among the rows in view, which are told apart. No
 * picture is asked for that the page does not make itself. Both of them are to be below the limit.
 * The throttle knows the main thread alone; a thread of the page's own is held up as long by itself ({@link slowed}).
 * Both clocks are this machine's; processor time is the main thread's own, whatever else the machine does. Prints percentiles
 * and long tasks, with `KILN_TRACE=1` also where the main thread's time went. `node e2e/bench.mjs [seconds] [drives] [throttle]`.
 */
import { enter, register } from "./addons.mjs";
import { Box, missing } from "./box.mjs";
import { launch, visit } from "./browser.mjs";
import { MANIFEST, ScriptedAddon } from "./scripted.mjs";
import { traced } from "./traced.mjs";

const [seconds = 30, drives = 60, throttle = 6] = process.argv.slice(2).map(Number);
/** Source: the issue that asks for the renderer, line 3. */
const LIMIT_MS = 100;

/** What it takes to wake a thread for a piece of a stream before any script runs, in milliseconds without throttle: twice what traces show. */
const WAKING_MS = 0.25;

/** Runs in a worker: what it does with a piece of its stream, and to tell the page of it, takes so many times as long. */
function slowed([rate, waking]) {
  const spin = (until) => {
    while (performance.now() < until);
  };
  let woken = null;
  let posting = 0;
  const own = () => {
    if (woken !== null) spin(performance.now() + (rate - 1) * (performance.now() - woken + waking));
    woken = null;
  };
  const read = ReadableStreamDefaultReader.prototype.read;
  ReadableStreamDefaultReader.prototype.read = function () {
    own();
    return read.call(this).then((piece) => {
      woken = performance.now();
      return piece;
    });
  };
  const post = globalThis.postMessage.bind(globalThis);
  globalThis.postMessage = (message) => {
    own();
    // What it takes to send is known when it is sent: this one waits as long as the last took.
    spin(performance.now() + (rate - 1) * posting);
    const begun = performance.now();
    post(message);
    posting = performance.now() - begun;
  };
}

const why = missing();
if (why) {
  console.log(`NOT RUN: ${why}`);
  process.exit(1);
}
const box = new Box();
const addon = new ScriptedAddon();
const browser = await launch();
let code = 1;
try {
  await box.open();
  const { page, context } = await visit(browser, box.url, 1440, "light");
  // Known before anything of the page runs: whether a picture is being made, to the end of the task that makes it.
  await page.addInitScript(() => {
    const ask = globalThis.requestAnimationFrame.bind(globalThis);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (globalThis.inPicture = false);
    globalThis.requestAnimationFrame = (run) => ask((at) => {
      if (!globalThis.inPicture) port2.postMessage(null);
      globalThis.inPicture = true;
      run(at);
    });
  });
  await enter(page, box);
  const { id, token } = await register(page, "Sixty drives");
  const manifest = { ...MANIFEST, pages: [MANIFEST.pages[0]] };
  await addon.connect(box, id, token, manifest);
  await page.goto(`/addons/${id}`);
  await page.getByRole("heading", { name: "Active jobs" }).waitFor();
  const frame = (drive, percent) => addon.progress(`burnin-${String(drive).padStart(2, "0")}`, percent, { phase_detail: `sent ${Date.now()}`, temp_c: 30 + (drive % 12), speed_mbps: 180 + (drive % 9) });
  for (let drive = 0; drive < drives; drive++) frame(drive, 0.1);
  await page.locator(".ajob").nth(drives - 1).waitFor();
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const metrics = async () => Object.fromEntries((await session.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  await session.send("Emulation.setCPUThrottlingRate", { rate: throttle });
  for (const worker of page.workers()) await worker.evaluate(slowed, [throttle, WAKING_MS]);
  await page.evaluate(() => {
    const seen = (globalThis.latencies = []);
    globalThis.longTasks = [];
    new PerformanceObserver((list) => globalThis.longTasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
    const unseen = (globalThis.unseen = []);
    // Rows that the browser itself leaves out of the picture: there is no pixel, they are as far as they get with their text.
    const skipped = new Set([...document.querySelectorAll(".ajob")].filter((row) => !row.firstElementChild.checkVisibility({ contentVisibilityAuto: true })));
    document.querySelector(".jobs").addEventListener("contentvisibilityautostatechange", ({ target, skipped: out }) => (out ? skipped.add(target) : skipped.delete(target)), true);
    // Batches whose picture is being made, and one channel for all: what measures must not be what is measured.
    const { port1, port2 } = new MessageChannel();
    const made = [];
    port1.onmessage = () => {
      const now = Date.now();
      seen.push(...made.shift().map((sent) => now - sent));
    };
    let waiting = [];
    new MutationObserver((changes) => {
      const idle = waiting.length === 0;
      for (const { target } of changes) {
        const sent = /sent (\d{13})/.exec(target.data);
        if (!sent) continue;
        if (skipped.has(target.parentElement.closest(".ajob"))) unseen.push(Date.now() - Number(sent[1]));
        else waiting.push(Number(sent[1]));
      }
      if (waiting.length === 0) return;
      const painted = () => {
        made.push(waiting);
        waiting = [];
        port2.postMessage(null);
      };
      if (globalThis.inPicture) painted();
      else if (idle) requestAnimationFrame(painted);
    }).observe(document.querySelector(".jobs"), { subtree: true, characterData: true });
  });
  const trace = process.env.KILN_TRACE ? await traced(browser) : null;
  const before = await metrics();
  const begun = Date.now();
  for (let turn = 0; turn < seconds; turn++) {
    for (let drive = 0; drive < drives; drive++) {
      // Drives do not agree on a moment: each reports in its own part of the second.
      const due = begun + turn * 1000 + (drive * 1000) / drives;
      await new Promise((done) => setTimeout(done, Math.max(0, due - Date.now())));
      frame(drive, (turn * 100) / seconds);
      if (drive % 10 === 0) addon.send("chart", { component_id: "drive-temperature", key: "temp_c", value: 34 + ((turn + drive) % 9), timestamp: new Date().toISOString() });
      if (drive % 4 === 0) addon.log("info", `drive ${drive}: wrote ${turn} GiB`);
    }
  }
  await page.waitForTimeout(1000);
  const after = await metrics();
  const shares = await trace?.();
  const spent = (name) => `${name.replace("Duration", "").toLowerCase()} ${Math.round((after[name] - before[name]) * 1000)} ms`;
  const { latencies, unseen, longTasks } = await page.evaluate(() => ({ latencies: globalThis.latencies, unseen: globalThis.unseen, longTasks: globalThis.longTasks }));
  const all = [...latencies, ...unseen];
  const at = (list, share) => list.sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))];
  const told = (list) => `p50 ${at(list, 0.5)} ms, p95 ${at(list, 0.95)} ms, p99 ${at(list, 0.99)} ms, max ${at(list, 1)} ms`;
  console.log(`frame to pixel: ${drives} drives at 1 Hz, processor ${throttle}x slower, ${seconds} s: ${latencies.length} frames of rows in view, ${told(latencies)} (limit ${LIMIT_MS} ms at p99)`);
  console.log(`all rows: ${all.length} of ${seconds * drives} frames, those out of view until their text stands; ${told(all)}`);
  console.log(`long tasks (over 50 ms): ${longTasks.length}, longest ${Math.round(Math.max(0, ...longTasks))} ms, together ${Math.round(longTasks.reduce((sum, took) => sum + took, 0))} ms of ${seconds * 1000} ms`);
  console.log(`main thread, throttled: ${["TaskDuration", "ScriptDuration", "RecalcStyleDuration", "LayoutDuration"].map(spent).join(", ")}`);
  for (const line of shares ?? []) console.log(line);
  const good = all.length >= seconds * drives * 0.99 && at(latencies, 0.99) < LIMIT_MS && at(all, 0.99) < LIMIT_MS;
  console.log(good ? "met" : "NOT met");
  code = good ? 0 : 1;
} finally {
  await addon.close();
  await browser.close();
  await box.close();
}
process.exit(code);
