//! What changed between two words of the supervisor: events about units and boots.
//!
//! Pure. The last word is kept on the medium, so that the server's own restart, and a boot, are told as well.

use serde::{Deserialize, Serialize};
use wire::event::{NewEvent, Severity};
use wire::supervisor::{Rung, Status, UnitState, UnitView};

/// What is remembered of the supervisor's last word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Which boot it was about.
    pub boot_id: String,
    /// Whether that boot is in the log, which waits until its reason is known.
    #[serde(default)]
    pub boot_told: bool,
    /// Its units.
    pub units: Vec<Unit>,
}

/// One unit as remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    name: String,
    state: UnitState,
    restarts: u32,
}

impl From<&Status> for Remembered {
    fn from(status: &Status) -> Self {
        let units = status.units.iter();
        let units = units
            .map(|u| Unit {
                name: u.name.clone(),
                state: u.state,
                restarts: u.restarts,
            })
            .collect();
        Self {
            boot_id: status.boot.boot_id.clone(),
            boot_told: is_known(&status.boot.reason),
            units,
        }
    }
}

/// Whether the supervisor knows by now why the box booted: it reads that from the medium.
fn is_known(reason: &str) -> bool {
    !reason.is_empty() && reason != "not known yet"
}

fn event(kind: &str, severity: Severity, message: String, data: serde_json::Value) -> NewEvent {
    NewEvent::new(kind, severity, message, data)
}

fn because(unit: &UnitView) -> String {
    if unit.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", unit.reason)
    }
}

/// The events that lead from what is remembered to `status`.
pub fn news(before: Option<&Remembered>, status: &Status) -> Vec<NewEvent> {
    let mut events = Vec::new();
    let same_boot = before.filter(|b| b.boot_id == status.boot.boot_id);
    let reason = status.boot.reason.as_str();
    if is_known(reason) && !same_boot.is_some_and(|b| b.boot_told) {
        let expected = ["power-on", "orderly end", "an ordinary process"]
            .iter()
            .any(|word| reason.starts_with(word));
        events.push(event(
            "box.booted",
            if expected { Severity::Info } else { Severity::Warning },
            format!("The box has booted; reason: {reason}"),
            serde_json::json!({ "reason": reason, "slot": status.boot.slot, "why": status.boot.why, "boot_id": status.boot.boot_id }),
        ));
    }
    for unit in &status.units {
        let old = same_boot.and_then(|b| b.units.iter().find(|u| u.name == unit.name));
        let data = || {
            serde_json::json!({ "unit": unit.name, "state": unit.state, "rung": unit.rung, "reason": unit.reason,
                "restarts": unit.restarts, "pid": unit.pid })
        };
        let restarted = unit.restarts > old.map_or(0, |u| u.restarts);
        let came_to = |state| unit.state == state && old.is_none_or(|u| u.state != state);
        if came_to(UnitState::Degraded) {
            let message = format!("{} does not answer in time{}", unit.name, because(unit));
            events.push(event("unit.degraded", Severity::Warning, message, data()));
        }
        if restarted {
            let message = format!("{} was restarted{}", unit.name, because(unit));
            events.push(event("unit.restarted", Severity::Warning, message, data()));
        }
        if came_to(UnitState::Quarantined) {
            let message = format!("{} ended too often and rests for a while{}", unit.name, because(unit));
            events.push(event("unit.quarantined", Severity::Critical, message, data()));
        }
        if came_to(UnitState::Failed) {
            let message = format!("{} cannot be started{}", unit.name, because(unit));
            events.push(event("unit.failed", Severity::Critical, message, data()));
        }
        let was_down = old.is_some_and(|u| match u.state {
            UnitState::Degraded | UnitState::Backoff | UnitState::Quarantined | UnitState::Failed => true,
            // Its first start of this boot is no recovery.
            UnitState::Starting => u.restarts > 0,
            UnitState::Stopped | UnitState::Ready | UnitState::Stopping | UnitState::Done => false,
        });
        if unit.state == UnitState::Ready && (restarted || was_down) {
            events.push(event(
                "unit.recovered",
                Severity::Info,
                format!("{} is ready again", unit.name),
                data(),
            ));
        }
    }
    events
}

/// Whether the supervisor says that this unit is late or worse while it runs.
pub fn is_late(status: &Status, name: &str) -> bool {
    status.units.iter().any(|unit| {
        unit.name == name
            && (unit.state == UnitState::Degraded
                || unit
                    .rung
                    .is_some_and(|rung| matches!(rung, Rung::Late | Rung::Degraded | Rung::Abort | Rung::Kill)))
    })
}

#[cfg(test)]
mod tests {
    use wire::Time;
    use wire::supervisor::BootView;

    use super::*;

    fn status(boot: &str, state: UnitState, restarts: u32) -> Status {
        Status {
            recovery: 0,
            update: wire::update::UpdateView::default(),
            watchdog: None,
            host: "kiln".into(),
            addresses: vec![],
            units: vec![UnitView {
                name: "agent".into(),
                state,
                rung: None,
                reason: "no heartbeat for 20 s".into(),
                status: String::new(),
                restarts,
                pid: Some(7),
                since: Time::UNIX_EPOCH,
            }],
            boot: BootView {
                boot_id: boot.into(),
                reason: "hardware watchdog".into(),
                ..BootView::default()
            },
            banners: vec![],
        }
    }

    fn kinds(before: Option<&Status>, after: &Status) -> Vec<String> {
        news(before.map(Remembered::from).as_ref(), after)
            .into_iter()
            .map(|e| e.kind)
            .collect()
    }

    #[test]
    fn a_stopped_agent_is_told_from_late_to_recovered() {
        let ready = status("1", UnitState::Ready, 0);
        let late = status("1", UnitState::Degraded, 0);
        let back = status("1", UnitState::Backoff, 0);
        let again = status("1", UnitState::Starting, 1);
        let well = status("1", UnitState::Ready, 1);
        assert_eq!(kinds(Some(&ready), &late), ["unit.degraded"]);
        assert_eq!(kinds(Some(&late), &late), [""; 0]);
        assert_eq!(kinds(Some(&late), &back), [""; 0]);
        assert_eq!(kinds(Some(&back), &again), ["unit.restarted"]);
        assert_eq!(kinds(Some(&again), &well), ["unit.recovered"]);
        assert_eq!(
            kinds(Some(&status("1", UnitState::Starting, 0)), &ready),
            [""; 0],
            "a first start is no recovery"
        );
        assert_eq!(
            kinds(Some(&late), &well),
            ["unit.restarted", "unit.recovered"],
            "what happened between is not lost"
        );
    }

    #[test]
    fn a_boot_is_told_once_its_reason_is_known() {
        let mut early = status("1", UnitState::Ready, 0);
        early.boot.reason = "not known yet".into();
        assert_eq!(kinds(None, &early), [""; 0]);
        let late = status("1", UnitState::Ready, 0);
        assert_eq!(kinds(Some(&early), &late), ["box.booted"]);
        assert_eq!(kinds(Some(&late), &late), [""; 0]);
    }

    #[test]
    fn a_new_boot_is_told_with_its_reason() {
        let one = status("1", UnitState::Ready, 3);
        let events = news(Some(&Remembered::from(&one)), &status("2", UnitState::Ready, 0));
        assert_eq!(events.len(), 1);
        assert!(events[0].kind == "box.booted" && events[0].message.contains("hardware watchdog"));
        assert_eq!(events[0].severity, Severity::Warning);
    }
}
