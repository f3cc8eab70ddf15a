//! What the audit log is told of a room, and what waits until the log has it.
//!
//! Most of it is told as it happens. The opening of a peer connection is different: its media
//! passes only once the record is durable. So [`Output::Opened`] goes out, the edges answer with
//! [`Input::Recorded`](crate::Input::Recorded), and then the data plane is told to admit the peer.
//! What was asked for and not answered is asked for again by the next control plane.

use crate::context::Context;
use crate::link::Link;
use crate::negotiation::SdpError;
use crate::output::Output;
use crate::participant::{Owner, Participant};
use crate::room::{Member, Room};
use aws_lc_rs::digest::{SHA256, digest};
use bedside_audit::{Action, Actor, ActorKind, Event, Object, Outcome, Role};
use bedside_protocol::{
    CandidateKind, CloseReason, DtlsVersion, Event as PlaneEvent, PeerId, Phi, SrtpProfile,
};
use livekit_protocol as proto;
use proto::DisconnectReason;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// What DTLS and ICE came to.
pub(crate) struct Connected {
    pub(crate) dtls: DtlsVersion,
    pub(crate) srtp: SrtpProfile,
    pub(crate) fingerprint_sha256: [u8; 32],
    pub(crate) candidate: CandidateKind,
    pub(crate) address: SocketAddr,
}

impl Participant {
    /// As records name them: a guest by the role of their link, whoever has a token of an API key
    /// as what that key's holder says they are.
    fn actor(&self) -> Actor {
        let (kind, role) = match self.claims.expose().bedside_role {
            Some(Role::Patient) => (ActorKind::Patient, Role::Patient),
            Some(role) => (ActorKind::User, role),
            None if self.is_agent() => (ActorKind::Agent, Role::Agent),
            None => (ActorKind::Service, Role::Service),
        };
        Actor {
            kind,
            id: Some(self.identity.clone()),
            role: Some(role),
            authentication: self.claims.expose().bedside_authentication.clone(),
            ..Actor::SYSTEM
        }
    }

    fn is_patient(&self) -> bool {
        self.claims.expose().bedside_role == Some(Role::Patient)
    }
}

impl Room {
    /// Something happened in the room, by `actor`.
    fn event(&self, at_us: u64, action: Action, actor: Actor) -> Event {
        let mut patients = self.members.values().filter(|member| member.is_patient());
        Event {
            patient: patients.next().map(|patient| patient.identity.clone()),
            room: Some(self.name.clone()),
            encounter: Some(self.sid.clone()),
            ..Event::new(at_us, action, actor)
        }
    }

    fn event_of(&self, at_us: u64, action: Action, member: Member) -> Option<Event> {
        let participant = self.members.get(&member)?;
        let mut event = self.event(at_us, action, participant.actor());
        if participant.is_patient() {
            event.patient = Some(participant.identity.clone());
        }
        event
            .facts
            .insert("participant", participant.sid.as_str().into());
        Some(event)
    }

    fn event_of_peer(
        &self,
        at_us: u64,
        action: Action,
        owner: Owner,
        peer: PeerId,
    ) -> Option<Event> {
        let mut event = self.event_of(at_us, action, owner.member)?;
        event.object = Some(Object {
            kind: "peer",
            id: peer.to_string(),
        });
        event.facts.insert("boot", self.boot.to_string().into());
        Some(event)
    }

    /// The room has opened.
    pub(crate) fn tell_room_open(&self, ctx: &mut Context<'_>) {
        let event = self.event(ctx.now.0, Action::RoomOpen, Actor::SYSTEM);
        ctx.audit(event);
    }

    /// The room is over.
    pub(crate) fn tell_room_close(&self, ctx: &mut Context<'_>, reason: &'static str) {
        let mut event = self.event(ctx.now.0, Action::RoomClose, Actor::SYSTEM);
        event.reason = Some(reason);
        ctx.audit(event);
    }

    /// A track is published or over.
    pub(crate) fn tell_track(
        &self,
        ctx: &mut Context<'_>,
        action: Action,
        member: Member,
        info: &proto::TrackInfo,
    ) {
        let Some(mut event) = self.event_of(ctx.now.0, action, member) else {
            return;
        };
        event.object = Some(Object {
            kind: "track",
            id: info.sid.clone(),
        });
        event
            .facts
            .insert("type", info.r#type().as_str_name().into());
        event
            .facts
            .insert("source", info.source().as_str_name().into());
        ctx.audit(event);
    }

    /// A participant may do other things than before.
    pub(crate) fn tell_permission(&self, ctx: &mut Context<'_>, member: Member) {
        let (Some(mut event), Some(participant)) = (
            self.event_of(ctx.now.0, Action::PermissionChange, member),
            self.members.get(&member),
        ) else {
            return;
        };
        // Whoever ordered it is in the record of the call.
        event.actor = Actor::SYSTEM;
        event.object = Some(Object {
            kind: "participant",
            id: participant.sid.clone(),
        });
        let permission = &participant.permission;
        event.facts.insert("publish", permission.publish.into());
        event.facts.insert("subscribe", permission.subscribe.into());
        event
            .facts
            .insert("publish_data", permission.publish_data.into());
        ctx.audit(event);
    }

    /// A participant leaves or is sent away, with their connections.
    pub(crate) fn tell_leave(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        reason: DisconnectReason,
    ) {
        let reason = left_by(reason);
        let links = self.members.get(&member).map_or(0, |one| one.links.len());
        for link in 0..links {
            let owner = Owner { member, link };
            let Some(peer) = self.link_of(owner).map(|link| link.peer) else {
                continue;
            };
            self.tell_closed(ctx, ctx.now.0, owner, peer, reason);
        }
        if let Some(mut event) = self.event_of(ctx.now.0, Action::Leave, member) {
            event.reason = Some(reason);
            ctx.audit(event);
        }
    }

    /// The policy refuses an offer: no media is ever exchanged on it.
    pub(crate) fn tell_refused(&self, ctx: &mut Context<'_>, member: Member, error: SdpError) {
        let is_policy = matches!(
            error,
            SdpError::Sdes
                | SdpError::Profile(_)
                | SdpError::NoFingerprint
                | SdpError::FingerprintHash(_)
                | SdpError::FingerprintChanged
        );
        if is_policy && let Some(mut event) = self.event_of(ctx.now.0, Action::MediaRefused, member)
        {
            event.outcome = Outcome::Denied;
            event.reason = Some(error.label());
            ctx.audit(event);
        }
    }

    /// A peer connection is up, or was and has moved.
    pub(crate) fn tell_connected(
        &mut self,
        ctx: &mut Context<'_>,
        at_us: u64,
        peer: PeerId,
        connected: &Connected,
    ) {
        let Some(&owner) = self.peers.get(&peer) else {
            return;
        };
        let Some(link) = self.link_of(owner) else {
            return;
        };
        let is_known = link.admitted || link.recording;
        let moved = *link.path.expose() != Some(connected.address);
        if is_known && !moved {
            return;
        }
        link.path = Phi::new(Some(connected.address));
        let sdp = link.sdp_sha256;
        let signalled = link.connection.peer(peer);
        let action = if is_known {
            Action::PeerPath
        } else {
            link.recording = true;
            Action::PeerOpen
        };
        let Some(mut event) = self.event_of_peer(at_us, action, owner, peer) else {
            return;
        };
        event.actor.address = Some(connected.address.ip());
        let facts = &mut event.facts;
        facts.insert("candidate", candidate(connected.candidate).into());
        if is_known {
            ctx.audit(event);
            return;
        }
        facts.insert("dtls", dtls(connected.dtls).into());
        facts.insert("srtp", srtp(connected.srtp).into());
        let verified = hexadecimal(&connected.fingerprint_sha256);
        facts.insert("fingerprint_verified", verified.into());
        if let Some(signalled) = signalled {
            let signalled = hexadecimal(&signalled.remote_fingerprint_sha256);
            facts.insert("fingerprint_signalled", signalled.into());
        }
        if let Some(sdp) = sdp {
            facts.insert("sdp_sha256", hexadecimal(&sdp).into());
        }
        ctx.outputs.push_back(Output::Opened {
            event: Box::new(event),
            room: self.id,
            peer,
        });
    }

    /// Nothing is heard of a peer for now.
    pub(crate) fn tell_silent(&mut self, ctx: &mut Context<'_>, at_us: u64, peer: PeerId) {
        let Some(&owner) = self.peers.get(&peer) else {
            return;
        };
        if let Some(link) = self.link_of(owner) {
            // When it is heard again, that is told.
            link.path = Phi::new(None);
        }
        if let Some(mut event) = self.event_of_peer(at_us, Action::PeerPath, owner, peer) {
            event.outcome = Outcome::Failed;
            event.reason = Some("silent");
            ctx.audit(event);
        }
    }

    /// A peer connection is over, or never came up.
    pub(crate) fn tell_plane_closed(
        &mut self,
        ctx: &mut Context<'_>,
        at_us: u64,
        peer: PeerId,
        reason: CloseReason,
    ) {
        let Some(&owner) = self.peers.get(&peer) else {
            return;
        };
        let reason = closed_by(reason);
        let was_open = self
            .link_of(owner)
            .is_some_and(|link| link.admitted || link.recording);
        if was_open {
            self.tell_closed(ctx, at_us, owner, peer, reason);
        } else if let Some(mut event) = self.event_of_peer(at_us, Action::PeerOpen, owner, peer) {
            event.outcome = Outcome::Failed;
            event.reason = Some(reason);
            ctx.audit(event);
        }
    }

    fn tell_closed(
        &mut self,
        ctx: &mut Context<'_>,
        at_us: u64,
        owner: Owner,
        peer: PeerId,
        reason: &'static str,
    ) {
        let Some(link) = self.link_of(owner) else {
            return;
        };
        if !link.admitted && !link.recording {
            return;
        }
        (link.admitted, link.recording) = (false, false);
        self.volatile.changed = true;
        if let Some(mut event) = self.event_of_peer(at_us, Action::PeerClose, owner, peer) {
            event.reason = Some(reason);
            ctx.audit(event);
        }
    }

    /// The record of a peer's opening is durable: its media may pass.
    pub(crate) fn recorded(&mut self, peer: PeerId) {
        let Some(&owner) = self.peers.get(&peer) else {
            return;
        };
        let Some(link) = self.link_of(owner) else {
            return;
        };
        if std::mem::take(&mut link.recording) {
            link.admitted = true;
            self.volatile.unsynced.insert(owner.member);
            self.volatile.changed = true;
        }
    }

    /// What an earlier run of the data plane had to say, which died since: for the records alone.
    pub(crate) fn handle_spooled(&mut self, ctx: &mut Context<'_>, at_us: u64, event: &PlaneEvent) {
        let (PlaneEvent::PeerConnected { peer, .. }
        | PlaneEvent::PeerDisconnected { peer }
        | PlaneEvent::PeerClosed { peer, .. }) = *event
        else {
            return;
        };
        if !self.peers.contains_key(&peer) {
            ctx.audit(Event {
                room: Some(self.name.clone()),
                encounter: Some(self.sid.clone()),
                ..orphaned(self.boot, at_us, event)
            });
            return;
        }
        match *event {
            PlaneEvent::PeerConnected { .. } => {
                if let Some((peer, connected)) = connected(event) {
                    self.tell_connected(ctx, at_us, peer, &connected);
                }
            }
            PlaneEvent::PeerDisconnected { peer } => self.tell_silent(ctx, at_us, peer),
            PlaneEvent::PeerClosed { peer, reason } => {
                self.tell_plane_closed(ctx, at_us, peer, reason);
            }
            _ => {}
        }
    }

    fn link_of(&mut self, owner: Owner) -> Option<&mut Link> {
        let participant = self.members.get_mut(&owner.member)?;
        participant.links.get_mut(owner.link)
    }
}

/// What a [`PlaneEvent::PeerConnected`] says.
pub(crate) fn connected(event: &PlaneEvent) -> Option<(PeerId, Connected)> {
    match *event {
        PlaneEvent::PeerConnected {
            peer,
            dtls,
            srtp,
            remote_fingerprint_sha256,
            candidate,
            remote_address,
        } => Some((
            peer,
            Connected {
                dtls,
                srtp,
                fingerprint_sha256: remote_fingerprint_sha256,
                candidate,
                address: remote_address,
            },
        )),
        _ => None,
    }
}

/// What an event of the data plane says whose room is not known any more.
pub(crate) fn orphaned(boot: bedside_protocol::BootId, at_us: u64, event: &PlaneEvent) -> Event {
    let (action, peer, reason) = match *event {
        PlaneEvent::PeerConnected { peer, .. } => (Action::PeerOpen, Some(peer), None),
        PlaneEvent::PeerDisconnected { peer } => (Action::PeerPath, Some(peer), Some("silent")),
        PlaneEvent::PeerClosed { peer, reason } => {
            (Action::PeerClose, Some(peer), Some(closed_by(reason)))
        }
        _ => (Action::DataplaneConnection, None, Some("command_refused")),
    };
    let mut event = Event::new(at_us, action, Actor::SYSTEM);
    event.reason = reason;
    event.object = peer.map(|peer| Object {
        kind: "peer",
        id: peer.to_string(),
    });
    event.facts.insert("boot", boot.to_string().into());
    event
}

/// SHA-256 of a description as it is meant: its lines without what stands at their ends, each with
/// one CRLF (RFC 8866 §5).
pub(crate) fn sdp_sha256(sdp: &str) -> [u8; 32] {
    let mut canonical = String::with_capacity(sdp.len() + 2);
    for line in sdp
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        canonical.push_str(line);
        canonical.push_str("\r\n");
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, canonical.as_bytes()).as_ref());
    hash
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

fn candidate(kind: CandidateKind) -> &'static str {
    match kind {
        CandidateKind::Udp => "udp",
        CandidateKind::Tcp => "tcp",
        CandidateKind::Relay => "relay",
    }
}

fn dtls(version: DtlsVersion) -> &'static str {
    match version {
        DtlsVersion::Dtls12 => "1.2",
        DtlsVersion::Dtls13 => "1.3",
    }
}

fn srtp(profile: SrtpProfile) -> &'static str {
    match profile {
        SrtpProfile::AeadAes256Gcm => "AEAD_AES_256_GCM",
        SrtpProfile::AeadAes128Gcm => "AEAD_AES_128_GCM",
        SrtpProfile::Aes128CmHmacSha1_80 => "AES128_CM_HMAC_SHA1_80",
    }
}

fn closed_by(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Removed => "removed",
        CloseReason::ClosedByPeer => "closed_by_peer",
        CloseReason::IceTimeout => "ice_timeout",
        CloseReason::DtlsFailed => "dtls_failed",
        CloseReason::FingerprintMismatch => "fingerprint_mismatch",
        CloseReason::Policy => "policy",
        CloseReason::Shutdown => "dataplane_stopped",
    }
}

pub(crate) fn left_by(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::ClientInitiated => "left",
        DisconnectReason::DuplicateIdentity => "duplicate_identity",
        DisconnectReason::ServerShutdown => "dataplane_stopped",
        DisconnectReason::ParticipantRemoved => "removed",
        DisconnectReason::RoomDeleted => "room_deleted",
        DisconnectReason::StateMismatch => "state_mismatch",
        DisconnectReason::JoinFailure => "join_failure",
        DisconnectReason::Migration => "dataplane_lost",
        DisconnectReason::SignalClose => "signal_lost",
        DisconnectReason::RoomClosed => "room_closed",
        DisconnectReason::ConnectionTimeout => "connection_timeout",
        DisconnectReason::MediaFailure => "media_failure",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
