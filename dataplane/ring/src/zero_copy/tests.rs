use super::*;

const BIG: usize = ZERO_COPY_BYTES_MIN;

/// Messages sent until one is sent without a copy.
fn until_trial(zero_copy: &mut ZeroCopy) -> u32 {
    (0..).find(|_| zero_copy.choose(BIG)).unwrap()
}

#[test]
fn disabled_never_tries() {
    let mut zero_copy = ZeroCopy::new(false);
    assert!((0..ZERO_COPY_TRIAL_FIRST * 3).all(|_| !zero_copy.choose(BIG)));
}

#[test]
fn short_messages_are_copied_and_do_not_count() {
    let mut zero_copy = ZeroCopy::new(true);
    assert!((0..ZERO_COPY_TRIAL_FIRST * 3).all(|_| !zero_copy.choose(BIG - 1)));
    assert_eq!(until_trial(&mut zero_copy), ZERO_COPY_TRIAL_FIRST);
}

#[test]
fn a_trial_that_was_copied_doubles_the_wait_up_to_a_bound() {
    let mut zero_copy = ZeroCopy::new(true);
    let mut expected = ZERO_COPY_TRIAL_FIRST;
    for _ in 0..14 {
        assert_eq!(until_trial(&mut zero_copy), expected);
        zero_copy.reported(true);
        expected = (expected * 2).min(ZERO_COPY_TRIAL_MAX);
    }
    assert_eq!(expected, ZERO_COPY_TRIAL_MAX);
}

#[test]
fn one_message_is_on_trial_at_a_time() {
    let mut zero_copy = ZeroCopy::new(true);
    until_trial(&mut zero_copy);
    assert!((0..100).all(|_| !zero_copy.choose(BIG)));
    zero_copy.reported(false);
    assert!(zero_copy.choose(BIG));
    assert!(!zero_copy.choose(BIG));
}

#[test]
fn uncopied_trials_turn_it_on_and_one_copy_turns_it_off() {
    let mut zero_copy = ZeroCopy::new(true);
    until_trial(&mut zero_copy);
    for _ in 1..ZERO_COPY_TRIALS_TO_TURN_ON {
        zero_copy.reported(false);
        assert!(zero_copy.choose(BIG));
    }
    zero_copy.reported(false);
    assert!((0..100).all(|_| zero_copy.choose(BIG)));
    zero_copy.reported(true);
    zero_copy.reported(true);
    assert_eq!(until_trial(&mut zero_copy), ZERO_COPY_TRIAL_FIRST * 2);
}

#[test]
fn a_refused_trial_counts_as_a_failure() {
    let mut zero_copy = ZeroCopy::new(true);
    until_trial(&mut zero_copy);
    zero_copy.failed();
    assert_eq!(until_trial(&mut zero_copy), ZERO_COPY_TRIAL_FIRST * 2);
}
