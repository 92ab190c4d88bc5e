//! One unit file: TOML in, a checked [`Unit`] out, or the first thing that is wrong with it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::Deserialize;

use super::capability::CAPABILITIES;
use super::error::{line_of, one_line, place};
use super::listen::{ListenFile, listen_of};
use super::measure::{Seconds, Size};
use super::{ARGS_MAX, Devices, Kind, NAME_RULE, NOFILE_DEFAULT, Unit, UnitError, VARIABLES_MAX, is_name};

/// Descriptors that a process may be given: three are there from the start, and the kernel's own bound is `fs.nr_open`.
const NOFILE: RangeInclusive<u64> = 64..=1_048_576;
/// Least memory, in bytes: page tables, stack and the first pages of the smallest program need more.
const MEMORY_MIN: u64 = 64 << 10;
/// Most descriptors that a unit may have kept.
const FD_STORE_MAX: usize = 64;

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
    limit_nofile: Option<u64>,
    devices: Option<Devices>,
    #[serde(default)]
    credentials: Vec<String>,
    #[serde(default)]
    listen: Vec<ListenFile>,
    fd_store_max: Option<usize>,
    state_directory: Option<String>,
    runtime_directory: Option<String>,
    #[serde(default)]
    becomes: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

/// A unit file as it was read, for errors that name a place in it.
struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn fail(&self, line: Option<usize>, field: Option<&str>, what: String) -> UnitError {
        UnitError {
            file: self.file.to_owned(),
            line,
            field: field.map(str::to_owned),
            what,
        }
    }

    fn at(&self, field: &str, what: impl Into<String>) -> UnitError {
        self.fail(line_of(self.text, field), Some(field), what.into())
    }

    /// A number that has bounds.
    fn within<T: PartialOrd + Display>(
        &self,
        field: &str,
        number: T,
        bounds: RangeInclusive<T>,
    ) -> Result<T, UnitError> {
        match bounds.contains(&number) {
            true => Ok(number),
            false => Err(self.at(
                field,
                format!(
                    "expected a number from {} to {}, found {number}",
                    bounds.start(),
                    bounds.end()
                ),
            )),
        }
    }
}

impl File {
    fn read(source: &Source<'_>) -> Result<Self, UnitError> {
        toml::from_str(source.text).map_err(|e| {
            let (line, field) = e.span().map_or((None, None), |s| place(source.text, s.start));
            source.fail(line, field.as_deref(), one_line(e.message()))
        })
    }

    fn check_exec(&self, source: &Source<'_>) -> Result<(), UnitError> {
        let wrong = match self.exec.first() {
            None => "expected a program and its arguments, found an empty list".into(),
            Some(program) if !program.starts_with('/') => format!("expected an absolute path, found {program:?}"),
            Some(_) if self.exec.len() > ARGS_MAX => {
                format!("expected at most {ARGS_MAX} words, found {}", self.exec.len())
            }
            Some(_) if self.exec.iter().any(|a| a.contains('\0')) => "expected text without NUL bytes".into(),
            Some(_) => return Ok(()),
        };
        Err(source.at("exec", wrong))
    }

    fn check_environment(&self, source: &Source<'_>) -> Result<(), UnitError> {
        let count = self.environment.len();
        if count > VARIABLES_MAX {
            let wrong = format!("expected at most {VARIABLES_MAX} variables, found {count}");
            return Err(source.at("environment", wrong));
        }
        let is_bad = |(k, v): &(&String, &String)| k.is_empty() || k.contains(['=', '\0']) || v.contains('\0');
        match self.environment.iter().find(is_bad) {
            None => Ok(()),
            Some((k, _)) => {
                let wrong = format!("expected variable names without = or NUL, found {k:?}");
                Err(source.at("environment", wrong))
            }
        }
    }

    /// Names of units, credentials and directories; `own` is the unit's.
    fn check_names(&self, own: &str, source: &Source<'_>) -> Result<(), UnitError> {
        let directory = |name: &Option<String>| name.iter().cloned().collect();
        for (field, names) in [
            ("after", self.after.clone()),
            ("requires", self.requires.clone()),
            ("credentials", self.credentials.clone()),
            ("state_directory", directory(&self.state_directory)),
            ("runtime_directory", directory(&self.runtime_directory)),
        ] {
            if let Some(bad) = names.iter().find(|n| !is_name(n)) {
                return Err(source.at(field, format!("expected {NAME_RULE}, found {bad:?}")));
            }
            if ["after", "requires"].contains(&field) && names.iter().any(|n| n == own) {
                return Err(source.at(field, "a unit cannot depend on itself"));
            }
        }
        Ok(())
    }

    /// The capabilities as bits.
    fn capabilities(&self, source: &Source<'_>) -> Result<u64, UnitError> {
        self.capabilities.iter().try_fold(0, |bits, cap| {
            let number = CAPABILITIES.iter().position(|c| cap == c);
            let wrong = || format!("expected names like \"CAP_NET_ADMIN\", found {cap:?}");
            let number = number.ok_or_else(|| source.at("capabilities", wrong()))?;
            Ok(bits | 1 << number)
        })
    }

    fn user(&self, source: &Source<'_>) -> Result<String, UnitError> {
        let user = self.user.clone().unwrap_or_else(|| "root".into());
        match user.is_empty() || user.contains([':', '\n', '\0']) {
            false => Ok(user),
            true => Err(source.at(
                "user",
                format!("expected a name from /etc/passwd or a number, found {user:?}"),
            )),
        }
    }

    /// The watchdog's period in milliseconds, 0 for none.
    fn watchdog(&self, source: &Source<'_>) -> Result<u64, UnitError> {
        let watchdog = self.watchdog_sec.map_or(0, |s| s.0);
        match watchdog {
            1.. if self.kind != Some(Kind::Notify) => {
                Err(source.at("watchdog_sec", "expected only together with type = \"notify\""))
            }
            1..100 => Err(source.at("watchdog_sec", "expected 0, or at least 0.1 s")),
            _ => Ok(watchdog),
        }
    }

    fn check_times(&self, source: &Source<'_>) -> Result<(), UnitError> {
        for (field, given, instead) in [
            (
                "start_timeout_sec",
                self.start_timeout_sec,
                "the time until READY=1 or, of a oneshot, its end; left out it is 60",
            ),
            (
                "stop_timeout_sec",
                self.stop_timeout_sec,
                "the time from SIGTERM to the kill; left out it is 10",
            ),
        ] {
            if given.is_some_and(|s| s.0 == 0) {
                let wrong = format!("expected more than 0 seconds, found 0: it is {instead}");
                return Err(source.at(field, wrong));
            }
        }
        Ok(())
    }

    fn check_limits(&self, source: &Source<'_>) -> Result<(), UnitError> {
        if let Some(Size(bytes)) = self.memory_max.filter(|s| s.0 < MEMORY_MIN) {
            return Err(source.at(
                "memory_max",
                format!(
                    "expected at least \"{}K\", found {bytes} bytes: no program starts with that; left out there is no limit",
                    MEMORY_MIN >> 10
                ),
            ));
        }
        if self.pids_max == Some(0) {
            return Err(source.at(
                "pids_max",
                "expected at least 1, found 0: the unit's own process is one; left out there is no limit",
            ));
        }
        Ok(())
    }
}

impl Unit {
    /// Reads one unit from the text of its file; the unit is named after the file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and field.
    pub fn from_toml(file: &Path, text: &str) -> Result<Unit, UnitError> {
        let source = &Source { file, text };
        let name = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if !is_name(name) {
            let wrong = format!("the file name gives the unit's name: expected {NAME_RULE}, then .toml");
            return Err(source.fail(None, None, wrong));
        }
        let f = File::read(source)?;
        f.check_exec(source)?;
        f.check_names(name, source)?;
        let capabilities = f.capabilities(source)?;
        let user = f.user(source)?;
        let oom_score_adjust = source.within("oom_score_adjust", f.oom_score_adjust.unwrap_or(0), -1000..=1000)?;
        let limit_nofile = source.within("limit_nofile", f.limit_nofile.unwrap_or(NOFILE_DEFAULT), NOFILE)?;
        let burst = source.within("start_limit_burst", f.start_limit_burst.unwrap_or(5), 1..=1000)?;
        f.check_environment(source)?;
        let watchdog = f.watchdog(source)?;
        f.check_times(source)?;
        f.check_limits(source)?;
        let listen = f.listen.into_iter().map(listen_of).collect::<Result<Vec<_>, _>>();
        let listen = listen.map_err(|what| source.at("listen", what))?;
        if listen.len() > 16 {
            return Err(source.at("listen", "expected at most 16 sockets"));
        }
        let fd_store_max = source.within("fd_store_max", f.fd_store_max.unwrap_or(0), 0..=FD_STORE_MAX)?;
        Ok(Unit {
            description: f.description.unwrap_or_else(|| name.to_owned()),
            name: name.to_owned(),
            exec: f.exec,
            kind: f.kind.unwrap_or(Kind::Simple),
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
            oom_score_adjust,
            limit_nofile,
            devices: f.devices.unwrap_or(Devices::None),
            credentials: f.credentials,
            listen,
            fd_store_max,
            state_directory: f.state_directory,
            runtime_directory: f.runtime_directory,
            becomes: f.becomes,
            environment: f.environment,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::unit::Address;

    fn parse(text: &str) -> Result<Unit, String> {
        Unit::from_toml(Path::new("/u/server.toml"), text).map_err(|e| e.to_string())
    }

    fn variables(n: usize) -> String {
        (0..n).map(|n| format!("V{n} = 'x'\n")).collect()
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
    fn the_least_that_can_work_is_taken() {
        let u = parse(
            "exec = ['/a']\nstart_timeout_sec = 0.001\nstop_timeout_sec = 0.001\nrestart_sec = 0\nmemory_max = '64K'\npids_max = 1\nstart_limit_burst = 1\n",
        )
        .unwrap();
        assert_eq!((u.start_timeout, u.stop_timeout, u.restart), (100, 1, 10));
        assert_eq!((u.memory_max, u.pids_max, u.burst), (Some(64 << 10), Some(1), 1));
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
                &format!("exec = ['/a'{}]\n", ", 'x'".repeat(128)),
                "line 1, field `exec`: expected at most 128 words, found 129",
            ),
            (
                &format!("exec = ['/a']\n[environment]\n{}", variables(101)),
                "line 2, field `environment`: expected at most 100 variables, found 101",
            ),
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
                "exec = ['/a']\nlisten = [{name='x', stream='/run/x', mode=0o7777}]\n",
                "field `listen`: expected mode = 0o000 to 0o777, found 0o7777",
            ),
            (
                "exec = ['/a']\nlisten = [{name='x', stream='[::]:80', user='kiln'}]\n",
                "field `listen`: expected mode and user of a path alone",
            ),
            (
                "exec = ['/a']\nlisten = [{name='x', stream='/run/x', user=''}]\n",
                "field `listen`: expected user = a name or number",
            ),
            (
                "exec = ['/a']\nmemory_max = '12Q'\n",
                "line 2, field `memory_max`: invalid value: string \"12Q\", expected bytes",
            ),
            ("exec = ['/a'\n", "line 1"),
            (
                "exec = ['/a']\nfd_store_max = 65\n",
                "line 2, field `fd_store_max`: expected a number from 0 to 64, found 65",
            ),
            (
                "exec = ['/a']\nlimit_nofile = 3\n",
                "line 2, field `limit_nofile`: expected a number from 64 to 1048576, found 3",
            ),
            (
                "exec = ['/a']\nstart_timeout_sec = 0\n",
                "/u/server.toml line 2, field `start_timeout_sec`: expected more than 0 seconds, found 0: it is the time until",
            ),
            (
                "exec = ['/a']\nstop_timeout_sec = 0.0\n",
                "line 2, field `stop_timeout_sec`: expected more than 0 seconds, found 0: it is the time from SIGTERM",
            ),
            (
                "exec = ['/a']\nmemory_max = '63K'\n",
                "line 2, field `memory_max`: expected at least \"64K\", found 64512 bytes",
            ),
            (
                "exec = ['/a']\nmemory_max = 0\n",
                "line 2, field `memory_max`: invalid value: integer `0`, expected bytes: a positive number",
            ),
            (
                "exec = ['/a']\npids_max = 0\n",
                "line 2, field `pids_max`: expected at least 1, found 0",
            ),
            (
                "exec = ['/a']\ntype = 'notify'\nwatchdog_sec = 0.0001\n",
                "line 3, field `watchdog_sec`: expected 0, or at least 0.1 s",
            ),
            (
                "exec = ['/a']\nstart_limit_burst = 0\n",
                "line 2, field `start_limit_burst`: expected a number from 1 to 1000, found 0",
            ),
            (
                "exec = ['/a']\nfd_store_max = -1\n",
                "line 2, field `fd_store_max`: invalid value: integer `-1`, expected a whole number from 0",
            ),
            (
                "exec = ['/a']\noom_score_adjust = 'low'\n",
                "line 2, field `oom_score_adjust`: invalid type: string \"low\", expected a whole number",
            ),
            (
                "exec = '/a'\n",
                "line 1, field `exec`: invalid type: string \"/a\", expected a list",
            ),
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
}
