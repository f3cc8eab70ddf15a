//! Data channels.

use super::*;
use crate::transport::limits::{MESSAGE_STEPS_PER_CALL, MESSAGES_WAITING_BYTES_MAX};

#[test]
fn messages_pass_both_ways_on_both_channels() {
    for opens_channels in [true, false] {
        let mut world = connected(Kind {
            opens_channels,
            ..Kind::default()
        });
        let peer = world.clients[0].peer;
        for (label, channel) in [
            ("_reliable", DataChannelKind::Reliable),
            ("_lossy", DataChannelKind::Lossy),
        ] {
            for size_bytes in [1, 1_000, 60_000, DATA_MESSAGE_BYTES_MAX] {
                let message = vec![0xa5; size_bytes];
                world.events.clear();
                world.clients[0].data.clear();
                assert!(world.with_client(0, |client| client.write(label, &message)));
                world.command(send(&[peer], channel, &message));
                world.run(Duration::from_secs(3));
                assert_eq!(world.clients[0].data, [(label.to_owned(), message.clone())]);
                let expected = Event::Data {
                    peer,
                    channel,
                    payload: message,
                };
                assert!(
                    world.events.contains(&expected),
                    "{label} {size_bytes} bytes"
                );
            }
        }
        assert_eq!(world.server.statistics().transport.stalled, 0);
    }
}

#[test]
fn a_message_to_many_reaches_who_can_be_reached() {
    let (mut world, fingerprint) = world(Policy::default());
    for _ in 0..3 {
        world.join(Kind::default(), fingerprint);
    }
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    let [first, _, third] = [0, 1, 2].map(|index| world.clients[index].peer);
    world.command(send(
        &[first, PeerId(99), third],
        DataChannelKind::Reliable,
        b"hello",
    ));
    world.run(Duration::from_secs(1));
    let received: Vec<_> = world
        .clients
        .iter()
        .map(|client| client.data.len())
        .collect();
    assert_eq!(received, [1, 0, 1]);
    assert_eq!(world.server.statistics().transport.data_without_channel, 1);
}

#[test]
fn messages_to_many_are_sent_in_turns_and_in_order() {
    let mut world = connected(Kind::default());
    let peer = world.clients[0].peer;
    // The same receiver stands for many.
    let receivers = [peer; 3 * MESSAGE_STEPS_PER_CALL];
    let sent = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&sent);
    world.weather = Box::new(move |source, _, bytes| {
        *counted.borrow_mut() += usize::from(source == support::server_address());
        vec![bytes]
    });
    let now = world.now;
    world.command(send(&receivers, DataChannelKind::Reliable, b"first"));
    world.command(send(&[peer], DataChannelKind::Reliable, b"second"));
    assert!(*sent.borrow() <= MESSAGE_STEPS_PER_CALL);
    assert!(world.server.poll_timeout().is_some_and(|due| due <= now));
    world.run(Duration::from_secs(3));
    let received: Vec<_> = world.clients[0]
        .data
        .iter()
        .map(|(_, message)| &message[..])
        .collect();
    let mut expected = vec![&b"first"[..]; receivers.len()];
    expected.push(b"second");
    assert_eq!(received, expected);
}

#[test]
fn messages_that_wait_their_turn_are_bounded() {
    let mut world = connected(Kind::default());
    let nobody = [PeerId(99); 2 * MESSAGE_STEPS_PER_CALL];
    let message = vec![0; DATA_MESSAGE_BYTES_MAX];
    let (core, mut sink) = (&mut world.server, support::Outgoing::default());
    for _ in 0..100 {
        core.handle_command(
            world.now,
            send(&nobody, DataChannelKind::Lossy, &message),
            &mut sink,
        );
    }
    let kept = MESSAGES_WAITING_BYTES_MAX / DATA_MESSAGE_BYTES_MAX;
    let dropped = core.statistics().transport.data_dropped;
    assert_eq!(dropped, ((100 - kept) * nobody.len()) as u64);
    world.run(Duration::from_millis(100));
    assert_alive(&mut world);
}

#[test]
fn a_client_that_takes_nothing_holds_bounded_memory() {
    let mut world = connected(Kind::default());
    let peer = world.clients[0].peer;
    world.weather = Box::new(|_, _, _| Vec::new());
    for number in 0..250_u8 {
        world.command(send(&[peer], DataChannelKind::Reliable, &[number; 60_000]));
        world.command(send(&[peer], DataChannelKind::Lossy, &[number; 16_000]));
        world.run(Duration::from_millis(1));
    }
    world.run(Duration::from_millis(10));
    let dropped = world.server.statistics().transport.data_dropped;
    assert!(dropped > 400, "{dropped}");

    // What is kept arrives in order, the newest last.
    world.weather = Box::new(|_, _, bytes| vec![bytes]);
    world.run(Duration::from_secs(20));
    let reliable: Vec<u8> = world.clients[0]
        .data
        .iter()
        .filter(|(label, _)| label == "_reliable")
        .map(|(_, message)| message[0])
        .collect();
    assert!(reliable.is_sorted());
    assert_eq!(reliable.last(), Some(&249));
    assert!((60..90).contains(&reliable.len()), "{reliable:?}");
}

#[test]
fn channels_can_be_negotiated_after_the_connection() {
    for opens_channels in [true, false] {
        let (mut world, fingerprint) = world(Policy::default());
        let kind = Kind {
            opens_channels,
            ..Kind::default()
        };
        let mut client = support::Client::new(1, kind, world.now);
        let mut wanted = client.wanted(kind);
        client.start_dtls(fingerprint);
        world.clients.push(client);
        wanted.data_channels = false;
        world.command(frame(Command::EnsurePeer(Box::new(wanted.clone()))));
        world.run(Duration::from_secs(2));
        assert_eq!(connections(&world).len(), 1);

        wanted.data_channels = true;
        world.command(frame(Command::EnsurePeer(Box::new(wanted))));
        world.with_client(0, |client| client.start_data(kind));
        assert!(world.run_until(Duration::from_secs(10), are_connected));
        world.run(Duration::from_millis(50));
        assert_alive(&mut world);
    }
}

#[test]
fn channels_that_were_not_negotiated_are_closed() {
    let (mut world, fingerprint) = world(Policy::default());
    let kind = Kind::default();
    let mut client = support::Client::new(1, kind, world.now);
    let mut wanted = client.wanted(kind);
    client.start(kind, fingerprint);
    world.clients.push(client);
    wanted.data_channels = false;
    world.command(frame(Command::EnsurePeer(Box::new(wanted))));
    world.run(Duration::from_secs(5));
    assert_eq!(world.events.len(), 1, "{:?}", world.events);
    assert_eq!(connections(&world).len(), 1);
    assert_eq!(world.server.statistics().transport.channels_ignored, 2);
}

#[test]
fn other_channels_are_taken_and_ignored() {
    let mut world = connected(Kind::default());
    world.events.clear();
    world.with_client(0, |client| {
        client.open_channel("_data_track", false);
        client.open_channel("something", true);
    });
    let open = |world: &World<Core>| world.clients[0].channels.len() == 4;
    assert!(world.run_until(Duration::from_secs(2), open));
    assert_eq!(world.server.statistics().transport.channels_ignored, 1);
    assert!(world.with_client(0, |client| client.write("something", b"?")));
    world.run(Duration::from_secs(1));
    assert!(world.events.is_empty());
    assert_eq!(world.server.statistics().transport.data_ignored, 1);
    assert_alive(&mut world);
}

#[test]
fn a_client_cannot_hold_channels_without_bound() {
    let mut world = connected(Kind::default());
    world.with_client(0, |client| {
        for number in 0..100 {
            client.open_channel(&format!("channel {number}"), true);
        }
    });
    world.run(Duration::from_secs(10));
    assert_eq!(world.server.statistics().transport.channels_ignored, 100);
    assert_alive(&mut world);
}

#[test]
fn an_empty_message_and_one_over_the_bound_are_refused() {
    let mut world = connected(Kind::default());
    let peer = world.clients[0].peer;
    let message = vec![0; DATA_MESSAGE_BYTES_MAX + 1];
    world.command(send(&[peer], DataChannelKind::Reliable, &message));
    world.command(send(&[peer], DataChannelKind::Reliable, &[]));
    assert_eq!(
        refusals(&world),
        [
            ("send_data", "the message is too long"),
            ("send_data", "the message is empty"),
        ]
    );
}
