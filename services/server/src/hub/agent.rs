//! What the built-in agent says besides drives and jobs: events, playbooks, certificates.

use wire::boxes::Banner;
use wire::certificate::CertificateText;
use wire::event::{NewEvent, Severity};
use wire::playbook::PlaybookInfo;

use super::effect::{agent_actor, cut};
use super::{Effect, Hub, Stream};

/// Longest certificate kept, in bytes; one with 1024 bins a step and a full SMART table has about a fifth of it.
const CERTIFICATE_MAX: usize = 400_000;

impl Hub {
    pub(super) fn agent_event(&mut self, mut event: NewEvent, out: &mut Vec<Effect>) {
        if !["job.", "drive.", "agent."]
            .iter()
            .any(|prefix| event.kind.starts_with(prefix))
        {
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

    /// It is kept as it came: what it says is for its own signature to vouch for.
    pub(super) fn certificate_told(&mut self, certificate: CertificateText, out: &mut Vec<Effect>) {
        if certificate.text.len() <= CERTIFICATE_MAX {
            out.push(Effect::SaveCertificate(certificate));
        } else {
            tracing::warn!(
                job = %certificate.job,
                bytes = certificate.text.len(),
                "a certificate is longer than {CERTIFICATE_MAX} bytes and is not kept"
            );
        }
    }

    /// The playbooks, as the agent told them last.
    pub fn playbooks(&self) -> &[PlaybookInfo] {
        &self.playbooks
    }
}
