use super::*;
use proptest::prelude::*;

fn key(version: u16, byte: u8) -> PseudonymKey {
    PseudonymKey::new(version, &Secret::new([byte; 32]))
}

fn person(key: &PseudonymKey, name: &str) -> Pseudonym {
    key.pseudonym(PseudonymKind::Person, &Phi::new(name.to_owned()))
}

#[test]
fn base32_of_the_standard() {
    // RFC 4648 §10, in lower case and cut or filled to our length.
    assert!(base32(b"foobar").starts_with("mzxw6ytboi"));
    assert_eq!(base32(&[0xFF; 32]), "7".repeat(26));
}

#[test]
fn a_name_is_found_again_and_says_nothing() {
    let pseudonym = person(&key(1, 7), "Jane Roe");
    assert_eq!(pseudonym, person(&key(1, 7), "Jane Roe"));
    assert_eq!(pseudonym.as_str().len(), 29);
    assert!(pseudonym.as_str().starts_with("p1_"));
    assert_ne!(pseudonym, person(&key(1, 7), "Jane Rob"));
    assert_ne!(
        pseudonym,
        person(&key(1, 8), "Jane Roe"),
        "another key, another pseudonym"
    );
    let room = key(1, 7).pseudonym(PseudonymKind::Room, &Phi::new("Jane Roe".to_owned()));
    assert_ne!(pseudonym, room, "a room of that name is something else");
    assert!(person(&key(12, 7), "Jane Roe").as_str().starts_with("p12_"));
    assert_eq!(
        format!("{:?}", key(3, 9)),
        "PseudonymKey { version: 3, .. }"
    );
}

proptest! {
    #[test]
    fn comes_back(version in 1..u16::MAX, byte: u8, name: String) {
        let pseudonym = person(&key(version, byte), &name);
        prop_assert_eq!(pseudonym.as_str().parse(), Ok(pseudonym.clone()));
    }

    #[test]
    fn never_panics(text in "p?[0-9]{0,3}_?.{0,30}") {
        if let Ok(pseudonym) = text.parse::<Pseudonym>() {
            prop_assert_eq!(pseudonym.as_str(), text);
        }
    }
}
