//! Somebody with the database's password changes it behind our back.

use crate::testing::{actions, record};
use crate::{Archive, Error, Ledger, LedgerConfig, VerifyOptions};

/// A database to be tampered with.
pub(super) trait Bench {
    /// A new log's configuration.
    async fn config(&self, name: &str) -> LedgerConfig;
    /// Runs statements with all triggers off, as the database's owner can.
    async fn tamper(&self, config: &LedgerConfig, statements: &[&str]);
    /// Runs one statement as any client would; the error's text.
    async fn attempt(&self, config: &LedgerConfig, statement: &str) -> Result<(), String>;
}

pub(super) async fn all(bench: &impl Bench) {
    rows_cannot_be_changed(bench).await;
    let last = 599;
    let changed = [
        "UPDATE entry SET body = cast(replace(cast(body AS text), 'room.join', 'room.wait') AS BLOB) WHERE sequence = 590",
    ];
    let cases: [(&str, &[&str], Option<u64>, &str); 8] = [
        ("changed", &changed, Some(590), "bytes or its hash"),
        (
            "removed",
            &["DELETE FROM entry WHERE sequence = 550"],
            Some(550),
            "missing",
        ),
        (
            "columns",
            &["UPDATE entry SET actor = 'p1_somebodyelse' WHERE sequence = 580"],
            Some(580),
            "searched by",
        ),
        (
            "swapped",
            &[
                "UPDATE entry SET sequence = 100000 WHERE sequence = 560",
                "UPDATE entry SET sequence = 560 WHERE sequence = 561",
                "UPDATE entry SET sequence = 561 WHERE sequence = 100000",
            ],
            None,
            "exchanged for another",
        ),
        (
            "appended",
            &[
                "INSERT INTO entry SELECT 600, at_us, action, outcome, actor, patient, room, \
               encounter, leaf, body FROM entry WHERE sequence = 10",
            ],
            Some(600),
            "only 600 were signed",
        ),
        (
            "put back",
            &[
                "DELETE FROM entry WHERE sequence >= 300",
                "DELETE FROM tile WHERE number > 0",
                "DELETE FROM checkpoint WHERE size > 300",
            ],
            Some(300),
            "put back to an earlier state",
        ),
        (
            "emptied",
            &[
                "DELETE FROM entry",
                "DELETE FROM tile",
                "DELETE FROM checkpoint",
            ],
            Some(0),
            "put back to an earlier state",
        ),
        (
            "checkpoint",
            &["UPDATE checkpoint SET note = replace(note, '600', '601') WHERE size = 600"],
            None,
            "checkpoint at 600 entries",
        ),
    ];
    for (name, statements, sequence, words) in cases {
        let config = bench
            .config(&format!("tampered_{}", name.replace(' ', "_")))
            .await;
        filled(&config, last + 1).await;
        bench.tamper(&config, statements).await;
        let error = Ledger::open(&config).await.expect_err(name);
        let Error::Fork(fork) = &error else {
            panic!("{name}: {error}");
        };
        if sequence.is_some() {
            assert_eq!(fork.sequence, sequence, "{name}: {error}");
        }
        assert!(error.to_string().contains(words), "{name}: {error}");
        assert!(
            error.to_string().contains("--accept-fork"),
            "{name}: {error}"
        );
        // Nothing was changed: the next start says the same.
        assert_eq!(
            Ledger::open(&config).await.unwrap_err().to_string(),
            error.to_string()
        );
    }
    far_back_is_found_by_verify(bench).await;
    an_accepted_fork_is_recorded_in_a_new_log(bench).await;
}

/// A log of `count` entries in batches of 100.
async fn filled(config: &LedgerConfig, count: u64) {
    let ledger = Ledger::open(config).await.unwrap();
    for first in (0..count).step_by(100) {
        record(&ledger, first..(first + 100).min(count)).await;
    }
    ledger.close().await;
}

async fn rows_cannot_be_changed(bench: &impl Bench) {
    let config = bench.config("append_only").await;
    filled(&config, 300).await;
    for statement in [
        "UPDATE entry SET outcome = 'denied' WHERE sequence = 1",
        "DELETE FROM entry WHERE sequence = 1",
        "DELETE FROM checkpoint",
        "UPDATE tile SET number = 7",
        "UPDATE log SET origin = 'other'",
        "UPDATE detail_key SET year = 1",
    ] {
        let error = bench
            .attempt(&config, statement)
            .await
            .expect_err(statement);
        assert!(
            error.contains("append-only") || error.contains("never changed"),
            "{error}"
        );
    }
    Ledger::open(&config).await.unwrap().close().await;
}

/// A start hashes the last entries; what lies before is found by a verification.
async fn far_back_is_found_by_verify(bench: &impl Bench) {
    let config = bench.config("far_back").await;
    let count = crate::limits::START_ENTRIES + 1_000;
    filled(&config, count).await;
    let statement = "UPDATE entry SET body = cast(replace(cast(body AS text), 'room.join', \
                     'room.wait') AS BLOB) WHERE sequence = 17";
    bench.tamper(&config, &[statement]).await;
    let archive = Archive::open(&config).await.unwrap();
    let verified = archive.verify(&VerifyOptions::default()).await.unwrap();
    archive.close().await;
    let findings: Vec<_> = verified
        .report
        .findings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("entry 17 was changed"), "{findings:?}");
    let tile = "UPDATE tile SET number = 100 WHERE level = 0 AND number = 2";
    bench.tamper(&config, &[tile]).await;
    let archive = Archive::open(&config).await.unwrap();
    let verified = archive.verify(&VerifyOptions::default()).await.unwrap();
    archive.close().await;
    assert!(
        verified
            .storage
            .iter()
            .any(|problem| problem.contains("tile 2")),
        "{verified:?}"
    );
}

async fn an_accepted_fork_is_recorded_in_a_new_log(bench: &impl Bench) {
    let mut config = bench.config("accepted").await;
    filled(&config, 20).await;
    bench
        .tamper(&config, &["DELETE FROM entry WHERE sequence = 7"])
        .await;
    let before = Archive::open(&config).await.unwrap();
    let origin = before.origin().to_owned();
    before.close().await;
    config.accept_fork = true;
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 0..1).await;
    assert_ne!(ledger.archive().origin(), origin);
    let all = actions(&ledger).await;
    assert_eq!(
        all[0],
        ("audit.verify".to_owned(), Some("fork_accepted".to_owned()))
    );
    assert_eq!(all.len(), 2);
    ledger.close().await;
    // From then on an ordinary log, with the flag or without.
    config.accept_fork = false;
    let ledger = Ledger::open(&config).await.unwrap();
    assert_eq!(actions(&ledger).await.len(), 2);
    ledger.close().await;
}
