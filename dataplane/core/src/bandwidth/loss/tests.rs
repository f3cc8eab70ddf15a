use super::*;

/// 101 packets in 250 ms, of which `lost` are lost, evenly; the last arrives.
fn interval(loss: &mut Loss, now_us: &mut u64, lost: u64, target_bps: f64) -> Option<Verdict> {
    for index in 0..=100 {
        *now_us += 2_500;
        if index < 100 && (index * lost) % 100 + lost >= 100 && lost > 0 {
            loss.lost(*now_us);
        } else {
            loss.arrived(*now_us, false);
        }
    }
    let delivered = target_bps * (100 - lost) as f64 / 100.0;
    loss.evaluate(*now_us, *now_us, target_bps, Some(delivered), false)
}

#[test]
fn loss_that_stays_at_a_lower_rate_is_the_links_own() {
    let (mut loss, mut now) = (Loss::new(), 1);
    assert_eq!(interval(&mut loss, &mut now, 0, 1e6), None);
    let verdict = interval(&mut loss, &mut now, 10, 1e6);
    assert!(matches!(verdict, Some(Verdict::Try(bps)) if (8e5..9e5).contains(&bps)));
    // 14 losses of 200 packets are what a trial waits for.
    assert_eq!(interval(&mut loss, &mut now, 10, 8.6e5), None);
    let verdict = interval(&mut loss, &mut now, 10, 8.6e5);
    assert_eq!(verdict, Some(Verdict::Restore(1e6)));
    for _ in 0..20 {
        assert_eq!(interval(&mut loss, &mut now, 11, 1e6), None);
    }
    assert_eq!(loss.ceiling_bps(now), f64::MAX);
}

#[test]
fn loss_that_goes_away_at_a_lower_rate_is_a_ceiling_for_a_while() {
    let (mut loss, mut now) = (Loss::new(), 1);
    let verdict = interval(&mut loss, &mut now, 50, 3e6);
    assert!(matches!(verdict, Some(Verdict::Try(bps)) if (1.4e6..1.5e6).contains(&bps)));
    assert_eq!(interval(&mut loss, &mut now, 0, 1.4e6), None);
    assert!(loss.ceiling_bps(now) < 1.5e6);
    let left = loss.ceiling_bps(now + HOLD_US_MIN);
    assert!((1.5e6..2e6).contains(&left), "step by step");
    assert_eq!(loss.ceiling_bps(now + HOLD_US_MIN + LEAVING_US), f64::MAX);
}

#[test]
fn an_outage_is_no_loss() {
    let (mut loss, mut now) = (Loss::new(), 1);
    for index in 0..200 {
        now += 2_500;
        if (50..130).contains(&index) {
            loss.lost(now);
        } else {
            loss.arrived(now, false);
        }
    }
    assert_eq!(loss.evaluate(now, now, 1e6, Some(6e5), false), None);
    assert!(loss.smoothed() < 0.01);
}

#[test]
fn loss_of_a_sender_far_below_its_rate_is_the_links_own() {
    let (mut loss, mut now) = (Loss::new(), 1);
    for _ in 0..10 {
        for index in 0..=100 {
            now += 2_500;
            if index % 10 == 3 {
                loss.lost(now);
            } else {
                loss.arrived(now, false);
            }
        }
        assert_eq!(loss.evaluate(now, now, 5e6, Some(8e5), true), None);
    }
    assert!(loss.own() > 0.05, "{}", loss.own());
}
