//! A loop device over a file: a drive that a test may do anything to. Needs root and `losetup`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a device that was detached may still be held by who has it open.
const FREE_WITHIN: Duration = Duration::from_secs(5);

/// How a file is attached; by default for writing, whole, through the file's cache.
#[derive(Debug, Clone, Default)]
pub struct Loops(Vec<String>);

impl Loops {
    /// Every write is refused.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.option("--read-only")
    }

    /// Past the file's cache, as to a drive: memory holds nothing twice.
    #[must_use]
    pub fn direct_io(self) -> Self {
        self.option("--direct-io=on")
    }

    /// The kernel looks for partitions, of which each gets a device.
    #[must_use]
    pub fn partitions(self) -> Self {
        self.option("--partscan")
    }

    /// No more than the first `bytes` of the file.
    #[must_use]
    pub fn limit(self, bytes: u64) -> Self {
        self.option(&format!("--sizelimit={bytes}"))
    }

    /// Logical sectors of so many bytes in place of 512.
    #[must_use]
    pub fn sector(self, bytes: u32) -> Self {
        self.option(&format!("--sector-size={bytes}"))
    }

    fn option(mut self, option: &str) -> Self {
        self.0.push(option.to_owned());
        self
    }

    /// Attaches a file, or a device.
    ///
    /// # Errors
    /// In words, where there are no loop devices or it is refused; a test then says that it did not run
    /// ([`not_run`](crate::not_run)).
    pub fn over(&self, file: &Path) -> Result<Loop, String> {
        let shown = losetup(
            Command::new("losetup")
                .args(&self.0)
                .args(["--find", "--show"])
                .arg(file),
        )?;
        let node = PathBuf::from(shown);
        Ok(Loop { node })
    }
}

/// A loop device; detached when dropped. The file stays.
#[derive(Debug)]
pub struct Loop {
    /// `/dev/loopN`.
    pub node: PathBuf,
}

impl Loop {
    /// Over a file, as by default.
    ///
    /// # Errors
    /// As [`Loops::over`].
    pub fn over(file: &Path) -> Result<Self, String> {
        Loops::default().over(file)
    }

    /// Puts another file into the same place: another drive on the same port. Who has it open for a moment is waited for.
    ///
    /// # Panics
    /// It is refused for seconds, as where another test has taken the number meanwhile.
    pub fn exchange(&self, file: &Path) {
        self.detach();
        let begun = Instant::now();
        while let Err(why) = losetup(Command::new("losetup").arg(&self.node).arg(file)) {
            assert!(begun.elapsed() < FREE_WITHIN, "{why}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn detach(&self) {
        // A test may have done so.
        let _gone_already = losetup(Command::new("losetup").arg("--detach").arg(&self.node));
    }

    /// Takes the file's new size: a drive that has shrunk, or fallen off its bus.
    ///
    /// # Panics
    /// The kernel refuses it.
    pub fn resized(&self) {
        losetup(Command::new("losetup").arg("--set-capacity").arg(&self.node)).unwrap();
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.detach();
    }
}

/// What it prints.
fn losetup(command: &mut Command) -> Result<String, String> {
    // Not from /dev/null: a test may have taken /dev away.
    let run = command.stdin(Stdio::inherit()).output();
    let Output { status, stdout, stderr } = run.map_err(|e| format!("losetup: {e}"))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    match status.success() {
        true => Ok(text(stdout)),
        false => Err(text(stderr)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_loop_device_is_as_its_options_say_and_gone_when_it_is_dropped() {
        let path = std::env::temp_dir().join(format!("kiln-rig-{}", std::process::id()));
        let read = |node: &Path, what: &str| {
            let name = node.file_name().unwrap().to_str().unwrap();
            std::fs::read_to_string(format!("/sys/block/{name}/{what}")).unwrap_or_default()
        };
        let size = |l: &Loop| read(&l.node, "size").trim().parse::<u64>().unwrap() * 512;
        let file = File::create(&path).unwrap();
        file.set_len(8 << 20).unwrap();
        let plain = match Loop::over(&path) {
            Ok(plain) => plain,
            Err(why) => {
                std::fs::remove_file(&path).unwrap();
                return crate::not_run(&format!("loop devices: {why}"));
            }
        };
        assert_eq!(size(&plain), 8 << 20);
        file.set_len(4 << 20).unwrap();
        plain.resized();
        assert_eq!(size(&plain), 4 << 20);
        let node = plain.node.clone();
        let backing = path.to_str().unwrap();
        let other = path.with_extension("other");
        File::create(&other).unwrap().set_len(2 << 20).unwrap();
        plain.exchange(&other);
        assert_eq!(size(&plain), 2 << 20);
        std::fs::remove_file(&other).unwrap();
        assert!(read(&node, "loop/backing_file").contains(backing));
        drop(plain);
        assert!(!read(&node, "loop/backing_file").contains(backing));
        let how = Loops::default().read_only().limit(1 << 20).sector(4096);
        let bound = how.over(&path).unwrap();
        assert_eq!(size(&bound), 1 << 20);
        assert_eq!(read(&bound.node, "queue/logical_block_size").trim(), "4096");
        assert_eq!(read(&bound.node, "ro").trim(), "1");
        let written = File::options().write(true).open(&bound.node);
        assert!(written.and_then(|d| d.write_all_at(&[1; 4096], 0)).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
