use super::{Fate, Impairment};
use crate::scenario::Network;
use std::time::Duration;

fn fates(network: Network) -> Vec<Fate> {
    let mut impairment = Impairment::new(network, 3);
    (0..100_000).map(|_| impairment.fate()).collect()
}

#[test]
fn a_perfect_network_does_nothing() {
    let fates = fates(Network::default());
    assert!(fates.iter().all(|fate| *fate == Fate::AtOnce));
}

#[test]
fn loss_delay_jitter_and_overtaking_are_as_stated() {
    let fates = fates(Network {
        loss: 0.05,
        delay: Duration::from_millis(40),
        jitter: Duration::from_millis(20),
        reorder: 0.01,
    });
    let count = |wanted| fates.iter().filter(|fate| **fate == wanted).count();
    // Standard deviations of 69 and 31.
    assert!((4_700..5_300).contains(&count(Fate::Lost)));
    assert!((800..1_100).contains(&count(Fate::AtOnce)));
    let delays: Vec<u64> = fates
        .iter()
        .filter_map(|fate| match fate {
            Fate::Later(delay_ns) => Some(*delay_ns),
            _ => None,
        })
        .collect();
    assert!(
        delays
            .iter()
            .all(|delay| (40_000_000..60_000_000).contains(delay))
    );
    let mean = delays.iter().sum::<u64>() / delays.len() as u64;
    assert!((49_500_000..50_500_000).contains(&mean), "{mean}");
}
