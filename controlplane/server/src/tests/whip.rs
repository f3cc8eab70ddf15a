//! WHIP and WHEP as HTTP (RFC 9725, draft-ietf-wish-whep).

use super::Bench;
use super::client::{Answer, Client};
use bedside_rooms::VideoGrant;

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// What a publisher of one Opus track (`sendonly`) or its viewer (`recvonly`) offers.
pub(super) fn offer(direction: &str) -> String {
    let fingerprint = ["AB"; 32].join(":");
    [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        &format!("a=fingerprint:sha-256 {fingerprint}"),
        "a=setup:actpass",
        "a=mid:0",
        &format!("a={direction}"),
        "a=msid:s t",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=ssrc:1111 cname:c",
        "",
    ]
    .join("\r\n")
}

fn restart(ufrag: &str) -> String {
    format!(
        "a=ice-ufrag:{ufrag}\r\na=ice-pwd:zyxwvutsrqponmlkjihgfedc\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    )
}

const CANDIDATE: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    m=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
    a=candidate:1 1 UDP 2130706431 198.51.100.1 39132 typ host\r\na=end-of-candidates\r\n";

struct Caller<'a> {
    client: &'a Client,
    token: String,
}

impl Caller<'_> {
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers: Vec<_> = [("authorization", bearer.as_str())]
            .into_iter()
            .chain(headers.iter().copied())
            .collect();
        self.client
            .send(method, path, &headers, body.as_bytes())
            .await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("content-type", SDP)], body)
            .await
    }

    async fn patch(&self, path: &str, tag: &str, body: &str) -> Answer {
        self.send(
            "PATCH",
            path,
            &[("content-type", FRAGMENT), ("if-match", tag)],
            body,
        )
        .await
    }
}

#[tokio::test]
async fn a_session_begins_restarts_and_ends() {
    let bench = Bench::new().await;
    let client = bench.client();
    let caller = Caller {
        client: &client,
        token: bench.token("camera"),
    };
    let begun = caller.post("/whip", &offer("sendonly")).await;
    assert_eq!(begun.status, "201", "{begun:?}");
    assert_eq!(begun.header("content-type"), Some(SDP));
    assert_eq!(begun.header("accept-patch"), Some(FRAGMENT));
    assert_eq!(begun.header("access-control-allow-origin"), Some("*"));
    assert_eq!(begun.header("access-control-expose-headers"), Some("*"));
    assert!(begun.body.contains("a=ice-lite"), "{}", begun.body);
    let session = begun.header("location").expect("a session").to_owned();
    assert!(
        session.starts_with("/whip/") && session.len() > 26,
        "{session}"
    );
    let tag = begun.header("etag").expect("a tag").to_owned();
    assert!(
        tag.starts_with('"') && tag.ends_with('"'),
        "a strong tag: {tag}"
    );

    let trickled = caller.patch(&session, &tag, CANDIDATE).await;
    assert_eq!(
        (trickled.status.as_str(), trickled.body.as_str()),
        ("204", "")
    );
    let listed = caller
        .patch(&session, &format!("\"x\", {tag}"), CANDIDATE)
        .await;
    assert_eq!(listed.status, "204", "one of several tags");

    let restarted = caller.patch(&session, "\"*\"", &restart("wxyz")).await;
    assert_eq!(restarted.status, "200", "{restarted:?}");
    assert_eq!(restarted.header("content-type"), Some(FRAGMENT));
    let new_tag = restarted.header("etag").expect("a tag");
    assert_ne!(new_tag, tag);
    assert!(
        restarted.body.contains("a=ice-ufrag:"),
        "{}",
        restarted.body
    );
    assert_eq!(
        caller.patch(&session, &tag, CANDIDATE).await.status,
        "412",
        "of the session before"
    );

    assert_eq!(caller.send("DELETE", &session, &[], "").await.status, "200");
    assert_eq!(caller.send("DELETE", &session, &[], "").await.status, "404");
    assert_eq!(caller.patch(&session, "*", CANDIDATE).await.status, "404");
    bench.stop().await;
}

#[tokio::test]
async fn what_a_patch_needs() {
    let bench = Bench::new().await;
    let client = bench.client();
    let caller = Caller {
        client: &client,
        token: bench.token("camera"),
    };
    let begun = caller.post("/whip", &offer("sendonly")).await;
    let session = begun.header("location").expect("a session");
    let without_tag = [("content-type", FRAGMENT)];
    assert_eq!(
        caller
            .send("PATCH", session, &without_tag, CANDIDATE)
            .await
            .status,
        "428"
    );
    let wrong_type = [("content-type", SDP), ("if-match", "*")];
    let answer = caller.send("PATCH", session, &wrong_type, CANDIDATE).await;
    assert_eq!(
        (answer.status.as_str(), answer.header("accept-patch")),
        ("415", Some(FRAGMENT))
    );
    assert_eq!(
        caller.patch(session, "W/\"*\"", CANDIDATE).await.status,
        "412"
    );
    assert_eq!(
        caller.patch(session, "*", "not a fragment").await.status,
        "400"
    );
    for method in ["GET", "HEAD", "POST", "PUT"] {
        assert_eq!(
            caller.send(method, session, &[], "").await.status,
            "405",
            "{method}"
        );
    }
    let stranger = Caller {
        client: &client,
        token: "a.b.c".to_owned(),
    };
    assert_eq!(stranger.patch(session, "*", CANDIDATE).await.status, "401");
    assert_eq!(
        stranger.send("DELETE", session, &[], "").await.status,
        "401"
    );
    assert_eq!(caller.send("DELETE", session, &[], "").await.status, "200");
    bench.stop().await;
}

#[tokio::test]
async fn refusals_say_why() {
    let mut bench = Bench::new().await;
    let client = bench.client();
    let caller = Caller {
        client: &client,
        token: bench.token("camera"),
    };
    let check = |answer: &Answer, status: &str| {
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!answer.body.is_empty(), "a reason");
    };
    check(&caller.post("/whip", "not SDP").await, "400");
    check(&caller.post("/whip", &offer("recvonly")).await, "400");
    let weak = offer("sendonly").replace("sha-256", "sha-1");
    check(&caller.post("/whip", &weak).await, "400");
    check(&caller.post("/whep", &offer("recvonly")).await, "409");
    let long = "x".repeat(crate::limits::SDP_BYTES_MAX + 1);
    check(&caller.post("/whip", &long).await, "413");
    let html = [("content-type", "text/html")];
    let answer = caller
        .send("POST", "/whip", &html, &offer("sendonly"))
        .await;
    check(&answer, "415");
    assert_eq!(answer.header("accept-post"), Some(SDP));
    let nobody = client
        .send("POST", "/whip", &[("content-type", SDP)], b"v=0")
        .await;
    check(&nobody, "401");
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    let viewer = VideoGrant {
        room_join: true,
        room: "r".to_owned(),
        can_publish: Some(false),
        ..VideoGrant::default()
    };
    let viewer = Caller {
        client: &client,
        token: bench.token_with("viewer", viewer),
    };
    check(&viewer.post("/whip", &offer("sendonly")).await, "403");
    assert_eq!(caller.send("GET", "/whip", &[], "").await.status, "405");
    bench.dataplane.hang_up();
    bench.until_healthy("503").await;
    check(&caller.post("/whip", &offer("sendonly")).await, "503");
    bench.stop().await;
}

#[tokio::test]
async fn browsers_ask_first() {
    let bench = Bench::new().await;
    let client = bench.client();
    for (path, header, kind) in [
        ("/whip", "accept-post", SDP),
        ("/whep", "accept-post", SDP),
        ("/whip/x", "accept-patch", FRAGMENT),
    ] {
        let answer = client
            .request("OPTIONS", path, &[("origin", "https://a.example")])
            .await;
        assert_eq!(answer.status, "204");
        assert_eq!(answer.header(header), Some(kind));
        let methods = answer
            .header("access-control-allow-methods")
            .expect("named");
        assert!(methods.contains("PATCH") && methods.contains("DELETE"));
        let headers = answer
            .header("access-control-allow-headers")
            .expect("named");
        assert!(headers.contains("Authorization"));
    }
    bench.stop().await;
}
