//! Data packets: checked, stamped with their sender, and sent on to whom they are for.

use crate::context::Context;
use crate::input::Time;
use crate::limits;
use crate::room::{Member, Room};
use bedside_protocol::{Command, DataChannelKind, DataMessage, PeerId, WorkerId};
use livekit_protocol as proto;
use prost::Message as _;
use proto::data_packet::{Kind, Value};
use proto::data_stream::header::ContentHeader;
use std::collections::{BTreeMap, VecDeque};

/// Reliable packets of the last two seconds, for participants that join or resume meanwhile.
/// They hold what people wrote, so they are in no snapshot.
#[derive(Clone, Default)]
pub(crate) struct Replay {
    packets: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Clone)]
struct Kept {
    at: Time,
    publisher: Member,
    publisher_sid: String,
    sequence: u32,
    destinations: Destinations,
    payload: Vec<u8>,
}

/// Whom a packet is for, by identity and by sid; neither: everyone else.
#[derive(Clone, Default)]
struct Destinations {
    identities: Vec<String>,
    sids: Vec<String>,
}

impl Replay {
    fn keep(&mut self, packet: Kept) {
        self.bytes += packet.payload.len();
        self.packets.push_back(packet);
        while self.packets.len() > limits::REPLAY_PACKETS_MAX
            || self.bytes > limits::REPLAY_BYTES_MAX
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(packet) = self.packets.pop_front() {
            self.bytes -= packet.payload.len();
        }
    }

    pub(crate) fn forget_older(&mut self, now: Time) {
        while self.deadline().is_some_and(|at| at <= now) {
            self.drop_oldest();
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest packet is to be forgotten.
    pub(crate) fn deadline(&self) -> Option<Time> {
        Some(self.packets.front()?.at.after_us(limits::REPLAY_US))
    }
}

impl Room {
    /// A message arrived on a participant's data channel.
    pub(crate) fn handle_data(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        channel: DataChannelKind,
        payload: &[u8],
    ) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        if !participant.permission.publish_data {
            ctx.count("data_not_allowed");
            return;
        }
        let Ok(mut packet) = proto::DataPacket::decode(payload) else {
            ctx.count("data_malformed");
            return;
        };
        if channel == DataChannelKind::Reliable && packet.sequence > 0 {
            if packet.sequence <= participant.reliable_sequence {
                ctx.count("data_duplicate");
                return;
            }
            participant.reliable_sequence = packet.sequence;
        }
        let sender = Sender {
            sid: &participant.sid,
            identity: participant.identity.expose(),
            hidden: participant.permission.hidden,
            agent: participant.is_agent(),
        };
        if !sender.stamp(&mut packet, channel) {
            ctx.count("data_kind");
            return;
        }
        let sid = participant.sid.clone();
        self.distribute(ctx, Some((member, sid)), channel, packet);
    }

    /// Sends a checked packet to whom it is for; without a publisher it is an administrator's.
    pub(crate) fn distribute(
        &mut self,
        ctx: &mut Context<'_>,
        publisher: Option<(Member, String)>,
        channel: DataChannelKind,
        packet: proto::DataPacket,
    ) {
        let Some(destinations) = destinations(&packet) else {
            ctx.count("data_destinations");
            return;
        };
        let payload = packet.encode_to_vec();
        if payload.len() > limits::DATA_PACKET_BYTES_MAX {
            ctx.count("data_too_long");
            return;
        }
        let source = publisher.as_ref().map(|(member, _)| *member);
        let peers: Vec<PeerId> = self
            .members
            .keys()
            .filter(|&&member| Some(member) != source && self.is_meant(member, &destinations))
            .filter_map(|&member| self.data_peer(member, channel))
            .collect();
        self.send_payload(ctx, peers, channel, payload.clone());
        if let (DataChannelKind::Reliable, Some((publisher, publisher_sid))) = (channel, publisher)
        {
            self.volatile.replay.forget_older(ctx.now);
            self.volatile.replay.keep(Kept {
                at: ctx.now,
                publisher,
                publisher_sid,
                sequence: packet.sequence,
                destinations,
                payload,
            });
        }
    }

    fn send_payload(
        &self,
        ctx: &mut Context<'_>,
        peers: Vec<PeerId>,
        channel: DataChannelKind,
        payload: Vec<u8>,
    ) {
        if ctx.dataplane.is_none() {
            return;
        }
        let mut by_worker: BTreeMap<WorkerId, Vec<PeerId>> = BTreeMap::new();
        for peer in peers {
            if let Some(worker) = self.worker_of(peer) {
                by_worker.entry(worker).or_default().push(peer);
            }
        }
        for (worker, peers) in by_worker {
            let message = DataMessage {
                peers,
                channel,
                payload: payload.clone(),
            };
            ctx.command(self.id, worker, Command::SendData(message));
        }
    }

    fn is_meant(&self, member: Member, destinations: &Destinations) -> bool {
        let everyone = destinations.identities.is_empty() && destinations.sids.is_empty();
        let participant = &self.members[&member];
        everyone
            || destinations
                .identities
                .contains(participant.identity.expose())
            || destinations.sids.contains(&participant.sid)
    }

    /// Where a participant receives data now. A reliable packet is not sent to a channel that
    /// is not open: it is replayed when it opens.
    fn data_peer(&self, member: Member, channel: DataChannelKind) -> Option<PeerId> {
        let participant = self.members.get(&member)?;
        if participant.webrtc.is_some() {
            return None;
        }
        let link = &participant.links[participant.subscriber()];
        let open = match channel {
            DataChannelKind::Reliable => link.reliable_open,
            DataChannelKind::Lossy => link.connected,
        };
        open.then_some(link.peer)
    }

    /// The reliable channel can be written to: what was said since the participant joined, as
    /// far as it is kept.
    pub(crate) fn reliable_open(&mut self, ctx: &mut Context<'_>, member: Member) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let (index, joined_at) = (participant.subscriber(), participant.joined_at);
        if std::mem::replace(&mut participant.links[index].reliable_open, true) {
            return;
        }
        self.volatile.changed = true;
        self.replay(ctx, member, |kept| kept.at >= joined_at);
    }

    /// After a resume: what the client has not seen yet.
    pub(crate) fn replay_unseen(
        &self,
        ctx: &mut Context<'_>,
        member: Member,
        states: &[proto::DataChannelReceiveState],
    ) {
        let seen: BTreeMap<&str, u32> = states
            .iter()
            .map(|state| (state.publisher_sid.as_str(), state.last_seq))
            .collect();
        let joined_at = self.members.get(&member).map(|one| one.joined_at);
        self.replay(ctx, member, |kept| {
            let last = seen.get(kept.publisher_sid.as_str()).copied();
            kept.sequence > last.unwrap_or(0) && Some(kept.at) >= joined_at
        });
    }

    fn replay(&self, ctx: &mut Context<'_>, member: Member, wanted: impl Fn(&Kept) -> bool) {
        let channel = DataChannelKind::Reliable;
        let Some(peer) = self.data_peer(member, channel) else {
            return;
        };
        for kept in &self.volatile.replay.packets {
            let fresh = kept.at.after_us(limits::REPLAY_US) > ctx.now;
            if fresh
                && kept.publisher != member
                && wanted(kept)
                && self.is_meant(member, &kept.destinations)
            {
                self.send_payload(ctx, vec![peer], channel, kept.payload.clone());
            }
        }
    }
}

/// `None` if there are too many.
#[expect(
    deprecated,
    reason = "older clients name destinations inside the user packet"
)]
fn destinations(packet: &proto::DataPacket) -> Option<Destinations> {
    let mut destinations = Destinations {
        identities: packet.destination_identities.clone(),
        sids: Vec::new(),
    };
    if let Some(Value::User(user)) = &packet.value {
        destinations.sids.clone_from(&user.destination_sids);
    }
    let count = destinations.identities.len() + destinations.sids.len();
    (count <= limits::DESTINATIONS_MAX).then_some(destinations)
}

/// Who sent a packet.
struct Sender<'a> {
    sid: &'a str,
    identity: &'a str,
    hidden: bool,
    agent: bool,
}

impl Sender<'_> {
    /// Writes who sent it into a packet, whatever it claimed; `false` if this sender may not
    /// send such a packet.
    #[expect(
        deprecated,
        reason = "older clients read `kind` and the user packet's own sender and destinations"
    )]
    fn stamp(&self, packet: &mut proto::DataPacket, channel: DataChannelKind) -> bool {
        let (sid, identity) = if self.hidden {
            ("", "")
        } else {
            (self.sid, self.identity)
        };
        packet.kind = match channel {
            DataChannelKind::Reliable => Kind::Reliable as i32,
            DataChannelKind::Lossy => Kind::Lossy as i32,
        };
        let foreign = self.agent
            && !packet.participant_identity.is_empty()
            && packet.participant_identity != self.identity;
        let mut keep_identity = false;
        match &mut packet.value {
            Some(Value::User(user)) => {
                sid.clone_into(&mut user.participant_sid);
                identity.clone_into(&mut user.participant_identity);
                if packet.destination_identities.is_empty() {
                    packet
                        .destination_identities
                        .clone_from(&user.destination_identities);
                } else {
                    user.destination_identities
                        .clone_from(&packet.destination_identities);
                }
            }
            Some(Value::Transcription(_)) if !self.agent => return false,
            // An agent may speak for someone else in chats and text streams; it is marked.
            Some(Value::ChatMessage(chat)) if foreign => {
                chat.generated = true;
                keep_identity = true;
            }
            Some(Value::StreamHeader(header)) if foreign => {
                if let Some(ContentHeader::TextHeader(text)) = &mut header.content_header {
                    text.generated = true;
                    keep_identity = true;
                }
            }
            // Metrics are for servers that collect them; speakers are for servers to tell.
            Some(Value::Metrics(_) | Value::Speaker(_)) | None => return false,
            Some(_) => {}
        }
        sid.clone_into(&mut packet.participant_sid);
        if !keep_identity {
            identity.clone_into(&mut packet.participant_identity);
        }
        true
    }
}
