use super::*;
use bedside_protocol::{DataChannelKind, PeerId};

fn spool() -> Spool {
    Spool::new(WorkerId(3), Arc::new(Notify::new()))
}

/// Pushes events that nobody has to have.
fn push(spool: &Spool, count: u64) {
    for _ in 0..count {
        spool.push(7, RoomId(1), Event::Speakers { levels: Vec::new() });
    }
}

/// Pushes evidence.
fn push_evidence(spool: &Spool, count: u64) {
    for peer in 0..count {
        spool.push(7, RoomId(1), Event::PeerDisconnected { peer: PeerId(peer) });
    }
}

/// The numbers of evidence.
fn records(frames: &[EventFrame]) -> Vec<u64> {
    frames.iter().filter_map(|frame| frame.record).collect()
}

fn take(spool: &Spool, count_max: usize) -> Vec<u64> {
    let mut out = Vec::new();
    spool.take(count_max, &mut out);
    out.iter().map(|frame| frame.sequence).collect()
}

#[test]
fn events_are_numbered_from_one_and_taken_in_order() {
    let spool = spool();
    push(&spool, 5);
    assert_eq!(take(&spool, 2), [1, 2]);
    assert_eq!(take(&spool, 9), [3, 4, 5]);
    assert!(take(&spool, 9).is_empty());
    push(&spool, 1);
    assert_eq!(take(&spool, 9), [6]);
}

#[test]
fn a_full_spool_drops_the_oldest_and_the_numbers_show_it() {
    let spool = spool();
    push(&spool, EVENTS_WAITING_MAX as u64 + 3);
    assert_eq!(take(&spool, 2), [4, 5]);
    assert_eq!(spool.take_dropped(), 3);
    assert_eq!(spool.take_dropped(), 0);
}

#[test]
fn large_messages_are_bounded_by_their_bytes() {
    let spool = spool();
    let payload = vec![0; 60_000];
    let fit = EVENT_BYTES_WAITING_MAX / payload.len();
    for _ in 0..fit + 2 {
        let (peer, channel) = (PeerId(1), DataChannelKind::Reliable);
        let payload = payload.clone();
        spool.push(
            7,
            RoomId(1),
            Event::Data {
                peer,
                channel,
                payload,
            },
        );
    }
    assert_eq!(spool.take_dropped(), 2);
    assert_eq!(take(&spool, usize::MAX).len(), fit);
    assert_eq!(spool.lock().bytes, 0);
}

#[test]
fn what_could_not_be_written_comes_again_before_what_is_newer() {
    let spool = spool();
    push(&spool, 4);
    let mut out = Vec::new();
    spool.take(3, &mut out);
    push(&spool, 1);
    spool.restore(out.into_iter());
    assert_eq!(take(&spool, 9), [1, 2, 3, 4, 5]);
}

#[test]
fn restoring_into_a_full_spool_drops_the_restored() {
    let spool = spool();
    push(&spool, 2);
    let mut out = Vec::new();
    spool.take(2, &mut out);
    push(&spool, EVENTS_WAITING_MAX as u64);
    spool.restore(out.into_iter());
    assert_eq!(spool.take_dropped(), 2);
    assert_eq!(take(&spool, 1), [3]);
}

#[test]
fn the_last_delivered_number_is_remembered() {
    let spool = spool();
    assert_eq!(spool.last_delivered(), 0);
    spool.delivered(17);
    assert_eq!((spool.last_delivered(), spool.worker()), (17, WorkerId(3)));
}

#[test]
fn evidence_is_numbered_by_itself_and_sent_again_until_it_is_acknowledged() {
    let spool = spool();
    push(&spool, 1);
    push_evidence(&spool, 2);
    push(&spool, 1);
    push_evidence(&spool, 1);
    let mut out = Vec::new();
    spool.take(9, &mut out);
    assert_eq!(records(&out), [1, 2, 3]);
    spool.acknowledge(1);
    assert_eq!(spool.last_acknowledged(), 1);
    push_evidence(&spool, 1);
    spool.send_again();
    out.clear();
    spool.take(9, &mut out);
    assert_eq!(records(&out), [2, 3, 4]);
    assert!(!spool.is_acknowledged());
    spool.acknowledge(4);
    assert!(spool.is_acknowledged());
    spool.send_again();
    assert!(take(&spool, 9).is_empty());
}

#[test]
fn evidence_outlives_everything_else_in_a_full_spool() {
    let spool = spool();
    push_evidence(&spool, 3);
    push(&spool, EVENTS_WAITING_MAX as u64 + 3);
    assert_eq!(spool.take_dropped(), 6);
    let mut out = Vec::new();
    spool.take_evidence(&mut out);
    assert_eq!(records(&out), [1, 2, 3]);
    assert_eq!(take(&spool, 2), [10, 11], "those between were dropped");
}

#[test]
fn what_was_sent_and_what_waits_goes_to_the_file_in_order() {
    let spool = spool();
    push_evidence(&spool, 4);
    let mut sent = Vec::new();
    spool.take(2, &mut sent);
    let mut out = Vec::new();
    spool.take_evidence(&mut out);
    assert_eq!(records(&out), [1, 2, 3, 4]);
    out.clear();
    spool.take_evidence(&mut out);
    assert!(out.is_empty());
}

#[test]
fn what_could_not_be_written_is_kept_once() {
    let spool = spool();
    push_evidence(&spool, 3);
    let mut out = Vec::new();
    spool.take(3, &mut out);
    spool.restore(out.into_iter());
    spool.send_again();
    let mut again = Vec::new();
    spool.take(9, &mut again);
    assert_eq!(records(&again), [1, 2, 3]);
}

#[test]
fn what_is_sent_and_unacknowledged_is_bounded_in_memory() {
    let spool = spool();
    let count = EVIDENCE_IN_MEMORY_MAX as u64;
    push_evidence(&spool, count);
    let mut out = Vec::new();
    spool.take(usize::MAX, &mut out);
    let mut surplus = Vec::new();
    spool.take_surplus(&mut surplus);
    assert!(surplus.is_empty());
    push_evidence(&spool, 1);
    spool.take(usize::MAX, &mut out);
    spool.take_surplus(&mut surplus);
    assert_eq!(records(&surplus), (1..=count / 2).collect::<Vec<_>>());
    spool.keep(surplus.into_iter());
    let mut all = Vec::new();
    spool.take_evidence(&mut all);
    assert_eq!(records(&all), (1..=count + 1).collect::<Vec<_>>());
}
