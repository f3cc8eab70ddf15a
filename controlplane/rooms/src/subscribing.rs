//! Who receives what: choices, settings, permissions, and the streams that come of them.

use crate::context::Context;
use crate::course::Course;
use crate::limits;
use crate::negotiation::Sender;
use crate::participant::Participant;
use crate::published::{Published, layer_of_quality};
use crate::room::{Member, Room};
use bedside_protocol::{Layer, MediaKind, Phi, TrackId};
use livekit_protocol as proto;
use proto::signal_response::Message;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// That a participant receives a track.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) ssrc: u32,
    pub(crate) rtx_ssrc: u32,
    #[serde(flatten)]
    pub(crate) wish: Wish,
    /// The subscriber has been told that it does not know the codec.
    pub(crate) refused: bool,
    /// The subscriber has been told that its network stops the stream.
    pub(crate) stalled: bool,
    #[serde(skip)]
    pub(crate) course: Course,
}

/// What a subscriber wants of a track.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) layer_max: Layer,
    /// Nothing at all.
    pub(crate) paused: bool,
    #[serde(default)]
    pub(crate) frame_rate_max: Option<u8>,
    /// As `track_setting` counts it: 1 is the most important, 0 unsaid.
    #[serde(default)]
    pub(crate) priority: u8,
}

impl Wish {
    /// Of who said nothing.
    const EVERYTHING: Self = Self {
        layer_max: Layer::High,
        paused: false,
        frame_rate_max: None,
        priority: 0,
    };
}

/// A subscriber's `track_setting`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) disabled: bool,
    pub(crate) quality: i32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    #[serde(default)]
    pub(crate) fps: u32,
    #[serde(default)]
    pub(crate) priority: u32,
}

/// Whom a publisher lets receive its tracks, beyond what tokens allow.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct SubscriptionPermission {
    everyone: bool,
    some: Vec<Allowed>,
}

/// Someone who may receive: by participant sid or identity, every track or these.
#[derive(Clone, Serialize, Deserialize)]
struct Allowed(
    #[serde(serialize_with = "bedside_protocol::exposed")] Phi<String>,
    Option<BTreeSet<String>>,
);

impl SubscriptionPermission {
    fn new(wanted: proto::SubscriptionPermission) -> Self {
        let some = wanted
            .track_permissions
            .into_iter()
            .map(|entry| {
                let whom = if entry.participant_sid.is_empty() {
                    entry.participant_identity
                } else {
                    entry.participant_sid
                };
                let tracks = (!entry.all_tracks).then(|| entry.track_sids.into_iter().collect());
                Allowed(Phi::new(whom), tracks)
            })
            .collect();
        Self {
            everyone: wanted.all_participants,
            some,
        }
    }

    fn allows(&self, subscriber: &Participant, track_sid: &str) -> bool {
        self.everyone
            || self.some.iter().any(|Allowed(whom, tracks)| {
                (whom == &subscriber.identity || whom.expose() == &subscriber.sid)
                    && tracks
                        .as_ref()
                        .is_none_or(|tracks| tracks.contains(track_sid))
            })
    }
}

impl Setting {
    fn from_request(request: &proto::UpdateTrackSettings) -> Self {
        Self {
            disabled: request.disabled,
            quality: request.quality,
            width: request.width,
            height: request.height,
            fps: request.fps,
            priority: request.priority,
        }
    }

    /// What that means for this track. A size wins over a quality; no frame rate is any.
    fn apply(self, track: &Published) -> Wish {
        let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        let wish = Wish {
            paused: self.disabled,
            priority: small(self.priority),
            ..Wish::EVERYTHING
        };
        if track.kind() == MediaKind::Audio {
            return wish;
        }
        let layer = if self.width > 0 && self.height > 0 {
            Some(track.layer_for(self.width, self.height))
        } else {
            layer_of_quality(self.quality)
        };
        Wish {
            layer_max: layer.unwrap_or(Layer::Low),
            paused: self.disabled || layer.is_none(),
            frame_rate_max: (self.fps > 0).then(|| small(self.fps)),
            ..wish
        }
    }
}

impl Room {
    /// Makes a participant's subscription to a track what it should be.
    pub(crate) fn update_subscription(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        track: TrackId,
    ) {
        let has = self
            .members
            .get(&member)
            .is_some_and(|participant| participant.subscriptions.contains_key(&track));
        match (self.wants(member, track), has) {
            (true, false) => self.subscribe(ctx, member, track),
            (false, true) => self.unsubscribe(member, track),
            (true, true) | (false, false) => {}
        }
    }

    /// The same for everything that there is.
    pub(crate) fn update_subscriptions_of(&mut self, ctx: &mut Context<'_>, member: Member) {
        for track in self.tracks.keys().copied().collect::<Vec<_>>() {
            self.update_subscription(ctx, member, track);
        }
    }

    /// The same for everyone.
    pub(crate) fn update_subscribers_of(&mut self, ctx: &mut Context<'_>, track: TrackId) {
        for member in self.members.keys().copied().collect::<Vec<_>>() {
            self.update_subscription(ctx, member, track);
        }
    }

    fn wants(&self, member: Member, track: TrackId) -> bool {
        let (Some(subscriber), Some(published)) =
            (self.members.get(&member), self.tracks.get(&track))
        else {
            return false;
        };
        // Clients drop tracks of participants that they have not been told of.
        let visible = self
            .members
            .get(&published.publisher)
            .is_some_and(|publisher| !publisher.permission.hidden);
        visible
            && published.publisher != member
            && published.live().is_some()
            && subscriber.permission.subscribe
            && subscriber
                .choices
                .get(&published.info.sid)
                .copied()
                .unwrap_or(subscriber.auto_subscribe)
            && self.is_allowed(subscriber, published)
    }

    fn is_allowed(&self, subscriber: &Participant, published: &Published) -> bool {
        self.members
            .get(&published.publisher)
            .and_then(|publisher| publisher.subscription_permission.as_ref())
            .is_none_or(|permission| permission.allows(subscriber, &published.info.sid))
    }

    fn subscribe(&mut self, ctx: &mut Context<'_>, member: Member, track: TrackId) {
        let Some(published) = self.tracks.get(&track) else {
            return;
        };
        let (Some(media), Some(publisher)) =
            (published.live(), self.members.get(&published.publisher))
        else {
            return;
        };
        let (publisher_sid, codec) = (publisher.sid.clone(), media.codec);
        let red = media.red_payload_type.is_some();
        let Some(subscriber) = self.members.get_mut(&member) else {
            return;
        };
        if subscriber.subscriptions.len() >= limits::SUBSCRIPTIONS_PER_PARTICIPANT_MAX {
            ctx.count("subscriptions_full");
            return;
        }
        // With two connections a browser's track keeps the id of the first track of its section:
        // only the stream id can say which one it carries now.
        let grouped = subscriber.single_connection()
            && subscriber.client.groups_streams()
            && !published.info.stream.is_empty();
        let stream = if grouped {
            &published.info.stream
        } else {
            &published.info.sid
        };
        let stream_id = format!("{publisher_sid}|{stream}");
        let setting = subscriber.settings.get(&published.info.sid);
        let wish = setting.map_or(Wish::EVERYTHING, |setting| setting.apply(published));
        let index = subscriber.subscriber();
        let Some(link) = subscriber.links.get_mut(index) else {
            return;
        };
        let (ssrc, rtx_ssrc) = (link.ssrc(), link.ssrc());
        link.connection.add_sender(Sender {
            track,
            codec,
            stream_id,
            track_sid: published.info.sid.clone(),
            ssrc,
            rtx_ssrc,
            red,
            stereo: is_stereo(&published.info),
        });
        subscriber.subscriptions.insert(
            track,
            Subscription {
                ssrc,
                rtx_ssrc,
                wish,
                refused: false,
                stalled: false,
                course: Course::default(),
            },
        );
        self.volatile.unsynced.insert(member);
        self.volatile.unnegotiated.insert(member);
        self.volatile.demand.insert(track);
        self.volatile.changed = true;
        self.notice_subscriber(ctx, track);
    }

    /// The publisher learns that somebody is there to hear it.
    fn notice_subscriber(&mut self, ctx: &mut Context<'_>, track: TrackId) {
        let Some(published) = self.tracks.get_mut(&track) else {
            return;
        };
        if !std::mem::replace(&mut published.noticed, true) {
            let (publisher, track_sid) = (published.publisher, published.info.sid.clone());
            let notice = Message::TrackSubscribed(proto::TrackSubscribed { track_sid });
            self.send(ctx, publisher, notice);
        }
    }

    pub(crate) fn unsubscribe(&mut self, member: Member, track: TrackId) {
        let Some(subscriber) = self.members.get_mut(&member) else {
            return;
        };
        if subscriber.subscriptions.remove(&track).is_none() {
            return;
        }
        let index = subscriber.subscriber();
        if let Some(link) = subscriber.links.get_mut(index) {
            link.connection.remove_sender(track);
        }
        self.volatile.unsynced.insert(member);
        self.volatile.unnegotiated.insert(member);
        self.volatile.demand.insert(track);
        self.volatile.changed = true;
    }

    /// `subscription`, and an administrator's `UpdateSubscriptions`.
    pub(crate) fn choose(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        track_sids: &[String],
        participant_tracks: &[proto::ParticipantTracks],
        subscribe: bool,
    ) {
        let named = participant_tracks.iter().flat_map(|one| &one.track_sids);
        for sid in track_sids.iter().chain(named) {
            self.choose_one(ctx, member, sid, subscribe);
        }
    }

    fn choose_one(&mut self, ctx: &mut Context<'_>, member: Member, sid: &str, subscribe: bool) {
        let Some(subscriber) = self.members.get_mut(&member) else {
            return;
        };
        if subscriber.choices.len() >= limits::CHOICES_PER_PARTICIPANT_MAX
            && !subscriber.choices.contains_key(sid)
        {
            ctx.count("choices_full");
            return;
        }
        if sid.len() > limits::NAME_BYTES_MAX {
            ctx.count("name_too_long");
            return;
        }
        subscriber.choices.insert(sid.to_owned(), subscribe);
        self.volatile.changed = true;
        let Some(track) = self.track_called(sid) else {
            if subscribe {
                let refusal = proto::SubscriptionResponse {
                    track_sid: sid.to_owned(),
                    err: proto::SubscriptionError::SeTrackNotfound as i32,
                };
                self.send(ctx, member, Message::SubscriptionResponse(refusal));
            }
            return;
        };
        self.update_subscription(ctx, member, track);
        if subscribe {
            self.tell_if_not_allowed(ctx, member, track);
        }
    }

    fn tell_if_not_allowed(&self, ctx: &mut Context<'_>, member: Member, track: TrackId) {
        let (Some(subscriber), Some(published)) =
            (self.members.get(&member), self.tracks.get(&track))
        else {
            return;
        };
        if !self.is_allowed(subscriber, published) {
            self.permission_update(ctx, member, track, false);
        }
    }

    fn permission_update(
        &self,
        ctx: &mut Context<'_>,
        member: Member,
        track: TrackId,
        allowed: bool,
    ) {
        let Some(published) = self.tracks.get(&track) else {
            return;
        };
        let Some(publisher) = self.members.get(&published.publisher) else {
            return;
        };
        let update = proto::SubscriptionPermissionUpdate {
            participant_sid: publisher.sid.clone(),
            track_sid: published.info.sid.clone(),
            allowed,
        };
        self.send(ctx, member, Message::SubscriptionPermissionUpdate(update));
    }

    /// `track_setting`.
    pub(crate) fn set_tracks(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        request: &proto::UpdateTrackSettings,
    ) {
        for sid in &request.track_sids {
            self.set_track(ctx, member, sid, Setting::from_request(request));
        }
    }

    pub(crate) fn set_track(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        sid: &str,
        setting: Setting,
    ) {
        let track = self.track_called(sid);
        let Some(subscriber) = self.members.get_mut(&member) else {
            return;
        };
        let full = subscriber.settings.len() >= limits::CHOICES_PER_PARTICIPANT_MAX;
        if sid.len() > limits::NAME_BYTES_MAX || (full && !subscriber.settings.contains_key(sid)) {
            ctx.count("settings_full");
            return;
        }
        subscriber.settings.insert(sid.to_owned(), setting);
        self.volatile.changed = true;
        let Some(track) = track else { return };
        let (Some(published), Some(subscription)) = (
            self.tracks.get(&track),
            subscriber.subscriptions.get_mut(&track),
        ) else {
            return;
        };
        subscription.wish = setting.apply(published);
        self.volatile.unsynced.insert(member);
        self.volatile.demand.insert(track);
    }

    /// `subscription_permission`: takes effect on what is running, and those whom it concerns
    /// are told.
    pub(crate) fn permit_subscriptions(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        wanted: proto::SubscriptionPermission,
    ) {
        let entries = &wanted.track_permissions;
        let too_many = entries.len() > limits::PERMISSIONS_MAX
            || entries
                .iter()
                .any(|entry| entry.track_sids.len() > limits::TRACKS_PER_PARTICIPANT_MAX);
        if too_many {
            ctx.count("permissions_full");
            return;
        }
        let before = self.permitted(member);
        if let Some(publisher) = self.members.get_mut(&member) {
            publisher.subscription_permission = Some(SubscriptionPermission::new(wanted));
            self.volatile.changed = true;
        }
        let after = self.permitted(member);
        for (&(subscriber, track), &allowed) in &after {
            if before.get(&(subscriber, track)) != Some(&allowed) {
                self.permission_update(ctx, subscriber, track, allowed);
                self.update_subscription(ctx, subscriber, track);
            }
        }
    }

    /// Who may receive which of a publisher's tracks.
    fn permitted(&self, publisher: Member) -> BTreeMap<(Member, TrackId), bool> {
        let mut permitted = BTreeMap::new();
        for (id, track) in self.tracks_of(publisher) {
            for (&member, subscriber) in &self.members {
                if member != publisher {
                    permitted.insert((member, id), self.is_allowed(subscriber, track));
                }
            }
        }
        permitted
    }
}

/// Whether a track's sound has two channels.
#[expect(
    deprecated,
    reason = "older clients say it in `stereo`, newer ones in `audio_features`"
)]
pub(crate) fn is_stereo(info: &proto::TrackInfo) -> bool {
    info.stereo
        || info
            .audio_features
            .contains(&(proto::AudioTrackFeature::TfStereo as i32))
}
