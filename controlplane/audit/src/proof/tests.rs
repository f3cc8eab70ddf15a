#![expect(clippy::cast_possible_truncation, reason = "small trees")]

use super::*;
use crate::{Tree, tree::StoredHashes};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tlog_tiles::record_hash;

struct Log {
    stored: Vec<Hash>,
    checkpoints: Vec<Checkpoint>,
}

fn leaf(index: u64) -> Hash {
    record_hash(&index.to_be_bytes())
}

fn log(size: u64) -> Log {
    let mut tree = Tree::new();
    let mut log = Log {
        stored: Vec::new(),
        checkpoints: Vec::new(),
    };
    for index in 0..=size {
        log.checkpoints.push(Checkpoint {
            origin: "example.org/audit".to_owned(),
            size: index,
            root: tree.root(),
        });
        tree.append(leaf(index), |hash| log.stored.push(hash));
    }
    log
}

/// Exactly the hashes that `needs` names.
fn some(log: &Log, needs: Vec<u64>) -> BTreeMap<u64, Hash> {
    needs
        .into_iter()
        .map(|index| (index, log.stored.hash(index).unwrap()))
        .collect()
}

#[test]
fn all_proofs_of_small_trees() {
    let log = log(40);
    for size in 1..=40_u64 {
        let checkpoint = &log.checkpoints[size as usize];
        for index in 0..size {
            let hashes = some(&log, InclusionProof::needs(index, size));
            let proof = InclusionProof::new(index, size, &hashes).unwrap();
            assert_eq!(proof.verify(leaf(index), checkpoint), Ok(()));
            assert!(proof.verify(leaf(index + 1), checkpoint).is_err());
            let moved = InclusionProof {
                index: index + 1,
                ..proof
            };
            assert!(moved.verify(leaf(index), checkpoint).is_err());
        }
        for old in 0..=size {
            let hashes = some(&log, ConsistencyProof::needs(old, size));
            let proof = ConsistencyProof::new(old, size, &hashes).unwrap();
            let old = &log.checkpoints[old as usize];
            assert_eq!(proof.verify(old, checkpoint), Ok(()));
            if old.size > 0 {
                let forked = Checkpoint {
                    root: leaf(99),
                    ..old.clone()
                };
                assert!(proof.verify(&forked, checkpoint).is_err());
            }
        }
    }
}

#[test]
fn what_cannot_be_proven_is_refused() {
    let log = log(8);
    let out_of_range = AuditError::OutOfRange("the index or size of a proof");
    assert_eq!(
        InclusionProof::new(8, 8, &log.stored),
        Err(out_of_range.clone())
    );
    assert_eq!(ConsistencyProof::new(9, 8, &log.stored), Err(out_of_range));
    assert!(InclusionProof::new(0, u64::MAX, &log.stored).is_err());
    assert!(ConsistencyProof::new(1, u64::MAX, &log.stored).is_err());
    let nothing = BTreeMap::new();
    assert!(matches!(
        InclusionProof::new(3, 8, &nothing),
        Err(AuditError::HashMissing(_))
    ));
}

proptest! {
    #[test]
    fn nonsense_never_panics_and_proves_nothing(
        hashes in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..120),
        index: u64, old: u64, size: u64,
    ) {
        let checkpoint = |size| Checkpoint { origin: String::new(), size, root: leaf(7) };
        let inclusion = InclusionProof { index, hashes: hashes.clone() };
        prop_assert!(inclusion.verify(leaf(1), &checkpoint(size)).is_err());
        let consistency = ConsistencyProof { hashes };
        prop_assert!(consistency.verify(&checkpoint(old), &checkpoint(size)).is_err() || old == size);
    }
}
