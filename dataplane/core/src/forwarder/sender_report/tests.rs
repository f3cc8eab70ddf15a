use super::*;
use crate::forwarder::tests::start;
use std::time::Duration;

#[test]
fn a_report_is_continued_to_now() {
    let arrived = start();
    let clock = SenderClock {
        ntp: 5 << 32,
        timestamp: Timestamp(u32::MAX),
        arrived,
    };
    let (ntp, timestamp) = clock.at(arrived + Duration::from_millis(250), 90_000);
    assert_eq!(ntp, (5 << 32) + (1 << 30));
    assert_eq!(timestamp, Timestamp(22_499));
}

#[test]
fn one_instant_in_the_units_of_two_layers() {
    let arrived = start();
    let low = SenderClock {
        ntp: 10 << 32,
        timestamp: Timestamp(1_000),
        arrived,
    };
    let high = SenderClock {
        ntp: (10 << 32) + (1 << 31),
        timestamp: Timestamp(700_000),
        arrived,
    };
    // A second after the low layer's report is half a second after the high layer's.
    assert_eq!(
        low.translate(Timestamp(91_000), &high, 90_000),
        Timestamp(745_000)
    );
    assert_eq!(
        high.translate(Timestamp(745_000), &low, 90_000),
        Timestamp(91_000)
    );
}

#[test]
fn delays_convert_both_ways() {
    assert_eq!(delay_units(1_500_000), 98_304);
    assert_eq!(delay_us(98_304), 1_500_000);
    assert_eq!(middle_of(0x1122_3344_5566_7788), 0x3344_5566);
}
