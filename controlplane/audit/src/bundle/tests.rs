use super::*;
use crate::{LogKey, Tree};
use bedside_protocol::Secret;
use proptest::prelude::*;

fn key() -> LogKey {
    LogKey::new("example.org/audit", Secret::new([1; 32])).unwrap()
}

fn bundle() -> ProofBundle {
    let entry = crate::sealer::tests::joined().to_bytes();
    let (mut tree, mut hashes) = (Tree::new(), Vec::new());
    for index in 0..11_u8 {
        let leaf = if index == 5 {
            Entry::leaf_hash(&entry)
        } else {
            Entry::leaf_hash(&[index])
        };
        tree.append(leaf, |hash| hashes.push(hash));
    }
    let checkpoint = Checkpoint {
        origin: "example.org/audit".to_owned(),
        size: 11,
        root: tree.root(),
    };
    ProofBundle {
        entry,
        proof: InclusionProof::new(5, 11, &hashes).unwrap(),
        checkpoint: checkpoint.sign(&[&key()]).unwrap(),
    }
}

#[test]
fn a_bundle_stands_alone() {
    let text = bundle().to_text();
    let read = ProofBundle::parse(&text).unwrap();
    assert_eq!(read, bundle());
    let proven = read.verify(&[key().verifying_key()], &[]).unwrap();
    assert_eq!(proven.entry, crate::sealer::tests::joined());
    assert_eq!(proven.checkpoint.size, 11);
    assert_eq!(proven.cosigned, []);
}

#[test]
fn every_changed_character_is_found() {
    let text = bundle().to_text();
    for (index, character) in text.char_indices() {
        let changed = if character == 'A' { 'B' } else { 'A' };
        let mut other = text.clone();
        other.replace_range(index..index + character.len_utf8(), &changed.to_string());
        let proven = ProofBundle::parse(&other)
            .is_ok_and(|bundle| bundle.verify(&[key().verifying_key()], &[]).is_ok());
        assert!(!proven, "{index}: {other}");
    }
}

#[test]
fn other_texts_are_no_bundles() {
    let text = bundle().to_text();
    for wrong in [
        String::new(),
        text.replace("index 5", "index 05"),
        text.replace("index 5", "index -5"),
        text.replace("\nextra ", "\nmore "),
        text.replace("\n\n", "\n"),
        text.replace("index 5\n", &format!("index 5\n{}", "A\n".repeat(100))),
    ] {
        assert!(ProofBundle::parse(&wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn never_panics(
        text in "(c2sp.org/tlog-proof@v1\nextra [A-Za-z0-9+/]{4,8}\nindex [0-9]{1,3}\n([A-Za-z0-9+/]{43}=\n){0,2}\n)?([a-z./]{1,5}\n[0-9]{1,3}\n[A-Za-z0-9+/]{43}=\n\n)?(— [a-z]{1,3} [A-Za-z0-9+/=]{8,12}\n){0,2}.{0,8}",
    ) {
        if let Ok(bundle) = ProofBundle::parse(&text) {
            prop_assert_eq!(bundle.to_text(), text);
            prop_assert!(bundle.verify(&[key().verifying_key()], &[]).is_err());
        }
    }
}
