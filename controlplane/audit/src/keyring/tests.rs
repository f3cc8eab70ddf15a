use super::*;
use crate::{Actor, Event, LogKey, Object, PseudonymKey, Sealer, SealingRandom};
use bedside_protocol::Secret;

/// An entry about the rotation of a key of `kind`.
fn entry(kind: &'static str, vkey: Option<&str>) -> Vec<u8> {
    let sealer = Sealer::new(PseudonymKey::new(1, &Secret::new([1; 32])));
    let mut event = Event::new(0, Action::KeyRotate, Actor::SYSTEM);
    event.object = Some(Object {
        kind,
        id: "2".to_owned(),
    });
    if let Some(vkey) = vkey {
        event.facts.insert("vkey", Fact::from(vkey));
    }
    let random = SealingRandom::new([0; SealingRandom::BYTES]);
    sealer.seal(&event, None, 0, random).unwrap().to_bytes()
}

#[test]
fn only_an_entry_about_the_logs_key_announces_one() {
    let name = "o".repeat(crate::limits::ORIGIN_BYTES_MAX);
    let vkey = LogKey::new(&name, Secret::new([2; 32]))
        .unwrap()
        .verifying_key();
    let announces = |bytes: &[u8]| {
        let mut keyring = Keyring::new(Vec::new());
        keyring.entry(bytes);
        keyring.announced == [vkey.clone()]
    };
    let text = vkey.to_string();
    assert!(
        announces(&entry(Keyring::LOG_KEY, Some(&text))),
        "the longest name fits"
    );
    assert!(!announces(&entry("api_key", Some(&text))));
    assert!(!announces(&entry(Keyring::LOG_KEY, None)));
    assert!(!announces(&entry(Keyring::LOG_KEY, Some("nonsense"))));
    assert!(!announces(br#"{"action":"key.rotate"}"#));
}
