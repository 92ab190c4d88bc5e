/**
 * The one text of a JSON value (RFC 8785), over which events are hashed: members by UTF-16 code units, no white space, numbers
 * as ECMAScript prints them. Tested in `canonical.test.ts` with the table that the box's own implementation runs.
 */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
  }
  // What no double holds is no JSON, and must not come out as the null that `stringify` makes of it.
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : JSON.stringify(value);
}
