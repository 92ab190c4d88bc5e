//! People: who is behind a request, how they come in, and what is their own.

pub(super) mod account;
pub(super) mod person;
mod session;

use crate::http::doc::routes::{Routes, routes};

/// Those below `/api/v1`.
pub(super) fn v1() -> Routes {
    Routes::default()
        .routes(routes!(session::claim))
        .routes(routes!(session::show, session::log_in, session::log_out))
        .routes(routes!(account::change_password))
        .routes(routes!(account::end_others))
        .routes(routes!(account::sessions))
        .routes(routes!(account::end_session))
}

/// Those on the paths of existing Vigil clients.
pub(super) fn vigil() -> Routes {
    Routes::default()
        .routes(routes!(session::vigil_log_in))
        .routes(routes!(session::vigil_log_out))
        .routes(routes!(session::me))
        .routes(routes!(account::vigil_change_password))
        .routes(routes!(account::vigil_change_name))
}
