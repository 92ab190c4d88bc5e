//! Work that the runtime must not wait for, or that must come to its end.

use crate::http::Refusal;

pub(in crate::http) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Refusal::new("internal", 500, "It was not done"))
}

/// Does it whatever becomes of the request: who goes away midway must leave nothing half done.
pub(in crate::http) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work)
        .await
        .map_err(|_| Refusal::new("internal", 500, "It was not done"))?
}
