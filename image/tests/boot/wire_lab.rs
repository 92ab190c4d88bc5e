//! A network of the test's own: a bridge with the box on a tap and a second computer in a network namespace.
//!
//! Needs root, `ip`, `dnsmasq` and Python's `zeroconf`, which is the judge of multicast DNS: nothing of ours answers for us.

use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Wires made so far.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The bridge and what hangs on it; dropping it takes all away.
#[derive(Debug)]
pub(crate) struct Wire {
    id: u32,
    servers: Vec<Child>,
}

/// What the second computer runs: `CODE ARGUMENT …`.
const JUDGE: &str = include_str!("judge.py");

impl Wire {
    /// Makes it; says why where it cannot be made here.
    pub(crate) fn make() -> Result<Wire, String> {
        for (program, package) in [("ip", "iproute2"), ("dnsmasq", "dnsmasq-base")] {
            if Command::new(program).arg("--version").output().is_err()
                && Command::new(program).arg("-V").output().is_err()
            {
                return Err(format!("{program} is not there (package {package})"));
            }
        }
        let zeroconf = Command::new("/usr/bin/python3")
            .args(["-c", "import zeroconf"])
            .status();
        if !zeroconf.is_ok_and(|s| s.success()) {
            return Err("Python's zeroconf is not there (package python3-zeroconf)".into());
        }
        let wire = Wire {
            // Tests may run side by side; a name of the kernel has 15 characters.
            id: std::process::id() % 100_000 * 10 + COUNT.fetch_add(1, Ordering::Relaxed) % 10,
            servers: Vec::new(),
        };
        let (bridge, tap, end, other, space) = (
            wire.bridge(),
            wire.tap(),
            wire.name("kv"),
            wire.name("kw"),
            wire.space(),
        );
        let steps: [&[&str]; 12] = [
            &["netns", "add", &space],
            &[
                "link",
                "add",
                &bridge,
                "type",
                "bridge",
                "mcast_snooping",
                "0",
                "forward_delay",
                "0",
            ],
            &["tuntap", "add", "dev", &tap, "mode", "tap"],
            &["link", "add", &end, "type", "veth", "peer", "name", &other],
            &["link", "set", &other, "netns", &space, "name", "lan"],
            &["link", "set", &end, "master", &bridge],
            &["link", "set", &tap, "master", &bridge],
            &["link", "set", &end, "up"],
            &["link", "set", &tap, "up"],
            &["link", "set", &bridge, "up"],
            &["-n", &space, "link", "set", "lo", "up"],
            &["-n", &space, "link", "set", "lan", "up"],
        ];
        for step in steps {
            wire.ip(step)?;
        }
        Ok(wire)
    }

    fn name(&self, what: &str) -> String {
        format!("{what}{}", self.id)
    }

    fn bridge(&self) -> String {
        self.name("kb")
    }

    fn space(&self) -> String {
        self.name("kiln")
    }

    /// The box's end.
    pub(crate) fn tap(&self) -> String {
        self.name("kt")
    }

    fn ip(&self, arguments: &[&str]) -> Result<(), String> {
        let out = Command::new("ip").args(arguments).output().map_err(|e| e.to_string())?;
        if out.status.success() {
            Ok(())
        } else {
            Err(format!(
                "ip {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&out.stderr).trim()
            ))
        }
    }

    /// Gives the second computer an address.
    pub(crate) fn address(&self, address: &str) {
        self.ip(&["-n", &self.space(), "addr", "add", address, "dev", "lan", "nodad"])
            .unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let mut c = Command::new("ip");
        c.args(["netns", "exec", &self.space(), program]);
        c
    }

    /// Starts dnsmasq on the second computer: DHCP and router advertisements, no names.
    pub(crate) fn dnsmasq(&mut self, arguments: &[&str]) {
        let child = self
            .command("dnsmasq")
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--port=0",
                "--interface=lan",
                "--leasefile-ro",
                "--user=root",
            ])
            .args(arguments)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.servers.push(child);
    }

    /// Starts a time server on the second computer.
    pub(crate) fn ntp(&mut self) {
        let child = self
            .command("/usr/bin/python3")
            .args(["-c", JUDGE, "ntp"])
            .spawn()
            .unwrap();
        self.servers.push(child);
    }

    /// What the second computer finds.
    pub(crate) fn judge(&self, arguments: &[&str]) -> Output {
        self.command("/usr/bin/python3")
            .args(["-c", JUDGE])
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Asks the second computer until what it finds has a line that begins with `wanted`; all that it found then.
    pub(crate) fn found(&self, arguments: &[&str], wanted: &str, limit: Duration) -> String {
        let begun = Instant::now();
        loop {
            let out = self.judge(arguments);
            let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
            if out.status.success() && text.lines().any(|l| l.starts_with(wanted)) {
                return text;
            }
            let errors = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(
                begun.elapsed() < limit,
                "{arguments:?} in {} s: {text} {errors}",
                limit.as_secs()
            );
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for s in &mut self.servers {
            let _ = s.kill();
            let _ = s.wait();
        }
        for step in [
            ["link", "del", &self.bridge()],
            ["link", "del", &self.name("kv")],
            ["link", "del", &self.tap()],
            ["netns", "del", &self.space()],
        ] {
            let _ = self.ip(&step);
        }
    }
}
