//! `[alerts]` of `kiln.toml`: channels that the owner has written down before the box was ever started.
//!
//! ```toml
//! [alerts]
//! urls = ["ntfys://ntfy.sh/bench"]          # told of criticals, warnings, and drives that passed
//!
//! [alerts.phone]                            # a channel with a name, and what it is told of
//! url = "tgram://BOT:TOKEN/CHAT"
//! severities = ["critical"]
//! rules = [{ event_type = "job.passed", cooldown_secs = 0 }]
//! quiet_hours = { start_time = "22:00", end_time = "07:00", timezone = "Europe/Berlin" }
//! ```
//!
//! What is wrong is told by its place and what is expected there, never by what stands there: it may be a secret. The rest
//! holds: a channel whose rule is wrong still tells, one whose URL is wrong is shown and switched off.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wire::Time;
use wire::event::Severity;

use crate::rule::{BadSetting, Digest, QuietHours, RULES_MAX, Rule};
use crate::service::{SERVICES_MAX, Service, check_escalation, locked, locked_one, number};

/// Most mistakes that are told; the first are enough to begin with.
const TOLD_MAX: usize = 20;

/// Longest name of a channel or a key that is repeated when it is told, in characters.
const NAME_MAX: usize = 64;

/// What the owner's file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Site {
    /// The channels, in the order of the file: `urls` first, then by name.
    pub services: Vec<Service>,
    /// What was wrong: place and what is expected, a sentence each.
    pub wrong: Vec<String>,
}

/// Reads the section as PID 1 passes it on: the table as JSON. Nothing at all, and an empty table, say nothing.
pub fn read(text: &str, now: Time) -> Site {
    let mut site = Site::default();
    match text.trim() {
        "" => {}
        text => match serde_json::from_str(text) {
            Ok(Value::Object(table)) => site.table(table, now),
            Ok(_) | Err(_) => site.tell("[alerts]", "a section with channels"),
        },
    }
    site
}

impl Site {
    fn tell(&mut self, place: &str, expected: &str) {
        if self.wrong.len() < TOLD_MAX {
            self.wrong.push(format!("kiln.toml, {place}: expected {expected}"));
        }
    }

    fn table(&mut self, table: Map<String, Value>, now: Time) {
        let mut named = Vec::new();
        for (key, value) in table {
            match (key.as_str(), value) {
                ("urls", value) => self.urls(value, now),
                (_, Value::Object(channel)) => named.push((key, channel)),
                _ => self.tell(&place(&key), "urls, or a section [alerts.NAME] with url"),
            }
        }
        for (name, channel) in named {
            self.channel(&name, channel, now);
        }
        if self.services.len() > SERVICES_MAX {
            self.services.truncate(SERVICES_MAX);
            self.tell(
                "[alerts]",
                &format!("at most {SERVICES_MAX} channels; the others are not used"),
            );
        }
    }

    fn urls(&mut self, value: Value, now: Time) {
        let list = match value {
            Value::String(one) => vec![Value::String(one)],
            Value::Array(list) => list,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        if list.is_empty() {
            self.tell("[alerts] urls", "a list of URLs in quotes");
        }
        for (i, url) in list.iter().enumerate() {
            let place = format!("[alerts] urls[{i}]");
            match url.as_str() {
                Some(url) => locked(url, now)
                    .into_iter()
                    .for_each(|service| self.add(&place, service)),
                None => self.tell(&place, "a URL in quotes"),
            }
        }
    }

    /// Takes a channel; one that cannot be used is told.
    fn add(&mut self, place: &str, service: Service) {
        if self.services.iter().any(|other| other.id == service.id) {
            return self.tell(place, "a URL that is not there already");
        }
        if let Some(why) = &service.disabled_why {
            let why = format!("a channel's URL ({why})");
            self.tell(place, &why);
        }
        self.services.push(service);
    }

    fn channel(&mut self, name: &str, mut keys: Map<String, Value>, now: Time) {
        let at = place(name);
        let Some(Value::String(url)) = keys.remove("url") else {
            return self.tell(&format!("{at} url"), "the channel's URL in quotes");
        };
        // The number is the name's, so that what waits goes on to the new address when the URL is changed.
        let mut service = locked_one(number(&format!("alerts.{name}")), name, url.trim(), now);
        if !(1..=NAME_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            service.name = format!("{} (kiln.toml)", service.service_type);
            self.tell(&at, "a name of 1 to 64 characters");
        }
        if keys.contains_key("severities") || keys.contains_key("rules") {
            service.rules.clear();
        }
        for (key, value) in keys {
            let at = format!("{at} {}", shown(&key));
            let expected = match key.as_str() {
                "enabled" => match value.as_bool() {
                    // What cannot be used stays off whatever is said.
                    Some(enabled) => {
                        service.enabled &= enabled;
                        continue;
                    }
                    None => "true or false",
                },
                "severities" => match typed::<Vec<Severity>>(value) {
                    Some(told) => {
                        service.notify_on_critical = told.contains(&Severity::Critical);
                        service.notify_on_warning = told.contains(&Severity::Warning);
                        service.notify_on_healthy = told.contains(&Severity::Info);
                        continue;
                    }
                    None => "a list of \"critical\", \"warning\" and \"info\"",
                },
                "cooldown_secs" => match value.as_i64().filter(|n| (-1..=31 * 86_400).contains(n)) {
                    Some(seconds) => {
                        service.cooldown_secs = seconds;
                        continue;
                    }
                    None => "-1 (once), 0 (always), or seconds up to a month",
                },
                "escalate_after_secs" => match value.as_i64().filter(|n| check_escalation(*n).is_ok()) {
                    Some(seconds) => {
                        service.escalate_after_secs = seconds;
                        continue;
                    }
                    None => "0 (told at once), or 60 to 86400 seconds in which nobody acknowledged an alert",
                },
                "rules" => {
                    self.rules(&at, value, &mut service);
                    continue;
                }
                "quiet_hours" => {
                    let keys = ["enabled", "start_time", "end_time", "timezone"];
                    let form = "{ start_time = \"22:00\", end_time = \"07:00\" }, and timezone if it is not UTC";
                    service.quiet_hours = self.part(&at, value, &keys, form, QuietHours::check);
                    continue;
                }
                "digest" => {
                    let keys = ["enabled", "send_at", "every", "weekday", "timezone"];
                    let form = "{ send_at = \"08:00\", every = \"daily\" }; hourly and weekly are known, too";
                    service.digest = self.part(&at, value, &keys, form, Digest::check);
                    continue;
                }
                _ => "one of url, enabled, severities, cooldown_secs, escalate_after_secs, rules, quiet_hours, digest",
            };
            self.tell(&at, expected);
        }
        self.add(&at, service);
    }

    fn rules(&mut self, at: &str, value: Value, service: &mut Service) {
        let keys = [
            "event_type",
            "enabled",
            "cooldown_secs",
            "min_severity",
            "drive",
            "job",
            "workspace",
        ];
        let form =
            "{ event_type = \"job.failed\" }, and with it enabled, cooldown_secs, min_severity, drive, job, workspace";
        let Value::Array(rules) = value else {
            return self.tell(at, "a list of rules");
        };
        if rules.len() > RULES_MAX {
            self.tell(at, &format!("at most {RULES_MAX} rules; the others are not used"));
        }
        for (i, rule) in rules.into_iter().take(RULES_MAX).enumerate() {
            let at = format!("{at}[{i}]");
            let rule = self.part(&at, rule, &keys, form, |rule: &Rule| rule.check("rule"));
            service.rules.extend(rule);
        }
    }

    /// A table with these keys that passes its check, else nothing and a word about it.
    fn part<T: DeserializeOwned>(
        &mut self,
        at: &str,
        value: Value,
        keys: &[&str],
        form: &str,
        check: impl Fn(&T) -> Result<(), BadSetting>,
    ) -> Option<T> {
        let strange = value
            .as_object()
            .and_then(|table| table.keys().find(|key| !keys.contains(&key.as_str())));
        if let Some(key) = strange {
            self.tell(&format!("{at} {}", shown(key)), &format!("one of {}", keys.join(", ")));
            return None;
        }
        let Some(part) = typed::<T>(value) else {
            self.tell(at, form);
            return None;
        };
        match check(&part) {
            Ok(()) => Some(part),
            Err(bad) => {
                // Only the field: what is wrong with it may repeat what was written.
                let field = bad.field.rsplit('.').next().unwrap_or_default().to_owned();
                self.tell(&format!("{at} {field}"), form);
                None
            }
        }
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

/// A key as it may be repeated.
fn shown(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect()
}

fn place(name: &str) -> String {
    format!("[alerts.{}]", shown(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn site(value: &Value) -> Site {
        read(&value.to_string(), Time::UNIX_EPOCH)
    }

    #[test]
    fn channels_have_names_rules_and_quiet_hours() {
        let site = site(&json!({
            "urls": ["ntfy://bench", "json://nas/hook"],
            "phone": {
                "url": "tgram://123456789:AAAAgeheim/42",
                "severities": ["critical"],
                "cooldown_secs": 600,
                "rules": [{ "event_type": "job.passed" }, { "event_type": "job.*", "enabled": false, "min_severity": "warning" }],
                "quiet_hours": { "start_time": "22:00", "end_time": "07:00", "timezone": "Europe/Berlin" },
                "digest": { "send_at": "08:00", "every": "weekly", "weekday": 5 }
            },
            "off": { "url": "gotify://nas/T", "enabled": false },
        }));
        assert_eq!(site.wrong, Vec::<String>::new());
        let named = |name: &str| site.services.iter().find(|service| service.name == name).unwrap();
        let phone = named("phone");
        assert!(phone.locked && phone.enabled && phone.check().is_ok());
        assert_eq!(phone.service_type, "telegram");
        assert_eq!(
            (
                phone.notify_on_critical,
                phone.notify_on_warning,
                phone.notify_on_healthy
            ),
            (true, false, false)
        );
        assert_eq!((phone.cooldown_secs, phone.rules.len()), (600, 2));
        assert_eq!(phone.rules[1].min_severity, Some(Severity::Warning));
        assert_eq!(phone.quiet_hours.as_ref().unwrap().timezone, "Europe/Berlin");
        assert_eq!(phone.digest.as_ref().unwrap().weekday, 5);
        assert!(!named("off").enabled && named("off").disabled_why.is_none());
        // A channel of which nothing else is said is told of what ends well, too.
        let plain = named("ntfy (kiln.toml)");
        assert!(plain.notify_on_warning && plain.rules[0].event_type == "job.passed");
        assert_eq!(site.services.len(), 4);
    }

    #[test]
    fn the_number_of_a_named_channel_outlives_its_url() {
        let of = |url: &str| site(&json!({ "phone": { "url": url } })).services[0].id;
        assert_eq!(of("ntfy://a"), of("ntfy://b"));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place_and_never_by_its_value() {
        let url = "json://nas/hook";
        for (section, place, channels) in [
            (json!({ "urls": 7 }), "[alerts] urls: expected a list", 0),
            (json!({ "urls": [url, 7] }), "[alerts] urls[1]: expected a URL", 1),
            (
                json!({ "urls": [url, url] }),
                "[alerts] urls[1]: expected a URL that is not there",
                1,
            ),
            (
                json!({ "urls": ["discord://geheim"] }),
                "[alerts] urls[0]: expected a channel's URL (path",
                1,
            ),
            (
                json!({ "phone": "tgram://geheim" }),
                "[alerts.phone]: expected urls, or a section",
                0,
            ),
            (json!({ "phone": {} }), "[alerts.phone] url: expected", 0),
            (
                json!({ "phone": { "url": ["geheim"] } }),
                "[alerts.phone] url: expected",
                0,
            ),
            (json!({ "": { "url": url } }), "[alerts.]: expected a name", 1),
            (
                json!({ "phone": { "url": url, "enabled": "geheim" } }),
                "enabled: expected true or false",
                1,
            ),
            (
                json!({ "phone": { "url": url, "severities": ["geheim"] } }),
                "severities: expected a list of",
                1,
            ),
            (
                json!({ "phone": { "url": url, "cooldown_secs": -2 } }),
                "cooldown_secs: expected -1",
                1,
            ),
            (
                json!({ "phone": { "url": url, "rules": ["geheim"] } }),
                "rules[0]: expected { event_type",
                1,
            ),
            (
                json!({ "phone": { "url": url, "rules": [{ "event_type": "*", "geheim_": 1 }] } }),
                "rules[0] geheim_: expected one of event_type",
                1,
            ),
            (
                json!({ "phone": { "url": url, "rules": [{ "event_type": "*", "cooldown_secs": -9 }] } }),
                "rules[0] cooldown_secs: expected",
                1,
            ),
            (
                json!({ "phone": { "url": url, "quiet_hours": { "start_time": "geheim", "end_time": "1:00" } } }),
                "quiet_hours start_time: expected",
                1,
            ),
            (
                json!({ "phone": { "url": url, "digest": { "send_at": "geheim" } } }),
                "digest send_at: expected",
                1,
            ),
            (
                json!({ "phone": { "url": url, "mood": "geheim" } }),
                "mood: expected one of url",
                1,
            ),
        ] {
            let site = site(&section);
            let told = site.wrong.join("\n");
            assert_eq!(site.wrong.len(), 1, "{section}: {told}");
            assert!(
                told.starts_with("kiln.toml, [alerts") && told.contains(place),
                "{section}: {told}"
            );
            assert!(!told.contains("geheim ") && !told.contains("\"geheim"), "{told}");
            assert_eq!(site.services.len(), channels, "{section}");
            assert!(!format!("{:?}", site.services).contains("geheim"));
        }
        assert_eq!(
            read("geheim", Time::UNIX_EPOCH).wrong,
            ["kiln.toml, [alerts]: expected a section with channels"]
        );
        assert_eq!(
            (read("", Time::UNIX_EPOCH), site(&json!({}))),
            (Site::default(), Site::default())
        );
    }

    #[test]
    fn more_channels_than_there_may_be_are_told() {
        let urls: Vec<String> = (0..=SERVICES_MAX).map(|n| format!("json://nas/{n}")).collect();
        let full = site(&json!({ "urls": urls[1..] }));
        assert_eq!((full.services.len(), full.wrong.len()), (SERVICES_MAX, 0));
        let over = site(&json!({ "urls": urls }));
        assert_eq!((over.services.len(), over.wrong.len()), (SERVICES_MAX, 1));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_taken_holds(text in "\\PC{0,60}", key in "url|urls|rules|digest|quiet_hours|enabled", n: i64) {
            let _ = read(&text, Time::UNIX_EPOCH);
            for value in [json!(text), json!(n), json!([text, n]), json!({ "event_type": text, "send_at": text })] {
                let section = json!({ "a": { "url": "json://nas/hook", key.as_str(): value }, key.as_str(): value });
                for service in site(&section).services {
                    prop_assert!(service.disabled_why.is_some() || service.check().is_ok(), "{:?}", service);
                }
            }
        }
    }
}
