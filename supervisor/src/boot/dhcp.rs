//! dhcpcd's hook: our own program in place of its shell script. It writes the name servers; dhcpcd itself sets the address.

use std::process::ExitCode;

/// Called by dhcpcd with the lease in its environment.
pub fn hook() -> ExitCode {
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let reason = var("reason");
    match reason.as_str() {
        "BOUND" | "RENEW" | "REBIND" | "REBOOT" | "INFORM" | "STATIC" | "BOUND6" | "RENEW6" | "REBIND6" => {}
        _ => return ExitCode::SUCCESS,
    }
    let text = resolv_conf(&var("new_domain_name_servers"), &var("new_domain_name"));
    if text.is_empty() {
        return ExitCode::SUCCESS;
    }
    let written = std::fs::write("/etc/resolv.conf.new", text)
        .and_then(|()| std::fs::rename("/etc/resolv.conf.new", "/etc/resolv.conf"));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("dhcp-hook: /etc/resolv.conf: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The file's text; only addresses and names get into it.
fn resolv_conf(servers: &str, domain: &str) -> String {
    let mut text = String::new();
    for s in servers
        .split_whitespace()
        .filter(|s| s.parse::<std::net::IpAddr>().is_ok())
        .take(3)
    {
        text.push_str(&format!("nameserver {s}\n"));
    }
    if !domain.is_empty()
        && domain.len() < 254
        && domain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
    {
        text.push_str(&format!("search {domain}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_addresses_and_names_get_in() {
        assert_eq!(
            super::resolv_conf("10.0.2.3 evil\" fe80::1", "lan.example"),
            "nameserver 10.0.2.3\nnameserver fe80::1\nsearch lan.example\n"
        );
        assert_eq!(super::resolv_conf("", "a b"), "");
    }
}
