//! A notify datagram: never more notes than lines, and only names that can be passed on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use supervisor::shell::fdstore::is_name;
use supervisor::shell::notify::{Note, parse};

fuzz_target!(|bytes: &[u8]| {
    let notes = parse(bytes);
    assert!(notes.len() <= 33);
    for n in notes {
        if let Note::Store { name, .. } | Note::Unstore { name } = n {
            assert!(is_name(&name));
        }
    }
});
