use super::*;
use proptest::prelude::*;

#[test]
fn distances_cross_the_wrap() {
    assert_eq!(SequenceNumber(2).ahead_of(SequenceNumber(65_534)), 4);
    assert_eq!(SequenceNumber(65_534).ahead_of(SequenceNumber(2)), -4);
    assert_eq!(Timestamp(5).ahead_of(Timestamp(u32::MAX)), 6);
    assert_eq!(Timestamp(u32::MAX).offset_by(2), Timestamp(1));
    assert_eq!(Timestamp(1).offset_by(-2), Timestamp(u32::MAX));
}

#[test]
fn nothing_lies_before_the_first_packet() {
    assert_eq!(SequenceNumber(65_535).extend(3), None);
    assert_eq!(SequenceNumber(65_535).extend(65_536), Some(65_535));
}

proptest! {
    #[test]
    fn extending_finds_the_number_it_was_cut_from(
        near in 40_000_u64..1 << 48,
        step in -32_767_i64..=32_767,
    ) {
        let number = near.checked_add_signed(step).expect("near is above the step");
        prop_assert_eq!(SequenceNumber::of(number).extend(near), Some(number));
    }
}
