//! A script that tests run in the place of a program.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a script for `sh`. A child writes it: a descriptor of ours that is open for writing would be inherited by
/// whatever another test starts at that moment, and the script could not be run ("text file busy").
pub(crate) fn script(path: &Path, text: &str) {
    let mut child = Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    write!(child.stdin.take().unwrap(), "#!/bin/sh\n{text}\n").unwrap();
    assert!(child.wait().unwrap().success());
}
