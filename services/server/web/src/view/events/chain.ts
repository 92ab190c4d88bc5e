/**
 * The log of events as a chain: each event carries the hash of the one before it and its own. Pure; tested in `chain.test.ts`.
 *
 * A hash is over the hash before it and the canonical form (RFC 8785) of the rest. Events that an earlier version wrote are hashed
 * over their own bytes, so the text is kept as it came; they count only before the first of today's. SHA-256 stands here because
 * browsers give it to HTTPS alone.
 */

import { canonical } from "./canonical";

/** Round constants: the first 32 bits of the fractions of the cube roots of the first 64 primes. Source: FIPS 180-4, 4.2.2. */
const K: Uint32Array = (() => {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return Uint32Array.from(primes, (prime) => (Math.cbrt(prime) % 1) * 2 ** 32);
})();
/** First state: the same of the square roots of the first eight. Source: FIPS 180-4, 5.3.3. */
const H = Uint32Array.from([2, 3, 5, 7, 11, 13, 17, 19], (prime) => (Math.sqrt(prime) % 1) * 2 ** 32);

const turn = (x: number, by: number) => (x >>> by) | (x << (32 - by));

/** SHA-256 of bytes, as 64 hexadecimal digits. */
export function sha256(bytes: Uint8Array): string {
  const padded = new Uint8Array(((bytes.length + 9 + 63) >> 6) << 6);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const state = Uint32Array.from(H);
  const w = new Uint32Array(64);
  const at = (list: Uint32Array, index: number) => list[index] ?? 0;
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(block + 4 * i);
    for (let i = 16; i < 64; i++) {
      const [a, b] = [at(w, i - 15), at(w, i - 2)];
      w[i] = at(w, i - 16) + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + at(w, i - 7) + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + at(K, i) + at(w, i)) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((x, i) => (state[i] = at(state, i) + x));
  }
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}

/** The texts of the objects of a JSON array, as they stand there. */
export function pieces(text: string): string[] {
  const out: string[] = [];
  let depth = 0;
  let begin = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === "\\") i += 1;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === "{" && depth++ === 0) begin = i;
    else if (c === "}" && --depth === 0) out.push(text.slice(begin, i + 1));
  }
  return out;
}

/** How far a chain holds. `earlier`: how many are in an earlier version's form; `broken`: the first event that does not fit, and why. */
export interface Chain { count: number; earlier: number; first: number; last: number; lastHash: string; broken: { seq: number; why: string } | null }

const HASH_AT_END = /"hash":"([0-9a-f]{64})"\}$/;
const FIRST_PREV = "0".repeat(64);

/** Goes on checking a chain with these events' texts, in their order. */
export function follow(chain: Chain | null, texts: readonly string[]): Chain | null {
  const encoder = new TextEncoder();
  for (const text of texts) {
    if (chain?.broken) return chain;
    const { hash, prev_hash: prev, ...rest } = JSON.parse(text) as { seq: number; prev_hash: string; hash: string };
    const { seq } = rest;
    const over = (said: string) => sha256(encoder.encode(prev + said));
    const isSealed = hash === over(canonical(rest));
    const isEarlier = !isSealed && (!chain || chain.earlier === chain.count) && hash === over(text.replace(HASH_AT_END, '"hash":""}'));
    const why = !isSealed && !isEarlier ? "it was changed after it was written"
      : chain && seq !== chain.last + 1 ? `the events between ${chain.last} and ${seq} are missing`
        : chain ? (prev !== chain.lastHash ? "the event before it is not the one that it was written after" : null)
          : seq === 1 && prev !== FIRST_PREV ? "it is the first and names one before it" : null;
    chain = {
      count: (chain?.count ?? 0) + 1, earlier: (chain?.earlier ?? 0) + (isEarlier ? 1 : 0), first: chain?.first ?? seq, last: seq, lastHash: hash,
      broken: why === null ? null : { seq, why },
    };
  }
  return chain;
}
