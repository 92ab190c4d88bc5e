//! `kiln.toml`: what the owner has set, read from the initramfs. A mistake is shown and the rest is used.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use toml::{Table, Value};

pub use super::interface::Interface;
use super::interface::interface;
use super::mistake::{Wrong, no_toml, told, wrong_at};
use crate::words::text_of;

/// Where GRUB has put it.
pub const FILE: &str = "/kiln/kiln.toml";
/// Largest file that is read, in bytes: PID 1 holds it, and all that stands in it.
const FILE_MAX: u64 = 64 << 10;

/// What was understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// Host name.
    pub hostname: Option<String>,
    /// Environment for every unit.
    pub env: BTreeMap<String, String>,
    /// Interfaces by name (`eth0`) or hardware address (`52:54:00:12:34:56`); under the empty name what `[network]` says of
    /// the first one. What is not named is configured by DHCP and router advertisements.
    pub network: BTreeMap<String, Interface>,
    /// NTP servers, by name or address, and no others; none: those of DHCP, and Debian's pool.
    pub ntp: Vec<String>,
    /// Ports that the dashboard listens on besides its own: clients of existing servers look for 7000 or 3000.
    pub ports: Vec<u16>,
    /// State is to be made anew at this start.
    pub factory_reset: bool,
    /// Section `[alerts]` as JSON, which the server reads; empty: none.
    pub alerts: String,
    /// There is a file that could not be read as a whole: what it sets is not known.
    pub unread: bool,
}

/// Most ports of `listen`; `PORT` of `[env]` may add one. The box's own are [`OWN_PORTS`].
const PORTS_MAX: usize = 8;
const OWN_PORTS: [u16; 2] = [80, 443];
/// Most variables of `[env]`, and most bytes of one's value: a program's arguments and variables have a limit, and one that is
/// beyond it starts no more.
const VARIABLES_MAX: usize = 128;
const VALUE_MAX: usize = 4096;
/// Variables that PID 1 sets itself.
const OF_PID_1: [&str; 11] = [
    "CREDENTIALS_DIRECTORY",
    "KILN_CONTROL_SOCKET",
    "KILN_UNIT",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];
const PORT: &str = "a port like 7000";
const PORTS: &str = "a port like 7000, or a list of at most 8 ports";
const NTP: &str = "a list of names or addresses in quotes";

impl Site {
    /// Reads the file, if there is one.
    pub fn read() -> (Site, Vec<String>) {
        Self::at(Path::new(FILE))
    }

    fn at(file: &Path) -> (Site, Vec<String>) {
        let mut bytes = Vec::new();
        let read = File::open(file).and_then(|f| f.take(FILE_MAX + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) if bytes.len() as u64 > FILE_MAX => Site::unread(format!(
                "kiln.toml has more than {FILE_MAX} bytes, which are expected at most"
            )),
            Ok(_) => Site::of(&bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => (Site::default(), Vec::new()),
            Err(e) => Site::unread(format!("kiln.toml cannot be read: {e}")),
        }
    }

    fn of(bytes: &[u8]) -> (Site, Vec<String>) {
        match text_of(bytes) {
            Ok(text) => Site::parse(&text),
            Err(e) => Site::unread(format!("kiln.toml {e}")),
        }
    }

    fn unread(why: String) -> (Site, Vec<String>) {
        let site = Site {
            unread: true,
            ..Site::default()
        };
        (site, vec![why])
    }

    /// What is told of its mistakes, and where to correct them.
    pub fn banner(&self, mistakes: &[String]) -> String {
        let what = match self.unread {
            true => {
                "Nothing of kiln.toml is used, neither network nor anything else: the box runs as without that file"
            }
            false => "A setting was not understood and is not used",
        };
        let mistakes = mistakes.join("; ");
        format!("{what}: {mistakes}. Correct it on the boot partition and restart the box.")
    }

    /// Reads the text; each mistake names line or field and what is expected.
    pub fn parse(text: &str) -> (Site, Vec<String>) {
        let mut site = Site::default();
        let table: Table = match text.parse() {
            Ok(t) => t,
            Err(e) => return Site::unread(no_toml(&e, text)),
        };
        let mut wrong: Vec<Wrong> = Vec::new();
        for (key, value) in &table {
            match (key.as_str(), value) {
                ("hostname", Value::String(s)) if is_hostname(s) => site.hostname = Some(s.clone()),
                ("hostname", _) => wrong.push(wrong_at(
                    &[key],
                    "text of 1 to 63 letters, digits and -, with no - at either end",
                )),
                ("env", Value::Table(t)) => site.environment(t, &mut wrong),
                ("env", _) => wrong.push(wrong_at(&[key], "a section [env]")),
                ("network", Value::Table(t)) => site.interfaces(t, &mut wrong),
                ("network", _) => wrong.push(wrong_at(&[key], "a section [network]")),
                ("time", Value::Table(t)) => site.time(t, &mut wrong),
                ("time", _) => wrong.push(wrong_at(&[key], "a section [time]")),
                ("listen", v) => match ports(v) {
                    Some(list) => site.listen_on(&list),
                    None => wrong.push(wrong_at(&[key], PORTS)),
                },
                ("alerts", Value::Table(t)) => site.alerts = serde_json::to_string(t).unwrap_or_default(),
                ("alerts", _) => wrong.push(wrong_at(&[key], "a section [alerts]")),
                ("factory_reset", Value::Boolean(b)) => site.factory_reset = *b,
                // What the box itself writes when it has done so.
                ("factory_reset", Value::String(s)) if s == "ok" => {}
                ("factory_reset", _) => wrong.push(wrong_at(&[key], "true or false")),
                _ => wrong.push(wrong_at(
                    &[key],
                    "one of hostname, listen, factory_reset, [network], [time], [alerts], [env]",
                )),
            }
        }
        // What it means to every server that the specifications know.
        if let Some(port) = site.env.get("PORT").and_then(|p| port_in(p)) {
            site.listen_on(&[port]);
        }
        (site, told(&wrong, text))
    }

    fn listen_on(&mut self, ports: &[u16]) {
        for port in ports {
            if !OWN_PORTS.contains(port) && !self.ports.contains(port) {
                self.ports.push(*port);
            }
        }
    }

    fn environment(&mut self, t: &Table, wrong: &mut Vec<Wrong>) {
        for (k, v) in t {
            match v.as_str() {
                Some(_) if OF_PID_1.contains(&k.as_str()) => {
                    wrong.push(wrong_at(&["env", k], "no variable that the box sets itself"));
                }
                // The server would end over it, and the box start anew for ever.
                Some(s) if k == "PORT" && port_in(s).is_none() => wrong.push(wrong_at(&["env", k], PORT)),
                Some(s) if s.len() > VALUE_MAX => {
                    wrong.push(wrong_at(&["env", k], "a text of at most 4096 bytes"));
                }
                Some(_) if self.env.len() == VARIABLES_MAX => {
                    wrong.push(wrong_at(&["env", k], "at most 128 variables"));
                }
                Some(s) if is_variable(k) && !s.contains('\0') => {
                    self.env.insert(k.clone(), s.to_owned());
                }
                _ => wrong.push(wrong_at(
                    &["env", k],
                    "a variable name of letters, digits and _, and a text in quotes",
                )),
            }
        }
    }

    fn time(&mut self, t: &Table, wrong: &mut Vec<Wrong>) {
        for (k, v) in t {
            match (k.as_str(), texts(v, is_host)) {
                ("servers", Some(list)) => self.ntp = list,
                ("servers", None) => wrong.push(wrong_at(&["time", k], NTP)),
                _ => wrong.push(wrong_at(&["time", k], "servers")),
            }
        }
    }

    fn interfaces(&mut self, t: &Table, wrong: &mut Vec<Wrong>) {
        let (named, general): (Vec<_>, Vec<_>) = t.iter().partition(|(_, v)| v.is_table());
        if !general.is_empty() {
            let general: Table = general.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            self.network
                .insert(String::new(), interface(&general, &["network"], wrong));
        }
        for (name, v) in named {
            match v.as_table() {
                Some(_) if self.network.contains_key(&name.to_ascii_lowercase()) => {
                    wrong.push(wrong_at(
                        &["network", name],
                        "each interface once: large and small letters are the same here",
                    ));
                }
                Some(t) if is_interface(name) => {
                    let read = interface(t, &["network", name], wrong);
                    self.network.insert(name.to_ascii_lowercase(), read);
                }
                _ => wrong.push(wrong_at(
                    &["network", name],
                    "an interface's name like eth0 or its hardware address like \"52:54:00:12:34:56\"",
                )),
            }
        }
    }
}

/// The port that a text names.
fn port_in(s: &str) -> Option<u16> {
    s.parse::<u16>().ok().filter(|n| *n > 0)
}

/// A port, or a list of them.
fn ports(v: &Value) -> Option<Vec<u16>> {
    let port = |v: &Value| v.as_integer().and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
    match v.as_array() {
        Some(a) if a.len() <= PORTS_MAX => a.iter().map(port).collect(),
        _ => Some(vec![port(v)?]),
    }
}

/// A text, or a list of at most 16 texts, each of which is `fit`.
pub(super) fn texts(v: &Value, fit: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    let list = match v.as_array() {
        Some(a) if a.len() <= 16 => a.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?,
        _ => vec![v.as_str()?],
    };
    list.iter()
        .all(|s| fit(s))
        .then(|| list.into_iter().map(str::to_owned).collect())
}

/// Name (15 characters at most, linux/if.h) or hardware address of an interface.
fn is_interface(s: &str) -> bool {
    let name = (1..16).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let mac = s.len() == 17
        && s.split(':').count() == 6
        && s.split(':')
            .all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
    name || mac
}

/// A host's name or address, as it may stand in another program's configuration. What ends with a number is an address, or a
/// mistake in one.
pub(crate) fn is_host(s: &str) -> bool {
    let is_label = |l: &str| {
        (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !l.starts_with('-')
    };
    let name = s.strip_suffix('.').unwrap_or(s);
    let last = name.rsplit('.').next().unwrap_or_default();
    s.parse::<IpAddr>().is_ok()
        || s.len() <= 253 && name.split('.').all(is_label) && !last.bytes().all(|b| b.is_ascii_digit())
}

fn is_hostname(s: &str) -> bool {
    (1..=63).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !s.starts_with('-')
        && !s.ends_with('-')
}

/// Whether this can be the name of an environment variable.
pub fn is_variable(s: &str) -> bool {
    (1..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::cast_possible_truncation,
        reason = "a failed unwrap is a failed test"
    )]
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn what_is_right_is_used_and_what_is_wrong_is_named() {
        let (s, e) = Site::parse(
            "hostname = 'bench-3'\n[env]\nPORT = '80'\nBAD-NAME = 'x'\nN = 3\n[network]\naddress='192.0.2.4/24'\ngateway='192.0.2.1'\ndns=['1.1.1.1']\n[alerts]\nx=1\n",
        );
        assert_eq!(s.hostname.as_deref(), Some("bench-3"));
        assert_eq!(s.alerts, "{\"x\":1}");
        assert_eq!(
            s.env.into_iter().collect::<Vec<_>>(),
            [("PORT".to_owned(), "80".to_owned())]
        );
        let first = &s.network[""];
        assert_eq!(first.addresses, [("192.0.2.4".parse().unwrap(), 24)]);
        assert_eq!(first.gateway, Some(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(e.len(), 2, "{e:?}");
        assert!(
            e[0].contains("line 4, field `BAD-NAME`: expected a variable name"),
            "{e:?}"
        );

        let (s, e) = Site::parse("alerts = 'ntfy://geheim'\n");
        assert_eq!(s.alerts, "");
        assert_eq!(e, ["kiln.toml line 1, field `alerts`: expected a section [alerts]"]);

        let (_, e) = Site::parse("hostname = 'a b'\ncolour = 1\n[network]\naddress = '1.2.3.4'\n");
        assert_eq!(e.len(), 3, "{e:?}");
        let (s, e) = Site::parse("hostname = 'a\n");
        assert!(s.unread);
        assert!(e[0].starts_with("kiln.toml line 1, field `hostname`: "), "{e:?}");
    }

    #[test]
    fn the_dashboard_listens_on_more_ports_where_the_owner_wants_them() {
        for (text, ports, port) in [
            ("listen = 7000", vec![7000], None),
            ("listen = [7000, 80, 443, 3000, 7000]", vec![7000, 3000], None),
            ("[env]\nPORT = '7000'", vec![7000], Some("7000")),
            ("listen = [3000]\n[env]\nPORT = '3000'", vec![3000], Some("3000")),
            ("[env]\nPORT = '80'", vec![], Some("80")),
            ("[env]\nPORT = '443'", vec![], Some("443")),
        ] {
            let site = Site {
                ports,
                env: port.map(|p| ("PORT".to_owned(), p.to_owned())).into_iter().collect(),
                ..Site::default()
            };
            assert_eq!(Site::parse(text), (site, vec![]), "{text}");
        }
        // What is no port stops no server.
        for port in ["eighty", "", "0", "65536", "-1", "7000/tcp"] {
            let site = Site {
                env: [("TZ".to_owned(), "UTC".to_owned())].into(),
                ..Site::default()
            };
            let told = "kiln.toml line 2, field `PORT`: expected a port like 7000".to_owned();
            let text = format!("[env]\nPORT = '{port}'\nTZ = 'UTC'\n");
            assert_eq!(Site::parse(&text), (site, vec![told]), "{text}");
        }
        for text in [
            "0",
            "65536",
            "-1",
            "'7000'",
            "[7000, 'x']",
            "{ port = 1 }",
            "[1,2,3,4,5,6,7,8,9]",
        ] {
            let (s, e) = Site::parse(&format!("listen = {text}\n"));
            assert!(s.ports.is_empty());
            assert_eq!(
                e,
                [format!("kiln.toml line 1, field `listen`: expected {PORTS}")],
                "{text}"
            );
        }
    }

    #[test]
    fn one_slip_that_voids_the_file_says_so_and_where_it_is() {
        let quotes = "texts and addresses stand in quotes, like \"192.0.2.4\"";
        for (text, place, remark) in [
            (
                "hostname = 'a'\n[network]\naddress = '192.0.2.4/24'\ngateway = 192.0.2.1\n",
                " line 4, field `gateway`",
                true,
            ),
            ("hostname = bench-1\n", " line 1, field `hostname`", true),
            ("hostname = \u{201c}bench\u{201d}\n", " line 1, field `hostname`", true),
            ("[time]\nservers = [ntp.example]\n", " line 2, field `servers`", true),
            ("hostname = 'a'\nhostname = 'b'\n", " line 2, field `hostname`", false),
            ("\nhostname: bench\n", " line 2", true),
            (
                &format!("x = 1\na{} = 1\n", ".a".repeat(3_000)),
                &format!(" line 2, field `{}`", "a.".repeat(30)),
                false,
            ),
            (
                &format!("a = {}{}\n", "[".repeat(5_000), "]".repeat(5_000)),
                " line 1, field `a`",
                false,
            ),
        ] {
            let (site, wrong) = Site::parse(text);
            assert!(site == Site::unread(String::new()).0 && wrong.len() == 1, "{wrong:?}");
            assert!(wrong[0].starts_with(&format!("kiln.toml{place}: ")), "{wrong:?}");
            assert_eq!(wrong[0].ends_with(quotes), remark, "{wrong:?}");
            let told = site.banner(&wrong);
            assert!(
                told.starts_with("Nothing of kiln.toml is used") && told.contains(&wrong[0]),
                "{told}"
            );
        }
        let (site, wrong) = Site::parse("hostname = 'a'\nlisten = 0\n");
        assert!(site.hostname.is_some());
        let told = site.banner(&wrong);
        assert!(
            told.starts_with("A setting was not understood and is not used: kiln.toml line 2, "),
            "{told}"
        );
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_between() {
        for right in ["192.0.2.1", "fd00::1", "ntp.example", "ntp.example.", "3com", "a-1.b2"] {
            assert!(is_host(right), "{right}");
        }
        for wrong in [
            "1.2.3.400",
            "1.2.3",
            "127",
            "a..b",
            "..",
            ".",
            "",
            "-a.b",
            "a b",
            "ntp.example:123",
            "a.5",
        ] {
            let (site, told) = Site::parse(&format!("[time]\nservers = ['{wrong}']\n"));
            assert!(
                !is_host(wrong) && site.ntp.is_empty() && told.len() == 1,
                "{wrong}: {told:?}"
            );
        }
        assert!(is_host(&"a".repeat(63)) && !is_host(&"a".repeat(64)));
    }

    /// What has no effect must not look as if it had one.
    #[test]
    fn a_section_that_nobody_reads_is_told() {
        for key in ["console", "tls", "fleet", "update", "backup"] {
            let (_, e) = Site::parse(&format!("[{key}]\nurl = 'https://x'\n"));
            assert_eq!(e.len(), 1, "{e:?}");
            assert!(
                e[0].starts_with(&format!(
                    "kiln.toml line 1, field `{key}`: expected one of hostname, listen,"
                )),
                "{e:?}"
            );
        }
    }

    #[test]
    fn variables_that_no_program_could_be_started_with_are_refused() {
        let many: String = (0..300).map(|n| format!("V{n:03} = 'x'\n")).collect();
        let (s, e) = Site::parse(&format!("[env]\n{many}"));
        assert_eq!(s.env.len(), VARIABLES_MAX);
        assert!(e[0].contains("`V128`: expected at most 128 variables"), "{e:?}");
        let long = "x".repeat(VALUE_MAX + 1);
        let (s, e) = Site::parse(&format!("[env]\nLONG = '{long}'\nNOTIFY_SOCKET = '/x'\nPORT = '80'\n"));
        assert_eq!(s.env.keys().collect::<Vec<_>>(), ["PORT"]);
        assert_eq!(e.len(), 2, "{e:?}");
    }

    #[test]
    fn a_file_is_read_as_windows_saves_it_or_told() {
        let text = "# B\u{fc}ro\r\nhostname = 'bench-3'\r\n";
        let wide = |mark: u16, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            std::iter::once(mark)
                .chain(text.encode_utf16())
                .flat_map(bytes)
                .collect()
        };
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            wide(0xfeff, u16::to_le_bytes),
            wide(0xfeff, u16::to_be_bytes),
        ] {
            let (site, wrong) = Site::of(&bytes);
            assert_eq!(
                (site.hostname.as_deref(), wrong.len()),
                (Some("bench-3"), 0),
                "{wrong:?}"
            );
        }
        let (site, wrong) = Site::of(b"hostname = 'a'\n# B\xfcro\n");
        assert!(site.unread);
        assert_eq!(
            wrong,
            ["kiln.toml line 2: expected UTF-8; save the file with that encoding"]
        );
        assert_eq!(Site::of(b"\xff\xfea").0, Site::default());
    }

    #[test]
    fn several_interfaces_by_name_and_by_hardware_address() {
        let (s, e) = Site::parse(
            "factory_reset = true\n[time]\nservers=['ntp.example','192.0.2.1']\n[network.eth1]\naddress=['10.0.0.2/8','fd00::2/64']\nipv6=true\n[network.\"52:54:00:AB:cd:01\"]\noff=true\n",
        );
        assert_eq!(e, Vec::<String>::new());
        assert!(s.factory_reset && s.ntp.len() == 2);
        assert_eq!(s.network["eth1"].addresses.len(), 2);
        assert!(s.network["52:54:00:ab:cd:01"].is_off());
        let (s, e) =
            Site::parse("[network.\"52:54:00:AB:cd:01\"]\noff=true\n[network.\"52:54:00:ab:cd:01\"]\noff=false\n");
        assert!(s.network["52:54:00:ab:cd:01"].is_off() && e.len() == 1, "{e:?}");
        assert!(
            e[0].starts_with("kiln.toml line 3, field `52:54:00:ab:cd:01`: expected each interface once"),
            "{e:?}"
        );

        let (s, e) = Site::parse(
            "factory_reset = 1\n[time]\nservers=['a b']\n[network.eth1]\naddress='10.0.0.2/33'\ngateway='fe80::1'\n[network.\"eth 2\"]\nipv6=1\n",
        );
        assert!(!s.factory_reset && s.ntp.is_empty());
        let lines: Vec<_> = e.iter().map(|e| e.split(',').next().unwrap()).collect();
        assert_eq!(lines.len(), 5, "{e:?}");
        for l in ["1", "3", "5", "6", "7"] {
            assert!(
                lines.contains(&format!("kiln.toml line {l}").as_str()),
                "line {l} in {e:?}"
            );
        }
    }

    #[test]
    fn no_more_is_read_than_such_a_file_can_have() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kiln.toml");
        assert_eq!(Site::at(&file), (Site::default(), vec![]));
        let text = |n: usize| format!("hostname = 'a'\n{}", "#".repeat(n));
        std::fs::write(&file, text(1000)).unwrap();
        assert_eq!(Site::at(&file).0.hostname.as_deref(), Some("a"));
        std::fs::write(&file, text(FILE_MAX as usize)).unwrap();
        let told = format!("kiln.toml has more than {FILE_MAX} bytes, which are expected at most");
        assert_eq!(Site::at(&file), Site::unread(told));
        assert!(Site::at(dir.path()).1[0].starts_with("kiln.toml cannot be read: "));
    }

    #[test]
    fn the_file_of_the_image_is_right() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../rootfs/kiln.toml")).unwrap();
        let enabled: String = text
            .lines()
            .map(|l| {
                format!(
                    "{}\n",
                    l.strip_prefix("# ")
                        .filter(|l| l.contains('=') || l.starts_with('['))
                        .unwrap_or("")
                )
            })
            .collect();
        for t in [text, enabled] {
            assert_eq!(Site::parse(&t).1, Vec::<String>::new());
        }
    }
}
