//! Any bytes as a certificate, a page, a PDF or a scanned code: judged without a panic, and never good.
//!
//! The input is taken as it is. Where it is a certificate's JSON, it is also signed anew with a key of
//! ours, so that the fuzzer gets past the signature: then it must be drawn, and read back as it was.
#![no_main]

use certificate::carrier::Carried;
use certificate::check::check_carried;
use certificate::{Certificate, Key, Revocations, Signed, Trust, carrier, page, pdf};
use wire::certificate::Standing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(carrier::inside(bytes));
    if let Ok(carried) = carrier::open(bytes) {
        let now = wire::Time::UNIX_EPOCH;
        let result = check_carried(&carried, &Trust::none(), now, Revocations::Unknown);
        assert_ne!(result.standing, Standing::Trusted, "nobody is trusted here");
        let _ = Trust::parse(&carried.text);
    }
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    if !value.is_object() {
        return;
    }
    let key = Key::from_seed(&[1; 32]);
    value["key"] = key.public().to_hex().into();
    value["format"] = "kiln-certificate".into();
    value["version"] = 1.into();
    value["id"] = "KC-7Q2M-9F3K-XB4T".into();
    let Ok(certificate) = serde_json::from_value::<Certificate>(value) else { return };
    let Ok(signed) = Signed::sign(&certificate, &key) else { return };
    let carried = Ok(Carried { text: signed.text().to_owned(), other: None });
    assert_eq!(carrier::open(page::html(&signed).as_bytes()), carried);
    assert_eq!(carrier::open(&pdf::pdf(&signed)), carried);
});
