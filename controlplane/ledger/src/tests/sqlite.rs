//! SQLite: the scenarios, and what only a file can suffer.

use super::scenarios;
use super::tampering::Bench;
use crate::testing::{Directory, record};
use crate::{Database, Error, Ledger, LedgerConfig, VerifyOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

struct Files {
    directory: Directory,
}

fn path(config: &LedgerConfig) -> PathBuf {
    match &config.database {
        Database::Sqlite(path) => path.clone(),
        Database::Postgres(_) => unreachable!("these are files"),
    }
}

async fn connect(config: &LedgerConfig) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path(config));
    options.connect().await.unwrap()
}

impl Bench for Files {
    async fn config(&self, name: &str) -> LedgerConfig {
        let data = self.directory.path().join(name);
        std::fs::create_dir(&data).unwrap();
        LedgerConfig::in_directory(&data)
    }

    async fn tamper(&self, config: &LedgerConfig, statements: &[&str]) {
        let mut connection = connect(config).await;
        let triggers = sqlx::query("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        for trigger in &triggers {
            let name: String = trigger.get(0);
            let drop = format!("DROP TRIGGER {name}");
            sqlx::query(&drop).execute(&mut connection).await.unwrap();
        }
        for statement in statements {
            let done = sqlx::query(statement)
                .execute(&mut connection)
                .await
                .unwrap();
            assert!(done.rows_affected() > 0, "{statement}");
        }
        for trigger in &triggers {
            let text: String = trigger.get(1);
            sqlx::query(&text).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    async fn attempt(&self, config: &LedgerConfig, statement: &str) -> Result<(), String> {
        let mut connection = connect(config).await;
        let result = sqlx::query(statement).execute(&mut connection).await;
        connection.close().await.unwrap();
        result.map(drop).map_err(|error| error.to_string())
    }
}

#[tokio::test]
async fn every_scenario_over_sqlite() {
    let files = Files {
        directory: Directory::new("scenarios"),
    };
    scenarios::all(&files).await;
}

#[tokio::test]
async fn a_second_control_plane_is_refused() {
    let directory = Directory::new("second");
    let ledger = Ledger::open(&directory.config()).await.unwrap();
    let second = Ledger::open(&directory.config()).await;
    assert!(matches!(second, Err(Error::Sequencer)));
    ledger.close().await;
    Ledger::open(&directory.config())
        .await
        .unwrap()
        .close()
        .await;
}

/// Every page in turn is overwritten: the start says so, or a verification does.
#[tokio::test]
async fn a_corrupted_page_is_found_wherever_it_is() {
    let directory = Directory::new("page");
    let config = directory.config();
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 0..300).await;
    ledger.close().await;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path(&config))
        .unwrap();
    let pages = file.metadata().unwrap().len() / PAGE_BYTES;
    assert!(pages > 60, "{pages}");
    // A page of each kind without opening three hundred logs: every seventh.
    for page in (0..pages).step_by(7) {
        let mut before = [0; 512];
        let at = page * PAGE_BYTES + PAGE_BYTES / 2;
        file.read_exact_at(&mut before, at).unwrap();
        let after = before.map(|byte| byte ^ 0x5a);
        file.write_all_at(&after, at).unwrap();
        let found = match Ledger::open(&config).await {
            Err(_) => true,
            Ok(ledger) => {
                let options = VerifyOptions {
                    integrity: true,
                    ..VerifyOptions::default()
                };
                let verified = ledger.archive().verify(&options).await;
                ledger.close().await;
                !verified.is_ok_and(|verified| verified.is_intact())
            }
        };
        let unused = before.iter().all(|byte| *byte == 0);
        assert!(found || unused, "page {page} of {pages}");
        // Whatever the open may have written, put the page back as it was.
        file.write_all_at(&before, at).unwrap();
    }
}

#[tokio::test]
async fn what_is_no_database_is_said_to_be_damaged_and_can_be_set_aside() {
    let directory = Directory::new("header");
    let mut config = directory.config();
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 0..3).await;
    ledger.close().await;
    std::fs::write(
        path(&config),
        "not a database, and long enough to be looked at",
    )
    .unwrap();
    let error = Ledger::open(&config).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(_)), "{error}");
    assert!(error.to_string().contains("--accept-fork"), "{error}");
    config.accept_fork = true;
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 0..1).await;
    ledger.close().await;
}

#[tokio::test]
async fn a_database_put_back_whole_is_found_by_a_mirror() {
    let directory = Directory::new("rollback");
    let mut config = directory.config();
    config.mirrors = vec![directory.path().join("elsewhere")];
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 0..10).await;
    ledger.close().await;
    let backup = directory.path().join("backup");
    std::fs::copy(path(&config), &backup).unwrap();
    let head = config.keys_directory.join("audit-head");
    let old_head = std::fs::read(&head).unwrap();
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 10..20).await;
    ledger.close().await;
    // Database and keys, as from one backup.
    std::fs::copy(&backup, path(&config)).unwrap();
    std::fs::write(&head, old_head).unwrap();
    let error = Ledger::open(&config).await.unwrap_err().to_string();
    assert!(
        error.contains("ends at 10 entries, and 20 are known"),
        "{error}"
    );
    assert!(error.contains("elsewhere"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_gone_is_not_begun_anew() {
    let directory = Directory::new("gone");
    let config = directory.config();
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 0..10).await;
    ledger.close().await;
    std::fs::remove_file(path(&config)).unwrap();
    let error = Ledger::open(&config).await.unwrap_err().to_string();
    assert!(
        error.contains("is empty, and the log had 10 entries"),
        "{error}"
    );
}

const PAGE_BYTES: u64 = 4_096;
