//! On virtual time.

use super::{Counts, Link};
use crate::profile::{Burst, Impairment, Setting};
use std::time::{Duration, Instant};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "where virtual time begins")]
    Instant::now()
}

fn setting(impairment: Impairment) -> Setting {
    Setting::default().with(&impairment).expect("in range")
}

/// Packets of 1,000 bytes, numbered, one every `interval`; what arrives, with its time since the
/// start in microseconds.
fn run(link: &mut Link<u64>, start: Instant, packets: u64, interval: Duration) -> Vec<(u64, u64)> {
    let mut arrived = Vec::new();
    let mut collect = |link: &mut Link<u64>, until: Instant| {
        // As the loop of sockets does: at the times that the link asks for.
        while let Some(at) = link.poll_timeout().filter(|&at| at <= until) {
            while let Some(arrival) = link.poll_arrival(at) {
                let since = arrival.at - start;
                arrived.push((arrival.packet, u64::try_from(since.as_micros()).unwrap()));
            }
        }
    };
    let mut now = start;
    for number in 0..packets {
        collect(link, now);
        link.handle_packet(now, 1_000, number);
        now += interval;
    }
    collect(link, now + Duration::from_secs(600));
    arrived
}

fn numbers(arrived: &[(u64, u64)]) -> Vec<u64> {
    arrived.iter().map(|&(number, _)| number).collect()
}

#[test]
fn every_packet_takes_the_delay() {
    let start = start();
    let mut link = Link::new(
        setting(Impairment {
            delay_ms: Some(20.0),
            ..Impairment::default()
        }),
        1,
        start,
    );
    let arrived = run(&mut link, start, 3, ms(5));
    assert_eq!(arrived, [(0, 20_000), (1, 25_000), (2, 30_000)]);
}

#[test]
fn jitter_keeps_order_and_its_bounds() {
    let start = start();
    let mut link = Link::new(
        setting(Impairment {
            delay_ms: Some(20.0),
            jitter_ms: Some(30.0),
            ..Impairment::default()
        }),
        2,
        start,
    );
    let arrived = run(&mut link, start, 1_000, ms(1));
    assert!(numbers(&arrived).is_sorted());
    let late: Vec<u64> = arrived.iter().map(|&(n, at)| at - n * 1_000).collect();
    assert!(late.iter().all(|late| (20_000..=50_000).contains(late)));
    assert!(late.iter().any(|&late| late > 45_000));
}

#[test]
fn what_is_held_back_is_overtaken() {
    let start = start();
    let mut link = Link::new(
        setting(Impairment {
            reorder: Some(0.1),
            reorder_ms: Some(5.0),
            ..Impairment::default()
        }),
        3,
        start,
    );
    let arrived = run(&mut link, start, 1_000, ms(1));
    let held_back = arrived.iter().filter(|&&(n, at)| at == n * 1_000 + 5_000);
    assert_eq!(held_back.count() as u64, link.counts().held_back);
    assert!((60..140).contains(&link.counts().held_back));
    assert!(!numbers(&arrived).is_sorted());
}

#[test]
fn duplicates_arrive_twice() {
    let start = start();
    let mut link = Link::new(
        setting(Impairment {
            duplication: Some(0.5),
            ..Impairment::default()
        }),
        4,
        start,
    );
    let arrived = run(&mut link, start, 1_000, ms(1));
    let counts = link.counts();
    assert_eq!(arrived.len() as u64, 1_000 + counts.duplicated);
    assert_eq!(counts.delivered_packets, 1_000 + counts.duplicated);
    assert!((430..570).contains(&counts.duplicated));
}

#[test]
fn random_loss_has_its_share_and_is_a_function_of_the_seed() {
    let start = start();
    let lossy = setting(Impairment {
        loss: Some(0.02),
        ..Impairment::default()
    });
    let arrived = |seed| run(&mut Link::new(lossy, seed, start), start, 20_000, ms(1));
    assert_eq!(arrived(5), arrived(5));
    assert_ne!(arrived(5), arrived(6));
    let lost = 20_000 - arrived(5).len();
    assert!((320..480).contains(&lost), "{lost} of 400 expected");
}

#[test]
fn bursts_have_their_share_and_their_length() {
    let start = start();
    let burst = Burst {
        loss: 0.05,
        length: 3.0,
    };
    let mut link = Link::new(
        setting(Impairment {
            burst: Some(burst),
            ..Impairment::default()
        }),
        7,
        start,
    );
    let packets = 200_000;
    let arrived = numbers(&run(&mut link, start, packets, Duration::from_micros(100)));
    let lost = packets - arrived.len() as u64;
    let gaps = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1);
    let length = lost as f64 / gaps.count() as f64;
    let share = lost as f64 / packets as f64;
    assert!((0.045..0.055).contains(&share), "{share} is lost");
    assert!((2.8..3.2).contains(&length), "{length} in a row");
    assert_eq!(link.counts().lost_burst, lost);
}

#[test]
fn a_setting_shifts_no_other_packets_fate() {
    let start = start();
    let lossy = Impairment {
        loss: Some(0.1),
        ..Impairment::default()
    };
    let more = Impairment {
        jitter_ms: Some(3.0),
        duplication: Some(0.2),
        ..lossy
    };
    let arrived = |impairment| {
        let mut link = Link::new(setting(impairment), 8, start);
        let mut arrived = numbers(&run(&mut link, start, 1_000, ms(1)));
        arrived.dedup();
        arrived
    };
    assert_eq!(arrived(lossy), arrived(more));
}

#[test]
fn a_bottleneck_spaces_packets_and_drops_at_the_tail() {
    let start = start();
    // 1,000 bytes take 10 ms; the queue holds 50 ms: 5 packets.
    let mut link = Link::new(
        setting(Impairment {
            rate_kbps: Some(800),
            queue_ms: Some(50.0),
            ..Impairment::default()
        }),
        9,
        start,
    );
    let arrived = run(&mut link, start, 8, Duration::ZERO);
    let at: Vec<u64> = arrived.iter().map(|&(_, at)| at).collect();
    assert_eq!(at, [10_000, 20_000, 30_000, 40_000, 50_000]);
    assert_eq!(numbers(&arrived), [0, 1, 2, 3, 4]);
    assert_eq!(link.counts().dropped_queue, 3);
    assert_eq!(link.backlog(start + ms(100)).bytes, 0);
}

#[test]
fn a_new_rate_holds_for_the_packet_on_the_line() {
    let start = start();
    let mut link = Link::new(
        setting(Impairment {
            rate_kbps: Some(800),
            queue_bytes: Some(10_000),
            ..Impairment::default()
        }),
        10,
        start,
    );
    link.handle_packet(start, 1_000, 0);
    link.handle_packet(start, 1_000, 1);
    let slower = Impairment {
        rate_kbps: Some(80),
        ..Impairment::default()
    };
    let setting = link.setting().with(&slower).unwrap();
    link.set(start + ms(5), setting);
    // Half of the first is left: 50 ms; the second takes 100 ms.
    assert_eq!(link.backlog(start + ms(5)).delay, ms(150));
    assert_eq!(link.poll_timeout(), Some(start + ms(55)));
    assert!(link.poll_arrival(start + ms(54)).is_none());
    assert_eq!(link.poll_arrival(start + ms(55)).unwrap().packet, 0);
    assert_eq!(link.poll_timeout(), Some(start + ms(155)));
}

#[test]
fn a_queue_that_became_too_large_drains() {
    let start = start();
    let fast = Impairment {
        rate_kbps: Some(8_000),
        queue_ms: Some(1_000.0),
        ..Impairment::default()
    };
    let mut link = Link::new(setting(fast), 11, start);
    for number in 0..100 {
        link.handle_packet(start, 1_000, number);
    }
    let slow = Impairment {
        rate_kbps: Some(400),
        ..Impairment::default()
    };
    let slow = link.setting().with(&slow).unwrap();
    link.set(start, slow);
    assert_eq!(link.backlog(start).delay, ms(2_000));
    link.handle_packet(start, 1_000, 100);
    assert_eq!(link.counts().dropped_queue, 1, "it holds 50,000 bytes now");
    let arrived = run(&mut link, start, 0, ms(1));
    assert_eq!(arrived.len(), 100);
}

#[test]
fn a_policer_drops_without_delay() {
    let start = start();
    // 1,000 bytes each 1 ms are 8 Mbit/s; half of it passes.
    let mut link = Link::new(
        setting(Impairment {
            police_kbps: Some(4_000),
            police_burst_bytes: Some(2_000),
            ..Impairment::default()
        }),
        12,
        start,
    );
    let arrived = run(&mut link, start, 1_000, ms(1));
    assert!(arrived.iter().all(|&(number, at)| at == number * 1_000));
    assert!((495..=505).contains(&arrived.len()), "{}", arrived.len());
    let dropped = 1_000 - arrived.len() as u64;
    assert_eq!(link.counts().dropped_policer, dropped);
}

#[test]
fn nothing_enters_during_a_gap() {
    let start = start();
    let mut link = Link::new(Setting::default(), 13, start);
    link.interrupt(start + ms(3));
    let arrived = run(&mut link, start, 6, ms(1));
    assert_eq!(numbers(&arrived), [3, 4, 5]);
    assert_eq!(link.counts().dropped_gap, 3);
}

#[test]
fn every_packet_is_accounted_for() {
    let start = start();
    let mut link = Link::new(
        setting(Impairment {
            delay_ms: Some(7.0),
            jitter_ms: Some(9.0),
            reorder: Some(0.05),
            duplication: Some(0.05),
            loss: Some(0.05),
            burst: Some(Burst {
                loss: 0.05,
                length: 2.0,
            }),
            rate_kbps: Some(7_000),
            queue_ms: Some(30.0),
            police_kbps: Some(7_500),
            ..Impairment::default()
        }),
        14,
        start,
    );
    let arrived = run(&mut link, start, 10_000, ms(1));
    let Counts {
        packets,
        delivered_packets,
        lost_random,
        lost_burst,
        dropped_queue,
        dropped_policer,
        dropped_gap,
        dropped_bound,
        duplicated,
        ..
    } = link.counts();
    assert_eq!(packets, 10_000);
    assert_eq!(delivered_packets, arrived.len() as u64);
    let gone =
        lost_random + lost_burst + dropped_queue + dropped_policer + dropped_gap + dropped_bound;
    assert_eq!(delivered_packets + gone - duplicated, packets);
    assert!(lost_random > 0 && lost_burst > 0 && dropped_queue > 0 && dropped_policer > 0);
}
