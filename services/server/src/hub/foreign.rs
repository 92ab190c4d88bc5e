//! What add-ons from elsewhere tell: their phases and notifications become events, in bounded words.

use std::collections::BTreeMap;

use wire::event::Severity;
use wire::frame::{Notification, ProgressFrame};

use super::effect::{addon_event, cut};
use super::{Effect, Hub};

impl Hub {
    pub(super) fn foreign_phase(&mut self, addon: u64, progress: &ProgressFrame, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&addon) else { return };
        if progress.percent < 100.0 || progress.phase.is_empty() {
            return;
        }
        let (job, phase) = (cut(&progress.job_id), cut(&progress.phase));
        // A hundred remembered phases are enough to tell each once; past that, telling twice does no harm.
        if peer.phases.len() > 100 {
            peer.phases.clear();
        }
        if peer.phases.insert((job.clone(), phase.clone())) {
            let message = format!("{}: phase {phase:?} completed for job {job}", peer.name);
            let data =
                serde_json::json!({ "addon_id": addon, "addon_name": peer.name, "event_type": "phase_complete" });
            out.push(addon_event(
                &peer.name,
                "addon.phase_complete",
                Severity::Info,
                message,
                data,
            ));
        }
    }

    pub(super) fn foreign_notification(&mut self, addon: u64, notification: Notification, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get(&addon) else { return };
        let event_type = if notification.event_type.is_empty() {
            "addon_degraded".to_owned()
        } else {
            cut(&notification.event_type)
        };
        let metadata: BTreeMap<String, String> = notification
            .metadata
            .iter()
            .take(50)
            .map(|(key, value)| (cut(key), cut(value)))
            .collect();
        let data = serde_json::json!({ "addon_id": addon, "addon_name": peer.name, "event_type": event_type,
            "host": cut(&notification.host), "metadata": metadata });
        let message = format!("{}: {}", peer.name, cut(&notification.message));
        out.push(addon_event(
            &peer.name,
            "addon.notification",
            notification.severity,
            message,
            data,
        ));
    }
}
