/**
 * Component `log-viewer`: the newest lines in a ring, of which only those in view are drawn.
 *
 * Rows are all of one height, so the place of each is a multiplication. While it follows, the end is kept in view; as
 * soon as somebody scrolls up it stands still, on lines that nothing can push out, and says how many came since.
 */
import { useComputed, useSignal, type Signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";

import { plural, stamp } from "../format";
import { now } from "../state/app";
import { Icon, Panel, ProblemNote, Still } from "../view/bits";
import { useSource, useTurned, type PartProps } from "./context";
import { isFor, isOf } from "./feed";
import { arr, at, bool, choices, obj, str, within } from "./manifest";
import { paced } from "./pace";
import { levelOf, LEVELS, readLine, Ring, type Filter, type Level, type Line } from "./ring";

/** Height of a row in pixels; `--log-row` in `addon.css`. */
const ROW = 20;
/** So long after a hand's last move what scrolls is its doing, in milliseconds; a thrown page rolls on for a while. */
const HAND_MS = 1500;
/** Shortest time between two pictures of a log that grows, in milliseconds: nobody reads faster. */
const PICTURE_MS = 160;
/** Rows that are drawn above and below what is in view. */
const OVER = 6;

/** The ranges that a history can be asked for, unless the manifest names its own. */
export const RANGES = [["15m", "15 min"], ["1h", "1 h"], ["6h", "6 h"], ["24h", "24 h"], ["7d", "7 days"]].map(([value = "", label = ""]) => ({ value, label }));

/** A row: a line never changes, so neither does its row. */
class Row extends Still<{ line: Line; showTime: boolean; showSource: boolean }> {
  override render() {
    const { line, showTime, showSource } = this.props;
    const words = line.time ? stamp(line.time, now.peek()).split(" ") : [];
    return (
      <div class={`ln ${line.level}`}>
        {showTime && <time><s>{words.slice(0, -1).join(" ")}</s>{words.at(-1)}</time>}<b>{line.level}</b>{showSource && line.source && <i>{line.source}</i>}<span>{line.message}</span>
      </div>
    );
  }
}

/** What the parts of a log share: its lines, when they changed, and those on which it stands still. */
interface Shown { ring: Ring; tick: Signal<number>; stopped: Signal<{ number: number; line: Line }[] | null> }

/** The lines in view. It alone is drawn again when lines come: the filters around it would cost more than its rows. */
function Lines({ ring, tick, stopped, top, high, showTime, showSource, asking }: Shown & { top: Signal<number>; high: Signal<number>; showTime: boolean; showSource: boolean; asking: boolean }) {
  void tick.value;
  const still = stopped.value;
  const count = still ? still.length : ring.length;
  // What follows is at the end, wherever the scroll bar has got to meanwhile.
  const first = Math.max(0, Math.floor((still ? top.value : Math.max(0, count * ROW - high.value)) / ROW) - OVER);
  const last = Math.min(count, first + Math.ceil(high.value / ROW) + 2 * OVER);
  const rows = still ? still.slice(first, last) : ring.slice(first, last);
  return (
    <>
      <div class="room" style={{ height: `${count * ROW}px` }}>
        <div class="view" style={{ transform: `translateY(${first * ROW}px)` }}>
          {rows.map(({ number, line }) => (
            <Row key={number} line={line} showTime={showTime} showSource={showSource} />
          ))}
        </div>
      </div>
      {count === 0 && <p class="none">{asking ? "Asking for what was logged." : ring.kept > 0 ? "No line answers to this filter." : "Nothing logged yet."}</p>}
    </>
  );
}

/** How many lines there are. */
function Counted({ ring, tick, stopped }: Shown) {
  void tick.value;
  const count = stopped.value?.length ?? ring.length;
  return <>{plural(count, "line")}{ring.kept > count && ` of ${plural(ring.kept, "line")}`}</>;
}

/** How many lines came since it stands still. */
function Since({ ring, tick, before }: Omit<Shown, "stopped"> & { before: Signal<number> }) {
  void tick.value;
  const since = ring.total - before.value;
  return <>{since > 0 ? `Follow, ${plural(since, "new line")}` : "Follow"}</>;
}

/** The component. */
export function LogPart(props: PartProps) {
  const { part, around, seen } = props;
  const ring = useMemo(() => new Ring(within(at(part.config, "max_lines"), 50, 20_000, 1000)), [part]);
  const tick = useSignal(0);
  const pace = useMemo(() => paced(() => (tick.value += 1), PICTURE_MS, seen), []);
  const filter = useSignal<Filter>({ level: "", job: "", text: "" });
  const stopped = useSignal<{ number: number; line: Line }[] | null>(null);
  const before = useSignal(0);
  const top = useSignal(0);
  const high = useSignal(400);
  const box = useRef<HTMLDivElement>(null);
  /** When a hand was on wheel, key, finger or bar. */
  const hand = useRef(-Infinity);
  const touched = () => (hand.current = performance.now());

  const timeFilter = obj(at(part.config, "time_filter"));
  const ranges = choices(at(timeFilter, "options"));
  const range = useSignal(str(at(timeFilter, "default")));
  const asked = useSource(props, part.source || "log_history", { ...(range.value ? { range: range.value } : {}) });
  const told = asked.told.value;

  const turned = useTurned(around);
  useEffect(() => {
    if (!told) return;
    // The history comes before what was heard meanwhile; lines that are in both are shown once.
    const heard = turned() ? [] : ring.all();
    const key = (line: Line) => `${line.time} ${line.source} ${line.message}`;
    const old = told.items.filter((raw) => isOf(raw, around.agent.peek())).map(readLine);
    const seen = new Set(old.map(key));
    ring.clear();
    ring.filter({ level: "", job: "", text: "" });
    ring.push([...old, ...heard.filter((line) => !seen.has(key(line)))]);
    ring.filter(filter.peek());
    tick.value += 1;
  }, [told]);
  useEffect(() => around.feed.hear(["log"], (frames) => {
    const agent = around.agent.peek();
    const lines = frames.map(({ payload }) => obj(payload)).filter((raw) => isFor(raw, part.id) && isOf(raw, agent)).map(readLine);
    if (lines.length === 0) return;
    ring.push(lines);
    pace.soon();
  }), [around.feed, ring, part.id]);
  useEffect(() => pace.stop, [pace]);
  useEffect(() => {
    ring.filter(filter.value);
    if (stopped.peek()) {
      stopped.value = ring.frozen();
      before.value = ring.total;
    }
    tick.value += 1;
  }, [filter.value, ring]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const sizes = new ResizeObserver(() => (high.value = element.clientHeight));
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);

  const still = stopped.value;
  // The box is drawn from its end (`column-reverse`), so its own place 0 is the end, and stays there while lines come:
  // to follow costs no asking and no setting of where it stands, both of which would lay out the page at once.
  useLayoutEffect(() => {
    if (!still && box.current) box.current.scrollTop = 0;
  }, [still]);
  /** Pixels above the view, as long as the list is `rows` long. */
  const above = (rows: number) => Math.max(0, rows * ROW - (box.current?.clientHeight ?? 0) + (box.current?.scrollTop ?? 0));
  const stop = () => {
    before.value = ring.total;
    const frozen = ring.frozen();
    stopped.value = frozen;
    top.value = above(frozen.length);
  };
  const follow = () => (stopped.value = null);
  const scrolled = () => {
    const element = box.current;
    if (!element) return;
    const frozen = stopped.peek();
    if (frozen) {
      top.value = above(frozen.length);
      return;
    }
    // Lines that came since the last picture are no reason to stand still; somebody who scrolls up is.
    if (performance.now() - hand.current < HAND_MS && element.scrollTop < -ROW) stop();
    else element.scrollTop = 0;
  };
  const levels = arr(at(part.config, "levels")).map((one) => levelOf(str(one)));
  const offered = LEVELS.filter((level) => (levels.length === 0 ? level !== "debug" : levels.includes(level)));
  const named = useComputed(() => (void tick.value, ring.jobs.size)).value;
  // Where the manifest asks for it, it stands before the first line names a job: nothing moves, and no control is new, when data comes.
  const byJob = bool(at(part.config, "filterable_by_job")) || named > 1;
  const showTime = bool(at(part.config, "show_timestamp"), true);
  const showSource = bool(at(part.config, "show_source"), true);
  const set = (change: Partial<Filter>) => (filter.value = { ...filter.peek(), ...change });
  return (
    <Panel id={`t-${part.id}`} title={part.title} note={part.about || <Counted ring={ring} tick={tick} stopped={stopped} />}
      end={<button class="btn" type="button" aria-pressed={still !== null} onClick={still ? follow : stop}><Icon name={still ? "go" : "pause"} />{still ? <Since ring={ring} tick={tick} before={before} /> : "Pause"}</button>}>
      <div class="filter">
        <label class="find"><Icon name="find" /><span class="sr">Filter lines of {part.title}</span><input type="search" placeholder="Words in a line" value={filter.value.text} onInput={(e) => set({ text: e.currentTarget.value })} /></label>
        <label>At least <select value={filter.value.level} onChange={(e) => set({ level: e.currentTarget.value as Level | "" })}>
          <option value="">everything</option>{offered.filter((level) => level !== "debug" && level !== "info" || offered.includes("debug")).map((level) => <option key={level} value={level}>{level}</option>)}</select></label>
        {byJob && <label>Job <select value={filter.value.job} onChange={(e) => set({ job: e.currentTarget.value })}><option value="">all</option>{[...ring.jobs].map((job) => <option key={job} value={job}>{job}</option>)}</select></label>}
        {ranges.length > 0 && <label>Since <select value={range.value} onChange={(e) => (range.value = e.currentTarget.value)}>{ranges.map((one) => <option key={one.value} value={one.value}>{one.label}</option>)}</select></label>}
      </div>
      <ProblemNote problem={asked.problem.value} />
      <div class="lines" ref={box} tabIndex={0} role="log" aria-live="off" aria-label={`${part.title}, ${still ? "paused" : "newest below"}`} onScroll={scrolled} onWheel={touched} onKeyDown={touched} onPointerDown={touched} onPointerMove={(e) => e.buttons !== 0 && touched()} onTouchMove={touched}>
        <Lines ring={ring} tick={tick} stopped={stopped} top={top} high={high} showTime={showTime} showSource={showSource} asking={asked.told.value === null && !asked.problem.value} />
      </div>
    </Panel>
  );
}
