/** Tests of this box that an add-on tells of: the burn-in agent is one. */
import type { Job } from "@wire";

import { lastFour } from "../format";
import { jobPath } from "../route";
import { known } from "../state/app";
import { at, str, type Config } from "./manifest";

/** Where the test is that a row names, if it is one of this box. */
export function ownTest(row: Config): string | null {
  const id = str(at(row, "job_id"));
  return known.peek().jobs.has(id) ? jobPath(id) : null;
}

/** Whose test it is, instead of an id that says nothing to a person; pure. */
export const ownTitle = ({ model, serial }: Pick<Job, "model" | "serial">): string => [model, `…${lastFour(serial)}`].filter(Boolean).join(" ");
