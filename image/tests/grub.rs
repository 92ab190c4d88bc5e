//! What the configuration of GRUB decides, over every state of the environment block and of the slots: run by bash, whose
//! language it is but for GRUB's own commands, which are played. Boots of the real GRUB are in `boot/`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// One state before a start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Case {
    prefer: &'static str,
    a: &'static str,
    b: &'static str,
    left: &'static str,
    once: &'static str,
    kept: &'static str,
    /// Slots that have no files.
    gone: &'static str,
    /// Slots whose kernel the firmware refuses.
    refused: &'static str,
}

/// What comes of it.
#[derive(Debug, Default)]
struct Outcome {
    /// The slot that was started.
    started: Option<String>,
    why: String,
    /// What that slot's PID 1 is told of its own state.
    state: String,
    said: String,
    /// Slots whose kernel was tried.
    tried: Vec<String>,
    saved: BTreeMap<String, String>,
}

/// GRUB's commands, for bash. `[` is asked for files by their path, of which those are there that are not `$gone`.
const PLAYED: &str = r#"
set() { for w in "$@" ; do case "$w" in --*) ;; *=*) eval "${w%%=*}=\${w#*=}" ;; esac ; done ; }
[() {
  local words=() w not=0
  while test $# -gt 0 ; do
    w="$1" ; shift
    case "$w" in
      ]) ;;
      -s) case "$1" in /"$gone"/*) words+=(-n "") ;; /a/*|/b/*) words+=(-n x) ;; *) words+=(-n "") ;; esac ; shift ;;
      *) words+=("$w") ;;
    esac
  done
  test "${words[@]}"
}
load_env() { shift 2 ; for v in "$@" ; do local n="env_$v" ; if test -n "${!n+x}" ; then eval "$v=\${$n}" ; fi ; done ; return 0 ; }
save_env() { shift 2 ; for v in "$@" ; do printf 'save %s=%s\n' "$v" "${!v}" ; done ; return 0 ; }
probe() { partuuid=1234 ; return 0 ; }
linux() { local s="${1#/}" ; s="${s%%/*}" ; printf 'try %s\n' "$s" ; test "$s" != "$refused" || return 1 ; line="$*" ; return 0 ; }
initrd() { return 0 ; }
boot() { printf 'boot %s\n' "$line" ; exit 0 ; }
echo() { printf 'say %s\n' "$*" ; }
sleep() { return 0 ; }
reboot() { exit 0 ; }
grub_platform=pc
"#;

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for prefer in ["a", "b"] {
        for a in ["good", "trying", "bad", "x"] {
            for b in ["good", "trying", "bad"] {
                for left in ["0", "2"] {
                    for once in ["", "a", "b"] {
                        for kept in ["", "a", "b"] {
                            for (gone, refused) in [("-", "-"), ("a", "-"), ("b", "-"), ("-", "a"), ("-", "b")] {
                                all.push(Case {
                                    prefer,
                                    a,
                                    b,
                                    left,
                                    once,
                                    kept,
                                    gone,
                                    refused,
                                });
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// All of them in one bash, each in a subshell.
fn run(cases: &[Case]) -> Vec<Outcome> {
    let config = include_str!("../src/grub/grub.cfg").replace("@CMDLINE@", "");
    let mut script = format!("{PLAYED}\ndecide() {{\n{config}\n}}\n");
    for c in cases {
        let _ = writeln!(
            script,
            "printf 'case\\n' ; ( env_prefer={} env_a={} env_b={} env_left={} env_once={} env_kept={} gone={} refused={} ; decide )",
            c.prefer, c.a, c.b, c.left, c.once, c.kept, c.gone, c.refused
        );
    }
    let mut bash = Command::new("bash")
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = bash.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()).unwrap());
    let output = bash.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("case\n").skip(1).map(outcome).collect()
}

fn outcome(text: &str) -> Outcome {
    let mut o = Outcome::default();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "boot" => {
                let value = |name: &str| rest.split(' ').find_map(|w| w.strip_prefix(name)).unwrap_or_default();
                o.started = Some(value("kiln.slot=").into());
                (o.why, o.state) = (value("kiln.why=").into(), value("kiln.state=").into());
            }
            "try" => o.tried.push(rest.into()),
            "save" => drop(rest.split_once('=').map(|(k, v)| o.saved.insert(k.into(), v.into()))),
            _ => {
                let _ = writeln!(o.said, "{rest}");
            }
        }
    }
    o
}

#[test]
fn no_slot_that_is_bad_is_started_and_where_both_are_the_last_kept_one_is_and_it_is_said() {
    let cases = cases();
    let outcomes = run(&cases);
    assert_eq!(cases.len(), outcomes.len());
    for (c, o) in cases.iter().zip(&outcomes) {
        let told = format!("{c:?}\n{o:?}");
        let word = |slot: &str| if slot == "a" { c.a } else { c.b };
        // A slot on trial without tries left is bad from this start on, unless somebody asked for one start.
        let spent = word(c.prefer) == "trying" && c.left == "0" && c.once.is_empty();
        let may =
            |slot: &str| c.gone != slot && matches!(word(slot), "good" | "trying") && !(spent && slot == c.prefer);
        let any = may("a") || may("b");
        for slot in &o.tried {
            assert_ne!(slot, c.gone, "its files are not there: {told}");
            assert!(may(slot) || !any, "slot {slot} is bad: {told}");
        }
        let loads = |slot: &str| slot != c.refused;
        if ["a", "b"].iter().any(|s| may(s) && loads(s)) {
            assert!(o.started.is_some(), "one can be started: {told}");
        }
        if let Some(slot) = &o.started {
            let told_state = if may(slot) { word(slot) } else { "bad" };
            assert_eq!(o.state, told_state, "of the slot that is started: {told}");
        }
        if !any {
            let there = |slot: &str| !slot.is_empty() && slot != c.gone;
            let wanted = if there(c.kept) {
                c.kept
            } else if there(c.prefer) {
                c.prefer
            } else {
                ["a", "b"].into_iter().find(|s| there(s)).unwrap()
            };
            assert_eq!(o.tried, [wanted], "the last one that was kept, once: {told}");
            assert!(o.said.contains("Both systems are marked bad"), "{told}");
            if loads(wanted) {
                assert_eq!(
                    (o.started.as_deref(), o.why.as_str()),
                    (Some(wanted), "all-bad"),
                    "{told}"
                );
            }
        }
        // Nobody is asked again for a start that was asked for once, nor for one that is bad.
        if !c.once.is_empty() {
            assert!(o.saved.contains_key("once"), "{told}");
        }
        let next = o.saved.get("once").map_or("", String::as_str);
        assert!(next.is_empty() || may(next), "{told}");
    }
    println!("{} states", cases.len());
}

#[test]
fn a_proven_slot_that_starts_because_the_kernel_on_trial_is_refused_is_told_that_it_is_good() {
    let case = Case {
        prefer: "b",
        a: "good",
        b: "trying",
        left: "3",
        once: "",
        kept: "a",
        gone: "-",
        refused: "b",
    };
    let o = &run(&[case])[0];
    assert_eq!(
        (o.started.as_deref(), o.why.as_str(), o.state.as_str()),
        (Some("a"), "kernel-refused", "good")
    );
}
