use crate::testing::{Directory, actions, join, record};
use crate::{Error, Ledger, Unwritable};
use bedside_audit::{Action, Actor, Event, InclusionProof, SignedCheckpoint};

#[tokio::test]
async fn what_is_recorded_is_in_the_log_under_a_signed_checkpoint_and_survives() {
    let directory = Directory::new("record");
    let ledger = Ledger::open(&directory.config()).await.unwrap();
    let recorded = ledger.record(join(1)).await.unwrap();
    assert_eq!((recorded.sequence, recorded.checkpoint), (0, 1));
    ledger.note(Event::new(5, Action::RoomOpen, Actor::SYSTEM));
    record(&ledger, 2..700).await;
    ledger.close().await;
    assert_eq!(ledger.record(join(9)).await, Err(Unwritable::Closed));

    let ledger = Ledger::open(&directory.config()).await.unwrap();
    let archive = ledger.archive();
    let entries = archive.entries(0, 10_000).await.unwrap();
    assert_eq!(entries.len(), 700);
    assert_eq!(entries[1].columns.action, "room.open");
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
    record(&ledger, 700..701).await;
    ledger.close().await;
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

#[tokio::test]
async fn records_and_notes_keep_the_order_in_which_they_were_handed_over() {
    let directory = Directory::new("order");
    let ledger = Ledger::open(&directory.config()).await.unwrap();
    let waiting: Vec<_> = (0..300)
        .map(|number| {
            ledger.note(Event::new(number, Action::PeerPath, Actor::SYSTEM));
            ledger.record(join(number))
        })
        .collect();
    for (number, recorded) in (0..).zip(waiting) {
        assert_eq!(recorded.await.unwrap().sequence, number * 2 + 1);
    }
    assert_eq!(actions(&ledger).await.len(), 600);
    ledger.close().await;
}
