//! Workers, their participants and the network between them, on virtual time.

use crate::{
    Endpoint, Figures, Impairment, Link, Video, Violation,
    endpoint::published_ssrc,
    wire::{extension, payload_type},
};
use bedside_core::{
    Clock, PacketSink, Path,
    forwarder::{Forwarder, ForwarderStatistics, MediaDatagram, MediaKeys, MediaPeer, RelayBatch},
};
use bedside_protocol::{
    Codec, Command, Encoding, Event, ExtensionIds, Generation, IceCredentials, Layer, Mid,
    PayloadTypes, Peer, PeerId, Relay, RoomId, Secret, Subscription, Track, TrackId, VideoContent,
    WorkerId,
};
use bedside_srtp::{MasterKey, Profile};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hasher},
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Which participant, and where.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Participant {
    /// Counted over all rooms.
    pub number: u16,
    /// The room.
    pub room: u16,
}

/// The whole of it.
pub struct Simulation {
    start: Instant,
    now: Instant,
    /// By worker.
    forwarders: Vec<Forwarder>,
    random: ChaCha8Rng,
    endpoints: BTreeMap<u16, Joined>,
    /// What their datagrams come under.
    names: BTreeMap<u16, MediaPeer>,
    by_address: BTreeMap<SocketAddr, u16>,
    /// Datagrams under way, by arrival and the order in which they were sent.
    to_server: BTreeMap<(Instant, u64), (u16, Vec<u8>)>,
    to_clients: BTreeMap<(Instant, u64), (u16, Vec<u8>)>,
    /// Batches under way between workers, and when the last one of each pair arrives.
    between: BTreeMap<(Instant, u64), Relayed>,
    between_until: BTreeMap<(WorkerId, WorkerId), Instant>,
    sent: u64,
    events: Vec<(RoomId, Event)>,
    digest: DefaultHasher,
    generation: Generation,
}

struct Relayed {
    from: WorkerId,
    to: WorkerId,
    batch: Box<RelayBatch>,
}

struct Joined {
    participant: Participant,
    endpoint: Endpoint,
    uplink: Link,
    downlink: Link,
    next_ssrc: u32,
    next_mid: u32,
    /// What it receives, by publisher; audio, then video.
    subscriptions: BTreeMap<u16, [Subscription; 2]>,
}

/// Makes the same master key for both ends.
struct Key {
    profile: Profile,
    key: Vec<u8>,
    salt: Vec<u8>,
}

impl Key {
    fn master(&self) -> MasterKey {
        MasterKey::new(self.profile, &self.key, &self.salt).expect("lengths of the profile")
    }
}

/// The ring's part: collects what the forwarder sends.
#[derive(Default)]
struct Collected {
    reserved: Vec<u8>,
    path: Option<Path>,
    packets: Vec<(Path, Vec<u8>)>,
}

impl PacketSink for Collected {
    fn reserve(&mut self, path: Path, bytes_max: usize) -> Option<&mut [u8]> {
        self.path = Some(path);
        self.reserved.clear();
        self.reserved.resize(bytes_max, 0);
        Some(&mut self.reserved)
    }

    fn commit(&mut self, bytes: usize) {
        let path = self.path.take().expect("a commit follows a reservation");
        self.packets.push((path, self.reserved[..bytes].to_vec()));
    }
}

/// Arrivals within this time share a wake-up.
const WAKE_UP: Duration = Duration::from_millis(1);

/// How long a worker may take to see what another one has for it, in microseconds.
const ASLEEP_US_MAX: u64 = 300;

const GENERATION: Generation = Generation(1);

impl Simulation {
    /// An empty server of one worker.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_workers(seed, 1)
    }

    /// An empty server. Participants are spread over its workers by their number, so that every
    /// room of several spans them.
    #[must_use]
    pub fn with_workers(seed: u64, count: u16) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        #[expect(
            clippy::disallowed_methods,
            reason = "the origin of virtual time; never shown"
        )]
        let start = Instant::now();
        let clock = Clock {
            instant: start,
            unix_us: 1_700_000_000_000_000,
        };
        Self {
            start,
            now: start,
            forwarders: (0..count)
                .map(|_| {
                    let mut seed = [0; 32];
                    random.fill_bytes(&mut seed);
                    Forwarder::new(seed, clock)
                })
                .collect(),
            random,
            endpoints: BTreeMap::new(),
            names: BTreeMap::new(),
            by_address: BTreeMap::new(),
            to_server: BTreeMap::new(),
            to_clients: BTreeMap::new(),
            between: BTreeMap::new(),
            between_until: BTreeMap::new(),
            sent: 0,
            events: Vec::new(),
            digest: DefaultHasher::new(),
            generation: GENERATION,
        }
    }

    /// Lets someone in: transport up, audio and three layers of video published.
    ///
    /// # Panics
    /// On a number that is in use.
    pub fn join(&mut self, participant: Participant, impairment: Impairment) {
        self.join_on(participant, impairment, impairment);
    }

    /// The same, with one network to the server and another one from it.
    ///
    /// # Panics
    /// On a number that is in use.
    pub fn join_on(&mut self, participant: Participant, up: Impairment, down: Impairment) {
        let Participant { number, room } = participant;
        let worker = self.worker(number);
        self.command_on(worker, room, Command::EnsureRoom);
        self.command_on(worker, room, Command::EnsurePeer(Box::new(peer(number))));
        let profile = [Profile::AeadAes256Gcm, Profile::AeadAes128Gcm][usize::from(number % 2)];
        let (client, server) = (self.key(profile), self.key(profile));
        let endpoint = Endpoint::new(
            number,
            room,
            (self.start, self.now),
            profile,
            &client.master(),
            server.master(),
        );
        let keys = MediaKeys {
            profile,
            receive: client.master(),
            send: server.master(),
        };
        let now = self.now;
        let name = self
            .forwarder(worker)
            .peer_connected(now, peer_id(number), keys, path(number));
        self.names.extend(name.map(|name| (number, name)));
        for track in tracks(number) {
            self.command_on(worker, room, Command::EnsureTrack(track));
        }
        let seed = self.random.next_u64();
        let joined = Joined {
            participant,
            endpoint,
            uplink: Link::new(up, seed, now),
            downlink: Link::new(down, seed ^ u64::MAX, now),
            next_ssrc: 0x7000_0000 + u32::from(number) * 4_096,
            next_mid: 2,
            subscriptions: BTreeMap::new(),
        };
        self.by_address.insert(path(number).remote, number);
        let before = self.endpoints.insert(number, joined);
        assert!(before.is_none(), "participant {number} is there already");
    }

    /// A participant publishes other video, and answers with transport-wide feedback.
    ///
    /// # Panics
    /// If it has not joined.
    pub fn behave(&mut self, number: u16, video: Video, gives_feedback: bool) {
        let joined = self.endpoints.get_mut(&number).expect("joined");
        joined.endpoint.behave(video, gives_feedback);
    }

    /// A participant.
    ///
    /// # Panics
    /// If it has not joined.
    #[must_use]
    pub fn endpoint(&self, number: u16) -> &Endpoint {
        &self.endpoints[&number].endpoint
    }

    /// `subscriber` receives what `publisher` publishes, up to `layer_max`.
    ///
    /// # Panics
    /// If one of them has not joined.
    pub fn subscribe(&mut self, subscriber: u16, publisher: u16, layer_max: Layer) {
        let joined = self.endpoints.get_mut(&subscriber).expect("joined");
        let room = joined.participant.room;
        let subscriptions = tracks(publisher).map(|track| {
            let video = track.codec == Codec::Vp8;
            let (ssrc, mid) = (joined.next_ssrc, joined.next_mid);
            joined.next_ssrc += 2;
            joined.next_mid += 1;
            let rtx_ssrc = video.then_some(ssrc + 1);
            joined.endpoint.expect(ssrc, rtx_ssrc);
            Subscription {
                subscriber: peer_id(subscriber),
                track: track.track,
                mid: Mid::new(&mid.to_string()).expect("digits"),
                ssrc,
                rtx_ssrc,
                payload_types: track.payload_types,
                red_payload_type: None,
                nack: video,
                layer_max,
                paused: false,
                priority: 0,
                frame_rate_max: None,
            }
        });
        joined
            .subscriptions
            .insert(publisher, subscriptions.clone());
        let worker = self.worker(subscriber);
        for (worker, command) in self.published(publisher) {
            self.command_on(worker, room, command);
        }
        for subscription in subscriptions {
            self.command_on(worker, room, Command::EnsureSubscription(subscription));
        }
    }

    fn worker(&self, number: u16) -> WorkerId {
        let count = u16::try_from(self.forwarders.len()).expect("few workers");
        WorkerId(number % count)
    }

    fn forwarder(&mut self, worker: WorkerId) -> &mut Forwarder {
        &mut self.forwarders[usize::from(worker.0)]
    }

    /// The workers other than `publisher`'s own on which somebody receives it.
    fn audience(&self, publisher: u16) -> BTreeSet<WorkerId> {
        let own = self.worker(publisher);
        self.endpoints
            .iter()
            .filter(|(_, joined)| joined.subscriptions.contains_key(&publisher))
            .map(|(&number, _)| self.worker(number))
            .filter(|worker| *worker != own)
            .collect()
    }

    /// What has to be said of a participant's tracks, and to which worker.
    fn published(&self, publisher: u16) -> Vec<(WorkerId, Command)> {
        let own = self.worker(publisher);
        let audience = self.audience(publisher);
        let mut commands = Vec::new();
        for track in tracks(publisher) {
            let with = |relay| {
                let track = track.clone();
                Command::EnsureTrack(Track { relay, ..track })
            };
            commands.extend(audience.iter().map(|&to| (to, with(Relay::From(own)))));
            let to = audience.iter().copied().collect();
            commands.push((own, with(Relay::To(to))));
        }
        commands
    }

    /// Changes what `subscriber` wants of `publisher`'s video.
    ///
    /// # Panics
    /// If it is not subscribed.
    pub fn select(&mut self, subscriber: u16, publisher: u16, layer_max: Layer, paused: bool) {
        let joined = self.endpoints.get_mut(&subscriber).expect("joined");
        let room = joined.participant.room;
        let [_, video] = joined
            .subscriptions
            .get_mut(&publisher)
            .expect("subscribed");
        (video.layer_max, video.paused) = (layer_max, paused);
        let command = Command::EnsureSubscription(video.clone());
        self.command_on(self.worker(subscriber), room, command);
    }

    /// A control plane was killed and another takes over: everything wanted is stated anew by a
    /// newer generation, and then reconciled. Whoever is in `forgotten` is not stated.
    pub fn take_over(&mut self, forgotten: &[u16]) {
        self.generation = Generation(self.generation.0 + 1);
        for number in forgotten {
            let gone = self.endpoints.remove(number);
            assert!(gone.is_some(), "participant {number} is there");
        }
        for joined in self.endpoints.values_mut() {
            let kept = |publisher: &u16, _: &mut _| !forgotten.contains(publisher);
            joined.subscriptions.retain(kept);
        }
        let mut commands = Vec::new();
        let mut parts = BTreeSet::new();
        for (&number, joined) in &self.endpoints {
            let room = joined.participant.room;
            let worker = self.worker(number);
            if parts.insert((worker, room)) {
                commands.push((0, worker, room, Command::EnsureRoom));
            }
            let peer = Command::EnsurePeer(Box::new(peer(number)));
            commands.push((1, worker, room, peer));
            let tracks = self.published(number).into_iter();
            commands.extend(tracks.map(|(worker, command)| (2, worker, room, command)));
            let wanted = joined.subscriptions.values().flatten().cloned();
            commands.extend(wanted.map(|wanted| {
                let command = Command::EnsureSubscription(wanted);
                (3, worker, room, command)
            }));
        }
        commands.sort_by_key(|&(order, ..)| order);
        for (_, worker, room, command) in commands {
            self.command_on(worker, room, command);
        }
        for (worker, room) in parts {
            self.command_on(worker, room, Command::Reconcile);
        }
    }

    /// The peer and the track of the video that `subscriber` receives of `publisher`.
    ///
    /// # Panics
    /// If it is not subscribed.
    #[must_use]
    pub fn video(&self, subscriber: u16, publisher: u16) -> (PeerId, TrackId) {
        let [_, video] = &self.endpoints[&subscriber].subscriptions[&publisher];
        (video.subscriber, video.track)
    }

    /// Takes someone out.
    ///
    /// # Panics
    /// If they have not joined.
    pub fn leave(&mut self, number: u16) -> Endpoint {
        let heard_on = self.audience(number);
        let joined = self.endpoints.remove(&number).expect("joined");
        self.by_address.remove(&path(number).remote);
        let (worker, room) = (self.worker(number), joined.participant.room);
        let peer = peer_id(number);
        self.command_on(worker, room, Command::RemovePeer { peer });
        for track in tracks(number) {
            let track = track.track;
            for &worker in &heard_on {
                self.command_on(worker, room, Command::RemoveTrack { track });
            }
        }
        // Nobody may be left on its worker who hears what it heard.
        for &publisher in joined.subscriptions.keys() {
            if !self.endpoints.contains_key(&publisher) {
                continue;
            }
            let still = self.audience(publisher).contains(&worker);
            if worker != self.worker(publisher) && !still {
                for track in tracks(publisher) {
                    let track = track.track;
                    self.command_on(worker, room, Command::RemoveTrack { track });
                }
            }
            for (worker, command) in self.published(publisher) {
                self.command_on(worker, room, command);
            }
        }
        joined.endpoint
    }

    /// Sends a command to every worker, as the control plane would about a whole room.
    pub fn command(&mut self, room: u16, command: &Command) {
        for worker in (0..).take(self.forwarders.len()).map(WorkerId) {
            self.command_on(worker, room, command.clone());
        }
    }

    fn command_on(&mut self, worker: WorkerId, room: u16, command: Command) {
        let room = RoomId(u64::from(room));
        let (now, generation) = (self.now, self.generation);
        self.forwarder(worker)
            .handle_command(now, generation, room, &command);
        self.drain(worker);
    }

    /// Lets virtual time pass.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.next_time().filter(|&next| next <= until) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = until;
    }

    fn next_time(&self) -> Option<Instant> {
        let endpoints = self
            .endpoints
            .values()
            .map(|joined| joined.endpoint.poll_timeout());
        let to_server = self.to_server.keys().next().map(|&(at, _)| at);
        let to_clients = self.to_clients.keys().next().map(|&(at, _)| at);
        endpoints
            .chain(to_server)
            .chain(to_clients)
            .chain(self.between.keys().next().map(|&(at, _)| at))
            .chain(self.poll_timeout())
            .min()
    }

    fn step(&mut self) {
        for (number, joined) in &mut self.endpoints {
            if joined.endpoint.poll_timeout() <= self.now {
                joined.endpoint.handle_timeout(self.now);
            }
            for datagram in joined.endpoint.take_outgoing() {
                for arrival in joined.uplink.arrivals(self.now, datagram.len()) {
                    self.sent += 1;
                    self.to_server
                        .insert((arrival, self.sent), (*number, datagram.clone()));
                }
            }
        }
        self.wake_server();
        let arrived = self
            .to_clients
            .split_off(&(self.now + Duration::from_nanos(1), 0));
        for (number, datagram) in std::mem::replace(&mut self.to_clients, arrived).into_values() {
            if let Some(joined) = self.endpoints.get_mut(&number) {
                joined.endpoint.receive(self.now, datagram);
            }
        }
    }

    fn wake_server(&mut self) {
        let mut sink = Collected::default();
        let due = self
            .to_server
            .keys()
            .next()
            .is_some_and(|&(at, _)| at <= self.now);
        if due {
            let later = self.to_server.split_off(&(self.now + WAKE_UP, 0));
            let mut arrived: Vec<_> = std::mem::replace(&mut self.to_server, later)
                .into_values()
                .collect();
            self.now += WAKE_UP;
            for worker in (0..).take(self.forwarders.len()).map(WorkerId) {
                let mut batch: Vec<_> = arrived
                    .iter_mut()
                    .filter(|(number, _)| self.endpoints.contains_key(number))
                    .filter(|(number, _)| self.worker(*number) == worker)
                    .map(|(number, payload)| MediaDatagram {
                        peer: self.names[number],
                        payload,
                    })
                    .collect();
                if !batch.is_empty() {
                    let now = self.now;
                    self.forwarder(worker)
                        .handle_batch(now, &mut batch, &mut sink);
                    self.drain(worker);
                }
            }
        }
        while let Some(entry) = self.between.first_entry()
            && entry.key().0 <= self.now
        {
            let Relayed { from, to, batch } = entry.remove();
            let now = self.now;
            self.forwarder(to)
                .handle_relayed(now, from, &batch, &mut sink);
            self.drain(to);
            self.forwarder(from).take_back(to, batch);
        }
        for worker in (0..).take(self.forwarders.len()).map(WorkerId) {
            let now = self.now;
            let forwarder = self.forwarder(worker);
            if forwarder.poll_timeout().is_some_and(|at| at <= now) {
                forwarder.handle_timeout(now, &mut sink);
                self.drain(worker);
            }
        }
        for (path, packet) in sink.packets {
            self.digest.write(&packet);
            let Some(&number) = self.by_address.get(&path.remote) else {
                continue;
            };
            let joined = self
                .endpoints
                .get_mut(&number)
                .expect("addresses are of the joined");
            for arrival in joined.downlink.arrivals(self.now, packet.len()) {
                self.sent += 1;
                self.to_clients
                    .insert((arrival, self.sent), (number, packet.clone()));
            }
        }
    }

    /// Takes what a worker has to say, and what it has for others: they wake up a little later.
    fn drain(&mut self, worker: WorkerId) {
        let forwarder = &mut self.forwarders[usize::from(worker.0)];
        while let Some((room, event)) = forwarder.poll_event() {
            self.digest.write(format!("{room:?} {event:?}").as_bytes());
            self.events.push((room, event));
        }
        while let Some((to, batch)) = forwarder.poll_relay() {
            let asleep = u64::from(self.random.next_u32()) % ASLEEP_US_MAX;
            let last = self.between_until.entry((worker, to)).or_insert(self.now);
            *last = (*last).max(self.now + Duration::from_micros(asleep));
            self.sent += 1;
            let relayed = Relayed {
                from: worker,
                to,
                batch,
            };
            self.between.insert((*last, self.sent), relayed);
        }
    }

    fn key(&mut self, profile: Profile) -> Key {
        let mut key = Key {
            profile,
            key: vec![0; profile.key_bytes()],
            salt: vec![0; profile.salt_bytes()],
        };
        self.random.fill_bytes(&mut key.key);
        self.random.fill_bytes(&mut key.salt);
        key
    }

    /// How much virtual time has passed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now.duration_since(self.start)
    }

    /// Everything that the forwarders reported.
    #[must_use]
    pub fn events(&self) -> &[(RoomId, Event)] {
        &self.events
    }

    /// When a forwarder next wants to be called; `None` when nothing is left to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let forwarders = self.forwarders.iter();
        forwarders.filter_map(Forwarder::poll_timeout).min()
    }

    /// What each worker has counted.
    #[must_use]
    pub fn statistics(&self) -> Vec<ForwarderStatistics> {
        self.forwarders.iter().map(Forwarder::statistics).collect()
    }

    /// A digest of every packet and event that the forwarders made, in order.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// What each participant has seen.
    #[must_use]
    pub fn figures(&self) -> BTreeMap<u16, Figures> {
        self.endpoints
            .iter()
            .map(|(&number, joined)| (number, joined.endpoint.figures()))
            .collect()
    }

    /// Expected streams that brought nothing.
    #[must_use]
    pub fn silent(&self) -> BTreeSet<(u16, u32)> {
        self.endpoints
            .iter()
            .flat_map(|(&number, joined)| {
                joined
                    .endpoint
                    .silent()
                    .into_iter()
                    .map(move |ssrc| (number, ssrc))
            })
            .collect()
    }

    /// Everything that must never happen and did.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.endpoints
            .values()
            .flat_map(|joined| joined.endpoint.violations().to_vec())
            .collect()
    }
}

fn peer_id(number: u16) -> PeerId {
    PeerId(u64::from(number) + 1)
}

fn path(number: u16) -> Path {
    let [high, low] = number.to_be_bytes();
    Path {
        local: SocketAddr::from(([10, 0, 0, 1], 7_882)),
        remote: SocketAddr::from(([10, 1, high, low], 50_000)),
    }
}

fn peer(number: u16) -> Peer {
    let credentials = |who: &str| IceCredentials {
        ufrag: format!("{who}{number:04}"),
        password: Secret::new(format!("{who}{number:030}")),
    };
    Peer {
        peer: peer_id(number),
        local: credentials("s"),
        remote: credentials("c"),
        remote_fingerprint_sha256: [0; 32],
        extensions: ExtensionIds {
            mid: Some(extension::MID),
            rid: Some(extension::RID),
            repaired_rid: Some(extension::REPAIRED_RID),
            audio_level: Some(extension::AUDIO_LEVEL),
            transport_cc: Some(extension::TRANSPORT_CC),
            ..ExtensionIds::default()
        },
        transport_cc: true,
        data_channels: false,
        open_data_channels: false,
    }
}

/// Audio and video of a participant.
fn tracks(number: u16) -> [Track; 2] {
    let ssrc = published_ssrc(number);
    let base = u64::from(number) * 2 + 1;
    let track = |id, mid, codec, media, rtx, encodings| Track {
        track: TrackId(id),
        publisher: peer_id(number),
        mid: Mid::new(mid).expect("a digit"),
        codec,
        payload_types: PayloadTypes { media, rtx },
        red_payload_type: None,
        encodings,
        nack: rtx.is_some(),
        full_intra: false,
        muted: false,
        content: VideoContent::Camera,
        relay: Relay::None,
    };
    let audio = Encoding {
        layer: Layer::Low,
        rid: None,
        ssrc: Some(ssrc),
        rtx_ssrc: None,
    };
    let layers = Layer::ALL
        .into_iter()
        .zip(["q", "h", "f"])
        .map(|(layer, rid)| Encoding {
            layer,
            rid: Some(Mid::new(rid).expect("a letter")),
            ssrc: None,
            rtx_ssrc: None,
        })
        .collect();
    let (vp8, rtx) = (payload_type::VP8, payload_type::VP8_RTX);
    [
        track(
            base,
            "0",
            Codec::Opus,
            payload_type::OPUS,
            None,
            vec![audio],
        ),
        track(base + 1, "1", Codec::Vp8, vp8, Some(rtx), layers),
    ]
}
