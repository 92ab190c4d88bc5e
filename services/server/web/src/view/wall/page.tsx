/**
 * The bench for a screen across the room: no controls, readable from three metres, on any size of screen.
 *
 * `?theme=dark` or `light` for screens that have no wish of their own. Escape leads back to the bench.
 */
import { signal } from "@preact/signals";
import type { Drive, Job } from "@wire";
import { useEffect } from "preact/hooks";

import "../../style/wall.css";
import { bytes, capacityWords, clock, lastFour, phaseName, rate, timeLeft, verdictShape } from "../../format";
import { platesOf } from "../../plates";
import { go } from "../../route";
import { placeName } from "../../seat";
import { known, latest, lostSince, now, silentFor } from "../../state/app";
import { spanOf } from "../../state/heard";
import { firstFault, hasFailed, hottestOf, inUse, isOver, isPaused, shareOf, unmeasured } from "../../state/store";
import { showTheme } from "../../theme";
import { Mark, Shape, Still } from "../bits";
import { banners, unheard } from "../box";
import { needs, withAway, type Need } from "../bench/needs";
import { plan, screens, shown, standing, whole, type Plan } from "./plan";

/** The window, in pixels; measured when the page opens. */
const room = signal<readonly [width: number, height: number]>([1920, 1080]);

/** A tile: how it looks, the phase on a line of its own, its large word, what stands beside that, and the share of the phase that is done. */
interface Face { kind: string; shape: "pass" | "warn" | "fail" | "inc" | null; phase: string; word: string; side: string; share: number | null }

/** What a tile says; `silent`: for how many seconds nothing came of its running test. Pure. */
export function face(drive: Drive, job: Job | undefined, silent: number | null = null): Face {
  const plain = { shape: null, phase: "", side: "", share: null };
  if (job && !isOver(job)) {
    const p = job.progress;
    const share = p ? shareOf(job, p.step) : null;
    if (job.state.kind === "waiting" || !drive.present) return { ...plain, kind: "held", word: isPaused(job) ? "PAUSED" : "WAITS", side: job.state.kind === "waiting" ? job.state.why.replace(/^paused /i, "") : "drive is out", share };
    return { ...plain, kind: "hot", phase: p ? phaseName(p.phase) : "", word: share !== null ? `${Math.floor(share * 100)}\u202f%` : p ? "…" : unmeasured(job), side: drive.as_of ? `since ${clock(drive.as_of, Date.parse(drive.as_of))}` : silent !== null ? `silent ${spanOf(silent)}` : p ? timeLeft(p.eta_job).replace("about ", "") : "", share: share ?? 0 };
  }
  if (drive.refused && !hasFailed(job)) return { ...plain, kind: "idle", word: inUse(drive) ? "In use" : "Not offered" };
  if (drive.as_of && !job?.verdict) return { ...plain, kind: "idle", word: "Not seen", side: `since ${clock(drive.as_of, Date.parse(drive.as_of))}` };
  if (job?.verdict) {
    const { outcome } = job.verdict;
    const first = outcome === "FAILED" ? firstFault(job) : undefined;
    return { ...plain, kind: `vd is-${verdictShape(outcome)}`, shape: verdictShape(outcome), word: outcome, side: !drive.present ? "drive is out" : first === undefined ? "" : `at ${bytes(first * job.sector)}` };
  }
  return { ...plain, kind: "idle", word: drive.id === null ? "No identity" : "Idle" };
}

interface TileProps { drive: Drive; plate: string; job: Job | undefined; silent: number | null }

class Tile extends Still<TileProps> {
  override render({ drive, plate, job, silent }: TileProps) {
    const { kind, shape, phase, word, side, share } = face(drive, job, silent);
    return (
      <li class={`w ${kind}`}>
        {share !== null && <i class="fl" style={{ transform: `scaleX(${share.toFixed(4)})` }} />}
        {share !== null && <i class="bar" style={{ transform: `scaleX(${share.toFixed(4)})` }} />}
        <span class="ln"><span class="id"><span class="plate">{plate}</span><b>{lastFour(drive.serial)}</b></span>
          <span class="cp">{capacityWords(drive.capacity)}</span></span>
        <span class="ln">{phase && <span class="ph">{phase}</span>}
          <span class="bg">{shape && <Shape of={shape} />}<span>{word}</span></span>
          <span class="tm">{side}</span></span>
      </li>
    );
  }
}

/** Most things that the foot names, however wide the wall. */
const NAMED = 3;

function Foot({ drives, list, room }: { drives: readonly Drive[]; list: readonly Need[]; room: Plan["foot"] }) {
  const box = known.value.box;
  const told = box ? banners(box).filter(({ severity }) => severity !== "info") : [];
  const lost = lostSince.value;
  if (lost !== null) return <div class="say" role="status"><span class="is-inc"><Shape of="inc" /><b>No answer since {clock(new Date(lost).toISOString(), now.value)}.</b> What you see is from then; what runs goes on.</span></div>;
  const lines = list.slice(0, NAMED).map((need) => {
    const drive = drives.find((one) => one.id === need.drive);
    // Of a drive that was not plugged in since the box started nothing tells a place.
    const where = drive && (drive.location || drive.kernel_name) ? placeName(drive) : "Unplugged";
    return { need, who: drive ? `${where} …${need.four}` : "The box" };
  });
  const count = whole(lines.map(({ need, who }) => `${who} ${need.short}`), list.length, { ...room, lines: room.lines - (told[0] ? 1 : 0) });
  return (
    <div class="say" role="status">
      {told[0] && <span class={told[0].severity === "critical" ? "is-fail" : "is-warn"}><Shape of={told[0].severity === "critical" ? "fail" : "warn"} /><span>{told[0].text}</span></span>}
      {lines.slice(0, count).map(({ need, who }) => <span key={need.key} class={`is-${need.shape}`}><Mark of={need.shape} /><span><b>{who}</b> {need.short}</span></span>)}
      {list.length > count && <span>and {list.length - count} more</span>}
      {list.length === 0 && told.length === 0 && <span class="calm">Nothing needs attention.</span>}
    </div>
  );
}

/** The page. */
export function WallPage() {
  useEffect(() => {
    const measure = () => (room.value = [innerWidth, innerHeight]);
    const leave = (event: KeyboardEvent) => event.key === "Escape" && go("/");
    const theme = new URLSearchParams(location.search).get("theme");
    if (theme === "dark" || theme === "light") showTheme(theme);
    // A screen that nobody touches goes dark; browsers allow to stop that on HTTPS alone, and forget it with each hiding.
    const awake = () => void navigator.wakeLock?.request("screen").catch(() => {});
    awake();
    measure();
    addEventListener("resize", measure);
    addEventListener("keydown", leave);
    document.addEventListener("visibilitychange", awake);
    return () => {
      removeEventListener("resize", measure);
      removeEventListener("keydown", leave);
      document.removeEventListener("visibilitychange", awake);
      showTheme();
    };
  }, []);
  const { drives, box } = known.value;
  const jobs = latest.value;
  const list = shown(drives ?? [], jobs);
  const asked = withAway(list, jobs, box);
  const plates = platesOf(list);
  const { unit, tile, columns, rows, foot } = plan(...room.value, list.length);
  const all = screens(list, columns * rows);
  const at = standing(all.length, now.value);
  const screen = all[at];
  const here = new Set(list.map((drive) => drive.id));
  const running = [...jobs.values()].filter((job) => here.has(job.drive) && job.state.kind === "running");
  const moving = running.reduce((sum, job) => sum + (silentFor(job) === null ? (job.progress?.rate ?? 0) : 0), 0);
  const heard = unheard() === null;
  const [amount, per] = rate(moving).split("\u00a0");
  const hottest = hottestOf(list.filter((drive) => silentFor(jobs.get(drive.id ?? "")) === null), jobs);
  return (
    <main id="main" class={`wall ${lostSince.value !== null ? "lost" : ""}`} tabIndex={-1} style={{ "--u": `${unit}px` }}>
      <a class="skip" href="/">To the bench</a>
      <header class="hd">
        <h1 class="nm"><svg aria-hidden="true"><use href="#kiln" /></svg>{box?.name ?? "Kiln"}</h1>
        {heard && <span class="q"><b>{running.length}</b> burning</span>}
        {heard && moving > 0 && <span class="q"><b>{amount}</b> {per}</span>}
        {hottest && <span class="q"><b>{hottest.heat} °C</b> {placeName(hottest.drive)}</span>}
        {all.length > 1 && <span class="q pg">{screen?.name}, screen <b>{at + 1}</b> of {all.length}</span>}
        <time class="t">{new Date(now.value).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}</time>
      </header>
      {drives === null && <p class="none" role="status">Waiting for the box to tell its drives.</p>}
      {drives !== null && list.length === 0 && <p class="none">No drive is plugged in. It shows here within two seconds.</p>}
      {screen && <ul class="rows" style={{ "--u": `${tile}px`, "--wc": columns, "--wr": Math.min(rows, Math.ceil(screen.drives.length / columns)) }}>{screen.drives.map((drive) => {
        const job = drive.id === null ? undefined : jobs.get(drive.id);
        return <Tile key={drive.key} drive={drive} plate={plates.get(drive.key) ?? ""} job={job} silent={silentFor(job)} />;
      })}</ul>}
      <Foot drives={asked} list={needs(asked, jobs, box)} room={foot} />
    </main>
  );
}
