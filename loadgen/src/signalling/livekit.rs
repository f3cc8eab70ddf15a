//! LiveKit's protocol with one connection: a WebSocket at `/rtc/v1`, the client offering.
//!
//! The offer and the tracks to publish travel with the request to join, as the SDKs send them, so
//! that a session is answered in one round trip.

use super::server::{Server, Stream};
use super::{Error, excerpt, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use livekit_protocol::signal_request::Message as Say;
use livekit_protocol::signal_response::Message as Heard;
use livekit_protocol::{
    AddTrackRequest, ClientInfo, ConnectionSettings, DisconnectReason, JoinRequest, JoinResponse,
    LeaveRequest, ParticipantInfo, Ping, RequestResponse, SessionDescription, SignalRequest,
    SignalResponse, TrackInfo, TrackSource, TrackType, UpdateSubscription, UpdateTrackSettings,
    VideoLayer, VideoQuality, WrappedJoinRequest, client_info, participant_info, request_response,
    wrapped_join_request,
};
use prost::Message as _;
use std::collections::HashMap;
use std::io::Write as _;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::protocol::WebSocketConfig;

/// A simulcast layer, or the only encoding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// RTP stream id in the offer (`q`, `h` or `f`); empty without simulcast.
    pub rid: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Bits per second.
    pub bitrate_bps: u32,
}

impl Layer {
    fn quality(&self) -> Quality {
        match self.rid.as_str() {
            "q" => Quality::Low,
            "h" => Quality::Medium,
            _ => Quality::High,
        }
    }
}

/// A track that the offer sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Track {
    /// A microphone.
    Audio {
        /// Track id of the offer's `a=msid`; others are told it as the track's name.
        cid: String,
    },
    /// A camera.
    Video {
        /// Track id of the offer's `a=msid`; others are told it as the track's name.
        cid: String,
        /// Lowest first.
        layers: Vec<Layer>,
    },
}

impl Track {
    fn request(&self) -> AddTrackRequest {
        match self {
            Self::Audio { cid } => AddTrackRequest {
                cid: cid.clone(),
                name: cid.clone(),
                r#type: TrackType::Audio.into(),
                source: TrackSource::Microphone.into(),
                // Synthetic payloads are sent once.
                disable_red: true,
                ..AddTrackRequest::default()
            },
            Self::Video { cid, layers } => AddTrackRequest {
                cid: cid.clone(),
                name: cid.clone(),
                r#type: TrackType::Video.into(),
                source: TrackSource::Camera.into(),
                width: layers.iter().map(|layer| layer.width).max().unwrap_or(0),
                height: layers.iter().map(|layer| layer.height).max().unwrap_or(0),
                layers: layers.iter().map(video_layer).collect(),
                ..AddTrackRequest::default()
            },
        }
    }
}

fn video_layer(layer: &Layer) -> VideoLayer {
    VideoLayer {
        quality: VideoQuality::from(layer.quality()).into(),
        width: layer.width,
        height: layer.height,
        bitrate: layer.bitrate_bps,
        rid: layer.rid.clone(),
        ..VideoLayer::default()
    }
}

impl Quality {
    /// The quality of a layer, 0 for the lowest.
    #[must_use]
    pub fn of_layer(layer: usize) -> Self {
        match layer {
            0 => Self::Low,
            1 => Self::Medium,
            _ => Self::High,
        }
    }
}

/// Which simulcast layer a subscriber wants at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quality {
    /// Layer `q`.
    Low,
    /// Layer `h`.
    Medium,
    /// Layer `f`.
    High,
}

impl From<Quality> for VideoQuality {
    fn from(quality: Quality) -> Self {
        match quality {
            Quality::Low => Self::Low,
            Quality::Medium => Self::Medium,
            Quality::High => Self::High,
        }
    }
}

/// What a participant says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// A further offer.
    Offer {
        /// The description.
        sdp: String,
        /// Grows by one with each offer; the answer repeats it.
        id: u32,
    },
    /// Which layer of a track is wanted.
    Quality {
        /// The server's id of the track.
        track_sid: String,
        /// At most this.
        quality: Quality,
    },
    /// Tracks to receive, where not all are.
    Subscribe(Vec<String>),
    /// Goodbye. The session ends.
    Leave,
}

/// A track that somebody publishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Published {
    /// The server's id of the track.
    pub sid: String,
    /// What its publisher calls it.
    pub name: String,
    /// Simulcast layers; 1 without simulcast.
    pub layers: usize,
}

/// What a participant hears. Everything else that a server says is of no use to a generator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// To the offer with this id.
    Answer {
        /// The description.
        sdp: String,
        /// The offer's.
        id: u32,
        /// The server's ids of the tracks that it sends, by section (MID).
        tracks: HashMap<String, String>,
    },
    /// The offer needs this many more sections to receive all that there is.
    Sections {
        /// Of audio.
        audio: u32,
        /// Of video.
        video: u32,
    },
    /// Somebody publishes these tracks, and no others.
    Publishes {
        /// Who.
        identity: String,
        /// What.
        tracks: Vec<Published>,
    },
    /// Somebody has left.
    Gone {
        /// Who.
        identity: String,
    },
    /// A place where the server takes media (`candidate:...`).
    Candidate(String),
    /// A request was refused.
    Refused(String),
}

/// A session with a server: a WebSocket that has joined.
pub struct Session {
    socket: WebSocketStream<Box<dyn Stream>>,
    ping_interval: Duration,
    /// Those who publish already.
    publishing: Vec<Event>,
}

/// Whose tracks are received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subscribe {
    /// Everybody's, without asking.
    Auto,
    /// Those that are asked for: [`Event::Publishes`] says what there is.
    Chosen,
}

impl Session {
    /// Joins with an offer whose id is [`FIRST_OFFER`], which is answered by an event.
    ///
    /// # Errors
    /// Any of [`Error`]; [`Error::Refused`] holds the server's words.
    pub async fn join(
        server: &Server,
        token: &str,
        offer: &str,
        tracks: &[Track],
        subscribe: Subscribe,
    ) -> Result<Self, Error> {
        let join = JoinRequest {
            client_info: Some(ClientInfo {
                sdk: client_info::Sdk::Rust.into(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: PROTOCOL,
                os: "linux".to_owned(),
                ..ClientInfo::default()
            }),
            connection_settings: Some(ConnectionSettings {
                auto_subscribe: subscribe == Subscribe::Auto,
                ..ConnectionSettings::default()
            }),
            add_track_requests: tracks.iter().map(Track::request).collect(),
            publisher_offer: Some(description(offer, FIRST_OFFER)),
            ..JoinRequest::default()
        };
        let path = format!("/rtc/v1?join_request={}", wrap(&join)?);
        let mut request = server.websocket(&path).into_client_request()?;
        let bearer = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::Protocol("needs a token that fits into a header"))?;
        request.headers_mut().insert("authorization", bearer);
        let stream = server.connect().await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(limits::MESSAGE_BYTES_MAX))
            .max_frame_size(Some(limits::MESSAGE_BYTES_MAX));
        let joining = async {
            let upgrade =
                tokio_tungstenite::client_async_with_config(request, stream, Some(config));
            let (mut socket, _) = upgrade.await.map_err(refused)?;
            let joined = first_message(&mut socket).await?;
            let ping_interval = u64::try_from(joined.ping_interval).unwrap_or(0);
            Ok(Self {
                socket,
                publishing: joined.other_participants.into_iter().map(news).collect(),
                ping_interval: match ping_interval {
                    0 => limits::PING_INTERVAL,
                    seconds => Duration::from_secs(seconds),
                },
            })
        };
        timeout(limits::ANSWER_TIMEOUT, joining)
            .await
            .map_err(|_| Error::Timeout("joining"))?
    }

    /// Carries requests and events until either side leaves. It is a task of its own, so that
    /// media never waits for TCP.
    ///
    /// # Errors
    /// [`Error::Ended`] if the server ends the session, and others of the connection.
    pub async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        events: mpsc::Sender<Event>,
    ) -> Result<(), Error> {
        let mut pings = interval_at(Instant::now() + self.ping_interval, self.ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = 0;
        let mut heard = std::mem::take(&mut self.publishing);
        loop {
            for event in heard.drain(..) {
                if events.send(event).await.is_err() {
                    return self.leave().await;
                }
            }
            let message = tokio::select! {
                request = requests.recv() => match request {
                    Some(Request::Leave) | None => return self.leave().await,
                    Some(request) => say(request),
                },
                _ = pings.tick() => {
                    ping += 1;
                    Say::PingReq(Ping { timestamp: ping, rtt: 0 })
                }
                frame = self.socket.next() => {
                    let Some(frame) = frame else {
                        return Err(Error::Ended("it hung up".to_owned()));
                    };
                    understand(frame?, &mut heard)?;
                    continue;
                }
            };
            self.send(message).await?;
        }
    }

    async fn send(&mut self, message: Say) -> Result<(), Error> {
        let request = SignalRequest {
            message: Some(message),
        };
        let frame = tungstenite::Message::Binary(request.encode_to_vec().into());
        Ok(self.socket.send(frame).await?)
    }

    async fn leave(mut self) -> Result<(), Error> {
        let leaving = async {
            let leave = LeaveRequest {
                reason: DisconnectReason::ClientInitiated.into(),
                ..LeaveRequest::default()
            };
            self.send(Say::Leave(leave)).await?;
            Ok(self.socket.close(None).await?)
        };
        timeout(limits::LEAVE_TIMEOUT, leaving)
            .await
            .map_err(|_| Error::Timeout("leaving"))?
    }
}

/// The id of the offer that travels with the request to join.
pub const FIRST_OFFER: u32 = 1;

/// Version of the signalling protocol that this client speaks: 16 is LiveKit's Rust SDK's.
const PROTOCOL: i32 = 16;

fn description(sdp: &str, id: u32) -> SessionDescription {
    SessionDescription {
        r#type: "offer".to_owned(),
        sdp: sdp.to_owned(),
        id,
        ..SessionDescription::default()
    }
}

/// The value of `join_request`: compressed, as an offer of many sections makes a long URL.
fn wrap(join: &JoinRequest) -> Result<String, Error> {
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    let compressed = compressed
        .write_all(&join.encode_to_vec())
        .and_then(|()| compressed.finish())
        .map_err(Error::Connect)?;
    let wrapped = WrappedJoinRequest {
        compression: wrapped_join_request::Compression::Gzip.into(),
        join_request: compressed,
    };
    Ok(URL_SAFE.encode(wrapped.encode_to_vec()))
}

fn refused(error: tungstenite::Error) -> Error {
    match error {
        tungstenite::Error::Http(answer) => Error::Refused {
            status: answer.status().as_u16(),
            reason: excerpt(answer.body().as_deref().unwrap_or_default()),
        },
        error => error.into(),
    }
}

async fn first_message(
    socket: &mut WebSocketStream<Box<dyn Stream>>,
) -> Result<JoinResponse, Error> {
    loop {
        let Some(frame) = socket.next().await else {
            return Err(Error::Ended("before it let anybody in".to_owned()));
        };
        match decode(frame?)? {
            Some(Heard::Join(join)) => return Ok(join),
            Some(Heard::Leave(leave)) => return Err(ended(&leave)),
            Some(_) => return Err(Error::Protocol("spoke before it let anybody in")),
            None => {}
        }
    }
}

fn decode(frame: tungstenite::Message) -> Result<Option<Heard>, Error> {
    match frame {
        tungstenite::Message::Binary(bytes) => SignalResponse::decode(bytes)
            .map(|response| response.message)
            .map_err(|_| Error::Protocol("sent a frame that is not LiveKit's")),
        tungstenite::Message::Close(_) => Err(Error::Ended("it closed the WebSocket".to_owned())),
        _ => Ok(None),
    }
}

fn understand(frame: tungstenite::Message, heard: &mut Vec<Event>) -> Result<(), Error> {
    match decode(frame)? {
        Some(Heard::Answer(answer)) => heard.push(Event::Answer {
            sdp: answer.sdp,
            id: answer.id,
            tracks: answer.mid_to_track_id,
        }),
        Some(Heard::MediaSectionsRequirement(wanted)) => heard.push(Event::Sections {
            audio: wanted.num_audios,
            video: wanted.num_videos,
        }),
        Some(Heard::Update(update)) => heard.extend(update.participants.into_iter().map(news)),
        Some(Heard::Trickle(trickle)) => heard.extend(candidate(&trickle.candidate_init)),
        Some(Heard::RequestResponse(response)) => heard.extend(refusal(&response)),
        Some(Heard::Leave(leave)) => return Err(ended(&leave)),
        _ => {}
    }
    Ok(())
}

fn news(participant: ParticipantInfo) -> Event {
    if participant.state() == participant_info::State::Disconnected {
        return Event::Gone {
            identity: participant.identity,
        };
    }
    let published = |track: TrackInfo| {
        let of_codecs = track.codecs.iter().map(|codec| codec.layers.len());
        Published {
            layers: of_codecs.max().unwrap_or(0).max(1),
            sid: track.sid,
            name: track.name,
        }
    };
    Event::Publishes {
        identity: participant.identity,
        tracks: participant.tracks.into_iter().map(published).collect(),
    }
}

fn candidate(init: &str) -> Option<Event> {
    let init: serde_json::Value = serde_json::from_str(init).ok()?;
    let candidate = init.get("candidate")?.as_str()?;
    (!candidate.is_empty()).then(|| Event::Candidate(candidate.to_owned()))
}

fn refusal(response: &RequestResponse) -> Option<Event> {
    match response.reason() {
        // A track whose id is still in use by the session before is published when that ends.
        request_response::Reason::Ok | request_response::Reason::Queued => None,
        reason => Some(Event::Refused(format!(
            "{}: {}",
            reason.as_str_name(),
            response.message
        ))),
    }
}

fn ended(leave: &LeaveRequest) -> Error {
    Error::Ended(leave.reason().as_str_name().to_owned())
}

fn say(request: Request) -> Say {
    match request {
        Request::Offer { sdp, id } => Say::Offer(description(&sdp, id)),
        Request::Quality { track_sid, quality } => Say::TrackSetting(UpdateTrackSettings {
            track_sids: vec![track_sid],
            quality: VideoQuality::from(quality).into(),
            ..UpdateTrackSettings::default()
        }),
        Request::Subscribe(track_sids) => Say::Subscription(UpdateSubscription {
            track_sids,
            subscribe: true,
            ..UpdateSubscription::default()
        }),
        Request::Leave => Say::Leave(LeaveRequest::default()),
    }
}
