use super::*;
use crate::rtcp::{Packet, packets};
use proptest::prelude::*;

fn read(compound: &[u8]) -> Vec<Packet<'_>> {
    packets(compound)
        .map(|packet| packet.expect("we write what we read"))
        .collect()
}

#[test]
fn reports_are_read_back() {
    let block = ReportBlock {
        ssrc: 8,
        fraction_lost: 3,
        cumulative_lost: -5,
        highest_sequence: 70_000,
        jitter: 12,
        last_sender_report: 99,
        delay_since_last: 100,
    };
    let info = SenderInfo {
        ssrc: 4,
        ntp: 0x1122_3344_5566_7788,
        timestamp: Timestamp(77),
        packets: 5,
        bytes: 6,
    };
    let mut out = Vec::new();
    write_receiver_report(&mut out, 1, &[block]);
    write_sender_report(&mut out, &info);
    let found = read(&out);
    assert!(matches!(&found[0], Packet::ReceiverReport { blocks } if blocks.clone().eq([block])));
    assert!(matches!(
        found[1],
        Packet::SenderReport {
            ssrc: 4,
            ntp: 0x1122_3344_5566_7788,
            timestamp: Timestamp(77),
            ..
        }
    ));
}

#[test]
fn a_source_description_ends_in_a_zero_and_on_a_word() {
    for (cname, expected_bytes) in [(&b"a"[..], 8), (b"ab", 12), (b"abcdef", 16), (b"", 8)] {
        let mut out = Vec::new();
        write_source_descriptions(&mut out, &[7], cname);
        assert_eq!(out[..8], [0x81, 202, 0, out[3], 0, 0, 0, 7]);
        assert_eq!(out[8..10], [1, u8::try_from(cname.len()).expect("short")]);
        assert_eq!(&out[10..10 + cname.len()], cname);
        assert_eq!(out.len() - 4, expected_bytes, "{cname:?}");
        assert_eq!(out.last(), Some(&0));
        assert_eq!(usize::from(out[3]) * 4 + 4, out.len());
    }
}

#[test]
fn byes_and_picture_losses_are_read_back() {
    let mut out = Vec::new();
    write_bye(&mut out, &[1, 2]);
    write_picture_loss(&mut out, 3, 4);
    let found = read(&out);
    assert!(matches!(&found[0], Packet::Bye(ssrcs) if ssrcs.clone().eq([1, 2])));
    assert!(matches!(found[1], Packet::PictureLoss { media: 4 }));
}

proptest! {
    #[test]
    fn a_nack_names_exactly_what_is_missing(
        start: u16,
        steps in proptest::collection::vec(1_u16..40, 0..60),
    ) {
        let mut sequence = start;
        let missing: Vec<_> = steps
            .iter()
            .map(|step| {
                sequence = sequence.wrapping_add(*step);
                SequenceNumber(sequence)
            })
            .collect();
        let mut out = Vec::new();
        write_nack(&mut out, 1, 2, &missing);
        let found = read(&out);
        let Packet::Nack { media: 2, sequences } = &found[0] else {
            panic!("a NACK");
        };
        prop_assert_eq!(sequences.clone().collect::<Vec<_>>(), missing);
    }
}

#[test]
fn a_full_intra_request_names_its_stream_in_the_entry_alone() {
    let mut out = Vec::new();
    write_full_intra(&mut out, 1, 0x0102_0304, 9);
    assert_eq!(out[..4], [0x84, 206, 0, 4]);
    assert_eq!(out[8..], [0, 0, 0, 0, 1, 2, 3, 4, 9, 0, 0, 0]);
    assert!(matches!(&read(&out)[0], Packet::FullIntra(entries)
        if entries.clone().eq([(0x0102_0304, 9)])));
}
