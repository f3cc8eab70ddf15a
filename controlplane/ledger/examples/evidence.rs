//! The figures of the audit log: joins a second with every one durable, what that adds to a join,
//! and how long a log of millions takes to be opened, proven from and verified.
//!
//! `cargo xtask bench --only evidence` runs it; `--entries` sets how large the log gets.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a command that measures prints figures"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a command that measures reads the clock and its arguments"
)]

use bedside_audit::{Action, Actor, ActorKind, Event, Hash, SignedCheckpoint};
use bedside_ledger::{Ledger, LedgerConfig, VerifyOptions};
use bedside_protocol::Phi;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut entries = 10_000_000;
    let mut directory = std::env::temp_dir();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--entries", Some(count)) => entries = count.parse()?,
            ("--directory", Some(path)) => directory = PathBuf::from(path),
            _ => {
                return Err(
                    "arguments: --entries COUNT, --directory PATH (on the disk to measure)".into(),
                );
            }
        }
    }
    let directory = directory.join(format!("bedside-evidence-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let measured = measure(&directory, entries).await;
    std::fs::remove_dir_all(&directory)?;
    measured
}

async fn measure(directory: &Path, entries: u64) -> Result<(), Failure> {
    let config = LedgerConfig::in_directory(directory);
    let ledger = Ledger::open(&config).await?;
    print("the disk: 8 KiB written and flushed", floor(directory)?);
    let alone = one_at_a_time(&ledger, 500).await?;
    print("a join alone, nobody else", alone);
    let steady = paced(&ledger, 1_000, Duration::from_secs(10)).await?;
    print("a join among 1,000 a second (goal: p99 < 20 ms)", steady);
    let (count, took, waits) = storm(&ledger, 512, Duration::from_secs(10)).await?;
    println!(
        "audited joins a second, 512 at once (goal: 1,000): {:.0}",
        rate(count, took)
    );
    print("  each of them", waits);

    let begun = Instant::now();
    let before = ledger.archive().size().await?;
    fill(&ledger, entries.saturating_sub(before)).await?;
    let size = ledger.archive().size().await?;
    println!(
        "filled to {size} entries: {:.0} a second",
        rate(size - before, begun.elapsed())
    );
    ledger.close().await;
    let bytes = std::fs::metadata(directory.join("audit.sqlite"))?.len();
    println!(
        "  {} bytes an entry on disk, all included",
        bytes / size.max(1)
    );

    let begun = Instant::now();
    let ledger = Ledger::open(&config).await?;
    println!(
        "start with {size} entries: {:.0} ms",
        milliseconds(begun.elapsed())
    );
    print(
        "proof of an entry (goal: < 1 ms)",
        proofs(&ledger, size).await?,
    );
    let begun = Instant::now();
    let verified = ledger.archive().verify(&VerifyOptions::default()).await?;
    let took = begun.elapsed();
    println!(
        "verify of {} entries, {} checkpoints: {:.1} s, {:.0} entries a second (goal: 10 million in 60 s)",
        verified.report.entries,
        verified.report.checkpoints,
        took.as_secs_f64(),
        rate(verified.report.entries, took)
    );
    ledger.close().await;
    if verified.is_intact() {
        Ok(())
    } else {
        Err(format!("the log that was just written is not intact: {verified:?}").into())
    }
}

/// What no log can be faster than: a file that grows and is flushed.
fn floor(directory: &Path) -> Result<Vec<Duration>, Failure> {
    let path = directory.join("floor");
    let mut file = std::fs::File::create(&path)?;
    let mut waits = Vec::new();
    for _ in 0..500 {
        let begun = Instant::now();
        file.write_all(&[7; 8_192])?;
        file.sync_data()?;
        waits.push(begun.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(waits)
}

async fn one_at_a_time(ledger: &Ledger, count: u64) -> Result<Vec<Duration>, Failure> {
    let mut waits = Vec::new();
    for number in 0..count {
        let begun = Instant::now();
        ledger.record(join(number)).await?;
        waits.push(begun.elapsed());
    }
    Ok(waits)
}

/// Joins at a steady rate, whether those before have been answered or not.
async fn paced(ledger: &Ledger, rate: u64, during: Duration) -> Result<Vec<Duration>, Failure> {
    let mut ticks = interval(Duration::from_millis(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut joining = JoinSet::new();
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < during {
        let due = ticks.tick().await;
        let wanted = u64::try_from(begun.elapsed().as_micros())? * rate / 1_000_000;
        while sent < wanted {
            // Measured from when it was due, not from when it got its turn.
            let recorded = ledger.record(join(sent));
            joining.spawn(async move { recorded.await.map(|_| due.elapsed()) });
            sent += 1;
        }
    }
    waits(joining).await
}

/// So many who join again as soon as they have joined.
async fn storm(
    ledger: &Ledger,
    at_once: u64,
    during: Duration,
) -> Result<(u64, Duration, Vec<Duration>), Failure> {
    let begun = Instant::now();
    let mut joining = JoinSet::new();
    for first in 0..at_once {
        let ledger = ledger.clone();
        joining.spawn(async move {
            let mut waits = Vec::new();
            let mut number = first;
            while begun.elapsed() < during {
                let asked = Instant::now();
                ledger.record(join(number)).await?;
                waits.push(asked.elapsed());
                number += at_once;
            }
            Ok::<_, bedside_ledger::Unwritable>(waits)
        });
    }
    let mut all = Vec::new();
    while let Some(joined) = joining.join_next().await {
        all.extend(joined??);
    }
    Ok((all.len() as u64, begun.elapsed(), all))
}

/// The log as a busy clinic fills it: many at once, batches as large as they get.
async fn fill(ledger: &Ledger, count: u64) -> Result<(), Failure> {
    let mut number = 0;
    while number < count {
        let until = (number + 2_048).min(count);
        let waiting: Vec<_> = (number..until)
            .map(|number| ledger.record(join(number)))
            .collect();
        for recorded in waiting {
            recorded.await?;
        }
        number = until;
    }
    Ok(())
}

async fn proofs(ledger: &Ledger, size: u64) -> Result<Vec<Duration>, Failure> {
    let archive = ledger.archive();
    let last = archive.last_checkpoint().await?.ok_or("no checkpoint")?;
    let signed = SignedCheckpoint::parse(&last.note)?;
    let mut waits = Vec::new();
    for number in 0..1_000_u64 {
        // Spread over the whole log, no two in one tile.
        let index = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % size;
        let entry = archive.entry(index).await?.ok_or("an entry is missing")?;
        let begun = Instant::now();
        let proof = archive.inclusion(index, last.size).await?;
        waits.push(begun.elapsed());
        proof.verify(Hash(entry.leaf), signed.unverified())?;
    }
    Ok(waits)
}

async fn waits(
    mut joining: JoinSet<Result<Duration, bedside_ledger::Unwritable>>,
) -> Result<Vec<Duration>, Failure> {
    let mut waits = Vec::new();
    while let Some(joined) = joining.join_next().await {
        waits.push(joined??);
    }
    Ok(waits)
}

/// Somebody joins, with all that a record of a join says.
fn join(number: u64) -> Event {
    let patient = Phi::new(format!("patient-{}", number % 50_000));
    let actor = Actor {
        kind: ActorKind::Patient,
        id: Some(patient.clone()),
        address: Some([192, 0, 2, 7].into()),
        ..Actor::SYSTEM
    };
    let mut event = Event::new(1_790_000_000_000_000 + number, Action::Join, actor);
    event.patient = Some(patient);
    event.room = Some(Phi::new(format!("room-{}", number % 1_000)));
    event.encounter = Some(format!("RM_{:012}", number / 4));
    event.facts.insert("protocol", 16.into());
    event
        .detail
        .insert("display_name", Phi::new("A Patient With A Name".to_owned()));
    event
}

fn print(what: &str, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |part: usize| {
        let index = (waits.len() * part / 1_000).min(waits.len().saturating_sub(1));
        milliseconds(waits.get(index).copied().unwrap_or_default())
    };
    println!(
        "{what}: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms of {}",
        at(500),
        at(990),
        at(999),
        waits.len()
    );
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a rate to be read")]
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
