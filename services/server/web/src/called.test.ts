import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { FaultKind } from "@wire";

import { faultName } from "./called";

const table = JSON.parse(readFileSync(new URL("../../../wire/cases/faults.json", import.meta.url), "utf8")) as Record<FaultKind, string>;

it.each(Object.entries(table) as [FaultKind, string][])("%s is called on screen as on paper", (kind, words) => expect(faultName(kind)).toBe(words));
