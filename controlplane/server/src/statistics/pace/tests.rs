use super::*;

#[tokio::test(start_paused = true)]
async fn each_reporter_has_a_minutes_worth() {
    let pace = Pace::default();
    let (one, other) = ([1; 32], [2; 32]);
    for _ in 0..STATISTICS_PER_REPORTER_MINUTE {
        assert!(pace.admit_reporter(one));
    }
    assert!(!pace.admit_reporter(one));
    assert!(pace.admit_reporter(other));
    tokio::time::advance(MINUTE).await;
    assert!(pace.admit_reporter(one));
}

#[test]
fn what_is_kept_has_a_bound() {
    let mut minute = Minute::default();
    assert!(minute.admit(1, 5, 2));
    assert!(minute.admit(2, 5, 2));
    assert!(!minute.admit(3, 5, 2));
    assert!(minute.admit(1, 5, 2));
}
