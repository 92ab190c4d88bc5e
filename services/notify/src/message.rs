//! What is told, in the words that a person needs, whatever the channel.

use serde::{Deserialize, Serialize};
use wire::Time;
use wire::event::{Event, Severity};

use crate::kinds;

/// Longest title in characters; every service takes this much (the least is Discord's 256, Pushover's 250).
pub const TITLE_MAX: usize = 200;

/// Longest body in characters; the services' own limits are looked after in `request`.
pub const BODY_MAX: usize = 8000;

/// One message for one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Stable over every attempt to deliver it, so that a receiver can tell a repetition: `kiln-EVENT-SERVICE` and the
    /// like.
    pub id: String,
    /// One line.
    pub title: String,
    /// Some lines; the first is the sentence that matters.
    pub body: String,
    /// How much it matters.
    pub severity: Severity,
    /// The event's kind (`job.failed`), the word of an add-on that told it (`burnin_passed`), `test` or `digest`.
    pub event_type: String,
    /// When it happened.
    pub time: Time,
    /// The box, or the host that an add-on named.
    pub host: String,
    /// Serial of the drive, where it is about one.
    pub serial: String,
    /// Where to look: the job's page on the box.
    pub link: Option<String>,
    /// The event as it stands in the log, for programs.
    pub event: Option<Event>,
}

/// What the box knows of an event beside the event itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Name of the box.
    pub host: String,
    /// Address of its dashboard, without a slash at the end.
    pub url: String,
    /// The drive's model.
    pub model: String,
    /// Its serial.
    pub serial: String,
    /// The bay that a person named, with its place, or the place alone: "3 (SATA port 2)", "SATA port 2"; empty where neither is known.
    pub bay: String,
    /// Whether a person named that bay: "bay" before a controller's address leads nobody to a drive.
    pub bay_named: bool,
    /// The verdict's word.
    pub verdict: String,
    /// The verdict's first rule in words: "3 sectors could not be read".
    pub reason: String,
}

impl Message {
    /// Says the box's name and address of now where those of when the message was made stand in it: a box may find its name, or be
    /// given another, while the message waits. A host that an add-on named stays.
    pub(crate) fn readdress(&mut self, now: &Facts) {
        let of_the_box = self
            .event
            .as_ref()
            .is_none_or(|event| place(event, &Facts::default()).0.is_empty());
        let was = self.host.clone();
        if of_the_box && !now.host.is_empty() && was != now.host {
            let line = |host: &str| format!("\nBox: {}", cut(host, 100));
            if was.is_empty() {
                let end = self.link.as_ref().map_or(self.body.len(), |link| {
                    self.body
                        .strip_suffix(link.as_str())
                        .map_or(self.body.len(), |rest| rest.trim_end_matches('\n').len())
                });
                if self.event.is_some() {
                    self.body.insert_str(end, &line(&now.host));
                }
            } else {
                replace_line(&mut self.body, &line(&was), &line(&now.host));
                if let Some(title) = self.title.strip_suffix(&format!(" from {was}")) {
                    self.title = one_line(&format!("{title} from {}", now.host));
                }
            }
            self.host.clone_from(&now.host);
        }
        if self.link.is_none()
            && let Some(event) = &self.event
            && let Some(link) = link(event, now)
        {
            self.body.push('\n');
            self.body.push_str(&link);
            self.link = Some(link);
        } else if let Some(link) = &mut self.link
            && let Some(fresh) = moved(link, &now.url)
        {
            replace_line(&mut self.body, &format!("\n{link}"), &format!("\n{fresh}"));
            *link = fresh;
        }
    }
}

impl Message {
    /// The one line of existing servers: `[severity] [host] message`, with the event's own sentence; what is about no event has its
    /// title. An add-on's words stand as it told them, and with no host where it named none.
    pub fn line(&self) -> String {
        let (host, words) = match &self.event {
            None => (self.host.clone(), self.title.as_str()),
            Some(event) if event.kind == "addon.notification" => {
                let name = event.data["addon_name"].as_str().unwrap_or_default();
                let own = event
                    .message
                    .strip_prefix(name)
                    .and_then(|rest| rest.strip_prefix(": "));
                (place(event, &Facts::default()).0, own.unwrap_or(&event.message))
            }
            Some(event) => (self.host.clone(), event.message.as_str()),
        };
        let host = match host.as_str() {
            "" => String::new(),
            host => format!("[{}] ", cut(host, 100)),
        };
        let words = cut(words, BODY_MAX / 2);
        one_line(&format!("[{}] {host}{words}", severity_word(self.severity)))
    }

    /// [`Self::line`], and below it what the line does not say.
    pub fn text(&self) -> String {
        let Some(event) = &self.event else {
            return format!("{}\n{}", self.line(), self.body);
        };
        let said = cut(&event.message, BODY_MAX / 2);
        let rest = self.body.strip_prefix(&said).unwrap_or(&self.body);
        format!("{}\n{}\n{}", self.line(), self.title, rest.trim_start_matches('\n'))
    }
}

/// Puts a line in the place of the last one like `was`.
fn replace_line(text: &mut String, was: &str, now: &str) {
    let ends = |at: usize| text[at + was.len()..].is_empty() || text[at + was.len()..].starts_with('\n');
    let last = text.rmatch_indices(was).map(|(at, _)| at).find(|at| ends(*at));
    if let Some(at) = last {
        text.replace_range(at..at + was.len(), now);
    }
}

/// A link below the address of now, where it is below another one that was made of a name (`http://NAME.local`).
fn moved(link: &str, url: &str) -> Option<String> {
    let rest = link.strip_prefix("http://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let made = |url: &str| {
        url.strip_prefix("http://")
            .is_some_and(|host| host.ends_with(".local") && !host.contains('/'))
    };
    (host.ends_with(".local") && made(url) && url != &link[..link.len() - path.len()]).then(|| format!("{url}{path}"))
}

/// The last four characters of a serial, which is what stands on the label that people look for.
pub fn last_four(serial: &str) -> String {
    let skip = serial.chars().count().saturating_sub(4);
    serial.chars().skip(skip).collect()
}

/// At most `max` characters; a cut one ends in an ellipsis.
pub fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// The words for a severity in capitals, as the first thing on a phone's lock screen.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// The message that tells of an event.
pub fn of_event(event: &Event, facts: &Facts, service: u64) -> Message {
    let (host, serial) = place(event, facts);
    let drive = drive_words(facts);
    let title = match event.kind.as_str() {
        "job.passed" | "job.warned" | "job.failed" | "job.inconclusive" if !drive.is_empty() => {
            let verdict = if facts.verdict.is_empty() {
                event.kind.trim_start_matches("job.").to_uppercase()
            } else {
                facts.verdict.clone()
            };
            format!("{verdict}: {drive}")
        }
        kind if !drive.is_empty() => format!("{}: {drive}", kinds::label(kind, &event.data)),
        kind => kinds::label(kind, &event.data),
    };
    let mut body = cut(&event.message, BODY_MAX / 2);
    if !facts.reason.is_empty() && !body.contains(&facts.reason) {
        body.push_str("\nFirst reason: ");
        body.push_str(&cut(&facts.reason, 500));
    }
    if !facts.bay.is_empty() {
        body.push_str(if facts.bay_named { "\nBay: " } else { "\nPlace: " });
        body.push_str(&cut(&facts.bay, 60));
    }
    if !host.is_empty() {
        body.push_str("\nBox: ");
        body.push_str(&cut(&host, 100));
    }
    let link = link(event, facts);
    if let Some(link) = &link {
        body.push('\n');
        body.push_str(link);
    }
    Message {
        id: format!("kiln-{}-{service}", event.id),
        title: cut(&one_line(&title), TITLE_MAX),
        body,
        severity: event.severity,
        event_type: kinds::told(event).to_owned(),
        time: event.ts,
        host,
        serial,
        link,
        event: Some(event.clone()),
    }
}

/// The message of the test button.
pub fn test(facts: &Facts, service: &str, words: &str, id: String, now: Time) -> Message {
    let title = if facts.host.is_empty() {
        "Kiln test message".to_owned()
    } else {
        format!("Kiln test message from {}", facts.host)
    };
    let body = if words.trim().is_empty() {
        format!("Alerts of this box reach this channel ({service}).")
    } else {
        cut(words, 1000)
    };
    Message {
        id,
        title: cut(&one_line(&title), TITLE_MAX),
        body,
        severity: Severity::Info,
        event_type: "test".to_owned(),
        time: now,
        host: facts.host.clone(),
        serial: String::new(),
        link: (!facts.url.is_empty()).then(|| facts.url.clone()),
        event: None,
    }
}

/// Control characters and line ends become blanks: nothing that came from outside breaks a header or a subject.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// "WDC WD80EFAX …1A2B in bay 3", or "at SATA port 2" where nobody named the bay, as far as it is known.
fn drive_words(facts: &Facts) -> String {
    if facts.model.is_empty() && facts.serial.is_empty() {
        return String::new();
    }
    let mut words = facts.model.trim().to_owned();
    if !facts.serial.is_empty() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push('…');
        words.push_str(&last_four(&facts.serial));
    }
    if !facts.bay.is_empty() {
        words.push_str(if facts.bay_named { " in bay " } else { " at " });
        words.push_str(&facts.bay);
    }
    words
}

/// Host and serial: an add-on's notification names its own.
pub fn place(event: &Event, facts: &Facts) -> (String, String) {
    let text = |pointer: &str| {
        event
            .data
            .pointer(pointer)
            .and_then(serde_json::Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let host = text("/host")
        .or_else(|| text("/hostname"))
        .unwrap_or_else(|| facts.host.clone());
    let serial = [facts.serial.clone()]
        .into_iter()
        .find(|serial| !serial.is_empty())
        .or_else(|| text("/serial"))
        .or_else(|| text("/serial_number"))
        .or_else(|| text("/metadata/serial"))
        .or_else(|| text("/metadata/serial_number"))
        .unwrap_or_default();
    (host, serial)
}

fn link(event: &Event, facts: &Facts) -> Option<String> {
    if facts.url.is_empty() {
        return None;
    }
    Some(match (&event.job, &event.drive) {
        (Some(job), _) => format!("{}/jobs/{job}", facts.url),
        (None, Some(drive)) => format!("{}/drives/{}", facts.url, crate::url::encode(&drive.to_string())),
        (None, None) => format!("{}/events", facts.url),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::event::{Actor, FIRST_PREV_HASH, NewEvent};

    use super::*;

    fn event(kind: &str, message: &str, data: serde_json::Value) -> Event {
        let mut new = NewEvent::new(kind, Severity::Critical, message.to_owned(), data);
        new.job = "01939d4c-6a6f-7000-8000-000000000001".parse().ok();
        Event::seal(new, 7, Time::UNIX_EPOCH, Actor::new("agent", "agent"), FIRST_PREV_HASH)
    }

    #[test]
    fn a_failed_drive_is_told_in_the_words_that_people_need() {
        let event = event(
            "job.failed",
            "FAILED: WD80 VGH0ABCD (8 TB). 3 sectors could not be read",
            serde_json::json!({ "outcome": "FAILED" }),
        );
        let facts = Facts {
            host: "kiln-bench".into(),
            url: "http://kiln-bench.local".into(),
            model: "WDC WD80EFAX".into(),
            serial: "VGH0ABCD".into(),
            bay: "3".into(),
            bay_named: true,
            verdict: "FAILED".into(),
            reason: "read-error: 3 (limit 0)".into(),
        };
        let message = of_event(&event, &facts, 4);
        assert_eq!(message.title, "FAILED: WDC WD80EFAX …ABCD in bay 3");
        for part in [
            "3 sectors could not be read",
            "First reason: read-error: 3 (limit 0)",
            "Bay: 3",
            "kiln-bench",
        ] {
            assert!(message.body.contains(part), "{part} in {}", message.body);
        }
        let link = message.link.unwrap();
        assert!(link.starts_with("http://kiln-bench.local/jobs/"), "{link}");
        assert!(message.body.ends_with(&link));
        assert!(message.id.ends_with("-4"));
    }

    #[test]
    fn a_place_that_nobody_named_is_no_bay() {
        let facts = Facts {
            model: "WDC WD80EFAX".into(),
            serial: "VGH0ABCD".into(),
            bay: "PCI 00:03.0, SCSI 12:0:1:0".into(),
            ..Facts::default()
        };
        let message = of_event(&event("job.failed", "FAILED", serde_json::json!({})), &facts, 4);
        assert_eq!(
            message.title,
            "FAILED: WDC WD80EFAX …ABCD at PCI 00:03.0, SCSI 12:0:1:0"
        );
        assert!(
            message.body.contains("\nPlace: PCI 00:03.0, SCSI 12:0:1:0"),
            "{}",
            message.body
        );
    }

    #[test]
    fn nothing_from_outside_breaks_a_line_of_the_title() {
        let event = event(
            "addon.notification",
            "x\r\nBcc: a@b",
            serde_json::json!({ "event_type": "job\r\nfailed", "host": "h", "metadata": { "serial": "S1" } }),
        );
        let message = of_event(&event, &Facts::default(), 1);
        assert!(!message.title.contains(['\r', '\n']), "{:?}", message.title);
        assert_eq!((message.host.as_str(), message.serial.as_str()), ("h", "S1"));
        assert_eq!(message.link, None);
    }

    #[test]
    fn an_add_ons_word_is_the_type_under_which_it_is_told() {
        let of = |kind: &str, word: &str| {
            let event = event(kind, "m", serde_json::json!({ "event_type": word }));
            of_event(&event, &Facts::default(), 1).event_type
        };
        assert_eq!(of("addon.notification", "burnin_passed"), "burnin_passed");
        assert_eq!(of("addon.phase_complete", "phase_complete"), "phase_complete");
        assert_eq!(of("job.passed", "burnin_passed"), "job.passed");
        for word in ["", "two words", "a\r\nb", &"x".repeat(65)] {
            assert_eq!(of("addon.notification", word), "addon.notification", "{word:?}");
        }
    }

    #[test]
    fn the_line_has_the_events_own_sentence_and_no_bracket_without_a_host() {
        let facts = Facts {
            host: "kiln".into(),
            url: "http://kiln.local".into(),
            ..Facts::default()
        };
        let failed = |words: &str| of_event(&event("job.failed", words, serde_json::Value::Null), &facts, 1);
        let told = failed("A 1\nB");
        assert_eq!(told.line(), "[critical] [kiln] A 1 B");
        assert_ne!(failed("A 2\nB").line(), told.line(), "two drives are two lines");
        let text = told.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..3],
            ["[critical] [kiln] A 1 B", told.title.as_str(), "Box: kiln"]
        );
        assert!(lines[3].starts_with("http://kiln.local/jobs/"), "{text}");
        let add_on = |host: &str| {
            let data = serde_json::json!({ "addon_name": "burnin", "event_type": "job_failed", "host": host });
            of_event(&event("addon.notification", "burnin: it is forged", data), &facts, 1).line()
        };
        assert_eq!(add_on("evil"), "[critical] [evil] it is forged");
        assert_eq!(add_on(""), "[critical] it is forged");
        let tried = test(&facts, "hook", "", "1".into(), Time::UNIX_EPOCH);
        assert_eq!(tried.line(), "[info] [kiln] Kiln test message from kiln");
    }

    #[test]
    fn cutting_counts_characters_and_says_so() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(last_four("äöüßa"), "öüßa");
        assert_eq!(last_four("ab"), "ab");
    }

    fn of(host: &str) -> Facts {
        Facts {
            host: host.to_owned(),
            url: format!("http://{host}.local"),
            ..Facts::default()
        }
    }

    #[test]
    fn what_waits_tells_the_name_of_when_it_is_sent() {
        let none = serde_json::Value::Null;
        let event = event("job.failed", "a drive failed\nBox: kiln was its bay", none);
        let mut waiting = of_event(&event, &of("kiln"), 1);
        waiting.readdress(&of("kiln-7f3a"));
        assert_eq!(waiting, of_event(&event, &of("kiln-7f3a"), 1), "as if it were made now");
        let same = waiting.clone();
        waiting.readdress(&of("kiln-7f3a"));
        waiting.readdress(&Facts::default());
        assert_eq!(waiting, same, "a name that is not known takes none away");
    }

    #[test]
    fn one_without_a_name_gets_it_and_a_host_of_an_add_on_keeps_its_own() {
        let none = serde_json::Value::Null;
        let plain = event("job.failed", "a drive failed", none);
        let mut waiting = of_event(&plain, &Facts::default(), 1);
        waiting.readdress(&Facts {
            host: "bench".into(),
            ..Facts::default()
        });
        assert_eq!(waiting.host, "bench");
        assert!(waiting.body.ends_with("\nBox: bench"), "{}", waiting.body);
        let mut waiting = of_event(&plain, &Facts::default(), 1);
        waiting.readdress(&of("bench"));
        assert_eq!(waiting, of_event(&plain, &of("bench"), 1), "as if it were made now");
        let theirs = event("addon.notification", "hot", serde_json::json!({ "hostname": "kiln" }));
        let mut waiting = of_event(&theirs, &Facts::default(), 1);
        waiting.readdress(&of("bench"));
        assert_eq!(waiting, of_event(&theirs, &of("bench"), 1));

        let theirs = event("addon.notification", "hot", serde_json::json!({ "hostname": "kiln" }));
        let mut waiting = of_event(&theirs, &of("kiln"), 1);
        let body = waiting.body.clone();
        waiting.readdress(&of("bench"));
        assert_eq!(waiting.host, "kiln");
        assert_eq!(waiting.body, body.replace("http://kiln.local", "http://bench.local"));
    }

    #[test]
    fn an_address_that_the_owner_has_set_stays() {
        let none = serde_json::Value::Null;
        let set = |host: &str| Facts {
            url: "https://bench.example/kiln".into(),
            ..of(host)
        };
        let mut waiting = test(&set("kiln"), "ntfy", "", "1".into(), Time::UNIX_EPOCH);
        assert_eq!(waiting.title, "Kiln test message from kiln");
        waiting.readdress(&set("shed"));
        assert_eq!(waiting.title, "Kiln test message from shed");
        assert_eq!(waiting.link.as_deref(), Some("https://bench.example/kiln"));
        let mut made = of_event(&event("job.failed", "x", none), &of("kiln"), 1);
        made.readdress(&set("kiln"));
        assert!(made.link.unwrap().starts_with("http://kiln.local/jobs/"));
    }
}
