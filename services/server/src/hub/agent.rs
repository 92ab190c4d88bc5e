//! What the built-in agent says besides drives and jobs: events, playbooks, certificates.

use certificate::Signed;
use wire::boxes::Banner;
use wire::certificate::CertificateText;
use wire::event::{NewEvent, Severity};
use wire::playbook::PlaybookInfo;

use super::effect::{agent_actor, cut};
use super::{Effect, Hub, Stream};

impl Hub {
    pub(super) fn agent_event(&mut self, mut event: NewEvent, out: &mut Vec<Effect>) {
        // A person's act, which stands in the log as such.
        if event.kind.starts_with("playbook.") {
            return;
        }
        let its_own = ["job.", "drive.", "agent."];
        let may_tell =
            |kind: &str| its_own.iter().any(|prefix| kind.starts_with(prefix)) || kind == "certificate.revoked";
        if !may_tell(&event.kind) {
            event.data = serde_json::json!({ "type": cut(&event.kind), "data": event.data });
            "agent.said".clone_into(&mut event.kind);
        }
        event.message = cut(&event.message);
        if let Some(what) = event
            .kind
            .strip_prefix("agent.")
            .and_then(|kind| kind.strip_suffix("_set_aside"))
        {
            let key = if what == "store" { "agent.store" } else { "agent.other" };
            self.banners.insert(
                key,
                Banner {
                    severity: Severity::Warning,
                    text: event.message.clone(),
                },
            );
        }
        out.push(Effect::Event(event, agent_actor()));
    }

    pub(super) fn playbooks_told(&mut self, playbooks: Vec<PlaybookInfo>, out: &mut Vec<Effect>) {
        if self.playbooks != playbooks {
            out.push(Effect::SavePlaybooks(playbooks.clone()));
            out.push(Effect::Stream(Stream::Playbooks(playbooks.clone())));
            self.playbooks = playbooks;
        }
    }

    /// It is kept as it came, for its own signature to vouch for, and only under the job that it names.
    pub(super) fn certificate_told(told: CertificateText, out: &mut Vec<Effect>) {
        let why = match Signed::parse(&told.text) {
            Ok(signed) if signed.certificate().job == told.job => {
                out.push(Effect::SaveCertificate(told));
                return;
            }
            Ok(signed) => format!("it is of job {}", signed.certificate().job),
            Err(bad) => bad.to_string(),
        };
        let message = cut(&format!(
            "The certificate that the agent made of job {} is not kept: {why}",
            told.job
        ));
        let data = serde_json::json!({ "why": cut(&why) });
        let mut event = NewEvent::new("agent.certificate_refused", Severity::Warning, message, data);
        event.job = Some(told.job);
        out.push(Effect::Event(event, agent_actor()));
    }

    /// The playbooks, as the agent told them last.
    pub fn playbooks(&self) -> &[PlaybookInfo] {
        &self.playbooks
    }
}
