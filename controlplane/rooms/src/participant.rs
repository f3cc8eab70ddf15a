//! Someone in a room.

use crate::input::{Claims, SessionId, Time, VideoGrant};
use crate::link::Link;
use crate::output::WebrtcResource;
use crate::permission::Permission;
use crate::quality::QualityState;
use crate::room::Member;
use crate::subscribing::{Setting, Subscription, SubscriptionPermission};
use bedside_protocol::{Phi, Secret, TrackId, WorkerId};
use livekit_protocol as proto;
use proto::participant_info::{Kind, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Someone in a room.
#[derive(Clone, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own in LiveKit's contract"
)]
pub(crate) struct Participant {
    pub(crate) sid: String,
    #[serde(serialize_with = "bedside_protocol::exposed")]
    pub(crate) identity: Phi<String>,
    #[serde(serialize_with = "bedside_protocol::exposed")]
    pub(crate) name: Phi<String>,
    #[serde(serialize_with = "bedside_protocol::exposed")]
    pub(crate) metadata: Phi<String>,
    #[serde(serialize_with = "bedside_protocol::exposed")]
    pub(crate) attributes: Phi<BTreeMap<String, String>>,
    pub(crate) kind: i32,
    pub(crate) permission: Permission,
    /// The token's, for refreshing it.
    #[serde(serialize_with = "bedside_protocol::exposed")]
    pub(crate) claims: Phi<Claims>,
    pub(crate) client: Client,
    pub(crate) joined_at: Time,
    pub(crate) active: bool,
    pub(crate) published_once: bool,
    pub(crate) version: u32,
    pub(crate) auto_subscribe: bool,
    /// The worker that its connections are on; it stays there.
    pub(crate) worker: WorkerId,
    /// One in single-connection mode; otherwise the publisher's, then the subscriber's.
    pub(crate) links: Vec<Link>,
    /// Which connection makes the participant active.
    pub(crate) subscriber_primary: bool,
    /// Explicit choices, by track sid; the rest follows `auto_subscribe`.
    pub(crate) choices: BTreeMap<String, bool>,
    /// `track_setting`s, by track sid.
    pub(crate) settings: BTreeMap<String, Setting>,
    pub(crate) subscriptions: BTreeMap<TrackId, Subscription>,
    /// Who may receive its tracks; `None`: everyone.
    pub(crate) subscription_permission: Option<SubscriptionPermission>,
    /// Sequence number of its last reliable data packet.
    pub(crate) reliable_sequence: u32,
    /// WHIP or WHEP: there is no signalling connection.
    pub(crate) webrtc: Option<Webrtc>,
    #[serde(skip)]
    pub(crate) session: Option<SessionId>,
    /// Without a signalling connection it is removed then.
    pub(crate) signal_lost_by: Option<Time>,
    /// Not active by then, it is removed.
    pub(crate) connect_by: Option<Time>,
    /// Told to reconnect; removed then.
    pub(crate) leave_by: Option<Time>,
    #[serde(skip)]
    pub(crate) refresh_at: Option<Time>,
    #[serde(skip)]
    pub(crate) quality: QualityState,
    #[serde(skip)]
    pub(crate) simulation: Option<Simulation>,
}

/// What an HTTP session has instead of signalling.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Webrtc {
    /// Bearer of the session: whoever knows it may end it.
    #[serde(serialize_with = "bedside_protocol::exposed")]
    pub(crate) resource: Secret<String>,
    pub(crate) etag: String,
}

/// What decisions need to know about the client.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) protocol: i32,
    pub(crate) client_protocol: i32,
    pub(crate) sdk: i32,
    pub(crate) os: String,
    pub(crate) browser: String,
    pub(crate) capabilities: Vec<i32>,
}

/// A failure that a client's test suite asked for, and until when it is armed.
#[derive(Clone, Copy)]
pub(crate) enum Simulation {
    /// Drop the signalling connection right after the next resume.
    AfterResume(Time),
    /// Drop the next three before anything is sent.
    BeforeResume(Time, u8),
}

impl Client {
    pub(crate) fn new(info: &proto::ClientInfo) -> Self {
        let short = |text: &str| -> String { text.chars().take(32).collect() };
        Self {
            protocol: info.protocol,
            client_protocol: info.client_protocol,
            sdk: info.sdk,
            os: short(&info.os).to_lowercase(),
            browser: short(&info.browser).to_lowercase(),
            capabilities: info.capabilities.iter().copied().take(8).collect(),
        }
    }

    pub(crate) fn is_firefox(&self) -> bool {
        self.browser == "firefox" || self.browser == "firefox mobile"
    }

    pub(crate) fn is_safari(&self) -> bool {
        self.browser == "safari"
    }

    /// Protocol 13 reads the leave request's action; before it there was `can_reconnect`.
    pub(crate) fn reads_leave_action(&self) -> bool {
        self.protocol >= 13
    }

    /// From protocol 10 on, a stream is named by what it belongs together with, so that browsers
    /// synchronise camera and microphone. Firefox takes one track a stream.
    pub(crate) fn groups_streams(&self) -> bool {
        self.protocol > 9 && !self.is_firefox()
    }
}

impl Participant {
    /// Index of the connection that the participant's media arrives on.
    pub(crate) const PUBLISHER: usize = 0;

    /// Index of the connection that media and data are sent on.
    pub(crate) fn subscriber(&self) -> usize {
        self.links.len().saturating_sub(1)
    }

    pub(crate) fn single_connection(&self) -> bool {
        self.links.len() == 1
    }

    pub(crate) fn primary(&self) -> usize {
        if self.subscriber_primary {
            self.subscriber()
        } else {
            Self::PUBLISHER
        }
    }

    /// Agents and recorders are there for others: they keep no room open and take no place.
    pub(crate) fn is_dependent(&self) -> bool {
        self.kind == Kind::Agent as i32
            || self.kind == Kind::Egress as i32
            || self.permission.agent
            || self.permission.recorder
    }

    pub(crate) fn is_agent(&self) -> bool {
        self.kind == Kind::Agent as i32 || self.permission.agent
    }

    pub(crate) fn resource(&self) -> Option<WebrtcResource> {
        self.webrtc
            .as_ref()
            .map(|webrtc| WebrtcResource(webrtc.resource.expose().clone()))
    }

    pub(crate) fn state(&self) -> State {
        if self.active {
            State::Active
        } else {
            State::Joined
        }
    }

    /// Claims with what was changed since, for a refreshed token.
    pub(crate) fn refreshed_claims(&self) -> Claims {
        let mut claims = self.claims.expose().clone();
        claims.name.clone_from(self.name.expose());
        claims.metadata.clone_from(self.metadata.expose());
        claims.attributes.clone_from(self.attributes.expose());
        let mut grant: VideoGrant = claims.video.take().unwrap_or_default();
        self.permission.apply_to(&mut grant);
        claims.video = Some(grant);
        claims
    }

    /// Who this is, without its tracks.
    pub(crate) fn info(&self, tracks: Vec<proto::TrackInfo>) -> proto::ParticipantInfo {
        proto::ParticipantInfo {
            sid: self.sid.clone(),
            identity: self.identity.expose().clone(),
            state: self.state() as i32,
            tracks,
            metadata: self.metadata.expose().clone(),
            joined_at: self.joined_at.s(),
            joined_at_ms: self.joined_at.ms(),
            name: self.name.expose().clone(),
            version: self.version,
            permission: Some(self.permission.to_proto()),
            is_publisher: self.published_once,
            kind: self.kind,
            attributes: self
                .attributes
                .expose()
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            client_protocol: self.client.client_protocol,
            capabilities: self.client.capabilities.clone(),
            ..proto::ParticipantInfo::default()
        }
    }

    /// The earliest moment at which something is due.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let links = self.links.iter().filter_map(|link| link.confirm_by);
        [
            self.signal_lost_by,
            self.connect_by,
            self.leave_by,
            self.refresh_at,
        ]
        .into_iter()
        .flatten()
        .chain(links)
        .min()
    }
}

/// The token's kind.
pub(crate) fn kind_from_claims(kind: &str) -> i32 {
    let kind = match kind {
        "ingress" => Kind::Ingress,
        "egress" => Kind::Egress,
        "sip" => Kind::Sip,
        "agent" => Kind::Agent,
        "connector" => Kind::Connector,
        "bridge" => Kind::Bridge,
        _ => Kind::Standard,
    };
    kind as i32
}

/// Which participant a peer belongs to, and which of its connections it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) member: Member,
    pub(crate) link: usize,
}
