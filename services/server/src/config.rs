//! The command line and the environment.

#![expect(clippy::doc_markdown, reason = "clap prints these as they stand")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Parser;
use wire::Time;

/// Port in development.
const PORT: u16 = 7000;

/// Longest token taken from a file or the environment, in bytes.
const TOKEN_MAX: usize = 512;

/// Kiln's server: dashboard, API, event log, add-on protocol.
///
/// Under the Kiln supervisor or systemd the listening sockets are passed in, and --listen and --unix are not needed.
#[derive(Clone, Debug, Parser)]
#[command(name = "kiln-server", version)]
pub struct Config {
    /// Address and port to listen on; without it 0.0.0.0 and PORT (default 7000), unless sockets are passed in.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Directory of the server's state; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Unix socket to listen on as well.
    #[arg(long, value_name = "PATH")]
    pub unix: Option<PathBuf>,
    /// The supervisor's control socket.
    #[arg(long, value_name = "PATH", env = "KILN_CONTROL_SOCKET", default_value = wire::supervisor::CONTROL_SOCKET)]
    pub control: PathBuf,
    /// A name under which browsers may call this box, besides addresses, its host name and *.local; may be repeated.
    #[arg(long = "host", value_name = "NAME", env = "KILN_HOSTS", value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// Whether TLS is spoken, too, with a certificate that the box makes itself, on every TCP listener.
    #[arg(long, value_enum, env = "KILN_TLS", default_value = "on")]
    pub tls: Tls,
    /// Seconds between two heartbeats of an add-on.
    #[arg(long, value_name = "SECONDS", env = "KILN_HEARTBEAT_INTERVAL", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub heartbeat_interval: u64,
    /// Heartbeats that an add-on may miss before it counts as degraded.
    #[arg(long, value_name = "N", env = "KILN_HEARTBEAT_MISSES", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub heartbeat_misses: u32,
    /// URLs of alert channels, with commas or blanks between; they cannot be changed on the page.
    #[arg(
        long,
        value_name = "URLS",
        env = "KILN_ALERT_URLS",
        default_value = "",
        hide_env_values = true
    )]
    pub alert_urls: String,
    /// Address under which people reach this box, for links in alerts; without it http://NAME.local.
    #[arg(long, value_name = "URL", env = "KILN_URL", default_value = "")]
    pub url: String,
    /// Certificates in PEM that are trusted beside Mozilla's when alerts are sent.
    #[arg(long, value_name = "FILE", env = "SSL_CERT_FILE")]
    pub alert_roots: Option<PathBuf>,
    /// Port to listen on when --listen is not given.
    #[arg(long, hide = true, env = "PORT")]
    port: Option<u16>,
    /// User name for ADMIN_PASSWORD.
    #[arg(long, hide = true, env = "ADMIN_USER", default_value = "admin")]
    admin_user: String,
    /// Password with which an unclaimed box claims itself.
    #[arg(long, hide = true, env = "ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: Option<String>,
    /// Token of the built-in agent, where there is no credential file.
    #[arg(long, hide = true, env = "KILN_AGENT_TOKEN", hide_env_values = true)]
    agent_token: Option<String>,
    /// Directory of credential files.
    #[arg(long, hide = true, env = "CREDENTIALS_DIRECTORY")]
    credentials: Option<PathBuf>,
}

/// Whether TLS is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tls {
    /// Beside plain HTTP; a page that is called by port 80 moves to it.
    On,
    /// Plain HTTP alone.
    Off,
}

/// A credential that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadToken {
    /// Not read.
    #[error("reading the credential {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// Read, and no token.
    #[error("{0}: expected a token of 16 to {TOKEN_MAX} printable characters without blanks")]
    Shape(String),
}

fn token(text: &str, from: &str) -> Result<String, BadToken> {
    let text = text.trim();
    if (16..=TOKEN_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(BadToken::Shape(from.to_owned()))
}

impl Config {
    /// The address to listen on when no sockets were passed.
    pub fn address(&self) -> SocketAddr {
        self.listen
            .unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, self.port.unwrap_or(PORT)).into())
    }

    /// Names under which the box may be called besides its own: those of `--host`, and the one to which links in alerts lead.
    pub fn names(&self) -> Vec<String> {
        let url = self.url.trim().parse::<http::Uri>().ok();
        let of_links = url.and_then(|url| url.host().map(str::to_owned));
        self.hosts.iter().cloned().chain(of_links).collect()
    }

    /// How heartbeats of add-ons are watched.
    pub fn watch(&self) -> crate::hub::liveness::Watch {
        crate::hub::liveness::Watch {
            beat: std::time::Duration::from_secs(self.heartbeat_interval),
            misses: self.heartbeat_misses,
        }
    }

    /// What is said about alerts: by the environment, and by the credential `alerts`, section `[alerts]` of `kiln.toml`
    /// as JSON.
    pub fn alerts(&self) -> crate::alerts::Settings {
        let told = self
            .credentials
            .as_ref()
            .map(|dir| std::fs::read_to_string(dir.join("alerts")));
        let mut site = notify::site::Site::default();
        match told {
            None => {}
            Some(Ok(text)) => site = notify::site::read(&text, Time::now()),
            Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Some(Err(error)) => site.wrong.push(format!("kiln.toml, [alerts]: not read: {error}")),
        }
        crate::alerts::Settings {
            site,
            urls: self.alert_urls.clone(),
            address: self.url.clone(),
            roots: self.alert_roots.clone(),
        }
    }

    /// User name and password with which an unclaimed box claims itself.
    pub fn admin(&self) -> Option<(String, String)> {
        let password = self.admin_password.clone().filter(|password| !password.is_empty())?;
        Some((self.admin_user.clone(), password))
    }

    /// The built-in agent's token: the credential `agent-token`, else `KILN_AGENT_TOKEN`.
    ///
    /// # Errors
    /// When it is there and cannot be used.
    pub fn agent_token(&self) -> Result<Option<String>, BadToken> {
        if let Some(dir) = &self.credentials {
            let path: PathBuf = Path::new(dir).join("agent-token");
            match std::fs::read_to_string(&path) {
                Ok(text) => return token(&text, &path.display().to_string()).map(Some),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(BadToken::Read(path, error)),
            }
        }
        self.agent_token
            .as_deref()
            .map(|text| token(text, "KILN_AGENT_TOKEN"))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_credential_file_comes_before_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let parse = |dir: &Path| {
            Config::try_parse_from([
                "kiln-server",
                "--data",
                "/x",
                "--agent-token",
                "0123456789abcdef-env",
                "--credentials",
                dir.to_str().unwrap(),
            ])
            .unwrap()
        };
        assert_eq!(
            parse(dir.path()).agent_token().unwrap().unwrap(),
            "0123456789abcdef-env"
        );
        std::fs::write(dir.path().join("agent-token"), "0123456789abcdef-file\n").unwrap();
        assert_eq!(
            parse(dir.path()).agent_token().unwrap().unwrap(),
            "0123456789abcdef-file"
        );
        std::fs::write(dir.path().join("agent-token"), "short").unwrap();
        assert!(
            parse(dir.path())
                .agent_token()
                .unwrap_err()
                .to_string()
                .contains("agent-token")
        );
    }

    #[test]
    fn the_name_to_which_links_in_alerts_lead_is_one_of_the_boxs() {
        let names = |url: &str| {
            let config =
                Config::try_parse_from(["kiln-server", "--data", "/x", "--host", "nas.lan,bench", "--url", url]);
            config.unwrap().names()
        };
        assert_eq!(
            names("http://bench.example:8080/x"),
            ["nas.lan", "bench", "bench.example"]
        );
        assert_eq!(names(" https://Bench.Example "), ["nas.lan", "bench", "Bench.Example"]);
        for none in ["", "bench example", "/x"] {
            assert_eq!(names(none), ["nas.lan", "bench"], "{none:?}");
        }
    }

    #[test]
    fn a_bad_flag_is_named() {
        let error = Config::try_parse_from(["kiln-server", "--data", "/x", "--listen", "nowhere"]).unwrap_err();
        assert!(error.to_string().contains("--listen"));
    }
}
