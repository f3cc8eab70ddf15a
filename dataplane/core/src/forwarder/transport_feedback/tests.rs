use super::*;
use crate::forwarder::tests::start;
use crate::rtcp::{Packet, packets};
use std::time::Duration;

/// Sequence numbers with their arrivals in ticks since the beginning, and whether more waits.
fn feedback(recorder: &mut ArrivalRecorder) -> (Vec<(u16, Option<i64>)>, bool) {
    let mut out = Vec::new();
    let more = recorder.write(1, 2, &mut Vec::new(), &mut out);
    let packet = packets(&out).next().expect("one").expect("well formed");
    let Packet::TransportFeedback(feedback) = packet else {
        panic!("feedback");
    };
    let reference = i64::from(feedback.reference) * 256;
    let mut found = Vec::new();
    feedback
        .for_each(|sequence, ticks| found.push((sequence.0, ticks.map(|ticks| ticks + reference))))
        .expect("complete");
    (found, more)
}

#[test]
fn arrivals_and_losses_are_reported_once() {
    let mut recorder = ArrivalRecorder::default();
    let start = start();
    assert_eq!(recorder.next(), None);
    recorder.arrived(start, 65_535);
    recorder.arrived(start + Duration::from_millis(1), 0);
    recorder.arrived(start + Duration::from_millis(5), 2);
    assert_eq!(recorder.next(), Some(start + TRANSPORT_FEEDBACK_INTERVAL));
    let (found, more) = feedback(&mut recorder);
    assert!(!more);
    assert_eq!(
        found,
        [(65_535, Some(0)), (0, Some(4)), (1, None), (2, Some(20))]
    );
    assert_eq!(recorder.next(), None);

    recorder.arrived(start + Duration::from_millis(60), 4);
    let (found, _) = feedback(&mut recorder);
    assert_eq!(found, [(3, None), (4, Some(240))]);
}

#[test]
fn a_late_packet_is_reported_with_what_is_known_after_it() {
    let mut recorder = ArrivalRecorder::default();
    let start = start();
    for (ms, sequence) in [(0, 10), (1, 12), (2, 13)] {
        recorder.arrived(start + Duration::from_millis(ms), sequence);
    }
    feedback(&mut recorder);
    recorder.arrived(start + Duration::from_millis(70), 11);
    let (found, _) = feedback(&mut recorder);
    assert_eq!(found, [(11, Some(280)), (12, Some(4)), (13, Some(8))]);
}

#[test]
fn a_duplicate_changes_nothing() {
    let mut recorder = ArrivalRecorder::default();
    let start = start();
    recorder.arrived(start, 10);
    feedback(&mut recorder);
    recorder.arrived(start + Duration::from_millis(3), 10);
    assert_eq!(recorder.next(), None);
}

#[test]
fn a_silence_is_bridged_by_a_second_packet() {
    let mut recorder = ArrivalRecorder::default();
    let start = start();
    recorder.arrived(start, 1);
    recorder.arrived(start + Duration::from_secs(9), 2);
    let (found, more) = feedback(&mut recorder);
    assert_eq!(found, [(1, Some(0))]);
    assert!(more);
    let (found, more) = feedback(&mut recorder);
    assert_eq!(found, [(2, Some(36_000))]);
    assert!(!more);
}

#[test]
fn a_jump_is_cut_to_the_window() {
    let mut recorder = ArrivalRecorder::default();
    let start = start();
    recorder.arrived(start, 1);
    recorder.arrived(start, 30_000);
    let mut count = 0;
    let mut last = None;
    loop {
        let (found, more) = feedback(&mut recorder);
        count += found.len();
        last = found.last().copied().or(last);
        if !more {
            break;
        }
    }
    assert_eq!(count, TRANSPORT_FEEDBACK_PACKETS);
    assert_eq!(last, Some((30_000, Some(0))));
}
