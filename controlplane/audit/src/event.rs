//! What happened, with the names of those concerned.

use bedside_protocol::Phi;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Something that happened: who, what, when, where, outcome, why.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// What was done or tried.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended so: a code of this software's own, such as `link_used`; never a person's text.
    pub reason: Option<&'static str>,
    /// Who did it or tried to.
    pub actor: Actor,
    /// Whom it concerns, if that is a patient: identity. FHIR wants exactly one a record.
    pub patient: Option<Phi<String>>,
    /// Name of the room.
    pub room: Option<Phi<String>>,
    /// The consult: the room's sid (`RM_...`), one for each time that the room opens.
    pub encounter: Option<String>,
    /// What it was done to.
    pub object: Option<Object>,
    /// What for (HL7 PurposeOfUse).
    pub purpose: Purpose,
    /// The decision that allowed or denied it.
    pub policy: Option<PolicyDecision>,
    /// What else is known and is nobody's: protocol versions, fingerprints, counts.
    pub facts: BTreeMap<&'static str, Fact>,
    /// What else is known and is somebody's: addresses, display names, reasons in their words.
    /// Encrypted under a key of the subject's, which retention can destroy.
    pub detail: BTreeMap<&'static str, Phi<String>>,
}

impl Event {
    /// A success at `at_us`, by `actor`, for treatment, with nothing else known.
    #[must_use]
    pub const fn new(at_us: u64, action: Action, actor: Actor) -> Self {
        Self {
            at_us,
            action,
            outcome: Outcome::Success,
            reason: None,
            actor,
            patient: None,
            room: None,
            encounter: None,
            object: None,
            purpose: Purpose::Treatment,
            policy: None,
            facts: BTreeMap::new(),
            detail: BTreeMap::new(),
        }
    }
}

/// Declares [`Action`] and its names once.
macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What was done or tried. The names are part of the log's format: none is ever reused.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl Action {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it stands in an entry.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The action of that name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|action| action.name() == name)
            }
        }
    };
}

actions! {
    /// The control plane started.
    NodeStart = "node.start",
    /// The control plane stops.
    NodeStop = "node.stop",
    /// The wall clock was moved.
    TimeStep = "time.step",
    /// A data plane connected or was lost.
    DataplaneConnection = "dataplane.connection",
    /// The configuration in force differs from that of the start before.
    ConfigChange = "config.change",
    /// The policies in force differ from those of the start before.
    PolicyChange = "policy.change",
    /// A room opened.
    RoomOpen = "room.open",
    /// A room ended.
    RoomClose = "room.close",
    /// Somebody was let into a room, or not.
    Join = "room.join",
    /// Somebody left a room or was sent away.
    Leave = "room.leave",
    /// Somebody waits to be admitted.
    Wait = "room.wait",
    /// Somebody who waited was admitted or turned away.
    Admit = "room.admit",
    /// A peer connection is up: ICE and DTLS.
    PeerOpen = "pc.open",
    /// A peer connection is over.
    PeerClose = "pc.close",
    /// A peer connection's path changed.
    PeerPath = "pc.path",
    /// An offer or a transport that the policy refuses (SDES, plain RTP, weak fingerprint).
    MediaRefused = "pc.refused",
    /// A track was published.
    TrackPublish = "track.publish",
    /// A track is over.
    TrackUnpublish = "track.unpublish",
    /// A participant's permissions changed.
    PermissionChange = "room.permission",
    /// A one-time link was made.
    LinkCreate = "link.create",
    /// A link was used, or could not be.
    LinkUse = "link.use",
    /// A link was ended before its time.
    LinkEnd = "link.end",
    /// A LiveKit access token was made by the command line.
    TokenCreate = "token.create",
    /// A token was presented and refused before any room was concerned.
    TokenRefused = "token.refused",
    /// A server API call.
    ApiCall = "api.call",
    /// Somebody logged in, or could not.
    Login = "auth.login",
    /// Somebody logged out.
    Logout = "auth.logout",
    /// A session was ended by time.
    SessionTimeout = "auth.timeout",
    /// A screen was locked or unlocked.
    SessionLock = "auth.lock",
    /// A user was added or changed.
    UserChange = "user.change",
    /// A user's access was revoked: one record for the order, one for each confirmation.
    UserRevoke = "user.revoke",
    /// A role was given or taken.
    RoleChange = "role.change",
    /// Somebody entered without the usual permission, in an emergency.
    BreakGlass = "access.breakglass",
    /// An emergency entry was reviewed.
    BreakGlassReview = "access.breakglass_review",
    /// An action was denied by policy.
    Denied = "access.denied",
    /// A TURN allocation was made, refused or ended.
    Turn = "turn.allocation",
    /// A key was made.
    KeyCreate = "key.create",
    /// A key was rotated.
    KeyRotate = "key.rotate",
    /// A key was destroyed.
    KeyDestroy = "key.destroy",
    /// An API key was added, rotated or removed.
    ApiKeyChange = "key.api",
    /// A certificate was taken into use.
    CertificateChange = "key.certificate",
    /// Somebody consented to a recording, or did not.
    RecordingConsent = "recording.consent",
    /// A recording started, paused, stopped, was sealed, stored, checked, played, exported or
    /// destroyed: the fact `step` says which.
    Recording = "recording.step",
    /// An AI agent called a tool.
    AgentTool = "agent.tool",
    /// A hand-over from an agent to a clinician.
    HandOff = "agent.handoff",
    /// A business-associate agreement was recorded or removed (45 CFR 164.308(b)).
    BaaChange = "baa.change",
    /// Records were read: searched, shown or exported.
    AuditRead = "audit.read",
    /// The log was checked.
    AuditVerify = "audit.verify",
    /// Records are missing: how many, and of which sequence.
    AuditGap = "audit.gap",
    /// A witness cosigned or refused.
    AuditWitness = "audit.witness",
    /// An evidence bundle was made.
    Evidence = "audit.evidence",
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Success,
    /// Not allowed.
    Denied,
    /// Allowed, but it did not work.
    Failed,
}

/// Who did it.
#[derive(Clone, Debug)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// Who: a participant's identity, a user's id, an API key's name; none for the system itself
    /// and for whoever could not say who they are.
    pub id: Option<Phi<String>>,
    /// In which role.
    pub role: Option<Role>,
    /// How they proved it.
    pub authentication: Option<Authentication>,
    /// From where. The entry carries the network (/24 or /48); the address itself is sealed.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// This software.
    pub const SYSTEM: Self = Self {
        kind: ActorKind::System,
        id: None,
        role: None,
        authentication: None,
        address: None,
    };

    /// Somebody at `address` who has not shown who they are.
    #[must_use]
    pub const fn unknown(address: Option<IpAddr>) -> Self {
        Self {
            kind: ActorKind::Unknown,
            address,
            ..Self::SYSTEM
        }
    }
}

/// What kind of actor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// Somebody of the workforce, logged in.
    User,
    /// A patient or another guest with a link.
    Patient,
    /// An AI agent.
    Agent,
    /// A server with an API key.
    Service,
    /// Somebody at the host, through the admin socket.
    Operator,
    /// This software.
    System,
    /// Not known.
    Unknown,
}

/// How an actor proved who they are.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Authentication {
    /// `oidc`, `link`, `session`, `token`, `api_key`, `peer_credentials`.
    pub method: String,
    /// Who vouches: the provider's issuer URL for `oidc` and for the `session` of such a log-in,
    /// the API key's name for `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Authentication context class (OIDC Core §2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// Authentication methods (RFC 8176).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// SHA-256 of the token's or session's id, hexadecimal, first 16 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// In which role somebody acts. What each may do is in the policies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Joins their own consult.
    Patient,
    /// Treats: opens consults, admits, invites.
    Clinician,
    /// Looks after users and rooms; no media, no records.
    Administrator,
    /// Keys, holds, revocation, review; no media (45 CFR 164.308(a)(2)).
    SecurityOfficer,
    /// Reads the audit log, nothing else.
    Auditor,
    /// An AI agent.
    Agent,
    /// A server with an API key.
    Service,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Patient,
        Self::Clinician,
        Self::Administrator,
        Self::SecurityOfficer,
        Self::Auditor,
        Self::Agent,
        Self::Service,
    ];

    /// As it stands in entries, configuration and policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Clinician => "clinician",
            Self::Administrator => "administrator",
            Self::SecurityOfficer => "security_officer",
            Self::Auditor => "auditor",
            Self::Agent => "agent",
            Self::Service => "service",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// What it was done to.
#[derive(Clone, Debug)]
pub struct Object {
    /// `peer`, `track`, `link`, `user`, `key`, `recording`, ...
    pub kind: &'static str,
    /// Its id, which is nobody's name.
    pub id: String,
}

/// What for (HL7 v3 PurposeOfUse).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Purpose {
    /// Treatment.
    #[serde(rename = "TREAT")]
    Treatment,
    /// Emergency treatment: break-glass.
    #[serde(rename = "ETREAT")]
    EmergencyTreatment,
    /// Administration of the service.
    #[serde(rename = "HOPERAT")]
    Operations,
    /// Audit.
    #[serde(rename = "HSYSADMIN")]
    SystemAdministration,
}

/// The decision of the policies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PolicyDecision {
    /// Which policies decided, by their ids.
    pub policies: Vec<String>,
    /// SHA-256 of the policies in force, hexadecimal.
    pub hash: String,
}

/// A fact that is nobody's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// A text of this software's own, or an opaque id.
    Text(String),
}

impl From<u64> for Fact {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Fact {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
