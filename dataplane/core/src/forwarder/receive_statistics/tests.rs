use super::*;
use crate::forwarder::tests::start;
use std::time::Duration;

#[test]
fn losses_count_between_reports_and_in_all() {
    let mut statistics = ReceiveStatistics::default();
    let now = start();
    assert_eq!(statistics.report(9, 0, 0), None);
    for sequence in [65_530, 65_531, 65_533, 65_534] {
        statistics.received(now, sequence, Timestamp(0), 90_000);
    }
    let block = statistics.report(9, 1, 2).expect("packets arrived");
    assert_eq!((block.cumulative_lost, block.fraction_lost), (1, 51));
    assert_eq!((block.last_sender_report, block.delay_since_last), (1, 2));
    for sequence in 65_535..65_545 {
        statistics.received(now, sequence, Timestamp(0), 90_000);
    }
    let block = statistics.report(9, 0, 0).expect("packets arrived");
    assert_eq!((block.cumulative_lost, block.fraction_lost), (1, 0));
    assert_eq!(block.highest_sequence, 0x0001_0008);
}

#[test]
fn what_retransmission_restored_is_lost_only_to_the_report() {
    let mut statistics = ReceiveStatistics::default();
    let now = start();
    for sequence in [1, 2, 4, 6] {
        statistics.received(now, sequence, Timestamp(0), 90_000);
    }
    statistics.recovered();
    assert_eq!(statistics.take_interval(), (6, 1));
    assert_eq!(statistics.take_interval(), (0, 0));
    let block = statistics.report(9, 0, 0).expect("packets arrived");
    assert_eq!(block.cumulative_lost, 2);
}

#[test]
fn jitter_follows_the_rfc() {
    let mut statistics = ReceiveStatistics::default();
    let start = start();
    statistics.received(start, 1, Timestamp(0), 8_000);
    // 160 units after 20 ms: on time. Then 5 ms late: 40 units, of which a sixteenth counts.
    statistics.received(start + Duration::from_millis(20), 2, Timestamp(160), 8_000);
    assert_eq!(statistics.jitter(), 0);
    statistics.received(start + Duration::from_millis(45), 3, Timestamp(320), 8_000);
    assert_eq!(statistics.jitter(), 40 / 16);
    assert!((statistics.jitter_ms(8_000) - 0.25).abs() < 1e-6);
}

#[test]
fn a_steady_stream_has_no_jitter() {
    let mut statistics = ReceiveStatistics::default();
    let start = start();
    for index in 0..500_u32 {
        let now = start + Duration::from_millis(20 * u64::from(index));
        statistics.received(now, index.into(), Timestamp(index * 960), 48_000);
    }
    assert_eq!(statistics.jitter(), 0);
}
