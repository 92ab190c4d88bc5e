//! A server in this process: real app, real router, real sockets on loopback, a clock of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use server::app::{App, Setup};
use server::clock::Clock;
use server::http::{Hosts, router};
use server::serve::listen;
use server::serve::seats::{self, Seats};
use server::serve::serve;
use server::tls::Identity;

use crate::client::Client;

/// Token of the built-in agent in these tests.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Password of the first user.
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct Box_ {
    pub app: Arc<App>,
    pub clock: Clock,
    pub address: SocketAddr,
    /// Where its state is; `None` where somebody else owns it.
    _dir: Option<tempfile::TempDir>,
}

impl Box_ {
    /// An unclaimed box with a built-in agent.
    pub(crate) async fn unclaimed() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut made = Self::at(dir.path(), None).await;
        made._dir = Some(dir);
        made
    }

    /// A box that `admin` has claimed.
    pub(crate) async fn claimed() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut made = Self::at(dir.path(), Some(("admin".into(), PASSWORD.into()))).await;
        made._dir = Some(dir);
        made
    }

    pub(crate) async fn at(dir: &Path, admin: Option<(String, String)>) -> Self {
        Self::sized(dir, admin, server::tables::MAP_SIZE).await
    }

    /// With a store of at most so many bytes.
    pub(crate) async fn sized(dir: &Path, admin: Option<(String, String)>, map_size: usize) -> Self {
        let clock = Clock::default();
        let setup = Setup {
            data: dir.to_owned(),
            name: "kiln".into(),
            admin,
            agent_token: Some(TOKEN.into()),
            check: store::Check::InProcess,
            clock: clock.clone(),
            watch: server::hub::liveness::Watch::default(),
            alerts: server::alerts::Settings::default(),
            map_size,
            wrong: Vec::new(),
        };
        let app = App::start(setup).await.unwrap();
        let tls = Identity::open(dir, "kiln", app.clock.now().wall).unwrap();
        let _known = app.life.certificate.set(tls.shown.clone());
        let tls = Some(server::tls::acceptor(&tls));
        let (address, listener) = listen::tcp(([127, 0, 0, 1], 0).into()).await.unwrap();
        tokio::spawn(serve(
            listener,
            Seats::new(seats::NETWORK),
            router(Arc::clone(&app), Hosts::default()),
            tls,
            app.stopping.subscribe(),
        ));
        Self {
            app,
            clock,
            address,
            _dir: None,
        }
    }

    /// A box over a directory that another one, which is ending, may still hold for a moment.
    pub(crate) async fn at_once_free(dir: &Path) -> Self {
        let options = store::Options {
            schema: server::tables::SCHEMA,
            check: store::Check::InProcess,
            ..store::Options::new(server::tables::NAMES)
        };
        let free = async {
            while store::open(dir, &options).is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(crate::client::PATIENCE, free).await.unwrap();
        Self::at(dir, None).await
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// A client that is logged in as `admin`.
    pub(crate) async fn admin(&self) -> Client {
        let mut client = self.client();
        let body = serde_json::json!({ "username": "admin", "password": PASSWORD });
        let answer = client.post("/api/v1/session", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        client
    }
}
