//! Where the programs lie, built from the sources as they are.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Path of `kiln-server`: of the folder that `KILN_PROGRAMS` names, where everything has been built just now; else it is
/// built here, with the features that the workspace's tests are built with (any others would compile its dependencies once
/// more).
///
/// # Panics
/// When it does not compile.
#[must_use]
pub fn server() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        if let Some(folder) = std::env::var_os("KILN_PROGRAMS") {
            return PathBuf::from(folder).join("kiln-server");
        }
        let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args([
                "test",
                "--quiet",
                "--workspace",
                "--lib",
                "--bins",
                "--tests",
                "--no-run",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        // A test lies in `target/PROFILE/deps`.
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().with_file_name("kiln-server")
    });
    assert!(built.is_file(), "{} is not there", built.display());
    built.clone()
}
