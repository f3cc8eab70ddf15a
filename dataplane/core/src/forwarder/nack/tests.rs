use super::*;
use crate::forwarder::tests::start;

fn due(nack: &mut NackGenerator, now: Instant) -> Vec<u16> {
    let mut out = Vec::new();
    nack.take_due(now, Some(Duration::from_millis(40)), &mut out);
    out.into_iter().map(|sequence| sequence.0).collect()
}

#[test]
fn a_packet_that_was_overtaken_is_not_asked_for() {
    let mut nack = NackGenerator::default();
    let start = start();
    for sequence in [1, 3] {
        assert_eq!(nack.arrived(start, sequence), Arrived::Fine);
    }
    assert_eq!(nack.next(), Some(start + REORDER_TOLERANCE));
    assert!(due(&mut nack, start + Duration::from_millis(9)).is_empty());
    assert_eq!(
        nack.arrived(start + Duration::from_millis(9), 2),
        Arrived::Fine
    );
    assert_eq!(nack.next(), None);
}

/// Each request and when it was made, ms after the start, while a packet arrives every 20 ms.
fn requests(nack: &mut NackGenerator, start: Instant, newest: u64, ms: u64) -> Vec<u64> {
    let mut made = Vec::new();
    for at in 0..ms {
        let now = start + Duration::from_millis(at);
        if at % 20 == 0 {
            nack.arrived(now, newest + at / 20);
        }
        if nack.next().is_some_and(|next| next <= now) && !due(nack, now).is_empty() {
            made.push(at);
        }
    }
    made
}

#[test]
fn a_lost_packet_is_asked_for_ever_more_rarely_until_given_up() {
    let mut nack = NackGenerator::default();
    let start = start();
    nack.arrived(start, 65_535);
    let made = requests(&mut nack, start, 65_537, 10_000);
    // After one, two and then always four times 50 ms, for two seconds.
    let expected: Vec<u64> = [10, 60]
        .into_iter()
        .chain((160..).step_by(200))
        .take(10)
        .collect();
    assert_eq!(made, expected);
    assert_eq!(nack.next(), None, "given up");
    let now = start + Duration::from_secs(10);
    assert_eq!(nack.arrived(now, 65_536), Arrived::Fine, "late after all");
}

#[test]
fn while_nothing_arrives_nothing_is_asked_for() {
    let mut nack = NackGenerator::default();
    let start = start();
    nack.arrived(start, 1);
    nack.arrived(start, 40);
    let mut made = 0;
    let mut now = start;
    while let Some(next) = nack.next() {
        now = next;
        made += usize::from(!due(&mut nack, now).is_empty());
    }
    assert_eq!(made, usize::from(NACK_UNHEARD_MAX), "the link died");
    // It is back soon: what is still of use is asked for at once.
    now += Duration::from_millis(300);
    nack.arrived(now, 41);
    assert_eq!(due(&mut nack, now).len(), 38);
    // It is back after long: nothing of before is of use.
    let later = now + Duration::from_secs(5);
    nack.arrived(later, 42);
    assert!(due(&mut nack, later).is_empty());
}

#[test]
fn a_round_trip_that_has_grown_is_learnt_from_answers_that_come_too_soon() {
    let mut nack = NackGenerator::default();
    let start = start();
    nack.arrived(start, 1);
    nack.arrived(start, 3);
    let at = |ms| start + Duration::from_millis(ms);
    for ms in [10, 60, 160] {
        assert_eq!(due(&mut nack, at(ms)), [2]);
    }
    assert_eq!(
        nack.arrived(at(170), 2),
        Arrived::Answered(Duration::from_millis(160)),
        "10 ms after the last request it answers an earlier one"
    );
    nack.arrived(at(200), 5);
    for ms in [210, 260] {
        assert_eq!(due(&mut nack, at(ms)), [4]);
    }
    assert_eq!(nack.arrived(at(300), 4), Arrived::Fine, "either one");
}

#[test]
fn an_answer_to_one_request_tells_the_round_trip() {
    let mut nack = NackGenerator::default();
    let start = start();
    nack.arrived(start, 1);
    nack.arrived(start, 3);
    let asked = start + REORDER_TOLERANCE;
    assert_eq!(due(&mut nack, asked), [2]);
    assert_eq!(
        nack.arrived(asked + Duration::from_millis(33), 2),
        Arrived::Answered(Duration::from_millis(33))
    );
}

#[test]
fn an_outage_is_not_asked_for() {
    let mut nack = NackGenerator::default();
    let now = start();
    nack.arrived(now, 1);
    nack.arrived(now, 4);
    assert_eq!(nack.arrived(now, 1_000), Arrived::Outage);
    assert_eq!(nack.next(), None);
    assert_eq!(nack.arrived(now, 1_002), Arrived::Fine);
    assert_eq!(due(&mut nack, now + REORDER_TOLERANCE), [1_001]);
}

#[test]
fn what_is_missing_before_the_first_arrival_is_asked_for_once_it_is_known() {
    let mut nack = NackGenerator::default();
    let start = start();
    nack.arrived(start, 12);
    nack.arrived(start, 14);
    nack.arrived(start, 9);
    assert_eq!(due(&mut nack, start + REORDER_TOLERANCE), [10, 11, 13]);
    nack.arrived(start, 9_000);
    assert_eq!(nack.arrived(start, 9_001), Arrived::Fine);
    assert!(
        due(&mut nack, start + Duration::from_secs(1)).is_empty(),
        "an outage"
    );
}
