//! The name service in a network of its own: what it says must not come back to it, an address that comes or goes is told,
//! what a router brings is not heard, a name that is taken on one network is left on all, and at its end it says goodbye.
//!
//! A box alone once took its own announcement, heard while a further address was probed for, for a rival's, and called itself
//! `-2`; so did one with two cards in one switch. Needs root and `ip`: the network is a namespace of the test's, with a pair of
//! interfaces that are each other's wire, or with two that lead into a switch or two of another one's.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, bind, setsockopt, socket, sockopt,
};

/// The port and the two groups of multicast DNS.
const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// The box's own address on the wire.
const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 5);
const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 5);
/// The router's on the same wire, and its others, which are on no link of the box.
const ROUTER: [&str; 2] = ["10.77.0.1", "fd77::1"];
const AFAR: [&str; 2] = ["203.0.113.7", "2001:db8:9::7"];
/// Asks who is a `_kiln._tcp.local`, from any port, as a program that is no responder does (RFC 6762 §6.7).
const QUESTION: &[u8] = b"\0\x01\0\0\0\x01\0\0\0\0\0\0\x05_kiln\x04_tcp\x05local\0\0\x0c\0\x01";
/// How long an answer is waited for that must not come; one that comes takes milliseconds.
const SILENT: Duration = Duration::from_secs(2);
/// Probing takes a second; the rest is for a machine that has much else to do.
const LIMIT: Duration = Duration::from_mins(1);

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Moves this thread into a network of its own with `lan` and its other end `far`, or says why that cannot be had.
fn network() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| format!("a network namespace: {e}"))?;
    let own = format!("{OWN_V4}/24");
    let steps: [&[&str]; 7] = [
        &["link", "add", "lan", "type", "veth", "peer", "name", "far"],
        &["link", "set", "lan", "addrgenmode", "none"],
        &["link", "set", "far", "addrgenmode", "none"],
        &["link", "set", "far", "up"],
        &["link", "set", "lan", "up"],
        &["addr", "add", &own, "dev", "lan"],
        &["addr", "add", "fd77::5/64", "dev", "lan", "nodad"],
    ];
    steps.into_iter().try_for_each(ip)
}

fn ip(step: &[&str]) -> Result<(), String> {
    let out = Command::new("ip")
        .args(step)
        .output()
        .map_err(|e| format!("ip (package iproute2): {e}"))?;
    if !out.status.success() {
        return Err(format!(
            "ip {}: {}",
            step.join(" "),
            String::from_utf8_lossy(&out.stderr).trim()
        ));
    }
    Ok(())
}

/// A socket that hears what arrives for the service on one interface, beside the service's own.
fn ear(family: AddressFamily, interface: &str, any: &dyn SockaddrLike) -> UdpSocket {
    let fd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&fd, sockopt::ReuseAddr, &true).unwrap();
    setsockopt(&fd, sockopt::ReusePort, &true).unwrap();
    setsockopt(&fd, sockopt::BindToDevice, &interface.into()).unwrap();
    if family == AddressFamily::Inet6 {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true).unwrap();
    }
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), any).unwrap();
    let ear = UdpSocket::from(fd);
    ear.set_nonblocking(true).unwrap();
    ear
}

fn ear_v6(interface: &str) -> UdpSocket {
    let any = SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, PORT, 0, 0));
    let ear = ear(AddressFamily::Inet6, interface, &any);
    ear.join_multicast_v6(&GROUP_V6, if_nametoindex(interface).unwrap())
        .unwrap();
    ear
}

fn ear_v4(interface: &str, own: Ipv4Addr) -> UdpSocket {
    let any = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT));
    let ear = ear(AddressFamily::Inet, interface, &any);
    ear.join_multicast_v4(&GROUP_V4, &own).unwrap();
    ear
}

/// The other end's ear, which has no address of its own: what it hears comes from an address of this same machine.
fn ear_v4_far() -> UdpSocket {
    for (setting, value) in [
        ("far/accept_local", "1"),
        ("far/rp_filter", "0"),
        ("all/rp_filter", "0"),
    ] {
        std::fs::write(format!("/proc/sys/net/ipv4/conf/{setting}"), value).unwrap();
    }
    let any = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT));
    let ear = ear(AddressFamily::Inet, "far", &any);
    let joined = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr {
            s_addr: u32::from_ne_bytes(GROUP_V4.octets()),
        },
        imr_address: libc::in_addr { s_addr: 0 },
        imr_ifindex: if_nametoindex("far").unwrap().cast_signed(),
    };
    let size = libc::socklen_t::try_from(size_of_val(&joined)).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&ear);
    let at = (&raw const joined).cast();
    // SAFETY: the structure is the one that the option takes, and outlives the call.
    let done = unsafe { libc::setsockopt(fd, libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, at, size) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    ear
}

/// Whether this is a response that answers something: an announcement, since nobody asks.
fn announces(message: &[u8]) -> bool {
    message.len() > 12 && message[2] & 0x80 != 0 && message[6..8] != [0, 0]
}

/// Whether this takes an announcement back: its first record lives no longer.
fn takes_back(message: &[u8]) -> bool {
    let mut at = 12;
    loop {
        match message.get(at) {
            Some(0) => break at += 1,
            Some(0xc0..) => break at += 2,
            Some(label) => at += 1 + usize::from(*label),
            None => return false,
        }
    }
    // Type and class come first, two bytes each.
    announces(message) && message.get(at + 4..at + 8) == Some(&[0; 4])
}

/// Whether anything was heard.
fn heard(ear: &UdpSocket) -> bool {
    match ear.recv(&mut [0; 9000]) {
        Ok(_) => true,
        Err(e) if e.kind() == ErrorKind::WouldBlock => false,
        Err(e) => panic!("{e}"),
    }
}

/// How long a message says that an address holds, in seconds.
fn lifetime(message: &[u8], address: IpAddr) -> Option<u32> {
    let (len, bytes) = match address {
        IpAddr::V4(a) => (4, a.octets().to_vec()),
        IpAddr::V6(a) => (16, a.octets().to_vec()),
    };
    // Time, length of the data, data.
    let tail = [&[0, len], bytes.as_slice()].concat();
    let at = message.windows(tail.len()).position(|w| w == tail)?;
    let time = message.get(at.checked_sub(4)?..at)?;
    Some(u32::from_be_bytes(time.try_into().ok()?))
}

/// Waits for word of an address that has a lifetime, or none any more; those of `stays` must not be taken back.
fn told(ear: &UdpSocket, address: IpAddr, lives: bool, stays: &[IpAddr]) {
    let begun = Instant::now();
    loop {
        assert!(
            begun.elapsed() < LIMIT,
            "{address}: lives {lives}: not told in {LIMIT:?}"
        );
        let mut message = [0; 9000];
        let Ok(len) = ear.recv(&mut message) else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        for stays in stays {
            assert_ne!(lifetime(&message[..len], *stays), Some(0), "{stays} stays");
        }
        if lifetime(&message[..len], address).is_some_and(|time| (time > 0) == lives) {
            return;
        }
    }
}

#[test]
fn an_address_that_comes_is_announced_and_one_that_goes_is_taken_back() {
    std::thread::spawn(|| {
        if let Err(why) = network() {
            return rig::not_run(&format!("addresses that come and go: {why}"));
        }
        let far = ear_v6("far");
        let _running = Running(Command::new(env!("CARGO_BIN_EXE_kiln-mdns")).spawn().unwrap());
        let (own, six) = (IpAddr::from(OWN_V4), "fd77::5".parse().unwrap());
        told(&far, own, true, &[]);
        told(&far, six, true, &[]);
        let second = "10.77.0.9".parse().unwrap();
        ip(&["addr", "add", "10.77.0.9/24", "dev", "lan"]).unwrap();
        told(&far, second, true, &[own, six]);
        ip(&["addr", "del", "10.77.0.9/24", "dev", "lan"]).unwrap();
        told(&far, second, false, &[own, six]);
        let sixth = "fd77::9".parse().unwrap();
        ip(&["addr", "add", "fd77::9/64", "dev", "lan", "nodad"]).unwrap();
        told(&far, sixth, true, &[own, six]);
        let over_v4 = ear_v4_far();
        ip(&["addr", "del", "fd77::9/64", "dev", "lan"]).unwrap();
        told(&far, sixth, false, &[own, six]);
        told(&over_v4, sixth, false, &[own, six]);
        // The last of its family.
        ip(&["addr", "del", "10.77.0.5/24", "dev", "lan"]).unwrap();
        told(&far, own, false, &[six]);
    })
    .join()
    .unwrap();
}

#[test]
fn a_box_alone_does_not_hear_itself_and_so_keeps_its_name() {
    // A thread of its own goes into the namespace; the others stay where they are.
    std::thread::spawn(|| {
        if let Err(why) = network() {
            return rig::not_run(&format!("the name service alone in its network: {why}"));
        }
        let (far, own) = (ear_v6("far"), [ear_v6("lan"), ear_v4("lan", OWN_V4)]);
        let dir = tempfile::tempdir().unwrap();
        let notify = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        notify.set_read_timeout(Some(LIMIT)).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_kiln-mdns"));
        program.env("NOTIFY_SOCKET", dir.path().join("notify"));
        let mut running = Running(program.spawn().unwrap());
        let mut said = [0; 200];
        let len = notify.recv(&mut said).unwrap();
        assert!(said[..len].starts_with(b"READY=1\n"));

        // Two services: both are announced over the wire, and probed for before that.
        let (mut announced, begun) = (0, Instant::now());
        while announced < 2 {
            assert!(begun.elapsed() < LIMIT, "{announced} announcements within {LIMIT:?}");
            let mut message = [0; 9000];
            match far.recv(&mut message) {
                Ok(len) => announced += usize::from(announces(&message[..len])),
                Err(e) => {
                    assert_eq!(e.kind(), ErrorKind::WouldBlock, "{e}");
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        assert_eq!(own.each_ref().map(heard), [false, false], "it hears itself: IPv6, IPv4");

        let pid = nix::unistd::Pid::from_raw(running.0.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(running.0.wait().unwrap().success(), "it ends in order");
        let mut back = 0;
        let mut message = [0; 9000];
        while let Ok(len) = far.recv(&mut message) {
            back += usize::from(takes_back(&message[..len]));
        }
        assert!(back >= 2, "both services are taken back, not {back}");
    })
    .join()
    .unwrap();
}

/// This thread's network.
fn here() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

/// Does something in another network, and comes back.
fn within<T>(network: &File, work: impl FnOnce() -> T) -> T {
    let own = here();
    setns(network, CloneFlags::CLONE_NEWNET).unwrap();
    let done = work();
    setns(&own, CloneFlags::CLONE_NEWNET).unwrap();
    done
}

/// Moves this thread into a network of its own, with a router at the other end of its wire; answers with the router's.
fn routed() -> Result<File, String> {
    let own_network = || unshare(CloneFlags::CLONE_NEWNET).map_err(|e| format!("a network namespace: {e}"));
    own_network()?;
    let router = here();
    own_network()?;
    let there = format!("/proc/{}/fd/{}", std::process::id(), router.as_raw_fd());
    let own = [format!("{OWN_V4}/24"), format!("{OWN_V6}/64")];
    let steps: [&[&str]; 6] = [
        &["link", "add", "lan", "type", "veth", "peer", "name", "far"],
        &["link", "set", "lan", "addrgenmode", "none"],
        &["link", "set", "far", "netns", &there],
        &["link", "set", "lan", "up"],
        &["addr", "add", &own[0], "dev", "lan"],
        &["addr", "add", &own[1], "dev", "lan", "nodad"],
    ];
    steps.into_iter().try_for_each(ip)?;
    let of = ROUTER.map(|a| format!("{a}/{}", if a.contains(':') { 64 } else { 24 }));
    let routers: [&[&str]; 6] = [
        &["link", "set", "lo", "up"],
        &["link", "set", "far", "up"],
        &["addr", "add", &of[0], "dev", "far"],
        &["addr", "add", &of[1], "dev", "far", "nodad"],
        &["addr", "add", AFAR[0], "dev", "lo"],
        &["addr", "add", AFAR[1], "dev", "lo", "nodad"],
    ];
    within(&router, || routers.into_iter().try_for_each(ip))?;
    ip(&["route", "add", "default", "via", ROUTER[0]])?;
    ip(&["route", "add", "default", "via", ROUTER[1]])?;
    Ok(router)
}

/// A socket at one of the router's addresses, at any port; what it sends to one address alone has this time to live.
fn asker(from: &str, lives: u8) -> UdpSocket {
    let from: IpAddr = from.parse().unwrap();
    let socket = UdpSocket::bind((from, 0)).unwrap();
    if from.is_ipv4() {
        socket.set_ttl(lives.into()).unwrap();
    } else {
        setsockopt(&socket, sockopt::Ipv6Ttl, &lives.into()).unwrap();
    }
    socket
}

/// Whether the service answers a question that is sent there, within `time`.
fn answers(asker: &UdpSocket, to: SocketAddr, time: Duration) -> bool {
    asker.set_read_timeout(Some(time)).unwrap();
    asker.send_to(QUESTION, to).unwrap();
    asker.recv(&mut [0; 9000]).is_ok()
}

/// Addresses of as many names that nobody has asked for, as one message, to be kept for years.
fn unasked(n: u32) -> Vec<u8> {
    let names = 45u8;
    let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, names, 0, 0, 0, 0];
    for i in 0..names {
        message.extend([8]);
        message.extend(format!("{n:05x}{i:03x}").bytes());
        message.extend(b"\x05local\0\0\x01\0\x01\x7f\xff\xff\xff\0\x04");
        message.extend(n.to_be_bytes());
    }
    message
}

/// Memory of a process that is its own to fill, in KiB.
fn memory(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn who_is_not_on_its_link_is_neither_answered_nor_believed() {
    std::thread::spawn(|| {
        let router = match routed() {
            Ok(router) => router,
            Err(why) => return rig::not_run(&format!("the name service behind a router: {why}")),
        };
        let running = Running(Command::new(env!("CARGO_BIN_EXE_kiln-mdns")).spawn().unwrap());
        let link = within(&router, || if_nametoindex("far").unwrap());
        let groups: [SocketAddr; 2] = [
            (GROUP_V4, PORT).into(),
            SocketAddrV6::new(GROUP_V6, PORT, 0, link).into(),
        ];
        let own: [SocketAddr; 2] = [(OWN_V4, PORT).into(), (OWN_V6, PORT).into()];
        for ((group, own), (near, afar)) in groups.into_iter().zip(own).zip(ROUTER.into_iter().zip(AFAR)) {
            let [near, next, afar] =
                [(near, 64), (near, 255), (afar, 64)].map(|(from, lives)| within(&router, || asker(from, lives)));
            let begun = Instant::now();
            while !answers(&near, group, Duration::from_secs(1)) {
                assert!(begun.elapsed() < LIMIT, "{group}: no answer within {LIMIT:?}");
            }
            assert!(answers(&next, own, LIMIT), "{own}: a neighbour's question");
            assert!(!answers(&afar, own, SILENT), "{own}: a question from afar is answered");
            assert!(
                !answers(&near, own, SILENT),
                "{own}: a question that could be from afar"
            );
        }

        let before = memory(running.0.id());
        let afar = within(&router, || asker(AFAR[0], 64));
        for n in 0..1000 {
            afar.send_to(&unasked(n), own[0]).unwrap();
            if n % 20 == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        // Its turn comes after all that it has heard.
        let near = within(&router, || asker(ROUTER[0], 64));
        assert!(answers(&near, groups[0], LIMIT));
        let after = memory(running.0.id());
        assert!(
            after < before + 2048,
            "{before} KiB, and {after} KiB after answers from afar"
        );
    })
    .join()
    .unwrap();
}

/// How long a name must hold that nobody else has: a rival would be found within three probes, a quarter of a second each, and
/// the name that is taken instead is probed for as long.
const HOLDS: Duration = Duration::from_secs(8);

/// A namespace of its own, without anything in it, which this thread is in from now on.
fn own_network() -> Result<File, String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| format!("a network namespace: {e}"))?;
    ip(&["link", "set", "lo", "up"])?;
    Ok(here())
}

/// Puts this thread's card `name` with its addresses into the switch, which is in another network.
fn plug(name: &str, switch: &str, switches: &File, addresses: &[&str]) -> Result<(), String> {
    let there = format!("/proc/{}/fd/{}", std::process::id(), switches.as_raw_fd());
    let port = format!("{switch}-{name}");
    ip(&["link", "add", name, "type", "veth", "peer", "name", &port])?;
    ip(&["link", "set", &port, "netns", &there])?;
    let at_the_switch = || ip(&["link", "set", &port, "master", switch, "up"]);
    within(switches, at_the_switch)?;
    ip(&["link", "set", name, "up"])?;
    addresses.iter().try_for_each(|a| give(name, a))
}

/// Gives a card a further address.
fn give(name: &str, address: &str) -> Result<(), String> {
    let at_once: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
    ip(&[&["addr", "add", address, "dev", name], at_once].concat())
}

/// Two switches, `one` and `two`, in a network of their own.
fn switches() -> Result<File, String> {
    let switches = own_network()?;
    for name in ["one", "two"] {
        ip(&["link", "add", name, "type", "bridge", "mcast_snooping", "0"])?;
        ip(&["link", "set", name, "up"])?;
    }
    Ok(switches)
}

/// The service in this thread's network, on a machine of this name; answers with what it tells the supervisor.
fn service(host: &str, dir: &std::path::Path) -> (Running, UnixDatagram) {
    unshare(CloneFlags::CLONE_NEWUTS).unwrap();
    nix::unistd::sethostname(host).unwrap();
    let socket = dir.join(format!("{}.sock", here().as_raw_fd()));
    let notify = UnixDatagram::bind(&socket).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_kiln-mdns"));
    program.env("NOTIFY_SOCKET", &socket);
    let running = Running(program.spawn().unwrap());
    let name = name_told(&notify, Instant::now() + LIMIT, &|_| true);
    assert_eq!(name.as_deref(), Some(format!("{host}.local").as_str()));
    (running, notify)
}

/// The first name that is told until then and `is_it`.
fn name_told(notify: &UnixDatagram, until: Instant, is_it: &dyn Fn(&str) -> bool) -> Option<String> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        notify
            .set_read_timeout(Some(left.max(Duration::from_millis(1))))
            .unwrap();
        let mut said = [0; 200];
        let len = notify.recv(&mut said).ok()?;
        let said = std::str::from_utf8(&said[..len]).unwrap();
        let name = said.lines().find_map(|l| l.strip_prefix("STATUS="));
        if let Some(name) = name.filter(|n| is_it(n)) {
            return Some(name.to_owned());
        }
    }
}

/// Asks for the address of `NAME.local`, from any port.
fn address_of(host: &str) -> Vec<u8> {
    let mut question = b"\0\x01\0\0\0\x01\0\0\0\0\0\0".to_vec();
    question.push(u8::try_from(host.len()).unwrap());
    question.extend(host.bytes());
    question.extend(b"\x05local\0\0\x01\0\x01");
    question
}

/// Whether somebody on the link answers for `NAME.local` with an address of IPv4 within `time`.
fn opens(asker: &UdpSocket, host: &str, time: Duration) -> bool {
    let until = Instant::now() + time;
    while Instant::now() < until {
        asker.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        asker.send_to(&address_of(host), (GROUP_V4, PORT)).unwrap();
        let mut message = [0; 9000];
        // That nobody has such an address is an answer, too.
        while let Ok(len) = asker.recv(&mut message) {
            // Type A, class IN with or without the bit that flushes, any time, four bytes.
            let is_address = |w: &[u8]| w[..2] == [0, 1] && matches!(w[2], 0 | 0x80) && w[3] == 1 && w[8..] == [0, 4];
            if message[..len].windows(10).any(is_address) {
                return true;
            }
        }
    }
    false
}

#[test]
fn a_box_with_two_cards_in_one_switch_keeps_its_name() {
    std::thread::spawn(|| {
        let cards = || {
            let switches = switches()?;
            own_network()?;
            plug("eth0", "one", &switches, &[])?;
            plug("eth1", "one", &switches, &[])?;
            Ok::<File, String>(switches)
        };
        let _switches = match cards() {
            Ok(switches) => switches,
            Err(why) => return rig::not_run(&format!("the name service on two cards of one network: {why}")),
        };
        let dir = tempfile::tempdir().unwrap();
        let (_running, notify) = service("kiln-1", dir.path());
        // A lease and a router's prefix come to one card, then to the other.
        for addresses in [["10.77.0.5/24", "10.77.0.6/24"], ["fd77::5/64", "fd77::6/64"]] {
            for (card, address) in ["eth0", "eth1"].into_iter().zip(addresses) {
                give(card, address).unwrap();
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        let another = name_told(&notify, Instant::now() + HOLDS, &|name| name != "kiln-1.local");
        assert_eq!(another, None, "nobody else has its name");
    })
    .join()
    .unwrap();
}

#[test]
fn a_name_that_is_taken_on_one_network_is_left_on_all_and_no_other_boxs_is_taken() {
    std::thread::spawn(|| {
        let dir = tempfile::tempdir().unwrap();
        let rival = || {
            let switches = switches()?;
            ip(&["addr", "add", "10.77.0.1/24", "dev", "one"])?;
            own_network()?;
            plug("eth0", "two", &switches, &["10.78.0.6/24"])?;
            Ok::<File, String>(switches)
        };
        let switches = match rival() {
            Ok(switches) => switches,
            Err(why) => return rig::not_run(&format!("the name service on two networks: {why}")),
        };
        let (_rival, _) = service("kiln-1", dir.path());
        let on_two = asker("10.78.0.6", 255);
        assert!(opens(&on_two, "kiln-1", LIMIT), "the rival has its name");

        own_network().unwrap();
        plug("eth0", "one", &switches, &["10.77.0.5/24"]).unwrap();
        plug("eth1", "two", &switches, &["10.78.0.5/24"]).unwrap();
        let (mut running, notify) = service("kiln-1", dir.path());
        let name = name_told(&notify, Instant::now() + LIMIT, &|name| name != "kiln-1.local");
        assert_eq!(name.as_deref(), Some("kiln-1-2.local"), "kiln-2 may be a box's, too");
        let on_one = within(&switches, || asker("10.77.0.1", 255));
        assert!(
            opens(&on_one, "kiln-1-2", LIMIT),
            "the name told does not open on the first network"
        );
        assert!(!opens(&on_one, "kiln-2", SILENT));
        assert!(!opens(&on_one, "kiln-1", SILENT), "there is one name");
        let pid = nix::unistd::Pid::from_raw(running.0.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(running.0.wait().unwrap().success(), "it ends in order");
        assert!(!opens(&on_one, "kiln-1-2", SILENT));
    })
    .join()
    .unwrap();
}

/// Carries what is said on each of two switches, which have these addresses, to the other, as a router's reflector does; ends with
/// the test's process.
fn join([one, two]: [Ipv4Addr; 2]) {
    let ears = [ear_v4("one", one), ear_v4("two", two)];
    for ear in &ears {
        ear.set_multicast_loop_v4(false).unwrap();
        ear.set_multicast_ttl_v4(255).unwrap();
    }
    std::thread::spawn(move || {
        let mut message = [0; 9000];
        loop {
            for (from, to) in [(0, 1), (1, 0)] {
                while let Ok(len) = ears[from].recv(&mut message) {
                    // One that is lost is one that the network has lost.
                    let _ = ears[to].send_to(&message[..len], (GROUP_V4, PORT));
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

#[test]
fn a_box_that_meets_itself_through_a_router_comes_to_a_name_that_holds() {
    std::thread::spawn(|| {
        let dir = tempfile::tempdir().unwrap();
        let routers = [Ipv4Addr::new(10, 77, 0, 1), Ipv4Addr::new(10, 78, 0, 1)];
        let joined = || {
            let switches = switches()?;
            ip(&["addr", "add", "10.77.0.1/24", "dev", "one"])?;
            ip(&["addr", "add", "10.78.0.1/24", "dev", "two"])?;
            join(routers);
            own_network()?;
            plug("eth0", "one", &switches, &["10.77.0.5/24"])?;
            plug("eth1", "two", &switches, &["10.78.0.5/24"])?;
            Ok::<File, String>(switches)
        };
        let switches = match joined() {
            Ok(switches) => switches,
            Err(why) => return rig::not_run(&format!("the name service on two networks that are joined: {why}")),
        };
        let (_running, notify) = service("kiln-1", dir.path());
        let mut names = vec!["kiln-1.local".to_owned()];
        while let Some(name) = name_told(&notify, Instant::now() + HOLDS, &|n| {
            names.last().is_none_or(|l| l != n)
        }) {
            names.push(name);
            assert!(names.len() <= 4, "{names:?}");
        }
        // Else this has joined nothing.
        assert!(names.len() > 1, "{names:?}");
        let last = names.last().unwrap().trim_end_matches(".local");
        let opens_on = |router: Ipv4Addr| within(&switches, || opens(&asker(&router.to_string(), 255), last, SILENT));
        assert!(
            routers.into_iter().any(opens_on),
            "{names:?}: the last one opens nowhere"
        );
    })
    .join()
    .unwrap();
}
