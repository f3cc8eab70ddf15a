use proptest::prelude::*;

use super::*;

fn check(highest: u64, sequence: u16, expected: Result<u64, Error>) {
    assert_eq!(
        estimate(Some(highest), sequence),
        expected,
        "{sequence} after {highest:#x}"
    );
}

#[test]
fn the_first_packet_is_in_the_first_turn() {
    assert_eq!(estimate(None, 0), Ok(0));
    assert_eq!(estimate(None, 0xFFFF), Ok(0xFFFF));
}

#[test]
fn an_index_is_the_nearest_with_its_sequence_number() {
    check(0x1_0005, 0x0006, Ok(0x1_0006));
    check(0x1_0005, 0x0004, Ok(0x1_0004));
    check(0x1_FFFE, 0x0001, Ok(0x2_0001));
    check(0x2_0001, 0xFFFE, Ok(0x1_FFFE));
}

/// RFC 3711 appendix A compares with 32,768, and both sides of it matter.
#[test]
fn half_a_turn_away_stays_in_this_turn() {
    check(0x1_0000, 0x8000, Ok(0x1_8000));
    check(0x1_0000, 0x8001, Ok(0x0_8001));
    check(0x1_8000, 0x0000, Ok(0x1_0000));
    check(0x1_8001, 0x0000, Ok(0x2_0000));
}

#[test]
fn there_is_nothing_before_the_first_turn_and_behind_the_last() {
    check(0x0_0001, 0xFFFF, Err(Error::TooOld));
    check(RTP_INDEX_END - 1, 0x0000, Err(Error::KeyExhausted));
    check(RTP_INDEX_END - 1, 0x8000, Ok(RTP_INDEX_END - 0x8000));
}

/// The receiver's side of RFC 3711 appendix A, in the words of the RFC.
fn rfc_3711_appendix_a(roll_over: u64, s_l: u16, sequence: u16) -> Option<u64> {
    let (s_l, sequence) = (i64::from(s_l), i64::from(sequence));
    let roll_over = i64::try_from(roll_over).unwrap();
    let v = if s_l < 32_768 {
        if sequence - s_l > 32_768 {
            roll_over - 1
        } else {
            roll_over
        }
    } else if s_l - 32_768 > sequence {
        roll_over + 1
    } else {
        roll_over
    };
    u64::try_from(v * 65_536 + sequence)
        .ok()
        .filter(|index| *index < RTP_INDEX_END)
}

proptest! {
    #[test]
    fn the_estimate_is_that_of_the_rfc(
        roll_over in prop_oneof![0u64..4, 0u64..1 << 32, (1u64 << 32) - 2..1 << 32],
        s_l: u16,
        sequence: u16,
    ) {
        let highest = roll_over << 16 | u64::from(s_l);
        let expected = rfc_3711_appendix_a(roll_over, s_l, sequence);
        prop_assert_eq!(estimate(Some(highest), sequence).ok(), expected);
    }
}
