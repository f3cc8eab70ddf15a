//! Bedside and the limit program carry the same load from the same generator.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test says where it fails")]

use bedside_bench::{
    contender::{Contender, Running},
    latency::READING,
    load::{Load, frames},
};
use std::time::Duration;

fn check(contender: Contender, load: &Load) {
    let mut running = Running::start(contender, load, READING).unwrap();
    let window = running
        .measure(Duration::from_millis(200), Duration::from_millis(500))
        .unwrap();
    let seen = &window.measurements;
    assert!(seen.packets_sent > 0 && window.arrived > 0.0, "{seen:?}");
    assert_eq!(window.lost(), 0, "{seen:?}");
    assert_eq!(seen.forged, 0, "{seen:?}");
    assert!(seen.failures.is_empty(), "{seen:?}");
    assert!(seen.forwarding.count() > 0, "packets are opened: {seen:?}");
    assert!(window.cost.run_time_ns > 0);
}

/// Needs `bedside-dataplane`, built in the same profile: tests of the workspace build it.
#[test]
fn bedside_forwards_a_load() {
    check(Contender::BEDSIDE, &Load::one_way(1, 3, &frames(50)));
    check(Contender::BEDSIDE, &Load::consults(2));
}

#[test]
fn the_limit_program_forwards_the_same_load() {
    check(Contender::Limit, &Load::one_way(1, 3, &frames(50)));
    check(Contender::Limit, &Load::consults(2));
}
