use super::livekit::{
    Event, FIRST_OFFER, Layer, Published, Quality, Request, Session, Subscribe, Track,
};
use super::{Access, Credentials, Error, Server, Trust, whip};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use flate2::read::GzDecoder;
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol::signal_request::Message as Said;
use livekit_protocol::signal_response::Message as Say;
use livekit_protocol::{
    JoinRequest, JoinResponse, LeaveRequest, MediaSectionsRequirement, ParticipantInfo,
    ParticipantUpdate, SessionDescription, SignalRequest, SignalResponse, SimulcastCodecInfo,
    TrackInfo, VideoLayer, VideoQuality, WrappedJoinRequest, participant_info,
};
use prost::Message as _;
use std::io::Read as _;
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{
    ErrorResponse, Request as Upgrade, Response,
};
use tokio_tungstenite::tungstenite::{Message as Frame, protocol::Role};

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    (listener, url)
}

async fn resolve(url: &str) -> Server {
    let trust = Trust::new(None).expect("public authorities");
    Server::resolve(url, &trust).await.expect("an address")
}

/// Answers one request with `answer`; returns the request.
async fn serve(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().await.expect("a client");
    let request = read_request(&mut stream).await;
    stream
        .write_all(answer.as_bytes())
        .await
        .expect("the client reads");
    request
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.expect("the client writes");
        assert_ne!(read, 0, "the client hung up");
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.parse().expect("a number"));
        if body.len() >= length {
            return text.into_owned();
        }
    }
}

fn refused(result: Result<whip::Started, Error>) -> (u16, String) {
    match result {
        Err(Error::Refused { status, reason }) => (status, reason),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("let in"),
    }
}

#[tokio::test]
async fn whip_publishes_through_a_redirect_and_deletes() {
    let (listener, url) = listen().await;
    let (other, other_url) = listen().await;
    let client = async {
        let server = resolve(&format!("{url}/whip")).await;
        let started = whip::publish(&server, "t.o.k", "v=0 offer")
            .await
            .expect("started");
        assert_eq!(started.answer, "v=0 answer");
        started.session.delete().await.expect("known");
    };
    let servers = async {
        let redirect = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {other_url}/elsewhere/whip\r\nContent-Length: 0\r\n\r\n"
        );
        let asked = serve(&listener, &redirect).await;
        assert!(asked.starts_with("POST /whip HTTP/1.1\r\n"), "{asked}");
        let created =
            "HTTP/1.1 201 Created\r\nLocation: 42\r\nContent-Length: 10\r\n\r\nv=0 answer";
        let asked = serve(&other, created).await;
        assert!(asked.starts_with("POST /elsewhere/whip "), "{asked}");
        assert!(asked.contains("authorization: Bearer t.o.k"), "{asked}");
        assert!(asked.contains("content-type: application/sdp"), "{asked}");
        assert!(asked.ends_with("\r\n\r\nv=0 offer"), "{asked}");
        let asked = serve(&other, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        assert!(asked.starts_with("DELETE /elsewhere/42 "), "{asked}");
        assert!(asked.contains("authorization: Bearer t.o.k"), "{asked}");
    };
    tokio::join!(client, servers);
}

#[tokio::test]
async fn whep_waits_for_a_publisher_and_no_longer_than_told() {
    let (listener, url) = listen().await;
    let server = resolve(&url).await;
    let nothing = "HTTP/1.1 409 Conflict\r\nContent-Length: 18\r\n\r\nnothing\n published";
    let created = "HTTP/1.1 201 Created\r\nLocation: /s/1\r\nContent-Length: 1\r\n\r\nx";
    let later = Instant::now() + std::time::Duration::from_secs(60);
    let (viewed, ()) = tokio::join!(whip::view(&server, "t", "o", later), async {
        serve(&listener, nothing).await;
        serve(&listener, created).await;
    });
    assert_eq!(viewed.expect("at the second try").answer, "x");
    let (viewed, _) = tokio::join!(
        whip::view(&server, "t", "o", Instant::now()),
        serve(&listener, nothing)
    );
    assert_eq!(refused(viewed), (409, "nothing published".to_owned()));
}

#[tokio::test]
async fn errors_say_what_is_wrong() {
    let public = Trust::new(None).expect("public authorities");
    for url in ["", "host", "ftp://host", "https://"] {
        let error = Server::resolve(url, &public).await.err();
        assert!(matches!(error, Some(Error::Url(_))), "{url}: {error:?}");
    }
    let error = Trust::new(Some(Path::new("/nonexistent/ca.pem"))).err();
    let text = error.expect("there is none").to_string();
    assert!(text.contains("/nonexistent/ca.pem"), "{text}");

    let (listener, url) = listen().await;
    let server = resolve(&url).await;
    let no_session = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    let (started, _) = tokio::join!(
        whip::publish(&server, "t", "o"),
        serve(&listener, no_session)
    );
    assert!(matches!(started, Err(Error::Protocol(_))));
    let circle = "HTTP/1.1 307 T\r\nLocation: /whip\r\nContent-Length: 0\r\n\r\n";
    let (started, ()) = tokio::join!(whip::publish(&server, "t", "o"), async {
        for _ in 0..super::limits::REDIRECTS_MAX {
            serve(&listener, circle).await;
        }
    });
    assert!(matches!(started, Err(Error::Protocol(_))));
    drop(listener);
    let started = whip::publish(&server, "t", "o").await;
    assert!(matches!(started, Err(Error::Connect(_))));
}

fn tracks() -> Vec<Track> {
    let layer = |rid: &str, width| Layer {
        rid: rid.to_owned(),
        width,
        height: width / 2,
        bitrate_bps: 1_000 * width,
    };
    vec![
        Track::Audio {
            cid: "a".to_owned(),
        },
        Track::Video {
            cid: "v".to_owned(),
            layers: vec![layer("q", 320), layer("h", 640)],
        },
    ]
}

fn joined(query: &str) -> JoinRequest {
    let wrapped = query.split_once("join_request=").expect("present").1;
    let wrapped = URL_SAFE.decode(wrapped).expect("base64");
    let wrapped = WrappedJoinRequest::decode(wrapped.as_slice()).expect("protobuf");
    let mut bytes = Vec::new();
    GzDecoder::new(wrapped.join_request.as_slice())
        .read_to_end(&mut bytes)
        .expect("gzip");
    JoinRequest::decode(bytes.as_slice()).expect("protobuf")
}

struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    /// Upgrades the next connection; returns the query and the token too.
    async fn accept(listener: &TcpListener) -> (Self, String, String) {
        let (stream, _) = listener.accept().await.expect("a client");
        let (mut query, mut token) = (String::new(), String::new());
        #[expect(
            clippy::result_large_err,
            reason = "the callback's type is the library's"
        )]
        let look = |request: &Upgrade, response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(request.uri().path(), "/base/rtc/v1");
            query = request.uri().query().expect("present").to_owned();
            let header = &request.headers()["authorization"];
            token = header.to_str().expect("text").to_owned();
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, look)
            .await
            .expect("a WebSocket");
        (Self(socket), query, token)
    }

    async fn say(&mut self, message: Say) {
        let response = SignalResponse {
            message: Some(message),
        };
        let frame = Frame::Binary(response.encode_to_vec().into());
        self.0.send(frame).await.expect("the client reads");
    }

    async fn hear(&mut self) -> Said {
        let frame = self.0.next().await.expect("open").expect("a frame");
        let request = SignalRequest::decode(frame.into_data()).expect("protobuf");
        request.message.expect("a message")
    }
}

#[tokio::test]
async fn a_livekit_session_from_join_to_leave() {
    let (listener, url) = listen().await;
    let client = async {
        let server = resolve(&format!("{url}/base/")).await;
        let session = Session::join(&server, "t.o.k", "v=0 offer", &tracks(), Subscribe::Chosen)
            .await
            .expect("let in");
        let (requests, waiting) = mpsc::channel(8);
        let (events, mut heard) = mpsc::channel(8);
        let participant = async {
            let Some(Event::Answer { sdp, id, tracks }) = heard.recv().await else {
                panic!("an answer comes first");
            };
            assert_eq!((sdp.as_str(), id), ("v=0 answer", FIRST_OFFER));
            assert_eq!(tracks["3"], "TR_x");
            let sections = heard.recv().await.expect("open");
            assert_eq!(sections, Event::Sections { audio: 1, video: 2 });
            let publishes = heard.recv().await.expect("open");
            let expected = Event::Publishes {
                identity: "clinician".to_owned(),
                tracks: vec![Published {
                    sid: "TR_x".to_owned(),
                    name: "track1".to_owned(),
                    layers: 2,
                }],
            };
            assert_eq!(publishes, expected);
            let gone = heard.recv().await.expect("open");
            assert_eq!(
                gone,
                Event::Gone {
                    identity: "i".to_owned()
                }
            );
            for request in [
                Request::Subscribe(vec!["TR_x".to_owned()]),
                Request::Offer {
                    sdp: "v=0 again".to_owned(),
                    id: 2,
                },
                Request::Quality {
                    track_sid: "TR_x".to_owned(),
                    quality: Quality::Medium,
                },
                Request::Leave,
            ] {
                requests.send(request).await.expect("it runs");
            }
        };
        let (ended, ()) = tokio::join!(session.run(waiting, events), participant);
        ended.expect("a clean end");
    };
    let server = async {
        let (mut peer, query, token) = Peer::accept(&listener).await;
        assert_eq!(token, "Bearer t.o.k");
        let join = joined(&query);
        assert!(!join.connection_settings.expect("present").auto_subscribe);
        assert_eq!(join.publisher_offer.expect("present").sdp, "v=0 offer");
        let video = &join.add_track_requests[1];
        assert_eq!(join.add_track_requests[0].cid, "a");
        assert_eq!((video.cid.as_str(), video.width), ("v", 640));
        let qualities: Vec<_> = video.layers.iter().map(|layer| layer.quality()).collect();
        assert_eq!(qualities, [VideoQuality::Low, VideoQuality::Medium]);

        peer.say(Say::Join(JoinResponse::default())).await;
        peer.say(Say::Answer(SessionDescription {
            r#type: "answer".to_owned(),
            sdp: "v=0 answer".to_owned(),
            id: 1,
            mid_to_track_id: [("3".to_owned(), "TR_x".to_owned())].into(),
        }))
        .await;
        peer.say(Say::MediaSectionsRequirement(MediaSectionsRequirement {
            num_audios: 1,
            num_videos: 2,
        }))
        .await;
        let publisher = ParticipantInfo {
            identity: "clinician".to_owned(),
            tracks: vec![TrackInfo {
                sid: "TR_x".to_owned(),
                name: "track1".to_owned(),
                codecs: vec![SimulcastCodecInfo {
                    layers: vec![VideoLayer::default(), VideoLayer::default()],
                    ..SimulcastCodecInfo::default()
                }],
                ..TrackInfo::default()
            }],
            ..ParticipantInfo::default()
        };
        let gone = ParticipantInfo {
            identity: "i".to_owned(),
            state: participant_info::State::Disconnected.into(),
            ..ParticipantInfo::default()
        };
        peer.say(Say::Update(ParticipantUpdate {
            participants: vec![publisher, gone],
        }))
        .await;
        let Said::Subscription(subscription) = peer.hear().await else {
            panic!("a choice");
        };
        assert_eq!(subscription.track_sids, ["TR_x"]);
        let Said::Offer(offer) = peer.hear().await else {
            panic!("an offer");
        };
        assert_eq!((offer.sdp.as_str(), offer.id), ("v=0 again", 2));
        let Said::TrackSetting(setting) = peer.hear().await else {
            panic!("a choice");
        };
        assert_eq!(setting.quality(), VideoQuality::Medium);
        assert!(matches!(peer.hear().await, Said::Leave(_)));
        let closed = peer.0.next().await.expect("open").expect("a frame");
        assert!(closed.is_close());
    };
    tokio::join!(client, server);
}

#[tokio::test]
async fn a_livekit_server_refuses_ends_and_breaks_off() {
    let (listener, url) = listen().await;
    let server = resolve(&format!("{url}/base")).await;
    let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 15\r\n\r\nno access token";
    let (session, request) = tokio::join!(
        Session::join(&server, "t", "o", &[], Subscribe::Auto),
        serve(&listener, refusal)
    );
    assert!(request.starts_with("GET /base/rtc/v1?join_request="));
    match session.err() {
        Some(Error::Refused { status, reason }) => {
            assert_eq!((status, reason.as_str()), (401, "no access token"));
        }
        other => panic!("{other:?}"),
    }
    let full = LeaveRequest {
        reason: livekit_protocol::DisconnectReason::RoomDeleted.into(),
        ..LeaveRequest::default()
    };
    let (session, ()) = tokio::join!(
        Session::join(&server, "t", "o", &[], Subscribe::Auto),
        async {
            let (mut peer, ..) = Peer::accept(&listener).await;
            peer.say(Say::Leave(full)).await;
        }
    );
    match session.err() {
        Some(Error::Ended(reason)) => assert_eq!(reason, "ROOM_DELETED"),
        other => panic!("{other:?}"),
    }
    // Later: TCP goes away without a word.
    let run = async {
        let session = Session::join(&server, "t", "o", &[], Subscribe::Auto)
            .await
            .expect("let in");
        let (_requests, waiting) = mpsc::channel(1);
        let (events, _heard) = mpsc::channel(1);
        session.run(waiting, events).await
    };
    let (ended, ()) = tokio::join!(run, async {
        let (mut peer, ..) = Peer::accept(&listener).await;
        peer.say(Say::Join(JoinResponse::default())).await;
        let stream = peer.0.into_inner();
        drop(WebSocketStream::from_raw_socket(stream, Role::Server, None).await);
    });
    assert!(matches!(ended, Err(Error::WebSocket(_) | Error::Ended(_))));
}

#[test]
fn tokens_say_who_may_do_what() {
    let credentials = Credentials::new("key", "a secret of thirty-two characters");
    let access = Access {
        room: "ward",
        identity: "i-1",
        publish: false,
        subscribe: true,
        publisher: Some("camera-1"),
    };
    let token = credentials.token(&access, 1_000).expect("signed");
    let claims = token.split('.').nth(1).expect("three parts");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["iss"], "key");
    assert_eq!(claims["sub"], "i-1");
    assert_eq!(claims["exp"], 1_000 + 24 * 3_600);
    assert_eq!(claims["attributes"]["bedside.whep.publisher"], "camera-1");
    let video = &claims["video"];
    assert_eq!(video["room"], "ward");
    assert_eq!(video["roomJoin"], true);
    assert_eq!(video["canPublish"], false);
    assert_eq!(video["canSubscribe"], true);
}
