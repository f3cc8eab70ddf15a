use super::*;

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
    Instant::now()
}

/// Which of `count` datagrams of 1,000 bytes, one a millisecond, arrive, and how long they take.
fn pass(impairment: Impairment, count: u64) -> Vec<Option<Duration>> {
    let start = start();
    let mut link = Link::new(impairment, 1, start);
    (0..count)
        .map(|ms| {
            let now = start + Duration::from_millis(ms);
            link.arrivals(now, 1_000).next().map(|at| at - now)
        })
        .collect()
}

#[test]
fn losses_come_in_bursts_of_the_wanted_length_and_share() {
    for burst in [1.5, 3.0] {
        let fates = pass(
            Impairment {
                loss: 0.05,
                loss_burst: burst,
                ..Impairment::NONE
            },
            200_000,
        );
        let lost = fates.iter().filter(|fate| fate.is_none()).count() as f64;
        let bursts = fates
            .windows(2)
            .filter(|pair| pair[0].is_some() && pair[1].is_none())
            .count() as f64;
        assert!((lost / 200_000.0 - 0.05).abs() < 0.005, "{lost}");
        assert!((lost / bursts - burst).abs() < 0.1, "{lost} {bursts}");
    }
}

#[test]
fn a_rate_fills_the_queue_to_its_length_and_no_further() {
    const STEPS: &[(Duration, u64)] = &[
        (Duration::ZERO, 80_000_000),
        (Duration::from_millis(1_000), 4_000_000),
        (Duration::from_millis(3_000), 80_000_000),
    ];
    let fates = pass(
        Impairment {
            rate_bps: STEPS,
            queue_bytes: 150_000,
            ..Impairment::NONE
        },
        4_000,
    );
    assert!(
        fates[..999]
            .iter()
            .all(|fate| fate.is_some_and(|it| it.as_micros() == 100))
    );
    let waits = fates[1_000..3_000].iter().flatten();
    let (count, longest) = (waits.clone().count(), waits.max().expect("some pass"));
    // Half of what comes passes; of the rest 150 packets are still waiting at the end.
    assert!((1_000..=1_160).contains(&count), "{count}");
    let whole = Duration::from_millis(300);
    assert!(
        (whole..whole + Duration::from_millis(5)).contains(longest),
        "{longest:?}"
    );
    assert!(
        fates[3_400..]
            .iter()
            .all(|fate| fate.is_some_and(|it| it.as_micros() == 100))
    );
}

#[test]
fn a_rate_of_zero_holds_and_a_gap_loses() {
    const HELD: &[(Duration, u64)] = &[
        (Duration::ZERO, 80_000_000),
        (Duration::from_millis(100), 0),
        (Duration::from_millis(200), 80_000_000),
    ];
    let held = pass(
        Impairment {
            rate_bps: HELD,
            queue_bytes: 150_000,
            ..Impairment::NONE
        },
        300,
    );
    assert!(held.iter().all(Option::is_some));
    assert_eq!(held[100].map(|it| it.as_micros()), Some(100_100));
    const GAP: &[(Duration, Duration)] = &[(Duration::from_millis(100), Duration::from_millis(50))];
    let lost = pass(
        Impairment {
            gaps: GAP,
            ..Impairment::NONE
        },
        300,
    );
    let missing: Vec<_> = (0..300).filter(|&at| lost[at].is_none()).collect();
    assert_eq!(missing, (100..150).collect::<Vec<_>>());
}

#[test]
fn a_policer_drops_without_delay() {
    let fates = pass(
        Impairment {
            policer_bps: 2_000_000,
            ..Impairment::NONE
        },
        10_000,
    );
    assert!(fates.iter().flatten().all(Duration::is_zero));
    let passed = fates.iter().flatten().count();
    assert!((2_500..2_520).contains(&passed), "{passed}");
}
