//! A track that a participant announced or publishes.

use crate::course::Uplink;
use crate::dynacast::Dynacast;
use crate::room::Member;
use bedside_protocol::{Layer, MediaKind, Track, VideoContent};
use livekit_protocol as proto;
use proto::{TrackSource, TrackType, VideoQuality};
use serde::{Deserialize, Serialize};

/// A track that a participant announced or publishes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Published {
    pub(crate) publisher: Member,
    /// The client's id for it.
    pub(crate) cid: String,
    /// With sid, name, source, layers, mute: what others are told.
    pub(crate) info: proto::TrackInfo,
    pub(crate) stage: Stage,
    /// The publisher knows that it has a subscriber.
    pub(crate) noticed: bool,
    pub(crate) dynacast: Dynacast,
    /// What the data plane receives of it.
    #[serde(skip)]
    pub(crate) uplink: Uplink,
}

/// How far it has come.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Its client id is still in use by a track that is about to end.
    Queued,
    /// Announced; no media section carries it yet.
    Pending,
    /// Negotiated: what the data plane is told.
    Live(Box<Track>),
}

impl Published {
    pub(crate) fn live(&self) -> Option<&Track> {
        match &self.stage {
            Stage::Live(track) => Some(track),
            Stage::Queued | Stage::Pending => None,
        }
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.stage, Stage::Pending)
    }

    pub(crate) fn kind(&self) -> MediaKind {
        if self.info.r#type == TrackType::Audio as i32 {
            MediaKind::Audio
        } else {
            MediaKind::Video
        }
    }

    /// What its pictures show.
    pub(crate) fn content(&self) -> VideoContent {
        if self.info.source == TrackSource::ScreenShare as i32 {
            VideoContent::Screen
        } else {
            VideoContent::Camera
        }
    }

    /// Whether a media section with this track id in its `msid` carries it.
    pub(crate) fn is_called(&self, cid: &str) -> bool {
        !cid.is_empty()
            && (self.cid == cid || self.info.codecs.iter().any(|codec| codec.cid == cid))
    }

    /// The lowest layer that fills a tile of this size; a tenth may be missing, as it is not
    /// seen.
    pub(crate) fn layer_for(&self, width: u32, height: u32) -> Layer {
        let wanted = u64::from(width.min(height)) * 9;
        let short = |width: u32, height: u32| u64::from(width.min(height)) * 10;
        let mut layers: Vec<(u64, Layer)> = self
            .layers()
            .iter()
            .filter(|layer| layer.width > 0 && layer.height > 0)
            .filter_map(|layer| {
                Some((
                    short(layer.width, layer.height),
                    layer_of_quality(layer.quality)?,
                ))
            })
            .collect();
        if layers.is_empty() && self.info.width > 0 && self.info.height > 0 {
            let full = short(self.info.width, self.info.height);
            layers = vec![
                (full / 4, Layer::Low),
                (full / 2, Layer::Medium),
                (full, Layer::High),
            ];
        }
        layers.sort_unstable();
        layers
            .into_iter()
            .find(|(size, _)| wanted <= *size)
            .map_or(Layer::High, |(_, layer)| layer)
    }

    #[expect(
        deprecated,
        reason = "clients that name no codecs list their layers here"
    )]
    fn layers(&self) -> &[proto::VideoLayer] {
        match self.info.codecs.first() {
            Some(codec) if !codec.layers.is_empty() => &codec.layers,
            _ => &self.info.layers,
        }
    }
}

/// LiveKit's quality as a cap on layers; `None` for off.
pub(crate) fn layer_of_quality(quality: i32) -> Option<Layer> {
    match VideoQuality::try_from(quality) {
        Ok(VideoQuality::Low) => Some(Layer::Low),
        Ok(VideoQuality::Medium) => Some(Layer::Medium),
        Ok(VideoQuality::High) => Some(Layer::High),
        Ok(VideoQuality::Off) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
