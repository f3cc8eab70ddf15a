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

#[test]
fn a_lost_packet_is_asked_for_until_given_up() {
    let mut nack = NackGenerator::default();
    let start = start();
    nack.arrived(start, 65_535);
    nack.arrived(start, 65_538);
    let mut requests = Vec::new();
    let mut now = start;
    while let Some(next) = nack.next() {
        now = next;
        let due = due(&mut nack, now);
        if !due.is_empty() {
            requests.push(due);
        }
    }
    assert_eq!(requests, vec![vec![0, 1]; NACK_TRIES_MAX.into()]);
    // Ten requests, 50 ms apart, the last one waited for.
    assert_eq!(now - start, Duration::from_millis(10 + 10 * 50));
    assert_eq!(nack.arrived(now, 65_536), Arrived::Fine, "late after all");
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
