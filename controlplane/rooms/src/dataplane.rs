//! What the data plane should have, and what it has been told.

use crate::context::Context;
use crate::participant::Participant;
use crate::room::{Member, Room};
use bedside_protocol::{Command, Peer, PeerId, Subscription, Track, TrackId};
use std::collections::{BTreeMap, BTreeSet};

/// What the connected data plane has been told of a room.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    room: bool,
    members: BTreeMap<Member, Told>,
}

/// A participant's part of it.
#[derive(Clone, Default, PartialEq)]
struct Told {
    peers: BTreeMap<PeerId, Peer>,
    tracks: BTreeMap<TrackId, Track>,
    subscriptions: BTreeMap<TrackId, Subscription>,
}

impl Room {
    /// Sends what differs from what the data plane has been told. Nothing is removed that
    /// something still refers to, and nothing refers to what has not been made.
    pub(crate) fn sync(&mut self, ctx: &mut Context<'_>) {
        if ctx.dataplane.is_none() || self.volatile.finished {
            return;
        }
        let mut sent = std::mem::take(&mut self.volatile.sent);
        let members: Vec<Member> = std::mem::take(&mut self.volatile.unsynced)
            .into_iter()
            .collect();
        if !std::mem::replace(&mut sent.room, true) {
            let worker = self.worker;
            ctx.command(
                self.id,
                Command::EnsureRoom(bedside_protocol::Room { worker }),
            );
        }
        let wanted: BTreeMap<Member, Told> = members
            .iter()
            .map(|&member| (member, self.desired(member)))
            .collect();
        let empty = Told::default();
        let mut send = |commands: &dyn Fn(&Told, &Told) -> Vec<Command>| {
            for (member, want) in &wanted {
                for command in commands(sent.members.get(member).unwrap_or(&empty), want) {
                    ctx.command(self.id, command);
                }
            }
        };
        send(&removed_subscriptions);
        send(&|told, want| {
            let tracks = gone(&told.tracks, &want.tracks);
            tracks.map(|track| Command::RemoveTrack { track }).collect()
        });
        send(&|told, want| {
            let peers = gone(&told.peers, &want.peers);
            peers.map(|peer| Command::RemovePeer { peer }).collect()
        });
        send(&|told, want| {
            new(&told.peers, &want.peers, |peer| {
                Command::EnsurePeer(Box::new(peer))
            })
        });
        send(&|told, want| new(&told.tracks, &want.tracks, Command::EnsureTrack));
        send(&|told, want| {
            new(
                &told.subscriptions,
                &want.subscriptions,
                Command::EnsureSubscription,
            )
        });
        for (member, want) in wanted {
            if want == empty {
                sent.members.remove(&member);
            } else {
                sent.members.insert(member, want);
            }
        }
        self.volatile.sent = sent;
    }

    /// Forgets what was sent: everything is sent again.
    pub(crate) fn resync(&mut self) {
        self.volatile.sent = Sent::default();
        self.volatile.unsynced = self.members.keys().copied().collect::<BTreeSet<_>>();
    }

    fn desired(&self, member: Member) -> Told {
        let Some(participant) = self.members.get(&member) else {
            return Told::default();
        };
        let peers = participant
            .links
            .iter()
            .filter_map(|link| Some((link.peer, link.connection.peer(link.peer)?)))
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
                        ..live.clone()
                    },
                ))
            })
            .collect();
        Told {
            peers,
            tracks,
            subscriptions: desired_subscriptions(participant),
        }
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
                    layer_max: subscription.layer_max,
                    paused: subscription.paused,
                },
            ))
        })
        .collect()
}

/// Subscriptions that are no longer wanted, or are wanted on another section or SSRC, which may
/// be in use again.
fn removed_subscriptions(told: &Told, want: &Told) -> Vec<Command> {
    told.subscriptions
        .iter()
        .filter(|(track, subscription)| {
            want.subscriptions.get(track).is_none_or(|wanted| {
                wanted.ssrc != subscription.ssrc || wanted.mid != subscription.mid
            })
        })
        .map(|(&track, subscription)| Command::RemoveSubscription {
            subscriber: subscription.subscriber,
            track,
        })
        .collect()
}

/// Commands for what is wanted and was not told, or told otherwise.
fn new<K: Ord, V: Clone + PartialEq>(
    told: &BTreeMap<K, V>,
    want: &BTreeMap<K, V>,
    command: impl Fn(V) -> Command,
) -> Vec<Command> {
    want.iter()
        .filter(|(key, value)| told.get(key) != Some(value))
        .map(|(_, value)| command(value.clone()))
        .collect()
}

fn gone<K: Ord + Copy, V>(told: &BTreeMap<K, V>, want: &BTreeMap<K, V>) -> impl Iterator<Item = K> {
    told.keys().filter(|key| !want.contains_key(key)).copied()
}
