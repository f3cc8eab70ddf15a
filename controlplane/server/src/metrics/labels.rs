//! What numbers are told apart by.

use bedside_audit::{Action, Outcome};
use bedside_protocol::{CandidateKind, CloseReason, DtlsVersion, SrtpProfile};
use http::StatusCode;
use std::fmt::Debug;
use std::hash::Hash;

/// A closed set of values, each with a text of this software's own.
pub(crate) trait Label: Copy + Eq + Hash + Debug + Send + Sync + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value that there is.
    const ALL: &'static [Self];
    /// The value's text.
    fn text(self) -> &'static str;
}

/// Declares labels, or says the texts of enumerations that are declared elsewhere.
macro_rules! labels {
    ($($(#[$doc:meta])* enum $name:ident = $key:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub(crate) enum $name { $($(#[$vdoc])* $variant,)+ }
        labels! { for $name = $key { $($variant = $text,)+ } }
    )+};
    ($(for $name:ident = $key:literal { $($variant:ident = $text:literal,)+ })+) => {$(
        impl Label for $name {
            const NAME: &'static str = $key;
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    )+};
}

labels! {
    /// How somebody comes into a room.
    enum Entrance = "entrance" {
        Signalling = "signalling",
        Whip = "whip",
        Whep = "whep",
    }

    /// How something ended.
    enum Verdict = "result" {
        Done = "done",
        Refused = "refused",
        Failed = "failed",
    }

    /// Seen from the server, but in what clients report: seen from there.
    enum Direction = "direction" {
        Sent = "sent",
        Received = "received",
    }

    /// What a stream carries.
    enum Media = "kind" {
        Audio = "audio",
        Video = "video",
    }

    /// What is not there.
    enum Missing = "what" {
        Events = "events",
        Commands = "commands",
        Requests = "requests",
    }

    /// What became of a client's report.
    enum Report = "result" {
        Accepted = "accepted",
        Malformed = "malformed",
        Unauthenticated = "unauthenticated",
        Limited = "limited",
        Off = "off",
    }

    /// Steps of joining that the page measures.
    enum Part = "step" {
        Signalling = "signalling",
        Connected = "connected",
        FirstFrame = "first_frame",
    }

    /// A candidate's type (RFC 8445 §5.1.1): how an address was found, never the address.
    enum Candidate = "candidate" {
        Host = "host",
        ServerReflexive = "srflx",
        PeerReflexive = "prflx",
        Relay = "relay",
    }

    /// A candidate's transport.
    enum Protocol = "protocol" {
        Udp = "udp",
        Tcp = "tcp",
    }

    /// A class of HTTP statuses.
    enum Status = "status" {
        Informational = "1xx",
        Success = "2xx",
        Redirection = "3xx",
        ClientError = "4xx",
        ServerError = "5xx",
    }
}

labels! {
    for DtlsVersion = "dtls" {
        Dtls12 = "1.2",
        Dtls13 = "1.3",
    }
    for SrtpProfile = "srtp" {
        AeadAes256Gcm = "AEAD_AES_256_GCM",
        AeadAes128Gcm = "AEAD_AES_128_GCM",
        Aes128CmHmacSha1_80 = "AES128_CM_HMAC_SHA1_80",
    }
    for CandidateKind = "candidate" {
        Udp = "udp",
        Tcp = "tcp",
        Relay = "relay",
    }
    for CloseReason = "reason" {
        Removed = "removed",
        ClosedByPeer = "closed_by_peer",
        IceTimeout = "ice_timeout",
        DtlsFailed = "dtls_failed",
        FingerprintMismatch = "fingerprint_mismatch",
        Policy = "policy",
        Shutdown = "shutdown",
    }
    for Outcome = "outcome" {
        Success = "success",
        Denied = "denied",
        Failed = "failed",
    }
}

impl Label for Action {
    const NAME: &'static str = "action";
    const ALL: &'static [Self] = Self::ALL;
    fn text(self) -> &'static str {
        self.name()
    }
}

impl Status {
    pub(crate) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            ..200 => Self::Informational,
            200..300 => Self::Success,
            300..400 => Self::Redirection,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}

/// A route, by its template: what a client asked for is in none of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Route(u8);

impl Route {
    /// The route of this template; `other` for one that is not in the list, and for none.
    pub(crate) fn of(template: Option<&str>) -> Self {
        let known = |template: &str| {
            ROUTES
                .iter()
                .position(|known| *known == template)
                // The page's files differ with each build.
                .or_else(|| template.contains('.').then_some(PAGE))
        };
        let index = template.and_then(known).unwrap_or(OTHER);
        Self(u8::try_from(index).expect("fewer than 256 routes"))
    }
}

impl Label for Route {
    const NAME: &'static str = "route";
    const ALL: &'static [Self] = &ALL_ROUTES;
    fn text(self) -> &'static str {
        ROUTES[usize::from(self.0)]
    }
}

const ALL_ROUTES: [Route; ROUTES.len()] = {
    let mut all = [Route(0); ROUTES.len()];
    let mut index = 0;
    while index < ROUTES.len() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "fewer than 256 routes, or the array above does not compile"
        )]
        let number = index as u8;
        all[index] = Route(number);
        index += 1;
    }
    all
};

const OTHER: usize = 0;
const PAGE: usize = 1;

/// Every template that is served; a test compares it with the sources.
pub(super) const ROUTES: &[&str] = &[
    "other",
    "page",
    "/",
    "/consult",
    "/healthz",
    "/rtc",
    "/rtc/v1",
    "/rtc/validate",
    "/rtc/v1/validate",
    "/api/link",
    "/api/join",
    "/api/me",
    "/api/session/activity",
    "/api/session/lock",
    "/login",
    "/logout",
    "/oidc/callback",
    "/oidc/backchannel-logout",
    "/api/statistics",
    "/clinic",
    "/api/consults",
    "/api/consults/{room}",
    "/api/consults/{room}/links",
    "/api/consults/{room}/join",
    "/api/wait",
    "/api/waiting",
    "/api/admit",
    "/api/breakglass",
    "/api/breakglass/{entry}/review",
    "/api/users",
    "/api/users/{account}",
    "/api/users/{account}/revoke",
    "/api/users/{account}/restore",
    "/twirp/livekit.RoomService/CreateRoom",
    "/twirp/livekit.RoomService/DeleteRoom",
    "/twirp/livekit.RoomService/ListRooms",
    "/twirp/livekit.RoomService/ListParticipants",
    "/twirp/livekit.RoomService/GetParticipant",
    "/twirp/livekit.RoomService/RemoveParticipant",
    "/twirp/livekit.RoomService/MutePublishedTrack",
    "/twirp/livekit.RoomService/UpdateParticipant",
    "/twirp/livekit.RoomService/UpdateSubscriptions",
    "/twirp/livekit.RoomService/SendData",
    "/twirp/livekit.RoomService/UpdateRoomMetadata",
    "/twirp/livekit.RoomService/ForwardParticipant",
    "/twirp/livekit.RoomService/MoveParticipant",
    "/twirp/livekit.RoomService/PerformRpc",
    "/twirp/{*method}",
    "/whip",
    "/whep",
    "/whip/{session}",
    "/whep/{session}",
];
