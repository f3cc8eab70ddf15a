use super::*;
use crate::{VerifyError, verify};
use bedside_audit::{ActorKind, Fact};
use bedside_ledger::LedgerConfig;
use bedside_protocol::Phi;
use std::path::PathBuf;

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("bedside-evidence-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::remove_dir_all(&path).ok();
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// 2026-11-24, 09:00 UTC.
const START_US: u64 = 1_795_510_800_000_000;

async fn ledger(folder: &Folder) -> Ledger {
    let mut config = LedgerConfig::in_directory(&folder.0);
    config.origin = Some("log.example.org/audit".to_owned());
    Ledger::open(&config).await.unwrap()
}

fn clinician() -> Actor {
    Actor {
        kind: ActorKind::User,
        id: Some(Phi::new("jane.roe".to_owned())),
        ..Actor::unknown(Some("203.0.113.9".parse().unwrap()))
    }
}

fn happened(second: u64, action: Action, encounter: &str) -> Event {
    Event {
        encounter: Some(encounter.to_owned()),
        ..Event::new(START_US + second * 1_000_000, action, clinician())
    }
}

fn request(scope: Scope, clear_text: bool) -> Request {
    Request {
        scope,
        clear_text,
        now_us: START_US + 60_000_000,
        actor: Actor {
            kind: ActorKind::Operator,
            ..Actor::SYSTEM
        },
        policy: None,
        setup: Setup {
            release: "0.0.0",
            configuration: Value::Null,
            agreements: Value::Null,
            inventory: Value::Null,
            witness_keys: vec![],
        },
    }
}

fn one() -> Scope {
    Scope::Consult("RM_one".to_owned())
}

#[tokio::test]
async fn a_bundle_of_a_log_verifies_and_is_recorded() {
    let folder = Folder::new("bundle");
    let ledger = ledger(&folder).await;
    for (second, encounter) in [(0, "RM_one"), (1, "RM_two"), (2, "RM_one")] {
        ledger
            .record(happened(second, Action::Join, encounter))
            .await
            .unwrap();
    }
    let archive = make(&ledger, request(one(), false)).await.unwrap();
    let keys = ledger.archive().verifying_keys().unwrap();
    let report = verify(&archive, &keys).unwrap();
    assert_eq!(report.entries, 2);
    assert_eq!(report.origin, "log.example.org/audit");
    assert!(!String::from_utf8_lossy(&archive).contains("jane.roe"));

    let recorded = ledger
        .archive()
        .entry(report.seal_index)
        .await
        .unwrap()
        .unwrap();
    let recorded = Entry::parse(&recorded.body).unwrap();
    assert_eq!(recorded.action, Action::Evidence);
    assert_eq!(recorded.object.unwrap().id, "RM_one");
    assert_eq!(recorded.facts.get("clear_text"), Some(&Fact::Flag(false)));

    let mut changed = archive.clone();
    let at = archive
        .windows(6)
        .position(|text| text == b"RM_one")
        .unwrap();
    changed[at] = b'S';
    assert!(matches!(
        verify(&changed, &keys),
        Err(VerifyError::File { .. } | VerifyError::Line { .. })
    ));
    ledger.close().await;
}

#[tokio::test]
async fn names_are_read_only_after_that_was_recorded() {
    let folder = Folder::new("clear");
    let ledger = ledger(&folder).await;
    ledger
        .record(happened(0, Action::Join, "RM_one"))
        .await
        .unwrap();
    let archive = make(&ledger, request(one(), true)).await.unwrap();
    let report = verify(&archive, &[]).unwrap();
    assert!(report.clear_text);
    assert!(String::from_utf8_lossy(&archive).contains("jane.roe"));
    let search = Search {
        action: Some("audit.read".to_owned()),
        ..Search::default()
    };
    let read = ledger.archive().search(&search, 2).await.unwrap();
    assert_eq!(read.len(), 1);
    assert!(read[0].sequence < report.seal_index);
    ledger.close().await;
}

#[tokio::test]
async fn a_destroyed_key_leaves_the_proof_and_takes_the_name() {
    let folder = Folder::new("destroyed");
    let ledger = ledger(&folder).await;
    ledger
        .record(happened(0, Action::Join, "RM_one"))
        .await
        .unwrap();
    assert_eq!(
        ledger.destroy_detail_keys(None, 2026).await.unwrap(),
        0,
        "of this year"
    );
    assert!(ledger.destroy_detail_keys(None, 2027).await.unwrap() > 0);
    let archive = make(&ledger, request(one(), true)).await.unwrap();
    assert_eq!(verify(&archive, &[]).unwrap().entries, 1);
    assert!(!String::from_utf8_lossy(&archive).contains("jane.roe"));
    ledger.close().await;
}

#[tokio::test]
async fn nothing_makes_no_bundle_and_no_record() {
    let folder = Folder::new("nothing");
    let ledger = ledger(&folder).await;
    ledger
        .record(happened(0, Action::Join, "RM_one"))
        .await
        .unwrap();
    let none = Scope::Consult("RM_none".to_owned());
    let error = make(&ledger, request(none, false)).await.unwrap_err();
    assert!(matches!(error, MakeError::Nothing));
    let search = Search {
        action: Some("audit.evidence".to_owned()),
        ..Search::default()
    };
    assert!(
        ledger
            .archive()
            .search(&search, 1)
            .await
            .unwrap()
            .is_empty()
    );
    ledger.close().await;
}

#[tokio::test]
async fn a_log_that_is_closed_gives_nothing_away() {
    let folder = Folder::new("closed");
    let ledger = ledger(&folder).await;
    ledger
        .record(happened(0, Action::Join, "RM_one"))
        .await
        .unwrap();
    let other = ledger.clone();
    other.close().await;
    assert!(make(&ledger, request(one(), true)).await.is_err());
}
