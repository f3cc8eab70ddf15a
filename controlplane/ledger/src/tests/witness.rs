//! Somebody else's witness, `aics-witness` from PyPI, in the Python environment that `cargo xtask
//! test` makes.

use crate::testing::{Directory, actions, record, slow_tests};
use crate::{Ledger, WitnessConfig};
use bedside_audit::SignedCheckpoint;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::{sleep, timeout};

struct Witness {
    program: PathBuf,
    directory: Directory,
    port: u16,
    vkey: String,
    running: Option<Child>,
}

impl Witness {
    #[expect(clippy::disallowed_methods, reason = "xtask says where Python is")]
    fn new() -> Self {
        let python = std::env::var_os("BEDSIDE_TEST_AUDIT_PYTHON")
            .expect("`cargo xtask test --only rust` installs the packages and says where");
        let program = PathBuf::from(python).with_file_name("aics-witness");
        let directory = Directory::new("witness");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let listen = format!("127.0.0.1:{port}");
        let text = run(
            &program,
            directory.path(),
            &["init", "--name", "witness.example/w1", "--listen", &listen],
        );
        let vkey = text
            .split_whitespace()
            .find(|word| word.starts_with("witness.example/w1+"))
            .expect("it prints its key")
            .to_owned();
        Self {
            program,
            directory,
            port,
            vkey,
            running: None,
        }
    }

    fn config(&self) -> WitnessConfig {
        WitnessConfig {
            url: format!("http://127.0.0.1:{}", self.port),
            vkey: self.vkey.clone(),
            ca_file: None,
        }
    }

    fn trust(&self, origin: &str, vkey: &str) {
        let arguments = ["add-log", "--origin", origin, "--vkey", vkey];
        run(&self.program, self.directory.path(), &arguments);
    }

    async fn serve(&mut self) {
        let child = Command::new(&self.program)
            .arg("serve")
            .current_dir(self.directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.running = Some(child);
        let up = async {
            while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(30), up)
            .await
            .expect("it serves");
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(program: &Path, directory: &Path, arguments: &[&str]) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{arguments:?}: {text}");
    text
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), waiting).await.expect(what);
}

#[tokio::test]
async fn a_witness_cosigns_and_finds_a_database_that_was_put_back() {
    if !slow_tests() {
        return;
    }
    let mut witness = Witness::new();
    let directory = Directory::new("witnessed");
    let mut config = directory.config();
    config.publish_interval = Duration::from_millis(50);
    config.origin = Some("clinic.example/audit".to_owned());
    let first = Ledger::open(&config).await.unwrap();
    record(&first, 0..5).await;
    let vkey = first.archive().verifying_keys().unwrap()[0].to_string();
    first.close().await;
    config.witnesses = vec![witness.config()];

    // Nobody there: the log goes on, and says so.
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 5..6).await;
    until("it is missed", || ledger.witnesses()[0].problem.is_some()).await;
    assert!(ledger.unwitnessed() >= Some(6));

    // There, but it does not know the log; then it does.
    witness.serve().await;
    until("it does not know the log", || {
        let states = ledger.witnesses();
        let problem = states[0].problem.as_deref().unwrap_or_default();
        problem.contains("does not know this log") || problem.contains("signature")
    })
    .await;
    witness.stop();
    witness.trust("clinic.example/audit", &vkey);
    witness.serve().await;
    until("it cosigns", || ledger.unwitnessed() == Some(0)).await;
    assert_eq!(ledger.witnesses()[0].problem, None);
    let archive = ledger.archive();
    let size = ledger.witnesses()[0].size;
    let cosignatures = archive.cosignatures(size).await.unwrap();
    let mut note = archive.checkpoints(size, 1).await.unwrap()[0].note.clone();
    note.push_str(&format!("{}\n", cosignatures[0].line));
    let key = witness.vkey.parse().unwrap();
    let cosigned = SignedCheckpoint::parse(&note)
        .unwrap()
        .cosigned_by(&[key])
        .unwrap();
    assert_eq!(cosigned[0].witness, "witness.example/w1");
    ledger.close().await;
    let database = directory.path().join("audit.sqlite");
    let backup = directory.path().join("backup");
    std::fs::copy(&database, &backup).unwrap();
    let head = config.keys_directory.join("audit-head");
    let old_head = std::fs::read(&head).unwrap();

    // More is cosigned; a proof leads from what was seen before.
    let ledger = Ledger::open(&config).await.unwrap();
    record(&ledger, 6..400).await;
    until("it cosigns more", || {
        ledger.witnesses()[0].size >= 400 && ledger.unwitnessed() == Some(0)
    })
    .await;
    let recorded = actions(&ledger).await;
    assert!(recorded.contains(&(
        "audit.witness".to_owned(),
        Some("cosigned_again".to_owned())
    )));
    ledger.close().await;

    // Database and keys put back to what they were.
    std::fs::copy(&backup, &database).unwrap();
    std::fs::write(&head, old_head).unwrap();
    let error = Ledger::open(&config).await.unwrap_err().to_string();
    assert!(error.contains("put back to an earlier state"), "{error}");
    assert!(error.contains("the witness witness.example/w1"), "{error}");
}
