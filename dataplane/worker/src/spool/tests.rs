use super::*;
use bedside_protocol::{DataChannelKind, PeerId};

fn spool() -> Spool {
    Spool::new(WorkerId(3), Arc::new(Notify::new()))
}

fn push(spool: &Spool, count: u64) {
    for peer in 0..count {
        spool.push(7, RoomId(1), Event::PeerDisconnected { peer: PeerId(peer) });
    }
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
