/** The page of before an update: that it is one, and what stands there where it cannot draw what the box tells by now. */
import { updated } from "../state/app";
import { Icon } from "./bits";

const Anew = ({ kind }: { kind: string }) => <button class={`btn ${kind}`} type="button" onClick={() => location.reload()}>Load it anew</button>;

/** The line above the page. It never loads by itself: somebody may be typing. */
export function Updated() {
  const version = updated.value;
  return (
    <div class="newer" role="status">
      {version !== null && <><Icon name="info" /><span><b>The box runs version {version} now.</b> This page is the one of before; what is typed on it goes when it is loaded anew.</span><Anew kind="" /></>}
    </div>
  );
}

/** Instead of a place that cannot be drawn. */
export function Broken({ fault }: { fault: string }) {
  return (
    <main id="main" class="door" tabIndex={-1}>
      <div class="panel" role="alert">
        <h1>This page cannot be drawn</h1>
        <p class="lead">{updated.value === null ? "It made a mistake with what the box tells." : `The box runs version ${updated.value} now, and this page is the one of before.`} What runs on the box goes on.</p>
        <p class="lead mono">{fault}</p>
        <div class="do"><Anew kind="prime" /></div>
      </div>
    </main>
  );
}
