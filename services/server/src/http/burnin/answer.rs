//! What the burn-in agent's answers come to over HTTP.

use axum::Json;
use wire::boxes::Told;
use wire::command::Answer;

use crate::app::App;
use crate::http::Refusal;
use crate::hub::Hub;

/// Server and agent do not understand each other.
pub(super) fn odd_answer() -> Refusal {
    Refusal::new("agent-odd", 502, "The burn-in agent's answer was not understood")
        .with("server and agent are of different versions")
}

/// The sentence of an answer that is one.
pub(in crate::http) fn told(answer: Answer) -> Result<Json<Told>, Refusal> {
    match answer {
        Answer::Done { told } => Ok(Json(Told { told })),
        Answer::Planned(_) | Answer::Started { .. } | Answer::Records { .. } | Answer::Aborted => Err(odd_answer()),
    }
}

/// Refuses what nobody may do to a box that belongs to nobody.
pub(in crate::http) fn claimed(app: &App) -> Result<(), Refusal> {
    if app.hub(Hub::is_claimed) {
        return Ok(());
    }
    Err(Refusal::new(
        "not-claimed",
        409,
        "Nothing can be done to a drive before the box is claimed",
    ))
}
