//! A long body as it arrives, from somebody who goes on sending: whoever has stopped, or drips, must not keep a seat that there
//! is one of.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use crate::update::Pace;

/// Longest silence.
const SILENCE: Duration = Duration::from_secs(30);

/// Why no more bytes come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    /// Nothing came, or too little.
    #[error("{0}")]
    Slow(String),
    /// The connection broke.
    #[error("{0}")]
    Broken(axum::Error),
}

/// The bytes of a body until they stop; an error is the last.
pub(crate) fn steadily(body: Body) -> impl Stream<Item = Result<Bytes, Stopped>> + Send + 'static {
    let begun = Some((body, Pace::new(Instant::now())));
    futures_util::stream::unfold(begun, async |under_way| {
        let (mut body, mut pace) = under_way?;
        match next(&mut body, &mut pace).await {
            Ok(bytes) => bytes.map(|bytes| (Ok(bytes), Some((body, pace)))),
            Err(why) => Some((Err(why), None)),
        }
    })
}

async fn next(body: &mut Body, pace: &mut Pace) -> Result<Option<Bytes>, Stopped> {
    loop {
        let silent = |_| Stopped::Slow(format!("nothing came for {} s", SILENCE.as_secs()));
        let Some(frame) = timeout(SILENCE, body.frame()).await.map_err(silent)? else {
            return Ok(None);
        };
        if let Ok(bytes) = frame.map_err(Stopped::Broken)?.into_data() {
            pace.took(Instant::now(), bytes.len()).map_err(Stopped::Slow)?;
            return Ok(Some(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    /// What arrives of `bytes` every `every` seconds, and why it ends.
    async fn arrives(bytes: usize, every: u64, times: usize) -> (usize, Option<Stopped>) {
        let body = stream::unfold(0, move |n| async move {
            tokio::time::sleep(Duration::from_secs(every)).await;
            (n < times).then(|| (Ok::<_, std::io::Error>(vec![0_u8; bytes]), n + 1))
        });
        let mut all = std::pin::pin!(steadily(Body::from_stream(body)));
        let mut got = 0;
        while let Some(next) = all.next().await {
            match next {
                Ok(bytes) => got += bytes.len(),
                Err(why) => {
                    assert!(all.next().await.is_none(), "it is the last");
                    return (got, Some(why));
                }
            }
        }
        (got, None)
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_or_drips_is_cut_off_and_who_is_slow_is_not() {
        let (got, why) = arrives(100_000, 31, 9).await;
        assert!(got == 0 && matches!(why, Some(Stopped::Slow(why)) if why.contains("30 s")));
        let (got, why) = arrives(1, 20, 1000).await;
        assert!(got <= 3 && matches!(why, Some(Stopped::Slow(why)) if why.contains("in a minute")));
        let (got, why) = arrives(100_000, 20, 40).await;
        assert!(got == 4_000_000 && why.is_none(), "{why:?}");
    }
}
