//! The automaton and the quick answers against plain backtracking over all short texts.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::{Automaton, Budget, Explored, MAX_STATES, Step, covers, overlaps};

const LETTERS: [char; 5] = ['a', 'b', ':', 'z', 'A'];

fn matches(pattern: &[Step], text: &[char]) -> bool {
    let Some((step, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    let one = text.split_first().filter(|(letter, _)| match step {
        Step::One(own) => own == *letter,
        Step::Fold(own) => *own == letter.to_ascii_lowercase(),
        Step::AnyInSegment | Step::RunInSegment => **letter != ':',
        Step::Any | Step::Run => true,
        Step::Variable(_) => false,
    });
    let is_run = matches!(step, Step::Run | Step::RunInSegment);
    (is_run && matches(rest, text)) || one.is_some_and(|(_, after)| matches(if is_run { pattern } else { rest }, after))
}

fn texts() -> Vec<Vec<char>> {
    let mut all = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..5 {
        let to = all.len();
        for at in from..to {
            for letter in LETTERS {
                let mut longer: Vec<char> = all[at].clone();
                longer.push(letter);
                all.push(longer);
            }
        }
        from = to;
    }
    all
}

/// Patterns as the reader builds them: neighbouring runs are joined.
fn pattern() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::One('a')),
        2 => Just(Step::One('b')),
        1 => Just(Step::One(':')),
        1 => Just(Step::Fold('a')),
        1 => Just(Step::Any),
        1 => Just(Step::AnyInSegment),
        2 => Just(Step::Run),
        2 => Just(Step::RunInSegment),
    ];
    prop::collection::vec(step, 0..5).prop_map(|mut steps| {
        steps.dedup_by(|next, last| {
            let both = matches!(next, Step::Run | Step::RunInSegment) && matches!(last, Step::Run | Step::RunInSegment);
            if both && *next == Step::Run {
                *last = Step::Run;
            }
            both
        });
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_reachable_combination_is_found_and_shown_by_its_text(
        patterns in prop::collection::vec(pattern(), 1..4),
        required in 0..2usize,
    ) {
        let slices: Vec<&[Step]> = patterns.iter().map(Vec::as_slice).collect();
        let answer = |text: &[char]| -> Vec<bool> { slices.iter().map(|own| matches(own, text)).collect() };
        let mut found = BTreeSet::new();
        let explored = Automaton::default().explore(&slices, required, &mut Budget::default(), &mut |state| {
            let claimed: Vec<bool> = (0..slices.len()).map(|number| state.matches(number)).collect();
            let text: Vec<char> = state.text().chars().collect();
            assert_eq!(answer(&text), claimed, "{text:?}");
            assert!(found.insert(claimed), "shown twice");
            ControlFlow::Continue(())
        });
        prop_assert_eq!(explored, Explored::All);
        for text in texts() {
            let expected = answer(&text);
            if expected.iter().take(required).all(|hit| *hit) {
                prop_assert!(found.contains(&expected), "{:?} of {:?}", expected, text);
            }
        }
    }

    #[test]
    fn what_is_said_to_cover_covers(outer in pattern(), inner in pattern()) {
        let missed = texts().into_iter().find(|text| matches(&inner, text) && !matches(&outer, text));
        let one = |step: &Step| matches!(step, Step::Any | Step::AnyInSegment);
        if covers(&outer, &inner) {
            prop_assert_eq!(missed, None);
        } else if !outer.iter().any(one) && !inner.iter().chain(&outer).any(|step| *step == Step::RunInSegment) {
            prop_assert!(missed.is_some());
        }
    }

    #[test]
    fn what_is_said_not_to_overlap_does_not(a in pattern(), b in pattern()) {
        let common = texts().into_iter().find(|text| matches(&a, text) && matches(&b, text));
        if !overlaps(&a, &b) {
            prop_assert_eq!(common, None);
        } else if a.len() + b.len() <= 5 {
            prop_assert!(common.is_some());
        }
    }
}

#[test]
fn the_budget_ends_an_exponential_exploration() {
    // 2^k states are needed to know what stood k letters before the end.
    let far = |back: usize| {
        let mut steps = vec![Step::Run, Step::One('a')];
        steps.extend(std::iter::repeat_n(Step::Any, back));
        steps
    };
    let run = |back: usize| {
        let patterns = [far(back), far(back)];
        let slices: Vec<&[Step]> = patterns.iter().map(Vec::as_slice).collect();
        let mut states = 0u32;
        let mut visit = |_: &super::Found<'_>| {
            states += 1;
            ControlFlow::Continue(())
        };
        Automaton::default().explore(&slices, 0, &mut Budget::default(), &mut visit)
    };
    assert_eq!(run(12), Explored::All);
    const { assert!(1 << 15 > MAX_STATES) };
    assert_eq!(run(15), Explored::Capped);
}

#[test]
fn a_variable_is_covered_by_itself_and_by_a_star_only() {
    let variable = [Step::One('a'), Step::Variable(1)];
    assert!(covers(&variable, &variable));
    assert!(covers(&[Step::Run], &variable));
    assert!(!covers(&[Step::RunInSegment], &variable));
    assert!(!covers(&[Step::One('a'), Step::Any], &variable));
    assert!(!covers(&[Step::One('a'), Step::Variable(2)], &variable));
    assert!(overlaps(&variable, &[Step::One('a'), Step::One('x'), Step::One('y')]));
    assert!(!overlaps(&variable, &[Step::One('b'), Step::Run]));
}
