use super::*;
use bedside_protocol::Secret;
use proptest::prelude::*;

const ORIGIN: &str = "example.org/audit";

fn key(byte: u8) -> LogKey {
    LogKey::new(ORIGIN, Secret::new([byte; 32])).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 7,
        root: Hash([9; 32]),
    }
}

/// A witness's key and its line for the checkpoint of `text`, as the protocol says to make it.
fn witness(name: &str, byte: u8, text: &str, at_s: u64) -> (VerifyingKey, String) {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use base64::{Engine, prelude::BASE64_STANDARD};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[byte; 32]).unwrap();
    let public = [&[4], pair.public_key().as_ref()].concat();
    let id = signed_note::key_id(name, &public);
    let vkey = format!("{name}+{id:08x}+{}", BASE64_STANDARD.encode(public));
    let signature = pair.sign(format!("cosignature/v1\ntime {at_s}\n{text}").as_bytes());
    let bytes = [
        &id.to_be_bytes()[..],
        &at_s.to_be_bytes(),
        signature.as_ref(),
    ]
    .concat();
    let line = format!("— {name} {}\n", BASE64_STANDARD.encode(bytes));
    (vkey.parse().unwrap(), line)
}

#[test]
fn a_signed_checkpoint_comes_back_and_is_believed() {
    let text = checkpoint().sign(&[&key(1)]).unwrap().to_text();
    let signed = SignedCheckpoint::parse(&text).unwrap();
    assert_eq!(signed.to_text(), text);
    assert_eq!(signed.verify(&[key(1).verifying_key()]), Ok(&checkpoint()));
    assert_eq!(
        signed.verify(&[key(2).verifying_key()]),
        Err(AuditError::NotSigned)
    );
    assert_eq!(
        signed.verify(&[]),
        Err(AuditError::OtherLog(ORIGIN.to_owned()))
    );
    let other = LogKey::new("example.net/audit", Secret::new([1; 32])).unwrap();
    assert_eq!(
        signed.verify(&[other.verifying_key()]),
        Err(AuditError::OtherLog(ORIGIN.to_owned()))
    );
    assert_eq!(
        checkpoint().sign(&[&other]),
        Err(AuditError::OtherLog("example.net/audit".to_owned()))
    );
}

#[test]
fn a_hand_over_is_signed_by_both_keys() {
    let (old, new) = (key(1), key(2));
    let signed = checkpoint().sign(&[&old, &new]).unwrap();
    for key in [&old, &new] {
        assert_eq!(signed.is_signed_by(&key.verifying_key()), Ok(true));
        assert_eq!(signed.verify(&[key.verifying_key()]), Ok(&checkpoint()));
    }
    assert_eq!(signed.is_signed_by(&key(3).verifying_key()), Ok(false));
}

#[test]
fn every_changed_character_is_found() {
    let text = checkpoint().sign(&[&key(1)]).unwrap().to_text();
    for (index, character) in text.char_indices() {
        let changed = if character == 'A' { 'B' } else { 'A' };
        let mut other = text.clone();
        other.replace_range(index..index + character.len_utf8(), &changed.to_string());
        let believed = SignedCheckpoint::parse(&other)
            .is_ok_and(|signed| signed.verify(&[key(1).verifying_key()]).is_ok());
        assert!(!believed, "{other}");
    }
}

#[test]
fn witnesses_cosign() {
    let mut signed = checkpoint().sign(&[&key(1)]).unwrap();
    let text = checkpoint().text();
    let (first, first_line) = witness("witness.example/1", 11, &text, 1_700_000_000);
    let (second, second_line) = witness("witness.example/2", 12, &text, 1_700_000_001);
    assert_eq!(first.kind(), KeyKind::Cosignature);
    let lines = format!("{first_line}{second_line}");
    assert_eq!(
        signed.cosigned_by(std::slice::from_ref(&first)),
        Ok(Vec::new())
    );
    let added = signed
        .add_cosignatures(&lines, std::slice::from_ref(&first))
        .unwrap();
    assert_eq!(
        added,
        [Cosigned {
            witness: "witness.example/1".to_owned(),
            at_s: 1_700_000_000
        }]
    );
    // The second was not asked for; a later answer of the first takes the place of its first.
    let (_, later) = witness("witness.example/1", 11, &text, 1_700_000_099);
    signed
        .add_cosignatures(&later, std::slice::from_ref(&first))
        .unwrap();
    let signed = SignedCheckpoint::parse(&signed.to_text()).unwrap();
    let cosigned = signed
        .cosigned_by(&[first.clone(), second.clone()])
        .unwrap();
    assert_eq!(
        cosigned,
        [Cosigned {
            witness: "witness.example/1".to_owned(),
            at_s: 1_700_000_099
        }]
    );
    assert_eq!(signed.verify(&[key(1).verifying_key()]), Ok(&checkpoint()));
    // A witness's key is not a log's.
    assert!(signed.verify(std::slice::from_ref(&first)).is_err());

    let (_, wrong) = witness("witness.example/1", 11, "another text\n", 1);
    let mut signed = signed;
    assert_eq!(
        signed.add_cosignatures(&wrong, std::slice::from_ref(&first)),
        Err(AuditError::SignatureWrong(first.to_string()))
    );
    assert_eq!(
        signed.add_cosignatures(&second_line, std::slice::from_ref(&first)),
        Err(AuditError::NotSigned)
    );
    assert!(signed.add_cosignatures("nonsense", &[first]).is_err());
}

#[test]
fn other_notes_are_no_checkpoints() {
    let text = checkpoint().sign(&[&key(1)]).unwrap().to_text();
    for wrong in [
        String::new(),
        text.replace("\n7\n", "\n07\n"),
        text.replace("\n7\n", "\n281474976710657\n"),
        text.replace("\n\n", "\nextension\n\n"),
        text.replace("\n\n", "\n"),
        format!("{text}x"),
        text.trim_end().to_owned(),
    ] {
        assert!(SignedCheckpoint::parse(&wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn never_panics(
        text in "([a-z./]{1,5}\n[0-9]{1,3}\n[A-Za-z0-9+/]{43}=\n\n)?(— [a-z]{1,3} [A-Za-z0-9+/=]{8,12}\n){0,2}.{0,8}",
    ) {
        if let Ok(signed) = SignedCheckpoint::parse(&text) {
            prop_assert_eq!(signed.to_text(), text);
        }
    }
}
