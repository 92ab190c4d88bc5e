//! One entry of a unit file's `listen`: a socket that PID 1 opens and keeps.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Address, Listen, NAME_RULE, is_name};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenFile {
    name: String,
    stream: Option<String>,
    datagram: Option<String>,
    mode: Option<u32>,
    user: Option<String>,
}

/// Checks one entry of `listen`.
pub(super) fn listen_of(l: ListenFile) -> Result<Listen, String> {
    let path = |p: &str| {
        if p.starts_with('/') && p.len() < 100 {
            Ok(PathBuf::from(p))
        } else {
            Err(format!("expected an absolute path of at most 99 bytes, found {p:?}"))
        }
    };
    if !is_name(&l.name) {
        return Err(format!("expected name = {NAME_RULE}, found {:?}", l.name));
    }
    let address = match (l.stream.as_deref(), l.datagram.as_deref()) {
        (Some(s), None) if s.starts_with('/') => Address::Stream(path(s)?),
        (Some(s), None) => Address::Tcp(
            s.parse()
                .map_err(|_| format!("expected stream = \"ADDRESS:PORT\" or a path, found {s:?}"))?,
        ),
        (None, Some(d)) => Address::Datagram(path(d)?),
        (Some(_), Some(_)) | (None, None) => return Err("expected one of stream and datagram".into()),
    };
    let of_paths = l.mode.is_some() || l.user.is_some();
    if of_paths && matches!(address, Address::Tcp(_)) {
        return Err("expected mode and user of a path alone".into());
    }
    if let Some(mode) = l.mode.filter(|mode| *mode > 0o777) {
        return Err(format!("expected mode = 0o000 to 0o777, found {mode:#o}"));
    }
    if l.user.as_deref() == Some("") {
        return Err("expected user = a name or number of /etc/passwd, found an empty text".into());
    }
    Ok(Listen {
        name: l.name,
        address,
        mode: l.mode.unwrap_or(0o600),
        user: l.user,
    })
}
