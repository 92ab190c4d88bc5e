/** The verdict with each rule that fired, its value, limit and source. */
import type { Job, RuleHit } from "@wire";

import { verdictShape } from "../../format";
import { Icon, Panel, Shape, VerdictMark } from "../bits";
import { optionWords } from "../gate/options";
import { useSort } from "../sort";
import { Words } from "../term";
import { Seen } from "./ack";
import { Revoked } from "./revoked";

/** The worst first. */
const WEIGHT = { FAILED: 0, INCONCLUSIVE: 1, WARN: 2, PASSED: 3 } as const;

/** A rule's limit with what it leads to: alone it would read as what is asked for; pure. */
export const limitWords = ({ limit, outcome }: RuleHit): string => (limit === "none" ? limit : `${limit} is ${outcome}`);

/** What it means that a rule fired: in words, where it has any (older jobs have none), else its id; pure. */
export const meaning = ({ id, means }: RuleHit): string => means || id;

/** What is told and weighs nothing: no limit was broken, so none is named; pure. */
export const toldWords = (rules: readonly RuleHit[]): string[] => rules.filter(({ outcome }) => outcome === "PASSED").map((hit) => `Told: ${meaning(hit)} (${hit.value})`);

/** The panel; nothing before there is a verdict. */
export function VerdictPanel({ job }: { job: Job }) {
  const { list, head } = useSort((job.verdict?.rules ?? []).filter(({ outcome }) => outcome !== "PASSED"), null, {
    rule: ({ id }) => id, outcome: ({ outcome }) => WEIGHT[outcome], value: ({ value }) => value, limit: ({ limit }) => limit, source: ({ source }) => source,
  });
  const verdict = job.verdict;
  if (!verdict) return null;
  const revoked = job.certificate?.revoked;
  return (
    <Panel title="Verdict" span="c12" note={[`engine ${verdict.engine}`, `playbook ${job.playbook}`, ...optionWords(job.options), `started by ${job.actor}`].join(", ")}>
      <p class={`bigverdict is-${verdictShape(verdict.outcome)}`}><Shape of={verdictShape(verdict.outcome)} big /><span><b>{verdict.outcome}</b><Words text={verdict.summary} /></span></p>
      {/* Who reads no further than the word must not take it for today's. */}
      {revoked && <Revoked what="No longer holds since" by={revoked} />}
      <Seen job={job} />
      {list.length > 0 && (
        <table class="tbl rules">
          <thead><tr>{head("rule", "Rule")}{head("outcome", "Leads to")}{head("value", "Seen")}{head("limit", "Limit")}{head("source", "Source of the limit")}</tr></thead>
          <tbody>
            {list.map((rule) => (
              <tr key={rule.id}>
                <td data-k="Rule"><Words text={meaning(rule)} />{rule.means && <small class="mono">{rule.id}</small>}</td><td data-k="Leads to"><VerdictMark outcome={rule.outcome} /></td>
                <td data-k="Seen">{rule.value}</td><td data-k="Limit">{limitWords(rule)}</td><td data-k="Source">{rule.source}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {list.length === 0 && <p class="mute">No limit was exceeded.</p>}
      {toldWords(verdict.rules).map((words) => <p key={words} class="note"><Icon name="info" /><Words text={words} /></p>)}
    </Panel>
  );
}

