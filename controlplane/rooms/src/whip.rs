//! WHIP publishers (RFC 9725) and WHEP viewers (draft-ietf-wish-whep): participants that come by
//! one HTTP request instead of a signalling connection.
//!
//! A publisher's first audio section is its microphone and its first video section its camera;
//! further ones have no source. A viewer is sent the first audio and the first video track that
//! is published when it comes, or those of the participant whose identity its token's attribute
//! [`WHEP_PUBLISHER`] names. What it is sent is settled by its one offer: when a track ends,
//! the viewer has to come again.

use crate::context::Context;
use crate::input::{Claims, JoinParameters, Time};
use crate::joining::Entrance;
use crate::negotiation::{Connection, Host, Quirks, Receiver, Role, SdpError, parse_fragment};
use crate::output::{Refusal, WebrtcAnswer, WebrtcAnswerFragment, WebrtcResource};
use crate::participant::{Participant, Webrtc};
use crate::permission::Permission;
use crate::random::Random;
use crate::room::{Member, Room};
use crate::rooms::Rooms;
use bedside_protocol::{IceCredentials, Layer, MediaKind, RoomId, Secret, TrackId};
use livekit_protocol as proto;
use proto::{DisconnectReason, TrackSource, TrackType, VideoQuality};

/// Token attribute that names the identity whose tracks a WHEP viewer is sent.
pub const WHEP_PUBLISHER: &str = "bedside.whep.publisher";

impl Rooms {
    /// Joins a WHIP publisher (RFC 9725 §4.2).
    ///
    /// # Errors
    /// The HTTP status and reason to answer with.
    pub fn whip_publish(
        &mut self,
        now: Time,
        claims: &Claims,
        offer: &str,
    ) -> Result<WebrtcAnswer, Refusal> {
        let permission = self.check_webrtc(claims)?;
        let receivers = self.read_offer(offer)?;
        let tracks = announcements(&receivers, &permission);
        if tracks.is_empty() {
            self.count_refusal("whip");
            return Err(if receivers.is_empty() {
                refusal(400, "the offer sends nothing")
            } else {
                refusal(403, "the token does not allow publishing this")
            });
        }
        let id = self.room_for(now, claims)?;
        self.come_in(now, id, claims, permission, |room, ctx, member| {
            for track in tracks {
                room.add_track(ctx, member, track);
            }
            room.answer(ctx, member, offer).map_err(Into::into)
        })
    }

    /// Joins a WHEP viewer (draft-ietf-wish-whep).
    ///
    /// # Errors
    /// The HTTP status and reason to answer with; 409 when nothing is published yet.
    pub fn whep_play(
        &mut self,
        now: Time,
        claims: &Claims,
        offer: &str,
    ) -> Result<WebrtcAnswer, Refusal> {
        let permission = self.check_webrtc(claims)?;
        if !permission.subscribe {
            self.count_refusal("whep");
            return Err(refusal(403, "the token does not allow subscribing"));
        }
        self.read_offer(offer)?;
        let id = self.room_for(now, claims)?;
        let publisher = claims.attributes.get(WHEP_PUBLISHER);
        let chosen = self
            .with_room(now, id, |room, _| room.on_air(publisher))
            .unwrap_or_default();
        if chosen.is_empty() {
            self.count_refusal("whep");
            return Err(refusal(409, "nothing is published yet; try again later"));
        }
        self.come_in(now, id, claims, permission, |room, ctx, member| {
            let sids = chosen
                .iter()
                .filter_map(|track| Some(room.tracks.get(track)?.info.sid.clone()))
                .collect::<Vec<_>>();
            room.choose(ctx, member, &sids, &[], true);
            let answer = room.answer(ctx, member, offer)?;
            let connection = &room.members[&member].links[Participant::PUBLISHER].connection;
            if connection.mid_to_track().is_empty() {
                return Err(refusal(409, "the offer takes nothing of what is published"));
            }
            Ok(answer)
        })
    }

    /// Trickles candidates (`None`: 204) or restarts ICE (`Some`: 200), RFC 9725 §4.3.
    ///
    /// # Errors
    /// The HTTP status and reason to answer with: 404 no such session, 412 another ICE session
    /// than `if_match` says, 400 not a fragment.
    pub fn webrtc_patch(
        &mut self,
        now: Time,
        resource: &WebrtcResource,
        if_match: Option<&str>,
        fragment: &str,
    ) -> Result<Option<WebrtcAnswerFragment>, Refusal> {
        let (id, member) = self.webrtc_member(resource)?;
        let fragment = parse_fragment(fragment).inspect_err(|_| self.count_refusal("fragment"))?;
        self.with_room(now, id, |room, ctx| {
            let Some(participant) = room.members.get_mut(&member) else {
                return Err(no_session());
            };
            let Some(webrtc) = &mut participant.webrtc else {
                return Err(no_session());
            };
            if if_match.is_some_and(|tag| tag != "*" && tag != webrtc.etag) {
                return Err(refusal(412, "this is not the current ICE session"));
            }
            let fresh = ctx.random.credentials();
            let connection = &mut participant.links[Participant::PUBLISHER].connection;
            let Some(sdpfrag) = connection.restart_by_fragment(&fragment, fresh)? else {
                return Ok(None);
            };
            let etag = new_etag(ctx.random);
            webrtc.etag.clone_from(&etag);
            room.volatile.unsynced.insert(member);
            room.volatile.changed = true;
            Ok(Some(WebrtcAnswerFragment { sdpfrag, etag }))
        })
        .unwrap_or_else(|| Err(no_session()))
    }

    /// Ends a WHIP or WHEP session (HTTP DELETE).
    ///
    /// # Errors
    /// 404: no such session.
    pub fn webrtc_end(&mut self, now: Time, resource: &WebrtcResource) -> Result<(), Refusal> {
        let (id, member) = self.webrtc_member(resource)?;
        self.with_room(now, id, |room, ctx| {
            room.remove(ctx, member, DisconnectReason::ClientInitiated, None);
        });
        Ok(())
    }

    /// Reads an offer before anything is changed for it.
    fn read_offer(&mut self, offer: &str) -> Result<Vec<Receiver>, Refusal> {
        let nowhere = Host {
            fingerprint_sha256: [0; 32],
            addresses: Vec::new(),
        };
        let unused = || IceCredentials {
            ufrag: String::new(),
            password: Secret::new(String::new()),
        };
        let mut trial = Connection::new(Role::Single, unused(), nowhere, Quirks::default(), 0);
        match trial.accept_offer(offer, unused()) {
            Ok(_) => Ok(trial
                .receivers()
                .into_iter()
                .filter(|one| one.live)
                .collect()),
            Err(error) => {
                self.count_sdp(error);
                Err(error.into())
            }
        }
    }

    fn room_for(&mut self, now: Time, claims: &Claims) -> Result<RoomId, Refusal> {
        let name = claims.video.as_ref().map_or("", |grant| &grant.room);
        self.open_room(now, name)
            .map_err(|error| refusal(503, &error.to_string()))
    }

    /// Admits a participant and negotiates; if that fails it is as if it had not come.
    fn come_in(
        &mut self,
        now: Time,
        id: RoomId,
        claims: &Claims,
        permission: Permission,
        negotiate: impl FnOnce(&mut Room, &mut Context<'_>, Member) -> Result<String, Refusal>,
    ) -> Result<WebrtcAnswer, Refusal> {
        let parameters = JoinParameters {
            single_connection: true,
            ..JoinParameters::default()
        };
        let worker = self.place(id, claims.subject()).ok_or_else(no_session)?;
        self.with_room(now, id, |room, ctx| {
            let webrtc = Webrtc {
                resource: Secret::new(ctx.random.resource()),
                etag: new_etag(ctx.random),
            };
            let resource = WebrtcResource(webrtc.resource.expose().clone());
            let etag = webrtc.etag.clone();
            let entrance = Entrance::Webrtc(webrtc);
            let member = room
                .admit(ctx, worker, claims, &parameters, permission, entrance)
                .ok_or_else(|| refusal(503, "the media server is not connected"))?;
            match negotiate(room, ctx, member) {
                Ok(sdp) => Ok(WebrtcAnswer {
                    resource,
                    sdp,
                    etag,
                }),
                Err(refusal) => {
                    room.remove(ctx, member, DisconnectReason::JoinFailure, None);
                    Err(refusal)
                }
            }
        })
        .unwrap_or_else(|| Err(no_session()))
    }

    fn webrtc_member(&self, resource: &WebrtcResource) -> Result<(RoomId, Member), Refusal> {
        self.rooms()
            .find_map(|room| {
                let mut members = room.members.iter();
                let (&member, _) = members
                    .find(|(_, participant)| participant.resource().as_ref() == Some(resource))?;
                Some((room.id, member))
            })
            .ok_or_else(no_session)
    }
}

impl Room {
    /// The first live audio and video track, of one publisher if it is named.
    fn on_air(&self, publisher: Option<&String>) -> Vec<TrackId> {
        let meant = |member: Member| {
            publisher.is_none_or(|identity| {
                self.members
                    .get(&member)
                    .is_some_and(|one| one.identity.expose() == identity)
            })
        };
        let first = |kind: MediaKind| {
            self.tracks
                .iter()
                .find(|(_, track)| {
                    track.live().is_some() && track.kind() == kind && meant(track.publisher)
                })
                .map(|(&id, _)| id)
        };
        [first(MediaKind::Audio), first(MediaKind::Video)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// What a publisher's offer announces, as far as it may publish it.
fn announcements(receivers: &[Receiver], permission: &Permission) -> Vec<proto::AddTrackRequest> {
    let mut tracks: Vec<proto::AddTrackRequest> = Vec::new();
    for receiver in receivers {
        let (kind, first_source) = match receiver.kind {
            MediaKind::Audio => (TrackType::Audio, TrackSource::Microphone),
            MediaKind::Video => (TrackType::Video, TrackSource::Camera),
        };
        let is_first = tracks.iter().all(|track| track.r#type != kind as i32);
        let source = if is_first {
            first_source
        } else {
            TrackSource::Unknown
        };
        if !permission.may_publish_source(source as i32) {
            continue;
        }
        let mid = receiver.mid.as_str();
        let named = receiver.track_id.as_deref().filter(|id| !id.is_empty());
        let layers = match receiver.kind {
            MediaKind::Audio => Vec::new(),
            MediaKind::Video => receiver.encodings.iter().map(video_layer).collect(),
        };
        tracks.push(proto::AddTrackRequest {
            cid: named.map_or_else(|| format!("mid-{mid}"), str::to_owned),
            r#type: kind as i32,
            source: source as i32,
            layers,
            ..proto::AddTrackRequest::default()
        });
    }
    tracks
}

fn video_layer(encoding: &bedside_protocol::Encoding) -> proto::VideoLayer {
    let quality = match encoding.layer {
        Layer::Low => VideoQuality::Low,
        Layer::Medium => VideoQuality::Medium,
        Layer::High => VideoQuality::High,
    };
    proto::VideoLayer {
        quality: quality as i32,
        rid: encoding
            .rid
            .map(|rid| rid.as_str().to_owned())
            .unwrap_or_default(),
        ..proto::VideoLayer::default()
    }
}

/// A strong entity tag (RFC 9110 §8.8.3), quotes included.
fn new_etag(random: &mut Random) -> String {
    format!("\"{}\"", random.sid(""))
}

fn refusal(status: u16, reason: &str) -> Refusal {
    Refusal {
        status,
        reason: reason.to_owned(),
    }
}

fn no_session() -> Refusal {
    refusal(404, "no such session")
}

impl From<SdpError> for Refusal {
    fn from(error: SdpError) -> Self {
        refusal(400, &error.to_string())
    }
}
