//! How everyone's connection in a room is, for who watches over it (`bedside room show`).

use crate::output::OperationError;
use crate::participant::Participant;
use crate::quality::Grade;
use crate::room::Room;
use crate::rooms::Rooms;
use crate::subscribing::Subscription;
use bedside_protocol::{Layer, MediaKind, TrackId};
use serde::{Deserialize, Serialize};

/// A participant's connection over the last five seconds. `down` is towards the participant.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Connection {
    /// Whose (`PA_...`).
    pub participant_sid: String,
    /// `excellent`, `good`, `poor` or `lost`, as clients are told; absent before it is known.
    pub quality: Option<String>,
    /// Mean opinion score, 1.0 to 4.5; 0.0 while the connection is lost.
    pub score: Option<f32>,
    /// Round-trip time, milliseconds.
    pub round_trip_ms: Option<f32>,
    /// Share of packets to it that it reported lost, 0.0 to 1.0.
    pub loss_down: f32,
    /// Share of packets from it that never arrived, 0.0 to 1.0.
    pub loss_up: f32,
    /// Interarrival jitter that it reported, milliseconds.
    pub jitter_down_ms: f32,
    /// Interarrival jitter of what it sends, milliseconds.
    pub jitter_up_ms: f32,
    /// What its path is believed to take, bits per second; absent without its feedback.
    pub estimate_bps: Option<u64>,
    /// Longest time that a video packet to it waited for its turn, milliseconds.
    pub queue_delay_ms: f32,
    /// Bits per second sent to it.
    pub sent_bps: u64,
    /// Bits per second received from it.
    pub received_bps: u64,
    /// What it receives.
    pub receives: Vec<Received>,
}

/// A track that a participant receives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Received {
    /// Which (`TR_...`).
    pub track_sid: String,
    /// Whose (`PA_...`).
    pub publisher_sid: String,
    /// How it comes.
    pub state: Reception,
    /// Highest layer that the participant wants: `low`, `medium` or `high`; absent for audio.
    pub layer_wanted: Option<String>,
    /// Layer that it is sent; absent for audio, and while nothing is sent.
    pub layer: Option<String>,
}

/// How a track comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reception {
    /// It is sent.
    Active,
    /// The participant's network does not take it.
    Paused,
    /// The participant does not want it now: its tile is hidden.
    Off,
    /// Its publisher has it muted.
    Muted,
}

impl Rooms {
    /// Everyone's connection in a room, in the order of joining.
    ///
    /// # Errors
    /// No such room.
    pub fn connections(&self, room: &str) -> Result<Vec<Connection>, OperationError> {
        let room = self.room_called(room)?;
        let members = room.members.values();
        Ok(members
            .map(|participant| room.connection(participant))
            .collect())
    }
}

impl Room {
    fn connection(&self, participant: &Participant) -> Connection {
        let quality = &participant.quality;
        let figures = quality.figures;
        let subscriptions = participant.subscriptions.iter();
        Connection {
            participant_sid: participant.sid.clone(),
            quality: quality.grade().map(name_of_grade),
            score: quality.score,
            round_trip_ms: figures.round_trip_ms,
            loss_down: figures.loss_down,
            loss_up: figures.loss_up,
            jitter_down_ms: figures.jitter_down_ms,
            jitter_up_ms: figures.jitter_up_ms,
            estimate_bps: figures.estimate_bps,
            queue_delay_ms: figures.queue_delay_ms,
            sent_bps: figures.sent_bps,
            received_bps: figures.received_bps,
            receives: subscriptions
                .filter_map(|(&track, subscription)| self.received(track, subscription))
                .collect(),
        }
    }

    fn received(&self, track: TrackId, subscription: &Subscription) -> Option<Received> {
        let published = self.tracks.get(&track)?;
        let publisher = self.members.get(&published.publisher)?;
        let video = published.kind() == MediaKind::Video;
        let wish = subscription.wish;
        let state = if published.info.muted {
            Reception::Muted
        } else if wish.paused {
            Reception::Off
        } else if subscription.stalled {
            Reception::Paused
        } else {
            Reception::Active
        };
        let layer = subscription.course.layer().filter(|_| video);
        Some(Received {
            track_sid: published.info.sid.clone(),
            publisher_sid: publisher.sid.clone(),
            state,
            layer_wanted: video.then(|| name_of_layer(wish.layer_max)),
            layer: layer.map(name_of_layer),
        })
    }
}

fn name_of_grade(grade: Grade) -> String {
    grade.quality().as_str_name().to_lowercase()
}

fn name_of_layer(layer: Layer) -> String {
    let name = match layer {
        Layer::Low => "low",
        Layer::Medium => "medium",
        Layer::High => "high",
    };
    name.to_owned()
}
