//! Fields of a mail channel.

use super::form::{Field, Form};
use super::{Email, Security};
use crate::rule::BadSetting;
use crate::url::Address;

impl Form<'_> {
    pub(super) fn email(&self) -> Field<Email> {
        let host = self.text("host");
        let place = Address::parse(&format!("http://{host}")).map_err(|bad| BadSetting::new("host", bad.what))?;
        if place.target != "/" || place.user.is_some() || host.contains(':') && !host.starts_with('[') {
            return Err(BadSetting::new(
                "host",
                "expected a name or an address alone; the port has its own field",
            ));
        }
        crate::guard::check_host(&place.host).map_err(|what| BadSetting::new("host", what))?;
        let security = match self.text("security").as_str() {
            "ssl" => Security::Tls,
            "none" => Security::None,
            _ => Security::StartTls,
        };
        let port = self.number("port", 1, 65_535)?;
        let from = self.mailboxes("from")?;
        let [from] = from.as_slice() else {
            return Err(BadSetting::new("from", "expected one address"));
        };
        let to = self.mailboxes("to")?;
        if to.is_empty() {
            return Err(BadSetting::new("to", "is needed"));
        }
        let usual = if security == Security::Tls { 465 } else { 587 };
        Ok(Email {
            host: place.host,
            port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(usual),
            security,
            login: match self.text("username") {
                name if name.is_empty() => None,
                name => Some((name, self.secret("password"))),
            },
            from: from.clone(),
            to,
            cc: self.mailboxes("cc")?,
            bcc: self.mailboxes("bcc")?,
            reply_to: self.mailboxes("reply_to")?,
            subject: self.text("subject"),
            insecure: self.flag("insecure"),
        })
    }
}
