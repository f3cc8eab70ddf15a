//! Scenarios: who joins, what they send, how bad their networks are.
//!
//! A scenario is a TOML file; `docs/reference/load-generator.md` names every key. Those that are
//! shipped ([`shipped`]) are compiled in. [`Scenario::parse`] refuses what it does not know and what
//! is out of bounds ([`limits`]) with the file, the line, the key and what would be allowed.
//! [`Scenario::plan`] writes out who does what, for whoever plays the participants.

pub mod error;
pub mod limits;
pub mod plan;
pub mod shipped;
mod text;
mod validate;

pub use error::Error;
pub use plan::{Plan, PlannedParticipant, PlannedRoom};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
pub use text::{parse_duration, parse_share, write_duration};

/// What a run does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Short name: lower-case letters, digits and hyphens. It begins the names of rooms.
    pub name: String,
    /// One sentence for people.
    #[serde(default)]
    pub description: String,
    /// Everything random in the run follows from it.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// How long is measured, after [`warm_up`](Self::warm_up).
    #[serde(with = "text::duration")]
    pub duration: Duration,
    /// From the first join: not measured. Zero where the joins are what is measured.
    #[serde(default, with = "text::duration")]
    pub warm_up: Duration,
    /// Rooms, by kind.
    pub rooms: Vec<RoomGroup>,
}

/// Rooms of one kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomGroup {
    /// How many rooms.
    #[serde(default = "one")]
    pub count: u32,
    /// When the participants of these rooms join. Rooms fill one after the other.
    #[serde(default)]
    pub join: Join,
    /// Who is in each of them.
    pub participants: Vec<ParticipantGroup>,
}

/// When participants join.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Join {
    /// All at the start.
    #[default]
    AtOnce,
    /// So many in each second.
    RatePerSecond(f64),
    /// Evenly over this time.
    #[serde(with = "text::duration")]
    Over(Duration),
}

/// Participants of one kind, in each room of a group.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParticipantGroup {
    /// What others name it by in [`Subscribe::Named`]; it begins identities.
    #[serde(default = "default_participant_name")]
    pub name: String,
    /// How many in each room.
    #[serde(default = "one")]
    pub count: u32,
    /// The tracks that each of them publishes.
    #[serde(default)]
    pub publish: Vec<TrackSpec>,
    /// Whose tracks each of them receives.
    #[serde(default)]
    pub subscribe: Subscribe,
    /// Leaving and coming back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<Churn>,
    /// Choosing another layer of the simulcast tracks that they receive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<LayerSwitching>,
    /// The network between them and the server.
    #[serde(default)]
    pub network: Network,
}

/// Whose tracks are received. Nobody receives their own.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Subscribe {
    /// Of everybody in the room.
    #[default]
    All,
    /// Of nobody.
    None,
    /// Of the participants in the groups with these names.
    Named(Vec<String>),
}

/// Leaving and coming back. Each stay and absence is drawn anew, evenly from half to one and a
/// half times the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Mean time from joining to leaving.
    #[serde(with = "text::duration")]
    pub stay: Duration,
    /// Mean time from leaving to joining again.
    #[serde(with = "text::duration")]
    pub away: Duration,
}

/// Going through the layers of each simulcast track that is received: highest, next lower, and so
/// on to the lowest, then the highest again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerSwitching {
    /// Time between two choices.
    #[serde(with = "text::duration")]
    pub every: Duration,
}

/// The network of a participant: what is done to each datagram, in each direction, beyond what the
/// real network does. The default does nothing.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Share of datagrams that are lost, 0 to 1.
    #[serde(with = "text::share")]
    pub loss: f64,
    /// Delay of every datagram, one way.
    #[serde(with = "text::duration")]
    pub delay: Duration,
    /// Further delay of each, drawn evenly from zero to this.
    #[serde(with = "text::duration")]
    pub jitter: Duration,
    /// Share of datagrams that overtake those before them, 0 to 1.
    #[serde(with = "text::share")]
    pub reorder: f64,
}

impl Network {
    /// Whether nothing is done.
    #[must_use]
    pub fn is_perfect(&self) -> bool {
        *self == Self::default()
    }
}

/// A track that is published.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TrackSpec {
    /// Opus as a microphone makes it: 20 ms a packet.
    Audio(Audio),
    /// A camera: frames and key frames as an encoder makes them.
    Video(Video),
    /// Frames of equal packets, for benchmarks.
    Fixed(Fixed),
    /// Recorded RTP.
    Recorded(Recorded),
}

/// Synthetic Opus.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audio {
    /// Mean bitrate of the payload while speaking, bits per second.
    #[serde(rename = "bitrate", with = "text::bitrate")]
    pub bitrate_bps: u32,
    /// Whether silence is not sent (RFC 7587 section 3.1.3).
    pub dtx: bool,
}

impl Default for Audio {
    fn default() -> Self {
        Self {
            bitrate_bps: 32_000,
            dtx: true,
        }
    }
}

/// Synthetic video.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Video {
    /// Which payload format.
    #[serde(default)]
    pub codec: VideoCodec,
    /// Frames per second.
    #[serde(default = "default_fps")]
    pub fps: u32,
    /// Simulcast layers, lowest first; one: no simulcast.
    pub layers: Vec<VideoLayer>,
    /// Time between key frames that nobody asked for; none: only the first and those asked for.
    #[serde(
        default,
        with = "text::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub key_frame_every: Option<Duration>,
}

/// Payload formats of synthetic video.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoCodec {
    /// RFC 7741, with picture ids and TL0PICIDX.
    #[default]
    Vp8,
}

/// A simulcast layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoLayer {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Mean bitrate of the payload, bits per second.
    #[serde(rename = "bitrate", with = "text::bitrate")]
    pub bitrate_bps: u32,
}

/// Frames of equal packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Bytes of each RTP packet, header included, before SRTP adds its tag.
    pub packet_bytes: u16,
    /// Packets of each frame: drawn evenly for each frame.
    #[serde(with = "text::packets_per_frame")]
    pub packets_per_frame: PacketsPerFrame,
    /// Frames per second.
    pub fps: u32,
}

/// A range, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketsPerFrame {
    /// The fewest.
    pub min: u16,
    /// The most.
    pub max: u16,
}

/// RTP packets from a capture, played in a loop with their own spacing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// A pcap file; relative to the scenario's folder.
    pub file: PathBuf,
    /// Audio or video.
    pub kind: RecordedKind,
}

/// What a recording is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedKind {
    /// Opus.
    Audio,
    /// VP8.
    Video,
}

impl Scenario {
    /// Reads a scenario. `file` is what errors call it; recordings are looked for in its folder.
    ///
    /// # Errors
    /// Text that is not a scenario, or one that is out of bounds.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Error> {
        let mut scenario: Self =
            toml::from_str(text).map_err(|error| Error::malformed(&error, text, file))?;
        validate::validate(&scenario).map_err(|broken| broken.located(text, file))?;
        scenario.resolve_recordings(file);
        Ok(scenario)
    }

    /// Reads a scenario from a file.
    ///
    /// # Errors
    /// A file that cannot be read, and as for [`parse`](Self::parse).
    pub fn load(file: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(file).map_err(|source| Error::Unreadable {
            file: file.to_owned(),
            source,
        })?;
        Self::parse(&text, file)
    }

    /// The same with `factor` times as many rooms of each kind, at least one.
    ///
    /// # Errors
    /// More participants than [`limits::PARTICIPANTS_MAX`].
    pub fn scaled(&self, factor: f64) -> Result<Self, Error> {
        let mut scenario = self.clone();
        for group in &mut scenario.rooms {
            group.count = scale(group.count, factor);
        }
        let participants = scenario.participant_count();
        if participants > u64::from(limits::PARTICIPANTS_MAX) {
            return Err(Error::TooLarge { participants });
        }
        Ok(scenario)
    }

    /// How many participants there are in all rooms.
    #[must_use]
    pub fn participant_count(&self) -> u64 {
        self.rooms
            .iter()
            .map(|group| u64::from(group.count) * group.participants_per_room())
            .sum()
    }

    /// How many rooms there are.
    #[must_use]
    pub fn room_count(&self) -> u64 {
        self.rooms.iter().map(|group| u64::from(group.count)).sum()
    }

    fn resolve_recordings(&mut self, file: &Path) {
        let folder = file.parent().unwrap_or_else(|| Path::new(""));
        let participants = self
            .rooms
            .iter_mut()
            .flat_map(|room| &mut room.participants);
        for track in participants.flat_map(|group| &mut group.publish) {
            if let TrackSpec::Recorded(recorded) = track {
                recorded.file = folder.join(&recorded.file);
            }
        }
    }
}

impl RoomGroup {
    /// How many participants there are in each room.
    #[must_use]
    pub fn participants_per_room(&self) -> u64 {
        self.participants
            .iter()
            .map(|group| u64::from(group.count))
            .sum()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to u32 first"
)]
fn scale(count: u32, factor: f64) -> u32 {
    (f64::from(count) * factor)
        .round()
        .clamp(1.0, f64::from(u32::MAX)) as u32
}

const fn one() -> u32 {
    1
}

const fn default_seed() -> u64 {
    1
}

const fn default_fps() -> u32 {
    30
}

fn default_participant_name() -> String {
    "participant".to_owned()
}

#[cfg(test)]
mod tests;
