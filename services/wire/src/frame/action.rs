//! What a server asks of an add-on that has no address of its own, down the WebSocket, and what comes back.
//!
//! `{"type":"command","payload":{"request_id","component_id","action","data"}}` is answered by
//! `{"type":"result","payload":{"request_id","status","data","error"}}`. The box's own agent has commands of its own
//! ([`crate::command`]); the two are told apart by `request_id`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;
use utoipa::ToSchema;

use super::{BadFrame, Frame};

/// One action that a person asked for on an add-on's page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ActionCall {
    /// Chosen by the server, unique on a connection; the result bears it.
    pub request_id: String,
    /// The component of the manifest on which it was asked.
    pub component_id: String,
    /// The action as the manifest names it.
    pub action: String,
    /// What the form's fields hold; never the password or the confirmation.
    #[serde(default)]
    #[ts(type = "unknown")]
    pub data: Value,
}

/// What an action came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct ActionResult {
    /// The call's.
    pub request_id: String,
    /// As an HTTP status: 200 to 299 is done, 400 to 599 refused or failed. Absent: 200, or 422 with an `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What there is to say, handed to the page that asked.
    #[serde(default, alias = "body", skip_serializing_if = "Value::is_null")]
    #[ts(type = "unknown")]
    pub data: Value,
    /// Why it was refused or failed, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl ActionCall {
    /// The frame that asks for it.
    pub fn frame(&self) -> Frame {
        Frame::Other {
            kind: "command".to_owned(),
            payload: serde_json::to_value(self).unwrap_or_default(),
        }
    }

    /// The call in a `command` frame's payload.
    ///
    /// # Errors
    /// Names what does not fit.
    pub fn read(payload: &Value) -> Result<Self, BadFrame> {
        Self::deserialize(payload).map_err(|error| BadFrame::field("command", "payload", error.to_string()))
    }
}

impl ActionResult {
    /// The frame that tells it.
    pub fn frame(&self) -> Frame {
        Frame::Other {
            kind: "result".to_owned(),
            payload: serde_json::to_value(self).unwrap_or_default(),
        }
    }

    /// The result in a `result` frame's payload.
    ///
    /// # Errors
    /// Names what does not fit; a status outside 200 to 599 too.
    pub fn read(payload: &Value) -> Result<Self, BadFrame> {
        let result =
            Self::deserialize(payload).map_err(|error| BadFrame::field("result", "payload", error.to_string()))?;
        match result.status {
            Some(status) if !(200..600).contains(&status) => Err(BadFrame::field(
                "result",
                "status",
                format!("expected 200 to 599, found {status}"),
            )),
            _ => Ok(result),
        }
    }

    /// The status, said or meant.
    pub fn status(&self) -> u16 {
        self.status.unwrap_or(if self.error.is_some() { 422 } else { 200 })
    }
}
