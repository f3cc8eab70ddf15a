#![expect(clippy::cast_possible_truncation, reason = "small logs")]

use super::*;
use crate::{
    Action, Actor, Checkpoint, Event, Fact, LogKey, Object, PseudonymKey, Sealer, SealingRandom,
    StoredHashes as _,
};
use bedside_protocol::Secret;
use proptest::prelude::*;

const ORIGIN: &str = "example.org/audit";
/// Entries of a batch: one checkpoint each.
const BATCH: u64 = 8;

fn key(byte: u8) -> LogKey {
    LogKey::new(ORIGIN, Secret::new([byte; 32])).unwrap()
}

fn keyring() -> Keyring {
    Keyring::new(vec![key(1).verifying_key()])
}

/// A log as a database has it.
#[derive(Clone, Default)]
struct Log {
    entries: Vec<(u64, Vec<u8>)>,
    hashes: Vec<(u64, Hash)>,
    checkpoints: Vec<String>,
    tree: Tree,
}

impl Log {
    fn of(size: u64) -> Self {
        let mut log = Self::default();
        for index in 0..size {
            log.append(format!("entry {index}").as_bytes());
            if (index + 1) % BATCH == 0 {
                log.sign(&[&key(1)]);
            }
        }
        if !size.is_multiple_of(BATCH) {
            log.sign(&[&key(1)]);
        }
        log
    }

    fn append(&mut self, bytes: &[u8]) {
        let mut number = self.tree.stored_count();
        let hashes = &mut self.hashes;
        let index = self.tree.append(Entry::leaf_hash(bytes), |hash| {
            hashes.push((number, hash));
            number += 1;
        });
        self.entries.push((index, bytes.to_vec()));
    }

    fn sign(&mut self, keys: &[&LogKey]) {
        self.checkpoints
            .push(self.checkpoint().sign(keys).unwrap().to_text());
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: ORIGIN.to_owned(),
            size: self.tree.size(),
            root: self.tree.root(),
        }
    }

    fn renumber(&mut self) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            entry.0 = index as u64;
        }
    }

    fn verify(&self) -> Report {
        self.verify_with(&[])
    }

    fn verify_with(&self, outside: &[String]) -> Report {
        self.verify_as(Table::All, outside)
    }

    fn forget_all_but_leaves(&mut self) {
        let is_leaf = |number| tlog_tiles::split_stored_hash_index(number).0 == 0;
        self.hashes.retain(|&(number, _)| is_leaf(number));
    }

    fn verify_as(&self, table: Table, outside: &[String]) -> Report {
        let mut verification = Verification::new(keyring(), table);
        for text in &self.checkpoints {
            verification.checkpoint(text, Source::Log);
        }
        for text in outside {
            verification.checkpoint(text, Source::Outside);
        }
        for &(number, hash) in &self.hashes {
            verification.stored_hash(number, hash);
        }
        for (index, bytes) in &self.entries {
            verification.entry(*index, bytes);
        }
        verification.finish()
    }
}

fn check(log: &Log, expected: &[Finding]) {
    let report = log.verify();
    assert_eq!(report.findings, expected, "{report:#?}");
    assert_eq!(report.is_intact(), expected.is_empty());
}

#[test]
fn an_intact_log_has_no_findings() {
    for size in [0, 1, 7, 8, 9, 100] {
        let log = Log::of(size);
        check(&log, &[]);
        let report = log.verify_with(&log.checkpoints);
        assert_eq!(report.entries, size);
        assert_eq!(report.checkpoints, 2 * log.checkpoints.len() as u64);
        assert_eq!(report.root, log.tree.root());
        assert!(report.is_intact());
    }
}

#[test]
fn entries_alone_verify_against_the_checkpoints() {
    let log = Log::of(100);
    let mut verification = Verification::new(keyring(), Table::None);
    for (index, bytes) in &log.entries {
        for text in &log.checkpoints {
            let size = SignedCheckpoint::parse(text).unwrap().unverified().size;
            if size == *index + 1 {
                verification.checkpoint(text, Source::Log);
            }
        }
        verification.entry(*index, bytes);
    }
    assert!(verification.finish().is_intact());
}

#[test]
fn a_table_of_leaves_names_entries_too() {
    let mut log = Log::of(20);
    log.forget_all_but_leaves();
    let verify = |log: &Log| log.verify_as(Table::Leaves, &[]).findings;
    assert_eq!(verify(&log), []);
    let mut changed = log.clone();
    changed.entries[7].1[0] ^= 1;
    assert_eq!(verify(&changed), [Finding::Changed { index: 7 }]);
    let mut removed = log.clone();
    removed.hashes.remove(7);
    let number = tlog_tiles::stored_hash_index(0, 7);
    assert_eq!(
        verify(&removed),
        [Finding::HashChanged { number, entry: 7 }]
    );
}

#[test]
fn every_changed_byte_is_named() {
    let log = Log::of(20);
    for entry in 0..20 {
        for byte in 0..log.entries[entry].1.len() {
            let mut log = log.clone();
            log.entries[entry].1[byte] ^= 0x20;
            check(
                &log,
                &[Finding::Changed {
                    index: entry as u64,
                }],
            );
        }
    }
}

#[test]
fn every_removed_row_is_named() {
    for index in 0..20_u64 {
        let mut log = Log::of(20);
        log.entries.remove(index as usize);
        let findings = log.verify().findings;
        if index == 19 {
            // The last one: nothing is missing between two others.
            assert_eq!(
                findings[0],
                Finding::RolledBack {
                    size: 20,
                    entries: 19,
                    source: Source::Log
                }
            );
            assert!(matches!(findings[1], Finding::HashesLeft { count: 3, .. }));
        } else {
            assert_eq!(
                findings,
                [Finding::Removed {
                    first: index,
                    count: 1
                }]
            );
        }
    }
    let mut log = Log::of(20);
    log.entries.drain(3..17);
    check(
        &log,
        &[Finding::Removed {
            first: 3,
            count: 14,
        }],
    );
}

#[test]
fn a_removed_row_is_named_though_the_others_were_renumbered() {
    for index in 0..19_u64 {
        let mut log = Log::of(20);
        log.entries.remove(index as usize);
        log.renumber();
        let findings = log.verify().findings;
        assert!(
            findings.contains(&Finding::RemovedAndRenumbered { index }),
            "{findings:?}"
        );
        let others = findings.iter().filter(|finding| {
            !matches!(
                finding,
                Finding::RolledBack { .. } | Finding::HashesLeft { .. }
            )
        });
        assert_eq!(others.count(), 1, "{findings:?}");
    }
}

#[test]
fn an_inserted_row_is_named() {
    for index in 0..20_u64 {
        let mut log = Log::of(20);
        log.entries
            .insert(index as usize, (0, b"inserted".to_vec()));
        log.renumber();
        let findings = log.verify().findings;
        if index < 19 {
            assert!(
                findings.contains(&Finding::Inserted { index }),
                "{index} {findings:?}"
            );
        } else {
            assert!(
                findings.contains(&Finding::Changed { index }),
                "{index} {findings:?}"
            );
        }
        assert!(
            findings.contains(&Finding::Appended {
                first: 20,
                count: 1
            }),
            "{findings:?}"
        );
    }
}

#[test]
fn every_pair_of_swapped_rows_is_named() {
    for first in 0..20_usize {
        for second in first + 1..20 {
            let mut log = Log::of(20);
            log.entries.swap(first, second);
            log.renumber();
            check(
                &log,
                &[Finding::Swapped {
                    first: first as u64,
                    second: second as u64,
                }],
            );
        }
    }
}

#[test]
fn two_rows_that_were_swapped_with_their_hashes_are_named() {
    for (first, second) in [(0, 1), (3, 6), (3, 17), (15, 16), (2, 19)] {
        let mut log = Log::of(20);
        log.entries.swap(first, second);
        log.renumber();
        let mut forged = Log::default();
        for (_, bytes) in &log.entries {
            forged.append(bytes);
        }
        forged.checkpoints = log.checkpoints;
        forged.forget_all_but_leaves();
        let expected = Finding::Swapped {
            first: first as u64,
            second: second as u64,
        };
        assert_eq!(forged.verify_as(Table::Leaves, &[]).findings, [expected]);
    }
}

#[test]
fn an_appended_row_is_named() {
    let mut log = Log::of(20);
    log.append(b"forged");
    check(
        &log,
        &[Finding::Appended {
            first: 20,
            count: 1,
        }],
    );
    // A checkpoint for it by another key does not help.
    log.sign(&[&key(9)]);
    let error = crate::AuditError::NotSigned;
    check(
        &log,
        &[
            Finding::SignatureWrong {
                size: 21,
                source: Source::Log,
                error,
            },
            Finding::Appended {
                first: 20,
                count: 1,
            },
        ],
    );
}

#[test]
fn a_repeated_row_is_named() {
    let mut log = Log::of(20);
    log.entries.insert(5, log.entries[4].clone());
    check(&log, &[Finding::Repeated { index: 4 }]);
}

#[test]
fn every_changed_stored_hash_is_named() {
    let log = Log::of(20);
    for place in 0..log.hashes.len() {
        let mut changed = log.clone();
        changed.hashes[place].1.0[7] ^= 1;
        let number = changed.hashes[place].0;
        let findings = changed.verify().findings;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            matches!(findings[0], Finding::HashChanged { number: named, .. } if named == number)
        );

        let mut removed = log.clone();
        removed.hashes.remove(place);
        let findings = removed.verify().findings;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            matches!(findings[0], Finding::HashChanged { number: named, .. } if named == number)
        );
    }
}

#[test]
fn a_log_that_was_rolled_back_disagrees_with_the_witness() {
    let witnessed = Log::of(24).checkpoints.pop().unwrap();
    let rolled_back = Log::of(16);
    assert!(rolled_back.verify().is_intact(), "alone it looks well");
    let report = rolled_back.verify_with(std::slice::from_ref(&witnessed));
    let expected = Finding::RolledBack {
        size: 24,
        entries: 16,
        source: Source::Outside,
    };
    assert_eq!(report.findings, [expected]);

    // Rolled back, and written anew by whoever has the log's key.
    let mut forked = rolled_back;
    for _ in 0..16 {
        forked.append(b"another history");
    }
    forked.sign(&[&key(1)]);
    assert!(forked.verify().is_intact(), "alone it looks well");
    let report = forked.verify_with(&[witnessed]);
    let expected = [
        Finding::Rewritten {
            first: 16,
            size: 24,
            source: Source::Outside,
        },
        Finding::Forked {
            size: 24,
            later: 32,
        },
    ];
    assert_eq!(report.findings, expected);
}

#[test]
fn two_signed_histories_of_the_same_size_are_a_fork() {
    let log = Log::of(8);
    let mut other = Log::of(7);
    other.append(b"another");
    other.sign(&[&key(1)]);
    let report = log.verify_with(&other.checkpoints[1..]);
    assert_eq!(report.findings, [Finding::Forked { size: 8, later: 8 }]);
}

#[test]
fn an_entry_that_was_rewritten_with_its_hashes_is_narrowed_to_its_batch() {
    let log = Log::of(40);
    let mut forged = Log::default();
    for (index, bytes) in &log.entries {
        forged.append(if *index == 20 { b"forged" } else { bytes });
    }
    forged.checkpoints = log.checkpoints;
    check(
        &forged,
        &[Finding::Rewritten {
            first: 16,
            size: 24,
            source: Source::Log,
        }],
    );
}

#[test]
fn bad_checkpoints_are_named() {
    let mut log = Log::of(24);
    log.checkpoints[1] = log.checkpoints[1].replace("— ", "— x");
    let findings = log.verify().findings;
    assert!(
        matches!(&findings[..], [Finding::SignatureWrong { size: 16, .. }]),
        "{findings:?}"
    );
    let mut log = Log::of(24);
    log.checkpoints[1] = "nonsense".to_owned();
    let findings = log.verify().findings;
    assert!(
        matches!(&findings[..], [Finding::CheckpointUnreadable { .. }]),
        "{findings:?}"
    );

    let log = Log::of(24);
    let mut verification = Verification::new(keyring(), Table::None);
    for (index, bytes) in &log.entries {
        verification.entry(*index, bytes);
    }
    verification.checkpoint(&log.checkpoints[0], Source::Outside);
    let findings = verification.finish().findings;
    let expected = Finding::CheckpointOutOfOrder {
        size: 8,
        source: Source::Outside,
    };
    assert_eq!(
        findings,
        [
            expected,
            Finding::Appended {
                first: 0,
                count: 24
            }
        ]
    );
}

#[test]
fn a_gap_that_nothing_fills_is_named_once() {
    let log = Log::of(20);
    let mut verification = Verification::new(keyring(), Table::None);
    for text in &log.checkpoints {
        verification.checkpoint(text, Source::Log);
    }
    for (index, bytes) in log
        .entries
        .iter()
        .filter(|(index, _)| !(3..5).contains(index))
    {
        verification.entry(*index, bytes);
    }
    verification.entry(u64::MAX, b"far away");
    let findings = verification.finish().findings;
    let expected = [
        Finding::Removed { first: 3, count: 2 },
        Finding::Removed {
            first: 20,
            count: u64::MAX - 20,
        },
        Finding::Rewritten {
            first: 0,
            size: 8,
            source: Source::Log,
        },
    ];
    assert_eq!(findings[..3], expected);
}

/// The entry that announces the log's next key.
fn rotation(next: &LogKey) -> Vec<u8> {
    let sealer = Sealer::new(PseudonymKey::new(1, &Secret::new([1; 32])));
    let mut event = Event::new(0, Action::KeyRotate, Actor::SYSTEM);
    event.object = Some(Object {
        kind: Keyring::LOG_KEY,
        id: "2".to_owned(),
    });
    event
        .facts
        .insert("vkey", Fact::from(next.verifying_key().to_string()));
    let random = SealingRandom::new([0; SealingRandom::BYTES]);
    sealer.seal(&event, None, 0, random).unwrap().to_bytes()
}

#[test]
fn a_key_that_was_handed_over_is_followed() {
    let (old, new) = (key(1), key(2));
    let mut log = Log::of(8);
    log.append(&rotation(&new));
    log.sign(&[&old, &new]);
    log.append(b"after");
    log.sign(&[&new]);
    check(&log, &[]);

    // Signed by the old key after the hand-over.
    let mut late = log.clone();
    late.append(b"later");
    late.sign(&[&old]);
    let error = crate::AuditError::NotSigned;
    let wrong = Finding::SignatureWrong {
        size: 11,
        source: Source::Log,
        error: error.clone(),
    };
    check(
        &late,
        &[
            wrong,
            Finding::Appended {
                first: 10,
                count: 1,
            },
        ],
    );

    // Announced, and used without the old key's signature.
    let mut taken = Log::of(8);
    taken.append(&rotation(&new));
    taken.sign(&[&new]);
    let wrong = Finding::SignatureWrong {
        size: 9,
        source: Source::Log,
        error: error.clone(),
    };
    check(&taken, &[wrong, Finding::Appended { first: 8, count: 1 }]);

    // Signed by both without an announcement.
    let mut quiet = Log::of(8);
    quiet.append(b"nothing");
    quiet.sign(&[&old, &new]);
    quiet.append(b"after");
    quiet.sign(&[&new]);
    let wrong = Finding::SignatureWrong {
        size: 10,
        source: Source::Log,
        error,
    };
    check(&quiet, &[wrong, Finding::Appended { first: 9, count: 1 }]);
}

#[test]
fn findings_are_told_in_words_and_bounded() {
    let mut log = Log::of(2_000);
    for (_, bytes) in &mut log.entries {
        bytes.push(b'x');
    }
    let report = log.verify();
    assert_eq!(report.findings.len(), FINDINGS_MAX);
    assert_eq!(
        report.findings[0].to_string(),
        "entry 0 was changed: its bytes are not those that were signed"
    );
    assert!(report.unnamed > 0);
}

proptest! {
    /// Whatever single thing is done to a database, it is found.
    #[test]
    fn nothing_goes_unseen(size in 2..80_u64, place: prop::sample::Index, what in 0..5) {
        let mut log = Log::of(size);
        let index = place.index(size as usize);
        match what {
            0 => log.entries[index].1.push(0),
            1 => { log.entries.remove(index); }
            2 => { log.entries.remove(index); log.renumber(); }
            3 => log.hashes[index].1.0[0] ^= 0x80,
            _ => {
                let other = (index + 1) % size as usize;
                log.entries.swap(index, other);
                log.renumber();
            }
        }
        prop_assert!(!log.verify().is_intact());
    }

    #[test]
    fn nonsense_never_panics(
        feed in prop::collection::vec((0..3, 0..40_u64, any::<Vec<u8>>()), 0..60),
    ) {
        let mut verification = Verification::new(keyring(), Table::All);
        let log = Log::of(24);
        for (kind, number, bytes) in feed {
            match kind {
                0 => verification.entry(number, &bytes),
                1 => verification.stored_hash(number, Hash([number as u8; 32])),
                _ => verification.checkpoint(&log.checkpoints[number as usize % 3], Source::Log),
            }
        }
        let report = verification.finish();
        prop_assert!(report.entries <= 60);
    }
}

/// `cargo test --release -p bedside-audit verification_rate -- --ignored --nocapture`
#[test]
#[ignore = "measures, asserts no time"]
#[expect(clippy::disallowed_methods, reason = "measures")]
fn verification_rate() {
    const ENTRIES: u64 = 1_000_000;
    let body = vec![b'x'; 700];
    let (mut tree, mut hashes, mut checkpoints) = (Tree::new(), Vec::new(), Vec::new());
    let with = |index: u64| {
        let mut body = body.clone();
        body[..8].copy_from_slice(&index.to_be_bytes());
        body
    };
    for index in 0..ENTRIES {
        tree.append(Entry::leaf_hash(&with(index)), |hash| hashes.push(hash));
        if tree.size() % 64 == 0 {
            let checkpoint = Checkpoint {
                origin: ORIGIN.to_owned(),
                size: tree.size(),
                root: tree.root(),
            };
            checkpoints.push(checkpoint.sign(&[&key(1)]).unwrap().to_text());
        }
    }
    let start = std::time::Instant::now();
    let mut verification = Verification::new(keyring(), Table::All);
    let (mut number, mut checkpoints) = (0, checkpoints.iter());
    for first in (0..ENTRIES).step_by(64) {
        verification.checkpoint(checkpoints.next().unwrap(), Source::Log);
        let end = tlog_tiles::stored_hash_index(0, first + 64);
        while number < end {
            verification.stored_hash(number, hashes[number as usize]);
            number += 1;
        }
        for index in first..first + 64 {
            verification.entry(index, &with(index));
        }
    }
    let report = verification.finish();
    assert!(report.is_intact());
    let seconds = start.elapsed().as_secs_f64();
    let rate = ENTRIES as f64 / seconds;
    println!(
        "{rate:.0} entries/s: 10 million in {:.1} s, a checkpoint every 64",
        1e7 / rate
    );

    let start = std::time::Instant::now();
    for index in (0..ENTRIES).step_by(1_000) {
        let proof = crate::InclusionProof::new(index, ENTRIES, &hashes).unwrap();
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            size: ENTRIES,
            root: report.root,
        };
        assert_eq!(
            proof.verify(
                hashes
                    .hash(tlog_tiles::stored_hash_index(0, index))
                    .unwrap(),
                &checkpoint
            ),
            Ok(())
        );
    }
    println!(
        "a proof made and checked: {:.1} us",
        start.elapsed().as_secs_f64() * 1e6 / 1_000.0
    );
}
