import { expect, it } from "vitest";

import { drive } from "../../fixtures";
import { heatWords } from "./page";

it("a drive that is out has no temperature of now, and it is not its sensor that does not tell it", () => {
  expect(heatWords(drive())).toBe("31\u00a0°C");
  expect(heatWords(drive({ temperature: null }))).toBe("no sensor tells");
  expect(heatWords(drive({ present: false, temperature: null }))).toBe("not known while it is out");
  expect([drive({ present: false }), drive({ as_of: "2026-11-20T06:05:00Z" })].map(heatWords)).toEqual(["31\u00a0°C then", "31\u00a0°C then"]);
});
