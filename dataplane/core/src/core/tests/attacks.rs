//! What strangers and hostile clients can do to a connection: nothing.

use super::*;
use str0m::config::DtlsVersion as ClientVersion;

/// Every datagram that a client sent while it connected and talked.
fn recorded(kind: Kind) -> (World<Core>, Vec<Vec<u8>>) {
    let (mut world, fingerprint) = world(Policy::default());
    let sent = Rc::new(RefCell::new(Vec::new()));
    let keep = Rc::clone(&sent);
    world.weather = Box::new(move |source, _, bytes| {
        if source != support::server_address() {
            keep.borrow_mut().push(bytes.clone());
        }
        vec![bytes]
    });
    world.join(kind, fingerprint);
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    assert_alive(&mut world);
    world.weather = Box::new(|_, _, bytes| vec![bytes]);
    let sent = sent.borrow().clone();
    (world, sent)
}

fn kinds() -> [Kind; 2] {
    [ClientVersion::Dtls12, ClientVersion::Dtls13].map(|dtls| Kind {
        dtls,
        ..Kind::default()
    })
}

#[test]
fn replays_truncations_and_damage_change_nothing() {
    for kind in kinds() {
        let (mut world, sent) = recorded(kind);
        let client = world.clients[0].address;
        let mut random = ChaCha8Rng::seed_from_u64(11);
        for datagram in &sent {
            world.inject(client, datagram);
            for _ in 0..20 {
                let place = random.next_u32() as usize % datagram.len();
                world.inject(client, &datagram[..place]);
                let mut damaged = datagram.clone();
                damaged[place] ^= 1 << (random.next_u32() % 8);
                world.inject(client, &damaged);
            }
        }
        assert!(
            closings(&world).is_empty(),
            "{:?}: {:?}",
            kind.dtls,
            closings(&world)
        );
        assert_alive(&mut world);
        assert_eq!(world.server.statistics().transport.stalled, 0);
    }
}

#[test]
fn a_stranger_is_not_answered_and_opens_nothing() {
    for kind in kinds() {
        let (mut world, sent) = recorded(kind);
        let before = world.server.statistics().transport;
        let stranger = SocketAddr::from(([192, 0, 2, 66], 6_666));
        let answers = Rc::new(RefCell::new(0));
        let counted = Rc::clone(&answers);
        world.weather = Box::new(move |_, destination, bytes| {
            *counted.borrow_mut() += usize::from(destination == stranger);
            vec![bytes]
        });
        let mut random = ChaCha8Rng::seed_from_u64(12);
        for datagram in sent.iter().filter(|datagram| datagram[0] > 3) {
            world.inject(stranger, datagram);
            let mut noise = vec![0; datagram.len()];
            random.fill_bytes(&mut noise);
            world.inject(stranger, &noise);
        }
        assert_eq!(*answers.borrow(), 0);
        let after = world.server.statistics().transport;
        assert!(after.unknown_path > before.unknown_path);
        assert_eq!(after.checks_answered, before.checks_answered);
        assert_alive(&mut world);
    }
}

#[test]
fn a_check_for_an_unknown_name_or_address_is_dropped() {
    let (mut world, sent) = recorded(Kind::default());
    let check = sent
        .iter()
        .find(|datagram| datagram[0] < 4)
        .expect("checks")
        .clone();
    let before = world.server.statistics().transport;

    // The local user name fragment is the first thing in the first attribute.
    let mut other_name = check.clone();
    other_name[24] ^= 1;
    world.inject(world.clients[0].address, &other_name);

    let elsewhere = Path {
        local: SocketAddr::from(([198, 51, 100, 2], 40_000)),
        remote: world.clients[0].address,
    };
    world.with_server(|core, now, sink| {
        support::Server::receive(core, now, elsewhere, &mut check.clone(), sink);
    });

    let after = world.server.statistics().transport;
    assert_eq!(after.stun_unknown_ufrag, before.stun_unknown_ufrag + 1);
    assert_eq!(after.stun_not_a_candidate, before.stun_not_a_candidate + 1);
    assert_eq!(after.checks_answered, before.checks_answered);
}

#[test]
fn one_client_cannot_take_the_path_of_another() {
    let (mut world, fingerprint) = world(Policy::default());
    let sent = Rc::new(RefCell::new(Vec::new()));
    let keep = Rc::clone(&sent);
    world.weather = Box::new(move |source, _, bytes: Vec<u8>| {
        if bytes[0] < 4 && source != support::server_address() {
            keep.borrow_mut().push((source, bytes.clone()));
        }
        vec![bytes]
    });
    world.join(Kind::default(), fingerprint);
    world.join(Kind::default(), fingerprint);
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    let (victim, attacker) = (world.clients[0].address, world.clients[1].address);
    let check = sent
        .borrow()
        .iter()
        .rev()
        .find_map(|(source, bytes)| (*source == attacker).then(|| bytes.clone()))
        .expect("the attacker checks too");
    world.inject(victim, &check);
    assert_eq!(world.server.statistics().transport.stun_path_taken, 1);
    assert_alive(&mut world);
}

#[test]
fn an_address_that_fell_silent_goes_to_its_next_user() {
    let (mut world, fingerprint) = world(Policy::default());
    world.join(Kind::default(), fingerprint);
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    let address = world.clients[0].address;
    world.weather = Box::new(|_, _, _| Vec::new());
    world.run(Duration::from_secs(12));
    world.weather = Box::new(|_, _, bytes| vec![bytes]);
    world.clients.clear();

    let kind = Kind::default();
    let mut client = support::Client::new(2, kind, world.now);
    let wanted = client.wanted(kind);
    client.start(kind, fingerprint);
    world.translation.insert(client.address, address);
    world.clients.push(client);
    world.command(frame(Command::EnsurePeer(Box::new(wanted))));
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    assert_alive(&mut world);
}

#[test]
fn any_datagrams_are_taken() {
    let (world, sent) = recorded(Kind::default());
    let world = std::panic::AssertUnwindSafe(RefCell::new(world));
    bolero::check!()
        .with_type::<(u8, Vec<u8>, Vec<(u16, u8)>)>()
        .for_each(|(which, bytes, damage)| {
            let mut world = world.borrow_mut();
            let client = world.clients[0].address;
            let stranger = SocketAddr::from(([192, 0, 2, 66], 6_666));
            world.inject(stranger, bytes);
            world.inject(client, bytes);
            let mut damaged = sent[usize::from(*which) % sent.len()].clone();
            for (place, value) in damage {
                let place = usize::from(*place) % damaged.len();
                damaged[place] = *value;
            }
            world.inject(stranger, &damaged);
            world.inject(client, &damaged);
        });
    assert_alive(&mut world.borrow_mut());
}
