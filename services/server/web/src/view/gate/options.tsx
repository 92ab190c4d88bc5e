/** What a person chooses beside the playbook: limits, formatting afterwards, soak. */
import { useSignal, type Signal } from "@preact/signals";
import type { FileSystem, FormatRequest, PlanOptions, PlaybookInfo, Profile, Table } from "@wire";
import { Term } from "../term";

/** Nothing chosen. */
export const PLAIN: PlanOptions = { profile: "used", format: null, give_up: [], soak_hours: null };

/** File systems as people call them, with how long a label each takes; sources stand where the engine asks (`burnin/src/format/request.rs`). */
export const FILE_SYSTEMS: Record<FileSystem, { name: string; label: number }> = {
  ext4: { name: "ext4", label: 16 }, xfs: { name: "XFS", label: 12 }, btrfs: { name: "Btrfs", label: 254 }, exfat: { name: "exFAT", label: 11 },
  swap: { name: "swap", label: 15 }, raw: { name: "no file system", label: 0 },
};

/** As many whole characters of a text as fit into so many UTF-16 units: half an emoji is no text that could be sent. */
export function shortened(text: string, most: number): string {
  let left = most;
  return [...text].filter((character) => (left -= character.length) >= 0).join("");
}

const TABLES: Record<Table, string> = { auto: "MBR, GPT above 2 TiB", mbr: "MBR", gpt: "GPT" };

/** A format request in words. */
export function formatWords(format: FormatRequest): string {
  const label = format.label ? ` “${format.label}”` : "";
  const kept = format.filesystem === "ext4" ? `, ${format.reserved_percent} % kept for root` : "";
  const table = format.table === "auto" ? "" : `, ${format.table.toUpperCase()}`;
  return `${FILE_SYSTEMS[format.filesystem].name}${label}${kept}${table}`;
}

/** The options in words; empty where everything is as usual. */
export function optionWords(options: PlanOptions): string[] {
  const words: string[] = [];
  if (options.profile === "new") words.push("judged as sold new");
  if (options.soak_hours !== null) words.push(`soak for ${options.soak_hours} h`);
  if (options.stop_at_first) words.push("ended at the first fault");
  if (options.format) words.push(`formatted afterwards: ${formatWords(options.format)}`);
  return words;
}

/** A field that counts when it is left, and keeps what is half typed while drives tell of themselves beside it. */
function Entry(props: { value: string; number?: boolean; min?: number; max?: number; maxLength?: number; onLeave: (text: string) => void }) {
  const typed = useSignal<string | null>(null);
  const { value, number, onLeave, ...limits } = props;
  return (
    <input {...(number ? { type: "number" as const } : {})} value={typed.value ?? value} {...limits} autocomplete="off" spellcheck={false}
      onInput={(event) => (typed.value = event.currentTarget.value)}
      onChange={(event) => {
        const text = event.currentTarget.value;
        typed.value = null;
        onLeave(text);
      }} />
  );
}

/** The form. A change of `options` is another plan. */
export function OptionsForm(props: { options: Signal<PlanOptions>; book: PlaybookInfo | undefined }) {
  const { options, book } = props;
  const now = options.value;
  const set = (change: Partial<PlanOptions>) => (options.value = { ...options.peek(), ...change });
  const format = now.format;
  const setFormat = (change: Partial<FormatRequest>) => format && set({ format: { ...format, ...change } });
  const changed = now.profile !== "used" || format !== null || now.soak_hours !== null || now.stop_at_first === true;
  return (
    <details class="options" open={changed}>
      <summary><b>More</b> <span>{optionWords(now).join(", ") || "limits for a used drive, no formatting"}</span></summary>
      <div class="grid">
        <fieldset class="pair">
          <legend>Judge it as</legend>
          {(["used", "new"] satisfies Profile[]).map((profile) => {
            // Chosen already and another playbook taken since: it stays to be seen, and the plan says why it cannot be.
            const cannot = profile === "new" && book?.judges_new === false;
            return (
              <label key={profile} class={now.profile === profile ? "on" : ""}>
                <input type="radio" name="profile" checked={now.profile === profile} disabled={cannot && now.profile !== "new"} onChange={() => set({ profile })} />
                <span><b>{profile === "used" ? "Used" : "New"}</b><span>{profile === "used" ? "second-hand, or in service for a while" : cannot ? `“${book.name}” asks for no SMART, by which alone that is judged` : "sold as new: hours and past defects count against it"}</span></span>
              </label>
            );
          })}
        </fieldset>
        <div class="row">
          <label class="check">
            <input type="checkbox" checked={now.soak_hours !== null} onChange={(event) => set({ soak_hours: event.currentTarget.checked ? 24 : null })} />
            <span><b><Term of="Soak" /></b><span>go on writing and reading, round after round, for so many hours</span></span>
          </label>
          {now.soak_hours !== null && (
            <label class="small">Hours, 1 to 720
              <Entry number min={1} max={720} value={String(now.soak_hours)} onLeave={(text) => {
                const hours = Math.round(Number(text));
                set({ soak_hours: Math.min(720, Math.max(1, Number.isFinite(hours) ? hours : 24)) });
              }} />
            </label>
          )}
        </div>
        <div class="row">
          <label class="check">
            <input type="checkbox" checked={now.stop_at_first === true} onChange={(event) => set({ stop_at_first: event.currentTarget.checked })} />
            <span><b>Stop at the first fault</b><span>the drive is FAILED then and the rest of it stays untested; else the test goes on, and tells how much of it is bad</span></span>
          </label>
        </div>
        {(book?.formats ?? true) ? (
          <div class="row">
            <label class="check">
              <input type="checkbox" checked={format !== null} onChange={(event) => set({ format: event.currentTarget.checked ? { table: "auto", filesystem: "ext4", reserved_percent: 0, label: "" } : null })} />
              <span><b>Format afterwards</b><span>one partition, checked and read again; only after PASSED or WARN</span></span>
            </label>
            {format && (
              <div class="fields">
                <label class="small">File system
                  <select value={format.filesystem} onChange={(event) => {
                    const filesystem = event.currentTarget.value as FileSystem;
                    setFormat({ filesystem, label: shortened(format.label, FILE_SYSTEMS[filesystem].label), reserved_percent: filesystem === "ext4" ? format.reserved_percent : 0 });
                  }}>
                    {Object.entries(FILE_SYSTEMS).map(([value, { name }]) => <option key={value} value={value}>{name}</option>)}
                  </select>
                </label>
                <label class="small"><span>Partition table (<Term of="GPT" />, <Term of="MBR" />)</span>
                  <select value={format.table} onChange={(event) => setFormat({ table: event.currentTarget.value as Table })}>
                    {Object.entries(TABLES).map(([value, words]) => <option key={value} value={value}>{words}</option>)}
                  </select>
                </label>
                {FILE_SYSTEMS[format.filesystem].label > 0 && (
                  <label class="small">Label, at most {FILE_SYSTEMS[format.filesystem].label} characters
                    <Entry value={format.label} maxLength={FILE_SYSTEMS[format.filesystem].label} onLeave={(text) => setFormat({ label: text.trim() })} />
                  </label>
                )}
                {format.filesystem === "ext4" && (
                  <label class="small">Kept for root, 0 to 50 %
                    <Entry number min={0} max={50} value={String(format.reserved_percent)} onLeave={(text) => {
                      const percent = Math.round(Number(text));
                      setFormat({ reserved_percent: Math.min(50, Math.max(0, Number.isFinite(percent) ? percent : 0)) });
                    }} />
                  </label>
                )}
              </div>
            )}
          </div>
        ) : <p class="mute">A drive that goes through “{book?.name}” is not formatted afterwards.</p>}
      </div>
    </details>
  );
}
