//! Both dialects, what is refused, and anything at all.
#![allow(clippy::unwrap_used, reason = "tests")]
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> String {
    let (service, fields) = channel(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
    format!("{service} {}", fields.join(" ").replace('\n', "|"))
}

const HOOK: &str = "https://hooks.slack.com/services/TAAA/BBBB/CCCC";
const KEY30: &str = "abcdefghij0123456789abcdefghij";

#[test]
fn both_dialects_are_read() {
    let (p, q) = (KEY30, &KEY30.replace('a', "z"));
    for (url, want) in [
        ("discord://123/tok-en_1", "discord webhook_url=https://discord.com/api/webhooks/123/tok-en_1".to_owned()),
        ("discord://Kiln@123/tok?thread=9&image=no", "discord thread_id=9 username=Kiln webhook_url=https://discord.com/api/webhooks/123/tok".into()),
        ("discord://tok@123?username=Kiln", "discord username=Kiln webhook_url=https://discord.com/api/webhooks/123/tok".into()),
        ("https://discord.com/api/webhooks/123/tok", "discord webhook_url=https://discord.com/api/webhooks/123/tok".into()),
        ("tgram://123456789:AbC-d_e/@bench/-100200", "telegram bot_token=123456789:AbC-d_e chat_id=@bench,-100200".into()),
        ("tgram://bot123456789%3AAbCde/12?silent=yes&topic=5", "telegram bot_token=123456789:AbCde chat_id=12 silent=true thread_id=5".into()),
        ("telegram://123456789:AbCde@telegram?chats=@a,-1002&notification=no", "telegram bot_token=123456789:AbCde chat_id=@a,-1002 silent=true".into()),
        ("telegram://123456789:AbCde/12", "telegram bot_token=123456789:AbCde chat_id=12".into()),
        ("slack://TAAA/BBBB/CCCC", format!("slack webhook_url={HOOK}")),
        ("slack://Kiln@TAAA/BBBB/CCCC/alerts", format!("slack bot_name=Kiln channel=alerts webhook_url={HOOK}")),
        ("slack://hook:TAAA-BBBB-CCCC@webhook?botname=K", format!("slack bot_name=K webhook_url={HOOK}")),
        ("slack://xoxb-1-2-abc/%23alerts", "slack bot_token=xoxb-1-2-abc channel=#alerts".into()),
        ("slack://xoxb:1-2-abc@C001", "slack bot_token=xoxb-1-2-abc channel=C001".into()),
        ("ntfy://bench", "ntfy server_url=https://ntfy.sh topic=bench".into()),
        // With topics beside it a name is a server of one's own, never a topic on the public one.
        ("ntfy://nas?to=a,b", "ntfy server_url=http://nas topic=a,b".into()),
        ("ntfys://n.test:8443/?to=a&click=https://x.test/&delay=30m&email=a@b.c&attach=https://x.test/f&filename=f&avatar_url=https://x.test/i",
         "ntfy attach=https://x.test/f click=https://x.test/ delay=30m email=a@b.c filename=f icon=https://x.test/i server_url=https://n.test:8443 topic=a".into()),
        ("tgram://123456789:AbC-d_e/-100200:55/@bench:7", "telegram bot_token=123456789:AbC-d_e chat_id=-100200:55,@bench:7".into()),
        ("slack://xoxb-1-2-abc/+U012345/%23alerts", "slack bot_token=xoxb-1-2-abc channel=U012345,#alerts".into()),
        ("slack://TAAA/BBBB/CCCC/+C1?to=+U2", format!("slack channel=C1,U2 webhook_url={HOOK}")),
        ("slack://?token=TAAA/BBBB/CCCC&to=%23c", format!("slack channel=#c webhook_url={HOOK}")),
        ("slack://?token=xoxb-1-2-abc&to=%23c", "slack bot_token=xoxb-1-2-abc channel=#c".into()),
        (&format!("pover://{p}@{p}/%23{q}?url=https://x.test&url_title=X"), format!("pushover api_token={p} url=https://x.test url_title=X user_key={q}")),
        ("mailtos://me:pw@example.org?bcc=b@c.d&reply=r@c.d&retry=2&wait=1&tz=Europe/Berlin", "email bcc=b@c.d from=me@example.org host=example.org password=pw port=587 reply_to=r@c.d security=starttls to=me@example.org username=me".into()),
        ("json://nas/hook?:message=text&:title=&retry=2", "generic extra=message: text|title:  format=apprise webhook_url=http://nas/hook".into()),
        ("ntfy://ntfy.sh/bench", "ntfy server_url=https://ntfy.sh topic=bench".into()),
        ("https://ntfy.sh/bench", "ntfy topic=bench".into()),
        ("ntfys://u:p%40@nas.local:8443/a/b?priority=high&tags=fire", "ntfy password=p@ priority=4 server_url=https://nas.local:8443 tags=fire topic=a,b username=u".into()),
        ("ntfy://tk_abc@nas/a", "ntfy server_url=http://nas token=tk_abc topic=a".into()),
        ("ntfy://:tk_abc@nas/a?scheme=https", "ntfy server_url=https://nas token=tk_abc topic=a".into()),
        ("gotify://nas:8080/Atoken", "gotify app_token=Atoken server_url=http://nas:8080".into()),
        ("gotifys://nas/sub/path/Atoken?priority=high&verify=no", "gotify app_token=Atoken insecure=true priority=8 server_url=https://nas/sub/path".into()),
        ("gotify://nas/Atoken?disabletls=no", "gotify app_token=Atoken server_url=https://nas".into()),
        (&format!("pover://{p}@{p}/phone?priority=1&sound=bike"), format!("pushover api_token={p} devices=phone priority=1 sound=bike user_key={p}")),
        (&format!("pushover://shoutrrr:{p}@{p}/?devices=a,b"), format!("pushover api_token={p} devices=a,b user_key={p}")),
        ("signal://nas:8080/+491/+492/+493", "signal host=http://nas:8080 number=+491 recipients=+492,+493".into()),
        ("mailtos://me:pw@example.org?to=you@example.org", "email from=me@example.org host=example.org password=pw port=587 security=starttls to=you@example.org username=me".into()),
        ("mailto://example.org:2525/you@a.b?from=me&smtp=mx.example.org&name=Kiln", "email from=Kiln <me@example.org> host=mx.example.org port=2525 security=none to=you@a.b".into()),
        ("mailtos://me:pw@gmail.com", "email from=me@gmail.com host=smtp.gmail.com password=pw port=587 security=starttls to=me@gmail.com username=me@gmail.com".into()),
        ("mailtos://me:pw@example.org?mode=ssl", "email from=me@example.org host=example.org password=pw port=465 security=ssl to=me@example.org username=me".into()),
        ("smtp://u:p@mx.example.org:587/?from=a@b.c&to=d@e.f,g@h.i&useStartTLS=yes", "email from=a@b.c host=mx.example.org password=p port=587 security=starttls to=d@e.f,g@h.i username=u".into()),
        ("smtp://mx:465/?from=a@b.c&to=d@e.f&encryption=ssl", "email from=a@b.c host=mx port=465 security=ssl to=d@e.f".into()),
        ("json://u:p@nas:9000/a/b?+X-Key=v&-q=1&:k=w&method=put", "generic extra=k: w format=apprise headers=X-Key: v method=PUT password=p username=u webhook_url=http://nas:9000/a/b?q=1".into()),
        ("jsons://nas", "generic format=apprise webhook_url=https://nas".into()),
        ("generic://nas/hook?disabletls=yes&template=json&@X-Key=v&$k=w&id=7", "generic extra=k: w format=simple headers=X-Key: v webhook_url=http://nas/hook?id=7".into()),
        ("generic+https://nas/hook?_title=x", "generic format=text webhook_url=https://nas/hook?title=x".into()),
        ("https://example.org/hook?x=1", "generic webhook_url=https://example.org/hook?x=1".into()),
    ] {
        assert_eq!(read(url), want, "{url}");
    }
}

#[test]
fn what_is_wrong_is_named_and_no_secret_is_repeated() {
    for (url, part) in [
        ("", "scheme"),
        ("nothing", "scheme"),
        ("foo://geheim", "scheme"),
        ("discord://geheim", "path"),
        ("discord://geheim/geheim", "host"),
        ("discord://1/geheim?colour=geheim", "colour"),
        ("tgram://geheim", "host"),
        ("tgram://123:geheim", "chat_id"),
        ("tgram://geheim:geheim/1", "bot_token"),
        ("telegram://1:geheim@telegram", "chats"),
        ("slack://A/geheim", "path"),
        ("slack://hook:geheim@webhook", "password"),
        ("slack://xoxb-geheim", "channel"),
        ("ntfy://", "topic"),
        ("ntfy://nas/a?priority=geheim", "priority"),
        ("ntfy://nas:99999/a", "port"),
        ("ntfys://na$s/a", "host"),
        ("gotify://nas", "path"),
        ("gotify://nas/geheim?priority=11", "priority"),
        ("pover://geheim", "user"),
        ("pover://geheim@geheim", "user_key"),
        ("pover://geheim@geheim/phone/%23geheim", "path"),
        ("pover://geheim@geheim/%23a/%23b", "path"),
        ("slack://?token=geheim", "token"),
        ("slack://A/geheim/C?mode=workflow", "mode"),
        ("tgram://123456789:geheim/12:x", "chat_id"),
        ("ntfy://nas/a?actions=geheim", "actions"),
        ("mailto://example.org", "from"),
        ("mailtos://a:geheim@example.org?mode=geheim", "mode"),
        ("mailtos://a:geheim@example.org?to=nobody", "to"),
        ("smtp://u:geheim@h/?to=a@b.c", "from"),
        ("json://", "host"),
        ("generic://h/?template=geheim", "template"),
        ("generic://h/?disabletls=geheim", "disabletls"),
        ("json://h/?+Bad%20Header=geheim", "headers"),
        ("http://u:geheim@/x", "host"),
    ] {
        let error = channel(url).err().unwrap_or_else(|| panic!("{url} was taken"));
        assert_eq!(error.part, part, "{url}: {error}");
        assert!(!error.to_string().contains("geheim"), "{url}: {error}");
    }
    assert_eq!(
        channel(&format!("ntfy://{}", "a".repeat(LONGEST))).unwrap_err().part,
        "url"
    );
}

#[test]
fn a_comma_in_quotes_is_part_of_a_name() {
    let (service, mut fields) = channel("mailtos://me:pw@example.org").unwrap();
    fields.insert(
        "to".into(),
        "\"Doe, John\" <j@example.org>, b@example.org, c@example.org".into(),
    );
    let Channel::Email(email) = Channel::read(service, &fields).unwrap() else {
        panic!("no mail")
    };
    let told: Vec<String> = email.to.iter().map(|to| to.email.to_string()).collect();
    assert_eq!(told, ["j@example.org", "b@example.org", "c@example.org"]);
    assert_eq!(email.to[0].name.as_deref(), Some("Doe, John"));
}

proptest! {
    #[test]
    fn whatever_is_pasted_is_answered(text in "\\PC{0,60}") {
        let _answer = channel(&text);
    }

    #[test]
    fn whatever_follows_a_known_scheme_is_answered(
        scheme in prop::sample::select(vec!["mailto", "smtp", "discord", "tgram", "telegram", "slack", "ntfy", "gotify", "pover", "pushover", "signal", "json", "generic", "https"]),
        text in "[a-z0-9:/@?&=%+$.\\-äß#]{0,40}",
    ) {
        let _answer = channel(&format!("{scheme}://{text}"));
    }
}
