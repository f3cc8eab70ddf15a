use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What a window should do, from the set of everything it was told.
fn expected(seen: &BTreeSet<u64>, reach: u64, index: u64) -> Result<(), Error> {
    match seen.last() {
        Some(highest) if index + reach <= *highest => Err(Error::TooOld),
        _ if seen.contains(&index) => Err(Error::Replayed),
        _ => Ok(()),
    }
}

fn check<const WORDS: usize>(start: u64, steps: &[i64]) {
    let mut window = Window::<WORDS>::new();
    let mut seen = BTreeSet::new();
    let mut index = start;
    for step in steps {
        index = index.saturating_add_signed(*step);
        let answer = window.check(index);
        assert_eq!(
            answer,
            expected(&seen, Window::<WORDS>::REACH, index),
            "at {index}"
        );
        if answer.is_ok() {
            window.mark(index);
            seen.insert(index);
        }
        assert_eq!(window.highest(), seen.last().copied());
    }
}

#[test]
fn a_window_reaches_as_far_as_it_says() {
    let mut window = Window::<17>::new();
    window.mark(5_000);
    assert_eq!(window.check(5_000), Err(Error::Replayed));
    assert_eq!(window.check(5_000 - 1_023), Ok(()));
    assert_eq!(window.check(5_000 - 1_024), Err(Error::TooOld));
}

#[test]
fn a_jump_of_any_length_leaves_no_old_bit() {
    for jump in [1, 63, 64, 65, 127, 128, 129, 1 << 16, 1 << 47] {
        let mut window = Window::<3>::new();
        for index in 0..200 {
            window.mark(index);
        }
        window.mark(199 + jump);
        for index in 200.max((199 + jump).saturating_sub(127))..199 + jump {
            assert_eq!(
                window.check(index),
                Ok(()),
                "{index} after a jump of {jump}"
            );
        }
    }
}

#[test]
fn a_closed_window_knows_nothing_below_and_everything_above() {
    for end in [0, 1, 63, 64, 65, 1_000] {
        let mut window = Window::<2>::closed_below(end);
        assert_eq!(window.end(), end);
        for index in 0..end {
            assert!(window.check(index).is_err(), "{index} below {end}");
        }
        window.mark(end + 40);
        for index in end..end + 40 {
            assert_eq!(window.check(index), Ok(()), "{index} above {end}");
        }
        assert_eq!(window.check(end + 40), Err(Error::Replayed));
    }
}

proptest! {
    #[test]
    fn a_window_does_what_a_set_would(
        start in 0u64..1 << 48,
        steps in prop::collection::vec(
            prop_oneof![4 => -3i64..6, 2 => -80i64..80, 1 => -1_200i64..1_200, 1 => 0i64..1 << 20],
            1..200,
        ),
    ) {
        check::<2>(start, &steps);
        check::<6>(start, &steps);
        check::<17>(start, &steps);
        check::<17>(0, &steps);
    }
}
