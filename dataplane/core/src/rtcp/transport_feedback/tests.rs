use super::*;
use crate::rtcp::{Packet, packets};
use proptest::prelude::*;

fn read(compound: &[u8]) -> (TransportFeedback<'_>, Vec<(u16, Option<i64>)>) {
    let packet = packets(compound).next().expect("one").expect("well formed");
    let Packet::TransportFeedback(feedback) = packet else {
        panic!("feedback");
    };
    let mut statuses = Vec::new();
    feedback
        .for_each(|sequence, arrival| statuses.push((sequence.0, arrival)))
        .expect("complete");
    (feedback, statuses)
}

#[test]
fn three_packets_and_a_loss_by_hand() {
    // Arrivals at 64.25 ms, 65 ms, lost, 165 ms: one reference unit, then 1, 3 and 400 ticks.
    let statuses = [Some(257), Some(260), None, Some(660)];
    let mut out = Vec::new();
    let range = write_transport_feedback(&mut out, 1, 2, 9, SequenceNumber(65_534), &statuses);
    assert_eq!(range.count, 4);
    assert_eq!(
        out,
        [
            0x8f,
            205,
            0,
            6, // seven words
            0,
            0,
            0,
            1,
            0,
            0,
            0,
            2, // sender, media
            0xff,
            0xfe,
            0,
            4, // base, count
            0,
            0,
            1,
            9, // reference 64 ms, feedback 9
            0b1101_0100,
            0b1000_0000, // vector of two-bit symbols: 1, 1, 0, 2
            1,
            3,
            0x01,
            0x90, // deltas
            0,
            0, // to the next word
        ]
    );
}

#[test]
fn long_runs_take_one_chunk() {
    let statuses: Vec<_> = (0..100_u64).map(|index| Some(index * 4)).collect();
    let mut out = Vec::new();
    write_transport_feedback(&mut out, 1, 2, 0, SequenceNumber(0), &statuses);
    assert_eq!(out[20..22], [0x20, 100]);
    assert_eq!(out.len(), (22_usize + 100).next_multiple_of(4));
}

#[test]
fn arrivals_too_far_apart_are_left_for_another_packet() {
    let statuses = [Some(0), Some(10), Some(10 + 32_768)];
    let mut out = Vec::new();
    let range = write_transport_feedback(&mut out, 1, 2, 0, SequenceNumber(5), &statuses);
    assert_eq!(range.count, 2);
    assert_eq!(read(&out).1, [(5, Some(0)), (6, Some(10))]);
}

#[test]
fn a_chunk_that_covers_nothing_is_refused() {
    let feedback = TransportFeedback {
        base: SequenceNumber(0),
        reference: 0,
        feedback_count: 0,
        status_count: 3,
        chunks_and_deltas: &[0, 0, 0, 0],
    };
    assert_eq!(feedback.for_each(|_, _| ()), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        base: u16,
        start in 0_u64..1 << 31,
        statuses in proptest::collection::vec(
            proptest::option::weighted(0.8, prop_oneof![8 => 0_i64..40, 1 => -200_i64..2_000]),
            1..700,
        ),
    ) {
        let mut ticks = start + 200_000;
        let arrivals: Vec<_> = statuses
            .iter()
            .map(|delta| delta.map(|delta| {
                ticks = ticks.saturating_add_signed(delta);
                ticks
            }))
            .collect();
        let mut out = Vec::new();
        let range = write_transport_feedback(&mut out, 1, 2, 3, SequenceNumber(base), &arrivals);
        prop_assert_eq!(usize::from(range.count), arrivals.len().min(STATUSES_MAX));
        prop_assert!(out.len() <= 1_120);
        let (feedback, found) = read(&out);
        let reference = i64::from(feedback.reference) * 256;
        let first = arrivals.iter().flatten().next().copied().unwrap_or(0);
        // 24 bits of reference wrap; the difference to the first arrival does not.
        let turn = (first / 256 / (1 << 24)) * (1 << 24) * 256;
        for (index, (sequence, arrival)) in found.iter().enumerate() {
            prop_assert_eq!(*sequence, base.wrapping_add(u16::try_from(index).expect("few")));
            let expected = arrivals[index].map(|ticks| ticks.cast_signed());
            let absolute = arrival.map(|ticks| ticks + reference + turn.cast_signed());
            prop_assert_eq!(absolute, expected);
        }
    }
}
