use super::*;
use crate::forwarder::tests::start;
use crate::limits::RESEND_BYTES_PER_SECOND;

#[test]
fn a_storm_is_bounded_and_the_budget_refills() {
    let mut budget = ResendBudget::default();
    let start = start();
    let mut taken = 0;
    for ms in 0..1_000 {
        for _ in 0..10 {
            let at = start + Duration::from_millis(ms);
            if budget.take(at, 1_000, RESEND_BYTES_PER_SECOND) {
                taken += 1_000_u64;
            }
        }
    }
    let bound = RESEND_BYTES_BURST + RESEND_BYTES_PER_SECOND;
    assert!(taken <= bound && taken > bound - 2_000, "{taken}");
}

#[test]
fn a_slow_path_repairs_a_second_of_its_rate_at_most() {
    let mut budget = ResendBudget::default();
    let start = start();
    let taken = (0..100).filter(|_| budget.take(start, 1_000, 25_000));
    assert_eq!(taken.count(), 25);
    let later = start + Duration::from_secs(60);
    let taken = (0..100).filter(|_| budget.take(later, 1_000, 50_000));
    assert_eq!(taken.count(), 50);
}

#[test]
fn one_packet_is_sent_again_once_in_a_while() {
    let mut recent = RecentResends::default();
    let start = start();
    let round_trip = Some(Duration::from_millis(60));
    assert!(recent.admit(start, 5, round_trip));
    assert!(!recent.admit(start + Duration::from_millis(29), 5, round_trip));
    assert!(recent.admit(start + Duration::from_millis(29), 6, round_trip));
    assert!(recent.admit(start + Duration::from_millis(30), 5, round_trip));
    // Without a measurement, the least.
    assert!(!recent.admit(start + Duration::from_millis(39), 5, None));
    assert!(recent.admit(start + Duration::from_millis(40), 5, None));
}
