use super::*;
use proptest::prelude::*;

#[test]
fn known_times() {
    for (micros, text) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (1_795_524_274_123_456, "2026-11-24T12:44:34.123456Z"),
        (Timestamp::MAX.micros(), "9999-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(Timestamp::from_micros(micros).to_string(), text);
        assert_eq!(text.parse(), Ok(Timestamp::from_micros(micros)));
    }
    assert_eq!(Timestamp::from_micros(u64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::from_micros(1_795_524_274_123_456).year(), 2026);
}

#[test]
fn what_people_type() {
    let midnight: Timestamp = "2026-11-24".parse().unwrap();
    assert_eq!("2026-11-24T00:00:00Z".parse(), Ok(midnight));
    for wrong in [
        "",
        "2026-02-30",
        "2026-13-01",
        "2026-11-24T25:00:00Z",
        "2026-11-24T12:00:00",
        "2026-11-24T12:00:00.000000+",
        "1969-12-31",
        "é026-11-24",
        "+026-11-24",
    ] {
        assert!(wrong.parse::<Timestamp>().is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn comes_back(micros in 0..=Timestamp::MAX.micros()) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn never_panics(text in ".{0,40}") {
        if let Ok(time) = text.parse::<Timestamp>() {
            prop_assert!(time.to_string().starts_with(&text[..10]));
        }
    }
}
