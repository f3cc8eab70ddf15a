//! What the command line and the control plane say to each other over the admin socket: JSON
//! bodies of HTTP/1.1. They are also what `bedside --json` prints, so a field, once released,
//! keeps its name and meaning.

use bedside_rooms::Connection;
use livekit_protocol as proto;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// `GET /status`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StatusReport {
    /// Release of the control plane.
    pub version: String,
    /// Seconds since it was started.
    pub uptime_s: u64,
    /// Addresses that it serves on.
    pub listen: Vec<String>,
    /// `connected`, or why not and what to do.
    pub dataplane: DataplaneReport,
    /// Open rooms.
    pub rooms: usize,
    /// Participants in them.
    pub participants: usize,
    /// Participants with a signalling connection.
    pub sessions: usize,
    /// Published tracks.
    pub tracks: usize,
    /// Subscriptions to them.
    pub subscriptions: usize,
    /// Data-plane events that were lost.
    pub events_lost: u64,
    /// What was refused since the start, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Emergency entries that nobody has reviewed.
    #[serde(default)]
    pub emergency_reviews_open: u64,
    /// `hipaa`, or `trial`: not for patients.
    pub profile: String,
    /// SHA-256 of all settings, hexadecimal.
    pub configuration: String,
    /// SHA-256 of the policies in force, hexadecimal: stands in each decision's record.
    #[serde(default)]
    pub policies: String,
    /// The certificate in use.
    pub certificate: CertificateReport,
    /// Business-associate agreements.
    pub agreements: AgreementsReport,
    /// The audit log.
    pub audit: AuditReport,
}

/// The audit log (45 CFR 164.312(b)).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AuditReport {
    /// Why nobody is let in, if so: it cannot be written.
    pub problem: Option<String>,
    /// Entries.
    pub entries: u64,
    /// Records refused since the start.
    pub refused: u64,
    /// Notes lost since the start; each stands in an `audit.gap`.
    pub lost: u64,
}

/// The certificate in use.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CertificateReport {
    /// SHA-256 of its DER, hexadecimal.
    pub fingerprint: String,
    /// Whole days until its end, negative after it.
    pub days_left: i64,
}

/// Business-associate agreements (45 CFR 164.308(b)).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AgreementsReport {
    /// How many are in force.
    pub in_force: usize,
    /// Those that have ended or end within 60 days.
    pub ending: Vec<EndingReport>,
    /// Why the register cannot be read, if so.
    pub problem: Option<String>,
}

/// An agreement that has ended or ends soon.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EndingReport {
    /// Its id.
    pub agreement: String,
    /// The legal entity.
    pub entity: String,
    /// Days until its end, negative after it.
    pub days_left: i64,
}

/// The data plane as the control plane sees it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct DataplaneReport {
    /// Whether it is connected.
    pub connected: bool,
    /// Why it is not, and what to do.
    pub problem: Option<String>,
    /// Its current run.
    pub boot: Option<String>,
    /// Its I/O engine.
    pub engine: Option<String>,
    /// Media addresses, one list a worker.
    pub workers: Vec<Vec<String>>,
}

/// `GET /rooms`, `GET /rooms/{name}`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomReport {
    /// Name.
    pub name: String,
    /// `RM_...`.
    pub sid: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Participants, hidden ones excluded.
    pub num_participants: u32,
    /// Participants that publish.
    pub num_publishers: u32,
    /// 0: no limit.
    pub max_participants: u32,
    /// Who is in it; only in `GET /rooms/{name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<ParticipantReport>>,
}

/// `GET /rooms/{name}/participants`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ParticipantReport {
    /// Identity.
    pub identity: String,
    /// Display name.
    pub name: String,
    /// `PA_...`.
    pub sid: String,
    /// `joining`, `joined`, `active` or `disconnected`.
    pub state: String,
    /// Unix seconds.
    pub joined_at: i64,
    /// What it publishes.
    pub tracks: Vec<TrackReport>,
    /// How its connection is; only in `GET /rooms/{name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
}

/// A published track.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TrackReport {
    /// `TR_...`.
    pub sid: String,
    /// `audio`, `video` or `data`.
    pub kind: String,
    /// `camera`, `microphone`, `screen_share`, `screen_share_audio` or `unknown`.
    pub source: String,
    /// MIME type of the codec.
    pub mime_type: String,
    /// Muted.
    pub muted: bool,
    /// Published in several sizes.
    pub simulcast: bool,
    /// Pixels; 0 for audio.
    pub width: u32,
    /// Pixels; 0 for audio.
    pub height: u32,
}

/// `POST /rooms/{name}/participants/{identity}/mute`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MuteRequest {
    /// One track, or all of the participant's when absent.
    pub track: Option<String>,
    /// `false` asks the participant to unmute, where the server allows that.
    pub muted: bool,
}

/// Who a join link or a token is for; decides what it allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Publishes and subscribes in one room.
    Patient,
    /// As a patient, and may administer the room.
    Clinician,
}

impl Role {
    /// Its name in JSON and in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Clinician => "clinician",
        }
    }
}

/// `POST /links`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkRequest {
    /// Room that it leads to.
    pub room: String,
    /// For whom.
    pub role: Role,
    /// Display name; asked for on the page when absent.
    pub display_name: Option<String>,
    /// Words for the room on the page, instead of its name.
    pub room_label: Option<String>,
    /// How long it may be used, seconds.
    pub valid_s: u64,
}

/// Answer to `POST /links`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReport {
    /// The link; works once.
    pub link: String,
    /// Unix seconds.
    pub expires_at: u64,
}

/// `POST /tokens`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenRequest {
    /// Room that it opens.
    pub room: String,
    /// Identity.
    pub identity: String,
    /// Display name.
    pub name: Option<String>,
    /// What it allows beyond joining.
    pub role: TokenRole,
    /// How long it is valid, seconds.
    pub valid_s: u64,
}

/// What a token allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRole {
    /// Publishes and subscribes.
    Participant,
    /// Subscribes only.
    Viewer,
    /// Publishes, subscribes, and administers the room.
    Administrator,
    /// Publishes and subscribes as an agent.
    Agent,
}

/// Answer to `POST /tokens`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReport {
    /// LiveKit access token.
    pub token: String,
    /// Where to connect with it.
    pub url: String,
}

/// `GET /api-keys`: one key. Secrets are told once, when they are made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiKeyReport {
    /// Its name, `iss` of its tokens.
    pub name: String,
    /// The server itself signs with it.
    pub signs: bool,
    /// Its tokens count.
    pub in_force: bool,
    /// Rotated: when its tokens stop counting, Unix seconds.
    pub until: Option<u64>,
    /// When a token of it was last shown, Unix seconds, to within a few seconds.
    pub last_used: Option<u64>,
}

/// `POST /api-keys/{name}/rotate`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RotateRequest {
    /// How long tokens of the old key go on counting, seconds.
    pub overlap_s: u64,
}

/// Answer to `POST /api-keys` and `POST /api-keys/{name}/rotate`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiKeyMade {
    /// Its name.
    pub name: String,
    /// Its secret, told this once.
    pub secret: String,
}

/// `GET /users`, `GET /users/{account}`: somebody's access.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AccountReport {
    /// User id, participant identity or API key name.
    pub account: String,
    /// `user`, `identity` or `api_key`.
    pub kind: String,
    /// A user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// A user's roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// A user's last login or activity, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_s: Option<i64>,
    /// Since when access is revoked, Unix seconds; absent while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_s: Option<i64>,
    /// Rooms in which they are now; only in `GET /users/{account}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connected_to: Vec<String>,
}

/// `GET /breakglass`: an emergency entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EmergencyReport {
    /// `BG_...`; the records have it.
    pub entry: String,
    /// Who entered: user id.
    pub user: String,
    /// Which consult.
    pub room: String,
    /// Code of the reason; the words are in the record.
    pub reason: String,
    /// Unix seconds.
    pub started_s: i64,
    /// When it runs out, Unix seconds.
    pub ends_s: i64,
    /// When it ended, Unix seconds; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_s: Option<i64>,
    /// When it was reviewed, Unix seconds; absent while it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed_s: Option<i64>,
    /// What the review found: `justified` or `not_justified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

/// `POST /breakglass/{entry}/review`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReviewRequest {
    /// What the review found.
    pub finding: Finding,
    /// In the reviewer's words; they go into the record.
    #[serde(default)]
    pub words: String,
}

/// What a review found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It was an emergency.
    Justified,
    /// It was none.
    NotJustified,
}

impl Finding {
    /// As it stands in the database and in records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::NotJustified => "not_justified",
        }
    }
}

/// Body of every answer that is not 2xx.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// What went wrong and what to do.
    pub message: String,
}

impl From<&proto::Room> for RoomReport {
    fn from(room: &proto::Room) -> Self {
        Self {
            name: room.name.clone(),
            sid: room.sid.clone(),
            created_at: room.creation_time,
            num_participants: room.num_participants,
            num_publishers: room.num_publishers,
            max_participants: room.max_participants,
            participants: None,
        }
    }
}

impl From<&proto::ParticipantInfo> for ParticipantReport {
    fn from(participant: &proto::ParticipantInfo) -> Self {
        Self {
            identity: participant.identity.clone(),
            name: participant.name.clone(),
            sid: participant.sid.clone(),
            state: participant.state().as_str_name().to_lowercase(),
            joined_at: participant.joined_at,
            tracks: participant.tracks.iter().map(TrackReport::from).collect(),
            connection: None,
        }
    }
}

#[expect(
    deprecated,
    reason = "the rooms keep `simulcast` for older clients, and it says it all"
)]
impl From<&proto::TrackInfo> for TrackReport {
    fn from(track: &proto::TrackInfo) -> Self {
        Self {
            sid: track.sid.clone(),
            kind: track.r#type().as_str_name().to_lowercase(),
            source: track.source().as_str_name().to_lowercase(),
            mime_type: track.mime_type.clone(),
            muted: track.muted,
            simulcast: track.simulcast,
            width: track.width,
            height: track.height,
        }
    }
}

/// Names, rooms, links and tokens are in these types; their debug text says only what they are.
macro_rules! opaque {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+};
}

opaque!(
    RoomReport,
    ParticipantReport,
    LinkRequest,
    LinkReport,
    TokenRequest,
    TokenReport
);
