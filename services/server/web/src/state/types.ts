/** Wire types that the page's state speaks of, and the little that it adds. */
export type { BoxView, DriveId, Problem, Session } from "@wire";

/** What a person types to log in. */
export interface Credentials {
  username: string;
  password: string;
}
