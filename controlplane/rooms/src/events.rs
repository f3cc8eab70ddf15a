//! What the data plane reports of a room.

use crate::context::Context;
use crate::evidence::{connected, orphaned};
use crate::room::{Member, Room};
use crate::subscribing::Subscription;
use bedside_protocol::{CloseReason, DataChannelKind, Event, Layer, PeerId, SpeakerLevel, TrackId};
use livekit_protocol as proto;
use proto::signal_response::Message;
use proto::{DisconnectReason, StreamState, leave_request::Action};

impl Room {
    /// The data plane reported something.
    pub(crate) fn handle_event(&mut self, ctx: &mut Context<'_>, at_us: u64, event: Event) {
        if let Some((peer, connected)) = connected(&event) {
            self.tell_connected(ctx, at_us, peer, &connected);
        }
        match event {
            Event::PeerConnected { peer, .. } => self.peer_connected(ctx, peer),
            Event::PeerDisconnected { peer } => {
                self.tell_silent(ctx, at_us, peer);
                self.peer_disconnected(ctx, peer);
            }
            Event::PeerClosed { peer, reason } => {
                self.tell_plane_closed(ctx, at_us, peer, reason);
                self.peer_closed(ctx, peer, reason);
            }
            Event::DataChannelOpen {
                peer,
                channel: DataChannelKind::Reliable,
            } => self.channel_open(ctx, peer),
            Event::DataChannelOpen { .. } => {}
            Event::Data {
                peer,
                channel,
                payload,
            } => {
                let Some(&owner) = self.peers.get(&peer) else {
                    return;
                };
                if channel == DataChannelKind::Reliable {
                    self.channel_open(ctx, peer);
                }
                self.handle_data(ctx, owner.member, channel, &payload);
            }
            Event::TrackLayers { track, active } => {
                if let Some(track) = self.tracks.get_mut(&track) {
                    let top = active.iter().map(|activity| activity.layer).max();
                    track.uplink.receive(ctx.now, top);
                }
            }
            Event::SubscriptionLayer {
                subscriber,
                track,
                layer,
            } => self.subscription_layer(ctx, subscriber, track, layer),
            Event::SubscriptionPaused {
                subscriber,
                track,
                paused,
            } => self.subscription_paused(ctx, subscriber, track, paused),
            Event::Speakers { levels } => self.speakers(ctx, &levels),
            Event::Statistics { peers, tracks } => self.handle_statistics(ctx, &peers, &tracks),
            Event::Refused { .. } => {
                ctx.counters.commands_refused += 1;
                ctx.audit(orphaned(self.boot, at_us, &event));
            }
        }
    }

    fn peer_connected(&mut self, ctx: &mut Context<'_>, peer: PeerId) {
        let Some(&owner) = self.peers.get(&peer) else {
            return;
        };
        let Some(participant) = self.members.get_mut(&owner.member) else {
            return;
        };
        let primary = participant.primary();
        let Some(link) = participant.links.get_mut(owner.link) else {
            return;
        };
        link.connected = true;
        link.confirm_by = None;
        self.volatile.changed = true;
        if owner.link == primary && !participant.active {
            participant.active = true;
            participant.connect_by = None;
            self.participant_changed(owner.member);
            let info = self.participant_info(owner.member);
            self.webhook(ctx, "participant_joined", info, None);
        }
    }

    fn peer_disconnected(&mut self, ctx: &mut Context<'_>, peer: PeerId) {
        let Some(&owner) = self.peers.get(&peer) else {
            return;
        };
        if let Some(participant) = self.members.get_mut(&owner.member)
            && let Some(link) = participant.links.get_mut(owner.link)
        {
            link.connected = false;
            self.volatile.changed = true;
            self.quality_lost(ctx, owner.member);
        }
    }

    /// The transport will not come back, and a browser cannot make a new DTLS association within
    /// a connection: resuming is no use, a full reconnect is.
    fn peer_closed(&mut self, ctx: &mut Context<'_>, peer: PeerId, reason: CloseReason) {
        let Some(&owner) = self.peers.get(&peer) else {
            return;
        };
        let member = owner.member;
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        if let Some(link) = participant.links.get_mut(owner.link) {
            link.connected = false;
        }
        self.volatile.changed = true;
        match reason {
            CloseReason::Removed => {}
            CloseReason::ClosedByPeer => {
                // Nobody closes DTLS in order to come back to it: LiveKit's native clients leave
                // this way, without a word on signalling.
                let reason = DisconnectReason::ClientInitiated;
                self.remove(ctx, member, reason, Some(Action::Reconnect));
            }
            CloseReason::IceTimeout | CloseReason::DtlsFailed => {
                self.transport_lost(ctx, member, DisconnectReason::ConnectionTimeout);
            }
            CloseReason::Shutdown => {
                self.transport_lost(ctx, member, DisconnectReason::ServerShutdown);
            }
            CloseReason::FingerprintMismatch | CloseReason::Policy => {
                ctx.count(match reason {
                    CloseReason::Policy => "dtls_policy",
                    _ => "dtls_fingerprint",
                });
                let reason = DisconnectReason::MediaFailure;
                self.remove(ctx, member, reason, Some(Action::Disconnect));
            }
        }
    }

    fn channel_open(&mut self, ctx: &mut Context<'_>, peer: PeerId) {
        if let Some(&owner) = self.peers.get(&peer)
            && let Some(participant) = self.members.get(&owner.member)
            && owner.link == participant.subscriber()
        {
            self.reliable_open(ctx, owner.member);
        }
    }

    /// What a subscriber is sent changed. What is sent is not paused, whatever was said before.
    fn subscription_layer(
        &mut self,
        ctx: &mut Context<'_>,
        subscriber: PeerId,
        track: TrackId,
        layer: Option<Layer>,
    ) {
        if let Some(subscription) = self.subscription(subscriber, track) {
            if let Some(measure) = subscription.course.send(ctx.now, layer) {
                ctx.measure(measure);
            }
            if layer.is_some() {
                self.subscription_paused(ctx, subscriber, track, false);
            }
        }
    }

    /// A subscriber's network stops a picture or lets it pass again; neither the subscriber nor the
    /// publisher asked for that.
    fn subscription_paused(
        &mut self,
        ctx: &mut Context<'_>,
        subscriber: PeerId,
        track: TrackId,
        paused: bool,
    ) {
        let (Some(owner), Some(published)) = (
            self.peers.get(&subscriber).copied(),
            self.tracks.get(&track),
        ) else {
            return;
        };
        let (sid, muted) = (published.info.sid.clone(), published.info.muted);
        let Some(publisher) = self.members.get(&published.publisher) else {
            return;
        };
        let participant_sid = publisher.sid.clone();
        let Some(subscription) = self.subscription(subscriber, track) else {
            return;
        };
        let stalled = paused && !subscription.wish.paused && !muted;
        if std::mem::replace(&mut subscription.stalled, stalled) == stalled {
            return;
        }
        if let Some(measure) = subscription.course.pause(ctx.now, stalled) {
            ctx.measure(measure);
        }
        self.volatile.changed = true;
        let state = if stalled {
            StreamState::Paused
        } else {
            StreamState::Active
        };
        let update = proto::StreamStateUpdate {
            stream_states: vec![proto::StreamStateInfo {
                participant_sid,
                track_sid: sid,
                state: state as i32,
            }],
        };
        self.send(ctx, owner.member, Message::StreamStateUpdate(update));
    }

    fn subscription(&mut self, peer: PeerId, track: TrackId) -> Option<&mut Subscription> {
        let owner = self.peers.get(&peer)?;
        let participant = self.members.get_mut(&owner.member)?;
        participant.subscriptions.get_mut(&track)
    }

    fn speakers(&self, ctx: &mut Context<'_>, levels: &[SpeakerLevel]) {
        let speakers: Vec<proto::SpeakerInfo> = levels
            .iter()
            .filter_map(|level| {
                let publisher = self.tracks.get(&level.track)?.publisher;
                let participant = self.members.get(&publisher)?;
                (!participant.permission.hidden).then(|| proto::SpeakerInfo {
                    sid: participant.sid.clone(),
                    level: level.level,
                    active: level.active,
                })
            })
            .collect();
        if speakers.is_empty() {
            return;
        }
        for (_, session) in self.listeners() {
            let speakers = speakers.clone();
            ctx.send(
                session,
                Message::SpeakersChanged(proto::SpeakersChanged { speakers }),
            );
        }
    }

    /// A data plane is connected that holds this room from before: which transports are still up
    /// is not known until it says so.
    pub(crate) fn adopt(&mut self, ctx: &Context<'_>) {
        for participant in self.members.values_mut() {
            for link in &mut participant.links {
                if std::mem::take(&mut link.connected) {
                    link.confirm_by = Some(ctx.later(crate::limits::CONFIRM_US));
                }
            }
        }
        self.resync();
    }

    /// The data plane was started anew: every transport is gone.
    pub(crate) fn start_over(&mut self, ctx: &mut Context<'_>) {
        for member in self.members.keys().copied().collect::<Vec<Member>>() {
            self.remove(
                ctx,
                member,
                DisconnectReason::Migration,
                Some(Action::Reconnect),
            );
        }
        self.resync();
    }
}
