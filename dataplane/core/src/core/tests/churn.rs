//! Everything at once, from a seed: clients that come, move, restart, fall silent, leave and are
//! removed, a network that loses and doubles, control planes that replace each other.

use super::*;
use bedside_protocol::Peer;
use std::collections::{BTreeMap, BTreeSet};

/// What the test remembers besides the world.
struct Churn {
    world: World<Core>,
    fingerprint: [u8; 32],
    random: ChaCha8Rng,
    generation: u64,
    wanted: BTreeMap<PeerId, Peer>,
    silent: Rc<RefCell<BTreeSet<SocketAddr>>>,
    joined: u16,
}

impl Churn {
    fn new(seed: u64) -> Self {
        let (mut world, fingerprint) = world(Policy::default());
        let silent: Rc<RefCell<BTreeSet<SocketAddr>>> = Rc::default();
        let quiet = Rc::clone(&silent);
        let mut weather = ChaCha8Rng::seed_from_u64(seed ^ 0xff);
        world.weather = Box::new(move |source, destination, bytes| {
            let quiet = quiet.borrow();
            if quiet.contains(&source) || quiet.contains(&destination) {
                return Vec::new();
            }
            match weather.next_u32() % 20 {
                0 => Vec::new(),
                1 => vec![bytes.clone(), bytes],
                _ => vec![bytes],
            }
        });
        Self {
            world,
            fingerprint,
            random: ChaCha8Rng::seed_from_u64(seed),
            generation: 1,
            wanted: BTreeMap::new(),
            silent,
            joined: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.next_u32()).unwrap_or(0) % bound.max(1)
    }

    fn command(&mut self, command: Command) {
        self.world.command(CommandFrame {
            generation: Generation(self.generation),
            room: ROOM,
            worker: WORKER,
            command,
        });
    }

    fn join(&mut self) {
        self.joined += 1;
        let kind = Kind {
            dtls: [
                str0m::config::DtlsVersion::Dtls12,
                str0m::config::DtlsVersion::Dtls13,
            ][self.below(2)],
            opens_channels: self.below(2) == 0,
        };
        let mut client = support::Client::new(self.joined, kind, self.world.now);
        let wanted = client.wanted(kind);
        client.start(kind, self.fingerprint);
        self.world.clients.push(client);
        self.wanted.insert(wanted.peer, wanted.clone());
        self.command(Command::EnsurePeer(Box::new(wanted)));
    }

    fn act(&mut self) {
        let count = self.world.clients.len();
        let any = self.below(count);
        match self.below(12) {
            0..=2 if count < 6 => self.join(),
            3 if count > 0 => {
                let peer = self.world.clients.remove(any).peer;
                self.wanted.remove(&peer);
                self.command(Command::RemovePeer { peer });
            }
            4 if count > 0 => {
                // Whether it was up or not is its own affair.
                self.world
                    .with_client(any, |client| drop(client.rtc.close()));
            }
            5 if count > 0 => {
                let address = self.world.clients[any].address;
                let port = u16::try_from(self.below(10_000)).unwrap_or(0);
                let moved = SocketAddr::from(([203, 0, 113, 77], 20_000 + port));
                self.world.translation.insert(address, moved);
            }
            6 if count > 0 => {
                let address = self.world.clients[any].address;
                let mut silent = self.silent.borrow_mut();
                if !silent.remove(&address) {
                    silent.insert(address);
                }
            }
            7 if count > 0 => {
                let peer = self.world.clients[any].peer;
                let number = self.below(1_000_000);
                let server = credentials(
                    &format!("again{number}"),
                    &format!("password-after-restart-{number}"),
                );
                if let Some(mut wanted) = self.wanted.get(&peer).cloned() {
                    wanted.local = server.clone();
                    self.wanted.insert(peer, wanted.clone());
                    self.command(Command::EnsurePeer(Box::new(wanted)));
                    self.world
                        .with_client(any, |client| drop(client.restart_ice(&server)));
                }
            }
            8 => {
                // A new control plane, which has forgotten some.
                self.generation += 1;
                self.command(Command::EnsureRoom);
                let keep = self.below(5);
                self.wanted.retain(|peer, _| peer.0 % 5 != keep as u64);
                let wanted: Vec<_> = self.wanted.values().cloned().collect();
                for peer in wanted {
                    self.command(Command::EnsurePeer(Box::new(peer)));
                }
                self.command(Command::Reconcile);
                let known = &self.wanted;
                self.world
                    .clients
                    .retain(|client| known.contains_key(&client.peer));
            }
            9 | 10 => {
                let peers: Vec<_> = self
                    .world
                    .clients
                    .iter()
                    .map(|client| client.peer)
                    .collect();
                let bytes = 1 + self.below(20_000);
                let channel = [DataChannelKind::Reliable, DataChannelKind::Lossy][self.below(2)];
                self.command(Command::SendData(DataMessage {
                    peers,
                    channel,
                    payload: vec![7; bytes],
                }));
            }
            _ => {}
        }
    }
}

#[test]
fn whatever_happens_the_tables_agree() {
    for seed in 0..12 {
        let mut churn = Churn::new(seed);
        for _ in 0..120 {
            churn.act();
            churn.world.server.transports.assert_consistent();
            let time = Duration::from_millis(churn.below(3_000) as u64);
            churn.world.run(time);
            churn.world.server.transports.assert_consistent();
        }
        let statistics = churn.world.server.statistics().transport;
        assert!(statistics.connected > 5, "seed {seed}: {statistics:?}");
        assert_eq!(
            (statistics.panicked, statistics.stalled),
            (0, 0),
            "seed {seed}"
        );

        // With everybody gone, nothing is left.
        churn.command(Command::RemoveRoom);
        churn.world.run(Duration::from_secs(1));
        churn.world.server.transports.assert_consistent();
        assert_eq!(
            churn.world.server.transports.poll_timeout(),
            None,
            "seed {seed}"
        );
        assert_eq!(churn.world.server.rooms().count(), 0);
    }
}
