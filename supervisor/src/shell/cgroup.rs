//! Control groups, version 2: one a unit below `/sys/fs/cgroup/kiln`, so that all of it can be limited and killed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::unit::Unit;

const ROOT: &str = "/sys/fs/cgroup";
const OURS: &str = "/sys/fs/cgroup/kiln";

/// Lets units have limits: the controllers are handed down to ours.
///
/// # Errors
/// The group could not be made; a controller that is missing is not an error.
pub fn prepare() -> io::Result<()> {
    fs::create_dir_all(OURS)?;
    for dir in [ROOT, OURS] {
        for controller in ["cpu", "memory", "io", "pids"] {
            let _ = fs::write(format!("{dir}/cgroup.subtree_control"), format!("+{controller}"));
        }
    }
    Ok(())
}

/// The group of one unit, with the files that killing and restarting write to.
#[derive(Debug)]
pub struct Group {
    kill: Door,
    procs: Door,
}

/// A file of the kernel's, held open: nobody walks to it when it matters.
#[derive(Debug)]
struct Door {
    path: PathBuf,
    file: Option<File>,
}

impl Door {
    fn new(path: PathBuf) -> Door {
        let file = write_only(&path).ok();
        Door { path, file }
    }

    fn put(&self, what: &[u8]) -> io::Result<()> {
        match &self.file {
            Some(file) => file.write_all_at(what, 0),
            None => put(&self.path, what),
        }
    }
}

impl Group {
    /// Makes the group of a unit with its limits; `generation` counts groups that had to be abandoned.
    ///
    /// # Errors
    /// The group could not be made.
    pub fn make(unit: &Unit, generation: u32) -> io::Result<Group> {
        let dir = Path::new(OURS).join(folder(&unit.name, generation));
        match fs::create_dir(&dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            Ok(()) | Err(_) => {}
        }
        let limit = |file: &str, value: Option<u64>| {
            let text = value.map_or_else(|| "max".to_owned(), |v| v.to_string());
            let _ = fs::write(dir.join(file), text);
        };
        limit("memory.max", unit.memory_max);
        limit("pids.max", unit.pids_max);
        if unit.critical {
            let _ = fs::write(dir.join("cpu.weight"), "400");
        }
        Ok(Group::of(&unit.name, generation))
    }

    /// One that was made before.
    pub fn of(unit: &str, generation: u32) -> Group {
        let dir = Path::new(OURS).join(folder(unit, generation));
        Group {
            kill: Door::new(dir.join("cgroup.kill")),
            procs: Door::new(dir.join("cgroup.procs")),
        }
    }

    /// Kills every process in the group and below it.
    pub fn kill(&self) -> bool {
        self.kill.put(b"1").is_ok()
    }

    /// Moves the calling process into the group.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn enter(&self) -> io::Result<()> {
        self.procs.put(b"0")
    }
}

/// Kills every process of every unit, abandoned groups too.
pub fn kill_all() {
    let _ = put(&Path::new(OURS).join("cgroup.kill"), b"1");
}

/// One write into a file of the kernel's.
fn put(path: &Path, what: &[u8]) -> io::Result<()> {
    write_only(path)?.write_all_at(what, 0)
}

fn write_only(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

fn folder(unit: &str, generation: u32) -> String {
    if generation == 0 {
        unit.to_owned()
    } else {
        format!("{unit}.{generation}")
    }
}

/// The unit whose group a process is in.
pub fn unit_of(pid: i32) -> Option<String> {
    unit_in(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?).map(|(name, _)| name)
}

/// The unit and the generation of the group that a process is in.
pub fn place_of(pid: i32) -> Option<(String, u32)> {
    unit_in(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

fn unit_in(text: &str) -> Option<(String, u32)> {
    let rest = text.lines().find_map(|l| l.strip_prefix("0::/kiln/"))?;
    let folder = rest.split('/').next()?;
    let (name, generation) = match folder.split_once('.') {
        Some((name, n)) => (name, n.parse().ok()?),
        None => (folder, 0),
    };
    (!name.is_empty()).then(|| (name.to_owned(), generation))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    #[test]
    fn what_is_held_open_is_written_to_wherever_its_path_leads() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("kill"), dir.path().join("moved"));
        std::fs::write(&path, "").unwrap();
        let door = super::Door::new(path.clone());
        std::fs::rename(&path, &moved).unwrap();
        door.put(b"1").unwrap();
        door.put(b"1").unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "1");
        // One that could not be opened is looked for each time.
        let late = super::Door::new(path.clone());
        assert!(late.put(b"1").is_err());
        std::fs::write(&path, "").unwrap();
        late.put(b"0").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "0");
    }

    #[test]
    fn a_process_is_traced_to_its_unit() {
        let unit = |t: &str| super::unit_in(t);
        assert_eq!(unit("0::/kiln/agent/job-1\n"), Some(("agent".into(), 0)));
        assert_eq!(unit("0::/kiln/agent.2\n"), Some(("agent".into(), 2)));
        assert_eq!(unit("0::/kiln/agent.x\n"), None);
        assert_eq!(unit("12:pids:/x\n0::/\n"), None);
    }
}
