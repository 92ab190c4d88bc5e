//! Commands to add-ons from elsewhere that listen nowhere: a `command` frame goes down the socket, a `result` frame with the
//! same `request_id` comes back.
//!
//! The built-in agent has typed commands of its own ([`crate::calls`]).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use wire::Problem;
use wire::frame::Frame;

/// Commands of all add-ons that may wait for their result at once.
const WAITING_MAX: usize = 1024;

/// Commands of one add-on that may wait.
const WAITING_OF_ONE: usize = 16;

/// How long a result may take. Source: Vigil, actions.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// What an add-on answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// HTTP status; 200 where it gave none, 422 where it gave none and an error.
    pub status: u16,
    /// Its words.
    pub body: Value,
}

/// The commands that wait for their result.
#[derive(Debug, Default)]
pub struct Replies {
    waiting: Mutex<HashMap<String, (u64, oneshot::Sender<Answered>)>>,
}

impl Replies {
    fn waiting<T>(&self, work: impl FnOnce(&mut HashMap<String, (u64, oneshot::Sender<Answered>)>) -> T) -> T {
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a command to an add-on and waits for its result, at most `patience`.
    ///
    /// # Errors
    /// `addon-away`, `addon-busy`, `addon-late`, `too-long`.
    pub async fn ask(
        &self,
        addon: u64,
        sender: &link::Sender,
        component: &str,
        action: &str,
        data: Value,
        patience: Duration,
    ) -> Result<Answered, Problem> {
        let id = uuid::Uuid::now_v7().to_string();
        let (tell, reply) = oneshot::channel();
        let room = self.waiting(|waiting| {
            let of_it = waiting.values().filter(|(of, _)| *of == addon).count();
            let room = waiting.len() < WAITING_MAX && of_it < WAITING_OF_ONE;
            if room {
                waiting.insert(id.clone(), (addon, tell));
            }
            room
        });
        if !room {
            return Err(
                Problem::new("addon-busy", 503, "The add-on has too much to answer").with("try again in a moment")
            );
        }
        let _forget = Forget { replies: self, id: &id };
        let payload = json!({ "request_id": id, "component_id": component, "action": action, "data": data });
        let frame = Frame::Other {
            kind: "command".to_owned(),
            payload,
        };
        sender.send(&frame).await.map_err(|error| match error {
            link::SendError::TooLong { .. } => {
                Problem::new("too-long", 413, "The request is too long for the add-on").with(error.to_string())
            }
            link::SendError::Full | link::SendError::Over => away(),
        })?;
        match tokio::time::timeout(patience, reply).await {
            Ok(Ok(answered)) => Ok(answered),
            Ok(Err(_)) => Err(away()),
            Err(_) => Err(
                Problem::new("addon-late", 504, "The add-on did not answer in time").with(format!(
                    "{} s; look at what it shows before trying again",
                    patience.as_secs()
                )),
            ),
        }
    }

    /// A result has come from an add-on; an error says what is wrong with it.
    ///
    /// # Errors
    /// Names the field, or that nobody waits for it: one that another add-on was asked for is not taken either. One with a
    /// `status` that cannot be meant is taken all the same, so that whoever asked need not wait.
    pub fn result(&self, addon: u64, payload: Value) -> Result<(), String> {
        let Value::Object(mut fields) = payload else {
            return Err("payload: expected an object with \"request_id\"".to_owned());
        };
        let Some(Value::String(id)) = fields.remove("request_id") else {
            return Err("field \"request_id\": expected the text of the command that this answers".to_owned());
        };
        let tell = self.waiting(|waiting| {
            let of_it = waiting.get(&id).is_some_and(|(of, _)| *of == addon);
            if of_it { waiting.remove(&id) } else { None }
        });
        let Some((_, tell)) = tell else {
            let id: String = id.chars().take(60).collect();
            return Err(format!(
                "field \"request_id\": no command {id:?} of this add-on waits for a result"
            ));
        };
        let is_word_of_failure = |told: &str| {
            ["fail", "err", "cancel", "abort", "refus"]
                .iter()
                .any(|w| told.starts_with(w))
        };
        let failed = fields.get("error").is_some_and(|error| !error.is_null())
            || fields.get("ok") == Some(&Value::Bool(false))
            || fields
                .get("status")
                .and_then(Value::as_str)
                .is_some_and(|told| is_word_of_failure(&told.trim().to_ascii_lowercase()));
        let told = fields.get("status").cloned().unwrap_or(Value::Null);
        let status = status_of(&told);
        let body = match (fields.remove("data"), fields.remove("body")) {
            (Some(data), _) | (None, Some(data)) if !failed => data,
            _ => Value::Object(fields),
        };
        let without = if failed { 422 } else { 200 };
        let read_as = match status {
            Some(status) => status,
            // It may have meant a failure: never a success.
            None if told.is_number() || told.as_str().is_some_and(|told| told.trim().parse::<f64>().is_ok()) => 502,
            None => without,
        };
        // Who asked may have gone.
        let _gone = tell.send(Answered { status: read_as, body });
        match status.is_some() || told.is_null() {
            true => Ok(()),
            false => {
                let told: String = told.to_string().chars().take(60).collect();
                Err(format!(
                    "field \"status\": expected 200 to 599, found {told}; read as {read_as}"
                ))
            }
        }
    }

    /// The connection of an add-on is over: whoever waits for it is told.
    pub fn fail_all_of(&self, addon: u64) {
        self.waiting(|waiting| waiting.retain(|_, (of, _)| *of != addon));
    }
}

/// An HTTP status, as a number or as its text.
fn status_of(told: &Value) -> Option<u16> {
    let status = match told {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (200..600).contains(&status).then_some(status)
}

fn away() -> Problem {
    Problem::new("addon-away", 503, "The add-on is not connected")
        .with("it was not asked, or its answer cannot come any more")
}

struct Forget<'a> {
    replies: &'a Replies,
    id: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.replies.waiting(|waiting| waiting.remove(self.id));
    }
}

/// The problem of an add-on without address and connection.
pub fn not_there() -> Problem {
    away()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn waiting(replies: &Replies, addon: u64) -> oneshot::Receiver<Answered> {
        let (tell, reply) = oneshot::channel();
        replies.waiting(|waiting| waiting.insert("r".into(), (addon, tell)));
        reply
    }

    #[test]
    fn only_who_was_asked_can_answer_and_only_once() {
        let replies = Replies::default();
        let mut reply = waiting(&replies, 2);
        assert!(
            replies
                .result(3, json!({ "request_id": "r" }))
                .unwrap_err()
                .contains("no command")
        );
        assert!(reply.try_recv().is_err(), "nothing came");
        replies
            .result(
                2,
                json!({ "request_id": "r", "status": 201, "data": { "job_id": "j" } }),
            )
            .unwrap();
        assert_eq!(
            reply.try_recv().unwrap(),
            Answered {
                status: 201,
                body: json!({ "job_id": "j" })
            }
        );
        assert!(replies.result(2, json!({ "request_id": "r" })).is_err());
    }

    #[test]
    fn a_status_that_cannot_be_meant_is_told_and_no_number_reads_as_success() {
        let replies = Replies::default();
        for (status, read_as) in [
            (json!(99), 502),
            (json!(409.5), 502),
            (json!("99"), 502),
            (json!("ok"), 200),
            (json!("Failed"), 422),
            (json!("cancelled"), 422),
        ] {
            let mut reply = waiting(&replies, 2);
            let told = replies
                .result(2, json!({ "request_id": "r", "status": status }))
                .unwrap_err();
            assert!(told.contains("\"status\": expected 200 to 599"), "{told}");
            assert_eq!(reply.try_recv().unwrap().status, read_as, "{status}");
        }
    }

    #[test]
    fn results_of_any_shape_are_read_or_named() {
        let replies = Replies::default();
        for (payload, word) in [
            (json!(null), "object"),
            (json!({}), "request_id"),
            (json!({ "request_id": 7 }), "request_id"),
        ] {
            assert!(replies.result(2, payload).unwrap_err().contains(word));
        }
        for (payload, status, body) in [
            (json!({ "request_id": "r" }), 200, json!({})),
            (
                json!({ "request_id": "r", "error": "no such drive" }),
                422,
                json!({ "error": "no such drive" }),
            ),
            (
                json!({ "request_id": "r", "status": "409", "x": 1 }),
                409,
                json!({ "status": "409", "x": 1 }),
            ),
            (
                json!({ "request_id": "r", "status": 409, "error": "busy", "data": 1 }),
                409,
                json!({ "status": 409, "error": "busy" }),
            ),
            (json!({ "request_id": "r", "body": [1] }), 200, json!([1])),
        ] {
            let mut reply = waiting(&replies, 2);
            replies.result(2, payload).unwrap();
            assert_eq!(reply.try_recv().unwrap(), Answered { status, body });
        }
    }
}
