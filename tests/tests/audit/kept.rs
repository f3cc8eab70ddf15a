//! A log as the server keeps it, in SQLite, exported and handed to the verifier that shares no code
//! with ours.

use crate::{
    log::{changed, join, write_tiles},
    python::{Python, TestFolder},
};
use bedside_audit::{
    Action, Actor, Detail, Entry, Event, Keyring, PseudonymKind, Source, Table, Tree, Verification,
};
use bedside_ledger::{Archive, Ledger, LedgerConfig, StoredEntry};

const SCRIPT: &str = "docs/compliance/verify_audit_log.py";

#[tokio::test]
async fn a_log_that_was_kept_and_whose_key_was_rotated_verifies_elsewhere() {
    let Some(python) = Python::any() else { return };
    let folder = TestFolder::new("kept");
    let mut config = LedgerConfig::in_directory(&folder.path("data"));
    config.origin = Some("clinic.example/audit".to_owned());
    std::fs::create_dir_all(folder.path("data")).unwrap();
    let ledger = Ledger::open(&config).await.unwrap();
    let vkey = ledger.archive().verifying_keys().unwrap()[0].to_string();
    for index in 0..300 {
        ledger.note(join(index, "practice"));
    }
    let first = ledger.record(join(300, "practice")).await.unwrap();
    let rotation = Event::new(
        join(301, "practice").at_us,
        Action::KeyRotate,
        Actor::SYSTEM,
    );
    ledger.rotate_key(rotation).await.unwrap();
    let last = ledger.record(join(302, "practice")).await.unwrap();
    ledger.close().await;

    let archive = Archive::open(&config).await.unwrap();
    let entries = all_entries(&archive).await;
    assert!(entries.len() as u64 > last.sequence && last.sequence > first.sequence + 1);

    // Ours.
    let key = vkey.parse().unwrap();
    let mut verification = Verification::new(Keyring::new(vec![key]), Table::Leaves);
    let mut older = Vec::new();
    for stored in archive.checkpoints(0, u32::MAX).await.unwrap() {
        verification.checkpoint(&stored.note, Source::Log);
        older.push(folder.write(
            &format!("{}.checkpoint", stored.size),
            stored.note.as_bytes(),
        ));
    }
    let (mut tree, mut hashes) = (Tree::new(), Vec::new());
    for stored in &entries {
        verification.stored_hash(tree.stored_count(), bedside_audit::Hash(stored.leaf));
        verification.entry(stored.sequence, &stored.body);
        tree.append(Entry::leaf_hash(&stored.body), |hash| hashes.push(hash));
    }
    let report = verification.finish();
    assert!(report.is_intact(), "{:?}", report.findings);

    // Theirs.
    let bodies: Vec<Vec<u8>> = entries.iter().map(|stored| stored.body.clone()).collect();
    let note = archive.last_checkpoint().await.unwrap().unwrap().note;
    write_tiles(&folder.path("log"), &bodies, &hashes, &note);
    let exported = folder.text("log");
    let mut arguments = vec![SCRIPT, "log", &exported, "--vkey", &vkey];
    for file in &older {
        arguments.extend(["--older", file]);
    }
    let intact = format!("intact: {} entries of clinic.example/audit", entries.len());
    assert_eq!(python.run(&arguments), Ok(intact));
    let tile = folder.path("log").join("tile/entries/000");
    let content = std::fs::read(&tile).unwrap();
    std::fs::write(&tile, changed(&content, 9_999)).unwrap();
    assert!(python.run(&arguments).is_err());
}

#[tokio::test]
async fn a_detail_whose_key_was_destroyed_is_gone_and_the_log_verifies() {
    let folder = TestFolder::new("shredded");
    std::fs::create_dir_all(folder.path("data")).unwrap();
    let config = LedgerConfig::in_directory(&folder.path("data"));
    let ledger = Ledger::open(&config).await.unwrap();
    let kept = ledger.record(join(0, "practice")).await.unwrap();
    let shredded = ledger.record(join(1, "practice")).await.unwrap();
    let subject = ledger
        .archive()
        .pseudonyms()
        .search(PseudonymKind::Person, "patient-1");
    let destroyed = ledger
        .destroy_detail_keys(Some(&subject), 2027)
        .await
        .unwrap();
    assert_eq!(destroyed, 1);
    ledger.close().await;

    let archive = Archive::open(&config).await.unwrap();
    let mut states = Vec::new();
    for sequence in [kept.sequence, shredded.sequence] {
        let stored = archive.entry(sequence).await.unwrap().unwrap();
        let entry = Entry::parse(&stored.body).unwrap();
        let key = archive.detail_key(&entry).await.unwrap();
        let detail = entry.detail(key.as_ref()).unwrap();
        if let Detail::Open(detail) = &detail {
            assert_eq!(detail["display_name"].expose(), "Jane Roe");
        }
        states.push(detail.state());
    }
    assert_eq!(states, ["detail open", "detail destroyed"]);
    // Nothing of the tree has changed.
    let reopened = Ledger::open(&config).await.unwrap();
    assert!(reopened.is_writable());
    reopened.close().await;
}

async fn all_entries(archive: &Archive) -> Vec<StoredEntry> {
    let mut entries: Vec<StoredEntry> = Vec::new();
    loop {
        let more = archive.entries(entries.len() as u64, 100).await.unwrap();
        if more.is_empty() {
            return entries;
        }
        entries.extend(more);
    }
}
