//! Work that the runtime must not wait for, or that must come to its end.

use tokio::task::JoinError;

use crate::http::Refusal;

fn broke_off(error: JoinError) -> Refusal {
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "the work of a request broke off"
    );
    Refusal::new("internal", 500, "It was not done").with("it broke off in the middle; the box's log has why")
}

/// Does it on a thread of its own: what takes longer than a request may hold one of the runtime.
pub(in crate::http) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(broke_off)
}

/// Does it whatever becomes of the request: who goes away midway must leave nothing half done.
pub(in crate::http) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work).await.map_err(broke_off)?
}
