//! kill -9 at random points of a join storm: what was acknowledged is there, and the log verifies.

use crate::testing::{Directory, join};
use crate::{Ledger, LedgerConfig, VerifyOptions};
use bedside_audit::Entry;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn killed_fifteen_times_nothing_acknowledged_is_missing() {
    kill(15);
}

/// `cargo xtask bench --only evidence` runs it.
#[test]
#[ignore = "minutes: the figure of the specification"]
fn killed_two_hundred_times_nothing_acknowledged_is_missing() {
    let acknowledged = kill(200);
    println!("killed 200 times, {acknowledged} acknowledged, none missing, every start verified");
}

fn kill(times: u32) -> usize {
    let directory = Directory::new("kill");
    let mut all = 0;
    for round in 0..times {
        let acknowledged = storm(directory.path(), round);
        all += acknowledged.len();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(check(directory.path(), &acknowledged, round + 1 == times));
    }
    assert!(all > 0, "nothing was ever acknowledged");
    all
}

/// Starts a process that records as fast as it can, kills it, and returns what it was told is
/// durable: sequence and id.
fn storm(directory: &Path, round: u32) -> Vec<(u64, String)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::kill::recording",
            "--ignored",
            "--nocapture",
        ])
        .env("BEDSIDE_LEDGER_STORM", directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || {
        let mut acknowledged = Vec::new();
        // The last line may have been cut.
        for line in lines.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let parts: Vec<_> = line.split(' ').collect();
            if let ["acknowledged", sequence, id, "."] = parts[..] {
                acknowledged.push((sequence.parse().unwrap(), id.to_owned()));
            }
        }
        acknowledged
    });
    // From before the log is open until well into the storm; the odd rounds early.
    let mut random = [0; 2];
    getrandom::fill(&mut random).unwrap();
    let range = if round.is_multiple_of(2) { 400 } else { 120 };
    let after = Duration::from_millis(u64::from(u16::from_be_bytes(random)) % range);
    #[expect(
        clippy::disallowed_methods,
        reason = "a process is killed at some moment"
    )]
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

async fn check(directory: &Path, acknowledged: &[(u64, String)], all: bool) {
    let config = LedgerConfig::in_directory(directory);
    let ledger = Ledger::open(&config).await.expect("every start verifies");
    for (sequence, id) in acknowledged {
        let entry = ledger.archive().entry(*sequence).await.unwrap();
        let entry = entry.unwrap_or_else(|| panic!("entry {sequence} was acknowledged"));
        let entry = Entry::parse(&entry.body).unwrap();
        assert_eq!(entry.id.to_string(), *id, "entry {sequence}");
    }
    if all {
        let options = VerifyOptions {
            integrity: true,
            ..VerifyOptions::default()
        };
        let verified = ledger.archive().verify(&options).await.unwrap();
        assert!(verified.is_intact(), "{verified:?}");
    }
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started and killed by the tests above"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent says where the log is"
)]
async fn recording() {
    let directory = PathBuf::from(std::env::var_os("BEDSIDE_LEDGER_STORM").unwrap());
    let ledger = Ledger::open(&LedgerConfig::in_directory(&directory))
        .await
        .unwrap();
    let numbers = Arc::new(AtomicU64::new(0));
    let mut joining: Vec<_> = (0..64)
        .map(|_| {
            let (ledger, numbers) = (ledger.clone(), Arc::clone(&numbers));
            tokio::spawn(async move {
                loop {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    ledger.note(join(number));
                    let recorded = ledger.record(join(number)).await.unwrap();
                    let line = format!("acknowledged {} {} .\n", recorded.sequence, recorded.id);
                    // One write: a line is whole or cut, never mixed.
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                    std::io::stdout().flush().unwrap();
                }
            })
        })
        .collect();
    // None of them ends before the process does.
    joining.remove(0).await.unwrap();
}
