//! Which findings are kept, or listed, where there are too many: some of each kind, so that none is hidden behind another. Pure.

use std::collections::BTreeMap;

use crate::job::{FaultKind, Finding};

/// At most `most` of the findings, in their order: of each kind all, or the first of them up to one number for all kinds, and one more of
/// those that come first where that leaves room.
pub fn at_most(most: usize, mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() <= most {
        return findings;
    }
    let mut of_kind: BTreeMap<FaultKind, usize> = BTreeMap::new();
    for finding in &findings {
        *of_kind.entry(finding.kind).or_default() += 1;
    }
    let mut counts: Vec<usize> = of_kind.values().copied().collect();
    counts.sort_unstable();
    // What the rare kinds do not need is shared by the others.
    let (mut left, mut kinds, mut share) = (most, counts.len(), most);
    for count in counts {
        share = left / kinds;
        if count > share {
            break;
        }
        (left, kinds) = (left - count, kinds - 1);
    }
    let mut more = left - share * kinds;
    let mut kept: BTreeMap<FaultKind, usize> = BTreeMap::new();
    findings.retain(|finding| {
        let kept = kept.entry(finding.kind).or_default();
        let is_more = *kept == share && more > 0;
        more -= usize::from(is_more);
        let keeps = *kept < share || is_more;
        *kept += usize::from(keeps);
        keeps
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lba;
    use crate::job::Phase;
    use proptest::prelude::*;

    const KINDS: [FaultKind; 4] = [FaultKind::BitFlip, FaultKind::Zeroed, FaultKind::Reset, FaultKind::Slow];

    fn findings(kinds: &[usize]) -> Vec<Finding> {
        let one = |(lba, kind): (u64, &usize)| Finding {
            step: 0,
            kind: KINDS[*kind],
            lba: Some(Lba(lba)),
            sectors: 1,
            found: None,
            phase: Phase::Verify,
            detail: String::new(),
        };
        (0..).zip(kinds).map(one).collect()
    }

    #[test]
    fn a_rare_kind_is_not_hidden_behind_a_common_one() {
        let all = findings(&[&[0; 300][..], &[1; 40], &[2]].concat());
        let kept = at_most(200, all);
        let of = |kind| kept.iter().filter(|f| f.kind == kind).count();
        assert_eq!([of(KINDS[0]), of(KINDS[1]), of(KINDS[2])], [159, 40, 1]);
        let kept = at_most(200, findings(&[[0; 150], [1; 150], [2; 150]].concat()));
        let of = |kind| kept.iter().filter(|f| f.kind == kind).count();
        assert_eq!([of(KINDS[0]), of(KINDS[1]), of(KINDS[2])], [67, 67, 66]);
    }

    proptest! {
        #[test]
        fn none_of_the_kinds_is_lost(kinds in proptest::collection::vec(0..4_usize, 0..60), most in 4..40_usize) {
            let all = findings(&kinds);
            let kept = at_most(most, all.clone());
            prop_assert!(kept.len() <= most && (all.len() > most || kept == all));
            prop_assert_eq!(kept.len(), most.min(all.len()));
            for kind in KINDS {
                let of = |findings: &[Finding]| findings.iter().filter(|f| f.kind == kind).cloned().collect::<Vec<_>>();
                let (all, kept) = (of(&all), of(&kept));
                prop_assert!(all.starts_with(&kept) && (all.is_empty() || !kept.is_empty()));
            }
        }
    }
}
