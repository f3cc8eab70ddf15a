use super::*;
use crate::vectors::{PROFILES, pair, rtp_header};

fn check(header: &[u8], index: u64, ssrc: u32, padding_bytes: usize, expected: Result<(), Error>) {
    for profile in PROFILES {
        let (mut sealer, _) = pair(profile);
        let mut packet = vec![0; 600];
        packet[..header.len()].copy_from_slice(header);
        let answer = sealer.seal_rtp_into(
            &mut packet,
            header.len(),
            &[1; 100],
            index,
            ssrc,
            padding_bytes,
        );
        assert_eq!(answer.map(|_total| ()), expected, "{profile:?}");
    }
}

#[test]
fn the_header_has_to_say_what_the_nonce_says() {
    let header = rtp_header(7, 0x1_0005, false);
    check(&header, 0x1_0005, 7, 0, Ok(()));
    check(&header, 0x9_0005, 7, 0, Ok(()));
    check(&header, 0x1_0006, 7, 0, Err(Error::HeaderMismatch));
    check(&header, 0x1_0005, 8, 0, Err(Error::HeaderMismatch));
    check(&header, 0x1_0005, 7, 1, Err(Error::HeaderMismatch));
    check(&header[..11], 0x1_0005, 7, 0, Err(Error::HeaderMismatch));
    check(&[], 0, 0, 0, Err(Error::HeaderMismatch));
}

#[test]
fn padding_is_as_long_as_its_count_can_say() {
    let header = rtp_header(7, 5, true);
    check(&header, 5, 7, PADDING_BYTES_MAX, Ok(()));
    check(
        &header,
        5,
        7,
        PADDING_BYTES_MAX + 1,
        Err(Error::PaddingTooLong),
    );
    check(&header, 5, 7, 0, Ok(()));
}

#[test]
fn a_key_ends_after_its_last_index() {
    let last = RTP_INDEX_END - 1;
    check(&rtp_header(7, last, false), last, 7, 0, Ok(()));
    check(
        &rtp_header(7, 0, false),
        RTP_INDEX_END,
        7,
        0,
        Err(Error::KeyExhausted),
    );

    for profile in PROFILES {
        let (mut sealer, _) = pair(profile);
        sealer.rtcp_index_next = RTCP_INDEX_END - 1;
        let mut packet = [0; 40];
        assert!(sealer.seal_rtcp(&mut packet, 8).is_ok());
        assert_eq!(sealer.seal_rtcp(&mut packet, 8), Err(Error::KeyExhausted));
        assert_eq!(sealer.seal_rtcp(&mut packet, 8), Err(Error::KeyExhausted));
    }
}

#[test]
fn a_buffer_is_exactly_long_enough_or_too_short() {
    for profile in PROFILES {
        let (mut sealer, _) = pair(profile);
        let total_bytes = 12 + 100 + 9 + profile.rtp_overhead_bytes();
        let mut packet = vec![0; total_bytes];
        packet[..12].copy_from_slice(&rtp_header(7, 1, true));
        let short = &mut packet[..total_bytes - 1];
        assert_eq!(
            sealer.seal_rtp_into(short, 12, &[0; 100], 1, 7, 9),
            Err(Error::NoRoom)
        );
        assert_eq!(
            sealer.seal_rtp_into(&mut packet, 12, &[0; 100], 1, 7, 9),
            Ok(total_bytes)
        );
        let absurd = sealer.seal_rtp_into(&mut packet, usize::MAX, &[0; 100], 1, 7, 9);
        assert_eq!(absurd, Err(Error::NoRoom));

        let total_bytes = 28 + profile.rtcp_overhead_bytes();
        let mut packet = vec![0; total_bytes];
        assert_eq!(
            sealer.seal_rtcp(&mut packet[..total_bytes - 1], 28),
            Err(Error::NoRoom)
        );
        assert_eq!(
            sealer.seal_rtcp(&mut packet, usize::MAX),
            Err(Error::NoRoom)
        );
        assert_eq!(sealer.seal_rtcp(&mut packet, 7), Err(Error::Truncated));
        assert_eq!(sealer.seal_rtcp(&mut packet, 28), Ok(total_bytes));
    }
}

#[test]
fn a_refused_packet_uses_up_no_index() {
    let (mut sealer, _) = pair(Profile::AeadAes256Gcm);
    let mut packet = [0; 200];
    packet[..12].copy_from_slice(&rtp_header(7, 1, false));
    assert_eq!(
        sealer.seal_rtp_into(&mut packet, 12, &[0; 500], 1, 7, 0),
        Err(Error::NoRoom)
    );
    assert_eq!(
        sealer.seal_rtp_into(&mut packet, 12, &[0; 100], 1, 7, 0),
        Ok(128)
    );
    packet[..12].copy_from_slice(&rtp_header(7, 1, false));
    assert_eq!(
        sealer.seal_rtp_into(&mut packet, 12, &[0; 9], 1, 7, 0),
        Err(Error::IndexReused)
    );
}

#[test]
fn what_lies_behind_the_packet_is_left_alone() {
    for profile in PROFILES {
        let (mut sealer, _) = pair(profile);
        let mut packet = [0xEE; 300];
        packet[..12].copy_from_slice(&rtp_header(7, 1, false));
        let end = sealer
            .seal_rtp_into(&mut packet, 12, &[3; 99], 1, 7, 0)
            .unwrap();
        assert!(packet[end..].iter().all(|octet| *octet == 0xEE));
    }
}

/// RFC 3711 §3.2.1 and §3.4: indices from zero, one apart, with the E flag.
#[test]
fn srtcp_indices_count_from_zero_across_sources() {
    for profile in PROFILES {
        let (mut sealer, _) = pair(profile);
        for index in 0..3u8 {
            let mut packet = [0; 60];
            packet[4..8].copy_from_slice(&[index; 4]);
            let total_bytes = sealer.seal_rtcp(&mut packet, 8).unwrap();
            let word = sealer.rtcp.rtcp_index_word(&packet[..total_bytes]);
            assert_eq!(word, [0x80, 0, 0, index], "{profile:?}");
        }
    }
}
