use super::purge::purge;
use super::*;
use crate::testing::scratch;
use bedside_audit::{Action, Actor, Entry, Event};
use bedside_ledger::{Ledger, LedgerConfig, Search};
use bedside_protocol::Phi;

/// 2026-11-24, 09:00 UTC.
const NOW_US: u64 = 1_795_510_800_000_000;

fn records(overrides_file: Option<PathBuf>) -> Records {
    Records {
        configuration: Value::Null,
        agreements_file: None,
        witness_keys: vec![],
        retention: RetentionConfig {
            overrides_file,
            ..RetentionConfig::default()
        },
    }
}

/// A log with one record of somebody of each of these years.
async fn ledger(directory: &std::path::Path, years: &[u64]) -> Ledger {
    let mut config = LedgerConfig::in_directory(directory);
    config.origin = Some("log.example.org/audit".to_owned());
    let ledger = Ledger::open(&config).await.expect("a new log");
    for year in years {
        // The middle of the year.
        let at_us = ((year - 1970) * 31_557_600 + 15_000_000) * 1_000_000;
        let actor = Actor {
            id: Some(Phi::new("jane.roe".to_owned())),
            ..Actor::unknown(None)
        };
        ledger
            .record(Event::new(at_us, Action::Join, actor))
            .await
            .expect("recorded");
    }
    ledger
}

const ASKED: PurgeRequest = PurgeRequest {
    years: None,
    dry_run: false,
};

/// Whether the detail of each record can still be read.
async fn readable(ledger: &Ledger) -> Vec<bool> {
    let joins = Search {
        action: Some("room.join".to_owned()),
        ..Search::default()
    };
    let mut found = Vec::new();
    for stored in ledger
        .archive()
        .search(&joins, 100)
        .await
        .expect("read")
        .into_iter()
        .rev()
    {
        let entry = Entry::parse(&stored.body).expect("an entry");
        found.push(
            ledger
                .archive()
                .detail_key(&entry)
                .await
                .expect("read")
                .is_some(),
        );
    }
    found
}

#[tokio::test]
async fn what_is_older_than_its_term_cannot_be_read_and_can_be_proven() {
    let directory = scratch();
    let ledger = ledger(directory.path(), &[2018, 2019, 2020, 2026]).await;
    let asked = PurgeRequest {
        dry_run: true,
        ..ASKED
    };
    let report = purge(&records(None), &ledger, asked, Actor::SYSTEM, NOW_US)
        .await
        .expect("fine");
    assert_eq!(
        (report.before_year, report.years, report.keys),
        (2020, 6, None)
    );
    assert_eq!(readable(&ledger).await, [true, true, true, true]);

    let report = purge(&records(None), &ledger, ASKED, Actor::SYSTEM, NOW_US)
        .await
        .expect("fine");
    assert_eq!(report.keys, Some(2));
    assert_eq!(readable(&ledger).await, [false, false, true, true]);
    let archive = ledger.archive();
    let size = archive
        .last_checkpoint()
        .await
        .expect("read")
        .expect("there")
        .size;
    for index in 0..size {
        archive.inclusion(index, size).await.expect("provable");
    }
    let destroyed = Search {
        action: Some("key.destroy".to_owned()),
        ..Search::default()
    };
    let steps = archive.search(&destroyed, 10).await.expect("read");
    assert_eq!(steps.len(), 2, "ordered and done");
    ledger.close().await;
}

#[tokio::test]
async fn a_term_below_six_years_is_refused() {
    let directory = scratch();
    let ledger = ledger(directory.path(), &[2018]).await;
    let short = PurgeRequest {
        years: Some(5),
        ..ASKED
    };
    let error = purge(&records(None), &ledger, short, Actor::SYSTEM, NOW_US)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("45 CFR 164.316(b)(2)(i)"),
        "{error}"
    );
    assert_eq!(readable(&ledger).await, [true]);
    ledger.close().await;
}

#[tokio::test]
async fn a_legal_hold_keeps_everything() {
    let directory = scratch();
    let file = directory.path().join("counsel.toml");
    let text = "kind = \"override\"\nversion = \"2026-11-01.1\"\n\
                author = { role = \"general counsel\", date = 2026-11-01 }\n\
                [[hold]]\nid = \"2026-17\"\ndate = 2026-11-01\nreason = \"litigation\"\n";
    std::fs::write(&file, text).expect("written");
    let ledger = ledger(directory.path(), &[2018]).await;
    let held = records(Some(file));
    let error = purge(&held, &ledger, ASKED, Actor::SYSTEM, NOW_US)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("2026-17"), "{error}");
    assert_eq!(readable(&ledger).await, [true]);
    ledger.close().await;
}

#[tokio::test]
async fn nothing_is_destroyed_that_cannot_be_recorded() {
    let directory = scratch();
    let ledger = ledger(directory.path(), &[2018]).await;
    let other = ledger.clone();
    other.close().await;
    let error = purge(&records(None), &ledger, ASKED, Actor::SYSTEM, NOW_US)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unwritable(_)), "{error}");
}
