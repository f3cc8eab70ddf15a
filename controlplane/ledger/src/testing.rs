//! What tests of this crate share: a log in a directory of its own, events, a clock to move.

use crate::clock::Clock;
use crate::{Ledger, LedgerConfig};
use bedside_audit::{Action, Actor, ActorKind, Event};
use bedside_protocol::Phi;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A directory that is removed when dropped.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bedside-ledger-{name}-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory for a test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn config(&self) -> LedgerConfig {
        LedgerConfig::in_directory(&self.0)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// A clock that runs with the system's and can be moved.
#[derive(Debug, Default)]
pub(crate) struct MovedClock {
    system: crate::SystemClock,
    moved_ms: AtomicI64,
}

impl MovedClock {
    pub(crate) fn step(&self, milliseconds: i64) {
        self.moved_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

impl Clock for MovedClock {
    fn wall_us(&self) -> u64 {
        let moved_us = self.moved_ms.load(Ordering::Relaxed) * 1_000;
        self.system.wall_us().saturating_add_signed(moved_us)
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
}

/// Somebody joins: `number` tells one from another.
pub(crate) fn join(number: u64) -> Event {
    let actor = Actor {
        kind: ActorKind::Patient,
        id: Some(Phi::new(format!("patient-{number}"))),
        address: Some([192, 0, 2, 7].into()),
        ..Actor::SYSTEM
    };
    let mut event = Event::new(1_700_000_000_000_000 + number, Action::Join, actor);
    event.patient = Some(Phi::new(format!("patient-{number}")));
    event.room = Some(Phi::new("room-1".to_owned()));
    event.encounter = Some(format!("RM_{:04}", number % 10));
    event.facts.insert("number", number.into());
    event
}

/// Records joins `numbers`, all at once; each is in the log when this returns.
pub(crate) async fn record(ledger: &Ledger, numbers: std::ops::Range<u64>) {
    let waiting: Vec<_> = numbers.map(|number| ledger.record(join(number))).collect();
    for recorded in waiting {
        recorded.await.expect("a log that can be written");
    }
}

/// What the entries are of, in order.
pub(crate) async fn actions(ledger: &Ledger) -> Vec<(String, Option<String>)> {
    let entries = ledger.archive().entries(0, 100_000).await.unwrap();
    entries
        .iter()
        .map(|entry| {
            let entry = bedside_audit::Entry::parse(&entry.body).unwrap();
            (entry.action.name().to_owned(), entry.reason)
        })
        .collect()
}

/// Whether tests with processes of others run.
#[expect(
    clippy::disallowed_methods,
    reason = "which tests run is said by the environment"
)]
pub(crate) fn slow_tests() -> bool {
    let slow = std::env::var_os("BEDSIDE_SLOW_TESTS").is_some();
    if !slow {
        eprintln!("skipped: BEDSIDE_SLOW_TESTS is not set");
    }
    slow
}
