//! How connections come up, move and end.

use super::*;
use str0m::config::DtlsVersion as ClientVersion;

#[test]
fn clients_of_every_version_connect_and_talk() {
    for (client, expected) in [
        (ClientVersion::Dtls12, DtlsVersion::Dtls12),
        (ClientVersion::Dtls13, DtlsVersion::Dtls13),
        (ClientVersion::Auto, DtlsVersion::Dtls13),
    ] {
        for opens_channels in [true, false] {
            let mut world = connected(Kind {
                dtls: client,
                opens_channels,
            });
            let address = world.clients[0].address;
            assert_eq!(
                connections(&world),
                [(expected, SrtpProfile::AeadAes256Gcm, address)]
            );
            assert_alive(&mut world);
            assert_eq!(world.server.statistics().transport.stalled, 0);
        }
    }
}

#[test]
fn the_verified_fingerprint_is_told() {
    let mut world = connected(Kind::default());
    let expected = world.clients[0].fingerprint();
    assert!(world.events.iter().any(|event| matches!(
        event,
        Event::PeerConnected { remote_fingerprint_sha256, .. }
            if *remote_fingerprint_sha256 == expected
    )));
}

#[test]
fn a_hello_in_two_datagrams_in_the_wrong_order_connects() {
    for dtls in [ClientVersion::Dtls12, ClientVersion::Dtls13] {
        let (mut world, fingerprint) = world(Policy::default());
        world.weather = Box::new(|_, _, bytes| split_hello(&bytes).unwrap_or_else(|| vec![bytes]));
        world.join(
            Kind {
                dtls,
                ..Kind::default()
            },
            fingerprint,
        );
        assert!(
            world.run_until(Duration::from_secs(5), are_connected),
            "{dtls}"
        );
        assert_alive(&mut world);
    }
}

/// The two halves of a ClientHello, the second first.
fn split_hello(datagram: &[u8]) -> Option<Vec<Vec<u8>>> {
    const HEADERS: usize = 13 + 12;
    if datagram.len() < HEADERS + 100 || datagram[0] != 22 || datagram[13] != 1 {
        return None;
    }
    let body = &datagram[HEADERS..];
    let half = body.len() / 2;
    let piece = |offset: usize, data: &[u8], sequence: u8| {
        let mut piece = datagram[..HEADERS].to_vec();
        piece[10] = sequence;
        let record_bytes = u16::try_from(12 + data.len()).unwrap();
        piece[11..13].copy_from_slice(&record_bytes.to_be_bytes());
        piece[19..22].copy_from_slice(&u32::try_from(offset).unwrap().to_be_bytes()[1..]);
        piece[22..25].copy_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes()[1..]);
        piece.extend_from_slice(data);
        piece
    };
    Some(vec![
        piece(half, &body[half..], 1),
        piece(0, &body[..half], 0),
    ])
}

#[test]
fn a_lossy_network_only_takes_longer() {
    for seed in 0..8_u64 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut world, fingerprint) = world(Policy::default());
        world.weather = Box::new(move |_, _, bytes| match random.next_u32() % 10 {
            0 | 1 => Vec::new(),
            2 => vec![bytes.clone(), bytes],
            _ => vec![bytes],
        });
        let dtls = [ClientVersion::Dtls12, ClientVersion::Dtls13][usize::from(seed % 2 == 1)];
        world.join(
            Kind {
                dtls,
                ..Kind::default()
            },
            fingerprint,
        );
        let done = world.run_until(Duration::from_secs(30), are_connected);
        assert!(done, "seed {seed}: {:?}", world.events);
    }
}

#[test]
fn a_wrong_fingerprint_closes_and_hands_over_nothing() {
    for dtls in [ClientVersion::Dtls12, ClientVersion::Dtls13] {
        let (mut world, fingerprint) = world(Policy::default());
        let kind = Kind {
            dtls,
            ..Kind::default()
        };
        let mut client = support::Client::new(1, kind, world.now);
        let mut wanted = client.wanted(kind);
        wanted.remote_fingerprint_sha256[0] ^= 1;
        client.start(kind, fingerprint);
        world.clients.push(client);
        world.command(frame(Command::EnsurePeer(Box::new(wanted))));
        world.run(Duration::from_secs(5));
        assert_eq!(
            closings(&world),
            [CloseReason::FingerprintMismatch],
            "{dtls}"
        );
        assert!(connections(&world).is_empty());
        assert_eq!(world.server.statistics().transport.connected, 0);
    }
}

#[test]
fn a_wrong_ice_password_gets_no_answer() {
    let (mut world, fingerprint) = world(Policy::default());
    let kind = Kind::default();
    let mut client = support::Client::new(1, kind, world.now);
    let mut wanted = client.wanted(kind);
    wanted.local = credentials(&wanted.local.ufrag, "another-password-than-the-clients");
    client.start(kind, fingerprint);
    world.clients.push(client);
    world.command(frame(Command::EnsurePeer(Box::new(wanted))));
    let answers = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&answers);
    world.weather = Box::new(move |source, _, bytes| {
        if source == support::server_address() {
            *counted.borrow_mut() += 1;
        }
        vec![bytes]
    });
    world.run(Duration::from_secs(29));
    assert!(world.events.is_empty());
    let statistics = world.server.statistics().transport;
    assert!(statistics.stun_unauthenticated > 0);
    world.run(Duration::from_secs(2));
    assert_eq!(closings(&world), [CloseReason::IceTimeout]);
    assert_eq!(*answers.borrow(), 0);
}

#[test]
fn a_client_that_takes_itself_for_controlled_is_corrected() {
    let (mut world, fingerprint) = world(Policy::default());
    world.join(Kind::default(), fingerprint);
    world.with_client(0, |client| {
        client.rtc.direct_api().set_ice_controlling(false);
    });
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    assert!(world.server.statistics().transport.stun_role_conflict > 0);
}

#[test]
fn a_client_that_never_finishes_dtls_is_closed() {
    let (mut world, fingerprint) = world(Policy::default());
    world.weather = Box::new(|_, _, bytes| {
        let is_stun = bytes[0] < 4;
        if is_stun { vec![bytes] } else { Vec::new() }
    });
    world.join(Kind::default(), fingerprint);
    world.run(Duration::from_secs(31));
    assert_eq!(closings(&world), [CloseReason::DtlsFailed]);
}

#[test]
fn new_credentials_give_a_client_new_time_to_connect() {
    let (mut world, fingerprint) = world(Policy::default());
    let kind = Kind::default();
    let mut client = support::Client::new(1, kind, world.now);
    let mut wanted = client.wanted(kind);
    wanted.local = credentials("server1-first", "server-password-of-the-first-offer");
    world.command(frame(Command::EnsurePeer(Box::new(wanted.clone()))));
    world.run(Duration::from_secs(16));
    wanted.local = client.server_credentials();
    world.command(frame(Command::EnsurePeer(Box::new(wanted))));
    world.run(Duration::from_secs(16));
    assert!(world.events.is_empty());

    client.start(kind, fingerprint);
    client.due = world.now;
    world.clients.push(client);
    assert!(world.run_until(Duration::from_secs(5), are_connected));
}

#[test]
fn the_policy_refuses_what_it_must() {
    let policy = Policy {
        aead_only: true,
        dtls13_only: true,
    };
    let (mut world, fingerprint) = world(policy);
    world.join(Kind::default(), fingerprint);
    world.run(Duration::from_secs(2));
    assert_eq!(closings(&world), [CloseReason::Policy]);
    assert!(world.clients[0].failed, "the client was told");

    world.join(
        Kind {
            dtls: ClientVersion::Dtls13,
            ..Kind::default()
        },
        fingerprint,
    );
    let second = |world: &World<Core>| world.clients[1].channels.len() == 2;
    assert!(world.run_until(Duration::from_secs(5), second));
}

#[test]
fn an_ice_restart_keeps_the_old_session_until_the_new_one_nominates() {
    let mut world = connected(Kind::default());
    let kind = Kind::default();
    world.events.clear();

    // The control plane knows of the restart before the client does.
    let mut wanted = world.clients[0].wanted(kind);
    let server = credentials("server1-again", "server-password-of-the-restart");
    wanted.local = server.clone();
    wanted.remote = credentials("client1-again", "client-password-0000000000000001-again");
    world.command(frame(Command::EnsurePeer(Box::new(wanted.clone()))));
    world.run(Duration::from_secs(20));
    assert!(
        world.events.is_empty(),
        "the old checks keep it alive: {:?}",
        world.events
    );
    assert_alive(&mut world);

    // The client follows, over another address.
    world.events.clear();
    let moved = SocketAddr::from(([203, 0, 113, 99], 4_000));
    let address = world.clients[0].address;
    world.translation.insert(address, moved);
    let remote = world.with_client(0, |client| client.restart_ice(&server));
    assert_eq!(remote, wanted.remote);
    world.run(Duration::from_secs(10));
    let [(_, _, told)] = connections(&world)[..] else {
        panic!("{:?}", world.events);
    };
    assert_eq!(told, moved);
    assert_alive(&mut world);
    world.run(Duration::from_secs(60));
    assert!(closings(&world).is_empty());
}

#[test]
fn a_client_whose_address_changes_is_followed() {
    let mut world = connected(Kind::default());
    let address = world.clients[0].address;
    world.events.clear();
    let moved = SocketAddr::from(([203, 0, 113, 50], 5_000));
    world.translation.insert(address, moved);
    world.run(Duration::from_secs(8));
    let told: Vec<_> = connections(&world).iter().map(|told| told.2).collect();
    assert_eq!(told, [moved]);
    assert_alive(&mut world);
}

#[test]
fn a_client_that_moves_to_and_fro_does_not_flood_the_control_plane() {
    let mut world = connected(Kind::default());
    let address = world.clients[0].address;
    world.events.clear();
    let recorded = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&recorded);
    world.weather = Box::new(move |source, _, bytes| {
        if source == address && bytes[0] < 4 {
            keep.replace(Some(bytes.clone()));
        }
        vec![bytes]
    });
    world.run(Duration::from_secs(5));
    let check = recorded.borrow().clone().expect("a check was sent");
    for turn in 0..100 {
        let source = SocketAddr::from(([203, 0, 113, 50], 5_000 + turn % 2));
        world.inject(source, &check);
    }
    world.run(Duration::from_millis(1_500));
    let told = connections(&world).len();
    assert!((1..=3).contains(&told), "{told} times");
}

#[test]
fn silence_disconnects_and_a_return_connects_again() {
    let mut world = connected(Kind::default());
    let peer = world.clients[0].peer;
    world.events.clear();
    world.weather = Box::new(|_, _, _| Vec::new());
    world.run(Duration::from_secs(15));
    assert_eq!(world.events, [Event::PeerDisconnected { peer }]);
    world.weather = Box::new(|_, _, bytes| vec![bytes]);
    world.run(Duration::from_secs(5));
    assert_eq!(connections(&world).len(), 1);
    assert_alive(&mut world);
}

#[test]
fn consent_expires() {
    let mut world = connected(Kind::default());
    world.weather = Box::new(|_, _, _| Vec::new());
    world.run(Duration::from_secs(35));
    assert_eq!(closings(&world), [CloseReason::IceTimeout]);
    assert_eq!(
        world.server.transports.poll_timeout(),
        None,
        "nothing is left to wait for"
    );
}

#[test]
fn media_alone_does_not_extend_consent() {
    let mut world = connected(Kind::default());
    let address = world.clients[0].address;
    world.weather = Box::new(|_, _, _| Vec::new());
    for _ in 0..35 {
        world.run(Duration::from_secs(1));
        world.inject(address, &[0x80; 40]);
    }
    let disconnected = world
        .events
        .iter()
        .any(|event| matches!(event, Event::PeerDisconnected { .. }));
    assert!(!disconnected, "it was heard all the time");
    assert_eq!(closings(&world), [CloseReason::IceTimeout]);
}

#[test]
fn a_client_that_says_goodbye_is_closed() {
    for dtls in [ClientVersion::Dtls12, ClientVersion::Dtls13] {
        let mut world = connected(Kind {
            dtls,
            ..Kind::default()
        });
        world.with_client(0, |client| client.rtc.close().unwrap());
        world.run(Duration::from_secs(1));
        assert_eq!(closings(&world), [CloseReason::ClosedByPeer], "{dtls}");
    }
}

#[test]
fn a_removed_client_is_told() {
    for dtls in [ClientVersion::Dtls12, ClientVersion::Dtls13] {
        let mut world = connected(Kind {
            dtls,
            ..Kind::default()
        });
        let peer = world.clients[0].peer;
        world.command(frame(Command::RemovePeer { peer }));
        assert_eq!(closings(&world), [CloseReason::Removed]);
        world.run(Duration::from_secs(1));
        assert!(world.clients[0].is_closed, "{dtls}");
        let unknown = world.server.statistics().transport.unknown_path;
        world.inject(world.clients[0].address, &[0x80; 40]);
        assert_eq!(
            world.server.statistics().transport.unknown_path,
            unknown + 1
        );
    }
}

#[test]
fn a_shutdown_tells_everyone() {
    let (mut world, fingerprint) = world(Policy::default());
    for _ in 0..3 {
        world.join(Kind::default(), fingerprint);
    }
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    world.with_server(|core, now, sink| core.shutdown(now, sink));
    world.run(Duration::from_secs(1));
    assert!(world.clients.iter().all(|client| client.is_closed));
    assert_eq!(closings(&world), [CloseReason::Shutdown; 3]);
    assert_eq!(world.server.rooms().count(), 0);
}
