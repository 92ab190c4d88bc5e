//! Where a server is, and the client's end of a connection to it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::HeaderValue;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};

use crate::connection::{self, Receiver, Sender};
use crate::counted::Counted;
use crate::limits::Limits;
use crate::reach::reach_host;
use crate::trust::{BadTrust, Stranger, Trust, speaks_no_tls};

/// Longest time for a connection to be made and upgraded.
const CONNECT: Duration = Duration::from_secs(10);

/// A stream to a server: TCP, TLS or Unix.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `http://HOST:PORT`
    Tcp {
        /// Host name or address; an IPv6 address without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// `https://HOST:PORT`
    Tls {
        /// Host name or address; an IPv6 address without brackets.
        host: String,
        /// Port.
        port: u16,
        /// Whose certificate is taken for the server's.
        trust: Trust,
    },
    /// `unix:PATH`
    Unix(PathBuf),
}

/// A text that does not name a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("server {text:?}: {why}; expected http://HOST:PORT, https://HOST:PORT or unix:/PATH")]
pub struct BadEndpoint {
    text: String,
    why: &'static str,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens there, or the way there is broken.
    #[error("connecting to {to}")]
    Connect {
        /// The server.
        to: Endpoint,
        /// The operating system's reason.
        #[source]
        cause: std::io::Error,
    },
    /// There is no TLS to be had with what is known of whom to believe.
    #[error("connecting to {to}")]
    Trust {
        /// The server.
        to: Endpoint,
        /// What is wrong.
        #[source]
        cause: BadTrust,
    },
    /// The server is not the one that is believed; nothing was sent to it.
    #[error(
        "{to} is not known: {stranger}. If it is the right one, name it by its fingerprint or by a file with the certificate that signed it. Nothing was sent"
    )]
    Stranger {
        /// The server.
        to: Endpoint,
        /// Its certificate.
        stranger: Stranger,
    },
    /// There is something, and it speaks no TLS; nothing was sent to it.
    #[error("{to} speaks no TLS; if it is the right one and the way to it is your own, write http:// or ws://")]
    Plain {
        /// The server.
        to: Endpoint,
    },
    /// It took too long.
    #[error("{to} did not answer within {} s", CONNECT.as_secs())]
    Late {
        /// The server.
        to: Endpoint,
    },
    /// The server answered, but not with a WebSocket: 401 wrong token, 404 unknown add-on, 403 disabled.
    #[error("{to} refused: {status} {body}")]
    Refused {
        /// The server.
        to: Endpoint,
        /// HTTP status.
        status: u16,
        /// The start of what it said.
        body: String,
    },
    /// The token cannot stand in a header.
    #[error("the add-on token has characters that no HTTP header may carry")]
    Token,
    /// The upgrade failed otherwise.
    #[error("the upgrade to WebSocket at {to} failed")]
    Upgrade {
        /// The server.
        to: Endpoint,
        /// The library's reason.
        #[source]
        cause: Box<tungstenite::Error>,
    },
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let text = text.trim();
        let bad = |why| BadEndpoint {
            text: text.chars().take(120).collect(),
            why,
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err(bad("the socket's path does not begin with /"));
            }
            return Ok(Self::Unix(path.into()));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("no scheme"))?;
        let (default_port, tls) = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => (80, false),
            "https" | "wss" => (443, true),
            _ => return Err(bad("unknown scheme")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@', ' ']) {
            return Err(bad("something else than a host and a port"));
        }
        let uri: http::Uri = format!("http://{authority}/").parse().map_err(|_| bad("not a host"))?;
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| bad("no host"))?;
        let port = match authority.strip_prefix(host) {
            Some("") => default_port,
            Some(rest) => match rest.strip_prefix(':').and_then(|digits| digits.parse().ok()) {
                Some(0) | None => return Err(bad("the port is not 1 to 65535")),
                Some(port) => port,
            },
            None => return Err(bad("not a host")),
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(if tls {
            let trust = Trust::default();
            Self::Tls { host, port, trust }
        } else {
            Self::Tcp { host, port }
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { .. } => write!(f, "http://{}", self.authority()),
            Self::Tls { .. } => write!(f, "https://{}", self.authority()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Endpoint {
    /// Whether the server is on this very machine, behind a Unix socket.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// What stands in the `Host` header: `HOST:PORT`, or `localhost` for a Unix socket.
    pub fn authority(&self) -> String {
        match self {
            Self::Tcp { host, port } | Self::Tls { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } | Self::Tls { host, port, .. } => format!("{host}:{port}"),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }

    /// The same server, believed only by `trust`; one without TLS stays as it is.
    #[must_use]
    pub fn believing(self, trust: Trust) -> Self {
        match self {
            Self::Tls { host, port, .. } => Self::Tls { host, port, trust },
            other @ (Self::Tcp { .. } | Self::Unix(_)) => other,
        }
    }

    /// A stream to the server; with TLS the server is known when it is returned.
    ///
    /// # Errors
    /// Says which step failed.
    pub async fn open(&self) -> Result<Box<dyn Stream>, ConnectError> {
        timeout(CONNECT, self.reach())
            .await
            .map_err(|_| ConnectError::Late { to: self.clone() })?
    }

    async fn reach(&self) -> Result<Box<dyn Stream>, ConnectError> {
        let broken = |cause| ConnectError::Connect {
            to: self.clone(),
            cause,
        };
        let tcp = async |host: &str, port: u16| {
            let stream = reach_host(host, port, CONNECT).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        Ok(match self {
            Self::Tcp { host, port } => Box::new(tcp(host, *port).await.map_err(broken)?),
            Self::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(broken)?),
            Self::Tls { host, port, trust } => {
                let config = trust.config().map_err(|cause| ConnectError::Trust {
                    to: self.clone(),
                    cause,
                })?;
                let name = ServerName::try_from(host.clone()).map_err(|bad| broken(std::io::Error::other(bad)))?;
                let stream = tcp(host, *port).await.map_err(broken)?;
                let stream = TlsConnector::from(config).connect(name, stream).await;
                Box::new(stream.map_err(|cause| match Stranger::of(&cause) {
                    Some(stranger) => ConnectError::Stranger {
                        to: self.clone(),
                        stranger: stranger.clone(),
                    },
                    None if speaks_no_tls(&cause) => ConnectError::Plain { to: self.clone() },
                    None => broken(cause),
                })?)
            }
        })
    }

    /// Connects as add-on `addon_id`: `GET /api/addons/ws?addon_id=…` with the token as bearer.
    ///
    /// # Errors
    /// Says which step failed; [`ConnectError::Refused`] carries the server's word.
    pub async fn connect(
        &self,
        addon_id: u64,
        token: &str,
        limits: Limits,
    ) -> Result<(Sender, Receiver), ConnectError> {
        let upgrade = |cause| ConnectError::Upgrade {
            to: self.clone(),
            cause: Box::new(cause),
        };
        let address = format!("ws://{}/api/addons/ws?addon_id={addon_id}", self.authority());
        let mut request = address.into_client_request().map_err(upgrade)?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ConnectError::Token)?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(http::header::AUTHORIZATION, bearer);
        let stream = Counted::new(self.open().await?, None);
        let upgraded = client_async_with_config(request, stream, Some(connection::config(&limits)));
        match timeout(CONNECT, upgraded).await {
            Ok(Ok((socket, _response))) => Ok(connection::start(socket, limits, &self.to_string())),
            Ok(Err(tungstenite::Error::Http(response))) => Err(ConnectError::Refused {
                to: self.clone(),
                status: response.status().as_u16(),
                body: response
                    .body()
                    .as_ref()
                    .map(|body| String::from_utf8_lossy(&body[..body.len().min(300)]).trim().to_owned())
                    .unwrap_or_default(),
            }),
            Ok(Err(cause)) => Err(upgrade(cause)),
            Err(_) => Err(ConnectError::Late { to: self.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn servers_are_named_by_url_or_socket() {
        for (text, host, port) in [
            ("http://vigil-server:7000", "vigil-server", 7000),
            (" http://vigil-server:7000/ \n", "vigil-server", 7000),
            ("http://10.0.0.1:80/", "10.0.0.1", 80),
            ("ws://box.local", "box.local", 80),
            ("http://[fe80::1]:7000", "fe80::1", 7000),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(
                endpoint,
                Endpoint::Tcp {
                    host: host.into(),
                    port
                },
                "{text}"
            );
            assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint);
        }
        for (text, authority) in [
            ("https://box.local", "box.local:443"),
            ("wss://[fe80::1]:7443/", "[fe80::1]:7443"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.authority(), authority);
            assert_eq!(endpoint.to_string(), format!("https://{authority}"));
            assert!(
                matches!(
                    endpoint,
                    Endpoint::Tls {
                        trust: Trust::Public,
                        ..
                    }
                ),
                "{endpoint:?}"
            );
        }
        let unix: Endpoint = "unix:/run/kiln/server.sock".parse().unwrap();
        assert_eq!(unix, Endpoint::Unix("/run/kiln/server.sock".into()));
        assert!(unix.is_local());
        assert_eq!(unix.to_string(), "unix:/run/kiln/server.sock");
    }

    #[test]
    fn what_names_no_server_is_refused_with_what_is_expected() {
        for text in [
            "",
            "vigil:7000",
            "https://x/api",
            "https://x:99999",
            "ftp://x",
            "http://",
            "http://x:0",
            "http://x:99999",
            "http://x:",
            "http://x/api",
            "http://u@x",
            "unix:rel",
            "http://a b",
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains("expected http://HOST:PORT"), "{text}: {error}");
        }
    }
}
