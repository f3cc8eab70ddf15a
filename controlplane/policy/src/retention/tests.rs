use super::*;
use proptest::prelude::*;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// An adult's last visit, to a provider of no Medicare Advantage plan.
fn adult(state: &str, provider: Provider) -> Record {
    Record {
        class: Class::MedicalRecord,
        states: vec![state.parse().unwrap()],
        provider: Some(provider),
        born: Some(day("1950-06-15")),
        last_service: day("2020-03-01"),
        medicare_advantage: Some(false),
        legal_hold: false,
        running: None,
    }
}

fn decide(record: &Record) -> RetentionDecision {
    RetentionRules::built_in().decide(record).unwrap()
}

fn until(record: &Record) -> String {
    decide(record).until.to_string()
}

/// State, then years for an adult at a hospital and at a physician, then the age until which a
/// child's record is kept there (0: as an adult's).
#[rustfmt::skip]
const EXPECTED: [(&str, u16, u16, u16, u16); 51] = [
    ("AK", 7, 7, 21, 21), ("AL", 5, 5, 23, 23), ("AR", 10, 10, 20, 20), ("AZ", 6, 6, 21, 21),
    ("CA", 7, 7, 19, 19), ("CO", 10, 10, 28, 28), ("CT", 10, 7, 0, 0), ("DC", 10, 5, 0, 0),
    ("DE", 7, 7, 0, 0), ("FL", 7, 5, 0, 0), ("GA", 6, 10, 23, 0), ("HI", 7, 7, 25, 25),
    ("IA", 7, 7, 19, 19), ("ID", 5, 5, 0, 0), ("IL", 10, 10, 0, 0), ("IN", 7, 7, 0, 0),
    ("KS", 10, 10, 19, 19), ("KY", 5, 5, 21, 21), ("LA", 10, 6, 0, 0), ("MA", 30, 7, 0, 9),
    ("MD", 5, 5, 21, 21), ("ME", 7, 7, 24, 24), ("MI", 7, 7, 0, 0), ("MN", 999, 999, 0, 0),
    ("MO", 10, 7, 23, 0), ("MS", 10, 10, 28, 28), ("MT", 10, 10, 28, 28), ("NC", 11, 11, 30, 30),
    ("ND", 10, 10, 21, 21), ("NE", 10, 10, 22, 22), ("NH", 7, 7, 19, 19), ("NJ", 10, 7, 23, 0),
    ("NM", 10, 10, 19, 19), ("NV", 5, 5, 23, 23), ("NY", 6, 6, 21, 22), ("OH", 7, 7, 0, 0),
    ("OK", 5, 5, 21, 21), ("OR", 10, 10, 0, 0), ("PA", 7, 7, 25, 19), ("RI", 5, 7, 23, 0),
    ("SC", 10, 10, 19, 0), ("SD", 10, 10, 20, 20), ("TN", 10, 10, 19, 19), ("TX", 10, 7, 20, 21),
    ("UT", 7, 7, 22, 22), ("VA", 5, 6, 23, 18), ("VT", 10, 10, 0, 0), ("WA", 10, 10, 21, 21),
    ("WI", 5, 5, 0, 0), ("WV", 5, 5, 0, 0), ("WY", 5, 5, 0, 0),
];

#[test]
fn every_state_keeps_an_adults_and_a_childs_record_as_its_entry_says() {
    for (state, hospital, physician, child_hospital, child_physician) in EXPECTED {
        for (provider, years, age) in [
            (Provider::Hospital, hospital, child_hospital),
            (Provider::Physician, physician, child_physician),
        ] {
            let grown = adult(state, provider);
            let child = Record {
                born: Some(day("2018-01-10")),
                ..grown.clone()
            };
            if years == 999 {
                assert_eq!(decide(&grown).until, Until::Permanent, "{state}");
                continue;
            }
            let by_service = day("2020-03-01").plus_years(years);
            assert_eq!(
                decide(&grown).until,
                Until::Day(by_service),
                "{state} {provider:?}"
            );
            // South Carolina's physicians count a child's term from the service.
            let by_service = match (state, provider) {
                ("SC", Provider::Physician) => day("2033-03-01"),
                _ => by_service,
            };
            let expected = if age == 0 {
                by_service
            } else {
                by_service.max(day("2018-01-10").plus_years(age))
            };
            assert_eq!(
                decide(&child).until,
                Until::Day(expected),
                "{state} {provider:?}, a child"
            );
        }
    }
}

#[test]
fn somebody_of_age_is_no_minor_on_their_birthday() {
    let on = |born: &str, state: &str| {
        until(&Record {
            born: Some(day(born)),
            ..adult(state, Provider::Hospital)
        })
    };
    // Arkansas: 10 years, for minors until 20 at least; of no effect near 18. North Carolina: 11
    // years, for minors until 30.
    assert_eq!(
        on("2002-03-01", "NC"),
        "2031-03-01",
        "18 on the day of the service"
    );
    assert_eq!(
        on("2002-03-02", "NC"),
        "2032-03-02",
        "18 on the day after it"
    );
    // Alabama's majority is at 19.
    assert_eq!(on("2001-03-02", "AL"), "2025-03-01");
    let until_23 = on("2001-12-01", "AL");
    assert_eq!(
        until_23, "2025-03-01",
        "23 comes before five years have passed"
    );
    // Mississippi's is at 21.
    assert_eq!(on("1999-03-02", "MS"), "2030-03-01");
    assert_eq!(on("2019-03-02", "MS"), "2047-03-02");
}

#[test]
fn leap_days_end_no_term_early() {
    let record = Record {
        last_service: day("2024-02-29"),
        ..adult("MI", Provider::Hospital)
    };
    assert_eq!(until(&record), "2031-03-01");
    let born = Record {
        born: Some(day("2020-02-29")),
        last_service: day("2021-01-01"),
        ..adult("NC", Provider::Hospital)
    };
    assert_eq!(until(&born), "2050-03-01");
}

#[test]
fn federal_floors_stand_where_a_state_asks_for_less() {
    let decision = decide(&adult("DC", Provider::Physician));
    assert_eq!(
        decision.until.to_string(),
        "2025-03-01",
        "the district's own rule is 3 years"
    );
    assert_eq!(decision.applied[0].rule, "retention.us.cms-hospital");
    assert_eq!(decision.applied[1].rule, "retention.us-dc.physician");
    let advantage = Record {
        medicare_advantage: Some(true),
        ..adult("DC", Provider::Physician)
    };
    assert_eq!(until(&advantage), "2030-03-01");
}

#[test]
fn documentation_is_kept_six_years() {
    let record = Record {
        class: Class::Documentation,
        ..adult("CO", Provider::Hospital)
    };
    let decision = decide(&record);
    assert_eq!(decision.until.to_string(), "2026-03-01");
    assert_eq!(decision.applied.len(), 1);
    assert_eq!(
        decision.applied[0].citation.as_deref(),
        Some("45 CFR 164.316(b)(2)(i)")
    );
    assert!(decision.assumed.is_empty());
}

#[test]
fn the_longest_of_several_states_counts() {
    let record = Record {
        states: vec!["CA".parse().unwrap(), "NC".parse().unwrap()],
        ..adult("CA", Provider::Hospital)
    };
    let decision = decide(&record);
    assert_eq!(decision.until.to_string(), "2031-03-01");
    assert_eq!(decision.applied[0].rule, "retention.us-nc.hospital");
}

#[test]
fn what_is_not_known_makes_it_longer_and_is_said() {
    let known = adult("DC", Provider::Physician);
    let provider = decide(&Record {
        provider: None,
        ..known.clone()
    });
    assert_eq!(provider.until.to_string(), "2030-03-01");
    let payer = decide(&Record {
        medicare_advantage: None,
        ..known.clone()
    });
    assert_eq!(payer.until.to_string(), "2030-03-01");
    let born = decide(&Record {
        born: None,
        ..adult("NC", Provider::Hospital)
    });
    assert_eq!(born.until.to_string(), "2050-03-01");
    let nothing = decide(&Record {
        states: vec![],
        provider: None,
        born: None,
        medicare_advantage: None,
        ..known
    });
    assert_eq!(nothing.until, Until::Permanent);
    assert_eq!(nothing.assumed.len(), 4);
    assert_eq!(nothing.confidence, Confidence::Assumed);
}

#[test]
fn a_hold_and_a_promise_are_never_shortened() {
    let record = adult("CA", Provider::Hospital);
    let held = Record {
        legal_hold: true,
        ..record.clone()
    };
    assert_eq!(until(&held), "held");
    assert!(!decide(&held).until.has_passed(day("2300-01-01")));
    let promised = Record {
        running: Some(Until::Day(day("2040-01-01"))),
        ..record.clone()
    };
    assert_eq!(until(&promised), "2040-01-01");
    let shorter = Record {
        running: Some(Until::Day(day("2021-01-01"))),
        ..record
    };
    assert_eq!(until(&shorter), "2027-03-01");
    let for_ever = Record {
        running: Some(Until::Permanent),
        ..shorter
    };
    assert_eq!(until(&for_ever), "permanent");
}

#[test]
fn a_term_runs_through_its_last_day() {
    let until = Until::Day(day("2027-03-01"));
    assert!(!until.has_passed(day("2027-03-01")));
    assert!(until.has_passed(day("2027-03-02")));
    assert!(!Until::Permanent.has_passed(day("2300-01-01")));
}

#[test]
fn dates_that_contradict_one_another_are_refused() {
    let record = Record {
        born: Some(day("2021-01-01")),
        ..adult("CA", Provider::Hospital)
    };
    assert_eq!(
        RetentionRules::built_in().decide(&record),
        Err(Contradiction)
    );
}

#[test]
fn audit_detail_is_kept_six_whole_years_or_more() {
    let rules = RetentionRules::built_in();
    let before = |today: &str, years| audit_detail_ends_before(&rules, day(today), years);
    // Detail of 2019 ends with 31 December 2025.
    assert_eq!(before("2025-12-31", 6), Ok(2019));
    assert_eq!(before("2026-01-01", 6), Ok(2020));
    assert_eq!(before("2026-01-01", 10), Ok(2016));
    assert_eq!(
        before("2026-01-01", 5),
        Err(TermTooShort { years: 5, least: 6 })
    );
    assert_eq!(
        before("2026-01-01", 0),
        Err(TermTooShort { years: 0, least: 6 })
    );
}

fn any_day() -> impl Strategy<Value = Day> {
    (1_930_i32..2_060, 1_u8..13, 1_u8..29).prop_map(|(y, m, d)| Day::new(y, m, d).unwrap())
}

fn any_record() -> impl Strategy<Value = Record> {
    let states = Jurisdiction::states().collect::<Vec<_>>();
    (
        prop::collection::vec(prop::sample::select(states), 0..3),
        prop::option::of(prop::sample::select(Provider::ALL.to_vec())),
        prop::option::of(any_day()),
        any_day(),
        prop::option::of(any::<bool>()),
        any::<bool>(),
    )
        .prop_map(
            |(states, provider, born, service, medicare_advantage, care)| Record {
                class: if care {
                    Class::MedicalRecord
                } else {
                    Class::Documentation
                },
                states,
                provider,
                born: born.map(|born| born.min(service)),
                last_service: born.map_or(service, |born| born.max(service)),
                medicare_advantage,
                legal_hold: false,
                running: None,
            },
        )
}

proptest! {
    /// Leaving rules out never makes a record last longer.
    #[test]
    fn adding_rules_never_shortens(record in any_record(), keep in prop::collection::vec(any::<bool>(), 100)) {
        let all = RetentionRules::built_in();
        let mut fewer = all.clone();
        let mut keep = keep.into_iter();
        fewer.rules.retain(|_| keep.next().unwrap_or(true));
        let (all, fewer) = (all.decide(&record).unwrap(), fewer.decide(&record).unwrap());
        prop_assert!(all.until >= fewer.until);
    }

    /// Neither does knowing less, a later service, a hold or a promise.
    #[test]
    fn knowing_less_never_shortens(record in any_record(), later in 0_u16..30, promise in any_day()) {
        let known = decide(&record).until;
        let unknown = [
            Record { states: vec![], ..record.clone() },
            Record { provider: None, ..record.clone() },
            Record { born: None, ..record.clone() },
            Record { medicare_advantage: None, ..record.clone() },
            Record { legal_hold: true, ..record.clone() },
        ];
        for record in unknown {
            prop_assert!(decide(&record).until >= known);
        }
        let promised = Some(Until::Day(promise));
        let with_promise = decide(&Record { running: promised, ..record.clone() }).until;
        prop_assert!(Some(with_promise) >= promised && with_promise >= known);
        prop_assert!(known >= Until::Day(record.last_service.plus_years(5)));
        let documentation = Record { class: Class::Documentation, ..record.clone() };
        prop_assert!(decide(&documentation).until >= Until::Day(record.last_service.plus_years(6)));
        let extended = record.last_service.plus_years(later);
        let visit = Record { last_service: extended, running: Some(known), ..record };
        prop_assert!(decide(&visit).until >= known);
    }
}
