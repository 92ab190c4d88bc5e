//! Mail of which not every recipient is taken: a server that is played refuses some of them, or breaks off.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use notify::provider::Fields;
use notify::send::{Attempt, Roots};
use notify::{Channel, Message, Sender};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use wire::Time;
use wire::event::Severity;

/// What a recipient is answered, by the name before the `@`; nothing: the connection ends.
fn answer(name: &str) -> Option<&'static str> {
    match name {
        "nobody" | "gone" => Some("550 5.1.1 No such user here"),
        "one" | "two" | "three" => Some("554 5.7.1 Sender refused"),
        "later" => Some("451 4.7.1 Greylisted, try again later"),
        "closing" => Some("421 4.3.2 Shutting down"),
        "content" => Some("555 5.6.0 Not taken"),
        "cut" => None,
        _ => Some("250 2.1.5 OK"),
    }
}

/// A server without SMTPUTF8 that keeps which recipients it was named, in order.
struct Play {
    port: u16,
    named: Arc<Mutex<Vec<String>>>,
}

impl Play {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let named: Arc<Mutex<Vec<String>>> = Arc::default();
        let own = Arc::clone(&named);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(converse(stream, Arc::clone(&own)));
            }
        });
        Self { port, named }
    }

    /// Sends to these names, without those that have it.
    async fn send(&self, to: &str, cc: &str, done: &str) -> Attempt {
        let (port, to, cc) = (self.port.to_string(), list(to).join(","), list(cc).join(","));
        let fields = [
            ("host", "127.0.0.1"),
            ("port", port.as_str()),
            ("security", "none"),
            ("from", "kiln@example.org"),
            ("to", to.as_str()),
            ("cc", cc.as_str()),
        ];
        let fields: Fields = fields.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let channel = Channel::read("email", &fields).unwrap();
        Sender::new(Roots::new(None).unwrap())
            .send(&channel, &message(), &set(done), Time::UNIX_EPOCH)
            .await
    }

    /// The names since the last look.
    fn take(&self) -> String {
        std::mem::take(&mut *self.named.lock().unwrap()).join(" ")
    }
}

async fn converse(stream: TcpStream, named: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 play\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let words = match line.split(' ').next().unwrap_or("") {
            "EHLO" => "250-play\r\n250 8BITMIME",
            "RCPT" => {
                let name = line.split(['<', '@']).nth(1).unwrap();
                named.lock().unwrap().push(name.to_owned());
                if name == "silent" {
                    // From now on nothing but the time goes on.
                    tokio::time::pause();
                    std::future::pending::<()>().await;
                }
                let Some(words) = answer(name) else { return Ok(()) };
                words
            }
            "DATA" => {
                write.write_all(b"354 Go on\r\n").await?;
                while lines.next_line().await?.is_some_and(|line| line != ".") {}
                "250 2.0.0 Queued"
            }
            "QUIT" => "221 2.0.0 Bye",
            _ => "250 2.0.0 OK",
        };
        write.write_all(format!("{words}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn list(names: &str) -> Vec<String> {
    names
        .split_whitespace()
        .map(|name| format!("{name}@example.org"))
        .collect()
}

fn set(names: &str) -> BTreeSet<String> {
    list(names).into_iter().collect()
}

fn message() -> Message {
    Message {
        id: "kiln-7-1".into(),
        title: "FAILED: bay 3".into(),
        body: "3 sectors could not be read.".into(),
        severity: Severity::Critical,
        event_type: "job.failed".into(),
        time: Time::UNIX_EPOCH,
        host: "kiln".into(),
        serial: String::new(),
        link: None,
        event: None,
    }
}

#[tokio::test]
async fn who_stands_there_twice_gets_one_mail() {
    let play = Play::start().await;
    let attempt = play.send("bench bench", "boss bench", "").await;
    assert_eq!((attempt.failed, attempt.done), (None, set("bench boss")));
    assert_eq!(play.take(), "bench boss");

    let attempt = play.send("bench nobody bench", "boss bench", "").await;
    assert_eq!(attempt.done, set("bench boss"));
    assert!(attempt.failed.is_some_and(|failed| !failed.retry));
    assert_eq!(play.take(), "bench nobody bench nobody boss");
}

#[tokio::test]
async fn where_nobody_is_left_it_is_sent() {
    let play = Play::start().await;
    // Somebody who was refused was taken off the list meanwhile.
    let attempt = play.send("bench", "boss", "bench boss").await;
    assert_eq!((attempt.failed, attempt.done), (None, set("bench boss")));
    assert_eq!(play.take(), "");
}

#[tokio::test]
async fn the_last_one_left_is_named() {
    let play = Play::start().await;
    let words = |attempt: Attempt| attempt.failed.unwrap().words;
    let last = words(play.send("bench later", "", "bench").await);
    assert!(last.starts_with("later@example.org: 127.0.0.1:"), "{last}");
    let alone = words(play.send("later", "", "").await);
    assert!(alone.starts_with("127.0.0.1:"), "{alone}");
    assert_eq!(play.take(), "later later", "there is nothing to split");
}

#[tokio::test]
async fn trouble_that_is_no_recipients_ends_the_attempt() {
    let play = Play::start().await;
    for (trouble, words) in [("closing", "421"), ("content", "555"), ("cut", "")] {
        // Nobody was refused: there is nothing to split.
        let whole = play.send(&format!("bench {trouble} boss"), "", "").await;
        assert!(
            whole.done.is_empty() && whole.failed.unwrap().words.contains(words),
            "{trouble}"
        );
        assert_eq!(play.take(), format!("bench {trouble}"));

        let split = play.send(&format!("bench nobody {trouble} boss"), "", "").await;
        assert_eq!(split.done, set("bench"), "{trouble}");
        assert_eq!(play.take(), format!("bench nobody bench nobody {trouble}"));
        let failed = split.failed.unwrap();
        // What passes is worth another try, in which the rest gets it; it is nobody's own.
        if trouble != "content" {
            assert!(
                failed.retry && failed.words.starts_with("127.0.0.1:") && failed.words.contains(words),
                "{trouble}: {failed:?}"
            );
        }
    }
}

/// A refusal of MAIL or of the content has the codes of one of RCPT: it must not be asked for once for each recipient.
#[tokio::test]
async fn what_the_first_two_are_refused_with_alike_is_nobodys_own() {
    let play = Play::start().await;
    let attempt = play.send("one two three boss", "", "").await;
    assert_eq!(attempt.done, set(""));
    let failed = attempt.failed.unwrap();
    assert!(
        failed.words.starts_with("127.0.0.1:") && failed.words.contains("Sender refused"),
        "{failed:?}"
    );
    assert_eq!(play.take(), "one one two");

    // Somebody was reached, or it says that it is the mailbox: each has to be asked for.
    let attempt = play.send("bench one two boss", "", "").await;
    assert_eq!(attempt.done, set("bench boss"));
    assert_eq!(play.take(), "bench one bench one two boss");
    let attempt = play.send("nobody gone boss", "", "").await;
    assert_eq!(attempt.done, set("boss"));
    assert_eq!(play.take(), "nobody nobody gone boss");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_waited_for_once() {
    let play = Play::start().await;
    let attempt = play.send("bench nobody silent boss", "", "").await;
    assert_eq!(attempt.done, set("bench"));
    let failed = attempt.failed.unwrap();
    assert!(failed.retry && !failed.words.contains('@'), "{failed:?}");
    assert_eq!(play.take(), "bench nobody bench nobody silent");
}

#[tokio::test]
async fn an_address_that_the_server_cannot_take_keeps_it_from_nobody_else() {
    let play = Play::start().await;
    let attempt = play.send("bench büro boss", "", "").await;
    assert_eq!(attempt.done, set("bench boss"));
    let words = attempt.failed.unwrap().words;
    assert!(
        words.starts_with("büro@example.org: 127.0.0.1:") && words.contains("SMTPUTF8"),
        "{words}"
    );
    assert_eq!(play.take(), "bench boss");
}
