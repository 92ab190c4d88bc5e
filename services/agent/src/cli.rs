//! Command line and environment of `kiln-agent`.

#![expect(clippy::doc_markdown, reason = "clap prints these as they stand")]

use std::path::PathBuf;

use clap::Parser;
use link::{Endpoint, Fingerprint, Trust};

/// Burn-in agent: watches the drives of this machine, burns them in when a person armed it, tells a server.
///
/// The token comes from VIGIL_ADDON_TOKEN, or from the file `agent-token` in CREDENTIALS_DIRECTORY.
#[derive(Debug, Parser)]
#[command(name = "kiln-agent", version)]
pub struct Options {
    /// The server: http://HOST:PORT, https://HOST:PORT or unix:/PATH
    #[arg(long, env = "VIGIL_SERVER_URL", value_parser = server, required_unless_present = "legacy_server")]
    server: Option<Endpoint>,
    /// The name that existing add-ons read the server's address from
    #[arg(long, hide = true, env = "VIGIL_URL", value_parser = server)]
    legacy_server: Option<Endpoint>,
    /// SHA-256 of the server's certificate, as a box's console shows it; without it and a file Mozilla's list counts
    #[arg(long, env = "KILN_FINGERPRINT", value_name = "HEX")]
    fingerprint: Option<Fingerprint>,
    /// File with the server's certificate, or the one of who signed it (PEM); a fingerprint counts before it
    #[arg(long, env = "SSL_CERT_FILE", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Add-on id that the server gave this agent; without one it enrols with its token
    #[arg(long, env = "VIGIL_ADDON_ID", value_parser = number)]
    pub addon_id: Option<u64>,
    /// Where jobs, checkpoints and unsent events are kept
    #[arg(long, default_value = "/var/lib/kiln/agent")]
    pub data: PathBuf,
    /// Directory in RAM for copies of unfinished jobs, for a medium that is pulled
    #[arg(long, default_value = "/run/kiln/agent")]
    pub run: PathBuf,
    /// Directory with playbooks that came with the medium; only read
    #[arg(long, env = "KILN_PLAYBOOKS")]
    pub playbooks: Option<PathBuf>,
    /// Address to listen on for what a Vigil server asks of an add-on's URL: 0.0.0.0:9102; off by default
    #[arg(long, env = "KILN_LISTEN", value_name = "ADDR")]
    pub listen: Option<std::net::SocketAddr>,
    /// Let a foreign Vigil server ask for burn-ins; each needs a code from this agent's console (1, true or yes)
    #[arg(long, env = "KILN_ALLOW_FOREIGN_GATE", value_parser = switch, default_value = "", num_args = 0..=1,
        default_missing_value = "1", hide_default_value = true)]
    pub allow_foreign_gate: bool,
    /// Most bytes a second of one drive: 40M, 1.5G
    #[arg(long, env = "KILN_RATE_DRIVE", value_name = "RATE", value_parser = burnin::pace::rate)]
    rate_drive: Option<u64>,
    /// Most bytes a second of all drives of one controller
    #[arg(long, env = "KILN_RATE_CONTROLLER", value_name = "RATE", value_parser = burnin::pace::rate)]
    rate_controller: Option<u64>,
    /// Most bytes a second of all drives
    #[arg(long, env = "KILN_RATE_TOTAL", value_name = "RATE", value_parser = burnin::pace::rate)]
    rate_total: Option<u64>,
    /// Seconds that count for one where heat is waited out; for tests
    #[arg(long, hide = true, default_value_t = 1)]
    pub heat_clock: u32,
    /// How many times a job's task fails behind a checkpoint, before a verdict or before the end; for tests
    #[arg(long, hide = true, default_value_t = 0)]
    pub fail_jobs: u32,
    /// The only place where it does, as `Means::fail_if_asked` names it; for tests
    #[arg(long, hide = true)]
    pub fail_place: Option<String>,
    /// How many drives are formatted at once, whatever memory there is; for tests
    #[arg(long, hide = true)]
    pub formats: Option<usize>,
    /// File that is read in place of the kernel's log; for tests
    #[arg(long, hide = true)]
    pub kernel_log: Option<PathBuf>,
    /// List and admit loop devices; for tests
    #[arg(long, hide = true, env = "KILN_ALLOW_LOOP")]
    pub allow_loop: bool,
    /// Bytes between two checkpoints; for tests
    #[arg(long, hide = true, env = "KILN_CHECKPOINT_BYTES")]
    pub checkpoint_bytes: Option<u64>,
    /// smartctl to run
    #[arg(long, hide = true, default_value = "smartctl")]
    pub smartctl: PathBuf,
}

impl Options {
    /// The server: by flag or VIGIL_SERVER_URL, else by VIGIL_URL. `None` only where the parser was not asked.
    pub fn server(&self) -> Option<Endpoint> {
        let trust = match (self.fingerprint, &self.ca) {
            (Some(fingerprint), _) => Trust::Fingerprint(fingerprint),
            (None, Some(file)) => Trust::File(file.clone()),
            (None, None) => Trust::Public,
        };
        let server = self.server.as_ref().or(self.legacy_server.as_ref())?;
        Some(server.clone().believing(trust))
    }
}

impl Options {
    /// The limits that all jobs share.
    pub fn rates(&self) -> burnin::pace::Limits {
        burnin::pace::Limits {
            drive: self.rate_drive,
            controller: self.rate_controller,
            total: self.rate_total,
        }
    }
}

/// A value as a compose file writes it, without the quotes that a list leaves.
fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\'']).trim()
}

fn number(text: &str) -> Result<u64, std::num::ParseIntError> {
    unquoted(text).parse()
}

fn server(text: &str) -> Result<Endpoint, <Endpoint as std::str::FromStr>::Err> {
    unquoted(text).parse()
}

/// Reads a switch; what is neither on nor off is refused, so that nobody believes that it is off.
fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("{text:?}: expected 1 or 0")),
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// Neither source has one.
    #[error("no add-on token: set VIGIL_ADDON_TOKEN, or give the credential agent-token")]
    None,
    /// The credential cannot be read.
    #[error("reading the credential {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        cause: std::io::Error,
    },
}

/// The add-on token from the environment or the credentials.
///
/// # Errors
/// Names where one was looked for.
pub fn token() -> Result<String, NoToken> {
    for name in ["VIGIL_ADDON_TOKEN", "VIGIL_TOKEN", "VIGIL_AGENT_TOKEN"] {
        if let Ok(token) = std::env::var(name)
            && !unquoted(&token).is_empty()
        {
            return Ok(unquoted(&token).to_owned());
        }
    }
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(NoToken::None)?;
    let path = PathBuf::from(directory).join("agent-token");
    match std::fs::read_to_string(&path) {
        Ok(token) if !token.trim().is_empty() => Ok(token.trim().to_owned()),
        Ok(_) => Err(NoToken::None),
        Err(cause) => Err(NoToken::Read { path, cause }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    /// What a person finds of them: beside the program, and on a box, which has no command line.
    const README: &str = include_str!("../README.md");
    const KILN_TOML: &str = include_str!("../../../rootfs/kiln.toml");
    const GUIDE: &str = include_str!("../../../rootfs/docs/burnin.md");

    #[test]
    fn quotes_that_a_compose_list_leaves_are_no_part_of_a_value() {
        for (server, id) in [
            ("\"http://vigil-server:7000\"", "\"7\""),
            (" 'http://vigil-server:7000' ", "7"),
        ] {
            let options = Options::try_parse_from(["kiln-agent", "--server", server, "--addon-id", id]).unwrap();
            let bare = Options::try_parse_from(["kiln-agent", "--server", "http://vigil-server:7000"]).unwrap();
            assert_eq!((options.server(), options.addon_id), (bare.server(), Some(7)));
        }
        assert_eq!(unquoted(" \"vigil_token\" "), "vigil_token");
    }

    #[test]
    fn every_variable_that_is_read_is_documented() {
        let options = Options::command();
        let shown = options.get_arguments().filter(|option| !option.is_hide_set());
        let variables: Vec<&str> = shown.filter_map(|option| option.get_env()?.to_str()).collect();
        assert!(variables.len() > 5, "{variables:?}");
        for name in variables {
            let said = [format!("`{name}`"), format!("`{name}=")];
            assert!(
                said.iter().any(|said| README.contains(said)),
                "{name} is not in README.md"
            );
            if name.starts_with("KILN_RATE_") {
                assert!(GUIDE.contains(&format!("`{name}`")), "{name} is not in burnin.md");
                assert!(
                    KILN_TOML.contains(&format!("# {name} = ")),
                    "{name} is not in kiln.toml"
                );
            }
        }
    }

    #[test]
    fn a_bad_flag_is_named_with_what_is_expected() {
        let error = |args: &[&str]| Options::try_parse_from(args).unwrap_err();
        let server = error(&["kiln-agent", "--server", "vigil", "--addon-id", "1"]);
        assert!(server.to_string().contains("expected http://HOST:PORT"), "{server}");
        let id = error(&["kiln-agent", "--server", "unix:/s", "--addon-id", "one"]);
        assert_eq!(id.kind(), ErrorKind::ValueValidation);
        let options = Options::try_parse_from(["kiln-agent", "--server", "unix:/s", "--addon-id", "1"]).unwrap();
        assert_eq!(options.addon_id, Some(1));
        // As compose files leave them.
        for quoted in [" 1", "\"1\"", "'1' "] {
            let args = [
                "kiln-agent",
                "--server",
                " http://vigil-server:7000 ",
                "--addon-id",
                quoted,
            ];
            assert_eq!(Options::try_parse_from(args).unwrap().addon_id, Some(1), "{quoted:?}");
        }
        assert_eq!(options.server(), Some(Endpoint::Unix("/s".into())));
        let hex = "ab".repeat(32);
        let pinned = ["kiln-agent", "--server", "https://box", "--fingerprint", &hex];
        let server = Options::try_parse_from(pinned).unwrap().server().unwrap();
        assert!(
            matches!(&server, Endpoint::Tls { port: 443, trust: Trust::Fingerprint(it), .. } if *it == hex.parse().unwrap()),
            "{server:?}"
        );
        let short = error(&["kiln-agent", "--server", "https://box", "--fingerprint", "ab"]);
        assert!(short.to_string().contains("64 hexadecimal digits"), "{short}");
        let rates = ["--rate-drive", "40M", "--rate-total", "1.5GB/s"];
        let limited = Options::try_parse_from([&["kiln-agent", "--server", "unix:/s"], &rates[..]].concat()).unwrap();
        assert_eq!(
            limited.rates(),
            burnin::pace::Limits {
                drive: Some(40_000_000),
                controller: None,
                total: Some(1_500_000_000)
            }
        );
        for bad in ["fast", "40", "-1M", "M", "NaN"] {
            let slow = error(&["kiln-agent", "--server", "unix:/s", "--rate-drive", bad]);
            assert!(
                slow.to_string().contains("expected bytes a second") || bad == "-1M",
                "{slow}"
            );
        }
        assert!(!options.allow_foreign_gate && options.listen.is_none(), "both are off");
        let with = |value: &str| {
            Options::try_parse_from([
                "kiln-agent",
                "--server",
                "unix:/s",
                &format!("--allow-foreign-gate={value}"),
            ])
            .map(|options| options.allow_foreign_gate)
        };
        assert!(with("1").unwrap() && with("yes").unwrap() && !with("0").unwrap());
        assert!(with("maybe").unwrap_err().to_string().contains("expected 1 or 0"));
        let legacy = Options::try_parse_from(["kiln-agent", "--legacy-server", "http://hub:9080"]).unwrap();
        assert_eq!(legacy.server(), Some("http://hub:9080".parse().unwrap()));
        assert_eq!(error(&["kiln-agent"]).kind(), ErrorKind::MissingRequiredArgument);
    }
}
