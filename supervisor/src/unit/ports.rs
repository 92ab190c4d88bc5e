//! Ports that the owner of a box adds to those of its unit files (`listen` in `kiln.toml`).

use std::net::{Ipv6Addr, SocketAddr};

use super::{Address, Listen, Unit};

/// Name of the socket for everybody; the unit that has it gets the others, too.
const HTTP: &str = "http";

/// Adds a socket for each of these ports to the unit that has the socket `http`; a port that a unit has already stays as it is.
pub fn more(units: &mut [Unit], ports: &[u16]) {
    for port in ports {
        let has = |l: &Listen| matches!(l.address, Address::Tcp(at) if at.port() == *port);
        if units.iter().any(|u| u.listen.iter().any(has)) {
            continue;
        }
        if let Some(unit) = units.iter_mut().find(|u| u.listen.iter().any(|l| l.name == HTTP)) {
            unit.listen.push(Listen {
                name: format!("{HTTP}-{port}"),
                address: Address::Tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, *port))),
                mode: 0o600,
                user: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::path::Path;

    use super::*;

    #[test]
    fn the_unit_with_the_socket_http_gets_them_once() {
        let unit = |name: &str, listen: &str| {
            let text = format!("exec = ['/a']\nlisten = [{listen}]");
            Unit::from_toml(Path::new(&format!("/u/{name}.toml")), &text).unwrap()
        };
        let mut units = vec![
            unit("other", "{ name = 'x', stream = '[::]:9000' }"),
            unit("server", "{ name = 'http', stream = '[::]:80' }"),
        ];
        more(&mut units, &[7000, 80, 9000, 3000, 7000]);
        let names = |unit: &Unit| unit.listen.iter().map(|l| l.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&units[0]), ["x"]);
        assert_eq!(names(&units[1]), ["http", "http-7000", "http-3000"]);
        assert_eq!(units[1].listen[1].address, Address::Tcp("[::]:7000".parse().unwrap()));
        more(&mut units[..1], &[7001]);
        assert_eq!(names(&units[0]), ["x"], "nobody has that socket");
    }
}
