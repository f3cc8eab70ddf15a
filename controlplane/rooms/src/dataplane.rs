//! What the data plane should have, and what it has been told.

use crate::context::Context;
use crate::participant::Participant;
use crate::room::{Member, Room};
use bedside_protocol::{Command, Peer, PeerId, Relay, Subscription, Track, TrackId, WorkerId};
use std::collections::{BTreeMap, BTreeSet};

/// What the connected data plane has been told of a room.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    /// The workers that hold a part of it.
    parts: BTreeSet<WorkerId>,
    members: BTreeMap<Member, Told>,
    /// On which workers a track is received, and by how many.
    audience: BTreeMap<TrackId, BTreeMap<WorkerId, usize>>,
}

/// A participant's part of it.
#[derive(Clone, PartialEq)]
struct Told {
    worker: WorkerId,
    peers: BTreeMap<PeerId, Peer>,
    /// Those whose media may pass.
    admitted: BTreeMap<PeerId, ()>,
    tracks: BTreeMap<TrackId, Track>,
    /// Its tracks on the other workers where they are received.
    relays: BTreeMap<(TrackId, WorkerId), Track>,
    subscriptions: BTreeMap<TrackId, Subscription>,
}

impl Told {
    fn nothing(worker: WorkerId) -> Self {
        Self {
            worker,
            peers: BTreeMap::new(),
            admitted: BTreeMap::new(),
            tracks: BTreeMap::new(),
            relays: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
        }
    }

    fn is_nothing(&self) -> bool {
        *self == Self::nothing(self.worker)
    }

    /// Says of each track where it goes, now that this is known.
    fn relay(&mut self, audience: &BTreeMap<TrackId, BTreeMap<WorkerId, usize>>) {
        for (&id, track) in &mut self.tracks {
            let workers = audience.get(&id).into_iter().flat_map(BTreeMap::keys);
            let others: Vec<WorkerId> = workers
                .copied()
                .filter(|worker| *worker != self.worker)
                .collect();
            for &worker in &others {
                let relay = Relay::From(self.worker);
                let relayed = Track {
                    relay,
                    ..track.clone()
                };
                self.relays.insert((id, worker), relayed);
            }
            if !others.is_empty() {
                track.relay = Relay::To(others);
            }
        }
    }
}

/// A participant whose part differs, or may.
struct Change {
    member: Member,
    told: Told,
    want: Told,
}

impl Sent {
    pub(crate) fn parts(&self) -> impl Iterator<Item = WorkerId> + use<'_> {
        self.parts.iter().copied()
    }

    /// Counts a change of subscriptions, and gives the tracks that are received on other workers
    /// than before.
    fn count_audience(&mut self, told: &Told, want: &Told) -> BTreeSet<TrackId> {
        let worker = want.worker;
        let mut changed = BTreeSet::new();
        for track in gone(&want.subscriptions, &told.subscriptions) {
            let count = self.audience.entry(track).or_default();
            let count = count.entry(worker).or_default();
            *count += 1;
            if *count == 1 {
                changed.insert(track);
            }
        }
        for track in gone(&told.subscriptions, &want.subscriptions) {
            let Some(workers) = self.audience.get_mut(&track) else {
                continue;
            };
            if let Some(count) = workers.get_mut(&worker) {
                *count -= 1;
                if *count == 0 {
                    workers.remove(&worker);
                    changed.insert(track);
                }
            }
            if workers.is_empty() {
                self.audience.remove(&track);
            }
        }
        changed
    }
}

impl Room {
    /// Sends what differs from what the data plane has been told. Nothing is removed that
    /// something still refers to, and nothing refers to what has not been made.
    #[expect(
        clippy::type_complexity,
        reason = "commands, and for which worker each is"
    )]
    pub(crate) fn sync(&mut self, ctx: &mut Context<'_>) {
        if ctx.dataplane.is_none() || self.volatile.finished {
            return;
        }
        let mut sent = std::mem::take(&mut self.volatile.sent);
        let changes = self.changes(&mut sent);
        let wanted = changes.iter().filter(|change| !change.want.is_nothing());
        let parts = [self.home]
            .into_iter()
            .chain(wanted.map(|change| change.want.worker));
        for worker in parts {
            if sent.parts.insert(worker) {
                ctx.command(self.id, worker, Command::EnsureRoom);
            }
        }
        let mut send = |commands: &dyn Fn(&Told, &Told) -> Vec<(WorkerId, Command)>| {
            for Change { told, want, .. } in &changes {
                for (worker, command) in commands(told, want) {
                    ctx.command(self.id, worker, command);
                }
            }
        };
        send(&removed_subscriptions);
        send(&|told, want| {
            let relays = gone(&told.relays, &want.relays);
            let relays = relays.map(|(track, worker)| (worker, Command::RemoveTrack { track }));
            let tracks = gone(&told.tracks, &want.tracks);
            let tracks = tracks.map(|track| (told.worker, Command::RemoveTrack { track }));
            relays.chain(tracks).collect()
        });
        send(&|told, want| {
            let peers = gone(&told.peers, &want.peers);
            peers
                .map(|peer| (told.worker, Command::RemovePeer { peer }))
                .collect()
        });
        send(&|told, want| {
            let peers = new(&told.peers, &want.peers);
            peers
                .map(|(_, peer)| (want.worker, Command::EnsurePeer(Box::new(peer))))
                .collect()
        });
        send(&|told, want| {
            let tracks = new(&told.tracks, &want.tracks);
            let tracks = tracks.map(|(_, track)| (want.worker, Command::EnsureTrack(track)));
            let relays = new(&told.relays, &want.relays);
            let relays = relays.map(|((_, to), track)| (to, Command::EnsureTrack(track)));
            tracks.chain(relays).collect()
        });
        send(&|told, want| {
            let subscriptions = new(&told.subscriptions, &want.subscriptions);
            subscriptions
                .map(|(_, wanted)| (want.worker, Command::EnsureSubscription(wanted)))
                .collect()
        });
        send(&|told, want| {
            let admitted = new(&told.admitted, &want.admitted);
            admitted
                .map(|(peer, ())| (want.worker, Command::AdmitPeer { peer }))
                .collect()
        });
        for Change { member, want, .. } in changes {
            if want.is_nothing() {
                sent.members.remove(&member);
            } else {
                sent.members.insert(member, want);
            }
        }
        self.remove_empty_parts(ctx, &mut sent);
        self.volatile.sent = sent;
    }

    /// Those whose desired state may differ from what was told, and the publishers of tracks that
    /// cross workers otherwise than before.
    fn changes(&mut self, sent: &mut Sent) -> Vec<Change> {
        let mut changes: BTreeMap<Member, Change> = BTreeMap::new();
        for member in std::mem::take(&mut self.volatile.unsynced) {
            let told = sent.members.get(&member).cloned();
            let (told, want) = match (told, self.desired(member)) {
                (told, Some(want)) => (told.unwrap_or_else(|| Told::nothing(want.worker)), want),
                (Some(told), None) => {
                    let worker = told.worker;
                    (told, Told::nothing(worker))
                }
                (None, None) => continue,
            };
            changes.insert(member, Change { member, told, want });
        }
        let mut publishers = BTreeSet::new();
        for Change { told, want, .. } in changes.values() {
            let tracks = sent.count_audience(told, want);
            let tracks = tracks.iter().filter_map(|track| self.tracks.get(track));
            publishers.extend(tracks.map(|track| track.publisher));
        }
        for member in publishers {
            if !changes.contains_key(&member)
                && let Some(told) = sent.members.get(&member).cloned()
            {
                let mut want = told.clone();
                want.relays.clear();
                let tracks = want.tracks.values_mut();
                tracks.for_each(|track| track.relay = Relay::None);
                changes.insert(member, Change { member, told, want });
            }
        }
        let mut changes: Vec<Change> = changes.into_values().collect();
        for change in &mut changes {
            change.want.relay(&sent.audience);
        }
        changes
    }

    /// Gives back the parts whose participants have all left.
    fn remove_empty_parts(&self, ctx: &mut Context<'_>, sent: &mut Sent) {
        let mut occupied: BTreeSet<WorkerId> =
            sent.members.values().map(|told| told.worker).collect();
        occupied.insert(self.home);
        for &worker in sent.parts.difference(&occupied) {
            ctx.command(self.id, worker, Command::RemoveRoom);
        }
        sent.parts = occupied;
    }

    /// Forgets what was sent: everything is sent again.
    pub(crate) fn resync(&mut self) {
        self.volatile.sent = Sent::default();
        self.volatile.unsynced = self.members.keys().copied().collect::<BTreeSet<_>>();
    }

    /// What the data plane should have of a participant, but for relays; `None` for one who left.
    fn desired(&self, member: Member) -> Option<Told> {
        let participant = self.members.get(&member)?;
        let peers: BTreeMap<PeerId, Peer> = participant
            .links
            .iter()
            .filter_map(|link| Some((link.peer, link.connection.peer(link.peer)?)))
            .collect();
        let admitted = participant
            .links
            .iter()
            .filter(|link| link.admitted && peers.contains_key(&link.peer))
            .map(|link| (link.peer, ()))
            .collect();
        let tracks = self
            .tracks_of(member)
            .filter_map(|(id, track)| {
                let live = track.live()?;
                let muted = track.info.muted;
                Some((
                    id,
                    Track {
                        muted,
                        content: track.content(),
                        ..live.clone()
                    },
                ))
            })
            .collect();
        Some(Told {
            worker: participant.worker,
            peers,
            admitted,
            tracks,
            relays: BTreeMap::new(),
            subscriptions: desired_subscriptions(participant),
        })
    }
}

/// Those whose section has been negotiated.
fn desired_subscriptions(participant: &Participant) -> BTreeMap<TrackId, Subscription> {
    let link = &participant.links[participant.subscriber()];
    participant
        .subscriptions
        .iter()
        .filter_map(|(&track, subscription)| {
            let bound = link.connection.sender(track)?;
            Some((
                track,
                Subscription {
                    subscriber: link.peer,
                    track,
                    mid: bound.mid,
                    ssrc: bound.ssrc,
                    rtx_ssrc: bound.rtx_ssrc,
                    payload_types: bound.payload_types,
                    red_payload_type: bound.red_payload_type,
                    nack: bound.nack,
                    layer_max: subscription.wish.layer_max,
                    paused: subscription.wish.paused,
                    priority: subscription.wish.priority,
                    frame_rate_max: subscription.wish.frame_rate_max,
                },
            ))
        })
        .collect()
}

/// Subscriptions that are no longer wanted, or are wanted on another section or SSRC, which may
/// be in use again.
fn removed_subscriptions(told: &Told, want: &Told) -> Vec<(WorkerId, Command)> {
    told.subscriptions
        .iter()
        .filter(|(track, subscription)| {
            want.subscriptions.get(track).is_none_or(|wanted| {
                wanted.ssrc != subscription.ssrc || wanted.mid != subscription.mid
            })
        })
        .map(|(&track, subscription)| {
            let subscriber = subscription.subscriber;
            let command = Command::RemoveSubscription { subscriber, track };
            (told.worker, command)
        })
        .collect()
}

/// What is wanted and was not told, or told otherwise.
fn new<K: Ord + Copy, V: Clone + PartialEq>(
    told: &BTreeMap<K, V>,
    want: &BTreeMap<K, V>,
) -> impl Iterator<Item = (K, V)> {
    want.iter()
        .filter(|(key, value)| told.get(key) != Some(value))
        .map(|(key, value)| (*key, value.clone()))
}

/// What was told and is not wanted any more.
fn gone<K: Ord + Copy, V>(told: &BTreeMap<K, V>, want: &BTreeMap<K, V>) -> impl Iterator<Item = K> {
    told.keys().filter(|key| !want.contains_key(key)).copied()
}
