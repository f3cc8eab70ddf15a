use super::*;

fn check(repeats: &[f64], value: f64, discarded: usize, usable: bool) {
    let measured = Measured::of(repeats.to_vec(), 3);
    assert!((measured.value - value).abs() < 1e-9, "{measured:?}");
    assert_eq!(measured.discarded, discarded, "{measured:?}");
    assert_eq!(measured.usable, usable, "{measured:?}");
}

#[test]
fn the_repeats_that_agree_count() {
    check(&[100.0, 102.0, 101.0], 101.0, 0, true);
    check(&[100.0, 140.0, 102.0, 101.0], 101.0, 1, true);
    check(&[100.0, 120.0, 140.0], 120.0, 0, false);
    check(&[7.0], 7.0, 0, false);
    check(&[0.0, 0.0, 0.0], 0.0, 0, true);
}

#[test]
fn a_ratio_is_as_unsure_as_both_its_parts() {
    let ours = Measured::of(vec![120.0, 121.0, 122.0], 3);
    let floor = Measured::of(vec![100.0, 100.0, 101.0], 3);
    let ratio = ours.over(&floor);
    assert!((ratio.value - 1.21).abs() < 1e-9);
    assert!(ratio.spread > ours.spread && ratio.usable);
    let noisy = Measured::of(vec![100.0, 130.0, 160.0], 3);
    assert!(!ours.over(&noisy).usable);
}

#[test]
fn a_goal_is_judged_only_where_the_value_can_be_used() {
    let figure = |measured| Figure {
        run: "forwarding",
        what: "cost".to_owned(),
        unit: Unit::Ratio,
        goal: Some(Goal::AtMost(1.25)),
        measured,
        note: String::new(),
    };
    assert_eq!(figure(None).reached(), None);
    assert_eq!(figure(Some(Measured::counted(1.25))).reached(), Some(true));
    assert_eq!(figure(Some(Measured::counted(1.26))).reached(), Some(false));
    let noisy = Measured::of(vec![1.0, 1.2, 1.4], 3);
    let noisy = figure(Some(noisy));
    assert_eq!(noisy.reached(), None);
    assert_eq!(noisy.measured_text(), "1.20 ±16.7 % (noise)");
    assert_eq!(noisy.goal_text(), "<= 1.25");
}
