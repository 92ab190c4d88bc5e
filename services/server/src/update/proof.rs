//! What the server proves while a new system is on trial: it answers itself over the network, its store is written and read
//! back, and the agent sees the bus. Said to PID 1 every ten seconds; PID 1 judges.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wire::boxes::Liveness;
use wire::supervisor::Request;

use crate::app::App;

/// Between two words.
const EVERY: Duration = Duration::from_secs(10);
/// How long its own answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Speaks for as long as the running slot is on trial, and whenever that is.
pub async fn run(app: Arc<App>) {
    let mut stopping = app.stopping.subscribe();
    loop {
        let trial = app.hub(|hub| hub.status().is_some_and(|status| status.update.trial.is_some()));
        if trial {
            let missing = missing(&app).await;
            let _gone = app.life.orders.send(Request::Proof { missing }).await;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = crate::app::stopped(&mut stopping) => return,
        }
    }
}

/// What is not proven; `None` when all is.
async fn missing(app: &App) -> Option<String> {
    match tokio::time::timeout(PATIENCE, ask_itself(app)).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return Some(format!("the server does not answer itself ({why})")),
        Err(_) => {
            return Some(format!(
                "the server does not answer itself within {} s",
                PATIENCE.as_secs()
            ));
        }
    }
    if let Err(error) = app.store.touch().await {
        return Some(format!("the server's store cannot be written and read ({error})"));
    }
    let now = app.clock.now();
    let (state, seen) = app.hub(|hub| (hub.agent(now).state, hub.sees_a_drive()));
    match (state, seen) {
        (Liveness::Online, true) => None,
        // The boot medium is a drive, too: a bus without any was not seen.
        (Liveness::Online, false) => Some("the agent has not seen the bus".into()),
        (state, _) => Some(format!("the agent is {}", format!("{state:?}").to_lowercase())),
    }
}

async fn ask_itself(app: &App) -> Result<(), String> {
    let Some(address) = app.update.own.get() else {
        return Err("it listens on no address".into());
    };
    let told = |e: &dyn std::fmt::Display| e.to_string();
    let stream = TcpStream::connect(address).await.map_err(|e| told(&e))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| told(&e))?;
    let driving = tokio::spawn(connection);
    let request = http::Request::get("/api/v1/health")
        .header("Host", "localhost")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|e| told(&e))?;
    let answered = async {
        let answer = sender.send_request(request).await.map_err(|e| told(&e))?;
        let status = answer.status();
        Limited::new(answer.into_body(), 1 << 16)
            .collect()
            .await
            .map_err(|e| told(&e))?;
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("status {status}"))
        }
    };
    let answered = answered.await;
    driving.abort();
    answered
}
