//! From a track's announcement to media that others may receive, and its end.
//!
//! `add_track` and the offer with the track's media section come in either order. An announced
//! track is pending until a section carries it: one whose `msid` names the track's client id
//! or that of one of its codecs, else the first section of its kind that nothing else claims
//! (native SDKs rename tracks on the way into SDP). A section without an announcement stays
//! silent: only what was announced was checked against the grants.

use crate::context::Context;
use crate::course::Uplink;
use crate::dynacast::Dynacast;
use crate::limits;
use crate::negotiation::{Publication, Receiver};
use crate::participant::Participant;
use crate::published::{Published, Stage};
use crate::room::{Member, Room};
use crate::subscribing::is_stereo;
use bedside_audit::Action;
use bedside_protocol::{Codec, MediaKind, Mid, Relay, Track, TrackId, VideoContent};
use livekit_protocol as proto;
use proto::request_response::{Reason, Request};
use proto::signal_response::Message;
use proto::{AudioTrackFeature, TrackSource, TrackType, video_layer::Mode};

impl Room {
    /// `add_track`.
    pub(crate) fn add_track(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        request: proto::AddTrackRequest,
    ) {
        let refusal = self.check_add_track(member, &request);
        if let Err((reason, message)) = refusal {
            ctx.count("add_track");
            self.refuse_track(ctx, member, request, reason, message);
            return;
        }
        if !request.sid.is_empty() {
            self.add_backup_codec(ctx, member, request);
            return;
        }
        let busy = self
            .tracks_of(member)
            .any(|(_, track)| track.is_called(&request.cid));
        let info = track_info(ctx.random.sid("TR_"), &request, &ctx.config.video_codecs);
        let track = Published {
            publisher: member,
            cid: request.cid.clone(),
            info: info.clone(),
            stage: if busy { Stage::Queued } else { Stage::Pending },
            noticed: false,
            dynacast: Dynacast::default(),
            uplink: Uplink::default(),
        };
        self.tracks.insert(ctx.random.track(), track);
        self.volatile.changed = true;
        if busy {
            self.refuse_track(ctx, member, request, Reason::Queued, "");
            return;
        }
        self.send_track_published(ctx, member, request.cid, info);
        self.match_tracks(ctx, member, false);
    }

    fn check_add_track(
        &self,
        member: Member,
        request: &proto::AddTrackRequest,
    ) -> Result<(), (Reason, &'static str)> {
        let Some(participant) = self.members.get(&member) else {
            return Err((Reason::NotFound, ""));
        };
        if !participant.permission.may_publish_source(request.source) {
            return Err((Reason::NotAllowed, "may not publish this source"));
        }
        let known = [TrackType::Audio as i32, TrackType::Video as i32];
        if !known.contains(&request.r#type) {
            return Err((Reason::UnsupportedType, "neither audio nor video"));
        }
        let details = [
            request.layers.len(),
            request.simulcast_codecs.len(),
            request.audio_features.len(),
            request.packet_trailer_features.len(),
        ];
        let layers = request.simulcast_codecs.iter().map(|one| one.layers.len());
        let names = [&request.cid, &request.name, &request.stream, &request.sid];
        let codecs = request
            .simulcast_codecs
            .iter()
            .flat_map(|one| [&one.codec, &one.cid]);
        if details
            .into_iter()
            .chain(layers)
            .any(|count| count > limits::TRACK_DETAILS_MAX)
            || names
                .into_iter()
                .chain(codecs)
                .any(|name| name.len() > limits::NAME_BYTES_MAX)
        {
            return Err((Reason::LimitExceeded, "a name or list is too long"));
        }
        if request.cid.is_empty() {
            return Err((Reason::InvalidRequest, "the client id is missing"));
        }
        let waiting = self
            .tracks_of(member)
            .filter(|(_, track)| track.live().is_none())
            .count();
        if waiting >= limits::PENDING_TRACKS_MAX
            || self.tracks_of(member).count() >= limits::TRACKS_PER_PARTICIPANT_MAX
        {
            return Err((Reason::LimitExceeded, "too many tracks"));
        }
        Ok(())
    }

    fn refuse_track(
        &self,
        ctx: &mut Context<'_>,
        member: Member,
        request: proto::AddTrackRequest,
        reason: Reason,
        message: &str,
    ) {
        let response = proto::RequestResponse {
            reason: reason as i32,
            message: message.to_owned(),
            request: Some(Request::AddTrack(request)),
            ..proto::RequestResponse::default()
        };
        self.send(ctx, member, Message::RequestResponse(response));
    }

    /// Another codec for a track: noted, never asked for by `subscribed_quality_update`, so that
    /// clients keep sending the first one alone.
    fn add_backup_codec(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        request: proto::AddTrackRequest,
    ) {
        let own = self
            .track_called(&request.sid)
            .filter(|id| self.tracks[id].publisher == member);
        let Some(track) = own.and_then(|id| self.tracks.get_mut(&id)) else {
            self.refuse_track(ctx, member, request, Reason::NotFound, "no such track");
            return;
        };
        let info = track.info.clone();
        self.send_track_published(ctx, member, request.cid, info);
    }

    fn send_track_published(
        &self,
        ctx: &mut Context<'_>,
        member: Member,
        cid: String,
        info: proto::TrackInfo,
    ) {
        let response = proto::TrackPublishedResponse {
            cid,
            track: Some(info),
        };
        self.send(ctx, member, Message::TrackPublished(response));
    }

    /// Brings tracks and the sections of the publisher's connection together: ends tracks whose
    /// section is gone, starts those that have one now. `answering`: the client's offer has no
    /// answer yet, so the codec that each track was announced with can still go first.
    pub(crate) fn match_tracks(&mut self, ctx: &mut Context<'_>, member: Member, answering: bool) {
        let receivers = self.receivers(member);
        self.end_tracks(ctx, member, &receivers);
        let starting = self.pair(member, &receivers);
        if answering {
            let carried = self.tracks_of(member).filter_map(|(id, track)| {
                let live = track.live()?;
                Some((id, live.mid, Some(live.codec)))
            });
            let announced = starting.iter().map(|&(id, mid)| (id, mid, None));
            for (id, mid, codec) in carried.chain(announced).collect::<Vec<_>>() {
                self.set_publication(member, id, mid, codec);
            }
        }
        let receivers = self.receivers(member);
        self.refresh_tracks(member, &receivers);
        for (track, mid) in starting {
            if let Some(receiver) = receivers.iter().find(|receiver| receiver.mid == mid) {
                self.start_track(ctx, track, receiver);
            }
        }
    }

    /// The sections on which the client sends.
    fn receivers(&self, member: Member) -> Vec<Receiver> {
        let Some(participant) = self.members.get(&member) else {
            return Vec::new();
        };
        let mut receivers = participant.links[Participant::PUBLISHER]
            .connection
            .receivers();
        receivers.retain(|receiver| receiver.live);
        receivers
    }

    /// Which pending track goes with which free section: by client id where there is one that
    /// fits, then by kind.
    fn pair(&self, member: Member, receivers: &[Receiver]) -> Vec<(TrackId, Mid)> {
        let mut pairs: Vec<(TrackId, Mid)> = Vec::new();
        let by_id = |track: &Published, receiver: &Receiver| is_named(track, receiver);
        let by_kind = |_: &Published, _: &Receiver| true;
        for fits in [&by_id as &dyn Fn(&Published, &Receiver) -> bool, &by_kind] {
            for receiver in receivers {
                let taken = pairs.iter().any(|(_, mid)| *mid == receiver.mid);
                if taken || self.carried_by(member, receiver).is_some() {
                    continue;
                }
                let pending = self.tracks_of(member).find(|(id, track)| {
                    track.is_pending()
                        && track.kind() == receiver.kind
                        && pairs.iter().all(|(paired, _)| paired != id)
                        && fits(track, receiver)
                });
                if let Some((id, _)) = pending {
                    pairs.push((id, receiver.mid));
                }
            }
        }
        pairs
    }

    /// Says in the answer what is known of the track: a codec that is in use stays first.
    fn set_publication(&mut self, member: Member, id: TrackId, mid: Mid, in_use: Option<Codec>) {
        let (Some(track), Some(participant)) =
            (self.tracks.get(&id), self.members.get_mut(&member))
        else {
            return;
        };
        let announced = track.info.codecs.first();
        let codec = in_use.or_else(|| announced.and_then(|codec| codec_of_mime(&codec.mime_type)));
        let no_dtx = AudioTrackFeature::TfNoDtx as i32;
        let publication = Publication {
            codec,
            red: !track.info.disable_red,
            dtx: !track.info.audio_features.contains(&no_dtx),
            stereo: is_stereo(&track.info),
        };
        participant.links[Participant::PUBLISHER]
            .connection
            .set_publication(mid, publication);
    }

    /// The live track that a section carries.
    fn carried_by(&self, member: Member, receiver: &Receiver) -> Option<TrackId> {
        self.tracks_of(member)
            .find(|(_, track)| track.live().is_some_and(|live| live.mid == receiver.mid))
            .map(|(id, _)| id)
    }

    fn end_tracks(&mut self, ctx: &mut Context<'_>, member: Member, receivers: &[Receiver]) {
        let mut ended = Vec::new();
        for (id, track) in self.tracks_of(member) {
            let Some(live) = track.live() else { continue };
            let section = receivers.iter().find(|receiver| receiver.mid == live.mid);
            let gone = section.is_none_or(|receiver| {
                // The section was given to another track that has been announced.
                !is_named(track, receiver)
                    && self
                        .tracks_of(member)
                        .any(|(_, other)| other.is_pending() && is_named(other, receiver))
            });
            if gone {
                ended.push(id);
            }
        }
        for track in ended {
            self.remove_track(ctx, track);
        }
    }

    fn start_track(&mut self, ctx: &mut Context<'_>, id: TrackId, receiver: &Receiver) {
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        let member = track.publisher;
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let peer = participant.links[Participant::PUBLISHER].peer;
        let Some(media) = media_of(id, peer, receiver) else {
            ctx.count("section_without_codec");
            return;
        };
        if media.codec.kind() == MediaKind::Video && !ctx.config.video_codecs.contains(&media.codec)
        {
            ctx.count("codec_disabled");
            return;
        }
        let mime = mime_of_codec(media.codec);
        let info = &mut track.info;
        receiver.mid.as_str().clone_into(&mut info.mid);
        mime.clone_into(&mut info.mime_type);
        if let Some(codec) = info.codecs.first_mut() {
            mime.clone_into(&mut codec.mime_type);
            receiver.mid.as_str().clone_into(&mut codec.mid);
            codec.sdp_cid = receiver.track_id.clone().unwrap_or_default();
        }
        track.stage = Stage::Live(Box::new(media));
        let info = track.info.clone();
        if !std::mem::replace(&mut participant.published_once, true) {
            self.counts_changed(ctx);
        }
        self.participant_changed(member);
        self.volatile.unsynced.insert(member);
        self.volatile.demand.insert(id);
        let publisher = self.brief_info(member);
        self.tell_track(ctx, Action::TrackPublish, member, &info);
        self.webhook(ctx, "track_published", publisher, Some(info));
        self.update_subscribers_of(ctx, id);
    }

    /// A renegotiation may have changed payload types or SSRCs.
    fn refresh_tracks(&mut self, member: Member, receivers: &[Receiver]) {
        for (&id, track) in &mut self.tracks {
            let Stage::Live(live) = &mut track.stage else {
                continue;
            };
            if track.publisher != member {
                continue;
            }
            let section = receivers.iter().find(|receiver| receiver.mid == live.mid);
            let fresh = section.and_then(|receiver| media_of(id, live.publisher, receiver));
            if let Some(fresh) = fresh
                && fresh != **live
                && fresh.codec == live.codec
            {
                **live = fresh;
                self.volatile.unsynced.insert(member);
                self.volatile.changed = true;
            }
        }
    }

    /// Ends a track. One that waited for its client id takes its place.
    pub(crate) fn remove_track(&mut self, ctx: &mut Context<'_>, id: TrackId) {
        for member in self.members.keys().copied().collect::<Vec<_>>() {
            self.unsubscribe(member, id);
        }
        let Some(track) = self.tracks.remove(&id) else {
            return;
        };
        // Its sid never comes back: what people chose for it must not fill their tables.
        for participant in self.members.values_mut() {
            participant.choices.remove(&track.info.sid);
            participant.settings.remove(&track.info.sid);
        }
        let member = track.publisher;
        self.volatile.demand.remove(&id);
        self.volatile.unsynced.insert(member);
        self.volatile.changed = true;
        if track.live().is_some() {
            self.participant_changed(member);
            let publisher = self.brief_info(member);
            self.tell_track(ctx, Action::TrackUnpublish, member, &track.info);
            self.webhook(ctx, "track_unpublished", publisher, Some(track.info));
        }
        let next = self
            .tracks
            .iter_mut()
            .filter(|(_, other)| other.publisher == member)
            .find(|(_, other)| matches!(other.stage, Stage::Queued) && other.cid == track.cid);
        if let Some((_, queued)) = next {
            queued.stage = Stage::Pending;
            let (cid, info) = (queued.cid.clone(), queued.info.clone());
            self.send_track_published(ctx, member, cid, info);
        }
    }

    /// Ends a track against its publisher's will.
    pub(crate) fn revoke_track(&mut self, ctx: &mut Context<'_>, id: TrackId) {
        let Some(track) = self.tracks.get(&id) else {
            return;
        };
        let (member, track_sid) = (track.publisher, track.info.sid.clone());
        self.remove_track(ctx, id);
        let notice = proto::TrackUnpublishedResponse { track_sid };
        self.send(ctx, member, Message::TrackUnpublished(notice));
    }

    /// `mute` from the publisher.
    pub(crate) fn mute(&mut self, ctx: &mut Context<'_>, member: Member, sid: &str, muted: bool) {
        match self.track_called(sid) {
            Some(id) if self.tracks[&id].publisher == member => self.set_muted(id, muted),
            _ => ctx.count("unknown_track"),
        }
    }

    pub(crate) fn set_muted(&mut self, id: TrackId, muted: bool) {
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut track.info.muted, muted) != muted {
            let member = track.publisher;
            self.volatile.changed = true;
            if track.live().is_some() {
                self.volatile.unsynced.insert(member);
                self.participant_changed(member);
            }
        }
    }

    /// `update_audio_track` and `update_video_track`.
    pub(crate) fn update_track(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        sid: &str,
        update: impl FnOnce(&mut proto::TrackInfo),
    ) {
        let own = self
            .track_called(sid)
            .filter(|id| self.tracks[id].publisher == member);
        let Some(track) = own.and_then(|id| self.tracks.get_mut(&id)) else {
            ctx.count("unknown_track");
            return;
        };
        update(&mut track.info);
        self.volatile.changed = true;
        if track.live().is_some() {
            self.participant_changed(member);
        }
    }

    /// Who publishes, for webhooks about tracks.
    fn brief_info(&self, member: Member) -> Option<proto::ParticipantInfo> {
        let participant = self.members.get(&member)?;
        Some(proto::ParticipantInfo {
            sid: participant.sid.clone(),
            identity: participant.identity.expose().clone(),
            name: participant.name.expose().clone(),
            ..proto::ParticipantInfo::default()
        })
    }
}

/// Whether a section's `msid` names the track.
fn is_named(track: &Published, receiver: &Receiver) -> bool {
    receiver
        .track_id
        .as_deref()
        .is_some_and(|cid| track.is_called(cid))
}

/// What the data plane is told of a section; `None` without a codec that it forwards.
fn media_of(track: TrackId, peer: bedside_protocol::PeerId, receiver: &Receiver) -> Option<Track> {
    let codec = receiver.codecs.first()?;
    Some(Track {
        track,
        publisher: peer,
        mid: receiver.mid,
        codec: codec.codec,
        payload_types: codec.payload_types,
        red_payload_type: codec.red_payload_type,
        encodings: receiver.encodings.clone(),
        nack: receiver.nack,
        full_intra: receiver.full_intra,
        muted: false,
        content: VideoContent::Camera,
        relay: Relay::None,
    })
}

/// What others are told of an announced track.
#[expect(
    deprecated,
    reason = "older clients read `simulcast`, `layers`, `disable_dtx` and `stereo`"
)]
fn track_info(
    sid: String,
    request: &proto::AddTrackRequest,
    enabled: &[Codec],
) -> proto::TrackInfo {
    let mut audio_features = request.audio_features.clone();
    for (flag, feature) in [
        (request.stereo, AudioTrackFeature::TfStereo),
        (request.disable_dtx, AudioTrackFeature::TfNoDtx),
    ] {
        if flag && !audio_features.contains(&(feature as i32)) {
            audio_features.push(feature as i32);
        }
    }
    let mut codecs: Vec<proto::SimulcastCodecInfo> = Vec::new();
    for wanted in &request.simulcast_codecs {
        let mime_type = mime_for(request.r#type, &wanted.codec, enabled);
        if codecs.iter().any(|codec| codec.mime_type == mime_type) {
            continue;
        }
        let layers = if wanted.layers.is_empty() {
            &request.layers
        } else {
            &wanted.layers
        };
        codecs.push(proto::SimulcastCodecInfo {
            video_layer_mode: layer_mode(wanted.video_layer_mode, &mime_type) as i32,
            mime_type,
            cid: wanted.cid.clone(),
            layers: sorted(layers),
            ..proto::SimulcastCodecInfo::default()
        });
    }
    if codecs.is_empty() {
        codecs.push(proto::SimulcastCodecInfo {
            cid: request.cid.clone(),
            layers: sorted(&request.layers),
            video_layer_mode: Mode::OneSpatialLayerPerStream as i32,
            ..proto::SimulcastCodecInfo::default()
        });
    }
    let simulcast = codecs[0].layers.len() > 1
        && codecs[0].video_layer_mode != Mode::MultipleSpatialLayersPerStream as i32;
    let stream = if request.stream.is_empty() {
        stream_of_source(request.source)
    } else {
        &request.stream
    };
    proto::TrackInfo {
        sid,
        r#type: request.r#type,
        name: request.name.clone(),
        muted: request.muted,
        width: request.width,
        height: request.height,
        simulcast,
        disable_dtx: request.disable_dtx,
        source: request.source,
        layers: sorted(&request.layers),
        codecs,
        stereo: request.stereo,
        disable_red: request.disable_red || request.encryption != 0,
        encryption: request.encryption,
        stream: stream.to_owned(),
        audio_features,
        backup_codec_policy: request.backup_codec_policy,
        packet_trailer_features: request.packet_trailer_features.clone(),
        ..proto::TrackInfo::default()
    }
}

fn sorted(layers: &[proto::VideoLayer]) -> Vec<proto::VideoLayer> {
    let mut layers = layers.to_vec();
    layers.sort_by_key(|layer| layer.quality);
    layers
}

fn layer_mode(wanted: i32, mime: &str) -> Mode {
    match Mode::try_from(wanted) {
        Ok(Mode::Unused) | Err(_) => match codec_of_mime(mime) {
            Some(Codec::Vp9 | Codec::Av1) => Mode::MultipleSpatialLayersPerStream,
            _ => Mode::OneSpatialLayerPerStream,
        },
        Ok(mode) => mode,
    }
}

/// The announced codec, or the preferred one where it is unknown or not enabled.
fn mime_for(kind: i32, name: &str, enabled: &[Codec]) -> String {
    let is_audio = kind == TrackType::Audio as i32;
    let full = match name.split_once('/') {
        Some(_) => name.to_owned(),
        None if is_audio => format!("audio/{name}"),
        None => format!("video/{name}"),
    };
    let codec = codec_of_mime(&full)
        .filter(|codec| codec.kind() == MediaKind::Audio || enabled.contains(codec))
        .filter(|codec| (codec.kind() == MediaKind::Audio) == is_audio);
    let fallback = if is_audio {
        Codec::Opus
    } else {
        enabled.first().copied().unwrap_or(Codec::Vp8)
    };
    mime_of_codec(codec.unwrap_or(fallback)).to_owned()
}

fn codec_of_mime(mime: &str) -> Option<Codec> {
    const ALL: [Codec; 7] = [
        Codec::Opus,
        Codec::Vp8,
        Codec::Vp9,
        Codec::H264,
        Codec::Av1,
        Codec::Pcmu,
        Codec::Pcma,
    ];
    if mime.eq_ignore_ascii_case("audio/red") {
        return Some(Codec::Opus);
    }
    ALL.into_iter()
        .find(|&codec| mime.eq_ignore_ascii_case(mime_of_codec(codec)))
}

pub(crate) fn mime_of_codec(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "audio/opus",
        Codec::Vp8 => "video/VP8",
        Codec::Vp9 => "video/VP9",
        Codec::H264 => "video/H264",
        Codec::Av1 => "video/AV1",
        Codec::Pcmu => "audio/PCMU",
        Codec::Pcma => "audio/PCMA",
    }
}

/// What clients may publish, in the order in which they should choose.
pub(crate) fn publish_codecs(video: &[Codec]) -> Vec<proto::Codec> {
    let audio = ["audio/opus", "audio/red"];
    video
        .iter()
        .map(|&codec| mime_of_codec(codec))
        .chain(audio)
        .map(|mime| proto::Codec {
            mime: mime.to_owned(),
            fmtp_line: String::new(),
        })
        .collect()
}

/// Tracks of one stream are played in step: camera with microphone, screen with its sound.
fn stream_of_source(source: i32) -> &'static str {
    match TrackSource::try_from(source) {
        Ok(TrackSource::Camera | TrackSource::Microphone) => "camera",
        Ok(TrackSource::ScreenShare | TrackSource::ScreenShareAudio) => "screen",
        Ok(TrackSource::Unknown) | Err(_) => "unknown",
    }
}
