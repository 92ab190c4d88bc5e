/**
 * The settings: a list of topics and the place of each.
 *
 * A topic is one file `settings/NAME.tsx` whose default export is a component; it is fetched when somebody goes there.
 * To add one: write the file, and see that its name is in {@link TOPICS}. A topic without a file is not listed, so a
 * build has exactly what is in it. The component draws `Panel`s; the frame with heading and list is drawn here.
 */
import type { ComponentType } from "preact";

import "../style/lists.css";
import "../style/playbook.css";
import "../style/settings.css";
import { settingsPath } from "../route";
import { chooseTheme, theme, type Theme } from "../theme";
import { lazy } from "./lazy";
import { Icon } from "./bits";

/** What there may be, in the order of the list. */
const TOPICS: readonly { name: string; title: string; about: string; icon: string }[] = [
  { name: "alerts", title: "Alerts", about: "Who is told what, by mail, chat or telephone, and when it stays quiet.", icon: "evts" },
  { name: "hosts", title: "Hosts and SMART", about: "Computers that report their drives, wear and limits.", icon: "bay" },
  { name: "update", title: "Updates", about: "What runs, what is offered, and the way back.", icon: "file" },
  { name: "box", title: "Box and network", about: "Name, address, clock, power.", icon: "plug" },
  { name: "people", title: "People", about: "Who may log in, passwords and sessions.", icon: "lock" },
  { name: "backup", title: "Backup", about: "Take the box's records away and bring them back.", icon: "book" },
  { name: "keys", title: "Keys", about: "What this box signs with, and whom it trusts.", icon: "cert" },
];

const files = import.meta.glob<{ default: ComponentType }>("./settings/{alerts,hosts,update,box,people,backup,keys}.tsx");

const here = TOPICS.flatMap((topic) => {
  const load = files[`./settings/${topic.name}.tsx`];
  return load ? [{ ...topic, Page: lazy<object>(() => load().then((file) => file.default), "One moment.", "div") }] : [];
});

const THEMES: readonly (readonly [Theme, string])[] = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];

/** Dark or light on this browser alone. */
function Look() {
  return (
    <fieldset class="looks">
      <legend class="sect">Appearance (this browser only)</legend>
      {THEMES.map(([name, label]) => (
        <label key={name}><input type="radio" name="theme" value={name} checked={theme.value === name} onChange={() => chooseTheme(name)} /><span>{label}</span></label>
      ))}
    </fieldset>
  );
}

/** The page. */
export function SettingsPage({ topic }: { topic: string | null }) {
  const chosen = topic === null ? undefined : here.find(({ name }) => name === topic);
  if (topic !== null && !chosen) {
    return (
      <main id="main" class="door" tabIndex={-1}>
        <div class="panel"><h1>Nothing is here</h1><p class="lead">This box has no settings called <span class="mono">{topic}</span>.</p><a class="btn prime" href={settingsPath()}>All settings</a></div>
      </main>
    );
  }
  if (chosen) {
    const { Page } = chosen;
    return (
      <main id="main" class="settings" tabIndex={-1}>
        <nav class="topics" aria-label="Settings">
          <a class="back" href={settingsPath()}>Settings</a>
          {here.map(({ name, title, icon }) => (
            <a key={name} class="topic" href={settingsPath(name)} aria-current={name === topic ? "page" : undefined}><Icon name={icon} />{title}</a>
          ))}
        </nav>
        <div class="matter"><div class="pagehd"><div><h1>{chosen.title}</h1><p class="mute">{chosen.about}</p></div></div><Page key={topic} /></div>
      </main>
    );
  }
  return (
    <main id="main" tabIndex={-1}>
      <div class="pagehd"><div><h1>Settings</h1></div></div>
      {here.length === 0 && <p class="mute">This build of the box has nothing to set.</p>}
      <ul class="choices">
        {here.map(({ name, title, about, icon }) => (
          <li key={name}><a class="choice" href={settingsPath(name)}><Icon name={icon} /><span><b>{title}</b><span>{about}</span></span></a></li>
        ))}
      </ul>
      <Look />
      <div class="onphone">
        <h2 class="sect">More places</h2>
        <ul class="choices">
          <li><a class="choice" href="/addons"><Icon name="plug" /><span><b>Add-ons</b><span>What others have added to this box, and their pages.</span></span></a></li>
          <li><a class="choice" href="/wall"><Icon name="bay" /><span><b>Wall</b><span>The bench for a screen across the room.</span></span></a></li>
          <li><a class="choice" href="/verify"><Icon name="tick" /><span><b>Check a certificate</b><span>Whether one that somebody sent is genuine.</span></span></a></li>
        </ul>
      </div>
    </main>
  );
}
