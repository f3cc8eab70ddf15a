use super::*;
use crate::{PseudonymKey, PseudonymKind};
use bedside_protocol::Secret;

#[test]
fn each_member_decides() {
    let entry = crate::sealer::tests::joined();
    let key = PseudonymKey::new(1, &Secret::new([1; 32]));
    let person = |name| vec![key.search(PseudonymKind::Person, name)];
    let room = |name| vec![key.search(PseudonymKind::Room, name)];
    let time = |text: &str| Some(text.parse().unwrap());
    let (jane, other) = (person("jane-roe"), person("john-roe"));
    let all = Filter::default;
    assert!(all().matches(&entry));
    // Each filter with whether it finds a join of jane-roe on 24 November 2026.
    let filters = [
        (
            Filter {
                from: time("2026-11-24"),
                ..all()
            },
            true,
        ),
        (
            Filter {
                from: time("2026-11-25"),
                ..all()
            },
            false,
        ),
        (
            Filter {
                until: time("2026-11-25"),
                ..all()
            },
            true,
        ),
        (
            Filter {
                until: time("2026-11-24T12:44:34.123456Z"),
                ..all()
            },
            false,
        ),
        (
            Filter {
                actions: vec![Action::Leave, Action::Join],
                ..all()
            },
            true,
        ),
        (
            Filter {
                actions: vec![Action::Leave],
                ..all()
            },
            false,
        ),
        (
            Filter {
                outcome: Some(Outcome::Success),
                ..all()
            },
            true,
        ),
        (
            Filter {
                outcome: Some(Outcome::Denied),
                ..all()
            },
            false,
        ),
        (
            Filter {
                actors: jane.clone(),
                ..all()
            },
            true,
        ),
        (
            Filter {
                actors: vec![jane[0].to_string().parse().unwrap()],
                ..all()
            },
            true,
        ),
        (
            Filter {
                actors: person(jane[0].as_str()),
                ..all()
            },
            true,
        ),
        (
            Filter {
                actors: other.clone(),
                ..all()
            },
            false,
        ),
        (
            Filter {
                patients: [other.clone(), jane].concat(),
                ..all()
            },
            true,
        ),
        (
            Filter {
                patients: other,
                ..all()
            },
            false,
        ),
        (
            Filter {
                rooms: room("Dr. Poe's practice"),
                ..all()
            },
            true,
        ),
        (
            Filter {
                rooms: room("jane-roe"),
                ..all()
            },
            false,
        ),
        (
            Filter {
                encounter: Some("RM_abc".to_owned()),
                ..all()
            },
            true,
        ),
        (
            Filter {
                encounter: Some("RM_".to_owned()),
                ..all()
            },
            false,
        ),
        (
            Filter {
                text: Some("lk_1".to_owned()),
                ..all()
            },
            true,
        ),
        (
            Filter {
                text: Some("17".to_owned()),
                ..all()
            },
            true,
        ),
        (
            Filter {
                text: Some("HIDDEN".to_owned()),
                ..all()
            },
            true,
        ),
        (
            Filter {
                text: Some("Jane".to_owned()),
                ..all()
            },
            false,
        ),
    ];
    for (filter, expected) in filters {
        assert_eq!(filter.matches(&entry), expected, "{filter:?}");
    }
}
