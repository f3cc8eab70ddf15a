use super::*;
use crate::{Action, ActorKind, Authentication, Detail, Object, Outcome, PolicyDecision, Role};
use bedside_protocol::Secret;
use proptest::prelude::*;

fn sealer() -> Sealer {
    Sealer::new(PseudonymKey::new(1, &Secret::new([1; 32])))
}

fn phi(text: &str) -> Phi<String> {
    Phi::new(text.to_owned())
}

fn join() -> Event {
    let actor = Actor {
        kind: ActorKind::Patient,
        id: Some(phi("jane-roe")),
        role: Some(Role::Patient),
        authentication: Some(Authentication {
            method: "link".to_owned(),
            credential: Some("0123456789abcdef".to_owned()),
            ..Authentication::default()
        }),
        address: Some("::ffff:203.0.113.9".parse().unwrap()),
    };
    let mut event = Event::new(1_795_524_274_123_456, Action::Join, actor);
    event.patient = Some(phi("jane-roe"));
    event.room = Some(phi("Dr. Poe's practice"));
    event.encounter = Some("RM_abc".to_owned());
    event.object = Some(Object {
        kind: "link",
        id: "LK_1".to_owned(),
    });
    event.policy = Some(PolicyDecision {
        policies: vec!["join".to_owned()],
        hash: "00".to_owned(),
    });
    event.facts.insert("version", Fact::from(17));
    event.facts.insert("hidden", Fact::from(false));
    event.detail.insert("display_name", phi("Jane Roe"));
    event
}

fn sealed(event: &Event) -> (Entry, DetailKey) {
    let scope = sealer().detail_scope(event).unwrap();
    let key = DetailKey::new(scope, &Secret::new([2; 36]));
    let random = SealingRandom::new([3; SealingRandom::BYTES]);
    let entry = sealer()
        .seal(event, Some(&key), event.at_us + 5_000_000, random)
        .unwrap();
    (entry, key)
}

fn opened(entry: &Entry, key: &DetailKey) -> BTreeMap<String, Phi<String>> {
    match entry.detail(Some(key)) {
        Ok(Detail::Open(detail)) => detail,
        other => panic!("{other:?}"),
    }
}

/// The entry of a join with every member, for other tests.
pub(crate) fn joined() -> Entry {
    sealed(&join()).0
}

#[test]
fn an_entry_says_all_but_names() {
    let (entry, key) = sealed(&join());
    let text = String::from_utf8(entry.to_bytes()).unwrap();
    for canary in ["jane", "Jane", "Roe", "Poe", "203.0.113.9"] {
        assert!(!text.contains(canary), "{canary} in {text}");
    }
    assert_eq!(entry.outcome, Outcome::Success);
    assert_eq!(entry.actor.network.as_deref(), Some("203.0.113.0/24"));
    assert_eq!(
        entry.actor.pid,
        entry.patient.as_ref().map(|patient| patient.pid.clone())
    );
    assert_eq!(entry.ts.to_string(), "2026-11-24T12:44:34.123456Z");
    assert_eq!(entry.id.recorded().micros(), 1_795_524_279_123_000);
    assert!(
        text.starts_with(r#"{"action":"room.join","actor":{"authn":{"#),
        "{text}"
    );

    let detail = opened(&entry, &key);
    let detail: Vec<_> = detail
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose().as_str()))
        .collect();
    assert_eq!(
        detail,
        [
            ("actor", "jane-roe"),
            ("address", "203.0.113.9"),
            ("display_name", "Jane Roe"),
            ("patient", "jane-roe"),
            ("room", "Dr. Poe's practice"),
        ]
    );
}

#[test]
fn a_detail_whose_key_was_destroyed_is_gone_and_its_entry_is_not() {
    let (entry, key) = sealed(&join());
    let detail = entry.detail(None).unwrap();
    assert_eq!(detail, Detail::Destroyed(key.id().clone()));
    assert_eq!(detail.state(), "detail destroyed");
    assert_eq!(Entry::parse(&entry.to_bytes()), Ok(entry.clone()));
    // A key that was made for the same subject and year afterwards opens nothing.
    let later = DetailKey::new(key.id().scope().clone(), &Secret::new([9; 36]));
    assert_eq!(entry.detail(Some(&later)), Err(AuditError::DetailKeyWrong));
    let start = Event::new(0, Action::NodeStart, Actor::SYSTEM);
    let random = SealingRandom::new([3; SealingRandom::BYTES]);
    let entry = sealer().seal(&start, None, 0, random).unwrap();
    assert_eq!(entry.detail(None).unwrap().state(), "no detail");
}

#[test]
fn a_detail_goes_under_the_key_of_its_subject() {
    let sealer = sealer();
    let person = |name: &str| sealer.person(&phi(name));
    let mut event = join();
    event.patient = Some(phi("john-roe"));
    assert_eq!(
        sealer.detail_scope(&event).unwrap().subject,
        person("john-roe")
    );
    event.patient = None;
    assert_eq!(
        sealer.detail_scope(&event).unwrap().subject,
        person("jane-roe")
    );
    event.actor.id = None;
    let room = sealer
        .pseudonyms()
        .pseudonym(PseudonymKind::Room, &phi("Dr. Poe's practice"));
    let scope = sealer.detail_scope(&event).unwrap();
    assert_eq!((scope.subject, scope.year), (room, 2026));
    event.room = None;
    assert!(
        sealer.detail_scope(&event).is_some(),
        "an address is somebody's"
    );
    let start = Event::new(0, Action::NodeStart, Actor::SYSTEM);
    assert_eq!(sealer.detail_scope(&start), None);
    let random = SealingRandom::new([3; SealingRandom::BYTES]);
    let entry = sealer.seal(&start, None, 0, random).unwrap();
    assert_eq!(entry.detail_enc, None);

    assert_eq!(
        sealer.seal(&join(), None, 0, random),
        Err(AuditError::DetailKeyMissing)
    );
    let (_, key) = sealed(&event);
    assert_eq!(
        sealer.seal(&join(), Some(&key), 0, random),
        Err(AuditError::DetailKeyWrong)
    );
}

#[test]
fn an_event_cannot_say_another_name_in_its_detail() {
    let mut event = join();
    event.detail.insert("actor", phi("somebody else"));
    let (entry, key) = sealed(&event);
    assert_eq!(opened(&entry, &key)["actor"].expose(), "jane-roe");
}

#[test]
fn long_texts_are_cut_and_large_numbers_written() {
    let mut event = join();
    event.facts.insert("large", Fact::from(u64::MAX));
    event.facts.insert("exact", Fact::from(NUMBER_MAX));
    event
        .facts
        .insert("long", Fact::from("é".repeat(TEXT_BYTES_MAX)));
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        event.detail.insert(name, phi(&"\u{1}".repeat(100_000)));
    }
    event.actor.authentication.as_mut().unwrap().amr = vec!["\u{1}".repeat(10_000); 1_000];
    let (entry, key) = sealed(&event);
    assert_eq!(
        entry.actor.authn.as_ref().unwrap().amr,
        vec!["\u{1}".repeat(64); 16]
    );
    assert_eq!(entry.facts["large"], Fact::from("18446744073709551615"));
    assert_eq!(entry.facts["exact"], Fact::Number(9_007_199_254_740_991));
    assert_eq!(
        entry.facts["long"],
        Fact::from("é".repeat(TEXT_BYTES_MAX / 2))
    );
    let detail = opened(&entry, &key);
    assert_eq!(detail["a"].expose().len(), DETAIL_BYTES_MAX);
    assert_eq!(detail["j"].expose(), "", "no room is left for it");
    assert_eq!(Entry::parse(&entry.to_bytes()), Ok(entry));
}

proptest! {
    #[test]
    fn whatever_is_said_comes_back(
        name: String, room: String, note: String, fact: String, at_us: u64, random: [u8; 16],
    ) {
        let mut event = join();
        event.at_us = at_us;
        event.patient = Some(phi(&name));
        event.room = Some(phi(&room));
        event.encounter = Some(fact.clone());
        event.facts.insert("text", Fact::from(fact));
        event.detail.insert("note", phi(&note));
        let scope = sealer().detail_scope(&event).unwrap();
        let key = DetailKey::new(scope, &Secret::new([2; 36]));
        let mut bytes = [7; SealingRandom::BYTES];
        bytes[..16].copy_from_slice(&random);
        let entry = sealer().seal(&event, Some(&key), at_us, SealingRandom::new(bytes)).unwrap();
        prop_assert_eq!(&Entry::parse(&entry.to_bytes()), &Ok(entry.clone()));
        let detail = opened(&entry, &key);
        prop_assert_eq!(detail["note"].expose(), cut(&note, DETAIL_BYTES_MAX));
        prop_assert_eq!(detail["patient"].expose(), &name);
    }
}
