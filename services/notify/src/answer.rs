//! What a service's answer means: taken, refused for good, or worth another try, and in which words.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;
use wire::Time;

use crate::channel::Channel;
use crate::message::{cut, one_line};
use crate::url::Address;

/// Longest wait that a service may ask for; more is cut to this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(6);

/// Most of an answer's words that are kept, in characters.
const WORDS_MAX: usize = 400;

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Failed {
    /// The service's own words where it has some, and its status.
    pub words: String,
    /// Trying again makes sense.
    pub retry: bool,
    /// Not before this time has passed, says the service.
    pub after: Option<Duration>,
    /// The channel is gone for good: it is switched off.
    pub gone: bool,
    /// It answered with a redirect, which is not followed; it may have acted on the message all the same.
    pub redirects: bool,
}

impl Failed {
    /// A failure of the network or the server's: worth another try.
    pub fn passing(words: impl Into<String>) -> Self {
        Self {
            words: cut(&one_line(&words.into()), WORDS_MAX),
            retry: true,
            after: None,
            gone: false,
            redirects: false,
        }
    }

    /// The same, with which of several targets it was.
    #[must_use]
    pub fn of(self, target: &str) -> Self {
        Self {
            words: format!("{target}: {}", self.words),
            ..self
        }
    }

    /// A refusal that another try will not change.
    pub fn lasting(words: impl Into<String>) -> Self {
        Self {
            retry: false,
            ..Self::passing(words)
        }
    }
}

/// What counts of the head of an HTTP answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// Its status.
    pub status: u16,
    /// `Retry-After`: seconds, or a date.
    pub retry_after: Option<&'a str>,
    /// `Date`: the sender's clock, by which such a date is meant.
    pub date: Option<&'a str>,
    /// `Location`.
    pub location: Option<&'a str>,
}

/// Judges an HTTP answer that came at `now`.
///
/// # Errors
/// When the message was not taken.
pub fn judge(channel: &Channel, head: Head<'_>, body: &[u8], now: Time) -> Result<String, Failed> {
    let status = head.status;
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let words = words(json.as_ref(), body);
    let refused_inside = match channel {
        // Slack's API and Telegram say 200 or not; `ok` is what counts.
        Channel::Slack { token: Some(_), .. } | Channel::Telegram { .. } => {
            json.as_ref().and_then(|json| json.get("ok")).and_then(Value::as_bool) != Some(true)
        }
        Channel::Pushover(_) => {
            json.as_ref()
                .and_then(|json| json.get("status"))
                .and_then(Value::as_i64)
                != Some(1)
        }
        Channel::Slack { token: None, .. }
        | Channel::Email(_)
        | Channel::Discord { .. }
        | Channel::Ntfy { .. }
        | Channel::Gotify { .. }
        | Channel::Signal { .. }
        | Channel::Generic(_) => false,
    };
    if (200..300).contains(&status) && !refused_inside {
        return Ok(if words.is_empty() {
            status.to_string()
        } else {
            format!("{status} {words}")
        });
    }
    let told = if words.is_empty() {
        format!("answered {status} {}", reason(status))
    } else {
        format!("answered {status}: {words}")
    };
    let mut failed = Failed::passing(told.trim_end());
    if (300..400).contains(&status) {
        // The address is wrong, and stays so: a secret goes only where it was typed for.
        failed = Failed::lasting(format!("{}{}", failed.words, moved(head.location)));
        failed.redirects = true;
        return Err(failed);
    }
    let limited = status == 429 || (refused_inside && slack_passes(json.as_ref()));
    // A webhook's receiver may be half configured; Standard Webhooks try again whatever the error. The services'
    // own 4xx are about this very request.
    let by_us = (400..500).contains(&status) && !matches!(status, 408 | 409 | 425 | 429);
    let own_api = !matches!(channel, Channel::Generic(_));
    failed.retry = limited || !(own_api && (by_us || (refused_inside && status < 500)));
    failed.gone = status == 410 && !own_api;
    if failed.gone {
        failed.retry = false;
    }
    failed.after = wait(head, json.as_ref(), now).map(|wait| wait.min(RETRY_AFTER_MAX));
    Err(failed)
}

/// Whether Slack's word for what went wrong is about this moment alone. Source: Slack, `chat.postMessage`, "Errors".
fn slack_passes(json: Option<&Value>) -> bool {
    matches!(
        json.and_then(|json| json.get("error")).and_then(Value::as_str),
        Some(
            "ratelimited"
                | "rate_limited"
                | "internal_error"
                | "fatal_error"
                | "service_unavailable"
                | "request_timeout"
        )
    )
}

/// Where a redirect leads, and what to do. Only the server is named: the path may hold a secret.
fn moved(location: Option<&str>) -> String {
    let to = location.and_then(|location| match location.contains("://") {
        true => Address::parse(location).ok().map(|address| address.origin()),
        false => Some("another path of the same server".to_owned()),
    });
    let to = to.map(|to| format!(" to {to}")).unwrap_or_default();
    format!("; a redirect{to} is not followed: set the channel to the address that it leads to")
}

/// Seconds from `now` to a date of a header, by the clock of whoever sent it where that is known.
fn until(text: &str, date: Option<&str>, now: Time) -> Option<f64> {
    let read = |text: &str| {
        DateTimeParser::new()
            .relaxed_weekday(true)
            .parse_timestamp(text.trim())
            .ok()
    };
    let from = date.and_then(read).unwrap_or(now);
    Some(read(text)?.duration_since(from).as_secs_f64().max(0.0))
}

/// How long to wait: `Retry-After`, else what stands in Telegram's and Discord's bodies.
fn wait(head: Head<'_>, json: Option<&Value>, now: Time) -> Option<Duration> {
    let seconds = head
        .retry_after
        .and_then(|text| text.trim().parse::<f64>().ok().or_else(|| until(text, head.date, now)))
        .or_else(|| json?.pointer("/parameters/retry_after")?.as_f64())
        .or_else(|| json?.get("retry_after")?.as_f64())?;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(1e6)))
}

/// The sentence of an error's body, as each service puts it.
fn words(json: Option<&Value>, body: &[u8]) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found = json.and_then(|json| {
        // Pushover: a list. Gotify: errorDescription. Telegram: description. Discord: message. ntfy and Slack: error.
        let list = json
            .get("errors")
            .and_then(Value::as_array)
            .map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
        list.filter(|list| !list.is_empty()).or_else(|| {
            ["errorDescription", "description", "detail", "message", "error"]
                .iter()
                .find_map(|key| json.get(*key).and_then(text))
        })
    });
    let found = match (found, json) {
        (Some(found), _) => found,
        // JSON without words: an id, mostly.
        (None, Some(_)) => String::new(),
        (None, None) => String::from_utf8_lossy(&body[..body.len().min(2000)]).into_owned(),
    };
    let text = one_line(&found);
    if text.trim_start().starts_with('<') {
        // A page for people.
        return String::new();
    }
    cut(text.trim(), WORDS_MAX)
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::url;

    fn channel(address: &str) -> Channel {
        let (service, fields) = url::channel(address).unwrap();
        Channel::read(service, &fields).unwrap()
    }

    #[test]
    fn each_services_errors_are_understood() {
        let key = "abcdefghij0123456789abcdefghij";
        let pushover = format!("pover://{key}@{key}");
        for (address, status, header, body, words, retry, after) in [
            (
                "discord://1/t",
                404,
                None,
                r#"{"message": "Unknown Webhook", "code": 10015}"#,
                "404: Unknown Webhook",
                false,
                None,
            ),
            (
                "discord://1/t",
                429,
                Some("2"),
                r#"{"message": "You are being rate limited.", "retry_after": 1.3}"#,
                "rate limited",
                true,
                Some(2.0),
            ),
            (
                "tgram://1:a/2",
                400,
                None,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
                "chat not found",
                false,
                None,
            ),
            (
                "tgram://1:a/2",
                429,
                None,
                r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}"#,
                "Too Many",
                true,
                Some(7.0),
            ),
            (
                "tgram://1:a/2",
                502,
                None,
                "<html>Bad Gateway</html>",
                "502 Bad Gateway",
                true,
                None,
            ),
            (
                "slack://A/B/C",
                403,
                None,
                "invalid_token",
                "403: invalid_token",
                false,
                None,
            ),
            (
                "slack://xoxb-1/c",
                200,
                None,
                r#"{"ok":false,"error":"channel_not_found"}"#,
                "channel_not_found",
                false,
                None,
            ),
            (
                "slack://xoxb-1/c",
                429,
                Some("30"),
                r#"{"ok":false,"error":"ratelimited"}"#,
                "ratelimited",
                true,
                Some(30.0),
            ),
            // Slack's own troubles come with status 200.
            (
                "slack://xoxb-1/c",
                200,
                None,
                r#"{"ok":false,"error":"internal_error"}"#,
                "internal_error",
                true,
                None,
            ),
            (
                "slack://xoxb-1/c",
                200,
                None,
                r#"{"ok":false,"error":"rate_limited"}"#,
                "rate_limited",
                true,
                None,
            ),
            (
                "ntfy://t",
                403,
                None,
                r#"{"code":40301,"http":403,"error":"forbidden"}"#,
                "403: forbidden",
                false,
                None,
            ),
            ("ntfy://t", 507, None, "", "507 Insufficient Storage", true, None),
            (
                "gotify://h/t",
                401,
                None,
                r#"{"error":"Unauthorized","errorCode":401,"errorDescription":"you need to provide a valid access token"}"#,
                "valid access token",
                false,
                None,
            ),
            (
                &pushover,
                400,
                None,
                r#"{"user":"invalid","errors":["user identifier is invalid"],"status":0}"#,
                "user identifier is invalid",
                false,
                None,
            ),
            (&pushover, 200, None, r#"{"status":0}"#, "200 OK", false, None),
            ("https://h/x", 404, None, "nope", "404: nope", true, None),
            (
                "https://h/x",
                503,
                Some("1e99"),
                "",
                "503 Service Unavailable",
                true,
                Some(RETRY_AFTER_MAX.as_secs_f64()),
            ),
        ] {
            let head = Head {
                status,
                retry_after: header,
                ..Head::default()
            };
            let failed = judge(&channel(address), head, body.as_bytes(), Time::UNIX_EPOCH).unwrap_err();
            assert!(failed.words.contains(words), "{address} {status}: {}", failed.words);
            assert_eq!(failed.retry, retry, "{address} {status}");
            assert_eq!(
                failed.after.map(|after| after.as_secs_f64()),
                after,
                "{address} {status}"
            );
        }
        assert!(answered("https://h/x", 410, b"").unwrap_err().gone);
        assert!(answered("tgram://1:a/2", 200, br#"{"ok":true}"#).is_ok());
        assert!(answered(&pushover, 200, br#"{"status":1,"request":"x"}"#).is_ok());
        assert_eq!(answered("slack://A/B/C", 200, b"ok").unwrap(), "200 ok");
    }

    fn answered(address: &str, status: u16, body: &[u8]) -> Result<String, Failed> {
        let head = Head {
            status,
            ..Head::default()
        };
        judge(&channel(address), head, body, Time::UNIX_EPOCH)
    }

    #[test]
    fn a_redirect_is_a_wrong_address_and_its_path_is_not_told() {
        for (address, status, location, says) in [
            (
                "https://h/x",
                301,
                Some("https://other.example:8443/hooks/SECRET?token=SECRET"),
                "to https://other.example:8443 is not followed",
            ),
            (
                "https://h/x",
                302,
                Some("/hooks/SECRET/"),
                "another path of the same server",
            ),
            ("https://h/x", 307, Some("://SECRET"), "a redirect is not followed"),
            ("discord://1/t", 308, None, "set the channel to the address"),
            ("ntfy://t", 304, None, "answered 304 Not Modified"),
        ] {
            let head = Head {
                status,
                location,
                retry_after: Some("5"),
                ..Head::default()
            };
            let failed = judge(&channel(address), head, b"", Time::UNIX_EPOCH).unwrap_err();
            assert!(failed.words.contains(says), "{address} {status}: {}", failed.words);
            assert!(!failed.words.contains("SECRET"), "{}", failed.words);
            assert_eq!(
                (failed.retry, failed.gone, failed.redirects, failed.after),
                (false, false, true, None),
                "{status}"
            );
        }
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date_by_the_senders_clock() {
        let now: Time = "2026-11-20T06:00:00Z".parse().unwrap();
        let date = "Fri, 20 Nov 2026 06:00:00 GMT";
        for (retry_after, date, after) in [
            ("120", None, Some(120)),
            (" 7 ", Some("nonsense"), Some(7)),
            ("Fri, 20 Nov 2026 06:02:00 GMT", Some(date), Some(120)),
            // The box's clock is years behind, or ahead: the sender's own counts.
            (
                "Sun, 20 Nov 2033 06:00:30 GMT",
                Some("Sun, 20 Nov 2033 06:00:00 GMT"),
                Some(30),
            ),
            ("Fri, 20 Nov 2026 06:00:45 GMT", None, Some(45)),
            ("Fri, 20 Nov 2026 05:00:00 GMT", Some(date), Some(0)),
            (
                "Fri, 20 Nov 2099 05:00:00 GMT",
                Some(date),
                Some(RETRY_AFTER_MAX.as_secs()),
            ),
            ("-5", None, None),
            ("soon", Some(date), None),
        ] {
            let head = Head {
                status: 503,
                retry_after: Some(retry_after),
                date,
                location: None,
            };
            let failed = judge(&channel("https://h/x"), head, b"", now).unwrap_err();
            assert_eq!(failed.after.map(|after| after.as_secs()), after, "{retry_after}");
        }
    }
}
