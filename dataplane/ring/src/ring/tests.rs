use std::net::UdpSocket;
use std::thread;

use super::*;
use crate::Datagram;
use crate::limits::{MESSAGES_MAX, RUN_BYTES_MAX, RUN_SEGMENTS_MAX, SEND_SLAB_BYTES};

const LONG: Option<Duration> = Some(Duration::from_secs(10));
const SHORT: Option<Duration> = Some(Duration::from_millis(1));

/// Makes rings that run on one engine.
#[derive(Clone, Copy)]
struct Maker(Engine);

/// Runs a test on each engine, each on a thread of its own, whose name a failure has: what is left
/// of an io_uring may interrupt its thread's next system call.
fn check(test: fn(Maker)) {
    for engine in Engine::ALL {
        let thread = thread::Builder::new().name(engine.to_string());
        let running = thread.spawn(move || test(Maker(engine))).unwrap();
        if let Err(panic) = running.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Maker {
    fn config(self, addresses: &[&str]) -> Config {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Config {
            receive_buffers: 16,
            send_slabs: 2,
            engine: self.0,
            ..Config::new(addresses)
        }
    }

    fn ring_at(self, addresses: &[&str]) -> Ring {
        Ring::new(&self.config(addresses)).unwrap()
    }

    fn ring(self) -> Ring {
        self.ring_at(&["127.0.0.1:0"])
    }
}

fn peer() -> UdpSocket {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(LONG).unwrap();
    peer
}

/// A payload that says which packet it is and fills `bytes`.
fn payload(index: usize, bytes: usize) -> Vec<u8> {
    let [.., high, low] = index.to_be_bytes();
    let mut payload = vec![low; bytes];
    payload[..2].copy_from_slice(&[high, low]);
    payload
}

fn send(ring: &mut Ring, local: SocketAddr, destination: SocketAddr, payload: &[u8]) {
    let mut outgoing = ring.outgoing();
    let room = outgoing
        .reserve(local, destination, payload.len() + 50)
        .unwrap();
    assert_eq!(room.len(), payload.len() + 50);
    room[..payload.len()].copy_from_slice(payload);
    outgoing.commit(payload.len());
}

/// Waits until `count` datagrams came, and returns all of them.
fn receive(ring: &mut Ring, count: usize) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
    let mut all = Vec::new();
    while all.len() < count {
        let wakeup = ring.wait(LONG).unwrap();
        let before = all.len();
        all.extend(ring.batch().map(
            |Datagram {
                 source,
                 local,
                 payload,
             }| { (source, local, payload.to_vec()) },
        ));
        assert_eq!(all.len() - before, wakeup.datagrams);
        assert_ne!(wakeup.datagrams, 0, "{} of {count} came", all.len());
    }
    all
}

fn read(peer: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let (bytes, _) = peer.recv_from(&mut buffer).unwrap();
    buffer.truncate(bytes);
    buffer
}

/// Nothing is under way but the receives, and every buffer and slab is back.
fn assert_all_back(ring: &mut Ring) {
    while ring.wait(SHORT).unwrap() != Wakeup::default() {}
    assert!(ring.sender.engine.is_resting());
    let flight = &ring.sender.flight;
    assert_eq!(flight.messages_awaited(), 0);
    assert_eq!(flight.slabs.messages_in_flight(), 0);
    assert_eq!(ring.buffers.out_count(), 0);
}

#[test]
fn a_datagram_names_its_source_and_the_address_it_came_to() {
    check(|maker| {
        let mut ring = maker.ring_at(&["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]);
        let locals = ring.local_addresses().to_vec();
        let v6_peer = UdpSocket::bind("[::1]:0").unwrap();
        for (local, peer) in [
            (locals[0], &peer()),
            (locals[1], &peer()),
            (locals[2], &v6_peer),
        ] {
            peer.send_to(b"hello", local).unwrap();
            let received = receive(&mut ring, 1);
            assert_eq!(
                received,
                [(peer.local_addr().unwrap(), local, b"hello".to_vec())]
            );
        }
        assert_all_back(&mut ring);
    });
}

#[test]
fn a_payload_can_be_changed_where_it_lies() {
    check(|maker| {
        let mut ring = maker.ring();
        let peer = peer();
        peer.send_to(b"abc", ring.local_addresses()[0]).unwrap();
        ring.wait(LONG).unwrap();
        for datagram in ring.batch() {
            datagram.payload.make_ascii_uppercase();
        }
        assert_eq!(ring.batch().next().unwrap().payload, b"ABC");
    });
}

#[test]
fn all_datagrams_of_a_batch_can_be_held_at_once() {
    check(|maker| {
        let (mut ring, mut sender) = (maker.ring(), maker.ring());
        let to = ring.local_addresses()[0];
        let from = sender.local_addresses()[0];
        for index in 0..20 {
            send(&mut sender, from, to, &payload(index, 500));
        }
        sender.wait(SHORT).unwrap();
        ring.wait(LONG).unwrap();
        let held: Vec<Datagram<'_>> = ring.batch().collect();
        assert_eq!(held.len(), 20);
        for (index, datagram) in held.into_iter().enumerate() {
            assert_eq!(datagram.payload, payload(index, 500));
        }
    });
}

#[test]
fn an_empty_datagram_arrives() {
    check(|maker| {
        let mut ring = maker.ring();
        peer().send_to(&[], ring.local_addresses()[0]).unwrap();
        assert_eq!(receive(&mut ring, 1)[0].2, b"");
        assert_all_back(&mut ring);
    });
}

#[test]
fn the_longest_datagram_arrives_whole() {
    check(|maker| {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (mut ring, mut sender) = (maker.ring_at(&[address]), maker.ring_at(&[address]));
            let (to, from) = (ring.local_addresses()[0], sender.local_addresses()[0]);
            let longest = payload(7, RUN_BYTES_MAX - 50);
            send(&mut sender, from, to, &longest);
            sender.wait(SHORT).unwrap();
            assert_eq!(receive(&mut ring, 1)[0].2, longest);
        }
    });
}

#[test]
fn a_run_leaves_as_one_message_and_arrives_as_equal_segments() {
    check(|maker| {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (mut ring, mut sender) = (maker.ring_at(&[address]), maker.ring_at(&[address]));
            let (to, from) = (ring.local_addresses()[0], sender.local_addresses()[0]);
            let packets: Vec<Vec<u8>> = (0..9).map(|index| payload(index, 1_200)).collect();
            for packet in &packets {
                send(&mut sender, from, to, packet);
            }
            sender.wait(SHORT).unwrap();
            let received = receive(&mut ring, 9);
            let got: Vec<Vec<u8>> = received
                .into_iter()
                .map(|(_, _, payload)| payload)
                .collect();
            assert_eq!(got, packets);
            let sent = sender.statistics();
            assert_eq!(
                (sent.messages_sent, sent.gso_messages, sent.datagrams_sent),
                (1, 1, 9)
            );
            assert_eq!(sent.bytes_sent, 9 * 1_200);
            let received = ring.statistics();
            assert_eq!((received.gro_trains, received.datagrams_received), (1, 9));
            assert_eq!(received.bytes_received, 9 * 1_200);
        }
    });
}

#[test]
fn a_socket_without_gro_sees_each_segment_alone() {
    check(|maker| {
        let mut ring = maker.ring();
        let peer = peer();
        let (from, to) = (ring.local_addresses()[0], peer.local_addr().unwrap());
        for (index, bytes) in [(0, 300), (1, 300), (2, 120)] {
            send(&mut ring, from, to, &payload(index, bytes));
        }
        ring.wait(SHORT).unwrap();
        assert_eq!(ring.statistics().messages_sent, 1);
        for (index, bytes) in [(0, 300), (1, 300), (2, 120)] {
            assert_eq!(read(&peer), payload(index, bytes));
        }
    });
}

#[test]
fn mixed_lengths_and_destinations_arrive_unchanged_and_in_order() {
    check(|maker| {
        let mut ring = maker.ring();
        let (first, second) = (peer(), peer());
        let from = ring.local_addresses()[0];
        // Lengths by destination; a longer packet starts a message, a shorter one ends it.
        let lengths = [900, 900, 700, 800, 1_100, 60, 60, 60, 1_200, 1_200, 1];
        for (index, length) in lengths.into_iter().enumerate() {
            for peer in [&first, &second] {
                send(
                    &mut ring,
                    from,
                    peer.local_addr().unwrap(),
                    &payload(index, length.max(2)),
                );
            }
        }
        for (index, length) in lengths.into_iter().enumerate() {
            send(
                &mut ring,
                from,
                first.local_addr().unwrap(),
                &payload(index, length.max(2)),
            );
        }
        ring.wait(SHORT).unwrap();
        for peer in [&first, &second, &first] {
            for (index, length) in lengths.into_iter().enumerate() {
                assert_eq!(read(peer), payload(index, length.max(2)));
            }
        }
        // 22 messages while the destinations alternated, then [900, 900, 700], [800], [1,100, 60],
        // [60, 60], [1,200, 1,200, 2], less the one that went on where the alternation ended.
        let statistics = ring.statistics();
        assert_eq!(statistics.datagrams_sent, 33);
        assert_eq!(statistics.messages_sent, 27);
        assert_eq!(statistics.send_drops.total(), 0);
        assert_all_back(&mut ring);
    });
}

#[test]
fn a_message_has_no_more_segments_and_bytes_than_the_kernel_takes() {
    check(|maker| {
        for bytes in [100, 1_200] {
            let mut ring = maker.ring();
            let mut receiver = maker.ring_at(&["127.0.0.1:0"]);
            let (from, to) = (ring.local_addresses()[0], receiver.local_addresses()[0]);
            let per_message = (RUN_BYTES_MAX / bytes).min(RUN_SEGMENTS_MAX.into());
            for index in 0..2 * per_message + 1 {
                send(&mut ring, from, to, &payload(index, bytes));
            }
            ring.wait(SHORT).unwrap();
            assert_eq!(ring.statistics().messages_sent, 3);
            assert_eq!(ring.statistics().send_drops.total(), 0);
            let received = receive(&mut receiver, 2 * per_message + 1);
            for (index, (_, _, got)) in received.into_iter().enumerate() {
                assert_eq!(got, payload(index, bytes));
            }
        }
    });
}

#[test]
fn thousands_of_packets_leave_and_come_and_nothing_is_lost_or_kept() {
    check(|maker| {
        let (mut ring, mut sender) = (maker.ring(), maker.ring());
        let (to, from) = (ring.local_addresses()[0], sender.local_addresses()[0]);
        let mut next = 0;
        for round in 0..300 {
            // More than a slab in some rounds, so that slabs turn over while packets are written.
            let count = [1, 7, 30, 100, 250][round % 5];
            for index in 0..count {
                send(
                    &mut sender,
                    from,
                    to,
                    &payload(index, 100 + (round * 37 + index / 8) % 1_100),
                );
            }
            next += count;
            sender.wait(Some(Duration::ZERO)).unwrap();
            for (index, (_, _, got)) in receive(&mut ring, count).into_iter().enumerate() {
                assert_eq!(got, payload(index, 100 + (round * 37 + index / 8) % 1_100));
            }
        }
        assert_eq!(ring.statistics().datagrams_received, next as u64);
        assert_eq!(sender.statistics().datagrams_sent, next as u64);
        assert_eq!(sender.statistics().send_drops.total(), 0);
        assert!(sender.statistics().messages_sent < next as u64 / 4);
        assert_all_back(&mut ring);
        assert_all_back(&mut sender);
    });
}

#[test]
fn any_order_of_lengths_and_destinations_arrives_unchanged() {
    check(|maker| {
        let mut sender = maker.ring_at(&["127.0.0.1:0", "[::1]:0"]);
        let locals = sender.local_addresses().to_vec();
        let mut receivers = [maker.ring(), maker.ring(), maker.ring_at(&["[::1]:0"])];
        // A fixed linear congruential sequence: the same packets in every run.
        let mut random = 7_usize;
        let mut next = move |below: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963);
            (random >> 33) % below
        };
        for _ in 0..200 {
            let mut expected = [const { Vec::new() }; 3];
            for index in 0..1 + next(80) {
                let to = next(3);
                let length = [60, 61, 700, 1_150, 1_151, 1_200][next(6)];
                let local = locals[usize::from(to == 2)];
                // Sometimes several alike in a row, as the packets of a frame are.
                for _ in 0..1 + next(2) * next(6) {
                    let packet = payload(index, length);
                    send(
                        &mut sender,
                        local,
                        receivers[to].local_addresses()[0],
                        &packet,
                    );
                    expected[to].push(packet);
                }
            }
            sender.wait(Some(Duration::ZERO)).unwrap();
            for (receiver, expected) in receivers.iter_mut().zip(expected) {
                let received = receive(receiver, expected.len());
                let got: Vec<Vec<u8>> = received
                    .into_iter()
                    .map(|(_, _, payload)| payload)
                    .collect();
                assert_eq!(got, expected);
            }
        }
        assert_eq!(sender.statistics().send_drops.total(), 0);
        assert!(sender.statistics().gso_messages > 1_000);
        assert_all_back(&mut sender);
        for receiver in &mut receivers {
            assert_all_back(receiver);
        }
    });
}

#[test]
fn more_datagrams_than_buffers_end_the_receive_and_it_starts_again() {
    check(|maker| {
        let mut ring = maker.ring();
        let (to, peer) = (ring.local_addresses()[0], peer());
        for index in 0..100 {
            peer.send_to(&payload(index, 100 + index), to).unwrap();
        }
        for (index, (_, _, got)) in receive(&mut ring, 100).into_iter().enumerate() {
            assert_eq!(got, payload(index, 100 + index));
        }
        let statistics = ring.statistics();
        assert!(statistics.receive_buffers_exhausted > 0, "{statistics:?}");
        // Epoll's receives do not stay armed, and so do not end.
        let rearms = maker.0 == Engine::IoUring;
        assert_eq!(statistics.receive_rearms > 0, rearms, "{statistics:?}");
        assert_all_back(&mut ring);
    });
}

#[test]
fn a_flooded_address_does_not_keep_the_others_from_receiving() {
    check(|maker| {
        let mut ring = maker.ring_at(&["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"]);
        let locals = ring.local_addresses().to_vec();
        let (flood, peer) = (peer(), peer());
        for quiet in [2, 1, 0] {
            peer.send_to(b"quiet", locals[quiet]).unwrap();
            let mut turns = 0;
            let mut came = false;
            while !came {
                // More than all buffers at each of the other two, each turn.
                for _ in 0..20 {
                    for other in [(quiet + 1) % 3, (quiet + 2) % 3] {
                        flood.send_to(&[0; 10], locals[other]).unwrap();
                    }
                }
                assert!(turns < 10, "address {quiet} starves");
                ring.wait(LONG).unwrap();
                turns += 1;
                came = ring.batch().any(|datagram| datagram.local == locals[quiet]);
            }
        }
    });
}

#[test]
fn many_small_messages_turn_the_queue_over() {
    check(|maker| {
        let mut ring = maker.ring();
        let (first, second) = (peer(), peer());
        let from = ring.local_addresses()[0];
        let count = usize::from(MESSAGES_MAX) * 2 + 10;
        for index in 0..count {
            let to = if index % 2 == 0 { &first } else { &second };
            send(
                &mut ring,
                from,
                to.local_addr().unwrap(),
                &payload(index, 2),
            );
            // The peers' buffers are the kernel's default, so they read as it goes.
            if index % 2 == 1 && index >= 200 {
                ring.wait(Some(Duration::ZERO)).unwrap();
                read(&first);
                read(&second);
            }
        }
        assert_all_back(&mut ring);
        assert_eq!(ring.statistics().datagrams_sent, count as u64);
    });
}

#[test]
fn a_full_slab_is_handed_over_while_packets_are_written() {
    check(|maker| {
        let mut ring = maker.ring();
        let (first, second) = (peer(), peer());
        let from = ring.local_addresses()[0];
        let big = payload(1, 60_000);
        for _ in 0..2 * SEND_SLAB_BYTES / 60_000 {
            for peer in [&first, &second] {
                send(&mut ring, from, peer.local_addr().unwrap(), &big);
            }
            // Drops at the peers do not matter here; what the kernel took does.
        }
        let before = ring.statistics();
        assert!(before.system_calls >= 3, "{before:?}");
        assert!(before.datagrams_sent > 0);
        assert_all_back(&mut ring);
        assert_eq!(ring.statistics().send_drops.total(), 0);
    });
}

#[test]
fn a_batch_can_be_answered_while_it_is_gone_through() {
    check(|maker| {
        let mut ring = maker.ring();
        let (to, peer) = (ring.local_addresses()[0], peer());
        for index in 0..10 {
            peer.send_to(&payload(index, 200), to).unwrap();
        }
        let mut answered = 0;
        while answered < 10 {
            ring.wait(LONG).unwrap();
            let (batch, mut outgoing) = ring.split();
            for datagram in batch {
                let room = outgoing
                    .reserve(datagram.local, datagram.source, 1_500)
                    .unwrap();
                room[..200].copy_from_slice(datagram.payload);
                outgoing.commit(200);
                answered += 1;
            }
        }
        ring.wait(Some(Duration::ZERO)).unwrap();
        for index in 0..10 {
            assert_eq!(read(&peer), payload(index, 200));
        }
    });
}

#[test]
fn another_thread_ends_a_wait() {
    check(|maker| {
        let mut ring = maker.ring();
        let waker = ring.waker();
        let (asked, ask) = std::sync::mpsc::channel::<()>();
        let (seen, see) = std::sync::mpsc::channel::<()>();
        let other = thread::spawn(move || {
            for () in ask {
                waker.wake();
                waker.wake();
                seen.send(()).unwrap();
            }
        });
        for _ in 0..100 {
            asked.send(()).unwrap();
            let wakeup = ring.wait(None).unwrap();
            assert_eq!(
                wakeup,
                Wakeup {
                    datagrams: 0,
                    woken: true
                }
            );
            see.recv().unwrap();
            // The second call came before or after the ring saw the first.
            ring.wait(SHORT).unwrap();
        }
        drop(asked);
        other.join().unwrap();
        assert_all_back(&mut ring);
        assert!((100..=200).contains(&ring.statistics().wakes));
    });
}

#[test]
fn a_wake_up_before_the_wait_is_not_lost() {
    check(|maker| {
        let mut ring = maker.ring();
        ring.waker().wake();
        assert!(ring.wait(None).unwrap().woken);
        assert!(!ring.wait(SHORT).unwrap().woken);
    });
}

#[test]
fn a_wait_ends_when_its_time_is_over() {
    check(|maker| {
        let mut ring = maker.ring();
        assert_eq!(ring.wait(SHORT).unwrap(), Wakeup::default());
        assert_eq!(ring.wait(Some(Duration::ZERO)).unwrap(), Wakeup::default());
    });
}

#[test]
fn sends_do_not_end_a_wait() {
    check(|maker| {
        let mut ring = maker.ring();
        let peer = peer();
        let (from, to) = (ring.local_addresses()[0], peer.local_addr().unwrap());
        for index in 0..20 {
            send(&mut ring, from, to, &payload(index, 100 + index));
        }
        let before = ring.statistics().system_calls;
        let waker = ring.waker();
        let other = thread::spawn(move || {
            // Its own wait: the peer has the last packet only after the ring has sent.
            for index in 0..20 {
                assert_eq!(read(&peer), payload(index, 100 + index));
            }
            waker.wake();
        });
        assert!(ring.wait(LONG).unwrap().woken);
        let calls = match maker.0 {
            Engine::IoUring => 1,
            // `sendmmsg`, `epoll_wait`, `read`.
            Engine::Epoll => 3,
        };
        assert_eq!(ring.statistics().system_calls, before + calls);
        other.join().unwrap();
    });
}

#[test]
fn a_port_that_nobody_listens_on_does_not_stop_the_loop() {
    check(|maker| {
        let mut ring = maker.ring();
        let from = ring.local_addresses()[0];
        // Not on 127.0.0.1: there another test would soon have the port.
        let gone = SocketAddr::new([127, 0, 9, 9].into(), from.port());
        for index in 0..50 {
            send(&mut ring, from, gone, &payload(index, 100));
            ring.wait(SHORT).unwrap();
        }
        let peer = peer();
        send(&mut ring, from, peer.local_addr().unwrap(), b"still here");
        ring.wait(SHORT).unwrap();
        assert_eq!(read(&peer), b"still here");
        peer.send_to(b"and here", from).unwrap();
        assert_eq!(receive(&mut ring, 1)[0].2, b"and here");
    });
}

#[test]
fn an_unreachable_network_is_counted() {
    check(|maker| {
        let mut ring = maker.ring();
        let from = ring.local_addresses()[0];
        // From a loopback address there is no way to another network (EINVAL), nor to a broadcast
        // address without SO_BROADCAST (EACCES).
        for to in ["192.0.2.1:9", "255.255.255.255:9"] {
            send(&mut ring, from, to.parse().unwrap(), b"lost");
            ring.wait(SHORT).unwrap();
        }
        let drops = ring.statistics().send_drops;
        assert_eq!(drops.total(), 2, "{drops:?}");
        assert_eq!(
            drops.denied + drops.unreachable + drops.message_too_long,
            2,
            "{drops:?}"
        );
        assert_all_back(&mut ring);
    });
}

#[test]
fn an_address_of_the_other_family_is_counted() {
    check(|maker| {
        let mut ring = maker.ring_at(&["127.0.0.1:0"]);
        let from = ring.local_addresses()[0];
        send(&mut ring, from, "[::1]:9".parse().unwrap(), b"lost");
        ring.wait(SHORT).unwrap();
        assert_eq!(ring.statistics().send_drops.unreachable, 1);
        assert_all_back(&mut ring);
    });
}

#[test]
fn oversized_packets_and_unknown_addresses_are_refused_and_counted() {
    check(|maker| {
        let mut ring = maker.ring();
        let (from, to) = (ring.local_addresses()[0], peer().local_addr().unwrap());
        let mut outgoing = ring.outgoing();
        assert!(outgoing.reserve(from, to, RUN_BYTES_MAX + 1).is_none());
        assert!(outgoing.reserve(to, from, 100).is_none());
        assert!(outgoing.reserve(from, to, RUN_BYTES_MAX).is_some());
        let drops = ring.statistics().send_drops;
        assert_eq!(
            (drops.oversized, drops.unknown_local, drops.total()),
            (1, 1, 2)
        );
    });
}

#[test]
fn what_is_reserved_and_not_committed_is_not_sent() {
    check(|maker| {
        let mut ring = maker.ring();
        let peer = peer();
        let (from, to) = (ring.local_addresses()[0], peer.local_addr().unwrap());
        let mut outgoing = ring.outgoing();
        outgoing.reserve(from, to, 100).unwrap().fill(1);
        outgoing.reserve(from, to, 100).unwrap().fill(2);
        outgoing.commit(0);
        outgoing.reserve(from, to, 100).unwrap().fill(3);
        outgoing.commit(40);
        ring.wait(SHORT).unwrap();
        assert_eq!(read(&peer), [3; 40]);
        assert_eq!(ring.statistics().datagrams_sent, 1);
    });
}

#[test]
#[should_panic(expected = "no longer than its reservation")]
fn committing_more_than_reserved_is_a_bug() {
    let maker = Maker(Engine::IoUring);
    let mut ring = maker.ring();
    let (from, to) = (ring.local_addresses()[0], peer().local_addr().unwrap());
    let mut outgoing = ring.outgoing();
    outgoing.reserve(from, to, 100).unwrap();
    outgoing.commit(101);
}

#[test]
fn slabs_held_by_the_kernel_run_out_and_the_packet_is_dropped_and_counted() {
    check(|maker| {
        let mut ring = maker.ring();
        let peer = peer();
        let (from, to) = (ring.local_addresses()[0], peer.local_addr().unwrap());
        // As if zero-copy sends held every slab.
        let slabs = &mut ring.sender.flight.slabs;
        assert!(slabs.next() && slabs.place(SEND_SLAB_BYTES).is_some());
        for slab in 0..2 {
            slabs.hold(slab);
        }
        slabs.advance(SEND_SLAB_BYTES);
        let mut outgoing = ring.outgoing();
        assert!(
            outgoing.reserve(from, to, 100).is_some(),
            "the second slab is empty"
        );
        ring.sender.flight.slabs.advance(SEND_SLAB_BYTES);
        assert!(ring.outgoing().reserve(from, to, 100).is_none());
        assert_eq!(ring.statistics().send_drops.no_slab, 1);
        for slab in 0..2 {
            ring.sender.flight.slabs.release(slab);
        }
        assert!(ring.outgoing().reserve(from, to, 100).is_some());
        assert_all_back(&mut ring);
    });
}

#[test]
fn zero_copy_gives_every_slab_back_and_is_given_up_where_the_kernel_copies() {
    check(|maker| {
        let (mut ring, mut sender) = (maker.ring(), maker.ring());
        let (to, from) = (ring.local_addresses()[0], sender.local_addresses()[0]);
        let trains = 2 * crate::limits::ZERO_COPY_TRIAL_FIRST as usize;
        for _ in 0..trains {
            for index in 0..16 {
                send(&mut sender, from, to, &payload(index, 1_200));
            }
            sender.wait(Some(Duration::ZERO)).unwrap();
            for (index, (_, _, got)) in receive(&mut ring, 16).into_iter().enumerate() {
                assert_eq!(got, payload(index, 1_200));
            }
        }
        assert_all_back(&mut sender);
        let statistics = sender.statistics();
        // The loopback device copies, so there was one trial; epoll never tries.
        let trials = u64::from(maker.0 == Engine::IoUring);
        assert_eq!(
            (statistics.zero_copy_copied, statistics.zero_copy_used),
            (trials, 0)
        );
        assert_eq!(statistics.messages_sent, trains as u64);
    });
}

#[test]
fn a_dropped_ring_frees_its_port_at_once() {
    check(|maker| {
        for _ in 0..20 {
            let mut ring = maker.ring();
            let address = ring.local_addresses()[0];
            let peer = peer();
            peer.send_to(b"unread", address).unwrap();
            send(&mut ring, address, peer.local_addr().unwrap(), b"unsent");
            drop(ring);
            assert_eq!(read(&peer), b"unsent");
            UdpSocket::bind(address).unwrap();
        }
    });
}

#[test]
fn a_configuration_out_of_range_is_refused_with_its_range() {
    let good = Config::new(vec!["127.0.0.1:0".parse().unwrap()]);
    let cases = [
        (
            Config {
                addresses: vec![],
                ..good.clone()
            },
            "no local address",
        ),
        (
            Config {
                addresses: vec![good.addresses[0]; 17],
                ..good.clone()
            },
            "at most 16",
        ),
        (
            Config {
                receive_buffers: 7,
                ..good.clone()
            },
            "8 to 4096",
        ),
        (
            Config {
                receive_buffers: 4_097,
                ..good.clone()
            },
            "8 to 4096",
        ),
        (
            Config {
                send_slabs: 0,
                ..good.clone()
            },
            "1 to 1024",
        ),
    ];
    for (config, part) in cases {
        let error = Ring::new(&config).err().unwrap();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.blame(), crate::Blame::Operator);
    }
}

#[test]
fn odd_buffer_counts_are_rounded_up() {
    let addresses = vec!["127.0.0.1:0".parse().unwrap()];
    let mut ring = Ring::new(&Config {
        receive_buffers: 9,
        ..Config::new(addresses)
    })
    .unwrap();
    assert_eq!(ring.socket_buffers().count(), 1);
    assert_all_back(&mut ring);
}
