//! A full disk: a tmpfs of a few MiB in a mount namespace of a child's own.

use crate::testing::{Directory, actions, join};
use crate::{Ledger, LedgerConfig};
use bedside_audit::{Action, Actor, Event};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

#[test]
fn a_full_disk_refuses_records_and_keeps_notes() {
    let directory = Directory::new("disk");
    let script = "mount -t tmpfs -o size=3m,mode=700 tmpfs \"$BEDSIDE_LEDGER_DISK\" && exec \"$@\"";
    let mut unshare = Command::new("unshare");
    if !rustix_is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let child = unshare
        .args(["--mount", "--", "sh", "-c", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::disk::on_the_small_disk",
            "--ignored",
            "--nocapture",
        ])
        .env("BEDSIDE_LEDGER_DISK", directory.path())
        .output()
        .expect("unshare (util-linux)");
    let text = String::from_utf8_lossy(&child.stdout);
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{text}{errors}");
    assert!(text.contains("1 passed"), "{text}");
}

fn rustix_is_root() -> bool {
    let id = Command::new("id")
        .arg("-u")
        .output()
        .expect("id (coreutils)");
    id.stdout.starts_with(b"0\n")
}

#[tokio::test]
#[ignore = "started by the test above, where the disk is small"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent says where the disk is"
)]
async fn on_the_small_disk() {
    let disk = PathBuf::from(std::env::var_os("BEDSIDE_LEDGER_DISK").unwrap());
    let filler = disk.join("filler");
    std::fs::write(&filler, vec![1; 1 << 20]).unwrap();
    let ledger = Ledger::open(&LedgerConfig::in_directory(&disk))
        .await
        .unwrap();
    let mut number = 0;
    let refused = loop {
        number += 1;
        match ledger.record(join(number)).await {
            Ok(_) => assert!(number < 100_000),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code(), "disk_full");
    assert!(refused.to_string().contains("make room"), "{refused}");
    assert!(!ledger.is_writable());
    // What has happened meanwhile waits; nobody is let in.
    ledger.note(Event::new(7, Action::PeerClose, Actor::SYSTEM));
    ledger.record(join(number)).await.unwrap_err();
    let before = ledger.health().borrow().size;
    std::fs::remove_file(&filler).unwrap();
    let mut health = ledger.health();
    let written = health.wait_for(|health| health.is_writable() && health.size > before);
    tokio::time::timeout(Duration::from_secs(30), written)
        .await
        .expect("writable again")
        .unwrap();
    ledger.record(join(number)).await.unwrap();
    let all = actions(&ledger).await;
    let since = &all[usize::try_from(before).unwrap()..];
    assert_eq!(
        since[0],
        ("audit.gap".to_owned(), Some("disk_full".to_owned()))
    );
    assert_eq!(since[1].0, "pc.close");
    assert_eq!(since[2].0, "room.join");
    ledger.close().await;
    // A log that was full verifies.
    let ledger = Ledger::open(&LedgerConfig::in_directory(&disk))
        .await
        .unwrap();
    let verified = ledger
        .archive()
        .verify(&crate::VerifyOptions::default())
        .await
        .unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    ledger.close().await;
}
