//! `kiln-mdns`: the box's name in the local network, by multicast DNS (RFC 6762) and service discovery (RFC 6763).
//!
//! It answers for `NAME.local`, where NAME is the machine's host name, and announces the dashboard as `_kiln._tcp` and
//! `_http._tcp`, on every interface and over IPv4 and IPv6. Probing and defending are the library's, by the standard. Choosing
//! another name when somebody has ours is not: the library does it on each network by itself, and counts up the number at the
//! name's end, so that the box would have several names, and those of other boxes. Where one network has the name, the box is
//! `NAME-2` on all; that is this unit's status, which the console and the dashboard show. Where that finds no end (`renames`),
//! the library's choice stays: each network has a name then, and the status is the last. Only others on the local link are
//! heard (`filter`). When it is to end it says goodbye, so that nobody is led to a box that is off; an address that goes is
//! taken back (`retract`). It runs without any privilege. Tested: `tests/mdns.rs`; `image/tests/boot/network.rs`, with Avahi as
//! the other side.

mod filter;
mod renames;
mod retract;

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mdns_sd::{DaemonEvent, ServiceDaemon, ServiceInfo};
use nix::sys::signal::{SigSet, Signal};

use crate::renames::Renames;

/// What is announced, and at which port. The first is ours, the second what every browser of services knows.
const SERVICES: [(&str, u16); 2] = [("_kiln._tcp.local.", 80), ("_http._tcp.local.", 80)];
/// How often interfaces and the machine's name are looked at, in seconds.
const LOOK: u32 = 3;
/// Longest silence between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Longest wait for the responder to say goodbye: it sends a few messages.
const GOODBYE: Duration = Duration::from_secs(2);
/// Longest label of a name in bytes (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;

/// Why the box takes another name.
enum Next {
    /// Somebody has the one that it has asked for.
    Taken,
    /// The machine has another one.
    Renamed,
}

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
    let responder = Arc::new(Mutex::new(ServiceDaemon::new()?));
    let current = |of: &Mutex<ServiceDaemon>| of.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ending = Arc::new(AtomicBool::new(false));
    let (last, ends) = (responder.clone(), ending.clone());
    std::thread::spawn(move || {
        if stop.wait().is_ok() {
            ends.store(true, Ordering::SeqCst);
            say("STOPPING=1");
            goodbye(&current(&last));
            // Who waits for an event does not hear of the end.
            std::process::exit(0);
        }
    });
    let (mut host, mut taken, mut renames) = (hostname(), 0, Renames::default());
    loop {
        let daemon = current(&responder);
        match serve(&daemon, &host, &candidate(&host, taken), &mut renames) {
            Ok(Next::Taken) => taken += 1,
            Ok(Next::Renamed) => (host, taken, renames) = (hostname(), 0, Renames::default()),
            // The goodbye is being said.
            Err(_) if ending.load(Ordering::SeqCst) => {
                std::thread::sleep(GOODBYE);
                continue;
            }
            Err(e) => return Err(e),
        }
        goodbye(&daemon);
        // One that has seen a name taken keeps another in its place on that network.
        *responder.lock().unwrap_or_else(PoisonError::into_inner) = ServiceDaemon::new()?;
    }
}

/// Answers for the box under this name, of a machine that is called `host`, until it is to have another one.
fn serve(
    daemon: &ServiceDaemon,
    host: &str,
    name: &str,
    renames: &mut Renames,
) -> Result<Next, Box<dyn std::error::Error>> {
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
    register(daemon, name)?;
    let local = format!("{name}.local");
    say(&format!("READY=1\nSTATUS={local}"));
    // What the library has put in the name's place, where that stays.
    let mut instead: Option<String> = None;
    let mut looked = Instant::now();
    loop {
        match events.recv_timeout(HEARTBEAT) {
            Ok(DaemonEvent::NameChange(change)) => {
                let [original, new] = [&change.original, &change.new_name].map(|n| n.trim_end_matches('.'));
                // Each of the box's addresses and networks tells it.
                let is_news = instead.as_deref() != Some(new);
                if is_news {
                    println!("{original} is taken on {}", change.intf_name);
                }
                // What a service is called may be as it is: people come by the host's name.
                if is_news && original == local {
                    if instead.is_none() && renames.another(Instant::now()) {
                        return Ok(Next::Taken);
                    }
                    println!(
                        "{new} stays there: the names before were just taken, too, as where a router joins networks"
                    );
                    say(&format!("STATUS={new}"));
                    instead = Some(new.to_owned());
                }
            }
            Ok(DaemonEvent::IpAdd(_)) => hear_others(&mut cards)?,
            Ok(DaemonEvent::IpDel(ip)) => {
                for name in [Some(&local), instead.as_ref()].into_iter().flatten() {
                    retract::address(name, ip);
                }
            }
            Ok(DaemonEvent::Error(e)) => eprintln!("kiln-mdns: {e}"),
            Ok(_) => {}
            Err(_) if events.is_disconnected() => return Err("the responder has ended".into()),
            Err(_) => {}
        }
        if looked.elapsed() < Duration::from_secs(u64::from(LOOK)) {
            continue;
        }
        looked = Instant::now();
        hear_others(&mut cards)?;
        // The responder's own thread answers: the heartbeat says that both live.
        let answer = daemon.status()?;
        if answer.recv_timeout(HEARTBEAT).is_ok() {
            say("WATCHDOG=1");
        }
        if hostname() != host {
            return Ok(Next::Renamed);
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

/// The name for a host of this name, of which as many were taken before: itself, then `-2`, `-3`. Never a number that the host's
/// own name ends with, counted up: that is how an owner calls the next box.
fn candidate(host: &str, taken: u32) -> String {
    let Some(number) = taken.checked_add(1).filter(|n| *n > 1) else {
        return host.to_owned();
    };
    let suffix = format!("-{number}");
    let mut end = host.len().min(LABEL_MAX - suffix.len());
    while !host.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", host[..end].trim_end_matches('-'))
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
    fn the_next_name_is_not_that_of_the_owners_next_box() {
        for (host, taken, name) in [
            ("kiln-1", 0, "kiln-1"),
            ("kiln-1", 1, "kiln-1-2"),
            ("kiln-1", 2, "kiln-1-3"),
            ("kiln-3836", 1, "kiln-3836-2"),
            ("kiln", 1, "kiln-2"),
        ] {
            assert_eq!(candidate(host, taken), name);
        }
        for (host, cut) in [("x".repeat(63), 61), (format!("{}-yy", "x".repeat(60)), 60)] {
            assert_eq!(candidate(&host, 1), format!("{}-2", "x".repeat(cut)));
        }
    }
}
