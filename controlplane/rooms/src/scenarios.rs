//! Whole rooms by their messages: scripted clients on one side, a data plane that holds what it
//! is told on the other, and a clock in the test's hand.

mod data;
mod dataplane;
mod evidence;
mod joining;
mod plane;
mod properties;
mod publishing;
mod resume;
mod room_service;
mod sdp;
mod spanning;
mod subscribing;
mod whip;

use crate::{
    Claims, CloseHow, Config, DataplaneInput, Input, Join, JoinParameters, Measure, Output, Rooms,
    SessionId, Time, VideoGrant,
};
use bedside_protocol::{
    CandidateKind, CloseReason, DataChannelKind, DtlsVersion, Event, EventFrame, PeerId, RoomId,
    SrtpProfile, WorkerId,
};
use livekit_protocol as proto;
use plane::Plane;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message;
use sdp::{Browser, Kind, Section};
use std::collections::{BTreeMap, VecDeque};

const START: Time = Time(1_800_000_000_000_000);

/// Rooms, everyone who talks to them, and what they said.
struct World {
    rooms: Rooms,
    now: Time,
    plane: Plane,
    clients: Vec<Client>,
    last_session: u64,
    last_sequence: u64,
    /// Of the control plane; each has its own seed.
    restarts: u8,
    webhooks: Vec<proto::WebhookEvent>,
    /// What the audit log was told, in order.
    records: Vec<bedside_audit::Event>,
    /// What the operator's distributions were told.
    measures: Vec<Measure>,
    /// Whether records become durable at once.
    log_is_writable: bool,
    /// Peers whose opening is not durable.
    unrecorded: Vec<(RoomId, PeerId)>,
    /// Refreshed tokens' claims.
    refreshed: Vec<(SessionId, Claims)>,
    /// Snapshots as the server would store them.
    stored: BTreeMap<String, crate::Snapshot>,
}

/// A scripted LiveKit client.
struct Client {
    session: SessionId,
    sid: String,
    single: bool,
    /// In single-connection mode all there is, otherwise the publisher's.
    browser: Browser,
    /// The subscriber's connection of the older mode.
    subscriber: Browser,
    inbox: VecDeque<Message>,
    /// Everything that was ever received.
    received: Vec<Message>,
    closed: Option<CloseHow>,
    /// The last description from us that says what is sent.
    description: String,
    /// What `mid_to_track_id` said last.
    sections: BTreeMap<String, String>,
    offer_id: u32,
    /// Renegotiates by itself when asked to.
    obeys: bool,
}

/// Index into [`World::clients`].
type Who = usize;

impl World {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let mut world = Self {
            rooms: Rooms::new(config, [1; 32]),
            now: START,
            plane: Plane::default(),
            clients: Vec::new(),
            last_session: 0,
            last_sequence: 0,
            restarts: 0,
            webhooks: Vec::new(),
            records: Vec::new(),
            measures: Vec::new(),
            log_is_writable: true,
            unrecorded: Vec::new(),
            refreshed: Vec::new(),
            stored: BTreeMap::new(),
        };
        world.connect_dataplane(1);
        world
    }

    fn connect_dataplane(&mut self, boot: u64) {
        let mut welcome = Plane::welcome(boot, 2);
        for info in &mut welcome.workers {
            let rooms = self.plane.rooms.iter();
            info.rooms = rooms
                .filter(|(_, held)| held.parts.contains(&info.worker))
                .map(|(&room, _)| room)
                .collect();
        }
        self.input(Input::Dataplane(DataplaneInput::Connected(welcome)));
    }

    fn input(&mut self, input: Input) {
        self.rooms.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                Output::Measured(measure) => self.measures.push(measure),
                Output::Signal { session, response } => {
                    let message = response.message.expect("no empty response");
                    if let Some(client) = self.client_of(session) {
                        assert!(client.closed.is_none(), "nothing follows a close");
                        client.inbox.push_back(message.clone());
                        client.received.push(message);
                    }
                }
                Output::CloseSession { session, how } => {
                    if let Some(client) = self.client_of(session) {
                        client.closed = Some(how);
                    }
                }
                Output::RefreshToken { session, claims } => {
                    self.refreshed.push((session, *claims));
                }
                Output::Command(frame) => self.plane.apply(frame),
                Output::RoomChanged { room } => {
                    if let Some(snapshot) = self.rooms.snapshot(&room) {
                        self.stored.insert(room, snapshot);
                    }
                }
                Output::RoomFinished { room } => {
                    self.stored.remove(&room);
                }
                Output::Webhook(event) => self.webhooks.push(*event),
                Output::Audit(event) => self.records.push(*event),
                Output::Opened { event, room, peer } => {
                    self.records.push(*event);
                    if self.log_is_writable {
                        self.rooms.handle(self.now, Input::Recorded { room, peer });
                    } else {
                        self.unrecorded.push((room, peer));
                    }
                }
            }
        }
    }

    fn client_of(&mut self, session: SessionId) -> Option<&mut Client> {
        self.clients
            .iter_mut()
            .find(|client| client.session == session)
    }

    /// Lets clients react until nobody has anything to say.
    fn settle(&mut self) {
        for _ in 0..100 {
            let mut said = false;
            for who in 0..self.clients.len() {
                while let Some(message) = self.clients[who].inbox.pop_front() {
                    for ask in self.clients[who].react(message) {
                        said = true;
                        self.ask(who, ask);
                    }
                }
            }
            if !said {
                return;
            }
        }
        panic!("clients and rooms never come to rest");
    }

    fn ask(&mut self, who: Who, ask: Ask) {
        let session = self.clients[who].session;
        self.input(Input::Signal {
            session,
            request: Box::new(proto::SignalRequest { message: Some(ask) }),
        });
    }

    /// Time passes, and everything that falls due in it happens.
    fn pass_ms(&mut self, ms: u64) {
        let end = self.now.after_us(ms * 1_000);
        for _ in 0..10_000 {
            match self.rooms.poll_timeout() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.rooms.handle_timeout(self.now);
                    self.drain();
                    assert!(
                        self.rooms.poll_timeout().is_none_or(|next| next > self.now),
                        "a timer that has been handled is not due again"
                    );
                }
                _ => {
                    self.now = end;
                    self.settle();
                    return;
                }
            }
        }
        panic!("timers never come to rest");
    }

    fn event(&mut self, room: RoomId, event: Event) {
        self.last_sequence += 1;
        let frame = EventFrame {
            worker: WorkerId(0),
            sequence: self.last_sequence,
            record: event.is_evidence().then_some(self.last_sequence),
            at_us: self.now.0,
            room,
            event,
        };
        self.input(Input::Dataplane(DataplaneInput::Event(Box::new(frame))));
        self.settle();
    }

    /// ICE, DTLS and SCTP come up for every peer that is to be.
    fn connect_peers(&mut self) {
        let peers: Vec<(RoomId, PeerId, bool)> = self
            .plane
            .rooms
            .iter()
            .flat_map(|(&room, held)| {
                held.peers
                    .values()
                    .map(move |peer| (room, peer.peer, peer.data_channels))
            })
            .collect();
        for (room, peer, data) in peers {
            self.event(room, connected(peer));
            for channel in [DataChannelKind::Reliable, DataChannelKind::Lossy] {
                if data {
                    self.event(room, Event::DataChannelOpen { peer, channel });
                }
            }
        }
    }

    /// A new signalling connection, accepted or not.
    fn knock(&mut self, claims: Claims, parameters: JoinParameters) -> Who {
        self.last_session += 1;
        let session = SessionId(self.last_session);
        let who = self.clients.len();
        let seed = u8::try_from(who + 1).unwrap();
        self.clients
            .push(Client::new(session, parameters.single_connection, seed));
        self.input(Input::Join(Box::new(Join {
            session,
            claims,
            parameters,
        })));
        who
    }

    /// Someone joins the usual way and its transport comes up.
    fn join(&mut self, identity: &str, mode: Mode) -> Who {
        self.join_as(claims(identity), mode)
    }

    fn join_as(&mut self, claims: Claims, mode: Mode) -> Who {
        let seed = u8::try_from(self.clients.len() + 1).unwrap();
        let mut parameters = parameters(mode);
        if mode == Mode::V1 {
            let mut browser = Browser::new(seed);
            parameters.publisher_offer = Some(description("offer", browser.offer(), 1));
        }
        let who = self.knock(claims, parameters);
        self.clients[who].offer_id = 1;
        self.settle();
        self.connect_peers();
        who
    }

    /// Announces a track and offers it.
    fn publish(&mut self, who: Who, kind: Kind, cid: &str) -> String {
        let request = add_track(kind, cid);
        self.ask(who, Ask::AddTrack(request));
        let sid = self.clients[who].published(cid).expect("track_published");
        self.clients[who]
            .browser
            .sections
            .push(Section::sending(kind, cid));
        self.offer(who);
        self.connect_peers();
        sid
    }

    fn offer(&mut self, who: Who) {
        let ask = self.clients[who].offer();
        self.ask(who, ask);
        self.settle();
    }

    fn drop_signal(&mut self, who: Who) {
        let session = self.clients[who].session;
        self.clients[who].closed.get_or_insert(CloseHow::Abrupt);
        self.input(Input::SessionClosed { session });
    }

    /// Comes back with the same sid on a new connection.
    fn resume(&mut self, who: Who, claims: Claims, sync: Option<proto::SyncState>) {
        self.last_session += 1;
        let session = SessionId(self.last_session);
        let client = &mut self.clients[who];
        client.session = session;
        client.closed = None;
        client.inbox.clear();
        client.received.clear();
        let mode = if client.single { Mode::V1 } else { Mode::V0 };
        let mut parameters = parameters(mode);
        parameters.resume = Some(client.sid.clone());
        parameters.sync_state = sync;
        self.input(Input::Join(Box::new(Join {
            session,
            claims,
            parameters,
        })));
        self.settle();
    }

    fn room(&self) -> RoomId {
        *self.plane.rooms.keys().next().expect("one room")
    }

    /// What the data plane holds of the only room.
    fn held(&self) -> &plane::Held {
        &self.plane.rooms[&self.room()]
    }

    /// Who receives what, by the client's section map, as track sids.
    fn hears(&self, who: Who) -> Vec<String> {
        let mut sids: Vec<String> = self.clients[who].sections.values().cloned().collect();
        sids.sort();
        sids
    }

    /// The peer that a client's media is received on.
    fn peer(&self, who: Who) -> PeerId {
        let fingerprint = [self.clients[who].browser.seed; 32];
        let mut peers = self.held().peers.values();
        peers
            .find(|peer| peer.remote_fingerprint_sha256 == fingerprint)
            .expect("its transport is known")
            .peer
    }

    /// The peer that a client is sent to on.
    fn receiving_peer(&self, who: Who) -> PeerId {
        let client = &self.clients[who];
        let seed = if client.single {
            client.browser.seed
        } else {
            client.subscriber.seed
        };
        let mut peers = self.held().peers.values();
        peers
            .find(|peer| peer.remote_fingerprint_sha256 == [seed; 32])
            .expect("its transport is known")
            .peer
    }

    fn webhook_names(&self) -> Vec<&str> {
        self.webhooks
            .iter()
            .map(|event| event.event.as_str())
            .collect()
    }

    fn refused(&self, reason: &str) -> u64 {
        self.rooms
            .status()
            .refused
            .get(reason)
            .copied()
            .unwrap_or(0)
    }
}

impl Client {
    fn new(session: SessionId, single: bool, seed: u8) -> Self {
        Self {
            session,
            sid: String::new(),
            single,
            browser: if single {
                Browser::new(seed)
            } else {
                Browser::publisher(seed)
            },
            subscriber: Browser::new(seed + 100),
            inbox: VecDeque::new(),
            received: Vec::new(),
            closed: None,
            description: String::new(),
            sections: BTreeMap::new(),
            offer_id: 0,
            obeys: true,
        }
    }

    fn offer(&mut self) -> Ask {
        self.offer_id += 1;
        Ask::Offer(description("offer", self.browser.offer(), self.offer_id))
    }

    /// What LiveKit's clients do with a message.
    fn react(&mut self, message: Message) -> Vec<Ask> {
        match message {
            Message::Join(join) => {
                self.sid = join.participant.unwrap().sid;
                assert!(self.sid.starts_with("PA_"));
                Vec::new()
            }
            Message::Answer(answer) => {
                if self.obeys {
                    assert_eq!(answer.id, self.offer_id, "an answer echoes its offer's id");
                }
                if self.single {
                    self.describe(&answer);
                }
                Vec::new()
            }
            Message::Offer(offer) => {
                assert!(
                    !self.single,
                    "in single-connection mode only the client offers"
                );
                self.describe(&offer);
                let answer = self.subscriber.answer(&offer.sdp);
                vec![Ask::Answer(description("answer", answer, offer.id))]
            }
            Message::MediaSectionsRequirement(wanted) if self.obeys => {
                let sections = &mut self.browser.sections;
                for (kind, count) in [
                    (Kind::Audio, wanted.num_audios),
                    (Kind::Video, wanted.num_videos),
                ] {
                    sections.extend(vec![Section::receiving(kind); count as usize]);
                }
                vec![self.offer()]
            }
            _ => Vec::new(),
        }
    }

    fn describe(&mut self, description: &proto::SessionDescription) {
        self.description.clone_from(&description.sdp);
        let sent = sdp::sent(&description.sdp);
        let before = std::mem::take(&mut self.sections);
        self.sections = if self.single {
            description.mid_to_track_id.clone().into_iter().collect()
        } else {
            sent.iter()
                .map(|(mid, _, track)| (mid.clone(), track.clone()))
                .collect()
        };
        for (mid, _, track) in &sent {
            assert_eq!(
                self.sections.get(mid),
                Some(track),
                "the map and the SDP agree"
            );
        }
        assert_eq!(sent.len(), self.sections.len());
        for (mid, track) in &self.sections {
            let was = before.get(mid).unwrap_or(track);
            assert_eq!(
                was, track,
                "browsers tell of a new track only after a silence"
            );
        }
        for (_, stream, _) in sent {
            let publisher = stream.split('|').next().unwrap().to_owned();
            assert!(
                self.knows(&publisher),
                "a publisher is announced before an SDP carries its tracks"
            );
        }
    }

    /// Whether a participant was told of, by its sid.
    fn knows(&self, sid: &str) -> bool {
        self.received.iter().any(|message| match message {
            Message::Join(join) => join.other_participants.iter().any(|one| one.sid == sid),
            Message::Update(update) => update.participants.iter().any(|one| one.sid == sid),
            _ => false,
        })
    }

    /// The last news of a participant.
    fn last_update(&self, identity: &str) -> Option<&proto::ParticipantInfo> {
        self.received
            .iter()
            .rev()
            .find_map(|message| match message {
                Message::Join(join) => join
                    .other_participants
                    .iter()
                    .find(|one| one.identity == identity),
                Message::Update(update) => update
                    .participants
                    .iter()
                    .rev()
                    .find(|one| one.identity == identity),
                _ => None,
            })
    }

    fn published(&self, cid: &str) -> Option<String> {
        self.received
            .iter()
            .rev()
            .find_map(|message| match message {
                Message::TrackPublished(published) if published.cid == cid => {
                    Some(published.track.as_ref()?.sid.clone())
                }
                _ => None,
            })
    }

    /// Messages of one kind, in order.
    fn all<T>(&self, pick: impl Fn(&Message) -> Option<T>) -> Vec<T> {
        self.received.iter().filter_map(pick).collect()
    }

    fn leaves(&self) -> Vec<proto::LeaveRequest> {
        self.all(|message| match message {
            Message::Leave(leave) => Some(leave.clone()),
            _ => None,
        })
    }

    fn request_responses(&self) -> Vec<proto::RequestResponse> {
        self.all(|message| match message {
            Message::RequestResponse(response) => Some(response.clone()),
            _ => None,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// `/rtc/v1`: one connection.
    V1,
    /// `/rtc`: two.
    V0,
}

fn grant() -> VideoGrant {
    VideoGrant {
        room: "consult".to_owned(),
        room_join: true,
        ..VideoGrant::default()
    }
}

fn claims(identity: &str) -> Claims {
    claims_with(identity, grant())
}

fn claims_with(identity: &str, grant: VideoGrant) -> Claims {
    Claims {
        iss: "key".to_owned(),
        sub: identity.to_owned(),
        name: format!("Name of {identity}"),
        video: Some(grant),
        ..Claims::default()
    }
}

fn parameters(mode: Mode) -> JoinParameters {
    JoinParameters {
        single_connection: mode == Mode::V1,
        client: proto::ClientInfo {
            sdk: proto::client_info::Sdk::Js as i32,
            protocol: 16,
            browser: "Chrome".to_owned(),
            ..proto::ClientInfo::default()
        },
        auto_subscribe: true,
        ..JoinParameters::default()
    }
}

fn description(kind: &str, sdp: String, id: u32) -> proto::SessionDescription {
    proto::SessionDescription {
        r#type: kind.to_owned(),
        sdp,
        id,
        ..proto::SessionDescription::default()
    }
}

fn add_track(kind: Kind, cid: &str) -> proto::AddTrackRequest {
    let layer = |quality: proto::VideoQuality, width, height| proto::VideoLayer {
        quality: quality as i32,
        width,
        height,
        ..proto::VideoLayer::default()
    };
    let video = kind == Kind::Video;
    proto::AddTrackRequest {
        cid: cid.to_owned(),
        r#type: i32::from(video),
        source: if video {
            proto::TrackSource::Camera
        } else {
            proto::TrackSource::Microphone
        } as i32,
        width: if video { 1280 } else { 0 },
        height: if video { 720 } else { 0 },
        layers: if video {
            vec![
                layer(proto::VideoQuality::Low, 320, 180),
                layer(proto::VideoQuality::Medium, 640, 360),
                layer(proto::VideoQuality::High, 1280, 720),
            ]
        } else {
            Vec::new()
        },
        ..proto::AddTrackRequest::default()
    }
}

fn connected(peer: PeerId) -> Event {
    Event::PeerConnected {
        peer,
        dtls: DtlsVersion::Dtls13,
        srtp: SrtpProfile::AeadAes256Gcm,
        remote_fingerprint_sha256: [0; 32],
        candidate: CandidateKind::Udp,
        remote_address: ([127, 0, 0, 1], 9).into(),
    }
}

fn closed(peer: PeerId, reason: CloseReason) -> Event {
    Event::PeerClosed { peer, reason }
}
