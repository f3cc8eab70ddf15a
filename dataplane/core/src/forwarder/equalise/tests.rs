use super::*;
use proptest::prelude::*;

struct Packet {
    bytes: Option<usize>,
    padding: usize,
}

impl Padded for Packet {
    fn bytes(&self) -> Option<usize> {
        self.bytes
    }

    fn pad(&mut self, bytes: usize) {
        self.padding = bytes;
    }
}

fn paddings(sizes: &[Option<usize>]) -> Vec<usize> {
    let mut packets: Vec<_> = sizes
        .iter()
        .map(|bytes| Packet {
            bytes: *bytes,
            padding: 0,
        })
        .collect();
    equalise(&mut packets);
    packets.iter().map(|packet| packet.padding).collect()
}

fn check(sizes: &[usize], expected: &[usize]) {
    let sizes: Vec<_> = sizes.iter().copied().map(Some).collect();
    assert_eq!(paddings(&sizes), expected, "{sizes:?}");
}

#[test]
fn a_frames_packets_become_equal() {
    check(&[1_199, 1_200, 1_198, 1_200], &[1, 0, 2, 0]);
}

#[test]
fn a_short_last_packet_stays_short_and_ends_the_run() {
    check(&[1_200, 1_199, 300, 1_200, 1_199], &[0, 1, 0, 0, 0]);
}

#[test]
fn what_would_cost_too_much_is_left() {
    check(&[100, 1_200, 90], &[0, 0, 0]);
    check(&[1_000], &[0]);
    check(&[1_000, 961], &[0, 0]);
    check(&[961, 1_000, 1_000], &[39, 0, 0]);
    check(&[959, 1_000, 1_000], &[0, 0, 0]);
}

#[test]
fn a_packet_that_cannot_be_padded_ends_a_run() {
    assert_eq!(
        paddings(&[
            Some(1_199),
            Some(1_200),
            None,
            Some(1_199),
            Some(1_200),
            Some(1_200)
        ]),
        [1, 0, 0, 1, 0, 0]
    );
}

proptest! {
    #[test]
    fn padding_costs_little_and_only_the_last_of_a_group_is_shorter(
        sizes in proptest::collection::vec(40_usize..1_300, 1..60),
    ) {
        let padding = paddings(&sizes.iter().copied().map(Some).collect::<Vec<_>>());
        let total: usize = sizes.iter().sum();
        let padded: usize = padding.iter().sum();
        prop_assert!(padded * 100 <= total * (100 - EQUALISE_PERCENT_MIN) * 2);
        for (size, padding) in sizes.iter().zip(&padding) {
            prop_assert!(*padding <= PADDING_BYTES_MAX);
            prop_assert!(size * 100 >= (size + padding) * EQUALISE_PERCENT_MIN);
        }
    }
}
