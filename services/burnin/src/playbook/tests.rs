#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn book(steps: &str) -> Result<Playbook, String> {
    let text = format!("name = \"mine\"\nabout = \"\"\n{steps}");
    Playbook::from_toml("mine.toml", &text).map_err(|e| e.to_string())
}

#[test]
fn built_in_playbooks_parse_bear_their_names_and_say_what_they_do() {
    assert_eq!(Playbook::all().len(), 9);
    for (name, text) in Playbook::built_in() {
        let book = Playbook::named(name).unwrap();
        assert_eq!(book.name, name);
        assert!(book.about.ends_with('.') && book.text() == text, "{name}");
        assert_eq!(book.erases(), name != "scan");
        assert_eq!(book.formats(), !matches!(name, "scan" | "quick"), "{name}");
        let info = book.info(false);
        assert_eq!(info.steps.len(), book.steps().len());
    }
    assert!(Playbook::named("standard").unwrap().wants_smart());
    let surface: Vec<Phase> = Playbook::named("surface").unwrap().phases().collect();
    assert_eq!(surface, [Phase::Write, Phase::Verify]);
    let thorough = Playbook::named("thorough").unwrap();
    let second = &thorough.steps()[5];
    assert_eq!(
        (second.fill, second.order, second.pass),
        (Fill::Complement, Direction::Reverse, 2)
    );
    assert_eq!(second.words(), "Write (pass 2, complement, backwards)");
    assert_eq!(
        (thorough.steps()[6].fill, thorough.steps()[6].pass),
        (Fill::Complement, 2)
    );
    assert_eq!(thorough.steps()[7].words(), "Random seeks (30 minutes)");
    let badblocks = Playbook::named("badblocks").unwrap();
    let fills: Vec<Fill> = badblocks
        .steps()
        .iter()
        .filter(|s| s.phase == Phase::Verify)
        .map(|s| s.fill)
        .collect();
    assert_eq!(fills, [Fill::Aa, Fill::Fives, Fill::Ff, Fill::Zeros]);
    assert_eq!(badblocks.info(false).sweeps, 8);
}

#[test]
fn a_bad_playbook_is_told_its_line_field_and_what_is_expected() {
    for (steps, line, field, part) in [
        (
            "[[step]]\ndo = \"verify\"\n[[step]]\ndo = \"write\"\n",
            3,
            "do",
            "expected `write` before it",
        ),
        ("[[step]]\ndo = \"write\"\n", 3, "do", "expected `verify` after `write`"),
        (
            "[[step]]\ndo = \"write\"\npattern = \"complement\"\n[[step]]\ndo = \"verify\"\n",
            3,
            "pattern",
            "expected a `write` of \"keyed\" before it",
        ),
        (
            "[[step]]\ndo = \"write\"\npattern = \"aa\"\n[[step]]\ndo = \"verify\"\n\
             [[step]]\ndo = \"write\"\npattern = \"complement\"\n[[step]]\ndo = \"verify\"\n",
            8,
            "pattern",
            "expected a `write` of \"keyed\" before it",
        ),
        (
            "[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\n[[step]]\nrepeat = 3\n\
             steps = [ { do = \"write\", pattern = \"complement\" }, { do = \"verify\" } ]\n",
            9,
            "pattern",
            "behind another one here, of the round before",
        ),
        (
            "[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\n[[step]]\ndo = \"probe\"\n",
            7,
            "do",
            "before the first `write`",
        ),
        (
            "[[step]]\ndo = \"smart_before\"\n[[step]]\ndo = \"scan\"\n",
            3,
            "do",
            "expected `smart_after`",
        ),
        (
            "[[step]]\ndo = \"scan\"\n[[step]]\ndo = \"smart_before\"\n",
            5,
            "do",
            "as the first step",
        ),
        ("[[step]]\ndo = \"seek\"\n", 3, "minutes", "missing"),
        ("[[step]]\ndo = \"scan\"\nminutes = 3\n", 3, "minutes", "only in `seek`"),
        (
            "[[step]]\ndo = \"scan\"\npattern = \"aa\"\n",
            3,
            "pattern",
            "only in `write` and `verify`",
        ),
        ("[[step]]\nrepeat = 2\n", 3, "repeat", "beside it"),
        (
            "[[step]]\nrepeat = 99\nsteps = [ { do = \"scan\" } ]\n",
            3,
            "repeat",
            "1 to 16",
        ),
        (
            "[[step]]\nhours = 2\nsteps = [ { do = \"probe\" } ]\n",
            5,
            "do",
            "repeated for hours",
        ),
        ("[[step]]\nhours = 2\nsteps = []\n", 3, "steps", "empty"),
        // Its second round would compare what its first one trimmed.
        (
            "[[step]]\ndo = \"write\"\n[[step]]\nhours = 2\nsteps = [\n{ do = \"verify\" },\n{ do = \"trim\" },\n]\n",
            8,
            "do",
            "no `trim` between",
        ),
        (
            "[[step]]\ndo = \"write\"\npattern = \"00\"\n[[step]]\ndo = \"verify\"\n",
            3,
            "do",
            "`probe` before",
        ),
        (
            "[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\npattern = \"aa\"\n",
            5,
            "pattern",
            "expected \"keyed\"",
        ),
        ("[[step]]\ndo = \"trim_check\"\n", 3, "do", "then `trim`"),
        (
            "[[step]]\ndo = \"probe\"\n[[step]]\ndo = \"write\"\npattern = \"00\"\n[[step]]\ndo = \"verify\"\n[[step]]\ndo = \"trim\"\n[[step]]\ndo = \"trim_check\"\n",
            12,
            "do",
            "another pattern",
        ),
        (
            "[[step]]\ndo = \"probe\"\n[[step]]\ndo = \"partition\"\n",
            5,
            "do",
            "tested whole",
        ),
        (
            "[[step]]\ndo = \"smart_before\"\n[[step]]\ndo = \"smart_after\"\n",
            1,
            "step",
            "reads or writes",
        ),
    ] {
        let told = book(steps).unwrap_err();
        let head = format!("playbook mine.toml: line {line}: {field}: ");
        assert!(
            told.starts_with(&head) && told.contains(part),
            "{told}\nexpected {head}…{part}"
        );
    }
    let told = book("[[step]]\ndo = \"wirte\"\n").unwrap_err();
    assert!(
        told.contains("line 4") && told.contains("unknown variant `wirte`"),
        "{told}"
    );
    for (steps, told) in [
        ("[[step]]\ndo = 7\n", "line 4, column 6: do: "),
        (
            "[[step]]\ndo = \"seek\"\nminutes = \"3\"\n",
            "line 5, column 11: minutes: ",
        ),
        (
            "[[step]]\nrepeat = 2\nsteps = [ { do = \"scan\", order = 3 } ]\n",
            "line 5, column 34: order: ",
        ),
        ("[step]\ndo = \"scan\"\n", "line 3, column 1: "),
    ] {
        let error = book(steps).unwrap_err();
        assert!(error.contains(told) && error.contains("; expected "), "{error}");
    }
    for (text, told) in [
        (
            "name = \"a\"\nname = \"b\"\nabout = \"\"\n",
            "line 2, column 1: name stands there twice",
        ),
        (
            "name = \"a\"\nabout = \"\"\nstep = [\"scan\"]\n",
            "expected a step as a table, like [[step]]",
        ),
    ] {
        let error = Playbook::from_toml("x", text).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let told = Playbook::from_toml("x", "nmae = 1").unwrap_err().to_string();
    assert!(told.contains("nmae") && told.contains("line 1"), "{told}");
    let told = Playbook::from_toml("x", "name = \"A b\"\nabout = \"\"")
        .unwrap_err()
        .to_string();
    assert!(told.contains("line 1: name: ") && told.contains("lower-case"), "{told}");
    let told = Playbook::named("fast").unwrap_err().to_string();
    assert!(told.contains("quick, surface, standard"), "{told}");
    let taken = Playbook::own("f", Playbook::built_in()[2].1).unwrap_err().to_string();
    assert_eq!(
        taken,
        "playbook f: line 1: name: \"standard\" is a built-in one's; expected another"
    );
    for (text, field) in [("name = \"a\"\n", "about"), ("about = \"a\"\n", "name")] {
        let told = Playbook::from_toml("x", text).unwrap_err().to_string();
        let missing = format!("line 1: missing field `{field}`; expected {field} = ");
        assert!(told.contains(&missing), "{told}");
    }
}

#[test]
fn a_negative_number_is_told_with_what_is_expected() {
    for (step, expected) in [
        (
            "hours = -1\nsteps = [{ do = \"scan\" }]",
            "hours: -1; expected 1 to 720",
        ),
        (
            "repeat = -2\nsteps = [{ do = \"scan\" }]",
            "repeat: -2; expected 1 to 16",
        ),
        ("do = \"seek\"\nminutes = -3", "minutes: -3; expected 1 to 1440"),
    ] {
        let told = book(&format!("[[step]]\n{step}\n")).unwrap_err();
        assert!(told.contains(expected), "{told}");
    }
}

/// A self-test cannot be repeated, so the block ends before it, and with it before the verify of what its last write wrote.
#[test]
fn a_soak_whose_rounds_write_over_what_nobody_read_back_is_refused() {
    let step = |what: &str| format!("[[step]]\ndo = \"{what}\"\n");
    let seek = "[[step]]\ndo = \"seek\"\nminutes = 1\n".to_owned();
    let test = step("self_test_short");
    let (write, verify) = (step("write"), step("verify"));
    for (steps, words) in [
        (
            [&write, &verify, &write, &seek, &test, &verify],
            "repeating steps 1 to 4: expected `verify` after `write` (step 3), before `write` (step 1 of the next round)",
        ),
        (
            [&write, &test, &verify, &seek, &seek, &verify],
            "repeating steps 1 to 1: expected `verify` after `write` (step 1), before `write` (step 1 of the next round)",
        ),
    ] {
        let book = book(&steps.map(String::as_str).concat()).unwrap();
        let told = book.soaked(2).unwrap_err().to_string();
        assert!(told.contains(words), "{told}");
    }
    for (name, own) in Playbook::all() {
        assert_eq!(own.soaked(2).is_ok(), name != "quick", "{name}");
    }
    let told = book("[[step]]\nhours = 2\nsteps = [ { do = \"write\" } ]\n[[step]]\ndo = \"verify\"\n").unwrap_err();
    assert!(told.contains("(step 1 of the next round)"), "{told}");
}

#[test]
fn what_is_told_of_a_playbook_holds_its_whole_time() {
    let told = |steps: &str| book(steps).unwrap().info(true);
    let block = |sweeps, timed_seconds, seconds| SoakInfo {
        sweeps,
        timed_seconds,
        seconds,
    };
    let day = told(
        "[[step]]\ndo = \"probe\"\n[[step]]\ndo = \"scan\"\n[[step]]\nhours = 24\nsteps = [ { do = \"write\" }, { do = \"verify\" }, { do = \"seek\", minutes = 5 } ]\n",
    );
    assert_eq!(
        (day.sweeps, day.timed_seconds, day.soaks),
        (3, 300, vec![block(2, 300, 86_400)])
    );
    let two = "[[step]]\nhours = 1\nsteps = [ { do = \"write\" }, { do = \"verify\" } ]\n";
    assert_eq!(told(&two.repeat(2)).soaks, [block(2, 0, 3_600); 2]);
    // What a soak that is asked for beside it would repeat.
    for (name, soaks, self_tests) in [
        ("standard", vec![block(2, 0, 0)], 0),
        ("thorough", vec![block(4, 1_800, 0)], 1),
        ("quick", vec![], 0),
    ] {
        let info = Playbook::named(name).unwrap().info(false);
        assert_eq!((info.soaks, info.self_tests), (soaks, self_tests), "{name}");
    }
}

#[test]
fn blocks_are_unrolled_or_repeated_for_their_time() {
    let twice = book("[[step]]\nrepeat = 2\nsteps = [ { do = \"write\" }, { do = \"verify\" } ]\n").unwrap();
    let passes: Vec<u8> = twice.steps().iter().map(|s| s.pass).collect();
    assert_eq!(passes, [1, 1, 2, 2]);
    let soak =
        book("[[step]]\ndo = \"probe\"\n[[step]]\nhours = 24\nsteps = [ { do = \"write\" }, { do = \"verify\" } ]\n")
            .unwrap();
    let due = Some(Soak {
        first: 1,
        last: 2,
        seconds: 86_400,
    });
    assert_eq!(
        (soak.steps()[0].soak, soak.steps()[1].soak, soak.steps()[2].soak),
        (None, due, due)
    );
    assert_eq!(soak.soaked(2).unwrap().steps()[1].soak.unwrap().seconds, 7_200);
    let standard = Playbook::named("standard").unwrap().soaked(24).unwrap();
    assert_eq!(
        standard.steps()[2].soak,
        Some(Soak {
            first: 2,
            last: 3,
            seconds: 86_400
        })
    );
    assert_eq!(standard.steps()[1].soak, None);
    assert!(Playbook::named("quick").unwrap().soaked(24).is_err());
    assert!(Playbook::named("scan").unwrap().soaked(721).is_err());
    let many = "[[step]]\nrepeat = 16\nsteps = [ { do = \"scan\" }, { do = \"scan\" }, { do = \"scan\" }, { do = \"scan\" }, { do = \"scan\" } ]\n";
    assert!(book(many).unwrap_err().contains("more than 64 steps"));
}

/// A scan in front of a self-test was repeated for the hours, and what was to be soaked ran once.
#[test]
fn a_soak_repeats_from_the_first_write() {
    let steps = "[[step]]\ndo = \"scan\"\n[[step]]\ndo = \"self_test_short\"\n[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\n";
    let text = format!("name = \"mine\"\nabout = \"\"\n{steps}");
    let soaked = Playbook::from_toml("mine.toml", &text).unwrap().soaked(2).unwrap();
    let repeated: Vec<bool> = soaked.steps().iter().map(|step| step.soak.is_some()).collect();
    assert_eq!(repeated, [false, false, true, true]);
}

/// Its indented lines from the name on.
#[test]
fn the_readmes_example_is_a_playbook() {
    let readme = include_str!("../../README.md");
    let from = readme.find("    name = \"mine\"").unwrap();
    let lines = readme[from..].lines().map_while(|line| line.strip_prefix("    "));
    let text: Vec<&str> = lines.collect();
    let mine = Playbook::own("mine", &text.join("\n")).unwrap();
    assert_eq!((mine.name.as_str(), mine.steps.len()), ("mine", 6));
}
