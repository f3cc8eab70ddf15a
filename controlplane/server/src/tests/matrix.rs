//! The role-by-endpoint matrix: every cell asserted against the real server.
//!
//! A cell says what the policies answer, seen from outside: `Y` the request passes them, whatever
//! becomes of it then; `-` it is refused with 401 or 403.

use super::client::Client;
use super::{Bench, within};
use crate::admin::{LinkRequest, Role as LinkRole};
use crate::authorize::Endpoint;
use crate::clock::now_s;
use crate::links::hash;
use crate::store::consults::Consult;
use crate::store::users::{Session, User};
use crate::testing::scratch;
use crate::{admin, http, page};
use bedside_audit::{Action as Recorded, Role};
use bedside_ledger::Search;
use bedside_protocol::Phi;
use bedside_rooms::{Claims, VideoGrant};
use std::collections::BTreeSet;
use std::time::Duration;

/// Who asks, in the order of the columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Caller {
    Nobody,
    Patient,
    Clinician,
    /// Logged in without a second factor. A token of theirs passes: an API key's holder vouches.
    OneFactor,
    Administrator,
    SecurityOfficer,
    Auditor,
    Agent,
    Service,
}

const CALLERS: [Caller; 9] = [
    Caller::Nobody,
    Caller::Patient,
    Caller::Clinician,
    Caller::OneFactor,
    Caller::Administrator,
    Caller::SecurityOfficer,
    Caller::Auditor,
    Caller::Agent,
    Caller::Service,
];

impl Caller {
    const fn role(self) -> Option<Role> {
        match self {
            Self::Nobody => None,
            Self::Patient => Some(Role::Patient),
            Self::Clinician | Self::OneFactor => Some(Role::Clinician),
            Self::Administrator => Some(Role::Administrator),
            Self::SecurityOfficer => Some(Role::SecurityOfficer),
            Self::Auditor => Some(Role::Auditor),
            Self::Agent => Some(Role::Agent),
            Self::Service => Some(Role::Service),
        }
    }

    const fn logs_in(self) -> bool {
        matches!(
            self,
            Self::Clinician
                | Self::OneFactor
                | Self::Administrator
                | Self::SecurityOfficer
                | Self::Auditor
        )
    }
}

/// Method, path, a cell for each of [`CALLERS`]. The consult is the caller's own, but for
/// break-glass.
const HTTP: &[(&str, &str, &str)] = &[
    ("GET", "/", "YYYYYYYYY"),
    ("HEAD", "/", "YYYYYYYYY"),
    ("GET", "/consult", "YYYYYYYYY"),
    ("GET", "/clinic", "YYYYYYYYY"),
    ("GET", "/healthz", "YYYYYYYYY"),
    ("GET", "/login", "YYYYYYYYY"),
    ("GET", "/oidc/callback", "YYYYYYYYY"),
    ("POST", "/oidc/backchannel-logout", "YYYYYYYYY"),
    ("GET", "/api/me", "YYYYYYYYY"),
    ("POST", "/api/session/activity", "YYYYYYYYY"),
    ("POST", "/api/link", "YYYYYYYYY"),
    ("POST", "/api/join", "-Y-------"),
    ("GET", "/rtc", "-YYY---YY"),
    ("GET", "/rtc/v1", "-YYY---YY"),
    ("GET", "/rtc/validate", "-YYY---YY"),
    ("GET", "/rtc/v1/validate", "-YYY---YY"),
    ("POST", "/whip", "-YYY---YY"),
    ("POST", "/whep", "-YYY---YY"),
    ("PATCH", "/whip/{session}", "-YYY---YY"),
    ("PATCH", "/whep/{session}", "-YYY---YY"),
    ("DELETE", "/whip/{session}", "-YYY---YY"),
    ("DELETE", "/whep/{session}", "-YYY---YY"),
    ("*", "/twirp/livekit.RoomService/CreateRoom", "--YYY---Y"),
    ("*", "/twirp/livekit.RoomService/DeleteRoom", "--YYY---Y"),
    ("*", "/twirp/livekit.RoomService/ListRooms", "----Y---Y"),
    (
        "*",
        "/twirp/livekit.RoomService/ListParticipants",
        "--YYY---Y",
    ),
    (
        "*",
        "/twirp/livekit.RoomService/GetParticipant",
        "--YYY---Y",
    ),
    (
        "*",
        "/twirp/livekit.RoomService/RemoveParticipant",
        "--YY----Y",
    ),
    (
        "*",
        "/twirp/livekit.RoomService/MutePublishedTrack",
        "--YY----Y",
    ),
    (
        "*",
        "/twirp/livekit.RoomService/UpdateParticipant",
        "--YY----Y",
    ),
    (
        "*",
        "/twirp/livekit.RoomService/UpdateSubscriptions",
        "--YY----Y",
    ),
    ("*", "/twirp/livekit.RoomService/SendData", "--YY----Y"),
    (
        "*",
        "/twirp/livekit.RoomService/UpdateRoomMetadata",
        "--YY----Y",
    ),
    // These three answer "unimplemented" to whoever has a token.
    (
        "*",
        "/twirp/livekit.RoomService/ForwardParticipant",
        "-YYYYYYYY",
    ),
    (
        "*",
        "/twirp/livekit.RoomService/MoveParticipant",
        "-YYYYYYYY",
    ),
    ("*", "/twirp/livekit.RoomService/PerformRpc", "-YYYYYYYY"),
    ("*", "/twirp/{*method}", "YYYYYYYYY"),
    // A browser reports with its link's session, or its clinician's while they are in a consult;
    // everything else with its token.
    ("POST", "/api/statistics", "-Y-----YY"),
    ("POST", "/api/wait", "-Y-------"),
    ("POST", "/api/waiting", "--Y------"),
    ("POST", "/api/admit", "--Y------"),
    ("GET", "/api/consults", "--Y------"),
    ("POST", "/api/consults", "--Y------"),
    ("GET", "/api/consults/{room}", "--Y------"),
    ("POST", "/api/consults/{room}/links", "--Y------"),
    ("POST", "/api/consults/{room}/join", "--Y------"),
    ("POST", "/api/breakglass", "--Y------"),
    ("GET", "/api/breakglass", "-----YY--"),
    ("POST", "/api/breakglass/{entry}/review", "-----Y---"),
    ("GET", "/api/users", "----YY---"),
    ("GET", "/api/users/{account}", "----YY---"),
    ("POST", "/api/users/{account}/revoke", "----YY---"),
    ("POST", "/api/users/{account}/restore", "-----Y---"),
    ("DELETE", "/api/consults/{room}", "--Y------"),
    // Whoever has no session has nothing to lock. The last two end what the callers show.
    ("POST", "/api/session/lock", "--YYYYY--"),
    ("POST", "/logout", "YYYYYYYYY"),
];

/// Method and path of each route on the admin socket; the operator passes all of them.
const ADMIN: &[(&str, &str)] = &[
    ("GET", "/status"),
    ("GET", "/inventory"),
    ("GET", "/rooms"),
    ("GET", "/rooms/{room}"),
    ("DELETE", "/rooms/{room}"),
    ("GET", "/rooms/{room}/participants"),
    ("DELETE", "/rooms/{room}/participants/{identity}"),
    ("POST", "/rooms/{room}/participants/{identity}/mute"),
    ("POST", "/links"),
    ("POST", "/tokens"),
    ("GET", "/api-keys"),
    ("POST", "/api-keys"),
    ("DELETE", "/api-keys/{name}"),
    ("POST", "/api-keys/{name}/rotate"),
    ("POST", "/audit"),
    ("POST", "/audit/key/rotate"),
    ("POST", "/audit/purge"),
    ("POST", "/evidence"),
    ("GET", "/users"),
    ("GET", "/users/{account}"),
    ("POST", "/users/{account}/revoke"),
    ("POST", "/users/{account}/restore"),
    ("GET", "/breakglass"),
    ("POST", "/breakglass/{entry}/review"),
];

fn named(endpoints: &[Endpoint]) -> BTreeSet<(&str, &str)> {
    endpoints
        .iter()
        .map(|endpoint| (endpoint.method, endpoint.path))
        .collect()
}

#[test]
fn every_route_is_in_the_matrix_and_nothing_else() {
    let routes = http::routes();
    let mut mounted = named(routes.endpoints());
    // The page's files are public, and as many as the build made.
    mounted.retain(|(_, path)| !page::is_file(path));
    let table = HTTP.iter().map(|&(method, path, _)| (method, path));
    assert_eq!(mounted, table.collect());

    let routes = admin::routes();
    assert_eq!(named(routes.endpoints()), ADMIN.iter().copied().collect());
}

/// What one caller shows.
struct Shown {
    caller: Caller,
    token: Option<String>,
    cookie: Option<String>,
}

impl Bench {
    async fn shows(&self, caller: Caller) -> Shown {
        let token = caller.role().map(|role| {
            let claims = Claims {
                iss: self.tokens.first_key(),
                sub: format!("{caller:?}"),
                bedside_role: Some(role),
                video: Some(VideoGrant {
                    room_join: true,
                    room_admin: true,
                    room_create: true,
                    room_list: true,
                    room: "ward".to_owned(),
                    ..VideoGrant::default()
                }),
                ..Claims::default()
            };
            let token = self.tokens.sign(&claims, Duration::from_secs(60));
            token.expect("the key is there")
        });
        let cookie = if caller.logs_in() {
            Some(self.session(caller).await)
        } else if caller == Caller::Patient {
            Some(self.guest().await)
        } else {
            None
        };
        Shown {
            caller,
            token,
            cookie,
        }
    }

    /// A workforce session, as a login leaves it behind.
    async fn session(&self, caller: Caller) -> String {
        let store = &self.running.store;
        let roles: Vec<Role> = caller.role().into_iter().collect();
        let user = User {
            id: format!("U_{caller:?}"),
            issuer: "https://provider.example".to_owned(),
            subject: Phi::new(format!("{caller:?}")),
            display_name: Phi::new("Somebody".to_owned()),
            roles: roles.clone(),
            created_s: 0,
            last_seen_s: 0,
            revoked_s: None,
        };
        store.see_user(&user).await.expect("kept");
        store.join_consult("ward", &user.id).await.expect("kept");
        if caller == Caller::Clinician {
            let consult = Consult {
                room: "opened".to_owned(),
                label: Phi::default(),
                opened_s: now_s(),
            };
            store.open_consult(&consult, &user.id).await.expect("kept");
        }
        let cookie = format!("session of {caller:?}");
        let session = Session {
            digest: hash(&cookie),
            user: user.id,
            roles,
            provider_sid: None,
            acr: None,
            amr: Vec::new(),
            multi_factor: caller != Caller::OneFactor,
            authenticated_s: now_s(),
            created_s: now_s(),
            last_used_s: now_s(),
            expires_s: now_s() + 3_600,
            locked_s: None,
        };
        store.create_session(&session, None).await.expect("kept");
        format!("{}={cookie}", crate::identity::cookie::NAME)
    }

    /// The cookie of a patient who has followed their link.
    async fn guest(&self) -> String {
        let report = self.running.create_link(LinkRequest {
            room: "ward".to_owned(),
            role: LinkRole::Patient,
            display_name: None,
            room_label: None,
            valid_s: 3_600,
        });
        let link = report.await.expect("made").link;
        let (_, token) = link.split_once('#').expect("a fragment");
        let session = "a guest";
        let (token, digest) = (hash(token), hash(session));
        let used = self.running.store.use_link(&token, &digest);
        used.await.expect("used");
        format!("bedside_session={session}")
    }
}

/// A request that is well enough formed to reach the policies.
fn body(path: &str) -> &'static str {
    match path {
        "/api/link" => r#"{"link":"nothing"}"#,
        "/api/join" => r#"{"link":null,"display_name":"x"}"#,
        "/api/waiting" => r#"{"room":"ward"}"#,
        "/api/consults" => r#"{"label":"another"}"#,
        "/api/admit" => r#"{"room":"ward","identity":"nobody","admit":true}"#,
        "/api/breakglass" => r#"{"room":"elsewhere","reason":"other","words":"because"}"#,
        "/api/breakglass/{entry}/review" => r#"{"finding":"justified"}"#,
        _ if path.ends_with("CreateRoom") => r#"{"name":"ward"}"#,
        _ if path.contains("/twirp/") => r#"{"room":"ward"}"#,
        "/whip" | "/whep" => "v=0",
        _ if path.starts_with("/wh") => "a=ice-ufrag:x",
        _ => "",
    }
}

async fn ask(client: &Client, method: &str, path: &str, shown: &Shown) -> u16 {
    let concrete = path
        .replace("{session}", "none")
        .replace("{entry}", "none")
        .replace("{account}", "none")
        .replace("{room}", "opened")
        .replace("{*method}", "none");
    if matches!(path, "/rtc" | "/rtc/v1") {
        let query = if path == "/rtc" { "" } else { JOIN_REQUEST };
        let token = shown.token.as_deref().unwrap_or_default();
        let joined = client.signal(&format!("{concrete}{query}"), token).await;
        return joined.map_or_else(|status| status, |_| 101);
    }
    let method = if method == "*" { "POST" } else { method };
    let by_cookie = path.starts_with("/api/") || path == "/logout";
    let bearer = shown.token.as_ref().map(|token| format!("Bearer {token}"));
    let kind = match path {
        "/whip" | "/whep" => "application/sdp",
        _ if path.starts_with("/wh") => "application/trickle-ice-sdpfrag",
        _ => "application/json",
    };
    let mut headers = vec![
        ("content-type", kind),
        ("if-match", "*"),
        ("origin", "https://localhost"),
    ];
    match (&shown.cookie, &bearer) {
        (Some(cookie), _) if by_cookie => headers.push(("cookie", cookie)),
        (_, Some(bearer)) => headers.push(("authorization", bearer)),
        _ => {}
    }
    let concrete = if path == "/rtc/v1/validate" {
        format!("{concrete}{JOIN_REQUEST}")
    } else {
        concrete
    };
    let answer = client.send(method, &concrete, &headers, body(path).as_bytes());
    answer.await.status.parse().expect("a status")
}

#[tokio::test]
async fn every_cell_is_as_the_table_says() {
    let bench = Bench::configured(scratch(), |config| {
        // That there is a provider is all that counts here.
        config.identity.issuer = Some("https://provider.example".to_owned());
        config.identity.client_id = Some("bedside".to_owned());
        config.identity.roles = [("doctors".to_owned(), Role::Clinician)].into();
    })
    .await;
    let client = bench.client();
    let mut wrong = Vec::new();
    for (column, caller) in CALLERS.into_iter().enumerate() {
        let shown = bench.shows(caller).await;
        assert_eq!(shown.caller, caller);
        for &(method, path, cells) in HTTP {
            let expected = cells.as_bytes().get(column).copied();
            let status = ask(&client, method, path, &shown).await;
            let seen = if matches!(status, 401 | 403) {
                b'-'
            } else {
                b'Y'
            };
            if expected != Some(seen) || status == 500 {
                wrong.push(format!("{caller:?} {method} {path}: {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    let denied = Search {
        action: Some(Recorded::Denied.name().to_owned()),
        ..Search::default()
    };
    let archive = bench.running.ledger.archive();
    let recorded = async {
        while archive
            .search(&denied, 1_000)
            .await
            .expect("readable")
            .len()
            < 100
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(recorded, "denials are recorded").await;
    bench.stop().await;
}

#[tokio::test]
async fn an_operators_policies_hold_for_every_endpoint_and_their_change_is_recorded() {
    let folder = scratch();
    let text = "@id(\"no_joins_today\") forbid (principal, action == \
                Bedside::Action::\"join\", resource);";
    std::fs::write(folder.path().join("clinic.cedar"), text).expect("written");
    let bench = Bench::new().await;
    let client = bench.client();
    let path = "/rtc/validate";
    let patient = bench.shows(Caller::Patient).await;
    assert_eq!(ask(&client, "GET", path, &patient).await, 200);
    let left = bench.stop().await;
    let bench = Bench::configured(left, |config| {
        config.policy.directory = Some(folder.path().to_owned());
    })
    .await;
    assert_eq!(ask(&bench.client(), "GET", path, &patient).await, 403);
    let changed = Search {
        action: Some(Recorded::PolicyChange.name().to_owned()),
        ..Search::default()
    };
    let archive = bench.running.ledger.archive();
    let recorded = archive.search(&changed, 10).await.expect("readable");
    assert_eq!(recorded.len(), 2, "at the first start, and at the change");
    bench.stop().await;
}

/// An empty join request: base64 of protobuf's nothing.
const JOIN_REQUEST: &str = "?join_request=";
