//! What becomes of messages, for all services.
#![allow(clippy::unwrap_used, reason = "tests")]
use serde_json::json;
use wire::event::Severity;

use super::push::NTFY_MAX;
use super::*;
use crate::url;

fn message(body: &str) -> Message {
    Message {
        id: "kiln-1-1".into(),
        title: "FAILED: a <b> & \"c\"".into(),
        body: body.into(),
        severity: Severity::Critical,
        event_type: "job.failed".into(),
        time: Time::from_second(1_700_000_000).unwrap(),
        host: "kiln".into(),
        serial: "S1".into(),
        link: Some("http://kiln.local/jobs/1".into()),
        event: None,
    }
}

fn of(address: &str, body: &str) -> Vec<Request> {
    let (service, fields) = url::channel(address).unwrap();
    requests(
        &Channel::read(service, &fields).unwrap(),
        &message(body),
        Time::from_second(1_700_000_001).unwrap(),
    )
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn the_longest_message_keeps_every_services_limit() {
    let long = "ä".repeat(20_000);
    let discord = body(&of("discord://1/t", &long)[0]);
    assert!(discord["embeds"][0]["description"].as_str().unwrap().chars().count() <= 4096);
    let telegram = body(&of("tgram://1:a/2", &long)[0]);
    assert!(telegram["text"].as_str().unwrap().chars().count() <= 4096);
    let ntfy = body(&of("ntfy://t", &long)[0]);
    assert!(ntfy["message"].as_str().unwrap().len() <= 4096);
    let key = "abcdefghij0123456789abcdefghij";
    let pushover = of(&format!("pover://{key}@{key}"), &long);
    let text = String::from_utf8(pushover[0].body.clone()).unwrap();
    let sent = text.split('&').find_map(|pair| pair.strip_prefix("message=")).unwrap();
    assert!(url::decode(sent).chars().count() <= 1024);
}

#[test]
fn what_is_longer_as_json_keeps_ntfys_limit() {
    for text in ["\"", "\u{1}", "\\\n"] {
        let request = of("ntfy://t", &text.repeat(8000)).remove(0);
        assert!(request.body.len() <= NTFY_MAX, "{text:?}: {} bytes", request.body.len());
        assert!(body(&request)["message"].as_str().unwrap().len() > 500, "{text:?}");
    }
}

#[test]
fn discord_shows_marks_as_they_stand() {
    let text = "S4_X_9 *a* ~~b~~ `c` ||d|| [x](http://y) <@1>\n# e\n > f 1 > 0\\";
    let embed = &body(&of("discord://1/t", text)[0])["embeds"][0];
    assert_eq!(
        embed["description"],
        "S4\\_X\\_9 \\*a\\* \\~\\~b\\~\\~ \\`c\\` \\|\\|d\\|\\| \\[x](http://y) \\<@1>\n\\# e\n \\> f 1 > 0\\\\"
    );
    assert_eq!(embed["title"], "FAILED: a \\<b> & \"c\"");
    let link = "http://kiln.local/jobs/1";
    let linked = &body(&of("discord://1/t", &format!("a_b {link}_ c\n{link}"))[0])["embeds"][0];
    assert_eq!(linked["description"], format!("a\\_b {link}_ c\n{link}"));
    let inside = "(http://nas/a_b) <https://nas/*c*> x_y=http://nas/?u=https://d_e _f_\nhttp://nas/g_h > i";
    let inside = &body(&of("discord://1/t", inside)[0])["embeds"][0];
    assert_eq!(
        inside["description"],
        "(http://nas/a_b) \\<https://nas/*c*> x\\_y=http://nas/?u=https://d_e \\_f\\_\nhttp://nas/g_h > i"
    );
    let long = &body(&of("discord://1/t", &"_".repeat(9000))[0])["embeds"][0];
    assert!(long["description"].as_str().unwrap().chars().count() <= 4096);
}

#[test]
fn slacks_marks_are_escaped() {
    let slack = body(&of("slack://A/B/C", "<!channel> & co")[0]);
    assert_eq!(slack["attachments"][0]["text"], "&lt;!channel&gt; &amp; co");
    assert_eq!(slack["text"], "FAILED: a &lt;b&gt; &amp; \"c\"");
    assert_eq!(
        (&slack["mrkdwn"], &slack["attachments"][0]["mrkdwn_in"]),
        (&json!(false), &json!([]))
    );
}

#[test]
fn a_signed_webhook_carries_the_messages_own_id() {
    let (_, mut fields) = url::channel("https://example.org/hook").unwrap();
    fields.insert("secret".into(), "whsec_c2VjcmV0 old".into());
    let channel = Channel::read("generic", &fields).unwrap();
    let request = requests(&channel, &message("x"), Time::from_second(9).unwrap()).remove(0);
    let header = |name: &str| {
        request
            .headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
            .unwrap()
    };
    assert_eq!(header("webhook-id"), "kiln-1-1");
    assert_eq!(header("webhook-timestamp"), "9");
    assert_eq!(header("webhook-signature").split(' ').count(), 2);
    assert_eq!(body(&request)["event_type"], "job.failed");
    assert_eq!(body(&request)["event_types"], json!(["job.failed"]));
}

#[test]
fn nothing_of_a_request_is_written_into_a_log() {
    let request = of("json://u:geheim@nas/geheim?+X-K=geheim", "geheim").remove(0);
    assert!(!format!("{request:?}").contains("geheim"));
    let (service, fields) = url::channel("tgram://1:geheim/2").unwrap();
    assert!(!format!("{:?}", Channel::read(service, &fields).unwrap()).contains("geheim"));
}
