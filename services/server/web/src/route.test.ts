import { expect, it } from "vitest";

import { FRESH, placeOf } from "./route";

it("paths name places, and what names none is told", () => {
  expect(placeOf("/")).toEqual({ name: "bench" });
  expect(placeOf("/jobs/0199%2F1")).toEqual({ name: "job", id: "0199/1" });
  for (const path of ["/jobs/", "/jobs/a/b", "/jobs/%E0%A4%A", "/wp-login.php"]) expect(placeOf(path)).toEqual({ name: "nowhere", path });
});

it("a playbook and the page where one is written are places", () => {
  expect(placeOf("/playbooks/my-soak")).toEqual({ name: "playbook", id: "my-soak" });
  expect(placeOf("/playbooks/new")).toEqual({ name: "playbook", id: "new" });
  expect(placeOf(`/playbooks/${FRESH}`)).toEqual({ name: "playbook", id: FRESH });
  expect(placeOf("/verify")).toEqual({ name: "verify" });
  expect(placeOf("/certificates")).toEqual({ name: "certificates", id: null });
  expect(placeOf("/certificates/KC-7Q2M-9F3K-XB4T")).toEqual({ name: "certificates", id: "KC-7Q2M-9F3K-XB4T" });
  expect(placeOf("/certificates/x/y").name).toBe("nowhere");
});
