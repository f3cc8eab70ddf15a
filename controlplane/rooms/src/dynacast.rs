//! Asking publishers only for what somebody wants (LiveKit's dynacast).
//!
//! The demand for a video track is the highest layer that any subscriber wants now; what its network
//! takes is not asked, since that may change faster than an encoder. More is asked for at once; less
//! only after [`DYNACAST_DOWN_US`](crate::limits::DYNACAST_DOWN_US), in which nobody wanted more, and
//! nothing before the first subscriber came.

use crate::context::Context;
use crate::input::Time;
use crate::limits;
use crate::published::Published;
use crate::room::Room;
use bedside_protocol::{Layer, MediaKind, TrackId};
use livekit_protocol as proto;
use proto::VideoQuality;
use proto::signal_response::Message;
use serde::{Deserialize, Serialize};

/// What a track's publisher was last asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Dynacast {
    /// The highest layer; `None`: nothing at all. A publisher that was asked for nothing yet
    /// sends everything, so that the first subscriber sees it at once.
    asked: Option<Layer>,
    /// Less is wanted: ask for it then.
    down_at: Option<Time>,
}

impl Default for Dynacast {
    fn default() -> Self {
        Self {
            asked: Some(Layer::High),
            down_at: None,
        }
    }
}

impl Dynacast {
    /// What to ask for, given what is wanted now; `None` if nothing new.
    fn follow(&mut self, now: Time, wanted: Option<Layer>) -> Option<Option<Layer>> {
        if wanted == self.asked {
            self.down_at = None;
            return None;
        }
        if wanted < self.asked {
            let down_at = *self
                .down_at
                .get_or_insert_with(|| now.after_us(limits::DYNACAST_DOWN_US));
            if now < down_at {
                return None;
            }
        }
        self.down_at = None;
        self.asked = wanted;
        Some(wanted)
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.down_at
    }

    /// The highest layer that the publisher should be sending.
    pub(crate) fn asked(&self) -> Option<Layer> {
        self.asked
    }
}

impl Room {
    /// Tells publishers of the tracks in question what is wanted of them, if that changed.
    pub(crate) fn follow_demand(&mut self, ctx: &mut Context<'_>) {
        for track in std::mem::take(&mut self.volatile.demand) {
            let wanted = self.demand(track);
            let Some(published) = self.tracks.get_mut(&track) else {
                continue;
            };
            let ready = published.noticed && published.live().is_some();
            if published.kind() != MediaKind::Video || !ready {
                continue;
            }
            let before = published.dynacast.clone();
            let ask = published.dynacast.follow(ctx.now, wanted);
            self.volatile.changed |= before != published.dynacast;
            if let Some(asked) = ask {
                published.uplink.settle(ctx.now);
                let (publisher, update) = (published.publisher, quality_update(published, asked));
                self.send(ctx, publisher, Message::SubscribedQualityUpdate(update));
            }
        }
    }

    /// Repeats what a resumed publisher may have missed.
    pub(crate) fn repeat_demand(&self, ctx: &mut Context<'_>, track: TrackId) {
        let Some(published) = self.tracks.get(&track) else {
            return;
        };
        if published.kind() == MediaKind::Video && published.live().is_some() {
            let update = quality_update(published, published.dynacast.asked);
            self.send(
                ctx,
                published.publisher,
                Message::SubscribedQualityUpdate(update),
            );
        }
    }

    /// The highest layer that a subscriber wants now.
    fn demand(&self, track: TrackId) -> Option<Layer> {
        self.members
            .values()
            .filter_map(|participant| participant.subscriptions.get(&track))
            .filter(|subscription| !subscription.wish.paused)
            .map(|subscription| subscription.wish.layer_max)
            .max()
    }
}

/// All three qualities, always; the codec without its `video/`; and the list for clients from
/// before codecs were named.
#[expect(deprecated, reason = "older clients read only `subscribed_qualities`")]
fn quality_update(published: &Published, asked: Option<Layer>) -> proto::SubscribedQualityUpdate {
    let qualities: Vec<proto::SubscribedQuality> = Layer::ALL
        .into_iter()
        .zip([VideoQuality::Low, VideoQuality::Medium, VideoQuality::High])
        .map(|(layer, quality)| proto::SubscribedQuality {
            quality: quality as i32,
            enabled: Some(layer) <= asked,
        })
        .collect();
    let mime = &published.info.mime_type;
    proto::SubscribedQualityUpdate {
        track_sid: published.info.sid.clone(),
        subscribed_qualities: qualities.clone(),
        subscribed_codecs: vec![proto::SubscribedCodec {
            codec: mime
                .rsplit_once('/')
                .map_or(mime.as_str(), |(_, codec)| codec)
                .to_lowercase(),
            qualities,
        }],
    }
}

#[cfg(test)]
mod tests;
