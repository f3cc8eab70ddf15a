use super::*;
use crate::{consent::ConsentRules, retention::RetentionRules};
use proptest::prelude::*;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

#[test]
fn days_are_read_as_they_are_written() {
    for text in ["2026-11-24", "2024-02-29", "1900-01-01", "2000-02-29"] {
        assert_eq!(day(text).to_string(), text);
    }
    for wrong in [
        "",
        "2026-11-31",
        "2023-02-29",
        "1900-02-29",
        "26-11-24",
        "2026-1-24",
        "2026-11-24Z",
        "2026-11-24-01",
        "+026-11-24",
        "0001-01-01",
        "9999-01-01",
        "2026/11/24",
    ] {
        assert!(wrong.parse::<Day>().is_err(), "{wrong}");
    }
}

#[test]
fn a_term_from_a_leap_day_never_ends_early() {
    assert_eq!(day("2024-02-29").plus_years(4), day("2028-02-29"));
    assert_eq!(day("2024-02-29").plus_years(5), day("2029-03-01"));
    assert_eq!(day("2024-02-29").plus_years(76), day("2100-03-01"));
    assert_eq!(day("2023-02-28").plus_years(1), day("2024-02-28"));
}

#[test]
fn a_day_is_that_of_utc() {
    assert_eq!(Day::of_unix_us(0), Some(day("1970-01-01")));
    assert_eq!(Day::of_unix_us(86_399_999_999), Some(day("1970-01-01")));
    assert_eq!(Day::of_unix_us(86_400_000_000), Some(day("1970-01-02")));
    assert_eq!(Day::of_unix_us(u64::MAX), None);
    assert_eq!(day("2026-11-24").unix_us(), 1_795_478_400_000_000);
}

#[test]
fn a_place_is_read_with_and_without_its_country() {
    for text in ["US-CA", "us-ca", "CA", "ca"] {
        assert_eq!(text.parse::<Jurisdiction>().unwrap().code(), "US-CA");
    }
    assert_eq!("us".parse(), Ok(Jurisdiction::FEDERAL));
    for wrong in ["", "XX", "US-", "US-XX", "California", "US-US-CA"] {
        assert_eq!(
            wrong.parse::<Jurisdiction>(),
            Err(NoJurisdiction),
            "{wrong}"
        );
    }
    assert_eq!(Jurisdiction::states().count(), 51);
}

/// `text` with the first `old` replaced, which must be there.
fn with(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old}");
    text.replacen(old, new, 1)
}

const CONSENT: &str = include_str!("../../rules/consent.toml");
const RETENTION: &str = include_str!("../../rules/retention.toml");

#[test]
fn a_wrong_file_is_refused_with_its_name_and_the_entry() {
    let cases = [
        (
            with(CONSENT, "kind = \"consent\"", "kind = \"retention\""),
            "kind",
        ),
        (
            with(
                CONSENT,
                "version = \"2026-11-24.1\"",
                "version = \"latest\"",
            ),
            "version `latest`",
        ),
        (
            with(CONSENT, "id = \"consent.us-ca\"", "id = \"consent.us-cal\""),
            "consent.us-cal",
        ),
        (with(CONSENT, "\"US-CA\"", "\"US-CX\""), "US-CA"),
        (
            with(
                CONSENT,
                "citation = \"Cal. Penal Code § 632\"",
                "citation = \"\"",
            ),
            "consent.us-ca",
        ),
        (
            with(CONSENT, "2026-11-24\nconf", "2026-11-25\nconf"),
            "as_of",
        ),
        (
            with(CONSENT, "\"disputed\"", "\"one_party\""),
            "consent.us-ct",
        ),
        (with(CONSENT, "citation", "citations"), "citations"),
        (
            CONSENT
                .split("\n[[rule]]\nid = \"consent.us-wy\"")
                .next()
                .unwrap()
                .to_owned(),
            "consent.us-wy",
        ),
        (
            with(
                CONSENT,
                "confidence = \"published\"",
                "confidence = \"counsel\"",
            ),
            "override",
        ),
        (
            format!("{CONSENT}{}", " ".repeat(crate::limits::RULES_BYTES_MAX)),
            "larger",
        ),
        ("kind = ".to_owned(), "not a file of consent rules"),
    ];
    for (text, says) in cases {
        let error = ConsentRules::parse("site.toml", &text)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("site.toml: "), "{error}");
        assert!(error.contains(says), "{says}: {error}");
    }
    let cases = [
        (
            with(RETENTION, "id = \"retention.us-al.hospital\"", "id = \"x\""),
            "retention.us-al.hospital",
        ),
        (
            with(RETENTION, "years = 6", "years = 5"),
            "45 CFR 164.316(b)(2)(i)",
        ),
        (
            with(RETENTION, "years = 10", "years = 9"),
            "42 CFR 422.504(d)",
        ),
        (with(RETENTION, "years = 5", "years = 0"), "between 1 and"),
        (
            with(RETENTION, "\"US-AL\" = 19", "\"US-AL\" = 12"),
            "majority",
        ),
        (
            with(RETENTION, "basis = \"none\"", "basis = \"law\""),
            "assumed",
        ),
        (
            RETENTION
                .split("\n[[rule]]\nid = \"retention.us-wy")
                .next()
                .unwrap()
                .to_owned(),
            "US-WY",
        ),
    ];
    for (text, says) in cases {
        let error = RetentionRules::parse("site.toml", &text)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("site.toml: "), "{error}");
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn every_entry_says_where_it_comes_from() {
    for rule in ConsentRules::built_in().iter() {
        assert!(
            rule.confidence != Confidence::Primary || rule.citation != "none",
            "{}",
            rule.id
        );
    }
    let retention = RetentionRules::built_in();
    let uncertain = retention
        .iter()
        .filter(|rule| !rule.confidence.is_established())
        .count();
    assert!(uncertain > 0, "recalled and assumed entries say so");
}

fn overrides(entries: &str) -> Result<Overrides, RulesError> {
    let head = "kind = \"override\"\nversion = \"2026-12-01.1\"\n\
                author = { role = \"general counsel\", date = 2026-12-01 }\n";
    Overrides::parse("counsel.toml", &format!("{head}{entries}"))
}

#[test]
fn counsel_may_be_stricter_anywhere_and_laxer_where_no_law_is_known_to_speak() {
    let consent = |entry: &str| {
        let entry = format!("[[consent]]\nreason = \"because\"\n{entry}");
        ConsentRules::built_in().overridden(&overrides(&entry)?)
    };
    let stricter = consent("jurisdiction = \"US-TX\"\nconsent = \"all_party\"").unwrap();
    assert_ne!(stricter.hash(), ConsentRules::built_in().hash());
    assert_eq!(stricter.version(), "2026-11-24.1+2026-12-01.1");
    let texas = stricter
        .iter()
        .find(|rule| rule.id == "consent.us-tx")
        .unwrap();
    assert_eq!(texas.confidence, Confidence::Counsel);
    assert_eq!(texas.source, "general counsel of the operator");
    let refused = consent("jurisdiction = \"CA\"\nconsent = \"one_party\"\ncitation = \"x\"");
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("Cal. Penal Code § 632")
    );
    let uncited = consent("jurisdiction = \"OR\"\nconsent = \"one_party\"").unwrap_err();
    assert!(uncited.to_string().contains("cite"), "{uncited}");
    consent("jurisdiction = \"OR\"\nconsent = \"one_party\"\ncitation = \"ORS 165.540(1)(a)\"")
        .unwrap();

    let retention = |entry: &str| {
        let entry = format!("[[retention]]\nreason = \"because\"\n{entry}");
        RetentionRules::built_in().overridden(&overrides(&entry)?)
    };
    retention("rule = \"retention.us-az.any\"\nyears = 12").unwrap();
    retention("rule = \"retention.us-az.any\"\npermanent = true").unwrap();
    let fixed =
        retention("rule = \"retention.us-az.any\"\nyears = 5\ncitation = \"x\"").unwrap_err();
    assert!(
        fixed
            .to_string()
            .contains("Ariz. Rev. Stat. § 12-2297 fixes"),
        "{fixed}"
    );
    retention("rule = \"retention.us-ma.hospital\"\nyears = 20\ncitation = \"M.G.L. c. 111 § 70\"")
        .unwrap();
    let uncited = retention("rule = \"retention.us-ma.hospital\"\nyears = 20").unwrap_err();
    assert!(uncited.to_string().contains("cite"), "{uncited}");
    let floor =
        retention("rule = \"retention.us-ks.any\"\nyears = 4\ncitation = \"x\"").unwrap_err();
    assert!(floor.to_string().contains("42 CFR 482.24"), "{floor}");
    let unknown = retention("rule = \"retention.us-zz.any\"\nyears = 4").unwrap_err();
    assert!(
        unknown.to_string().contains("retention.us-zz.any"),
        "{unknown}"
    );
    let six = retention("rule = \"retention.us.hipaa-documentation\"\nyears = 3\ncitation = \"x\"");
    assert!(six.unwrap_err().to_string().contains("164.316"));
}

#[test]
fn a_law_is_not_undercut_in_two_steps() {
    let extend = "[[retention]]\nrule = \"retention.us-az.any\"\nyears = 9\nreason = \"r\"\n";
    let shorten = "[[retention]]\nrule = \"retention.us-az.any\"\nyears = 5\nreason = \"r\"\ncitation = \"c\"\n";
    let twice = overrides(&format!("{extend}{shorten}")).unwrap_err();
    assert!(twice.to_string().contains("twice"), "{twice}");
    let once = RetentionRules::built_in()
        .overridden(&overrides(extend).unwrap())
        .unwrap();
    let again = once.overridden(&overrides(shorten).unwrap()).unwrap_err();
    assert!(again.to_string().contains("one file"), "{again}");
}

#[test]
fn a_decision_of_counsel_has_an_author_and_a_reason() {
    let error =
        overrides("[[consent]]\njurisdiction = \"TX\"\nconsent = \"all_party\"").unwrap_err();
    assert!(error.to_string().contains("reason"), "{error}");
    let error =
        overrides("[[consent]]\njurisdiction = \"TX\"\nconsent = \"all_party\"\nreason = \" \"");
    assert!(error.unwrap_err().to_string().contains("US-TX"));
    let nobody = "kind = \"override\"\nversion = \"2026-12-01.1\"\n\
                  author = { role = \"\", date = 2026-12-01 }\n";
    assert!(
        Overrides::parse("c", nobody)
            .unwrap_err()
            .to_string()
            .contains("author.role")
    );
}

proptest! {
    #[test]
    fn years_later_is_later_and_comes_back(ordinal in 0_i64..140_000, years in 0_u16..200) {
        let date = time::Date::from_calendar_date(1900, time::Month::January, 1).unwrap()
            + time::Duration::days(ordinal);
        let day = Day::new(date.year(), date.month().into(), date.day()).unwrap();
        let later = day.plus_years(years);
        prop_assert!(later >= day);
        prop_assert!(later.plus_years(1) > later || later.to_string().starts_with("2400"));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,400}") {
        prop_assert!(ConsentRules::parse("f", &text).is_err());
        prop_assert!(RetentionRules::parse("f", &text).is_err());
        prop_assert!(Overrides::parse("f", &text).is_err());
    }
}
