import { expect, it } from "vitest";

import { readTheme } from "./theme";

it.each([["dark", "dark"], ["light", "light"], [null, "system"], ["", "system"], ["pink", "system"]] as const)("kept as %s is shown as %s", (kept, shown) => expect(readTheme(kept)).toBe(shown));
