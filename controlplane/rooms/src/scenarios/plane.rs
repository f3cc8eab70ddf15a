//! The data plane as the rooms see it: it holds what it is told and refuses what makes no sense.

use bedside_protocol::{
    BootId, Command, CommandFrame, DataMessage, Generation, Peer, PeerId, Relay, RoomId,
    Subscription, Track, TrackId, Welcome, WorkerId, WorkerInfo,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct Plane {
    pub(super) rooms: BTreeMap<RoomId, Held>,
    pub(super) data: Vec<DataMessage>,
    pub(super) reconciled: BTreeSet<(RoomId, WorkerId)>,
    /// SSRCs that a peer was ever sent.
    used: BTreeMap<PeerId, BTreeMap<u32, TrackId>>,
    pub(super) commands: usize,
}

/// What it holds of a room.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct Held {
    /// Its home: the first one that was told of it.
    pub(super) worker: Option<WorkerId>,
    /// Every worker that has a part.
    pub(super) parts: BTreeSet<WorkerId>,
    /// Where each peer is.
    pub(super) placed: BTreeMap<PeerId, WorkerId>,
    /// Tracks as the workers know them that they are relayed to.
    pub(super) relays: BTreeMap<(TrackId, WorkerId), Track>,
    pub(super) peers: BTreeMap<PeerId, Peer>,
    /// Those whose media may pass.
    pub(super) admitted: BTreeSet<PeerId>,
    pub(super) tracks: BTreeMap<TrackId, Track>,
    pub(super) subscriptions: BTreeMap<(PeerId, TrackId), Subscription>,
}

impl Plane {
    pub(super) fn welcome(boot: u64, workers: u16) -> Welcome {
        Welcome {
            version: bedside_protocol::PROTOCOL_VERSION,
            boot: BootId(boot),
            fingerprint_sha256: [7; 32],
            engine: "test".to_owned(),
            workers: (0..workers)
                .map(|worker| WorkerInfo {
                    worker: WorkerId(worker),
                    addresses: vec![([127, 0, 0, 1], 40_000 + worker).into()],
                    rooms: Vec::new(),
                    sequence: 0,
                    acknowledged: 0,
                })
                .collect(),
            spooled: Vec::new(),
        }
    }

    /// Carries out a command; panics where a data plane would refuse it.
    pub(super) fn apply(&mut self, frame: CommandFrame) {
        assert!(frame.generation >= Generation(1));
        self.commands += 1;
        let (id, worker) = (frame.room, frame.worker);
        if frame.command == Command::EnsureRoom {
            let held = self.rooms.entry(id).or_default();
            held.worker.get_or_insert(worker);
            held.parts.insert(worker);
            return;
        }
        if frame.command == Command::RemoveRoom {
            let held = self.rooms.entry(id).or_default();
            held.parts.remove(&worker);
            if held.parts.is_empty() {
                self.rooms.remove(&id);
            } else {
                let peers = held.placed.extract_if(.., |_, on| *on == worker);
                for (peer, _) in peers.collect::<Vec<_>>() {
                    held.peers.remove(&peer);
                    held.admitted.remove(&peer);
                    held.tracks.retain(|_, track| track.publisher != peer);
                    held.subscriptions.retain(|(one, _), _| *one != peer);
                }
                held.relays.retain(|(_, on), _| *on != worker);
            }
            return;
        }
        let held = self.rooms.get_mut(&id).expect("the room is made first");
        assert!(held.parts.contains(&worker), "the part is made first");
        match frame.command {
            Command::EnsureRoom | Command::RemoveRoom => unreachable!(),
            Command::EnsurePeer(peer) => {
                assert!(peer.local.ufrag.len() >= 4 && peer.local.password.expose().len() >= 22);
                let placed = *held.placed.entry(peer.peer).or_insert(worker);
                assert_eq!(placed, worker, "a peer does not move");
                if let Some(old) = held.peers.insert(peer.peer, (*peer).clone()) {
                    assert_eq!(
                        old.remote_fingerprint_sha256, peer.remote_fingerprint_sha256,
                        "another certificate is another peer"
                    );
                }
            }
            Command::AdmitPeer { peer } => {
                assert_eq!(held.placed.get(&peer), Some(&worker));
                held.admitted.insert(peer);
            }
            Command::RemovePeer { peer } => {
                assert!(held.peers.remove(&peer).is_some());
                held.admitted.remove(&peer);
                assert_eq!(held.placed.remove(&peer), Some(worker));
                assert!(held.tracks.values().all(|track| track.publisher != peer));
                assert!(held.subscriptions.keys().all(|(one, _)| *one != peer));
            }
            Command::EnsureTrack(track) => {
                assert!((1..=3).contains(&track.encodings.len()));
                let on = held.placed[&track.publisher];
                if let Relay::From(origin) = track.relay {
                    assert_eq!(on, origin);
                    assert_ne!(origin, worker);
                    held.relays.insert((track.track, worker), track);
                } else {
                    assert_eq!(on, worker);
                    held.tracks.insert(track.track, track);
                }
            }
            Command::RemoveTrack { track } => {
                let relay = held.relays.remove(&(track, worker));
                assert!(relay.is_some() || held.tracks.remove(&track).is_some());
                let here = |peer| relay.is_none() || held.placed[peer] == worker;
                let mut subscriptions = held.subscriptions.keys();
                assert!(!subscriptions.any(|(peer, one)| *one == track && here(peer)));
            }
            Command::EnsureSubscription(subscription) => {
                let (peer, track) = (subscription.subscriber, subscription.track);
                assert_eq!(held.placed[&peer], worker);
                let here = held.relays.get(&(track, worker)).or_else(|| {
                    let track = held.tracks.get(&track)?;
                    (held.placed[&track.publisher] == worker).then_some(track)
                });
                let publisher = here.expect("the track is made first");
                assert_ne!(publisher.publisher, peer, "nobody hears itself");
                let used = self.used.entry(peer).or_default();
                for ssrc in [Some(subscription.ssrc), subscription.rtx_ssrc]
                    .into_iter()
                    .flatten()
                {
                    let owner = *used.entry(ssrc).or_insert(track);
                    assert_eq!(owner, track, "no SSRC is used twice on a peer");
                }
                held.subscriptions.insert((peer, track), subscription);
                let of_peer = held.subscriptions.values();
                let mids: Vec<_> = of_peer
                    .filter(|one| one.subscriber == peer)
                    .map(|one| one.mid)
                    .collect();
                let distinct: BTreeSet<_> = mids.iter().map(|mid| mid.as_str()).collect();
                assert_eq!(mids.len(), distinct.len(), "a section carries one track");
            }
            Command::RemoveSubscription { subscriber, track } => {
                assert!(held.subscriptions.remove(&(subscriber, track)).is_some());
            }
            Command::RequestKeyFrame { track } => assert!(held.tracks.contains_key(&track)),
            Command::SendData(message) => {
                assert!(
                    message
                        .peers
                        .iter()
                        .all(|peer| held.placed.get(peer) == Some(&worker))
                );
                self.data.push(message);
            }
            Command::Reconcile => {
                self.reconciled.insert((id, worker));
            }
        }
    }
}
