/** Types of `openapi.mjs` for its test. */
export function generate(document: object): string;
export function document(): object;
export function written(): string;
export const WANTED: readonly string[];
