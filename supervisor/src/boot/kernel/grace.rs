//! RCU's grace periods: hurried until the server listens. Each one that is waited for is 10 to 20 ms in which nothing is done
//! (mounting the group file system, some settings, loading modules); a hurried one interrupts every processor instead, which
//! costs a burn-in nothing as long as there is none.

use std::fs;
use std::io;
use std::path::Path;

/// The kernel's switch (kernel/ksysfs.c); a kernel without it is left as it is.
const SWITCH: &str = "sys/kernel/rcu_expedited";

/// Has the kernel hurry, or take its time again.
///
/// # Errors
/// The switch is there and cannot be written: the kernel goes on as it did.
pub(crate) fn hurry(root: &Path, on: bool) -> io::Result<()> {
    let path = root.join(SWITCH);
    if !path.exists() {
        return Ok(());
    }
    fs::write(&path, if on { "1\n" } else { "0\n" })
        .map_err(|e| io::Error::new(e.kind(), format!("writing {}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_turned_and_a_missing_one_is_passed_over() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        hurry(dir.path(), true)?;
        let at = dir.path().join(SWITCH);
        assert!(!at.exists());
        fs::create_dir_all(dir.path().join("sys/kernel"))?;
        fs::write(&at, "0\n")?;
        for (on, text) in [(true, "1\n"), (false, "0\n")] {
            hurry(dir.path(), on)?;
            assert_eq!(fs::read_to_string(&at)?, text);
        }
        fs::remove_file(&at)?;
        fs::create_dir(&at)?;
        let told = hurry(dir.path(), false).expect_err("a folder is no switch").to_string();
        assert!(told.contains("sys/kernel/rcu_expedited"), "{told}");
        Ok(())
    }
}
