//! All unit files of a folder: the units that parse, and why the others do not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Address, Listen, Unit, UnitError};
use crate::words::{NoUnicode, text_of};

/// Largest unit file that is read, in bytes; real ones have a few hundred.
const FILE_MAX: u64 = 64 * 1024;
/// Most units that are loaded; the box has fewer than twenty.
pub const UNITS_MAX: usize = 64;

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
        let bytes = match bytes_of(&file) {
            Ok(bytes) => bytes,
            Err(what) => {
                errors.push(fail(&file, what));
                continue;
            }
        };
        let unit = text_of(&bytes)
            .map_err(|e| UnitError {
                line: Some(e.line),
                ..fail(&file, NoUnicode::EXPECTED.into())
            })
            .and_then(|text| Unit::from_toml(&file, &text));
        match unit {
            Ok(unit) => units.push(unit),
            Err(e) => errors.push(e),
        }
    }
    for (name, what) in taken(&units) {
        errors.push(fail(&dir.join(format!("{name}.toml")), what));
        units.retain(|u| u.name != name);
    }
    for name in in_cycle(&units) {
        let file = dir.join(format!("{name}.toml"));
        errors.push(fail(
            &file,
            "`after` and `requires` lead back to this unit: expected no cycle".into(),
        ));
        units.retain(|u| u.name != name);
    }
    (units, errors.into_iter().map(UnitError::cut).collect())
}

/// Units that want a socket of PID 1's own, one that a unit before them has, or one twice.
fn taken(units: &[Unit]) -> Vec<(String, String)> {
    let own = [
        "/run/kiln/notify.sock",
        wire::supervisor::CONTROL_SOCKET,
        wire::update::UPDATE_SOCKET,
    ];
    let mut seen: Vec<(&str, &Listen)> = Vec::new();
    let mut wrong = Vec::new();
    for u in units {
        let clash = u.listen.iter().enumerate().find_map(|(n, l)| {
            if path(&l.address).is_some_and(|p| own.iter().any(|o| p == Path::new(o))) {
                return Some(format!("socket {:?} is at a path of the supervisor's own", l.name));
            }
            if let Some(other) = u.listen[..n].iter().find(|o| meet(&o.address, &l.address)) {
                return Some(format!("socket {:?} is where socket {:?} is", l.name, other.name));
            }
            let (other, _) = seen.iter().find(|(_, o)| meet(&o.address, &l.address))?;
            Some(format!("socket {:?} is where unit {other} has one", l.name))
        });
        match clash {
            Some(what) => wrong.push((u.name.clone(), what)),
            None => seen.extend(u.listen.iter().map(|l| (u.name.as_str(), l))),
        }
    }
    wrong
}

fn path(address: &Address) -> Option<&Path> {
    match address {
        Address::Tcp(_) => None,
        Address::Stream(p) | Address::Datagram(p) => Some(p),
    }
}

/// Whether there can be only one of these sockets. An address for all is that of each: `[::]` is IPv4, too.
fn meet(a: &Address, b: &Address) -> bool {
    match (a, b) {
        (Address::Tcp(a), Address::Tcp(b)) => {
            let for_all =
                |at: &SocketAddr, other: &SocketAddr| at.ip().is_unspecified() && (at.is_ipv6() || other.is_ipv4());
            a.port() == b.port() && (a == b || for_all(a, b) || for_all(b, a))
        }
        _ => path(a).is_some() && path(a) == path(b),
    }
}

/// A unit file's bytes. PID 1 reads it: nothing that is no file, and no more than a unit file can have.
fn bytes_of(file: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let opened = File::options()
        .read(true)
        // A FIFO would be waited for.
        .custom_flags(libc::O_NONBLOCK)
        .open(file);
    opened
        .and_then(|f| match f.metadata()?.is_file() {
            true => f.take(FILE_MAX + 1).read_to_end(&mut bytes),
            false => Err(io::Error::other("expected a regular file")),
        })
        .map_err(|e| format!("cannot read: {e}"))?;
    match bytes.len() as u64 > FILE_MAX {
        true => Err(format!("expected a file of at most {FILE_MAX} bytes")),
        false => Ok(bytes),
    }
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

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::cast_possible_truncation,
        reason = "a failed unwrap is a failed test"
    )]
    use super::*;
    use crate::unit::Devices;

    #[test]
    fn what_is_no_file_or_has_no_end_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let at = |n: &str| dir.path().join(n);
        nix::unistd::mkfifo(&at("a.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("b.toml")).unwrap();
        std::fs::write(at("c.toml"), "exec = ['/a']").unwrap();
        std::fs::write(at("d.toml"), "#".repeat(FILE_MAX as usize + 1)).unwrap();
        let (units, errors) = load(dir.path());
        assert_eq!(units.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["c"]);
        let told: Vec<_> = errors.iter().map(|e| e.what.as_str()).collect();
        assert_eq!(
            told,
            [
                "cannot read: expected a regular file",
                "cannot read: expected a regular file",
                "expected a file of at most 65536 bytes"
            ]
        );
    }

    #[test]
    fn a_file_of_another_encoding_is_read_or_told_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let text = "# B\u{fc}ro\nexec = ['/a']\n";
        let wide: Vec<u8> = std::iter::once(0xfeff)
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        std::fs::write(dir.path().join("wide.toml"), wide).unwrap();
        std::fs::write(dir.path().join("latin.toml"), b"exec = ['/a']\n# B\xfcro\n").unwrap();
        let (units, errors) = load(dir.path());
        assert_eq!(units.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["wide"]);
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let expected = "latin.toml line 2: expected UTF-8; save the file with that encoding";
        assert!(told.len() == 1 && told[0].ends_with(expected), "{told:?}");
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
    fn no_unit_takes_a_socket_that_is_another_ones() {
        let dir = tempfile::tempdir().unwrap();
        let w = |n: &str, at: &str| {
            let text = format!("exec = ['/a']\nlisten = [{{ name = 'x', {at} }}]");
            std::fs::write(dir.path().join(n), text).unwrap();
        };
        w("a.toml", "datagram = '/run/kiln/notify.sock'");
        w("b.toml", "stream = '/run/kiln/control.sock'");
        w("c.toml", "stream = '/run/x.sock'");
        w("d.toml", "datagram = '/run/x.sock'");
        w("e.toml", "stream = '[::]:80'");
        w("f.toml", "stream = '[::]:80'");
        w("g.toml", "stream = '[::]:81'");
        let (units, errors) = load(dir.path());
        assert_eq!(
            units.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(),
            ["c", "e", "g"]
        );
        let told: Vec<_> = errors.iter().map(|e| e.what.as_str()).collect();
        assert_eq!(told.len(), 4);
        assert!(
            told[0].contains("supervisor's own") && told[2].contains("where unit c has one"),
            "{told:?}"
        );
    }

    #[test]
    fn no_unit_takes_a_socket_twice_and_an_address_for_all_is_every_one() {
        let dir = tempfile::tempdir().unwrap();
        let w = |n: &str, more: &str| std::fs::write(dir.path().join(n), format!("exec = ['/a']\n{more}")).unwrap();
        for (name, listen) in [
            (
                "a",
                "{ name = 'x', stream = '/run/x' }, { name = 'y', datagram = '/run/x' }",
            ),
            (
                "b",
                "{ name = 'x', stream = '[::]:80' }, { name = 'y', stream = '[::]:80' }",
            ),
            (
                "c",
                "{ name = 'x', stream = '[::]:81' }, { name = 'y', stream = '192.0.2.1:81' }",
            ),
            (
                "d",
                "{ name = 'x', stream = '192.0.2.1:82' }, { name = 'y', stream = '192.0.2.2:82' }",
            ),
            ("e", "{ name = 'x', stream = '0.0.0.0:82' }"),
        ] {
            w(&format!("{name}.toml"), &format!("listen = [{listen}]"));
        }
        let (units, errors) = load(dir.path());
        assert_eq!(units.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["d"]);
        let told: String = errors.iter().map(|e| format!("{e}\n")).collect();
        assert_eq!(told.matches("is where socket \"x\" is").count(), 3, "{told}");
        assert!(told.contains("where unit d has one"), "{told}");
    }

    #[test]
    fn what_is_told_of_a_file_is_short() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.toml"), format!("exec = ['{}']", "x".repeat(60_000))).unwrap();
        std::fs::write(dir.path().join("b.toml"), format!("{} = 1", "k".repeat(60_000))).unwrap();
        let (_, errors) = load(dir.path());
        assert_eq!(errors.len(), 2);
        for e in errors {
            assert!(e.to_string().len() < 1_000, "{} bytes", e.to_string().len());
        }
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
