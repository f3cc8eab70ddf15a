use super::*;
use crate::forwarder::tests::start;

fn pacing_at(bps: u64) -> (Pacer, Instant) {
    let now = start();
    let mut pacer = Pacer::new(now);
    pacer.receiver_estimate(now, bps);
    (pacer, now)
}

fn queued(since: Instant, bytes: usize) -> Queued {
    Queued {
        subscription: Handle::of_nothing(),
        layer: Layer::Low,
        sequence: 0,
        place: Place {
            out: 0,
            offsets: crate::forwarder::sequence_map::Offsets::default(),
            newest: true,
        },
        bytes,
        since,
    }
}

#[test]
fn nothing_is_paced_before_feedback() {
    let now = start();
    let mut pacer = Pacer::new(now);
    assert_eq!(pacer.credit_bytes(now), i64::MAX);
    assert_eq!((pacer.target_bps(), pacer.next()), (None, None));
    pacer.receiver_estimate(now, 300_000);
    assert_eq!(pacer.target_bps(), Some(300_000));
    assert_eq!(pacer.credit_bytes(now), 0);
}

#[test]
fn the_budget_fills_at_the_rate_up_to_a_burst() {
    let (mut pacer, now) = pacing_at(8_000_000);
    // 20 Mbit/s: 2,500 bytes a millisecond, and 12,500 at most.
    let at = |ms| now + Duration::from_millis(ms);
    assert_eq!(pacer.credit_bytes(at(1)), 2_500);
    assert_eq!(pacer.credit_bytes(at(3)), 7_500);
    assert_eq!(pacer.credit_bytes(at(100)), 12_500);
    pacer.sent(at(100), 20_000, None);
    assert_eq!(pacer.credit_bytes(at(100)), -7_500);
    assert_eq!(pacer.credit_bytes(at(103)), 0);
}

#[test]
fn debt_is_bounded_and_a_slow_path_still_takes_a_packet() {
    let (mut pacer, now) = pacing_at(80_000);
    // 25 bytes a millisecond.
    pacer.sent(now, 1_000_000, None);
    assert_eq!(pacer.credit_bytes(now), -25 * 250);
    let later = now + Duration::from_secs(1);
    assert_eq!(pacer.credit_bytes(later), PACER_BURST_BYTES_MIN);
}

#[test]
fn it_wakes_when_the_debt_is_paid_and_not_for_every_packet() {
    let (mut pacer, now) = pacing_at(8_000_000);
    pacer.sent(now, 25_000, None);
    assert_eq!(pacer.credit_bytes(now), -25_000);
    let at_rest = pacer.next();
    pacer.push_media(queued(now, 1_000));
    let due = pacer.next().expect("something waits");
    assert!(at_rest.is_none_or(|rest| due <= rest));
    let paid = now + Duration::from_millis(10);
    assert!(due > paid && due <= paid + Duration::from_millis(1));
    assert!(pacer.credit_bytes(due) > 0);
    // Where the budget allows it at once, after a burst's time.
    pacer.push_media(queued(due, 1_000));
    assert_eq!(pacer.next(), Some(due + PACER_BURST));
}

#[test]
fn what_was_asked_for_again_comes_first_and_once() {
    let (mut pacer, now) = pacing_at(1_000_000);
    let resend = Resend {
        subscription: Handle::of_nothing(),
        out: 7,
    };
    pacer.push_media(queued(now, 1_000));
    assert!(pacer.push_resend(resend));
    assert!(!pacer.push_resend(resend), "it waits already");
    assert!(matches!(pacer.release(now), Some(Release::Resend(found)) if found == resend));
    let later = now + Duration::from_millis(40);
    assert!(matches!(pacer.release(later), Some(Release::Media(_))));
    assert!(!matches!(pacer.release(later), Some(Release::Media(_))));
    assert_eq!(pacer.take_longest_wait(), Duration::from_millis(40));
    assert_eq!(pacer.take_longest_wait(), Duration::ZERO);
    for out in 0..2 * count(PACER_RESENDS_MAX) {
        let fits = out < count(PACER_RESENDS_MAX);
        assert_eq!(pacer.push_resend(Resend { out, ..resend }), fits);
    }
}

#[test]
fn it_is_overfull_after_a_quarter_of_a_second_and_a_second_after_a_key_frame() {
    // 125 bytes a millisecond.
    let (mut pacer, now) = pacing_at(400_000);
    for _ in 0..31 {
        pacer.push_media(queued(now, 1_000));
    }
    assert!(!pacer.is_overfull(now));
    pacer.push_media(queued(now, 1_000));
    assert!(pacer.is_overfull(now));
    pacer.note_start(now);
    pacer.push_media(queued(now, 1_000));
    assert!(!pacer.is_overfull(now));
    assert!(pacer.is_overfull(now + 2 * PACER_QUEUE_KEY_FRAME_MAX));
    for _ in 0..100 {
        pacer.push_media(queued(now, 1_000));
    }
    assert!(pacer.is_overfull(now));
    assert_eq!(pacer.purge(Handle::of_nothing()), 133);
    assert_eq!(pacer.queue_delay(), Duration::ZERO);
}

#[test]
fn small_packets_are_bounded_by_number() {
    let (mut pacer, now) = pacing_at(1_000_000_000);
    for _ in 0..PACER_PACKETS_MAX {
        pacer.push_media(queued(now, 1));
    }
    assert!(!pacer.is_overfull(now));
    pacer.push_media(queued(now, 1));
    assert!(pacer.is_overfull(now));
}

#[test]
fn repair_gets_half_of_the_path_and_a_little_on_any() {
    assert_eq!(pacing_at(1_600_000).0.resend_rate(), Some(100_000));
    assert_eq!(
        pacing_at(40_000).0.resend_rate(),
        Some(RESEND_BYTES_PER_SECOND_MIN)
    );
    assert_eq!(Pacer::new(start()).resend_rate(), None);
}
