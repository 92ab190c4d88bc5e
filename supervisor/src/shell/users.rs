//! Names of users: `/etc/passwd` read directly, since a static binary has no name service switch.

use std::path::Path;

/// Who a unit runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
}

/// Looks up a name or takes a number.
pub fn find(passwd: &Path, user: &str) -> Option<User> {
    if user == "root" {
        return Some(User { uid: 0, gid: 0 });
    }
    let text = std::fs::read_to_string(passwd).unwrap_or_default();
    let number = user.parse::<u32>().ok();
    let entry = text.lines().find_map(|l| {
        let f: Vec<&str> = l.split(':').collect();
        let (uid, gid) = (f.get(2)?.parse().ok()?, f.get(3)?.parse().ok()?);
        (f.first() == Some(&user) || number == Some(uid)).then_some(User { uid, gid })
    });
    entry.or(number.map(|n| User { uid: n, gid: n }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn names_and_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let f = dir.path().join("passwd");
        std::fs::write(&f, "root:x:0:0::/:/x\nserver:x:900:901::/:/x\nbad\n").unwrap();
        assert_eq!(find(&f, "server"), Some(User { uid: 900, gid: 901 }));
        assert_eq!(find(&f, "900"), Some(User { uid: 900, gid: 901 }));
        assert_eq!(find(&f, "77"), Some(User { uid: 77, gid: 77 }));
        assert_eq!(find(&f, "nobody"), None);
        assert_eq!(find(Path::new("/gone"), "root"), Some(User { uid: 0, gid: 0 }));
    }
}
