/** Before the bench: opening, no answer, claim, login. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { BoxView, Problem } from "@wire";

import { asProblem } from "../api";
import { claim, login, lookForClaim, open, visit } from "../state/app";
import { Icon, ProblemNote } from "./bits";

function Door(props: { name: string; title: string; lead: ComponentChildren; children?: ComponentChildren }) {
  return (
    <main id="main" class="door" tabIndex={-1}>
      <div class="panel">
        <p class="brand"><svg aria-hidden="true"><use href="#kiln" /></svg><span class="nm">{props.name}</span></p>
        <h1>{props.title}</h1>
        <p class="lead">{props.lead}</p>
        {props.children}
      </div>
    </main>
  );
}

/** The first second, and a box that does not answer. */
export function Opening({ problem }: { problem: Problem | null }) {
  if (!problem) return <Door name="Kiln" title="Opening the bench" lead="Asking the box who you are." />;
  return (
    <Door name="Kiln" title={problem.title} lead={problem.detail}>
      <p class="mute" role="status">This page tries again every three seconds.</p>
    </Door>
  );
}

function Field(props: { id: string; label: string; secret?: boolean; hint?: string; value: string; onInput: (value: string) => void; autocomplete: string; className?: string }) {
  return (
    <div class="field">
      <label for={props.id}>{props.label}</label>
      <input
        id={props.id} {...(props.secret ? { type: "password" as const } : { type: "text" as const })} class={props.className} value={props.value}
        autocomplete={props.autocomplete as "off"} autocapitalize="none" spellcheck={false} required
        aria-describedby={props.hint ? `${props.id}-h` : undefined} onInput={(event) => props.onInput(event.currentTarget.value)}
      />
      {props.hint && <p class="h" id={`${props.id}-h`}>{props.hint}</p>}
    </div>
  );
}

/** The way back in for who has lost the password. */
export function WayBack() {
  return <>At the box itself, on its screen and keyboard or its serial line, press <b>c</b> and type <b>RECOVER</b>: it shows a new code, and the login page asks for it. Nothing is lost, and drives that are being tested go on.</>;
}

/** First visit, or the way back in: the code on the console makes its reader the owner. */
export function ClaimDoor({ box }: { box: BoxView }) {
  const code = useSignal("");
  const username = useSignal("admin");
  const password = useSignal("");
  const again = useSignal("");
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (password.value !== again.value) {
      problem.value = { type: "page", status: 0, title: "The two passwords differ", detail: "Type the same one twice." };
      return;
    }
    busy.value = true;
    problem.value = null;
    try {
      await claim(code.value.trim().toUpperCase(), { username: username.value.trim(), password: password.value });
    } catch (thrown) {
      problem.value = asProblem(thrown);
      // Somebody else was quicker: from here on this is a box to log in to.
      if (problem.value.type === "claimed") void open();
    }
    busy.value = false;
  };
  return (
    <Door
      name={box.name} title="Claim this box"
      lead={<>Its console (screen or serial line) shows a code of eight characters; whoever reads it there becomes the owner. Where the box had one before, this name and password replace the earlier ones.</>}
    >
      <form onSubmit={submit}>
        <Field id="code" label="Claim code" className="code" autocomplete="one-time-code" value={code.value} onInput={(v) => (code.value = v)} hint="Eight letters and digits; letter case does not matter." />
        <Field id="username" label="Your name" autocomplete="username" value={username.value} onInput={(v) => (username.value = v)} />
        <Field id="password" label="Password" secret autocomplete="new-password" value={password.value} onInput={(v) => (password.value = v)} hint="Eight characters at least. It is asked for again before anything is erased." />
        <Field id="again" label="Password, again" secret autocomplete="new-password" value={again.value} onInput={(v) => (again.value = v)} />
        <ProblemNote problem={problem.value} />
        <button class="btn prime" type="submit" disabled={busy.value}>{busy.value ? "Claiming" : "Claim this box"}</button>
      </form>
      <p class="mute foot">It has an owner, and you know the password? <button class="btn plain" type="button" onClick={() => (visit.value = { kind: "login", box, expired: false })}>Log in instead</button></p>
    </Door>
  );
}

/** Every other visit. */
export function LoginDoor({ box, expired }: { box: BoxView; expired: boolean | string }) {
  const username = useSignal("");
  const password = useSignal("");
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    problem.value = null;
    try {
      await login({ username: username.value.trim(), password: password.value });
    } catch (thrown) {
      problem.value = asProblem(thrown);
      void lookForClaim();
    }
    busy.value = false;
  };
  useEffect(() => {
    // Whoever comes back from the console finds this page as it was left.
    const look = () => document.visibilityState === "visible" && void lookForClaim();
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  return (
    <Door name={box.name} title="Log in" lead={typeof expired === "string" ? expired : expired ? "Your session has ended. What runs on the box goes on." : "To see the bench of this box."}>
      {box.banners.length > 0 && <p class="note"><Icon name="info" />The box has something to tell; log in to read it.</p>}
      <form onSubmit={submit}>
        <Field id="username" label="Name" autocomplete="username" value={username.value} onInput={(v) => (username.value = v)} />
        <Field id="password" label="Password" secret autocomplete="current-password" value={password.value} onInput={(v) => (password.value = v)} />
        <ProblemNote problem={problem.value} />
        <button class="btn prime" type="submit" disabled={busy.value}>{busy.value ? "Checking" : "Log in"}</button>
      </form>
      {box.claimed
        ? <p class="mute foot"><b>If the password is lost:</b> <WayBack /></p>
        : <p class="mute foot">The box takes a claim code, too. <button class="btn plain" type="button" onClick={() => (visit.value = { kind: "unclaimed", box })}>Use the code on its console</button></p>}
    </Door>
  );
}
