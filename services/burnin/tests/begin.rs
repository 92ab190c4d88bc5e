//! How a burn-in begins that was interrupted: every case with every answer that a drive can give.

use burnin::Shown;
use burnin::job::{Again, Asks, Begin, Kept, Told, Whose, Why};

const KEPT: [Kept; 6] = [
    Kept::Nothing,
    Kept::Begun,
    Kept::Lost,
    Kept::Place,
    Kept::Ended,
    Kept::Unreadable,
];
const WHOSE: [Whose; 7] = [
    Whose::Mine,
    Whose::OtherSteps,
    Whose::OtherDrive,
    Whose::Earlier,
    Whose::Later,
    Whose::Ended,
    Whose::Formatted,
];
const YES_NO: [bool; 2] = [false, true];

fn cases() -> impl Iterator<Item = Again> {
    KEPT.into_iter().flat_map(|kept| {
        (0..8).map(move |bits| Again {
            kept,
            erases: bits & 1 > 0,
            agreed: bits & 2 > 0,
            doubted: bits & 4 > 0,
        })
    })
}

fn answers() -> Vec<Told> {
    let mut all = vec![Told::Nothing];
    all.extend([Shown::Ours, Shown::Not, Shown::Unknown].map(Told::Shown));
    for whose in WHOSE.into_iter().map(Some).chain([None]) {
        for ours in YES_NO {
            for place in YES_NO {
                all.extend(YES_NO.map(|used| Told::Headers {
                    ours,
                    whose,
                    place,
                    used,
                }));
            }
        }
    }
    all
}

/// Every case with every answer, also such as nobody asked for: 48 times 68.
#[test]
fn nothing_is_written_nor_gone_on_with_where_something_speaks_against_it() {
    for (case, told) in cases().flat_map(|case| answers().into_iter().map(move |told| (case, told))) {
        let begin = case.begins(told);
        let context = format!("{case:?} {told:?} {begin:?}");
        let refused = matches!(begin, Begin::Refused(_));
        let goes_on = matches!(begin, Begin::GoesOn | Begin::FromDrive);
        let (ours, whose, place, used) = match told {
            Told::Headers {
                ours,
                whose,
                place,
                used,
            } => (ours, whose, place, used),
            Told::Nothing | Told::Shown(_) => (false, None, false, false),
        };
        let shown = |due| told == Told::Shown(due);
        // What has its verdict, or may tell of faults that nobody can read, is over.
        if matches!(case.kept, Kept::Ended | Kept::Unreadable) {
            assert!(refused, "{context}");
            continue;
        }
        // The burn-in of another, and a later one, are never written over by one that asks nobody what is to be lost there.
        if case.asks() == Asks::Headers
            && matches!(
                whose,
                Some(Whose::OtherDrive | Whose::Later | Whose::Ended | Whose::Formatted)
            )
        {
            assert!(refused, "{context}");
        }
        // Somebody's data, where the job is known or may be taken to have written; what goes on looks for itself.
        if case.asks() == Asks::Headers && used && (ours || case.kept == Kept::Begun) {
            assert!(refused || goes_on, "{context}");
        }
        // A place counts only with what proves the drive.
        assert!(begin != Begin::GoesOn || case.kept == Kept::Place, "{context}");
        if begin == Begin::FromDrive {
            assert!(
                case.erases && ours && place && whose == Some(Whose::Mine) && !case.doubted,
                "{context}"
            );
        }
        if case.erases && case.doubted {
            assert!(!goes_on || case.kept == Kept::Place && shown(Shown::Ours), "{context}");
        }
        if case.erases && begin == (Begin::Anew { proven: true }) {
            assert!(ours && !case.doubted, "{context}");
        }
        if case.erases && case.kept == Kept::Lost && !case.agreed && !ours {
            assert!(refused, "it had written, and nothing shows where: {context}");
        }
        if !case.erases {
            assert_eq!(refused, shown(Shown::Not), "{context}");
            assert!(!goes_on || shown(Shown::Ours), "{context}");
        }
    }
}

/// A drive without any trace of a burn-in is begun anew where somebody agreed, and where nothing was written to it.
#[test]
fn who_agreed_again_can_begin_anew_on_a_drive_that_tells_nothing() {
    let told = |used| Told::Headers {
        ours: false,
        whose: None,
        place: false,
        used,
    };
    for case in cases().filter(|case| case.asks() == Asks::Headers) {
        let due = match case.kept == Kept::Lost && !case.agreed {
            true => Begin::Refused(Why::NoTrace),
            false => Begin::Anew { proven: false },
        };
        // Where it is known what stood there, somebody else has written to a drive that was only begun with.
        let due_used = match case.kept {
            Kept::Begun => Begin::Refused(Why::Used),
            Kept::Nothing | Kept::Lost | Kept::Place | Kept::Ended | Kept::Unreadable => due,
        };
        assert_eq!(
            (case.begins(told(false)), case.begins(told(true))),
            (due, due_used),
            "{case:?}"
        );
    }
}
