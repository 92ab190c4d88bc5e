/** The dashboard: one page, one stream. Places are in `view/`, what is known in `state/`. */
import { useSignalEffect } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";

import { startFocus } from "./focus";
import { startKeys } from "./keys";
import { arrivals, land, place, startRouting, type Place } from "./route";
import { open, startClock, updated, visit } from "./state/app";
import { startWish } from "./state/wish";
import { startPrinting } from "./printing";
import { startTheme } from "./theme";
import { Bench } from "./view/bench/page";
import { ClaimDoor, LoginDoor, Opening } from "./view/doors";
import { Fence } from "./view/fence";
import { lazy } from "./view/lazy";
import { Shell } from "./view/shell";
import { Broken } from "./view/updated";

const DrivePage = lazy(() => import("./view/drive/page").then((m) => m.DrivePage));
const EventsPage = lazy(() => import("./view/events/page").then((m) => m.EventsPage));
const GatePage = lazy(() => import("./view/gate/page").then((m) => m.GatePage));
const JobPage = lazy(() => import("./view/job/page").then((m) => m.JobPage));
const PlaybooksPage = lazy(() => import("./view/playbook/list").then((m) => m.PlaybooksPage));
const PlaybookPage = lazy(() => import("./view/playbook/editor").then((m) => m.PlaybookPage));
const CertificatesPage = lazy(() => import("./view/certificate/list").then((m) => m.CertificatesPage));
const AddonsPage = lazy(() => import("./addon/list").then((m) => m.AddonsPage));
const AddonPage = lazy(() => import("./addon/page").then((m) => m.AddonPage));
const SettingsPage = lazy(() => import("./view/settings").then((m) => m.SettingsPage));
const WallPage = lazy(() => import("./view/wall/page").then((m) => m.WallPage));
const VerifyPage = lazy(() => import("./view/certificate/verify").then((m) => m.VerifyPage));

function Here({ at }: { at: Exclude<Place, { name: "wall" }> }) {
  switch (at.name) {
    case "bench": return <Bench />;
    case "gate": return <GatePage />;
    case "events": return <EventsPage />;
    case "playbooks": return <PlaybooksPage />;
    case "playbook": return <PlaybookPage key={at.id} id={at.id} />;
    case "certificates": return <CertificatesPage key={at.id} id={at.id} />;
    case "verify": return <VerifyPage />;
    case "drive": return <DrivePage key={at.id} id={at.id} />;
    case "job": return <JobPage key={at.id} id={at.id} />;
    case "addons": return <AddonsPage />;
    case "addon": return <AddonPage key={at.id} id={at.id} page={at.page} />;
    case "settings": return <SettingsPage topic={at.topic} />;
    case "nowhere": return (
      <main id="main" class="door" tabIndex={-1}>
        <div class="panel"><h1>Nothing is here</h1><p class="lead">No place of this box is called <span class="mono">{at.path}</span>.</p><a class="btn prime" href="/">To the bench</a></div>
      </main>
    );
  }
}

const broken = (fault: string) => <Broken fault={fault} />;

const TITLES: Record<Place["name"], string> = {
  bench: "Bench", gate: "Erase and test", events: "Events", playbooks: "Playbooks", playbook: "Playbook", certificates: "Certificates", verify: "Check a certificate", drive: "Drive", job: "Test", nowhere: "Nothing here",
  addons: "Add-ons", addon: "Add-on", settings: "Settings", wall: "Wall",
};

function App() {
  const who = visit.value;
  const at = place.value;
  document.title = who.kind === "in" ? `${TITLES[at.name]}, Kiln` : "Kiln";
  // After what was drawn for it: the place that is left goes with its focus.
  const arrived = arrivals.value;
  useEffect(() => {
    if (arrived > 0) land();
  }, [arrived]);
  useSignalEffect(() => {
    // Nobody touches a screen across the room, and nothing is typed on it.
    if (updated.value !== null && place.value.name === "wall" && visit.value.kind === "in") location.reload();
  });
  switch (who.kind) {
    case "opening": return <Opening problem={null} />;
    case "unreachable": return <Opening problem={who.problem} />;
    case "unclaimed": return <ClaimDoor box={who.box} />;
    case "login": return <LoginDoor box={who.box} expired={who.expired} />;
    // A screen across the room has nothing to press: no frame. Drawn anew for another one: what is typed stands in the page itself.
    case "in": return at.name === "wall" ? <Fence instead={broken}><WallPage /></Fence> : <Shell key={who.session.username} session={who.session}><Fence at={arrived} instead={broken}><Here at={at} /></Fence></Shell>;
  }
}

startTheme();
startRouting();
startWish();
startKeys();
startFocus();
startPrinting();
startClock();
const root = document.getElementById("app");
if (root) render(<Fence instead={broken}><App /></Fence>, root);
void open();
