//! Which channels are told of an event, and when. Pure.
//!
//! For each channel, in this order: switched off → nothing. The first rule that matches (those of the drive's groups
//! before the channel's own) says yes or no, and an explicit yes stands above the channel's severities; without a rule
//! the severities decide. Then the cool-down. Criticals go at once; the rest is collected while quiet hours hold or
//! where a digest is asked for.

use std::collections::BTreeMap;

use wire::Time;
use wire::event::{Event, Severity};

use crate::kinds;
use crate::message::{Facts, place, severity_word};
use crate::rule::Rule;
use crate::service::Service;

/// What happens with one event on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is told at once.
    Send,
    /// It is told together with others, at this time.
    Collect(Time),
    /// It is not told.
    Keep(Why),
}

/// Why an event is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The channel is switched off.
    Off,
    /// A rule says so.
    Rule,
    /// Its severity is not asked for.
    Severity,
    /// The same was told a short time ago.
    CoolDown,
}

/// One decision with what has to be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Number of the channel.
    pub service: u64,
    /// What happens.
    pub decision: Decision,
    /// Key under which the time of telling is remembered, where a cool-down asks for it.
    pub remember: Option<String>,
}

/// Longest part of a cool-down's key in bytes: four of them and what stands between them are no more than the store's 511.
const KEY_PART: usize = 110;

/// Decides for every channel. `told` gives the time at which a key was told last.
pub fn route(
    event: &Event,
    facts: &Facts,
    services: &[Service],
    told: impl Fn(&str) -> Option<Time>,
    now: Time,
) -> Vec<Routed> {
    services
        .iter()
        .map(|service| one(event, facts, service, &told, now))
        .collect()
}

fn one(event: &Event, facts: &Facts, service: &Service, told: &impl Fn(&str) -> Option<Time>, now: Time) -> Routed {
    let kept = |why| Routed {
        service: service.id,
        decision: Decision::Keep(why),
        remember: None,
    };
    if !service.enabled {
        return kept(Why::Off);
    }
    let names = kinds::names(event);
    let rule = rules_of(event, facts, service).find(|rule| matches(rule, event, facts, &names));
    let cooldown = match rule {
        Some(rule) if !rule.enabled => return kept(Why::Rule),
        Some(rule) => rule.cooldown_secs,
        None => {
            let asked = match event.severity {
                Severity::Critical => service.notify_on_critical,
                Severity::Warning => service.notify_on_warning,
                Severity::Info => service.notify_on_healthy,
            };
            if !asked {
                return kept(Why::Severity);
            }
            service.cooldown_secs
        }
    };
    let mut remember = None;
    if cooldown != 0 {
        let key = key(event, facts, service.id);
        let again = told(&key).is_some_and(|last| {
            // A clock that was put back must not silence a channel for years.
            cooldown < 0 || (last <= now && now.duration_since(last).as_secs() < cooldown)
        });
        if again {
            return kept(Why::CoolDown);
        }
        remember = Some(key);
    }
    Routed {
        service: service.id,
        decision: when(event.severity, service, now),
        remember,
    }
}

/// Under which key it is remembered that a channel was told of this event, where a cool-down asks for it.
pub(crate) fn remembered(event: &Event, facts: &Facts, service: &Service) -> Option<String> {
    one(event, facts, service, &|_: &str| None, event.ts).remember
}

/// Whether a channel was told the same a short time ago.
pub(crate) fn is_cooling(
    event: &Event,
    facts: &Facts,
    service: &Service,
    told: impl Fn(&str) -> Option<Time>,
    now: Time,
) -> bool {
    one(event, facts, service, &told, now).decision == Decision::Keep(Why::CoolDown)
}

/// Now, or together with others; for a channel of the second line, when it is its turn.
pub(crate) fn when(severity: Severity, service: &Service, now: Time) -> Decision {
    if severity == Severity::Critical {
        return Decision::Send;
    }
    let quiet = service.quiet_hours.as_ref().and_then(|quiet| quiet.until(now));
    let digest = service
        .digest
        .as_ref()
        .filter(|digest| digest.enabled)
        .and_then(|digest| digest.next(now));
    match (quiet, digest) {
        (None, None) => Decision::Send,
        (Some(at), None) | (None, Some(at)) => Decision::Collect(at),
        (Some(quiet), Some(digest)) => Decision::Collect(quiet.max(digest)),
    }
}

fn rules_of<'a>(event: &'a Event, facts: &'a Facts, service: &'a Service) -> impl Iterator<Item = &'a Rule> {
    service
        .groups
        .iter()
        .filter(move |group| group.drives.iter().any(|drive| is_drive(drive, event, facts)))
        .flat_map(|group| &group.rules)
        .chain(&service.rules)
}

fn is_drive(wanted: &str, event: &Event, facts: &Facts) -> bool {
    let id = event.drive.as_ref().is_some_and(|drive| drive.to_string() == wanted);
    let (_, serial) = place(event, facts);
    id || (!serial.is_empty() && serial == wanted)
}

fn matches(rule: &Rule, event: &Event, facts: &Facts, names: &[&str]) -> bool {
    let text = |key: &str| event.data.get(key).and_then(serde_json::Value::as_str);
    // What an add-on said of it.
    let metadata = |key: &str| event.data.get("metadata")?.get(key)?.as_str();
    names.iter().any(|name| rule.names(name))
        && rule.min_severity.is_none_or(|least| event.severity >= least)
        && rule.drive.as_ref().is_none_or(|drive| is_drive(drive, event, facts))
        && rule
            .job
            .as_ref()
            .is_none_or(|job| event.job.is_some_and(|own| own.to_string() == *job) || metadata("job_id") == Some(job))
        && rule.workspace.as_ref().is_none_or(|workspace| {
            let own = text("workspace").or_else(|| metadata("workspace"));
            own.unwrap_or("default") == workspace
        })
}

/// What of an event's data says what it is about, where that is no drive.
const SUBJECTS: [&str; 3] = ["pool", "unit", "service_id"];

/// What of an alert is new or worse, as `health` tells it, in few bytes, where it does. A count is another one where it has passed a power of
/// two, so that one that rises with each report cools down.
fn news(event: &Event) -> String {
    let Some(news) = event.data.get("news").and_then(serde_json::Value::as_object) else {
        return String::new();
    };
    let counts = news
        .iter()
        .map(|(name, count)| (name, count.as_f64().unwrap_or_default().log2().floor()));
    let all = format!("{:?}", counts.collect::<BTreeMap<_, _>>());
    let hash = ring::digest::digest(&ring::digest::SHA256, all.as_bytes());
    let hash: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!(":{hash}")
}

/// `channel:event:severity:host:drive:news`, by the drive's identity where that is known: several may tell one serial number, or none.
fn key(event: &Event, facts: &Facts, service: u64) -> String {
    let (host, serial) = place(event, facts);
    // The name that an add-on gave says more than that it was an add-on's.
    let names = kinds::names(event);
    let name = if event.kind == "addon.notification" {
        names.last()
    } else {
        names.first()
    };
    let part = |text: &str| -> String {
        let mut out: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        while out.len() > KEY_PART {
            out.pop();
        }
        out
    };
    // Two alerts of one drive are the same only if they are about the same thing.
    let alert = event.data.get("alert").and_then(serde_json::Value::as_str);
    let mut alert = alert.map(|alert| format!("/{alert}")).unwrap_or_default();
    // What two add-ons say is not the same, though neither names a host or a drive.
    if let Some(addon) = event.data.get("addon_id").and_then(serde_json::Value::as_u64) {
        alert.push_str(&format!("/add-on {addon}"));
    }
    for subject in SUBJECTS {
        if let Some(about) = event.data.get(subject) {
            alert.push_str(&format!("/{subject} {about}"));
        }
    }
    let drive = event.drive.as_ref().map_or(serial, ToString::to_string);
    // By severity: a warning that was told must not swallow the critical that comes of it.
    format!(
        "{service}:{}{}:{}:{}:{}{}",
        part(name.copied().unwrap_or("")),
        part(&alert),
        severity_word(event.severity),
        part(&host),
        part(&drive),
        news(event)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use wire::event::{Actor, FIRST_PREV_HASH, NewEvent};

    use super::*;
    use crate::provider::Fields;
    use crate::rule::{Digest, Every, QuietHours};
    use crate::service::Group;

    fn event(kind: &str, severity: Severity) -> Event {
        let new = NewEvent::new(kind, severity, "m".into(), serde_json::Value::Null);
        Event::seal(new, 1, Time::UNIX_EPOCH, Actor::new("agent", "agent"), FIRST_PREV_HASH)
    }

    fn service() -> Service {
        let fields = Fields::from([("topic".to_owned(), "t".to_owned())]);
        Service::new(1, "s", "ntfy", fields, Time::UNIX_EPOCH)
    }

    fn rule(event_type: &str, enabled: bool, cooldown_secs: i64) -> Rule {
        Rule {
            event_type: event_type.into(),
            enabled,
            cooldown_secs,
            min_severity: None,
            drive: None,
            job: None,
            workspace: None,
        }
    }

    fn at(seconds: i64) -> Time {
        Time::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn decide(event: &Event, service: &Service) -> Decision {
        route(event, &Facts::default(), std::slice::from_ref(service), |_| None, at(0))
            .remove(0)
            .decision
    }

    #[test]
    fn a_drive_cools_down_no_other_one() {
        let of = |wwn: &str| {
            let mut event = event("job.failed", Severity::Critical);
            event.drive = wire::DriveId::from_wwn(wwn);
            key(&event, &Facts::default(), 1)
        };
        let (one, other) = ("5000c500a1b2c3d4", "5000c500a1b2c3d5");
        assert_eq!(of(one), of(one));
        assert_ne!(of(one), of(other), "neither tells a serial number");
    }

    #[test]
    fn a_cool_down_swallows_neither_what_is_worse_nor_what_is_about_another() {
        let tell = |kind: &str, severity, data: serde_json::Value| Event {
            data,
            ..event(kind, severity)
        };
        let pool = |severity, pool: &str| {
            let data = serde_json::json!({ "alert": "pool_health", "host": "nas", "pool": pool });
            tell("drive.alert", severity, data)
        };
        let of = |kind: &str, about: serde_json::Value| tell(kind, Severity::Warning, about);
        let disk = |severity| {
            tell(
                "drive.alert",
                severity,
                serde_json::json!({ "alert": "temperature", "serial": "S1" }),
            )
        };
        let pairs = [
            (pool(Severity::Warning, "tank"), pool(Severity::Critical, "tank")),
            (pool(Severity::Critical, "tank"), pool(Severity::Critical, "dozer")),
            (disk(Severity::Warning), disk(Severity::Critical)),
            (
                of("unit.restarted", serde_json::json!({ "unit": "agent" })),
                of("unit.restarted", serde_json::json!({ "unit": "server" })),
            ),
            (
                of("alerts.given_up", serde_json::json!({ "service_id": 1 })),
                of("alerts.given_up", serde_json::json!({ "service_id": 2 })),
            ),
        ];
        let news = |about: serde_json::Value, news: serde_json::Value| {
            let data = serde_json::json!({ "alert": about, "host": "nas", "news": news });
            tell("drive.alert", Severity::Critical, data)
        };
        let joins = [
            ("pool_health", "sda", "sdb"),
            ("critical_warning", "spare blocks are low", "the medium is read-only"),
        ];
        let joins = joins.map(|(about, first, second)| {
            let of = |name: &str| news(about.into(), serde_json::json!({ name: 1.0 }));
            (of(first), of(second))
        });
        let pending = |count: f64| news("pending".into(), serde_json::json!({ "197": count }));
        // Out of service, where it was degraded; and a count that has doubled.
        let worse = [(1.0, 2.0), (10.0, 4000.0)].map(|(first, second)| (pending(first), pending(second)));
        let mut service = service();
        service.cooldown_secs = -1;
        for (first, second) in pairs.into_iter().chain(joins).chain(worse) {
            let decide = |event: &Event, told: Option<&str>| {
                let told = |key: &str| (told == Some(key)).then(|| at(0));
                route(event, &Facts::default(), std::slice::from_ref(&service), told, at(1)).remove(0)
            };
            let key = decide(&first, None).remember;
            let again = decide(&first, key.as_deref()).decision;
            assert_eq!(again, Decision::Keep(Why::CoolDown), "{first:?}");
            let other = decide(&second, key.as_deref()).decision;
            assert_eq!(other, Decision::Send, "{second:?} after {first:?}");
        }
    }

    #[test]
    fn a_count_that_rises_with_each_report_cools_down() {
        let of = |count: f64| {
            let mut event = event("drive.alert", Severity::Critical);
            event.data = serde_json::json!({ "alert": "pending", "serial": "S1", "news": { "197": count } });
            key(&event, &Facts::default(), 1)
        };
        let keys: BTreeSet<String> = (1..=1000).map(|count| of(f64::from(count))).collect();
        assert_eq!(keys.len(), 10);
    }

    #[test]
    fn a_cool_downs_key_fits_the_store_whatever_it_names() {
        let long = "ä".repeat(400);
        let mut event = event(&long, Severity::Critical);
        event.data = serde_json::json!({ "alert": long, "host": long, "serial": long, "pool": long, "addon_id": u64::MAX, "news": { long: 1.0 } });
        assert!(key(&event, &Facts::default(), u64::MAX).len() <= 511);
    }

    #[test]
    fn an_explicit_rule_stands_above_the_severities_in_both_names() {
        let passed = event("job.passed", Severity::Info);
        let mut service = service();
        assert_eq!(decide(&passed, &service), Decision::Keep(Why::Severity));
        for name in ["job.passed", "burnin_passed", "job_complete", "job.*", "*"] {
            service.rules = vec![rule(name, true, 0)];
            assert_eq!(decide(&passed, &service), Decision::Send, "{name}");
            service.rules = vec![rule(name, false, 0)];
            assert_eq!(
                decide(&event("job.passed", Severity::Critical), &service),
                Decision::Keep(Why::Rule),
                "{name}"
            );
        }
        service.rules = vec![rule("job_failed", true, 0)];
        assert_eq!(decide(&passed, &service), Decision::Keep(Why::Severity));
    }

    #[test]
    fn a_rule_by_the_word_that_an_alert_of_a_pool_bears_is_for_it() {
        let mut event = event("drive.alert", Severity::Critical);
        event.data = serde_json::json!({ "pool": "tank", "event_type": "zfs_pool_faulted" });
        let mut service = service();
        for told in [true, false] {
            service.notify_on_critical = !told;
            service.rules = vec![rule("zfs_pool_faulted", told, 0)];
            assert_eq!(decide(&event, &service) == Decision::Send, told);
        }
        // Who acknowledges an alert says of which kind it was.
        event.kind = "person.acknowledged_alert".into();
        assert_eq!(kinds::names(&event), ["person.acknowledged_alert"]);
    }

    #[test]
    fn a_rule_for_a_drive_a_job_a_workspace_or_a_severity_is_for_nothing_else() {
        let mut failed = event("job.failed", Severity::Critical);
        failed.drive = wire::DriveId::parse("wwn-5000c500a1b2c3d4").ok();
        failed.job = "01939d4c-6a6f-7000-8000-000000000001".parse().ok();
        failed.data = serde_json::json!({ "workspace": "lab" });
        let facts = Facts {
            serial: "S1".into(),
            ..Facts::default()
        };
        let told = |change: &dyn Fn(&mut Rule)| {
            let mut service = service();
            service.notify_on_critical = false;
            service.rules = vec![rule("job.failed", true, 0)];
            change(&mut service.rules[0]);
            route(&failed, &facts, &[service], |_| None, at(0)).remove(0).decision == Decision::Send
        };
        for (good, bad) in [("wwn-5000c500a1b2c3d4", "wwn-5000c500a1b2c3d5"), ("S1", "S2")] {
            assert!(told(&|rule| rule.drive = Some(good.into())));
            assert!(!told(&|rule| rule.drive = Some(bad.into())));
        }
        let job = failed.job.unwrap().to_string();
        assert!(told(&|rule| rule.job = Some(job.clone())));
        assert!(!told(&|rule| rule.job = Some("x".into())));
        assert!(told(&|rule| rule.workspace = Some("lab".into())));
        assert!(!told(&|rule| rule.workspace = Some("default".into())));
        let failed = Event {
            data: serde_json::json!({ "metadata": { "workspace": "lab" } }),
            ..failed.clone()
        };
        let of_addon = |name: &str| {
            let mut rule = rule("job_failed", true, 0);
            rule.workspace = Some(name.into());
            matches(&rule, &failed, &facts, &kinds::names(&failed))
        };
        assert!(of_addon("lab") && !of_addon("default"));
        assert!(told(&|rule| rule.min_severity = Some(Severity::Critical)));
        let mut service = service();
        service.rules = vec![Rule {
            min_severity: Some(Severity::Critical),
            ..rule("*", false, 0)
        }];
        assert_eq!(
            decide(&event("x.y", Severity::Warning), &service),
            Decision::Send,
            "the rule is for criticals alone"
        );
    }

    #[test]
    fn what_one_add_on_says_keeps_nothing_of_another_back() {
        let mut service = service();
        service.rules = vec![rule("*", true, -1)];
        let key = |addon: u64| {
            let mut event = event("addon.notification", Severity::Critical);
            event.data = serde_json::json!({ "addon_id": addon, "event_type": "job_failed" });
            let routed = route(&event, &Facts::default(), &[service.clone()], |_| None, at(0)).remove(0);
            routed.remember.unwrap()
        };
        assert_ne!(key(7), key(8));
        assert_eq!(key(7), key(7));
    }

    #[test]
    fn a_groups_rules_come_first() {
        let facts = Facts {
            serial: "S1".into(),
            ..Facts::default()
        };
        let mut service = service();
        service.rules = vec![rule("*", true, 0)];
        service.groups = vec![Group {
            id: 1,
            name: "spares".into(),
            drives: vec!["S1".into()],
            rules: vec![rule("*", false, 0)],
        }];
        let failed = event("job.failed", Severity::Critical);
        assert_eq!(
            route(&failed, &facts, &[service.clone()], |_| None, at(0))[0].decision,
            Decision::Keep(Why::Rule)
        );
        assert_eq!(decide(&failed, &service), Decision::Send);
    }

    fn quiet_now() -> QuietHours {
        // 1 700 000 000 is 22:13:20 UTC.
        QuietHours {
            enabled: true,
            start_time: "22:00".into(),
            end_time: "07:00".into(),
            timezone: "UTC".into(),
        }
    }

    #[test]
    fn quiet_hours_hold_everything_but_criticals() {
        let mut service = service();
        service.quiet_hours = Some(quiet_now());
        assert_eq!(
            decide(&event("job.failed", Severity::Critical), &service),
            Decision::Send
        );
        let Decision::Collect(due) = decide(&event("job.warned", Severity::Warning), &service) else {
            panic!()
        };
        assert_eq!(due.to_string(), "2023-11-15T07:00:00Z");
        service.digest = Some(Digest {
            enabled: true,
            send_at: "08:00".into(),
            every: Every::Daily,
            weekday: 1,
            timezone: "UTC".into(),
        });
        let Decision::Collect(due) = decide(&event("job.warned", Severity::Warning), &service) else {
            panic!()
        };
        assert_eq!(due.to_string(), "2023-11-15T08:00:00Z");
        assert_eq!(
            decide(&event("job.failed", Severity::Critical), &service),
            Decision::Send
        );
    }

    proptest! {
        /// Whatever comes when: two tellings of the same are at least the cool-down apart, and -1 tells once.
        #[test]
        fn a_cool_down_holds_over_any_history(cooldown in -1_i64..500, steps in prop::collection::vec(0_i64..400, 1..30)) {
            let mut service = service();
            service.rules = vec![rule("job.too_hot", true, cooldown)];
            let hot = event("job.too_hot", Severity::Warning);
            let mut memory: BTreeMap<String, Time> = BTreeMap::new();
            let (mut now, mut sent) = (0, Vec::new());
            for step in steps {
                now += step;
                let routed = route(&hot, &Facts::default(), std::slice::from_ref(&service), |key| memory.get(key).copied(), at(now)).remove(0);
                prop_assert_eq!(routed.remember.is_some(), cooldown != 0 && routed.decision == Decision::Send);
                if routed.decision == Decision::Send {
                    sent.push(now);
                    if let Some(key) = routed.remember {
                        memory.insert(key, at(now));
                    }
                }
            }
            prop_assert!(!sent.is_empty());
            if cooldown < 0 {
                prop_assert_eq!(sent.len(), 1);
            }
            for pair in sent.windows(2) {
                prop_assert!(pair[1] - pair[0] >= cooldown);
            }
        }

        /// A critical is never collected, and what is collected is told later than now.
        #[test]
        fn criticals_never_wait(
            severity in prop::sample::select(vec![Severity::Info, Severity::Warning, Severity::Critical]),
            quiet in any::<bool>(), digest in any::<bool>(), all in any::<bool>(), now in 0_i64..200_000,
        ) {
            let mut service = service();
            service.notify_on_healthy = all;
            service.quiet_hours = quiet.then(quiet_now);
            service.digest = digest.then(|| Digest { enabled: true, send_at: "12:00".into(), every: Every::Hourly, weekday: 1, timezone: "UTC".into() });
            let decision = route(&event("a.b", severity), &Facts::default(), &[service], |_| None, at(now)).remove(0).decision;
            match decision {
                Decision::Send => prop_assert!(severity == Severity::Critical || !digest),
                Decision::Collect(due) => {
                    prop_assert!(severity != Severity::Critical);
                    prop_assert!(due > at(now));
                }
                Decision::Keep(why) => prop_assert!(why == Why::Severity && severity == Severity::Info && !all),
            }
        }

        /// One channel's settings do nothing to another's.
        #[test]
        fn channels_do_not_touch_each_other(enabled in prop::collection::vec(any::<bool>(), 1..8)) {
            let services: Vec<Service> = enabled.iter().enumerate()
                .map(|(i, enabled)| Service { id: i as u64, enabled: *enabled, ..service() }).collect();
            let routed = route(&event("a.b", Severity::Warning), &Facts::default(), &services, |_| None, at(0));
            for (routed, service) in routed.iter().zip(&services) {
                let alone = decide(&event("a.b", Severity::Warning), service);
                prop_assert_eq!(&routed.decision, &alone);
                prop_assert_eq!(routed.service, service.id);
            }
        }
    }
}
