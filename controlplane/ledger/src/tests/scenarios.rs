//! What holds over either database.

use crate::testing::{MovedClock, actions, join, record};
use crate::tests::tampering::Bench;
use crate::{Ledger, LedgerConfig, Unwritable, VerifyOptions};
use bedside_audit::{Action, Actor, Detail, Entry, Event, InclusionProof, SignedCheckpoint};
use std::sync::Arc;

/// Every scenario, on a log of its own each.
pub(super) async fn all(bench: &impl Bench) {
    recorded_is_durable_under_a_checkpoint(&bench.config("recorded").await).await;
    order_is_kept(&bench.config("order").await).await;
    a_clock_that_steps_is_recorded(&bench.config("clock").await).await;
    notes_that_find_no_place_become_a_gap(&bench.config("gap").await).await;
    destroyed_keys_open_nothing_and_every_proof_holds(&bench.config("shred").await).await;
    a_rotated_key_is_followed(&bench.config("rotate").await).await;
    crate::tests::tampering::all(bench).await;
}

async fn recorded_is_durable_under_a_checkpoint(config: &LedgerConfig) {
    let ledger = Ledger::open(config).await.unwrap();
    let recorded = ledger.record(join(1)).await.unwrap();
    assert_eq!((recorded.sequence, recorded.checkpoint), (0, 1));
    ledger.note(Event::new(5, Action::RoomOpen, Actor::SYSTEM));
    record(&ledger, 2..700).await;
    ledger.close().await;
    assert_eq!(ledger.record(join(9)).await, Err(Unwritable::Closed));

    let ledger = Ledger::open(config).await.unwrap();
    let archive = ledger.archive();
    let entries = archive.entries(0, 10_000).await.unwrap();
    assert_eq!(entries.len(), 700);
    assert_eq!(entries[0].sequence, 0);
    assert_eq!(entries[1].columns.action, "room.open");
    let found = Entry::parse(&entries[0].body).unwrap();
    assert_eq!(found.id.to_string(), recorded.id);
    let last = archive.last_checkpoint().await.unwrap().unwrap();
    let signed = SignedCheckpoint::parse(&last.note).unwrap();
    let checkpoint = signed.verify(&archive.verifying_keys().unwrap()).unwrap();
    assert_eq!(checkpoint.size, 700);
    for index in [0, 1, 255, 256, 511, 600, 699] {
        let proof: InclusionProof = archive.inclusion(index, 700).await.unwrap();
        let entry = archive.entry(index).await.unwrap().unwrap();
        let leaf = bedside_audit::Hash(entry.leaf);
        proof.verify(leaf, checkpoint).unwrap();
    }
    for stored in archive.checkpoints(1, 1_000).await.unwrap() {
        let old = SignedCheckpoint::parse(&stored.note).unwrap();
        let proof = archive.consistency(stored.size, 700).await.unwrap();
        proof.verify(old.unverified(), checkpoint).unwrap();
    }
    record(&ledger, 700..701).await;
    let verified = archive.verify(&VerifyOptions::default()).await.unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    assert_eq!(verified.report.entries, 701);
    ledger.close().await;
}

async fn order_is_kept(config: &LedgerConfig) {
    let ledger = Ledger::open(config).await.unwrap();
    let waiting: Vec<_> = (0..300)
        .map(|number| {
            ledger.note(Event::new(number, Action::PeerPath, Actor::SYSTEM));
            ledger.record(join(number))
        })
        .collect();
    for (number, recorded) in (0..).zip(waiting) {
        assert_eq!(recorded.await.unwrap().sequence, number * 2 + 1);
    }
    ledger.close().await;
}

async fn a_clock_that_steps_is_recorded(config: &LedgerConfig) {
    let clock = Arc::new(MovedClock::default());
    let ledger = Ledger::open_with(config, clock.clone()).await.unwrap();
    record(&ledger, 0..1).await;
    clock.step(-3_600_000);
    record(&ledger, 1..2).await;
    clock.step(7_200_000);
    record(&ledger, 2..3).await;
    let step = |reason: &str| ("time.step".to_owned(), Some(reason.to_owned()));
    let joined = ("room.join".to_owned(), None);
    let wanted = [
        joined.clone(),
        step("back"),
        joined.clone(),
        step("forward"),
        joined,
    ];
    assert_eq!(actions(&ledger).await, wanted);
    let mut late = Event::new(
        crate::Clock::wall_us(&*clock),
        Action::RoomOpen,
        Actor::SYSTEM,
    );
    late.at_us += 1_000_000;
    ledger.record(late).await.unwrap();
    ledger.close().await;
    // Started again by a clock that is behind the last entry.
    let ledger = Ledger::open(config).await.unwrap();
    record(&ledger, 3..4).await;
    assert!(actions(&ledger).await.contains(&step("behind_last_entry")));
    ledger.close().await;
}

async fn notes_that_find_no_place_become_a_gap(config: &LedgerConfig) {
    let ledger = Ledger::open(config).await.unwrap();
    // Nothing is awaited, so that on this one thread nothing is taken from the queue.
    let places = u64::try_from(crate::limits::NOTES_WAITING_MAX).unwrap();
    for number in 0..places + 7 {
        ledger.note(Event::new(number, Action::PeerPath, Actor::SYSTEM));
    }
    ledger.record(join(1)).await.unwrap();
    assert_eq!(ledger.health().borrow().lost, 7);
    let lost = |entry: &crate::StoredEntry| Entry::parse(&entry.body).unwrap().facts;
    let gaps = crate::Search {
        action: Some("audit.gap".to_owned()),
        ..crate::Search::default()
    };
    let gaps = ledger.archive().search(&gaps, 10).await.unwrap();
    assert_eq!(gaps.len(), 1);
    assert_eq!(lost(&gaps[0])["notes_lost"], 7.into());
    // There is room again.
    ledger.note(Event::new(1, Action::RoomClose, Actor::SYSTEM));
    ledger.record(join(2)).await.unwrap();
    assert_eq!(ledger.health().borrow().size, places + 4);
    ledger.close().await;
}

async fn destroyed_keys_open_nothing_and_every_proof_holds(config: &LedgerConfig) {
    let ledger = Ledger::open(config).await.unwrap();
    record(&ledger, 0..3).await;
    let archive = ledger.archive();
    let entry = archive.entry(1).await.unwrap().unwrap();
    let entry = Entry::parse(&entry.body).unwrap();
    let key = archive.detail_key(&entry).await.unwrap().unwrap();
    let Detail::Open(detail) = entry.detail(Some(&key)).unwrap() else {
        panic!("the key is there");
    };
    assert_eq!(detail["patient"].expose(), "patient-1");
    let patient = entry.patient.as_ref().unwrap().pid.clone();
    // The events are of 2023.
    assert_eq!(
        ledger.destroy_detail_keys(Some(&patient), 2023).await,
        Ok(0)
    );
    assert_eq!(
        ledger.destroy_detail_keys(Some(&patient), 2024).await,
        Ok(1)
    );
    assert!(archive.detail_key(&entry).await.unwrap().is_none());
    // The same patient again, under a new key.
    record(&ledger, 1..2).await;
    assert!(archive.detail_key(&entry).await.unwrap().is_none());
    assert_eq!(ledger.destroy_detail_keys(None, 2024).await, Ok(3));
    let verified = archive.verify(&VerifyOptions::default()).await.unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    ledger.close().await;
}

async fn a_rotated_key_is_followed(config: &LedgerConfig) {
    let ledger = Ledger::open(config).await.unwrap();
    record(&ledger, 0..3).await;
    let first = ledger.archive().verifying_keys().unwrap();
    let order = Event::new(1, Action::KeyRotate, Actor::SYSTEM);
    let vkey = ledger.rotate_key(order).await.unwrap();
    record(&ledger, 3..5).await;
    ledger.close().await;
    let ledger = Ledger::open(config).await.unwrap();
    record(&ledger, 5..6).await;
    let keys = ledger.archive().verifying_keys().unwrap();
    assert_eq!(keys[1].to_string(), vkey);
    let options = VerifyOptions {
        keys: first.clone(),
        ..VerifyOptions::default()
    };
    let verified = ledger.archive().verify(&options).await.unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    let last = ledger.archive().last_checkpoint().await.unwrap().unwrap();
    let signed = SignedCheckpoint::parse(&last.note).unwrap();
    assert!(signed.verify(&first).is_err());
    ledger.close().await;
}
