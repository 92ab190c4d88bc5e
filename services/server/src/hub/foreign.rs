//! What add-ons from elsewhere tell: their phases and notifications become events, in bounded words and numbers.

use std::collections::BTreeMap;

use wire::event::{Severity, server_only};
use wire::frame::{Notification, ProgressFrame};

use super::effect::{addon_event, cut};
use super::told::{EVENT_ID, Telling};
use super::{Effect, Hub};
use crate::clock::Now;

/// What a notification without a type is called.
const NAMELESS: &str = "notification";

/// Most characters of an event that is told to be left out.
const NAMED: usize = 200;

/// Why an add-on's event is not in the log, and which.
fn full(event_type: &str, severity: Severity, message: &str) -> String {
    let event: String = format!("{event_type} {severity:?}: {message}")
        .chars()
        .take(NAMED)
        .collect();
    format!(
        "more events than this server keeps of one add-on (400 that inform, 400 ends of phases, 200 warnings and 200 criticals at \
         once, one a minute of each after that); left out of the event log and of the alerts: {event}"
    )
}

/// Most bytes of metadata that an event keeps of a notification: the log has room for a bounded number of bytes.
const METADATA: usize = 8 << 10;

impl Hub {
    pub(super) fn foreign_phase(&mut self, now: Now, addon: u64, progress: &ProgressFrame, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&addon) else { return };
        if progress.phase.is_empty() {
            return;
        }
        let (job, phase) = (cut(&progress.job_id), cut(&progress.phase));
        if !peer.phases.ends(now.mono, &job, &phase, progress.percent) {
            return;
        }
        let message = format!("{}: phase {phase:?} completed for job {job}", peer.name);
        if !peer.ends.take(now.mono, 1.0) {
            return self.complain(now, addon, &full("phase_complete", Severity::Info, &message), out);
        }
        let data = serde_json::json!({ "addon_id": addon, "addon_name": peer.name, "event_type": "phase_complete", "job_id": job, "phase": phase });
        out.push(addon_event(
            &peer.name,
            "addon.phase_complete",
            Severity::Info,
            message,
            data,
        ));
    }

    pub(super) fn foreign_notification(
        &mut self,
        now: Now,
        addon: u64,
        notification: Notification,
        out: &mut Vec<Effect>,
    ) {
        let event_type = match notification.event_type.as_str() {
            "" => NAMELESS.to_owned(),
            word => cut(word),
        };
        if server_only(&event_type) {
            let message = format!("event type {event_type:?} is told by servers alone; the notification was not taken");
            return self.complain(now, addon, &message, out);
        }
        let (severity, said) = (notification.severity, cut(&notification.message));
        let id = notification.metadata.get(EVENT_ID).map(String::as_str);
        let told = Telling::of(id, &event_type, severity, &said);
        if told.as_ref().is_some_and(|told| self.told.knows(addon, told)) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&addon) else { return };
        let bucket = match severity {
            Severity::Critical => &mut peer.criticals,
            Severity::Warning => &mut peer.warnings,
            Severity::Info => &mut peer.infos,
        };
        if !bucket.take(now.mono, 1.0) {
            return self.complain(now, addon, &full(&event_type, severity, &said), out);
        }
        if let Some(told) = told {
            self.told.remember(addon, told);
        }
        let mut left = METADATA;
        // The id before all others: by it the event is known when it is told again.
        let is_id = |(key, _): &(&String, &String)| *key == EVENT_ID;
        let all = || notification.metadata.iter();
        let metadata: BTreeMap<String, String> = all()
            .filter(is_id)
            .chain(all().filter(|one| !is_id(one)))
            .map(|(key, value)| (cut(key), cut(value)))
            .take_while(|(key, value)| {
                let fits = left.checked_sub(key.len() + value.len());
                left = fits.unwrap_or(0);
                fits.is_some()
            })
            .collect();
        let lost = notification.metadata.len() - metadata.len();
        let Some(peer) = self.peers.get(&addon) else { return };
        let data = serde_json::json!({ "addon_id": addon, "addon_name": peer.name, "event_type": event_type,
            "host": cut(&notification.host), "metadata": metadata });
        let message = format!("{}: {said}", peer.name);
        out.push(addon_event(&peer.name, "addon.notification", severity, message, data));
        if lost > 0 {
            let what =
                format!("{lost} metadata fields of a notification are not in the event log: {METADATA} bytes are kept");
            self.complain(now, addon, &what, out);
        }
    }
}
