//! Whatever is pasted as a channel's URL is answered; what is taken makes requests, and no secret is shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notify::provider::provider;
use notify::{Channel, Facts, message, request, url};

fuzz_target!(|text: &str| {
    let Ok((service, fields)) = url::channel(text) else {
        return;
    };
    let channel = Channel::read(service, &fields).expect("the parser has read it already");
    let form = provider(service).expect("the parser knows only services");
    let masked = form.masked(&fields);
    assert_eq!(form.unmasked(&masked, &fields).expect("no server changed"), fields);
    let now = notify::Time::UNIX_EPOCH;
    let message = message::test(&Facts::default(), "fuzz", "words", "id".to_owned(), now);
    for request in request::requests(&channel, &message, now) {
        assert!(request.address.target.starts_with('/'));
        assert!(
            request
                .headers
                .iter()
                .all(|(name, value)| !name.contains(['\r', '\n']) && !value.contains(['\r', '\n']))
        );
    }
});
