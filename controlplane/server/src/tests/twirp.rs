//! `RoomService` as LiveKit's server SDKs call it.

use super::Bench;
use super::client::{Answer, Client};
use bedside_rooms::VideoGrant;
use livekit_protocol as proto;
use prost::Message as _;
use serde_json::{Value, json};

struct Service<'a> {
    client: &'a Client,
    token: String,
}

impl Service<'_> {
    async fn json(&self, method: &str, body: &Value) -> Answer {
        self.call(method, "application/json", body.to_string().as_bytes())
            .await
    }

    async fn call(&self, method: &str, content_type: &str, body: &[u8]) -> Answer {
        let path = format!("/twirp/livekit.RoomService/{method}");
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", content_type),
        ];
        self.client.send("POST", &path, &headers, body).await
    }
}

fn failed(answer: &Answer, status: &str, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["code"], code, "{answer:?}");
    assert!(answer.json()["msg"].is_string());
}

fn everything() -> VideoGrant {
    VideoGrant {
        room_create: true,
        room_list: true,
        room_admin: true,
        room: "ward".to_owned(),
        ..VideoGrant::default()
    }
}

#[tokio::test]
async fn rooms_are_made_listed_changed_and_ended_in_json() {
    let bench = Bench::new().await;
    let client = bench.client();
    let service = Service {
        client: &client,
        token: bench.token_with("admin", everything()),
    };
    let request = json!({ "name": "ward", "maxParticipants": 3, "empty_timeout": 60, "x": [1] });
    let made = service.json("CreateRoom", &request).await;
    assert_eq!(made.status, "200", "{made:?}");
    assert_eq!(made.header("content-type"), Some("application/json"));
    assert_eq!(made.header("access-control-allow-origin"), Some("*"));
    let room = made.json();
    assert_eq!(
        (&room["name"], &room["max_participants"]),
        (&json!("ward"), &json!(3))
    );
    assert_eq!(room["num_participants"], 0, "defaults are written");
    assert!(
        room["creation_time"].is_string(),
        "64-bit numbers are strings"
    );

    let changed = json!({ "room": "ward", "metadata": "new" });
    let changed = service.json("UpdateRoomMetadata", &changed).await;
    assert_eq!(changed.json()["metadata"], "new");
    let list = service.json("ListRooms", &json!({})).await.json();
    assert_eq!(list["rooms"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["rooms"][0]["sid"], room["sid"]);
    let nobody = service
        .json("ListParticipants", &json!({ "room": "ward" }))
        .await;
    assert_eq!(nobody.json(), json!({ "participants": [] }));
    let gone = service.json("DeleteRoom", &json!({ "room": "ward" })).await;
    assert_eq!((gone.status.as_str(), gone.json()), ("200", json!({})));
    let again = service.json("DeleteRoom", &json!({ "room": "ward" })).await;
    failed(&again, "404", "not_found");
    bench.stop().await;
}

#[tokio::test]
async fn participants_are_seen_changed_and_removed_in_protobuf() {
    let bench = Bench::new().await;
    let client = bench.client();
    let grant = VideoGrant {
        room: "r".to_owned(),
        ..everything()
    };
    let service = Service {
        client: &client,
        token: bench.token_with("admin", grant),
    };
    let mut signal = client
        .signal("/rtc", &bench.token("alice"))
        .await
        .expect("let in");
    signal.next().await;
    let protobuf = async |method: &str, body: Vec<u8>| {
        let answer = service.call(method, "application/protobuf", &body).await;
        assert_eq!(answer.status, "200", "{method}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/protobuf"));
        answer.bytes
    };
    let list = proto::ListParticipantsRequest {
        room: "r".to_owned(),
    };
    let list = protobuf("ListParticipants", list.encode_to_vec()).await;
    let list = proto::ListParticipantsResponse::decode(&*list).expect("protobuf");
    assert_eq!(list.participants.len(), 1);
    assert_eq!(list.participants[0].identity, "alice");

    let update = proto::UpdateParticipantRequest {
        room: "r".to_owned(),
        identity: "alice".to_owned(),
        name: "Alice A.".to_owned(),
        ..Default::default()
    };
    let updated = protobuf("UpdateParticipant", update.encode_to_vec()).await;
    let updated = proto::ParticipantInfo::decode(&*updated).expect("protobuf");
    assert_eq!(updated.name, "Alice A.");

    let who = proto::RoomParticipantIdentity {
        room: "r".to_owned(),
        identity: "alice".to_owned(),
        ..Default::default()
    };
    let seen = protobuf("GetParticipant", who.encode_to_vec()).await;
    assert_eq!(
        proto::ParticipantInfo::decode(&*seen)
            .expect("protobuf")
            .name,
        "Alice A."
    );
    assert!(
        protobuf("RemoveParticipant", who.encode_to_vec())
            .await
            .is_empty()
    );
    let leave = signal.until(|message| match message {
        proto::signal_response::Message::Leave(leave) => Some(leave),
        _ => None,
    });
    assert_eq!(
        leave.await.reason(),
        proto::DisconnectReason::ParticipantRemoved
    );
    let answer = service
        .call(
            "GetParticipant",
            "application/protobuf",
            &who.encode_to_vec(),
        )
        .await;
    failed(&answer, "404", "not_found");
    bench.stop().await;
}

#[tokio::test]
async fn each_method_needs_its_grant() {
    let bench = Bench::new().await;
    let client = bench.client();
    let grants = [
        ("nothing", VideoGrant::default()),
        (
            "create",
            VideoGrant {
                room_create: true,
                ..VideoGrant::default()
            },
        ),
        (
            "list",
            VideoGrant {
                room_list: true,
                ..VideoGrant::default()
            },
        ),
        (
            "admin",
            VideoGrant {
                room_admin: true,
                room: "ward".to_owned(),
                ..VideoGrant::default()
            },
        ),
        (
            "admin of another",
            VideoGrant {
                room_admin: true,
                room: "other".to_owned(),
                ..VideoGrant::default()
            },
        ),
        (
            "admin of none",
            VideoGrant {
                room_admin: true,
                ..VideoGrant::default()
            },
        ),
        (
            "participant",
            VideoGrant {
                room_join: true,
                room: "ward".to_owned(),
                ..VideoGrant::default()
            },
        ),
    ];
    let methods = [
        ("CreateRoom", "create"),
        ("DeleteRoom", "create"),
        ("ListRooms", "list"),
        ("ListParticipants", "admin"),
        ("GetParticipant", "admin"),
        ("RemoveParticipant", "admin"),
        ("MutePublishedTrack", "admin"),
        ("UpdateParticipant", "admin"),
        ("UpdateSubscriptions", "admin"),
        ("SendData", "admin"),
        ("UpdateRoomMetadata", "admin"),
    ];
    for (name, grant) in grants {
        let service = Service {
            client: &client,
            token: bench.token_with("t", grant),
        };
        for (method, needed) in methods {
            // CreateRoom with a name would make a room; without one it is refused later.
            let answer = service.json(method, &json!({ "room": "ward" })).await;
            let allowed = answer.status != "403";
            assert_eq!(allowed, name == needed, "{method} with {name}: {answer:?}");
            if !allowed {
                failed(&answer, "403", "permission_denied");
            }
        }
    }
    bench.stop().await;
}

#[tokio::test]
async fn errors_have_twirps_codes_and_statuses() {
    let bench = Bench::new().await;
    let client = bench.client();
    let service = Service {
        client: &client,
        token: bench.token_with("admin", everything()),
    };
    failed(
        &service.json("CreateRoom", &json!({})).await,
        "400",
        "invalid_argument",
    );
    failed(
        &service
            .json("ListParticipants", &json!({ "room": "ward" }))
            .await,
        "404",
        "not_found",
    );
    failed(
        &service.call("ListRooms", "application/json", b"{").await,
        "400",
        "malformed",
    );
    failed(
        &service
            .call("ListRooms", "application/protobuf", b"\xff")
            .await,
        "400",
        "malformed",
    );
    let long = json!({ "name": "x".repeat(600_000) });
    failed(&service.json("CreateRoom", &long).await, "400", "malformed");
    let metadata = json!({ "name": "ward", "metadata": "x".repeat(100_000) });
    failed(
        &service.json("CreateRoom", &metadata).await,
        "429",
        "resource_exhausted",
    );
    for method in ["PerformRpc", "ForwardParticipant", "MoveParticipant"] {
        failed(
            &service.json(method, &json!({})).await,
            "501",
            "unimplemented",
        );
    }
    failed(
        &service.json("NoSuch", &json!({})).await,
        "404",
        "bad_route",
    );
    failed(
        &service.call("ListRooms", "text/plain", b"{}").await,
        "404",
        "bad_route",
    );

    let bearer = format!("Bearer {}", service.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let path = "/twirp/livekit.RoomService/ListRooms";
    let got = client.send("GET", path, &headers, b"").await;
    failed(&got, "404", "bad_route");
    assert_eq!(
        got.json()["meta"]["twirp_invalid_route"],
        "GET /twirp/{*method}"
    );
    for other in [
        "/twirp/livekit.Egress/ListEgress",
        "/twirp/x",
        "/twirp/livekit.RoomService/",
    ] {
        failed(
            &client.send("POST", other, &headers, b"{}").await,
            "404",
            "bad_route",
        );
    }
    for bearer in ["Bearer a.b.c", "Basic x", "Bearer"] {
        let headers = [
            ("authorization", bearer),
            ("content-type", "application/json"),
        ];
        failed(
            &client.send("POST", path, &headers, b"{}").await,
            "401",
            "unauthenticated",
        );
    }
    let nobody = client
        .send("POST", path, &[("content-type", "application/json")], b"{}")
        .await;
    failed(&nobody, "401", "unauthenticated");
    bench.stop().await;
}

#[tokio::test]
async fn without_a_data_plane_it_says_so() {
    let mut bench = Bench::new().await;
    let client = bench.client();
    let service = Service {
        client: &client,
        token: bench.token_with("admin", everything()),
    };
    bench.dataplane.hang_up();
    bench.until_healthy("503").await;
    let answer = service.json("CreateRoom", &json!({ "name": "ward" })).await;
    failed(&answer, "503", "unavailable");
    bench.stop().await;
}
