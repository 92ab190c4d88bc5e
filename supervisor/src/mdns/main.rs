//! `kiln-mdns`: the box's name in the local network, by multicast DNS (RFC 6762) and service discovery (RFC 6763).
//!
//! It answers for `NAME.local`, where NAME is the machine's host name, and announces the dashboard as `_kiln._tcp` and
//! `_http._tcp`, on every interface and over IPv4 and IPv6. Probing, defending and choosing another name when somebody has
//! ours are the library's, by the standard; the name that holds in the end is this unit's status, which the console and the
//! dashboard show. Only others on the local link are heard (`filter`). When it is to end it says goodbye, so that nobody is led to a box
//! that is off; an address that goes is taken back (`retract`). It runs without any privilege. Tested: `tests/mdns.rs`;
//! `image/tests/boot/network.rs`, with Avahi as the other side.

mod filter;
mod retract;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mdns_sd::{DaemonEvent, ServiceDaemon, ServiceInfo};
use nix::sys::signal::{SigSet, Signal};

/// What is announced, and at which port. The first is ours, the second what every browser of services knows.
const SERVICES: [(&str, u16); 2] = [("_kiln._tcp.local.", 80), ("_http._tcp.local.", 80)];
/// How often interfaces and the machine's name are looked at, in seconds.
const LOOK: u32 = 3;
/// Longest silence between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Longest wait for the responder to say goodbye: it sends a few messages.
const GOODBYE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("kiln-mdns: {e}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::exit, reason = "the thread that waits for events does not hear of the end")]
fn run() -> Result<(), Box<dyn std::error::Error>> {
    // Before there is a second thread, which inherits it.
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTERM);
    stop.thread_block()?;
    let daemon = ServiceDaemon::new()?;
    let ending = Arc::new(AtomicBool::new(false));
    let (responder, ends) = (daemon.clone(), ending.clone());
    std::thread::spawn(move || {
        if stop.wait().is_ok() {
            ends.store(true, Ordering::SeqCst);
            say("STOPPING=1");
            goodbye(&responder);
            // Who waits for an event does not hear of the end.
            std::process::exit(0);
        }
    });
    daemon.set_ip_check_interval(LOOK)?;
    // Our own words, heard again while a further address is probed for, would be taken for a rival's (RFC 6762 §8.1, §9): the
    // box would give up its name to itself. Nobody else in it listens. The filter sees to what comes back from outside.
    daemon.set_multicast_loop_v4(false)?;
    daemon.set_multicast_loop_v6(false)?;
    let events = daemon.monitor()?;
    // Its sockets are there once it answers, and it makes no others; what has come in before is little.
    daemon.status()?.recv_timeout(HEARTBEAT)?;
    let mut cards = None;
    hear_others(&mut cards)?;
    let mut name = hostname();
    register(&daemon, &name)?;
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    say(&format!("READY=1\nSTATUS={name}.local"));
    let mut looked = Instant::now();
    loop {
        match events.recv_timeout(HEARTBEAT) {
            Ok(DaemonEvent::NameChange(change)) => {
                println!(
                    "{} is taken on {}: {} from now on",
                    change.original, change.intf_name, change.new_name
                );
                renamed.insert(change.original, change.new_name);
                say(&format!("STATUS={}", shown(&name, &renamed)));
            }
            Ok(DaemonEvent::IpAdd(_)) => hear_others(&mut cards)?,
            Ok(DaemonEvent::IpDel(ip)) => retract::address(&shown(&name, &renamed), ip),
            Ok(DaemonEvent::Error(e)) => eprintln!("kiln-mdns: {e}"),
            Ok(_) => {}
            // The goodbye is being said.
            Err(_) if ending.load(Ordering::SeqCst) => std::thread::sleep(GOODBYE),
            Err(_) if events.is_disconnected() => return Err("the responder has ended".into()),
            Err(_) => {}
        }
        if looked.elapsed() < Duration::from_secs(u64::from(LOOK)) {
            continue;
        }
        looked = Instant::now();
        if ending.load(Ordering::SeqCst) {
            continue;
        }
        hear_others(&mut cards)?;
        // The responder's own thread answers: the heartbeat says that both live.
        let answer = daemon.status()?;
        if answer.recv_timeout(HEARTBEAT).is_ok() {
            say("WATCHDOG=1");
        }
        let now = hostname();
        if now != name {
            for (kind, _) in SERVICES {
                daemon.unregister(&format!("{name}.{kind}"))?;
            }
            name = now;
            renamed.clear();
            register(&daemon, &name)?;
            say(&format!("STATUS={name}.local"));
        }
    }
}

/// Has the responder hear others alone, also with a card that has come.
fn hear_others(own: &mut Option<BTreeSet<filter::Card>>) -> Result<(), String> {
    let now = filter::cards();
    if own.as_ref() != Some(&now) {
        filter::others_alone(retract::PORT, &now).map_err(|e| format!("hearing others on the link alone: {e}"))?;
        *own = Some(now);
    }
    Ok(())
}

/// Has the responder tell everybody that what it announced holds no more (RFC 6762 §10.1), and waits until it has.
fn goodbye(daemon: &ServiceDaemon) {
    match daemon.shutdown() {
        Ok(done) => drop(done.recv_timeout(GOODBYE)),
        Err(e) => eprintln!("kiln-mdns: saying goodbye: {e}"),
    }
}

fn register(daemon: &ServiceDaemon, name: &str) -> mdns_sd::Result<()> {
    for (kind, port) in SERVICES {
        let text: [(&str, &str); 2] = [("path", "/"), ("product", "Kiln")];
        let info = ServiceInfo::new(kind, name, &format!("{name}.local."), "", port, &text[..])?.enable_addr_auto();
        daemon.register(info)?;
    }
    Ok(())
}

/// The host's name that holds, without the dot at its end.
fn shown(name: &str, renamed: &BTreeMap<String, String>) -> String {
    let own = format!("{name}.local.");
    let mut now = &own;
    // Each may have been taken, too; names never come back, so this ends.
    for _ in 0..renamed.len() {
        match renamed.get(now) {
            Some(next) => now = next,
            None => break,
        }
    }
    now.trim_end_matches('.').to_owned()
}

fn hostname() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy();
    // The first label; the rest would not be ours to answer for.
    name.split('.')
        .next()
        .filter(|n| !n.is_empty())
        .unwrap_or("kiln")
        .to_owned()
}

/// Tells the supervisor, if there is one.
fn say(text: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let _ = UnixDatagram::unbound().and_then(|s| s.send_to(text.as_bytes(), path));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_holds_is_the_last_of_those_taken() {
        let none = BTreeMap::new();
        assert_eq!(shown("kiln-1", &none), "kiln-1.local");
        let taken = [
            ("kiln-1.local.", "kiln-1-2.local."),
            ("kiln-1-2.local.", "kiln-1-3.local."),
            ("kiln-1._kiln._tcp.local.", "x"),
        ];
        let taken = taken.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        assert_eq!(shown("kiln-1", &taken), "kiln-1-3.local");
    }
}
