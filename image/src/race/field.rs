//! The field: who races, which of Debian's packages each needs, and the files that tell it what to run.

use crate::cpio::Node;

/// A contestant.
#[derive(Debug, Clone)]
pub(super) struct Contestant {
    /// Its name in the table.
    pub name: &'static str,
    /// Debian packages, by name; what they depend on comes along.
    pub packages: &'static [&'static str],
    /// Programs (and what they need) that go into its archive, as paths in those packages.
    pub programs: &'static [&'static str],
    /// What `/init` becomes: `PATH[:NAME] ARGUMENT …`.
    pub next: &'static str,
    /// Further files: path, executable, text. An empty text of an executable is the racer itself.
    pub files: &'static [(&'static str, bool, &'static str)],
}

/// Everybody, the limits first.
pub(super) const FIELD: [Contestant; 8] = [
    Contestant {
        name: super::LIMIT_NAME,
        packages: &[],
        programs: &[],
        next: "/race/limit",
        files: &[("race/limit", true, "")],
    },
    Contestant {
        name: "floor",
        packages: &[],
        programs: &[],
        next: "/race/floor",
        files: &[("race/floor", true, "")],
    },
    Contestant {
        name: "kiln",
        packages: &[],
        programs: &[],
        next: "/kiln-init:/init",
        files: &[
            ("etc/passwd", false, "root:x:0:0::/:/x\n"),
            (
                "etc/kiln/units/little.toml",
                false,
                "description = \"Little server\"\nexec = [\"/race/server\"]\ntype = \"notify\"\nstart_limit_burst = 100\ncapabilities = [\"CAP_SYS_PTRACE\", \"CAP_NET_BIND_SERVICE\", \"CAP_DAC_OVERRIDE\", \"CAP_DAC_READ_SEARCH\"]\ndevices = \"block\"\n",
            ),
        ],
    },
    Contestant {
        name: "busybox",
        packages: &["busybox-static"],
        programs: &["usr/bin/busybox"],
        next: "/usr/bin/busybox:init",
        files: &[("etc/inittab", false, "::respawn:/race/server\n")],
    },
    Contestant {
        name: "runit",
        packages: &["runit"],
        programs: &[
            "usr/sbin/runit",
            "usr/bin/runsv",
            "usr/bin/runsvdir",
            "usr/sbin/runsvdir",
            "usr/sbin/runsv",
        ],
        next: "/usr/sbin/runit:runit",
        files: &[
            ("etc/runit/1", true, ""),
            ("etc/runit/2", true, ""),
            ("etc/runit/3", true, ""),
            ("service/little/run", true, ""),
        ],
    },
    Contestant {
        name: "s6",
        packages: &["s6"],
        programs: &["usr/bin/s6-svscan", "usr/bin/s6-supervise"],
        next: "/usr/bin/s6-svscan:s6-svscan /service",
        files: &[
            ("service/little/run", true, ""),
            ("service/little/notification-fd", false, "3\n"),
        ],
    },
    Contestant {
        name: "finit",
        packages: &["finit"],
        programs: &[
            "usr/sbin/finit",
            "usr/lib/finit/keventd",
            "usr/lib/finit/logit",
            "usr/lib/finit/tmpfiles.d/finit.conf",
        ],
        next: "/usr/sbin/finit:init",
        files: &[
            (
                "etc/finit.conf",
                false,
                "runlevel 2\nservice [2] notify:systemd respawn /race/server server -- Little server\n",
            ),
            ("etc/passwd", false, "root:x:0:0::/:/x\n"),
            ("etc/group", false, "root:x:0:\n"),
            // Without these it takes the machine for broken and asks for a password.
            ("etc/fstab", false, "# nothing\n"),
            ("usr/bin/mount", true, ""),
            ("usr/sbin/swapon", true, ""),
        ],
    },
    Contestant {
        name: "systemd",
        packages: &["systemd"],
        programs: &["usr/lib/systemd/systemd", "usr/lib/systemd/systemd-executor"],
        next: "/usr/lib/systemd/systemd:init",
        files: &[
            ("etc/machine-id", false, "0123456789abcdef0123456789abcdef\n"),
            ("etc/os-release", false, "ID=race\n"),
            ("etc/passwd", false, "root:x:0:0::/:/x\n"),
            ("etc/group", false, "root:x:0:\n"),
            (
                "etc/systemd/system/default.target",
                false,
                "[Unit]\nDefaultDependencies=no\nRequires=little.service\n",
            ),
            (
                "etc/systemd/system/little.service",
                false,
                "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nType=notify\nExecStart=/race/server\nRestart=always\nRestartSec=0\nStandardOutput=null\nStandardError=null\n",
            ),
        ],
    },
];

/// One of a contestant's files as a member of its archive.
pub(super) fn node(executable: bool, text: &str, racer: &[u8]) -> Node {
    match (executable, text) {
        (true, "") => Node::File(0o755, racer.to_vec()),
        (true, _) => Node::File(0o755, text.as_bytes().to_vec()),
        (false, _) => Node::File(0o644, text.as_bytes().to_vec()),
    }
}
