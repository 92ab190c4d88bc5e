/**
 * Server-sent events over `fetch`: unlike `EventSource` it tells a 401 from a lost network, can send
 * `Last-Event-ID` on a new connection, and sees the server's keep-alive comments, so that a silent
 * connection is noticed. A browser opens six connections to one host, over all of its tabs: a stream that
 * nobody looks at is given back, and taken up again by the next look. Tested in `sse.test.ts`.
 */

/** One message of the stream. */
export interface Message {
  /** Its `event:` word. */
  event: string;
  /** Its `data:` lines. */
  data: string;
  /** Its `id:`, where it has one. */
  id: string | null;
}

/** A parser that is fed pieces of text as they come and gives the messages that became whole. */
export function parser(): (chunk: string) => Message[] {
  let rest = "";
  let event = "";
  let id: string | null = null;
  let data: string[] = [];
  return (chunk) => {
    const whole: Message[] = [];
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) whole.push({ event: event || "message", data: data.join("\n"), id });
        event = "";
        id = null;
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event = value;
      else if (field === "data") data.push(value);
      else if (field === "id") id = value;
    }
    return whole;
  };
}

/** Seconds to wait before the n-th try to connect again, from 0. */
export function backoff(attempt: number): number {
  return Math.min(8, 0.5 * 2 ** Math.min(attempt, 6));
}

/** What a {@link listen}er is told. */
export interface Listener {
  /** A message came. */
  message(message: Message): void;
  /** The stream answers (again). */
  live(): void;
  /** The stream is gone; the time of the last sign of life in milliseconds. `rests`: it was given back, and comes again with the next look. */
  lost(lastHeard: number, rests: boolean): void;
  /** The session is over. */
  unauthorized(): void;
  /**
   * Asked after each piece that was handed on: no other is taken before this is over. What comes meanwhile waits in the
   * browser's network process and comes in one piece, so that a busy page is not woken by each message.
   */
  pause?(): Promise<void> | null;
  /** Whether nobody looks. Asked at each `visibilitychange`. */
  rests?(): boolean;
}

/** A stream that says nothing for so long, not even a keep-alive comment, is dead. In milliseconds. */
const SILENCE_MS = 45_000;
/** How often that is looked at, in milliseconds: one timer costs a slow processor less than one for each piece. */
const LOOK_MS = 5000;

/** Milliseconds until a stream that nobody looks at is given back: whoever leafs through tabs has each of them as it was, and not seven of them open at once. */
const REST_MS = 2000;

/** Keeps one stream open until the function that it returns is called. */
export function listen(url: string, listener: Listener): () => void {
  let stopped = false;
  let lastId: string | null = null;
  let lastHeard = Date.now();
  let wake: (() => void) | null = null;
  let current: AbortController | null = null;
  let leaving: ReturnType<typeof setTimeout> | undefined;
  const rests = () => listener.rests?.() ?? false;

  const once = async (): Promise<boolean> => {
    const abort = new AbortController();
    current = abort;
    const begun = Date.now();
    const silence = setInterval(() => Date.now() - Math.max(begun, lastHeard) > SILENCE_MS && abort.abort(), LOOK_MS);
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (lastId !== null) headers["Last-Event-ID"] = lastId;
      const answer = await fetch(url, { headers, signal: abort.signal, cache: "no-store" });
      if (answer.status === 401) {
        stopped = true;
        listener.unauthorized();
        return false;
      }
      if (!answer.ok || answer.body === null) return false;
      listener.live();
      const parse = parser();
      const reader = answer.body.getReader();
      // Not a stream of its own: that costs a slow processor more than reading what it gives.
      const text = new TextDecoder();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return true;
        lastHeard = Date.now();
        for (const message of parse(text.decode(value, { stream: true }))) {
          if (message.id !== null) lastId = message.id;
          listener.message(message);
        }
        await listener.pause?.();
      }
    } catch {
      return false;
    } finally {
      clearInterval(silence);
    }
  };

  const run = async () => {
    let attempt = 0;
    for (;;) {
      while (!stopped && rests()) await new Promise<void>((resolve) => (wake = resolve));
      if (stopped) return;
      const before = lastHeard;
      await once();
      if (stopped) return;
      attempt = lastHeard > before ? 0 : attempt + 1;
      listener.lost(lastHeard, rests());
      if (rests()) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, backoff(attempt) * 1000);
      });
    }
  };

  const hurry = () => wake?.();
  const looked = () => {
    clearTimeout(leaving);
    if (rests()) leaving = setTimeout(() => rests() && current?.abort(), REST_MS);
    // A phone that wakes up does not wait out a pause that began in its sleep.
    else hurry();
  };
  addEventListener("online", hurry);
  // Where it comes from the document; a thread has none, and is told by its page.
  addEventListener("visibilitychange", looked);
  void run();
  return () => {
    stopped = true;
    removeEventListener("online", hurry);
    removeEventListener("visibilitychange", looked);
    clearTimeout(leaving);
    current?.abort();
    wake?.();
  };
}
