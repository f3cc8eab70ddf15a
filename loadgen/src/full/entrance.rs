//! How participants get into a server, and out again: both ways look alike from here.

use super::connection::{Connection, rids};
use super::guest::{Guest, Protocol, Wants, Way};
use super::{Error, Failure, limits};
use crate::Target;
use crate::scenario::TrackSpec;
use crate::signalling::livekit::{Event, FIRST_OFFER, Layer, Request, Session, Subscribe, Track};
use crate::signalling::{self, Access, Credentials, Server, Trust, whip};
use bedside_protocol::{MediaKind, Secret};
use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The server under load.
pub(super) struct Entrance {
    doors: Doors,
    credentials: Credentials,
    /// This host's address towards it.
    local: IpAddr,
}

enum Doors {
    Livekit(Server),
    Whip { publish: Server, view: Server },
}

/// Somebody who is in.
pub(super) struct Presence {
    /// What is asked of the server. [`Request::Leave`] ends the presence.
    pub(super) requests: mpsc::Sender<Request>,
    /// What it says.
    pub(super) events: mpsc::Receiver<Event>,
    /// Ends with the presence.
    pub(super) task: JoinHandle<Result<(), signalling::Error>>,
}

impl Entrance {
    /// Looks the server up.
    pub(super) async fn of(target: &Target) -> Result<Self, Error> {
        match target {
            Target::Livekit {
                url,
                api_key,
                api_secret,
                ca,
            } => {
                let server = Server::resolve(url, &Trust::new(ca.as_deref())?).await?;
                Self::new(Doors::Livekit(server), api_key, api_secret)
            }
            Target::Whip {
                url,
                api_key,
                api_secret,
                ca,
            } => {
                let doors = whip_doors(url, ca.as_deref()).await?;
                Self::new(doors, api_key, api_secret)
            }
            Target::Dataplane { .. } => Err(Error::NoSignalling),
        }
    }

    fn new(doors: Doors, api_key: &str, api_secret: &Secret<String>) -> Result<Self, Error> {
        let server = match &doors {
            Doors::Livekit(server)
            | Doors::Whip {
                publish: server, ..
            } => server.address(),
        };
        // Only looks up the route: nothing is sent.
        let unspecified: IpAddr = if server.is_ipv4() {
            std::net::Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        let socket = UdpSocket::bind((unspecified, 0))?;
        socket.connect(server)?;
        Ok(Self {
            doors,
            credentials: Credentials::new(api_key, api_secret.expose()),
            local: socket.local_addr()?.ip(),
        })
    }

    pub(super) fn local(&self) -> IpAddr {
        self.local
    }

    pub(super) fn protocol(&self) -> Protocol {
        match self.doors {
            Doors::Livekit(_) => Protocol::Livekit,
            Doors::Whip { .. } => Protocol::Whip,
        }
    }

    /// Lets somebody in, with their first offer.
    pub(super) async fn enter(
        &self,
        guest: &Guest,
        connection: &Connection,
        offer: &str,
    ) -> Result<Presence, Failure> {
        let publisher = match &guest.way {
            Way::View { publisher } => Some(publisher.as_str()),
            Way::Room(_) | Way::Publish => None,
        };
        let access = Access {
            room: &guest.room,
            identity: &guest.identity,
            publish: !matches!(guest.way, Way::View { .. }),
            subscribe: !matches!(guest.way, Way::Publish),
            publisher,
        };
        let token = self.credentials.token(&access, seconds_since_1970())?;
        let (requests, asked) = mpsc::channel(signalling::limits::MESSAGES_WAITING_MAX);
        let (tell, events) = mpsc::channel(signalling::limits::MESSAGES_WAITING_MAX);
        let task = match (&self.doors, &guest.way) {
            (Doors::Livekit(server), way) => {
                let subscribe = match way {
                    Way::Room(Wants::All) | Way::View { .. } => Subscribe::Auto,
                    Way::Room(_) | Way::Publish => Subscribe::Chosen,
                };
                let tracks = tracks(&guest.publish, connection);
                let session = Session::join(server, &token, offer, &tracks, subscribe).await?;
                tokio::task::spawn_local(session.run(asked, tell))
            }
            (Doors::Whip { view, .. }, Way::View { .. }) => {
                let give_up = Instant::now() + limits::VIEW_WAIT;
                let started = whip::view(view, &token, offer, give_up).await?;
                tokio::task::spawn_local(run_resource(started, asked, tell))
            }
            (Doors::Whip { publish, .. }, _) => {
                let started = whip::publish(publish, &token, offer).await?;
                tokio::task::spawn_local(run_resource(started, asked, tell))
            }
        };
        Ok(Presence {
            requests,
            events,
            task,
        })
    }
}

/// A WHIP or WHEP session behind the same channels: one answer, and an end.
async fn run_resource(
    started: whip::Started,
    mut asked: mpsc::Receiver<Request>,
    tell: mpsc::Sender<Event>,
) -> Result<(), signalling::Error> {
    let answer = Event::Answer {
        sdp: started.answer,
        id: FIRST_OFFER,
        tracks: HashMap::new(),
    };
    if tell.send(answer).await.is_ok() {
        while !matches!(asked.recv().await, Some(Request::Leave) | None) {}
    }
    started.session.delete().await
}

async fn whip_doors(url: &str, ca: Option<&Path>) -> Result<Doors, Error> {
    let trust = Trust::new(ca)?;
    let base = url.trim_end_matches('/');
    Ok(Doors::Whip {
        publish: Server::resolve(&format!("{base}/whip"), &trust).await?,
        view: Server::resolve(&format!("{base}/whep"), &trust).await?,
    })
}

/// The scenario's tracks as LiveKit's protocol names them.
fn tracks(publish: &[TrackSpec], connection: &Connection) -> Vec<Track> {
    let sections = connection.sending().iter().zip(publish);
    sections
        .map(|(sending, track)| match sending.kind {
            MediaKind::Audio => Track::Audio {
                cid: sending.cid.clone(),
            },
            MediaKind::Video => Track::Video {
                cid: sending.cid.clone(),
                layers: layers(track),
            },
        })
        .collect()
}

fn layers(track: &TrackSpec) -> Vec<Layer> {
    let TrackSpec::Video(video) = track else {
        return vec![UNKNOWN_PICTURE];
    };
    let rids = rids(track).iter().map(|&rid| rid.to_owned());
    let rids = rids.chain(std::iter::repeat(String::new()));
    video
        .layers
        .iter()
        .zip(rids)
        .map(|(layer, rid)| Layer {
            rid,
            width: layer.width.into(),
            height: layer.height.into(),
            bitrate_bps: layer.bitrate_bps,
        })
        .collect()
}

/// What fixed packets and recordings are announced as.
const UNKNOWN_PICTURE: Layer = Layer {
    rid: String::new(),
    width: 1280,
    height: 720,
    bitrate_bps: 1_500_000,
};

#[expect(
    clippy::disallowed_methods,
    reason = "tokens are valid by the time of day"
)]
fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}
