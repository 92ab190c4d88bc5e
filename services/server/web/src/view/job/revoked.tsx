/** That what a test came to no longer holds, and which test found it. */
import type { Revocation } from "@wire";

import { dated } from "../../format";
import { jobPath } from "../../route";
import { Shape } from "../bits";

/** One line, told as a failure; `what` begins it. */
export function Revoked({ what, by }: { what: string; by: Revocation }) {
  return (
    <p class="bigverdict is-fail slim"><Shape of="fail" /><span><b>{what} {dated(by.at)}</b>{by.why.replace(/\.*$/, "")}. <a href={jobPath(by.job)}>The test that found it</a></span></p>
  );
}
