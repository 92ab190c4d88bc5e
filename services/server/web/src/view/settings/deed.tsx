/** What topics share that take files from the box, or ask it for something that takes a while and may be refused. */
import { useSignal } from "@preact/signals";
import type { Problem } from "@wire";

import { asProblem, readProblem, Refusal, unanswered } from "../../api";
import { ProblemNote, Shape } from "../bits";

/** Sends a request whose body or answer is a file; the answer's name and bytes. `patience`: longest wait in milliseconds. */
export async function file(method: "GET" | "POST" | "PUT", path: string, body?: Blob | object, patience?: number): Promise<{ name: string; blob: Blob }> {
  const init: RequestInit = { method, headers: { "X-Requested-With": "XMLHttpRequest" } };
  if (patience !== undefined) init.signal = AbortSignal.timeout(patience);
  if (body instanceof Blob) {
    init.body = body;
    init.headers = { ...init.headers, "Content-Type": "application/octet-stream" };
  } else if (body) {
    init.body = JSON.stringify(body);
    init.headers = { ...init.headers, "Content-Type": "application/json" };
  }
  let answer: Response;
  let content: Blob | string;
  try {
    answer = await fetch(`/api/v1${path}`, init);
    content = answer.ok ? await answer.blob() : await answer.text();
  } catch (thrown) {
    throw unanswered(thrown, patience);
  }
  if (typeof content === "string") throw new Refusal(readProblem(answer.status, content));
  const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "kiln";
  return { name, blob: content };
}

/** Gives a file to the person. */
export function save({ name, blob }: { name: string; blob: Blob }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Runs one request at a time and shows what came of it. */
export function useDeed() {
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const told = useSignal("");
  const run = async (work: () => Promise<string>) => {
    busy.value = true;
    problem.value = null;
    told.value = "";
    try {
      told.value = await work();
    } catch (thrown) {
      problem.value = asProblem(thrown);
    }
    busy.value = false;
  };
  const note = (
    <>
      <ProblemNote problem={problem.value} />
      {told.value && <p class="v wrap is-pass" role="status"><Shape of="pass" />{told.value}</p>}
    </>
  );
  return { busy, run, note };
}

/** One field of a form, with its label above and a hint beneath. `open`: what is typed may be seen. */
export function Field(props: { id: string; label: string; hint?: string; value: { value: string }; open?: boolean; complete?: string }) {
  return (
    <div class="field"><label for={props.id}>{props.label}</label>
      {props.open
        ? <input id={props.id} type="text" autocomplete="off" spellcheck={false} value={props.value.value} onInput={(event) => (props.value.value = event.currentTarget.value)} />
        : <input id={props.id} type="password" autocomplete={props.complete ?? "off"} value={props.value.value} onInput={(event) => (props.value.value = event.currentTarget.value)} aria-describedby={props.hint ? `${props.id}-h` : undefined} />}
      {props.hint && <p class="h" id={`${props.id}-h`}>{props.hint}</p>}
    </div>
  );
}
