/** Where the processor time of the page's main thread goes, by Chromium's own trace: what each kind of work took without what it called; its workers' in one figure. */

/** Lines that are told, the dearest first. */
const LINES = 14;

/** Begins a trace; the function that it gives ends it and tells the shares. */
export async function traced(browser) {
  const session = await browser.newBrowserCDPSession();
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["toplevel", "devtools.timeline", "blink", "v8"], recordMode: "recordAsMuchAsPossible" } });
  return async () => {
    const ended = new Promise((done) => session.once("Tracing.tracingComplete", done));
    await session.send("Tracing.end");
    await ended;
    const threads = events.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`);
    // The page under measurement is the busiest of them.
    const shares = threads.map((thread) => own(events.filter(({ ph, pid, tid }) => ph === "X" && `${pid} ${tid}` === thread))).sort((a, b) => b.total - a.total)[0];
    if (!shares) return ["no trace of a main thread"];
    const workers = events.filter(({ name, args }) => name === "thread_name" && args.name === "DedicatedWorker thread").map(({ pid, tid }) => own(events.filter((event) => event.ph === "X" && event.pid === pid && event.tid === tid)).total);
    return [`workers: ${workers.map((took) => `${Math.round(took / 1000)} ms`).join(", ") || "none"}`, `main thread, ${Math.round(shares.total / 1000)} ms:`, ...[...shares.by].sort((a, b) => b[1].took - a[1].took).slice(0, LINES)
      .map(([name, { took, count }]) => `  ${String(Math.round(took / 1000)).padStart(6)} ms  ${String(Math.round((100 * took) / shares.total)).padStart(3)} %  ${count} x ${name}`)];
  };
}

/** Time of each kind of event without that of the events inside it, in microseconds of the thread. */
function own(events) {
  const by = new Map();
  const open = [];
  let total = 0;
  for (const { name, ts, dur, tdur = 0 } of events.sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    while (open.length > 0 && open.at(-1).end <= ts) open.pop();
    if (open.length > 0) by.get(open.at(-1).name).took -= tdur;
    else total += tdur;
    const one = by.get(name) ?? by.set(name, { took: 0, count: 0 }).get(name);
    one.took += tdur;
    one.count += 1;
    open.push({ name, end: ts + dur });
  }
  return { total, by };
}
