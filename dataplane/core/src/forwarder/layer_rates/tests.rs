use super::*;
use crate::forwarder::tests::start;
use std::time::Duration;

/// Thirty frames a second of two packets; every other frame is of the temporal layer 1.
fn receive(rates: &mut LayerRates, begin: Instant, frames: std::ops::Range<u32>, bytes: u64) {
    for frame in frames {
        let now = begin + Duration::from_millis(u64::from(frame) * 1_000 / 30);
        for _ in 0..2 {
            let temporal = u8::from(frame % 2 == 1);
            rates.received(
                now,
                Layer::Medium,
                temporal,
                Timestamp(frame * 3_000),
                bytes,
            );
        }
    }
}

#[test]
fn rates_are_known_after_a_window_by_temporal_layer() {
    let begin = start();
    let mut rates = LayerRates::default();
    receive(&mut rates, begin, 0..30, 1_000);
    assert_eq!(rates.of(Layer::Medium), None);
    receive(&mut rates, begin, 30..32, 1_000);
    let rate = *rates.of(Layer::Medium).expect("measured");
    assert_eq!(rate.frames[..3], [15, 15, 0]);
    let expected = 15 * 2 * (1_000 + PACKET_OVERHEAD_BYTES) * 8;
    assert_eq!(rate.bps[..3], [expected, expected, 0]);
    assert_eq!(rates.of(Layer::Low), None);
}

#[test]
fn rates_follow_within_some_windows_and_stand_still_in_silence() {
    let begin = start();
    let mut rates = LayerRates::default();
    receive(&mut rates, begin, 0..62, 1_000);
    let before = rates.of(Layer::Medium).expect("measured").whole_bps();
    receive(&mut rates, begin, 62..302, 500);
    let after = rates.of(Layer::Medium).expect("measured").whole_bps();
    assert!(after * 100 < before * 60, "{before} to {after}");
    // Ten seconds of nothing.
    receive(&mut rates, begin, 660..670, 500);
    assert_eq!(
        rates.of(Layer::Medium).expect("measured").whole_bps(),
        after
    );
}
