use super::*;
use proptest::prelude::*;

#[test]
fn the_example_of_the_standard() {
    // RFC 9562, appendix A.6: 2022-02-22T19:22:22Z.
    let recorded = Timestamp::from_micros(1_645_557_742_000_000);
    let random = [0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F];
    let id = EntryId::new(recorded, random);
    assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_eq!(id.recorded(), recorded);
}

#[test]
fn other_writings_are_refused() {
    for wrong in [
        "",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
        "+17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    ] {
        assert!(wrong.parse::<EntryId>().is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn comes_back(micros: u64, random: [u8; 10]) {
        let id = EntryId::new(Timestamp::from_micros(micros), random);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn never_panics(text in ".{0,40}") {
        if let Ok(id) = text.parse::<EntryId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }
}
