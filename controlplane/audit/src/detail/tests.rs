use super::*;
use crate::{PseudonymKey, PseudonymKind, Timestamp};
use proptest::prelude::*;

fn scope() -> DetailScope {
    let key = PseudonymKey::new(1, &Secret::new([1; 32]));
    let subject = key.pseudonym(PseudonymKind::Person, &Phi::new("Jane Roe".to_owned()));
    DetailScope {
        subject,
        year: 2026,
    }
}

fn key(byte: u8) -> DetailKey {
    DetailKey::new(scope(), &Secret::new([byte; 36]))
}

fn entry(byte: u8) -> EntryId {
    EntryId::new(Timestamp::from_micros(0), [byte; 10])
}

#[test]
fn a_detail_opens_under_its_key_and_in_its_entry_alone() {
    let detail = BTreeMap::from([("actor", "Jane Roe"), ("address", "203.0.113.9")]);
    let sealed = key(1).seal(entry(1), &detail, [3; 12]).unwrap();
    let opened = key(1).open(entry(1), &sealed).unwrap();
    assert_eq!(opened["actor"].expose(), "Jane Roe");
    assert_eq!(opened["address"].expose(), "203.0.113.9");

    assert_eq!(key(1).open(entry(2), &sealed), Err(AuditError::DoesNotOpen));
    assert_eq!(
        key(2).open(entry(1), &sealed),
        Err(AuditError::DetailKeyWrong)
    );
    for index in 0..sealed.ct.0.len() {
        let mut changed = sealed.clone();
        changed.ct.0[index] ^= 1;
        assert_eq!(
            key(1).open(entry(1), &changed),
            Err(AuditError::DoesNotOpen)
        );
    }
}

#[test]
fn a_wrapped_key_opens_under_its_master_key_and_name_alone() {
    let (master, other) = (
        MasterKey::new(Secret::new([5; 32])),
        MasterKey::new(Secret::new([6; 32])),
    );
    let wrapped = master.wrap(&key(1), [9; 12]).unwrap();
    assert_eq!(wrapped.len(), 1 + 4 + 12 + 32 + 16);
    assert_eq!(MasterKey::wrapped_under(&wrapped), Ok(master.id()));
    assert_ne!(master.id(), other.id());

    let unwrapped = master.unwrap(key(1).id(), &wrapped).unwrap();
    assert_eq!(unwrapped.key, key(1).key);
    assert!(matches!(
        master.unwrap(key(2).id(), &wrapped),
        Err(AuditError::DoesNotOpen)
    ));
    assert!(matches!(
        other.unwrap(key(1).id(), &wrapped),
        Err(AuditError::DoesNotOpen)
    ));
    for index in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[index] ^= 1;
        assert!(
            master.unwrap(key(1).id(), &changed).is_err(),
            "byte {index}"
        );
        assert!(
            master.unwrap(key(1).id(), &wrapped[..index]).is_err(),
            "cut at {index}"
        );
    }
}

#[test]
fn debug_text_never_holds_a_key() {
    let key = DetailKey {
        key: Secret::new([0xAB; 32]),
        ..key(1)
    };
    let text = format!("{key:?} {:?}", MasterKey::new(Secret::new([0xAB; 32])));
    assert!(!text.contains("171"), "{text}");
}

proptest! {
    #[test]
    fn names_of_keys_come_back(random: [u8; 4], year in 0..10_000_u16) {
        let id = DetailKeyId { scope: DetailScope { year, ..scope() }, random };
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn never_panics(text in "(p1_[a-z2-7]{26})?.{0,20}", bytes: Vec<u8>) {
        if let Ok(id) = text.parse::<DetailKeyId>() {
            prop_assert_eq!(id.to_string(), text);
        }
        let master = MasterKey::new(Secret::new([5; 32]));
        prop_assert!(master.unwrap(key(1).id(), &bytes).is_err());
    }
}
