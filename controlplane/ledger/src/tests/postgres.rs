//! A real PostgreSQL 15 (Debian's `postgresql-15`), started for this run on a Unix socket of its
//! own, by a user without privileges.

use super::scenarios;
use super::tampering::Bench;
use crate::testing::{Directory, actions, join, record, slow_tests};
use crate::{Database, Error, Ledger, LedgerConfig};
use bedside_audit::{Action, Actor, Event};
use bedside_protocol::Secret;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A cluster that is stopped and removed when dropped.
struct Cluster {
    directory: Directory,
    /// Runs a program of PostgreSQL's as who it may run as: not root.
    user: Option<&'static str>,
}

impl Cluster {
    fn start() -> Self {
        let programs = programs();
        let initdb = programs.join("initdb");
        assert!(
            initdb.exists(),
            "apt-get install postgresql-15 (`cargo xtask test` does)"
        );
        let directory = Directory::new("postgres");
        let id = Command::new("id")
            .arg("-u")
            .output()
            .expect("id (coreutils)");
        let user = id.stdout.starts_with(b"0\n").then_some("postgres");
        if let Some(user) = user {
            let chown = Command::new("chown")
                .arg(user)
                .arg(directory.path())
                .status();
            assert!(chown.expect("chown (coreutils)").success());
        }
        let cluster = Self { directory, user };
        let data = cluster.data();
        cluster.run(
            &initdb,
            &[
                "-A",
                "trust",
                "-U",
                "bedside",
                "-N",
                "--data-checksums",
                "-D",
                &data,
            ],
        );
        cluster.up();
        cluster
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    fn up(&self) {
        let socket = self.directory.path().display().to_string();
        let options = format!("-c listen_addresses='' -c unix_socket_directories='{socket}'");
        let log = self.directory.path().join("log").display().to_string();
        self.control(&["-w", "-o", &options, "-l", &log, "start"]);
    }

    fn down(&self, mode: &str) {
        self.control(&["-w", "-m", mode, "stop"]);
    }

    fn control(&self, arguments: &[&str]) {
        let program = programs().join("pg_ctl");
        let data = self.data();
        let all: Vec<&str> = ["-D", &data].iter().chain(arguments).copied().collect();
        self.run(&program, &all);
    }

    fn run(&self, program: &Path, arguments: &[&str]) {
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                let names = [format!("--reuid={user}"), format!("--regid={user}")];
                command.args(names).arg("--clear-groups").arg(program);
                command
            }
        };
        // Not captured: the server keeps what it inherits.
        let status = command
            .args(arguments)
            .current_dir("/")
            .stdout(std::process::Stdio::null())
            .status()
            .expect("setpriv (util-linux)");
        assert!(status.success(), "{program:?} {arguments:?}");
    }

    fn url(&self, database: &str) -> String {
        let socket = self
            .directory
            .path()
            .display()
            .to_string()
            .replace('/', "%2F");
        format!("postgres://bedside@{socket}/{database}")
    }

    async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(database)).await.unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if Path::new(&self.data()).join("postmaster.pid").exists() {
            self.down("immediate");
        }
    }
}

/// Where Debian puts what only the server's user runs.
fn programs() -> PathBuf {
    PathBuf::from("/usr/lib/postgresql/15/bin")
}

/// The database that a log is in has the log's name.
fn database(config: &LedgerConfig) -> String {
    let name = config.keys_directory.parent().unwrap().file_name().unwrap();
    name.to_string_lossy().into_owned()
}

struct Databases<'a> {
    cluster: &'a Cluster,
    directory: Directory,
}

impl Bench for Databases<'_> {
    async fn config(&self, name: &str) -> LedgerConfig {
        let name = &format!("log_{name}");
        let mut connection = self.cluster.connect("postgres").await;
        let create = format!("CREATE DATABASE {name}");
        connection.execute(create.as_str()).await.unwrap();
        connection.close().await.unwrap();
        let data = self.directory.path().join(name);
        std::fs::create_dir(&data).unwrap();
        let mut config = LedgerConfig::in_directory(&data);
        config.database = Database::Postgres(Secret::new(self.cluster.url(name)));
        config
    }

    async fn tamper(&self, config: &LedgerConfig, statements: &[&str]) {
        let mut connection = self.cluster.connect(&database(config)).await;
        let prepare = "SET search_path = bedside_audit; SET session_replication_role = replica";
        connection.execute(prepare).await.unwrap();
        for statement in statements {
            // A body is text that both databases can replace in, each in its own words.
            let statement = statement
                .replace(
                    "cast(replace(cast(body AS text)",
                    "convert_to(replace(convert_from(body, 'UTF8')",
                )
                .replace("AS BLOB)", ", 'UTF8')");
            let done = connection.execute(statement.as_str()).await.unwrap();
            assert!(done.rows_affected() > 0, "{statement}");
        }
        connection.close().await.unwrap();
    }

    async fn attempt(&self, config: &LedgerConfig, statement: &str) -> Result<(), String> {
        let mut connection = self.cluster.connect(&database(config)).await;
        connection
            .execute("SET search_path = bedside_audit")
            .await
            .unwrap();
        let result = connection.execute(statement).await;
        connection.close().await.unwrap();
        result.map(drop).map_err(|error| error.to_string())
    }
}

#[tokio::test]
async fn every_scenario_over_postgresql() {
    if !slow_tests() {
        return;
    }
    let cluster = Cluster::start();
    let databases = Databases {
        cluster: &cluster,
        directory: Directory::new("databases"),
    };
    scenarios::all(&databases).await;
    one_control_plane_appends(&databases).await;
    a_database_that_goes_away_loses_nothing(&databases).await;
}

async fn one_control_plane_appends(databases: &Databases<'_>) {
    let config = databases.config("sequencer").await;
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 0..1).await;
    let second = Ledger::open(&config).await;
    assert!(matches!(second, Err(Error::Sequencer)), "{second:?}");
    ledger.close().await;
    Ledger::open(&config).await.unwrap().close().await;
}

/// Stopped in the middle of a storm, with everything in flight, and started again.
async fn a_database_that_goes_away_loses_nothing(databases: &Databases<'_>) {
    let config = databases.config("away").await;
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 0..10).await;
    let waiting: Vec<_> = (10..500)
        .map(|number| ledger.record(join(number)))
        .collect();
    databases.cluster.down("immediate");
    let mut durable = Vec::new();
    let mut refused = None;
    for waiting in waiting {
        match waiting.await {
            Ok(recorded) => durable.push(recorded),
            Err(error) => refused = Some(error),
        }
    }
    let refused = match refused {
        Some(refused) => refused,
        // All of it was faster than the stop.
        None => ledger.record(join(500)).await.unwrap_err(),
    };
    assert_eq!(refused.code(), "database_away", "{refused}");
    ledger.note(Event::new(7, Action::PeerClose, Actor::SYSTEM));
    assert!(!ledger.is_writable());
    databases.cluster.up();
    let mut health = ledger.health();
    let writable = health.wait_for(crate::Health::is_writable);
    tokio::time::timeout(Duration::from_secs(30), writable)
        .await
        .expect("writable again")
        .unwrap();
    ledger.record(join(501)).await.unwrap();
    for recorded in durable {
        let entry = ledger
            .archive()
            .entry(recorded.sequence)
            .await
            .unwrap()
            .unwrap();
        let entry = bedside_audit::Entry::parse(&entry.body).unwrap();
        assert_eq!(entry.id.to_string(), recorded.id);
    }
    let all = actions(&ledger).await;
    assert!(all.iter().any(|(action, _)| action == "pc.close"));
    let gap = ("audit.gap".to_owned(), Some("database_away".to_owned()));
    assert!(all.contains(&gap));
    let verified = ledger
        .archive()
        .verify(&crate::VerifyOptions::default())
        .await
        .unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    ledger.close().await;
}
