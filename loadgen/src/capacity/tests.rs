//! Tests of the search, on servers whose capacity is known.

use super::*;
use crate::report::summary::{Distribution, Packets, Usage};
use std::collections::BTreeMap;
use std::convert::Infallible;

const BOUND: Bound = Bound {
    latency_p99_ns: 5_000_000,
    loss_max: 0.0,
};

fn measured(p99_ns: u64, generator_limit: Option<&str>) -> Measured {
    let usage = Usage {
        run_time_ns: 0,
        cores: 0.0,
        busiest_thread: 0.0,
        ns_per_packet: None,
        run_time_ns_by_thread: BTreeMap::new(),
        voluntary_switches: 0,
        involuntary_switches: 0,
        rss_bytes: 0,
        pss_bytes: None,
    };
    Measured {
        seconds: 1.0,
        joined: 10,
        latency: Distribution {
            count: 1,
            mean_ns: 0.0,
            max_ns: p99_ns,
            percentiles: vec![(50.0, 1), (99.0, p99_ns)],
        },
        audio_latency: Distribution::default(),
        video_latency: Distribution::default(),
        forwarding: Distribution::default(),
        jitter: Distribution::default(),
        join: Distribution::default(),
        first_frame: Distribution::default(),
        lateness: Distribution::default(),
        packets: Packets {
            sent: 1,
            expected: 10,
            received: 10,
            lost: 0,
            loss: 0.0,
            reordered: 0,
            duplicated: 0,
            forged: 0,
            bytes_sent: 0,
            bytes_received: 0,
        },
        frozen_share: 0.0,
        layer_switches: 0,
        failures: BTreeMap::new(),
        server: None,
        generator: usage,
        generator_limit: generator_limit.map(str::to_owned),
        seconds_series: vec![],
        cost_series: vec![],
    }
}

/// Searches a server that keeps the bound up to `capacity` rooms with a generator that is
/// punctual up to `generator` rooms.
fn check(search: Search, capacity: f64, generator: f64) -> (Ramp, Vec<u64>) {
    let ramp = search.run(BOUND, |scale| {
        let rooms = (search.rooms as f64 * scale).round();
        let p99_ns = if rooms <= capacity {
            1_000_000
        } else {
            9_000_000
        };
        let limit = (rooms > generator).then_some("late");
        let measured = measured(p99_ns, limit);
        Ok::<_, Infallible>(Some(Step {
            scale,
            rooms: search.rooms_at(scale),
            participants: 10,
            verdict: Verdict::of(&measured, 10, &BOUND),
            measured,
        }))
    });
    let Ok(ramp) = ramp;
    let rooms = ramp.steps.iter().map(|step| step.rooms).collect();
    (ramp, rooms)
}

const FROM_ONE: Search = Search {
    from: 1.0,
    to: 1_000.0,
    rooms: 1,
};

#[test]
fn load_doubles_until_the_bound_breaks_and_is_then_narrowed_down() {
    let (ramp, rooms) = check(FROM_ONE, 11.0, f64::MAX);
    assert_eq!(rooms, [1, 2, 4, 8, 16, 12, 10, 11]);
    assert_eq!(ramp.capacity_step().unwrap().rooms, 11);
    assert_eq!(ramp.limit, Limit::Server);
    assert!(
        ramp.conclusion().starts_with("Capacity: 11 rooms"),
        "{}",
        ramp.conclusion()
    );
}

#[test]
fn many_rooms_are_known_to_within_a_twentieth() {
    let search = Search {
        rooms: 20,
        ..FROM_ONE
    };
    let (ramp, rooms) = check(search, 777.0, f64::MAX);
    let found = ramp.capacity_step().unwrap().rooms as f64;
    assert!((777.0 / 1.05..=777.0).contains(&found), "{rooms:?}");
    assert!(rooms.len() <= 12, "{rooms:?}");
}

#[test]
fn a_generator_that_is_the_limit_proves_nothing_about_the_server() {
    let (ramp, rooms) = check(FROM_ONE, 100.0, 6.0);
    assert_eq!(rooms, [1, 2, 4, 8, 6, 7]);
    assert_eq!(ramp.capacity_step().unwrap().rooms, 6);
    assert_eq!(ramp.limit, Limit::Generator);
    assert!(ramp.conclusion().contains("The generator was the limit"));
}

#[test]
fn a_server_that_carries_nothing_has_no_capacity() {
    let search = Search {
        rooms: 8,
        ..FROM_ONE
    };
    let (ramp, rooms) = check(search, 0.0, f64::MAX);
    assert_eq!(rooms, [8, 4, 2, 1]);
    assert_eq!(ramp.capacity, None);
    let conclusion = ramp.conclusion();
    assert!(
        conclusion.contains("p99 latency 9 ms > 5 ms"),
        "{conclusion}"
    );
}

#[test]
fn the_largest_scale_ends_the_search() {
    let search = Search {
        to: 5.0,
        ..FROM_ONE
    };
    let (ramp, rooms) = check(search, f64::MAX, f64::MAX);
    assert_eq!(rooms, [1, 2, 4, 5]);
    assert_eq!(ramp.limit, Limit::Scale);
}

#[test]
fn what_breaks_a_bound_is_named() {
    let broken = |change: &dyn Fn(&mut Measured)| {
        let mut measured = measured(1_000_000, None);
        change(&mut measured);
        BOUND.broken_by(&measured, 10)
    };
    assert_eq!(broken(&|_| {}), None);
    let loss = broken(&|measured| measured.packets.loss = 0.001);
    assert_eq!(loss.unwrap(), "loss 0.100 % > 0 %");
    let joined = broken(&|measured| measured.joined = 9);
    assert_eq!(joined.unwrap(), "9 of 10 participants joined");
    let failed = broken(&|measured| {
        measured.failures.insert("join".to_owned(), 3);
    });
    assert_eq!(failed.unwrap(), "3 times: join");
}
