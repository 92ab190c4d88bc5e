//! What a person did, as an event.

use serde_json::Value;
use wire::event::{NewEvent, Severity};

/// The event of an act; the caller adds job and drive where there are any.
pub(super) fn act(kind: &str, severity: Severity, message: String, data: Value) -> NewEvent {
    NewEvent::new(kind, severity, message, data)
}
