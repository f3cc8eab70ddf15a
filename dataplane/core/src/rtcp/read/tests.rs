use super::*;

fn only(compound: &[u8]) -> Packet<'_> {
    let mut found = packets(compound);
    let packet = found.next().expect("one packet").expect("well formed");
    assert!(found.next().is_none());
    packet
}

#[test]
fn a_sender_report_with_a_block() {
    let mut compound = vec![0x81, 200, 0, 12];
    compound.extend([0, 0, 0, 7]); // SSRC
    compound.extend([0xe0, 0, 0, 1, 0x80, 0, 0, 0]); // NTP
    compound.extend([0, 1, 0, 0]); // timestamp
    compound.extend([0, 0, 0, 9, 0, 0, 1, 0]); // packets, bytes
    compound.extend([0, 0, 0, 8]); // block: SSRC
    compound.extend([64, 0xff, 0xff, 0xfe]); // fraction, cumulative -2
    compound.extend([0, 1, 0, 5, 0, 0, 0, 30, 1, 2, 3, 4, 0, 1, 0, 0]);
    let Packet::SenderReport {
        ssrc,
        ntp,
        timestamp,
        mut blocks,
    } = only(&compound)
    else {
        panic!("a sender report");
    };
    assert_eq!((ssrc, timestamp), (7, Timestamp(65_536)));
    assert_eq!(ntp, 0xe000_0001_8000_0000);
    assert_eq!(
        blocks.next(),
        Some(ReportBlock {
            ssrc: 8,
            fraction_lost: 64,
            cumulative_lost: -2,
            highest_sequence: 0x0001_0005,
            jitter: 30,
            last_sender_report: 0x0102_0304,
            delay_since_last: 65_536,
        })
    );
    assert_eq!(blocks.next(), None);
}

#[test]
fn a_nack_names_its_base_and_the_bits_after_it() {
    let compound = [
        0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 0x80, 0x05,
    ];
    let Packet::Nack { media, sequences } = only(&compound) else {
        panic!("a NACK");
    };
    assert_eq!(media, 2);
    let found: Vec<_> = sequences.map(|sequence| sequence.0).collect();
    assert_eq!(found, [0xfffe, 0xffff, 1, 14]);
}

#[test]
fn key_frame_requests_of_both_kinds() {
    let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
    assert!(matches!(only(&pli), Packet::PictureLoss { media: 2 }));
    let fir = [
        0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 5, 0, 0, 0,
    ];
    let Packet::FullIntra(entries) = only(&fir) else {
        panic!("a FIR");
    };
    assert_eq!(entries.collect::<Vec<_>>(), [(9, 5)]);
}

#[test]
fn an_estimated_bitrate_is_a_float() {
    let remb = [
        0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0x09, 0x00, 0x03, 0, 0,
        0, 7,
    ];
    let Packet::EstimatedBitrate { bitrate_bps, ssrcs } = only(&remb) else {
        panic!("a REMB");
    };
    assert_eq!(bitrate_bps, 0x1_0003 << 2);
    assert_eq!(ssrcs.collect::<Vec<_>>(), [7]);
}

#[test]
fn a_compound_is_read_to_its_end_and_no_further() {
    // RR without blocks, an unknown packet with padding, BYE of one source.
    let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
    compound.extend([0xa0, 250, 0, 1, 0, 0, 0, 4]);
    compound.extend([0x81, 203, 0, 1, 0, 0, 0, 5]);
    let found: Vec<_> = packets(&compound)
        .map(|packet| packet.expect("well formed"))
        .collect();
    assert_eq!(found.len(), 3);
    assert!(matches!(&found[2], Packet::Bye(ssrcs) if ssrcs.clone().eq([5])));

    compound.extend([0x81, 203, 0, 2, 0, 0, 0, 5]);
    let found: Vec<_> = packets(&compound).collect();
    assert_eq!(found.len(), 4);
    assert!(found[3].is_err(), "its length runs over the end");
}

#[test]
fn counts_that_do_not_fit_are_refused() {
    for compound in [
        &[0x81, 201, 0, 1, 0, 0, 0, 1][..],
        &[0x82, 203, 0, 1, 0, 0, 0, 1],
        &[0x80, 200, 0, 1, 0, 0, 0, 1],
        &[0xa0, 201, 0, 1, 0, 0, 0, 99],
        &[0x40, 201, 0, 1, 0, 0, 0, 1],
    ] {
        let found: Vec<_> = packets(compound).collect();
        assert!(matches!(found[..], [Err(Malformed)]), "{compound:02x?}");
    }
}

#[test]
fn any_bytes_are_read() {
    bolero::check!().for_each(|compound: &[u8]| {
        let mut count = 0;
        for packet in packets(compound) {
            count += 1;
            match packet {
                Ok(Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks }) => {
                    assert!(blocks.count() <= 31);
                }
                Ok(Packet::Nack { sequences, .. }) => {
                    assert!(sequences.count() <= compound.len() / 4 * 17);
                }
                Ok(Packet::FullIntra(entries)) => assert!(entries.count() <= compound.len() / 8),
                Ok(Packet::Bye(ssrcs) | Packet::EstimatedBitrate { ssrcs, .. }) => {
                    assert!(ssrcs.count() <= compound.len() / 4);
                }
                Ok(Packet::TransportFeedback(feedback)) => {
                    let mut statuses = 0_usize;
                    let complete = feedback.for_each(|_, _| statuses += 1);
                    assert!(statuses <= 65_535 && complete.is_none_or(|()| statuses < 65_536));
                }
                Ok(Packet::CongestionFeedback(feedback)) => {
                    let mut statuses = 0_usize;
                    let complete = feedback.for_each(|_, _, _| statuses += 1);
                    assert!(
                        statuses <= compound.len() / 2
                            && (complete.is_some() || !compound.is_empty())
                    );
                }
                Ok(Packet::PictureLoss { .. } | Packet::Other) | Err(Malformed) => {}
            }
        }
        assert!(count <= compound.len() / 4 + 1);
    });
}
