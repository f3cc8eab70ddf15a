//! Offers and answers: when they are due, in which order, and what follows from them.
//!
//! In single-connection mode the client always offers. When what is sent to it changes, it is
//! asked for an offer by `media_sections_requirement`, with the sections that are missing, which
//! may be none. In two-connection mode we offer on the subscriber's connection, one offer at a
//! time; what changes meanwhile goes into the next.

use crate::context::Context;
use crate::evidence::sdp_sha256;
use crate::limits;
use crate::link::Link;
use crate::negotiation::{Connection, Host, Quirks, Role, SdpError, check_candidate};
use crate::output::CloseHow;
use crate::participant::{Client, Owner, Participant};
use crate::room::{Member, Room, leave};
use bedside_protocol::{TrackId, WorkerId};
use livekit_protocol as proto;
use proto::request_response::Reason;
use proto::signal_response::Message;
use proto::{DisconnectReason, SignalTarget, leave_request::Action};
use std::collections::HashMap;

impl Room {
    /// A new connection of a participant; `None` while no data plane is connected.
    pub(crate) fn new_link(
        &self,
        ctx: &mut Context<'_>,
        worker: WorkerId,
        role: Role,
        client: &Client,
    ) -> Option<Link> {
        let welcome = ctx.dataplane?;
        let mut workers = welcome.workers.iter();
        let worker = workers.find(|info| info.worker == worker)?;
        let host = Host {
            fingerprint_sha256: welcome.fingerprint_sha256,
            addresses: worker.addresses.clone(),
        };
        let (credentials, session) = (ctx.random.credentials(), ctx.random.session());
        let connection = Connection::new(role, credentials, host, quirks(client), session);
        let (peer, ssrc) = (ctx.random.peer(), ctx.random.ssrc());
        Some(Link::new(peer, connection, ssrc))
    }

    /// Makes the peers of a participant's connections findable.
    pub(crate) fn index_peers(&mut self, member: Member) {
        if let Some(participant) = self.members.get(&member) {
            for (link, one) in participant.links.iter().enumerate() {
                self.peers.insert(one.peer, Owner { member, link });
            }
        }
    }

    /// The client's offer, on the connection that it publishes on.
    pub(crate) fn handle_offer(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        offer: &proto::SessionDescription,
    ) {
        match self.answer(ctx, member, &offer.sdp) {
            Ok(sdp) => {
                let Some(participant) = self.members.get(&member) else {
                    return;
                };
                let connection = &participant.links[Participant::PUBLISHER].connection;
                let answer = proto::SessionDescription {
                    r#type: "answer".to_owned(),
                    sdp,
                    id: offer.id,
                    mid_to_track_id: self.section_map(connection),
                };
                self.send(ctx, member, Message::Answer(answer));
                self.refuse_unknown_codecs(ctx, member);
            }
            Err(error) => self.refuse_description(ctx, member, error),
        }
    }

    /// Negotiates an offer; WHIP's and WHEP's too.
    pub(crate) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        offer: &str,
    ) -> Result<String, SdpError> {
        let fresh = ctx.random.credentials();
        let link = self.publisher_link(member)?;
        let accepted = link.connection.accept_offer(offer, fresh);
        match accepted {
            Ok(_) => link.sdp_sha256 = Some(sdp_sha256(offer)),
            Err(error) => {
                self.tell_refused(ctx, member, error);
                return Err(error);
            }
        }
        self.volatile.unsynced.insert(member);
        self.volatile.unnegotiated.insert(member);
        self.volatile.changed = true;
        // Which track a section carries decides which codec and options its answer has.
        self.match_tracks(ctx, member, true);
        self.publisher_link(member)?.connection.answer()
    }

    fn publisher_link(&mut self, member: Member) -> Result<&mut Link, SdpError> {
        self.members
            .get_mut(&member)
            .and_then(|participant| participant.links.get_mut(Participant::PUBLISHER))
            .ok_or(SdpError::NoOffer)
    }

    /// Tells why, and what to do: a first description that cannot be accepted ends the session,
    /// a later one starts it anew.
    fn refuse_description(&mut self, ctx: &mut Context<'_>, member: Member, error: SdpError) {
        ctx.counters.count_sdp(error);
        let response = proto::RequestResponse {
            reason: Reason::InvalidRequest as i32,
            message: error.to_string(),
            ..proto::RequestResponse::default()
        };
        self.send(ctx, member, Message::RequestResponse(response));
        let negotiated = self
            .members
            .get(&member)
            .is_some_and(|participant| participant.links.iter().any(Link::is_negotiated));
        let (reason, action) = if negotiated {
            (DisconnectReason::StateMismatch, Action::Reconnect)
        } else {
            (DisconnectReason::MediaFailure, Action::Disconnect)
        };
        self.remove(ctx, member, reason, Some(action));
    }

    /// The client's answer to our offer.
    pub(crate) fn handle_answer(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        answer: &proto::SessionDescription,
    ) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let index = participant.subscriber();
        let single = participant.single_connection();
        let link = &mut participant.links[index];
        // The Rust SDK answers with id 0.
        let stale = answer.id != 0 && answer.id != link.offer_id;
        if single || stale || !link.connection.is_answer_outstanding() {
            ctx.count("stale_answer");
            return;
        }
        match link.connection.accept_answer(&answer.sdp) {
            Ok(_) => {
                link.sdp_sha256 = Some(sdp_sha256(&answer.sdp));
                self.volatile.unsynced.insert(member);
                self.volatile.unnegotiated.insert(member);
                self.volatile.changed = true;
                self.refuse_unknown_codecs(ctx, member);
            }
            Err(error) => {
                self.tell_refused(ctx, member, error);
                self.refuse_description(ctx, member, error);
            }
        }
    }

    /// A client's candidate: nothing to do for an ICE-lite agent, which learns addresses from
    /// checks (RFC 8445 §2.5), but one that cannot be read is counted.
    pub(crate) fn handle_trickle(ctx: &mut Context<'_>, trickle: &proto::TrickleRequest) {
        #[derive(serde::Deserialize)]
        struct CandidateInit {
            candidate: String,
        }
        let readable = trickle.candidate_init.len() <= TRICKLE_BYTES_MAX
            && serde_json::from_str::<CandidateInit>(&trickle.candidate_init)
                .is_ok_and(|init| check_candidate(&init.candidate).is_ok());
        let known = SignalTarget::try_from(trickle.target).is_ok();
        if !(known && (readable || trickle.r#final)) {
            ctx.count("candidate");
        }
    }

    /// Sends the offers, or the requests for offers, that are due.
    pub(crate) fn renegotiate(&mut self, ctx: &mut Context<'_>) {
        for member in std::mem::take(&mut self.volatile.unnegotiated) {
            let Some(participant) = self.members.get_mut(&member) else {
                continue;
            };
            // Whoever is away is asked when it is back.
            if participant.session.is_none() {
                continue;
            }
            let index = participant.subscriber();
            let single = participant.single_connection();
            let link = &mut participant.links[index];
            if single {
                if let Some((num_audios, num_videos)) = link.connection.request_sections() {
                    let requirement = proto::MediaSectionsRequirement {
                        num_audios,
                        num_videos,
                    };
                    self.volatile.changed = true;
                    self.send(ctx, member, Message::MediaSectionsRequirement(requirement));
                }
            } else if link.restart_ice || link.connection.needs_offer() {
                self.offer(ctx, member, index);
            }
        }
    }

    fn offer(&mut self, ctx: &mut Context<'_>, member: Member, index: usize) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let link = &mut participant.links[index];
        let credentials = std::mem::take(&mut link.restart_ice).then(|| ctx.random.credentials());
        let Ok(sdp) = link.connection.offer(credentials) else {
            return;
        };
        link.offer_id += 1;
        let id = link.offer_id;
        self.volatile.changed = true;
        // No map of sections: here the SDP's track ids are the client's.
        let offer = proto::SessionDescription {
            r#type: "offer".to_owned(),
            sdp,
            id,
            mid_to_track_id: HashMap::new(),
        };
        self.send(ctx, member, Message::Offer(offer));
    }

    /// Which track each sending section carries.
    fn section_map(&self, connection: &Connection) -> HashMap<String, String> {
        connection
            .mid_to_track()
            .into_iter()
            .filter_map(|(mid, track)| {
                let sid = self.tracks.get(&track)?.info.sid.clone();
                Some((mid.as_str().to_owned(), sid))
            })
            .collect()
    }

    /// After a resume: descriptions and requests that were under way are lost, and addresses may
    /// be others now.
    pub(crate) fn forget_negotiations_under_way(&mut self, member: Member) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let (index, single) = (participant.subscriber(), participant.single_connection());
        let link = &mut participant.links[index];
        link.connection.forget_requests();
        link.restart_ice = !single && link.is_negotiated();
        self.volatile.unnegotiated.insert(member);
        self.volatile.changed = true;
    }

    /// A transport is gone for good: the participant has to come back with new ones, and is
    /// removed if it does not. Without a signalling connection there is nothing left of it.
    pub(crate) fn transport_lost(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        reason: DisconnectReason,
    ) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        for link in &mut participant.links {
            link.confirm_by = None;
        }
        let Some(session) = participant.session.take() else {
            self.remove(ctx, member, reason, None);
            return;
        };
        participant.refresh_at = None;
        participant.leave_by = Some(ctx.later(limits::TRANSPORT_LOST_US));
        self.volatile.changed = true;
        ctx.send(session, leave(participant, reason, Action::Reconnect));
        ctx.close(session, CloseHow::Normal);
    }

    /// Subscriptions that a finished negotiation left without a section although there was one
    /// to have: the client does not know the codec. It is told once.
    fn refuse_unknown_codecs(&mut self, ctx: &mut Context<'_>, member: Member) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let index = participant.subscriber();
        let mut refused: Vec<TrackId> = participant.links[index].connection.unsupported_senders();
        refused.retain(|track| {
            participant
                .subscriptions
                .get_mut(track)
                .is_some_and(|one| !std::mem::replace(&mut one.refused, true))
        });
        for track in refused {
            let Some(published) = self.tracks.get(&track) else {
                continue;
            };
            ctx.count("codec_unsupported");
            let response = proto::SubscriptionResponse {
                track_sid: published.info.sid.clone(),
                err: proto::SubscriptionError::SeCodecUnsupported as i32,
            };
            self.send(ctx, member, Message::SubscriptionResponse(response));
        }
    }
}

fn quirks(client: &Client) -> Quirks {
    Quirks {
        firefox: client.is_firefox(),
        strip_red: client.is_firefox() || client.is_safari(),
        no_section_reuse: client.is_safari() || client.protocol < 4,
    }
}

/// Longest trickled candidate, bytes, JSON around it included.
const TRICKLE_BYTES_MAX: usize = 4 << 10;
