use proptest::prelude::*;

use super::*;
use crate::limits::{RTCP_REPLAY_WINDOW_PACKETS, RTP_REPLAY_WINDOW_PACKETS, SOURCES_MAX};
use crate::vectors::{PROFILES, pair, rtp_header, sealed, sealed_rtcp};
use crate::{Blame, Sealer};

fn open(opener: &mut Opener, ssrc: u32, packet: &[u8]) -> Result<u64, Error> {
    let mut packet = packet.to_vec();
    let sequence = u16::from_be_bytes([packet[2], packet[3]]);
    opener
        .open_rtp(&mut packet, 12, ssrc, sequence)
        .map(|opened| opened.index)
}

#[test]
fn a_packet_opens_to_what_was_sealed_and_only_once() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let mut packet = sealed(&mut sealer, 7, 1, b"a payload");
        let mut again = packet.clone();
        assert_ne!(packet[12..21], *b"a payload");
        let opened = opener.open_rtp(&mut packet, 12, 7, 1).unwrap();
        assert_eq!(
            opened,
            OpenedRtp {
                plain_bytes: 21,
                index: 1
            }
        );
        assert_eq!(packet[12..opened.plain_bytes], *b"a payload");
        assert_eq!(opener.open_rtp(&mut again, 12, 7, 1), Err(Error::Replayed));
    }
}

/// A worker hands a transport's keys over from the thread that shook hands.
#[test]
fn both_ends_may_move_between_threads() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let packet = std::thread::spawn(move || sealed(&mut sealer, 7, 1, &[1]))
            .join()
            .unwrap();
        let opened = std::thread::spawn(move || open(&mut opener, 7, &packet))
            .join()
            .unwrap();
        assert_eq!(opened, Ok(1));
    }
}

#[test]
fn an_empty_payload_is_a_packet_too() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        assert_eq!(open(&mut opener, 7, &sealed(&mut sealer, 7, 1, &[])), Ok(1));
    }
}

#[test]
fn padding_is_zeros_and_a_count_inside_the_ciphertext() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        for (index, padding_bytes) in [(1, 1u8), (2, 2), (3, 17), (4, 255)] {
            let mut packet = vec![0; 12 + 100 + 255 + 16];
            packet[..12].copy_from_slice(&rtp_header(7, index, true));
            let total_bytes = sealer
                .seal_rtp_into(&mut packet, 12, &[9; 100], index, 7, padding_bytes.into())
                .unwrap();
            assert_eq!(
                total_bytes,
                112 + usize::from(padding_bytes) + profile.rtp_overhead_bytes()
            );
            let sequence = u16::try_from(index).unwrap();
            let opened = opener
                .open_rtp(&mut packet[..total_bytes], 12, 7, sequence)
                .unwrap();
            let (payload, padding) = packet[12..opened.plain_bytes].split_at(100);
            assert_eq!(payload, [9; 100]);
            let (count, zeros) = padding.split_last().unwrap();
            assert_eq!(*count, padding_bytes);
            assert_eq!(padding.len(), usize::from(padding_bytes));
            assert!(zeros.iter().all(|octet| *octet == 0));
        }
    }
}

/// The roll-over counter turns over with the sequence number, in order and out of it.
#[test]
fn reordering_around_the_roll_over() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let indices = [
            0x0_FFF0, 0x0_FFFE, 0x1_0001, 0x0_FFFF, 0x1_0000, 0x0_FFF1, 0x1_0002,
        ];
        let packets: Vec<_> = indices
            .iter()
            .map(|index| sealed(&mut sealer, 7, *index, &[5; 50]))
            .collect();
        for (index, packet) in indices.iter().zip(&packets) {
            assert_eq!(open(&mut opener, 7, packet), Ok(*index), "{profile:?}");
        }
        for packet in &packets {
            assert_eq!(
                open(&mut opener, 7, packet),
                Err(Error::Replayed),
                "{profile:?}"
            );
        }
    }
}

#[test]
fn a_long_stream_rolls_over_again_and_again() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        for index in (0..20u64).map(|turn| turn * 0x7000) {
            assert_eq!(
                open(&mut opener, 7, &sealed(&mut sealer, 7, index, &[1])),
                Ok(index)
            );
        }
    }
}

#[test]
fn a_gap_of_up_to_half_a_turn_is_bridged() {
    for profile in PROFILES {
        for (gap, expected) in [
            (0x8000, Ok(0x8000)),
            // Looks like a packet from before the first turn.
            (0x8001, Err(Error::TooOld)),
            // Looks like one from this turn, and its tag covers another.
            (0x1_1000, Err(Error::NotAuthentic)),
        ] {
            let (mut sealer, mut opener) = pair(profile);
            open(&mut opener, 7, &sealed(&mut sealer, 7, 0, &[1])).unwrap();
            let packet = sealed(&mut sealer, 7, gap, &[1]);
            assert_eq!(
                open(&mut opener, 7, &packet),
                expected,
                "{profile:?}, {gap:#x}"
            );
        }
    }
}

#[test]
fn the_window_reaches_back_as_far_as_it_says() {
    for profile in PROFILES {
        let (mut late_sealer, _) = pair(profile);
        let (mut sealer, mut opener) = pair(profile);
        let newest = 3_000;
        let oldest = newest - RTP_REPLAY_WINDOW_PACKETS + 1;
        open(&mut opener, 7, &sealed(&mut sealer, 7, newest, &[1])).unwrap();
        let too_old = sealed(&mut late_sealer, 7, oldest - 1, &[1]);
        assert_eq!(open(&mut opener, 7, &too_old), Err(Error::TooOld));
        let in_time = sealed(&mut late_sealer, 7, oldest, &[1]);
        assert_eq!(open(&mut opener, 7, &in_time), Ok(oldest));
        assert_eq!(open(&mut opener, 7, &in_time), Err(Error::Replayed));
    }
}

#[test]
fn a_forgery_moves_nothing() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        open(&mut opener, 7, &sealed(&mut sealer, 7, 1, &[1])).unwrap();
        // Far ahead: if it moved the window, packet 2 would be too old.
        let mut forged = sealed(&mut sealer, 7, 0x7000, &[1; 40]);
        forged[20] ^= 1;
        assert_eq!(open(&mut opener, 7, &forged), Err(Error::NotAuthentic));
        assert_eq!(open(&mut opener, 8, &forged), Err(Error::HeaderMismatch));
        let (mut sealer, _) = pair(profile);
        assert_eq!(
            open(&mut opener, 7, &sealed(&mut sealer, 7, 2, &[1])),
            Ok(2)
        );
        // The index of the forgery is not used up.
        assert_eq!(
            open(&mut opener, 7, &sealed(&mut sealer, 7, 0x7000, &[1])),
            Ok(0x7000)
        );
    }
}

#[test]
fn forgeries_of_many_sources_fill_no_table() {
    let profile = Profile::AeadAes128Gcm;
    let (mut sealer, mut opener) = pair(profile);
    for ssrc in 0..10_000 {
        let mut forged = vec![0; 60];
        forged[..12].copy_from_slice(&rtp_header(ssrc, 1, false));
        assert_eq!(open(&mut opener, ssrc, &forged), Err(Error::NotAuthentic));
        forged[4..8].copy_from_slice(&ssrc.to_be_bytes());
        forged[56] = 0x80;
        assert_eq!(opener.open_rtcp(&mut forged), Err(Error::NotAuthentic));
    }
    assert_eq!(
        open(&mut opener, 7, &sealed(&mut sealer, 7, 2, &[1])),
        Ok(2)
    );
}

#[test]
fn a_peer_with_too_many_sources_keeps_the_ones_it_has() {
    let (mut sealer, mut opener) = pair(Profile::AeadAes256Gcm);
    let sources = u32::try_from(SOURCES_MAX).unwrap();
    for ssrc in 0..sources {
        assert_eq!(
            open(&mut opener, ssrc, &sealed(&mut sealer, ssrc, 1, &[1])),
            Ok(1)
        );
    }
    let one_more = sealed(&mut sealer, sources, 1, &[1]);
    assert_eq!(
        open(&mut opener, sources, &one_more),
        Err(Error::TooManySources)
    );
    let mut report = sealed_rtcp(&mut sealer, sources);
    assert_eq!(opener.open_rtcp(&mut report), Err(Error::TooManySources));
    assert_eq!(
        open(&mut opener, 0, &sealed(&mut sealer, 0, 2, &[1])),
        Ok(2)
    );
    assert_eq!(opener.open_rtcp(&mut sealed_rtcp(&mut sealer, 0)), Ok(28));
}

/// Every bit of a sealed packet counts: header, extension, payload, padding, tag, index word.
#[test]
fn no_bit_can_be_changed() {
    for profile in PROFILES {
        let (mut sealer, _) = pair(profile);
        let rtp = sealed(&mut sealer, 7, 300, &[0x55; 37]);
        let rtcp = sealed_rtcp(&mut sealer, 7);
        for bit in 0..rtp.len() * 8 {
            let mut tampered = rtp.clone();
            tampered[bit / 8] ^= 1 << (bit % 8);
            let (_, mut opener) = pair(profile);
            let sequence = u16::from_be_bytes([tampered[2], tampered[3]]);
            let ssrc = u32::from_be_bytes(*tampered[8..].first_chunk().unwrap());
            let answer = opener.open_rtp(&mut tampered, 12, ssrc, sequence);
            assert_eq!(answer, Err(Error::NotAuthentic), "{profile:?}, bit {bit}");
        }
        for bit in 0..rtcp.len() * 8 {
            let mut tampered = rtcp.clone();
            tampered[bit / 8] ^= 1 << (bit % 8);
            let (_, mut opener) = pair(profile);
            let answer = opener.open_rtcp(&mut tampered);
            assert!(
                matches!(answer, Err(Error::NotAuthentic | Error::NotEncrypted)),
                "{profile:?}, bit {bit}: {answer:?}"
            );
        }
    }
}

#[test]
fn no_length_opens_but_the_right_one() {
    for profile in PROFILES {
        let (mut sealer, _) = pair(profile);
        let rtp = sealed(&mut sealer, 7, 300, &[0x55; 37]);
        let rtcp = sealed_rtcp(&mut sealer, 7);
        for length in 0..rtp.len() {
            let (_, mut opener) = pair(profile);
            let error = opener
                .open_rtp(&mut rtp.clone()[..length], 12, 7, 300)
                .unwrap_err();
            let too_short = length < 12 + profile.rtp_overhead_bytes();
            let expected = if too_short {
                Error::Truncated
            } else {
                Error::NotAuthentic
            };
            assert_eq!(error, expected, "{profile:?}, {length} bytes");
        }
        for length in 0..rtcp.len() {
            let (_, mut opener) = pair(profile);
            let error = opener.open_rtcp(&mut rtcp.clone()[..length]).unwrap_err();
            if length < 8 + profile.rtcp_overhead_bytes() {
                assert_eq!(error, Error::Truncated, "{profile:?}, {length} bytes");
            }
            assert_eq!(
                error.blame(),
                Blame::Peer,
                "{profile:?}, {length} bytes: {error}"
            );
        }
    }
}

/// Counter mode authenticates header and ciphertext as one, so there it is only the parser that
/// knows where the header ends.
#[test]
fn no_header_length_opens_but_the_right_one() {
    for profile in PROFILES.into_iter().filter(|profile| profile.is_aead()) {
        let (mut sealer, mut opener) = pair(profile);
        let rtp = sealed(&mut sealer, 7, 300, &[0x55; 37]);
        for header_bytes in (0..rtp.len() + 20)
            .chain([usize::MAX])
            .filter(|bytes| *bytes != 12)
        {
            let answer = opener.open_rtp(&mut rtp.clone(), header_bytes, 7, 300);
            let expected = match header_bytes {
                0..12 => Error::HeaderMismatch,
                12.. if header_bytes > rtp.len() - 16 => Error::Truncated,
                12.. => Error::NotAuthentic,
            };
            assert_eq!(answer, Err(expected), "a header of {header_bytes} bytes");
        }
    }
}

#[test]
fn rtp_is_not_rtcp_and_one_direction_not_the_other() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let rtp = sealed(&mut sealer, 7, 1, &[0x80; 60]);
        assert!(opener.open_rtcp(&mut rtp.clone()).is_err());
        let rtcp = sealed_rtcp(&mut sealer, 7);
        let ssrc = u32::from_be_bytes(*rtcp[8..].first_chunk().unwrap());
        assert_eq!(
            opener.open_rtp(&mut rtcp.clone(), 12, ssrc, 6),
            Err(Error::NotAuthentic)
        );

        let material: Vec<u8> = (0..).take(profile.keying_material_bytes()).collect();
        let (client, server) = MasterKey::from_keying_material(profile, &material).unwrap();
        let mut client_sealer = Sealer::new(profile, &client).unwrap();
        let packet = sealed(&mut client_sealer, 7, 1, &[1; 9]);
        let mut by_server_key = Opener::new(profile, &server).unwrap();
        assert_eq!(
            open(&mut by_server_key, 7, &packet),
            Err(Error::NotAuthentic)
        );
        let mut by_client_key = Opener::new(profile, &client).unwrap();
        assert_eq!(open(&mut by_client_key, 7, &packet), Ok(1));
    }
}

#[test]
fn rtcp_opens_once_in_any_order_within_its_window() {
    for profile in PROFILES {
        let (mut sealer, mut opener) = pair(profile);
        let count = 2 * usize::try_from(RTCP_REPLAY_WINDOW_PACKETS).unwrap();
        let reports: Vec<_> = (0..count).map(|_| sealed_rtcp(&mut sealer, 7)).collect();
        let reach = count / 2;
        let mut open = |report: &[u8]| opener.open_rtcp(&mut report.to_vec());
        assert_eq!(open(&reports[count - 1]), Ok(28));
        for report in &reports[count - reach..count - 1] {
            assert_eq!(open(report), Ok(28));
            assert_eq!(open(report), Err(Error::Replayed));
        }
        assert_eq!(open(&reports[count - reach - 1]), Err(Error::TooOld));
        assert_eq!(open(&reports[0]), Err(Error::TooOld));
    }
}

#[test]
fn each_sender_of_rtcp_has_its_own_index() {
    for profile in PROFILES {
        let (mut one, mut opener) = pair(profile);
        let (mut other, _) = pair(profile);
        assert_eq!(opener.open_rtcp(&mut sealed_rtcp(&mut one, 1)), Ok(28));
        assert_eq!(opener.open_rtcp(&mut sealed_rtcp(&mut other, 2)), Ok(28));
        assert_eq!(opener.open_rtcp(&mut sealed_rtcp(&mut other, 1)), Ok(28));
    }
}

/// RFC 7714 §17.3 has a report that is tagged and not encrypted, its E flag clear.
#[test]
fn rtcp_in_the_clear_is_refused() {
    let mut packet = crate::vectors::hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef
         deadbeef deadbeef deadbeef deadbeef 841dd968 3dd78ec9 2ae58790 125f62b3 000005d4",
    );
    let (_, mut opener) = pair(Profile::AeadAes128Gcm);
    assert_eq!(opener.open_rtcp(&mut packet), Err(Error::NotEncrypted));
}

proptest! {
    #[test]
    fn what_is_sealed_opens(
        profile in prop::sample::select(&PROFILES),
        ssrc: u32,
        start in 0u64..0x8000,
        steps in prop::collection::vec(1u64..0x7FFF, 1..20),
        header_tail in prop::collection::vec(any::<u8>(), 0..80),
        payload in prop::collection::vec(any::<u8>(), 0..1_400),
        padding_bytes in 0usize..=255,
    ) {
        let (mut sealer, mut opener) = pair(profile);
        let mut index = start;
        for step in steps {
            let mut header = rtp_header(ssrc, index, padding_bytes > 0).to_vec();
            header.extend(&header_tail);
            let mut packet = header.clone();
            packet.resize(header.len() + payload.len() + padding_bytes + 16, 0xCC);
            let total_bytes = sealer
                .seal_rtp_into(&mut packet, header.len(), &payload, index, ssrc, padding_bytes)
                .unwrap();
            let sequence = u16::from_be_bytes([header[2], header[3]]);
            let opened = opener
                .open_rtp(&mut packet[..total_bytes], header.len(), ssrc, sequence)
                .unwrap();
            prop_assert_eq!(opened.index, index);
            prop_assert_eq!(opened.plain_bytes, header.len() + payload.len() + padding_bytes);
            prop_assert_eq!(&packet[..header.len()], &header[..]);
            prop_assert_eq!(&packet[header.len()..][..payload.len()], &payload[..]);
            index += step;
        }
    }

    #[test]
    fn what_is_sealed_as_rtcp_opens(
        profile in prop::sample::select(&PROFILES),
        compounds in prop::collection::vec(prop::collection::vec(any::<u8>(), 8..400), 1..20),
    ) {
        let (mut sealer, mut opener) = pair(profile);
        for compound in compounds {
            let mut packet = compound.clone();
            packet.resize(compound.len() + 20, 0xCC);
            let total_bytes = sealer.seal_rtcp(&mut packet, compound.len()).unwrap();
            let plain_bytes = opener.open_rtcp(&mut packet[..total_bytes]).unwrap();
            prop_assert_eq!(&packet[..plain_bytes], &compound[..]);
        }
    }
}
