//! A unit: one program that PID 1 keeps running, as its TOML file describes it.
//!
//! Parsed at the edge and then trusted: whatever is wrong with a file is said here, with file, line, field and what is
//! expected, and the unit is left out; the others are not touched. The words are systemd's (`README.md` has the table).
//! Nothing here knows about processes; `crate::core` decides and `crate::shell::spawn` acts. Tests: below.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Longest unit name, in bytes; it becomes a cgroup and a folder name.
const NAME_MAX: usize = 48;
/// Largest unit file that is read, in bytes; real ones have a few hundred.
const FILE_MAX: u64 = 64 * 1024;
/// Most units that are loaded; the box has fewer than twenty.
pub const UNITS_MAX: usize = 64;

/// When a unit counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Ready as soon as its process exists.
    Simple,
    /// Ready when it sends `READY=1`.
    Notify,
    /// Ready when it has exited with 0; not restarted after that.
    Oneshot,
}

/// Which device nodes a unit sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Devices {
    /// A private `/dev` without block devices, and no way to make any.
    None,
    /// The machine's own `/dev`: the agent alone.
    Block,
}

/// One socket that PID 1 opens and keeps for a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Name in `LISTEN_FDNAMES`.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// Access bits of a path socket.
    pub mode: u32,
}

/// Where a socket of a unit listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp(std::net::SocketAddr),
    /// Unix stream socket at this path.
    Stream(PathBuf),
    /// Unix datagram socket at this path.
    Datagram(PathBuf),
}

/// A unit, checked. Times are milliseconds, sizes bytes.
#[derive(Debug, Clone)]
pub struct Unit {
    pub name: String,
    pub description: String,
    pub exec: Vec<String>,
    pub kind: Kind,
    pub after: Vec<String>,
    pub requires: Vec<String>,
    /// Longest silence between two heartbeats; 0 = none expected.
    pub watchdog: u64,
    pub start_timeout: u64,
    pub stop_timeout: u64,
    pub restart: u64,
    pub burst: u32,
    pub critical: bool,
    pub user: String,
    /// Bit mask of `CAP_*` numbers.
    pub capabilities: u64,
    pub memory_max: Option<u64>,
    pub pids_max: Option<u64>,
    pub oom_score_adjust: i32,
    pub devices: Devices,
    pub credentials: Vec<String>,
    pub listen: Vec<Listen>,
    pub state_directory: Option<String>,
    pub environment: BTreeMap<String, String>,
}

/// Why a unit file was left out: what is wrong, where, and what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitError {
    /// The file's path.
    pub file: PathBuf,
    /// Line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// The key, where it is known.
    pub field: Option<String>,
    /// What is wrong and what is expected.
    pub what: String,
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ", field `{field}`")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for UnitError {}

/// Seconds as a whole or broken number, kept as milliseconds.
#[derive(Debug, Clone, Copy)]
struct Seconds(u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds from 0 to 86400")
            }
            fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Seconds, E> {
                match u64::try_from(v) {
                    Ok(s) if s <= 86_400 => Ok(Seconds(s * 1000)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Signed(v), &self)),
                }
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Seconds, E> {
                if (0.0..=86_400.0).contains(&v) {
                    Ok(Seconds((v * 1000.0).round() as u64))
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Float(v), &self))
                }
            }
        }
        d.deserialize_any(Visitor)
    }
}

/// Bytes as a number or as text with `K`, `M` or `G`.
#[derive(Debug, Clone, Copy)]
struct Size(u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes: a positive number, or text like \"512M\"")
            }
            fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Size, E> {
                match u64::try_from(v) {
                    Ok(n) if n > 0 => Ok(Size(n)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Signed(v), &self)),
                }
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Size, E> {
                let bad = || E::invalid_value(serde::de::Unexpected::Str(v), &self);
                let (digits, unit) = match v.as_bytes().last() {
                    Some(b'K') => (&v[..v.len() - 1], 1 << 10),
                    Some(b'M') => (&v[..v.len() - 1], 1 << 20),
                    Some(b'G') => (&v[..v.len() - 1], 1 << 30),
                    _ => (v, 1),
                };
                let n: u64 = digits.parse().map_err(|_| bad())?;
                n.checked_mul(unit).filter(|n| *n > 0).map(Size).ok_or_else(bad)
            }
        }
        d.deserialize_any(Visitor)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenFile {
    name: String,
    stream: Option<String>,
    datagram: Option<String>,
    mode: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    description: Option<String>,
    exec: Vec<String>,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    requires: Vec<String>,
    watchdog_sec: Option<Seconds>,
    start_timeout_sec: Option<Seconds>,
    stop_timeout_sec: Option<Seconds>,
    restart_sec: Option<Seconds>,
    start_limit_burst: Option<u32>,
    #[serde(default)]
    critical: bool,
    user: Option<String>,
    #[serde(default)]
    capabilities: Vec<String>,
    memory_max: Option<Size>,
    pids_max: Option<u64>,
    oom_score_adjust: Option<i32>,
    devices: Option<Devices>,
    #[serde(default)]
    credentials: Vec<String>,
    #[serde(default)]
    listen: Vec<ListenFile>,
    state_directory: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

impl Unit {
    /// Reads one unit from the text of its file; the unit is named after the file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and field.
    pub fn from_toml(file: &Path, text: &str) -> Result<Unit, UnitError> {
        let fail = |line: Option<usize>, field: Option<&str>, what: String| UnitError {
            file: file.to_owned(),
            line,
            field: field.map(str::to_owned),
            what,
        };
        let name = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if !is_name(name) {
            return Err(fail(
                None,
                None,
                format!("the file name gives the unit's name: expected {NAME_RULE}, then .toml"),
            ));
        }
        let f: File = toml::from_str(text).map_err(|e| {
            let (line, field) = e.span().map_or((None, None), |s| place(text, s.start));
            fail(line, field.as_deref(), one_line(e.message()))
        })?;
        let at = |field: &str, what: String| fail(line_of(text, field), Some(field), what);
        match f.exec.first() {
            None => {
                return Err(at(
                    "exec",
                    "expected a program and its arguments, found an empty list".into(),
                ));
            }
            Some(p) if !p.starts_with('/') => {
                return Err(at("exec", format!("expected an absolute path, found {p:?}")));
            }
            Some(_) => {}
        }
        if f.exec.iter().any(|a| a.contains('\0')) {
            return Err(at("exec", "expected text without NUL bytes".into()));
        }
        for (field, names) in [
            ("after", &f.after),
            ("requires", &f.requires),
            ("credentials", &f.credentials),
        ] {
            if let Some(bad) = names.iter().find(|n| !is_name(n)) {
                return Err(at(field, format!("expected {NAME_RULE}, found {bad:?}")));
            }
            if names.iter().any(|n| n == name) && field != "credentials" {
                return Err(at(field, "a unit cannot depend on itself".into()));
            }
        }
        if let Some(dir) = f.state_directory.as_deref().filter(|d| !is_name(d)) {
            return Err(at("state_directory", format!("expected {NAME_RULE}, found {dir:?}")));
        }
        let mut capabilities = 0;
        for cap in &f.capabilities {
            let number = CAPABILITIES.iter().position(|c| cap == c);
            let number = number.ok_or_else(|| {
                at(
                    "capabilities",
                    format!("expected names like \"CAP_NET_ADMIN\", found {cap:?}"),
                )
            })?;
            capabilities |= 1 << number;
        }
        let user = f.user.unwrap_or_else(|| "root".into());
        if user.is_empty() || user.contains([':', '\n', '\0']) {
            return Err(at(
                "user",
                format!("expected a name from /etc/passwd or a number, found {user:?}"),
            ));
        }
        let oom = f.oom_score_adjust.unwrap_or(0);
        if !(-1000..=1000).contains(&oom) {
            return Err(at(
                "oom_score_adjust",
                format!("expected a number from -1000 to 1000, found {oom}"),
            ));
        }
        let burst = f.start_limit_burst.unwrap_or(5);
        if burst == 0 || burst > 1000 {
            return Err(at(
                "start_limit_burst",
                format!("expected a number from 1 to 1000, found {burst}"),
            ));
        }
        if let Some((k, _)) = f
            .environment
            .iter()
            .find(|(k, v)| k.is_empty() || k.contains(['=', '\0']) || v.contains('\0'))
        {
            return Err(at(
                "environment",
                format!("expected variable names without = or NUL, found {k:?}"),
            ));
        }
        let kind = f.kind.unwrap_or(Kind::Simple);
        let watchdog = f.watchdog_sec.map_or(0, |s| s.0);
        if watchdog > 0 && kind != Kind::Notify {
            return Err(at(
                "watchdog_sec",
                "expected only together with type = \"notify\"".into(),
            ));
        }
        if watchdog > 0 && watchdog < 100 {
            return Err(at("watchdog_sec", "expected 0, or at least 0.1 s".into()));
        }
        let mut listen = Vec::with_capacity(f.listen.len());
        for l in f.listen {
            listen.push(listen_of(l).map_err(|what| at("listen", what))?);
        }
        if listen.len() > 16 {
            return Err(at("listen", "expected at most 16 sockets".into()));
        }
        Ok(Unit {
            description: f.description.unwrap_or_else(|| name.to_owned()),
            name: name.to_owned(),
            exec: f.exec,
            kind,
            after: f.after,
            requires: f.requires,
            watchdog,
            start_timeout: f.start_timeout_sec.map_or(60_000, |s| s.0.max(100)),
            stop_timeout: f.stop_timeout_sec.map_or(10_000, |s| s.0),
            restart: f.restart_sec.map_or(200, |s| s.0.max(10)),
            burst,
            critical: f.critical,
            user,
            capabilities,
            memory_max: f.memory_max.map(|s| s.0),
            pids_max: f.pids_max,
            oom_score_adjust: oom,
            devices: f.devices.unwrap_or(Devices::None),
            credentials: f.credentials,
            listen,
            state_directory: f.state_directory,
            environment: f.environment,
        })
    }
}

/// Reads every `*.toml` of `dir`, in the order of names: the units that parse, and why the others do not.
///
/// A folder that is not there has no units; that is told as an error too, since nothing will start.
pub fn load(dir: &Path) -> (Vec<Unit>, Vec<UnitError>) {
    let (mut units, mut errors) = (Vec::new(), Vec::new());
    let fail = |file: &Path, what: String| UnitError {
        file: file.to_owned(),
        line: None,
        field: None,
        what,
    };
    let mut files: Vec<PathBuf> = match std::fs::read_dir(dir) {
        Ok(entries) => entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|x| x == "toml"))
            .collect(),
        Err(e) => {
            errors.push(fail(dir, format!("cannot list the unit files: {e}")));
            return (units, errors);
        }
    };
    files.sort();
    for file in files {
        if units.len() == UNITS_MAX {
            errors.push(fail(&file, format!("left out: at most {UNITS_MAX} units are loaded")));
            continue;
        }
        let text = match std::fs::metadata(&file) {
            Ok(m) if m.len() > FILE_MAX => Err(format!(
                "expected a file of at most {FILE_MAX} bytes, found {}",
                m.len()
            )),
            Ok(_) => std::fs::read_to_string(&file).map_err(|e| format!("cannot read: {e}")),
            Err(e) => Err(format!("cannot read: {e}")),
        };
        match text {
            Ok(text) => match Unit::from_toml(&file, &text) {
                Ok(unit) => units.push(unit),
                Err(e) => errors.push(e),
            },
            Err(what) => errors.push(fail(&file, what)),
        }
    }
    for name in in_cycle(&units) {
        let file = dir.join(format!("{name}.toml"));
        errors.push(fail(
            &file,
            "`after` and `requires` lead back to this unit: expected no cycle".into(),
        ));
        units.retain(|u| u.name != name);
    }
    (units, errors)
}

/// Names of the units that can reach themselves over `after` and `requires`.
fn in_cycle(units: &[Unit]) -> Vec<String> {
    let edges: BTreeMap<&str, Vec<&str>> = units
        .iter()
        .map(|u| {
            (
                u.name.as_str(),
                u.after.iter().chain(&u.requires).map(String::as_str).collect(),
            )
        })
        .collect();
    let reaches = |start: &str| {
        let mut seen = std::collections::BTreeSet::new();
        let mut todo: Vec<&str> = edges.get(start).cloned().unwrap_or_default();
        while let Some(n) = todo.pop() {
            if n == start {
                return true;
            }
            if seen.insert(n) {
                todo.extend(edges.get(n).into_iter().flatten());
            }
        }
        false
    };
    units
        .iter()
        .filter(|u| reaches(&u.name))
        .map(|u| u.name.clone())
        .collect()
}

const NAME_RULE: &str = "1 to 48 of a-z, 0-9 and -";

fn is_name(s: &str) -> bool {
    (1..=NAME_MAX).contains(&s.len())
        && s.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn listen_of(l: ListenFile) -> Result<Listen, String> {
    let path = |p: &str| {
        if p.starts_with('/') && p.len() < 100 {
            Ok(PathBuf::from(p))
        } else {
            Err(format!("expected an absolute path of at most 99 bytes, found {p:?}"))
        }
    };
    if !is_name(&l.name) {
        return Err(format!("expected name = {NAME_RULE}, found {:?}", l.name));
    }
    let address = match (l.stream.as_deref(), l.datagram.as_deref()) {
        (Some(s), None) if s.starts_with('/') => Address::Stream(path(s)?),
        (Some(s), None) => Address::Tcp(
            s.parse()
                .map_err(|_| format!("expected stream = \"ADDRESS:PORT\" or a path, found {s:?}"))?,
        ),
        (None, Some(d)) => Address::Datagram(path(d)?),
        (Some(_), Some(_)) | (None, None) => return Err("expected one of stream and datagram".into()),
    };
    Ok(Listen {
        name: l.name,
        address,
        mode: l.mode.unwrap_or(0o600) & 0o777,
    })
}

/// Line, counted from 1, and key at a byte offset of a TOML text.
pub(crate) fn place(text: &str, offset: usize) -> (Option<usize>, Option<String>) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count();
    let key = text
        .lines()
        .nth(line)
        .and_then(|l| l.split_once('='))
        .map(|(k, _)| k.trim().to_owned());
    (Some(line + 1), key.filter(|k| !k.is_empty() && !k.starts_with('#')))
}

fn line_of(text: &str, field: &str) -> Option<usize> {
    let is_key = |l: &str| {
        l.trim_start()
            .strip_prefix(field)
            .is_some_and(|r| r.trim_start().starts_with(['=', '.']))
    };
    text.lines()
        .position(|l| is_key(l) || l.trim() == format!("[{field}]"))
        .map(|n| n + 1)
}

pub(crate) fn one_line(s: &str) -> String {
    s.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// Names of the capabilities; the place in the list is the number (linux/capability.h).
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn parse(text: &str) -> Result<Unit, String> {
        Unit::from_toml(Path::new("/u/server.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn a_whole_unit_is_read() {
        let u = parse(
            "exec = ['/bin/a', 'b']\ntype = 'notify'\nwatchdog_sec = 2.5\nmemory_max = '64M'\ncapabilities = ['CAP_KILL']\n\
             listen = [{ name = 'http', stream = '0.0.0.0:80' }, { name = 'l', datagram = '/run/x' }]\n[environment]\nA = 'b'\n",
        )
        .unwrap();
        assert_eq!(
            (u.name.as_str(), u.kind, u.watchdog, u.memory_max),
            ("server", Kind::Notify, 2500, Some(64 << 20))
        );
        assert_eq!(u.capabilities, 1 << 5);
        assert_eq!(u.listen[1].address, Address::Datagram("/run/x".into()));
        assert_eq!(u.environment["A"], "b");
    }

    #[test]
    fn errors_name_file_line_field_and_what_is_expected() {
        for (text, wanted) in [
            (
                "exec = ['/a']\nwatchdog_sec = 'x'\n",
                "/u/server.toml line 2, field `watchdog_sec`: invalid type: string \"x\", expected a number of seconds",
            ),
            (
                "exec = ['/a']\n\nexcc = 1\n",
                "/u/server.toml line 3, field `excc`: unknown field `excc`, expected one of",
            ),
            ("type = 'notify'\n", "missing field `exec`"),
            (
                "exec = ['a']\n",
                "/u/server.toml line 1, field `exec`: expected an absolute path, found \"a\"",
            ),
            ("exec = []\n", "found an empty list"),
            (
                "exec = ['/a']\ntype = 'x'\n",
                "line 2, field `type`: unknown variant `x`, expected one of `simple`, `notify`, `oneshot`",
            ),
            (
                "exec = ['/a']\ncapabilities = ['KILL']\n",
                "line 2, field `capabilities`: expected names like",
            ),
            (
                "exec = ['/a']\nlisten = [{name='x'}]\n",
                "field `listen`: expected one of stream and datagram",
            ),
            (
                "exec = ['/a']\nlisten = [{name='x', stream='nowhere'}]\n",
                "expected stream = \"ADDRESS:PORT\" or a path",
            ),
            (
                "exec = ['/a']\nmemory_max = '12Q'\n",
                "line 2, field `memory_max`: invalid value: string \"12Q\", expected bytes",
            ),
            ("exec = ['/a'\n", "line 1"),
            ("exec = ['/a']\nrequires = ['server']\n", "cannot depend on itself"),
            (
                "exec = ['/a']\nrestart_sec = -1\n",
                "expected a number of seconds from 0 to 86400",
            ),
        ] {
            let got = parse(text).unwrap_err();
            assert!(got.contains(wanted), "{text:?}\n got {got}\n wanted {wanted}");
        }
        assert!(
            Unit::from_toml(Path::new("/u/A b.toml"), "exec=['/a']")
                .unwrap_err()
                .to_string()
                .contains("file name")
        );
    }

    #[test]
    fn a_malformed_file_and_a_cycle_leave_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let w = |n: &str, t: &str| std::fs::write(dir.path().join(n), t).unwrap();
        w("a.toml", "exec = ['/a']\nafter = ['b']");
        w("b.toml", "exec = ['/a']\nafter = ['a']");
        w("c.toml", "exec = ['/a']\nafter = ['a', 'gone']");
        w("d.toml", "exec = ");
        w("readme.md", "no unit");
        let (units, errors) = load(dir.path());
        assert_eq!(units.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["c"]);
        assert_eq!(errors.len(), 3, "{errors:?}");
        let (units, errors) = load(&dir.path().join("gone"));
        assert_eq!((units.len(), errors.len()), (0, 1));
    }

    #[test]
    fn the_units_of_the_image_parse() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rootfs/etc/kiln/units");
        let (units, errors) = load(&dir);
        assert!(errors.is_empty(), "{errors:?}");
        assert!(
            units.iter().any(|u| u.name == "server" && u.critical) && units.iter().any(|u| u.devices == Devices::Block)
        );
    }
}
