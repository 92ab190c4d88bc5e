import { expect, test } from "vitest";
import { destination, divided, fateOf, filled, isSwitched, offset, toldOf, type Delivery, type Service } from "./data";

test("a browser's time zone becomes an offset east of Greenwich", () => {
  expect([0, -60, 300, -330, 570].map(offset)).toEqual(["UTC", "+01:00", "-05:00", "+05:30", "-09:30"]);
});

test("a form sends what it shows, and nothing of another service's", () => {
  const provider = { type: "ntfy", label: "ntfy", fields: [{ key: "topic", label: "", type: "text" as const, required: true }, { key: "token", label: "", type: "password" as const, required: false }] };
  expect(filled(provider, { topic: "t", token: "", webhook_url: "x" })).toEqual({ topic: "t", token: "" });
});

test("what is needed or usual stands first, the rest beneath", () => {
  const field = (key: string, required = false) => ({ key, label: "", type: "text" as const, required });
  const { first, more } = divided({ type: "ntfy", label: "ntfy", fields: [field("server_url"), field("topic", true), field("token"), field("delay")] });
  expect([first, more].map((fields) => fields.map(({ key }) => key))).toEqual([["server_url", "topic", "token"], ["delay"]]);
});

test("a channel says where its messages go and of what it is told", () => {
  const to = (service_type: string, config_fields: Record<string, string>) => destination({ service_type, config_fields });
  expect([
    to("ntfy", { topic: "bench", token: "" }), to("ntfy", { topic: "bench", server_url: "https://push.example.org/" }), to("email", { to: "a@b.org", cc: "c@d.org" }),
    to("discord", { webhook_url: "https://discord.com/…" }), to("slack", { webhook_url: "", channel: "#alerts" }), to("pushover", {}), to("later", {}),
  ]).toEqual(["bench at ntfy.sh", "bench at push.example.org", "a@b.org, c@d.org", "discord.com", "#alerts", "", ""]);
  const told = (critical: boolean, warning: boolean, rest: boolean) => toldOf({ notify_on_critical: critical, notify_on_warning: warning, notify_on_healthy: rest });
  expect([told(true, true, true), told(true, true, false), told(true, false, false), told(false, false, false)]).toEqual(["told of everything", "told of criticals and warnings", "told of criticals", "told of what its rules name alone"]);
});

test("no channel's row shows the name and the password of an address", () => {
  const to = (service_type: string, address: string) => destination({ service_type, config_fields: { topic: "bench", server_url: address, webhook_url: address } });
  expect([to("ntfy", "http://a:PASS@push.example.org:8080/x"), to("gotify", "https://a:PASS@host"), to("generic", "https://PASS@hook.example.org/PASS?PASS"), to("slack", "a:PASS@host"), to("ntfy", "http://a:PASS@ho st")])
    .toEqual(["bench at push.example.org:8080", "host", "hook.example.org", "", "bench"]);
});

test("what a channel holds that has switched itself off is not tried again, and says what to do", () => {
  const line = (status: Delivery["status"]): Delivery => ({ id: 1, setting_id: 3, service_name: "hook", event_type: "unit.failed", message: "", hostname: "", serial_number: "", created_at: "", attempts: 2, status, next_at: "2026-11-20T06:00:00Z" });
  const fate = (status: Delivery["status"], change: Partial<Service>) => fateOf(line(status), [{ id: 3, enabled: true, locked: false, ...change } as Service], () => "06:00");
  const off = { enabled: false, disabled_why: "answered 410" };
  expect(fate("retrying", {})).toEqual({ shape: "warn", words: "tried again, 2 attempts", next: "again at 06:00" });
  expect(fate("retrying", off)).toEqual({ shape: "warn", words: "held: the channel is off, 2 attempts", next: "Mend the channel and switch it on: then this is sent. Left off, it is given up." });
  expect(fate("pending", off).words).toMatch(/^held/);
  expect(fate("retrying", { ...off, locked: true }).next).toBe("Mend the channel in kiln.toml, where it is set, and restart the box, or switch it on here: then this is sent.");
  expect([fate("sent", off), fate("failed", off)].map(({ words, next }) => [words, next])).toEqual([["taken, 2 attempts", ""], ["given up, 2 attempts", ""]]);
});

test("a channel of kiln.toml is switched on where it switched itself off, and never otherwise", () => {
  const failed = { disabled_why: "answered 410", failing_since: "2026-11-20T06:00:00Z" };
  const works = { disabled_why: null, failing_since: null };
  const cases = [{ locked: false, ...works }, { locked: true, ...failed }, { locked: true, ...works }, { locked: true, ...works, disabled_why: "path: expected ID/TOKEN" }, { locked: true, ...failed, disabled_why: null }];
  expect(cases.map(isSwitched)).toEqual([true, true, false, false, false]);
});
