use super::*;
use crate::testing::scratch;

fn day(text: &str) -> Day {
    text.parse().expect("a day")
}

fn agreement(id: &str, expires: &str, hosts: &[&str]) -> Agreement {
    Agreement {
        entity: "Example Hosting, Inc.".to_owned(),
        agreement: id.to_owned(),
        expires: day(expires),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
    }
}

#[test]
fn days_are_counted_to_the_last_one() {
    for (expires, today, left) in [
        ("2027-01-01", "2026-12-31", 1),
        ("2027-01-01", "2027-01-01", 0),
        ("2026-12-31", "2027-01-31", -31),
        ("2028-03-01", "2028-02-28", 2),
    ] {
        let agreement = agreement("A", expires, &["a.example"]);
        assert_eq!(agreement.days_left(day(today)), left, "{expires} {today}");
    }
    assert!(today() > day("2026-01-01"));
}

#[test]
fn a_register_is_read_as_it_was_written() {
    let scratch = scratch();
    let path = scratch.path().join("baa.toml");
    assert_eq!(Register::read(&path).expect("absent"), Register::default());
    let mut register = Register::default();
    let today = day("2026-11-24");
    for (id, host) in [("A-1", "hooks.example.com"), ("A-2", "192.0.2.4")] {
        let added = register.add(agreement(id, "2027-03-01", &[host]), today);
        added.expect("good");
    }
    register.write(&path).expect("ours");
    assert_eq!(Register::read(&path).expect("ours"), register);
    let bare =
        "[[baa]]\nentity = 'E'\nagreement = 'A'\nexpires = 2027-03-01\nhosts = ['a.example']";
    std::fs::write(&path, bare).expect("ours");
    let read = Register::read(&path).expect("TOML's own date");
    assert_eq!(
        read.iter().map(|a| a.expires).collect::<Vec<_>>(),
        [day("2027-03-01")]
    );
}

#[test]
fn an_agreement_can_be_recorded_before_the_first_start() {
    let scratch = scratch();
    let path = scratch.path().join("data/baa.toml");
    let added = Register::change(&path, |register| {
        register.add(
            agreement("A", "2027-01-01", &["a.example"]),
            day("2026-11-24"),
        )
    });
    added.expect("the directory is made");
    let mode = std::fs::metadata(scratch.path().join("data"))
        .expect("made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    let removed = Register::change(&path, |register| Ok(register.remove("A")));
    assert!(removed.expect("ours").is_some());
    assert_eq!(Register::read(&path).expect("ours"), Register::default());
}

#[test]
fn what_others_can_change_is_not_believed() {
    let scratch = scratch();
    let path = scratch.path().join("baa.toml");
    Register::default().write(&path).expect("ours");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("ours");
    let words = Register::read(&path).expect_err("open").to_string();
    assert!(words.contains("chmod 644"), "{words}");
}

#[test]
fn what_cannot_be_an_agreement_is_refused() {
    let today = day("2026-11-24");
    let mut long = agreement("A", "2027-01-01", &["a.example"]);
    long.entity = "x".repeat(201);
    let mut nobody = agreement("A", "2027-01-01", &["a.example"]);
    nobody.entity = String::new();
    for (wrong, word) in [
        (agreement("", "2027-01-01", &["a.example"]), "`agreement`"),
        (nobody, "`entity`"),
        (long, "`entity`"),
        (agreement("A", "2026-11-23", &["a.example"]), "has passed"),
        (agreement("A", "2027-01-01", &[]), "`hosts`"),
        (
            agreement("A", "2027-01-01", &["https://a.example"]),
            "https://",
        ),
        (agreement("A", "2027-01-01", &["a.example:443"]), "the port"),
        (agreement("A", "2027-01-01", &["*.example"]), "not a host"),
        (agreement("A", "2027-01-01", &["a..example"]), "not a host"),
    ] {
        let mut register = Register::default();
        let words = register.add(wrong, today).expect_err(word).to_string();
        assert!(words.contains(word), "{words}");
        assert_eq!(register, Register::default());
    }
    for text in [
        "[[baa]]\nentity = 'E'",
        "[[baa]]\nentity = 'E'\nagreement = 'A'\nexpires = 'soon'\nhosts = ['a.example']",
        "[[baa]]\nentity = 'E'\nagreement = 'A'\nexpires = 2027-02-30\nhosts = ['a.example']",
        "[[bba]]\nentity = 'E'",
    ] {
        assert!(Register::from_toml(text).is_err(), "{text}");
    }
    let twice =
        "[[baa]]\nentity = 'E'\nagreement = 'A'\nexpires = '2027-02-01'\nhosts = ['a.example']\n"
            .repeat(2);
    assert!(
        Register::from_toml(&twice)
            .expect_err("twice")
            .contains("twice")
    );
}

#[test]
fn the_agreement_that_ends_last_decides() {
    let mut register = Register::default();
    let early = day("2026-01-01");
    register
        .add(
            agreement("A", "2026-06-30", &["a.example", "b.example"]),
            early,
        )
        .expect("good");
    register
        .add(agreement("B", "2026-12-31", &["A.example"]), early)
        .expect("good");
    let check = |host: &str, today: &str, expected: Option<(&str, bool)>| {
        let found = match register.cover(host, day(today)) {
            Cover::None => None,
            Cover::Expired(agreement) => Some((agreement.agreement.as_str(), false)),
            Cover::InForce(agreement) => Some((agreement.agreement.as_str(), true)),
        };
        assert_eq!(found, expected, "{host} {today}");
    };
    check("a.example", "2026-05-01", Some(("B", true)));
    check("a.example", "2026-12-31", Some(("B", true)));
    check("a.example", "2027-01-01", Some(("B", false)));
    check("b.example", "2026-06-30", Some(("A", true)));
    check("b.example", "2026-07-01", Some(("A", false)));
    check("c.a.example", "2026-05-01", None);
    let removed = register.remove("B").expect("known");
    assert_eq!(removed.agreement, "B");
    assert!(register.remove("B").is_none());
    assert_eq!(
        register.cover("a.example", day("2026-12-31")),
        Cover::Expired(register.iter().next().expect("A"))
    );
}
