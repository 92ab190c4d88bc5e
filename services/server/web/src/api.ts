/**
 * The box's HTTP interface, typed by the generated wire types. Every failure is a {@link Refusal}
 * that carries a problem with a title and a detail, so that a page can show it beside its cause.
 */
import type {
  Acknowledged, Armed, ArmRequest, BayRequest, BoxView, CertificateCheck, CertificateEntry, CheckRequest, Claim, DriveId, Event, Job, JobEnd, JobId, LogLine, Login, Plan,
  PlanId, PlanOptions, PlanRequest, Problem, ScanRequest, Session, Started, TimePoint, Told,
} from "@wire";

const ROOT = "/api/v1";

/** Longest wait for an answer in milliseconds; a password check takes seconds on a small board. */
const ANSWER_MS = 45_000;

/** The same for what opens drives: the box waits 145 s for its agent, and what it says then is more than this page knows. */
const START_MS = 150_000;

/** The box refused, or did not answer (status 0). */
export class Refusal extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

/** The box did not answer in time: it may be at this one question too long, and answer the next. */
export class Late extends Refusal {}

/** What a person is told when no answer came. */
export function unreachable(why: string): Problem {
  return {
    type: "unreachable",
    status: 0,
    title: "The box did not answer",
    detail: `${why}. Check its power and network; what runs on it goes on without this page.`,
  };
}

/** What a request that brought no answer, or not all of it, comes to; `patience`: what it was given, in milliseconds. */
export function unanswered(thrown: unknown, patience: number | undefined): Refusal {
  const late = patience !== undefined && thrown instanceof DOMException && thrown.name === "TimeoutError";
  return late ? new Late(unreachable(`No answer within ${patience / 1000} s`)) : new Refusal(unreachable("The connection failed"));
}

/** Any thrown thing as a problem. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Refusal) return thrown.problem;
  return { type: "page-error", status: 0, title: "This page made a mistake", detail: String(thrown) };
}

/** Reads an error answer; one that is no problem+json still gets a title. */
export function readProblem(status: number, text: string): Problem {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "title" in value && typeof value.title === "string") {
      const { type, detail } = value as { type?: unknown; detail?: unknown };
      return {
        type: typeof type === "string" ? type : "about:blank",
        status,
        title: value.title,
        detail: typeof detail === "string" ? detail : "",
      };
    }
  } catch {
    // Not JSON: a proxy's page, say. The status is all that there is to tell.
  }
  return { type: "about:blank", status, title: `The box answered ${status}`, detail: text.trim().slice(0, 200) };
}

/** What the page does when the box says that nobody is logged in any more. Set once by `state/app.ts`. */
export const onUnauthorized = { call: () => {} };

/** Asks the box. A path that begins with `/api/` is taken as it is, every other is below `/api/v1`. */
export async function call<T>(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown, patience = ANSWER_MS): Promise<T> {
  const init: RequestInit = { method, signal: AbortSignal.timeout(patience), headers: { Accept: "application/json" } };
  if (method !== "GET") {
    init.headers = { ...init.headers, "X-Requested-With": "XMLHttpRequest", "Content-Type": "application/json" };
    init.body = JSON.stringify(body ?? {});
  }
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(path.startsWith("/api/") ? path : ROOT + path, init);
    text = await answer.text();
  } catch (thrown) {
    throw unanswered(thrown, patience);
  }
  // The session's own requests are asked just to find that out; an add-on's answer that is passed on is no word of the box.
  const ours = answer.headers.get("content-type")?.startsWith("application/problem+json") ?? false;
  if (answer.status === 401 && ours && path !== "/session") onUnauthorized.call();
  if (!answer.ok) throw new Refusal(readProblem(answer.status, text));
  if (text === "") return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Refusal(readProblem(answer.status, text));
  }
}

/** A piece of a path. */
export const segment = encodeURIComponent;

/** One function a request. */
export const api = {
  box: () => call<BoxView>("GET", "/box"),
  claim: (body: Claim) => call<unknown>("POST", "/claim", body),
  session: () => call<Session>("GET", "/session"),
  login: (body: Login) => call<Session>("POST", "/session", body),
  logout: () => call<unknown>("DELETE", "/session"),
  jobsOf: (drive: DriveId) => call<Job[]>("GET", `/jobs?drive=${segment(drive)}`),
  job: (id: JobId) => call<Job>("GET", `/jobs/${segment(id)}`),
  jobLog: (id: JobId) => call<LogLine[]>("GET", `/jobs/${segment(id)}/log`),
  jobTimeline: (id: JobId) => call<TimePoint[]>("GET", `/jobs/${segment(id)}/timeline`),
  abort: (id: JobId) => call<unknown>("POST", `/jobs/${segment(id)}/abort`),
  pause: (id: JobId) => call<Told>("POST", `/jobs/${segment(id)}/pause`),
  resume: (id: JobId) => call<Told>("POST", `/jobs/${segment(id)}/resume`),
  acknowledge: (id: JobId, seen: JobEnd) => call<Acknowledged>("POST", `/jobs/${segment(id)}/ack`, seen),
  unacknowledge: (id: JobId) => call<unknown>("DELETE", `/jobs/${segment(id)}/ack`),
  locate: (id: DriveId, on: boolean) => call<Told>("POST", `/drives/${segment(id)}/locate`, { on }),
  nameBay: (id: DriveId, bay: string) => call<Told>("PUT", `/drives/${segment(id)}/bay`, { bay } satisfies BayRequest),
  scan: (drives: DriveId[], playbook: string) => call<Started>("POST", "/scans", { drives, playbook } satisfies ScanRequest, START_MS),
  savePlaybook: (name: string, text: string) => call<Told>("PUT", `/playbooks/${segment(name)}`, { text }),
  forgetPlaybook: (name: string) => call<Told>("DELETE", `/playbooks/${segment(name)}`),
  certificates: () => call<CertificateEntry[]>("GET", "/certificates"),
  checkCertificate: (text: string, trust: string) => call<CertificateCheck>("POST", "/certificates/check", { text, trust } satisfies CheckRequest),
  plan: (drives: DriveId[], playbook: string, options: PlanOptions) =>
    call<Plan>("POST", "/plans", { drives, playbook, options } satisfies PlanRequest),
  arm: (plan: PlanId, body: ArmRequest) => call<Armed>("POST", `/plans/${segment(plan)}/arm`, body),
  start: (plan: PlanId, body: Armed) => call<Started>("POST", `/plans/${segment(plan)}/start`, body, START_MS),
  /** Events after a number, oldest first; without one the newest. */
  events: (after: number | null, limit: number) =>
    call<Event[]>("GET", after === null ? `/events?limit=${limit}` : `/events?after=${after}&limit=${limit}`),
};

/** Where a job's certificate is: as signed, as a page, as PDF. */
export const certificateUrl = (job: JobId, form: "" | ".html" | ".pdf") => `${ROOT}/jobs/${segment(job)}/certificate${form}`;
