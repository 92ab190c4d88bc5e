//! Any text as a playbook: refused with a reason, or steps in which every write is read back before it is taken away.
#![no_main]
use burnin::playbook::STEPS_MAX;
use wire::job::Phase;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match burnin::Playbook::from_toml("fuzz.toml", text) {
        Ok(book) => {
            let steps = book.steps();
            assert!(!steps.is_empty() && steps.len() <= STEPS_MAX);
            let mut open = None;
            for step in steps {
                match step.phase {
                    Phase::Write | Phase::Trim => {
                        assert!(open.is_none(), "something was written and not read back");
                        open = (step.phase == Phase::Write).then_some((step.fill, step.pass));
                    }
                    Phase::Verify => {
                        assert!(open.is_none_or(|due| due == (step.fill, step.pass)));
                        open = None;
                    }
                    _ => {}
                }
            }
            assert!(open.is_none(), "something was written and not read back");
            let _ = (book.info(true), book.soaked(3));
        }
        Err(error) => assert!(error.to_string().starts_with("playbook fuzz.toml: ")),
    }
});
