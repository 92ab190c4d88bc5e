//! One mail over SMTP.
//!
//! The server's name is resolved and checked here, and the connection goes to the address; the certificate is checked
//! against the name.
//!
//! All recipients get it in one go. Where the server refuses one of them, each gets it by itself: somebody who left takes
//! nobody else's mail along. At the first trouble that is no recipient's the attempt ends; and a refusal that the first two get
//! in the same words is the sender's or the mail's, unless it says otherwise.

use std::collections::BTreeSet;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use wire::event::Severity;

use super::tls::with_way_out;
use super::{Attempt, MAIL_TIME_OUT, Roots, answering_first, bounded, resolve};
use crate::answer::Failed;
use crate::channel::{Email, Security};
use crate::message::{Message, one_line};

/// The mail that a message becomes.
fn mail(email: &Email, message: &Message) -> Result<lettre::Message, Failed> {
    let prefix = if email.subject.is_empty() {
        "[Kiln]"
    } else {
        &email.subject
    };
    let domain: &str = email.from.email.domain();
    let mut builder = lettre::Message::builder()
        .from(email.from.clone())
        .subject(one_line(&format!("{prefix} {}", message.title)))
        // The same for every attempt, so that a mailbox can tell a repetition.
        .message_id(Some(format!("<{}@{domain}>", message.id)));
    for to in &email.to {
        builder = builder.to(to.clone());
    }
    for cc in &email.cc {
        builder = builder.cc(cc.clone());
    }
    for reply_to in &email.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    let mut mail = builder
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .body(format!("{}\n\n{}\n", message.title, message.body))
        .map_err(|error| Failed::lasting(format!("this cannot be a mail: {error}")))?;
    let headers = mail.headers_mut();
    // Source: RFC 3834: nobody's holiday answer comes back.
    headers.insert_raw(HeaderValue::new(
        HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    ));
    if message.severity == Severity::Critical {
        headers.insert_raw(HeaderValue::new(
            HeaderName::new_from_ascii_str("Importance"),
            "high".to_owned(),
        ));
        headers.insert_raw(HeaderValue::new(
            HeaderName::new_from_ascii_str("X-Priority"),
            "1".to_owned(),
        ));
    }
    Ok(mail)
}

/// Sends the mail to everybody who is not in `done`.
pub(super) async fn send(roots: &Roots, email: &Email, message: &Message, done: &BTreeSet<String>) -> Attempt {
    let mut attempt = Attempt {
        done: done.clone(),
        ..Attempt::default()
    };
    let everybody = email.to.iter().chain(&email.cc).chain(&email.bcc);
    let everybody = everybody.map(|mailbox| mailbox.email.clone());
    // Who stands in To and in Cc gets one mail, also where each gets it by itself.
    let mut seen = done.clone();
    let left: Vec<Address> = everybody.filter(|to| seen.insert(to.to_string())).collect();
    // Whoever was refused is no longer among the recipients: the rest has it.
    if left.is_empty() {
        return attempt;
    }
    let mail = match mail(email, message) {
        Ok(mail) => mail.formatted(),
        Err(failed) => {
            attempt.failed = Some(failed);
            return attempt;
        }
    };
    let mut refused = false;
    let all = bounded(MAIL_TIME_OUT, deliver(roots, email, &left, &mail, &mut refused)).await;
    if !refused || left.len() < 2 {
        let all = all.map_err(|failed| match left.as_slice() {
            // The others have it: the history says who has not.
            [last] if !done.is_empty() => failed.of(last.as_ref()),
            _ => failed,
        });
        attempt.told(left.iter().map(ToString::to_string), all);
        return attempt;
    }
    let mut before = None;
    for to in left {
        // Said of the delivery before; a time-out sets nothing.
        refused = false;
        let one = bounded(
            MAIL_TIME_OUT,
            deliver(roots, email, std::slice::from_ref(&to), &mail, &mut refused),
        )
        .await;
        if let Err(failed) = &one
            && refused
            && attempt.done.is_empty()
            && !is_about_a_mailbox(&failed.words, &to)
        {
            // Everybody else would be refused with it, too.
            if before.as_ref() == Some(failed) {
                attempt.failed = before;
                break;
            }
            before = Some(failed.clone());
        }
        // The next one would meet the same trouble, and wait as long for it.
        let stop = one.is_err() && !refused;
        let one = one.map_err(|failed| if refused { failed.of(to.as_ref()) } else { failed });
        attempt.told([to.to_string()], one);
        if stop {
            break;
        }
    }
    attempt
}

/// Whether an error may be about one recipient of these alone: not that the server closes, nor about login or content.
fn about_a_recipient(error: &lettre::transport::smtp::Error, to: &[Address]) -> bool {
    match error.status() {
        Some(code) => of_rcpt(code.into()),
        // Without SMTPUTF8 lettre itself refuses such an address; its other errors of this kind are nobody's own.
        None => error.is_client() && to.iter().any(|to| !to.to_string().is_ascii()),
    }
}

/// Whether a refusal in these words can be about nothing but this recipient: by the status code of the mailbox that it carries, or
/// because the address is one that lettre refuses. Source: RFC 3463, 3.2 and 3.3; RFC 7505, 4.
fn is_about_a_mailbox(words: &str, to: &Address) -> bool {
    let of_mailbox = |word: &str| {
        let parts: Vec<&str> = word.split('.').collect();
        matches!(
            parts.as_slice(),
            ["4" | "5", "1", "1" | "2" | "3" | "4" | "6" | "10"] | ["4" | "5", "2", _]
        )
    };
    !to.to_string().is_ascii() || words.split_whitespace().any(of_mailbox)
}

/// Whether RCPT is refused with this code, as MAIL and the content may be, too. Source: RFC 5321, 4.3.2, without those about the
/// session or the command; and 554, by which Postfix refuses to relay.
fn of_rcpt(code: u16) -> bool {
    matches!(code, 450..=452 | 550..=554)
}

async fn deliver(
    roots: &Roots,
    email: &Email,
    to: &[Address],
    mail: &[u8],
    refused: &mut bool,
) -> Result<String, Failed> {
    let envelope = Envelope::new(Some(email.from.email.clone()), to.to_vec())
        .map_err(|error| Failed::lasting(format!("this cannot be a mail: {error}")))?;
    let setup = |error: lettre::transport::smtp::Error| Failed::lasting(format!("setting up TLS: {error}"));
    let tls = match email.security {
        Security::None => Tls::None,
        Security::StartTls | Security::Tls => {
            let mut builder = TlsParameters::builder(email.host.clone()).dangerous_accept_invalid_certs(email.insecure);
            for certificate in &roots.own {
                builder = builder.add_root_certificate(Certificate::from_der(certificate.to_vec()).map_err(setup)?);
            }
            let parameters = builder.build_rustls().map_err(setup)?;
            if email.security == Security::Tls {
                Tls::Wrapper(parameters)
            } else {
                Tls::Required(parameters)
            }
        }
    };
    let places = resolve(&email.host, email.port).await?;
    let places = answering_first(places)
        .await
        .map_err(|error| Failed::passing(format!("connecting to {}:{}: {error}", email.host, email.port)))?;
    let mut last = None;
    for place in places {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(place.ip().to_string())
            .port(email.port)
            .hello_name(ClientId::Domain("kiln.local".to_owned()))
            .timeout(Some(MAIL_TIME_OUT))
            .tls(tls.clone());
        if let Some((name, password)) = &email.login {
            builder = builder.credentials(Credentials::new(name.clone(), password.0.clone()));
        }
        match builder.build().send_raw(&envelope, mail).await {
            Ok(answer) => {
                let code = answer.code();
                let first = answer.first_line().unwrap_or("").to_owned();
                return Ok(one_line(&format!("{code} {first}")));
            }
            Err(error) => {
                let failed = told(email, &error);
                *refused = about_a_recipient(&error, to);
                // The server spoke: another of its addresses says the same.
                if *refused || error.is_permanent() || error.is_transient() {
                    return Err(failed);
                }
                last = Some(failed);
            }
        }
    }
    Err(last.unwrap_or_else(|| Failed::passing(format!("{} has no address", email.host))))
}

/// The error and its causes in one line.
fn told(email: &Email, error: &lettre::transport::smtp::Error) -> Failed {
    let mut words = format!("{}:{}: {error}", email.host, email.port);
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = inner.source();
    }
    let words = with_way_out(words);
    if error.is_permanent() {
        Failed::lasting(words)
    } else {
        Failed::passing(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_of_rcpt_are_about_a_recipient() {
        for code in [450, 451, 452, 550, 551, 552, 553, 554] {
            assert!(of_rcpt(code), "{code}");
        }
        for code in [421, 432, 454, 455, 500, 503, 530, 534, 535, 538, 555] {
            assert!(!of_rcpt(code), "{code}");
        }
    }

    #[test]
    fn a_status_code_tells_whether_it_is_the_mailbox() {
        let to = |text: &str| text.parse::<Address>().map_err(|error| error.to_string());
        let bench = to("bench@example.org");
        let is = |words: &str| bench.as_ref().is_ok_and(|to| is_about_a_mailbox(words, to));
        for words in [
            "5.1.1 No such user",
            "4.2.2 Mailbox full",
            "mail:25: permanent error (556): 5.1.10 Null MX",
        ] {
            assert!(is(words), "{words}");
        }
        for words in [
            "550 No such user",
            "5.1.8 Sender address rejected",
            "5.7.1 Spam",
            "4.3.1 Out of room",
            "192.0.2.1 5.2",
        ] {
            assert!(!is(words), "{words}");
        }
        assert!(to("büro@example.org").is_ok_and(|to| is_about_a_mailbox("554 Not from you", &to)));
    }
}
