//! str0m clients and a virtual network: what the transports are tested against, in one thread and
//! in virtual time. Names of this crate come from the including module, because unit tests and
//! integration tests reach them differently.

use super::{Clock, Core, Datagram, PacketSink, Path};
use bedside_protocol::{
    Command, CommandFrame, Event, ExtensionIds, Generation, IceCredentials, Peer, PeerId, RoomId,
    Secret, WorkerId,
};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::config::{DtlsVersion, Fingerprint};
use str0m::media::MediaKind;
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, IceCreds, Input, Output, Rtc, RtcConfig};

/// Where virtual time begins.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no other way to an instant; nothing depends on which one it is"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// Where the worker receives.
pub(crate) fn server_address() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 40_000))
}

/// A wall clock anchored at `now`.
pub(crate) fn clock(now: Instant) -> Clock {
    Clock {
        instant: now,
        unix_us: 1_700_000_000_000_000,
    }
}

pub(crate) const ROOM: RoomId = RoomId(7);
pub(crate) const WORKER: WorkerId = WorkerId(0);
/// The SSRC that clients send on and the one they are sent.
pub(crate) const CLIENT_SSRC: u32 = 0x1111;
pub(crate) const SERVER_SSRC: u32 = 0x2222;

/// Frames a command of generation 1 for [`ROOM`].
pub(crate) fn frame(command: Command) -> CommandFrame {
    CommandFrame {
        generation: Generation(1),
        room: ROOM,
        worker: WORKER,
        command,
    }
}

pub(crate) fn ensure_room() -> CommandFrame {
    frame(Command::EnsureRoom)
}

/// What the network needs of a server.
pub(crate) trait Server {
    fn receive(&mut self, now: Instant, path: Path, datagram: &mut [u8], sink: &mut Outgoing);
    fn timeout(&mut self, now: Instant, sink: &mut Outgoing);
    fn due(&self) -> Option<Instant>;
    fn take_event(&mut self) -> Option<Event>;
    /// Lets a connected peer's media pass, as a control plane of this generation.
    fn admit(&mut self, now: Instant, by: Generation, peer: PeerId, sink: &mut Outgoing);
}

impl Server for Core {
    fn receive(&mut self, now: Instant, path: Path, datagram: &mut [u8], sink: &mut Outgoing) {
        let mut batch = [Datagram {
            path,
            payload: datagram,
        }];
        self.handle_batch(now, &mut batch, sink);
    }

    fn timeout(&mut self, now: Instant, sink: &mut Outgoing) {
        self.handle_timeout(now, sink);
    }

    fn due(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn take_event(&mut self) -> Option<Event> {
        self.poll_event().map(|(_, event)| event)
    }

    fn admit(&mut self, now: Instant, by: Generation, peer: PeerId, sink: &mut Outgoing) {
        let command = CommandFrame {
            generation: by,
            ..frame(Command::AdmitPeer { peer })
        };
        self.handle_command(now, command, sink);
    }
}

/// Packet memory that keeps everything.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) sent: Vec<(Path, Vec<u8>)>,
    reserved: Option<(Path, Vec<u8>)>,
}

impl PacketSink for Outgoing {
    fn reserve(&mut self, path: Path, bytes_max: usize) -> Option<&mut [u8]> {
        let (_, memory) = self.reserved.insert((path, vec![0; bytes_max]));
        Some(memory)
    }

    fn commit(&mut self, bytes: usize) {
        let (path, mut memory) = self.reserved.take().expect("committed after a reservation");
        memory.truncate(bytes);
        self.sent.push((path, memory));
    }
}

/// How a client is made.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) dtls: DtlsVersion,
    /// The client opens `_reliable` and `_lossy`; otherwise the server does.
    pub(crate) opens_channels: bool,
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            dtls: DtlsVersion::Dtls12,
            opens_channels: true,
        }
    }
}

/// A full-ICE, DTLS-client str0m.
pub(crate) struct Client {
    pub(crate) peer: PeerId,
    pub(crate) address: SocketAddr,
    pub(crate) rtc: Rtc,
    pub(crate) due: Instant,
    pub(crate) is_connected: bool,
    pub(crate) is_closed: bool,
    pub(crate) failed: bool,
    pub(crate) channels: HashMap<String, ChannelId>,
    pub(crate) data: Vec<(String, Vec<u8>)>,
    pub(crate) rtp: Vec<RtpPacket>,
    /// Whatever else its str0m said.
    pub(crate) said: Vec<str0m::Event>,
    local: IceCreds,
}

impl Client {
    pub(crate) fn new(number: u16, kind: Kind, now: Instant) -> Self {
        Self::with_config(number, kind, now, RtcConfig::new())
    }

    /// One whose str0m is configured further.
    pub(crate) fn with_config(number: u16, kind: Kind, now: Instant, config: RtcConfig) -> Self {
        let address = SocketAddr::from(([203, 0, 113, 1], 10_000 + number));
        let local = IceCreds {
            ufrag: format!("client{number}"),
            pass: format!("client-password-{number:016}"),
        };
        let mut rtc = config
            .set_local_ice_credentials(local.clone())
            .set_dtls_version(kind.dtls)
            .set_rtp_mode(true)
            .build(now);
        let candidate = Candidate::host(address, Protocol::Udp).expect("a host candidate");
        rtc.add_local_candidate(candidate);
        let mut api = rtc.direct_api();
        api.set_ice_controlling(true);
        api.declare_media("a".into(), MediaKind::Audio);
        api.declare_stream_tx(CLIENT_SSRC.into(), None, "a".into(), None);
        api.expect_stream_rx(SERVER_SSRC.into(), None, "a".into(), None);
        Self {
            peer: PeerId(u64::from(number)),
            address,
            rtc,
            due: now,
            is_connected: false,
            is_closed: false,
            failed: false,
            channels: HashMap::new(),
            data: Vec::new(),
            rtp: Vec::new(),
            said: Vec::new(),
            local,
        }
    }

    /// Its own side of the credentials, for `EnsurePeer`.
    pub(crate) fn remote_credentials(&self) -> IceCredentials {
        credentials(&self.local.ufrag, &self.local.pass)
    }

    /// Our side of the credentials for it.
    pub(crate) fn server_credentials(&self) -> IceCredentials {
        let number = self.peer.0;
        credentials(
            &format!("server{number}"),
            &format!("server-password-{number:016}"),
        )
    }

    pub(crate) fn fingerprint(&mut self) -> [u8; 32] {
        let api = self.rtc.direct_api();
        let bytes = &api.local_dtls_fingerprint().bytes;
        bytes.as_slice().try_into().expect("SHA-256 has 32 bytes")
    }

    /// What makes the server expect it.
    pub(crate) fn wanted(&mut self, kind: Kind) -> Peer {
        Peer {
            peer: self.peer,
            local: self.server_credentials(),
            remote: self.remote_credentials(),
            remote_fingerprint_sha256: self.fingerprint(),
            extensions: ExtensionIds::default(),
            transport_cc: false,
            data_channels: true,
            open_data_channels: !kind.opens_channels,
        }
    }

    /// Begins to connect.
    pub(crate) fn start(&mut self, kind: Kind, server_fingerprint: [u8; 32]) {
        self.start_dtls(server_fingerprint);
        self.start_data(kind);
    }

    /// Begins to connect without data channels.
    pub(crate) fn start_dtls(&mut self, server_fingerprint: [u8; 32]) {
        let server = self.server_credentials();
        let candidate = Candidate::host(server_address(), Protocol::Udp).expect("a candidate");
        self.rtc.add_remote_candidate(candidate);
        let mut api = self.rtc.direct_api();
        api.set_remote_ice_credentials(IceCreds {
            ufrag: server.ufrag.clone(),
            pass: server.password.expose().clone(),
        });
        api.set_remote_fingerprint(Fingerprint {
            hash_func: "sha-256".to_owned(),
            bytes: server_fingerprint.to_vec(),
        });
        api.start_dtls(true).expect("DTLS starts");
    }

    /// Begins to open data channels.
    pub(crate) fn start_data(&mut self, kind: Kind) {
        self.rtc.direct_api().start_sctp(true);
        if kind.opens_channels {
            self.open_channel("_reliable", true);
            self.open_channel("_lossy", false);
        }
    }

    pub(crate) fn open_channel(&mut self, label: &str, ordered: bool) {
        self.rtc.direct_api().create_data_channel(ChannelConfig {
            label: label.to_owned(),
            ordered,
            reliability: if ordered {
                Reliability::Reliable
            } else {
                Reliability::MaxRetransmits { retransmits: 0 }
            },
            ..ChannelConfig::default()
        });
    }

    /// Writes to an open channel; tells whether it was taken.
    pub(crate) fn write(&mut self, label: &str, message: &[u8]) -> bool {
        let id = self.channels[label];
        let mut channel = self.rtc.channel(id).expect("the channel is open");
        channel.write(true, message).expect("the channel works")
    }

    /// Sends an RTP packet of Opus.
    pub(crate) fn write_rtp(&mut self, sequence: u16, now: Instant, payload: &[u8]) {
        let packet = RtpWrite::new(
            OPUS.into(),
            u64::from(sequence).into(),
            960 * u32::from(sequence),
            now,
            payload,
        );
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx(&CLIENT_SSRC.into()).expect("it was declared");
        stream.write_rtp(packet);
    }

    /// Restarts ICE with new credentials on its side and on the server's.
    pub(crate) fn restart_ice(&mut self, server: &IceCredentials) -> IceCredentials {
        self.local = IceCreds {
            ufrag: format!("{}-again", self.local.ufrag),
            pass: format!("{}-again", self.local.pass),
        };
        let mut api = self.rtc.direct_api();
        api.set_local_ice_credentials(self.local.clone());
        api.set_remote_ice_credentials(IceCreds {
            ufrag: server.ufrag.clone(),
            pass: server.password.expose().clone(),
        });
        self.remote_credentials()
    }

    fn input(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        let receive = Receive::new(Protocol::Udp, source, self.address, datagram);
        let Ok(receive) = receive else { return };
        self.failed |= self.rtc.handle_input(Input::Receive(now, receive)).is_err();
    }

    fn turn(&mut self, now: Instant) {
        self.failed |= self.rtc.handle_input(Input::Timeout(now)).is_err();
    }

    /// Drains it, and gives what it sends.
    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(due)) => {
                    self.due = due;
                    return sent;
                }
                Ok(Output::Transmit(transmit)) => sent.push(transmit.contents.to_vec()),
                Ok(Output::Event(event)) => match event {
                    str0m::Event::Connected => self.is_connected = true,
                    str0m::Event::Closed => self.is_closed = true,
                    str0m::Event::ChannelOpen(id, label) => {
                        self.channels.insert(label, id);
                    }
                    str0m::Event::ChannelData(message) => {
                        let named = self.channels.iter().find(|(_, id)| **id == message.id);
                        let label = named.map(|(label, _)| label.clone());
                        self.data.push((label.unwrap_or_default(), message.data));
                    }
                    str0m::Event::RtpPacket(packet) => self.rtp.push(packet),
                    event => self.said.push(event),
                },
                Err(_) => {
                    self.failed = true;
                    self.due += FAR;
                    return sent;
                }
            }
        }
    }
}

/// str0m's payload type of Opus.
pub(crate) const OPUS: u8 = 111;

/// When a failed client is due.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn credentials(ufrag: &str, password: &str) -> IceCredentials {
    IceCredentials {
        ufrag: ufrag.to_owned(),
        password: Secret::new(password.to_owned()),
    }
}

/// A datagram under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct InFlight {
    at: Instant,
    sequence: u64,
    source: SocketAddr,
    destination: SocketAddr,
    bytes: Vec<u8>,
}

/// Decides about each datagram from a source to a destination: what arrives of it, in order.
type Weather = Box<dyn FnMut(SocketAddr, SocketAddr, Vec<u8>) -> Vec<Vec<u8>>>;

/// One server, its clients and the network between them.
pub(crate) struct World<S> {
    pub(crate) now: Instant,
    pub(crate) server: S,
    pub(crate) clients: Vec<Client>,
    pub(crate) events: Vec<Event>,
    pub(crate) weather: Weather,
    /// Whoever connects is admitted at once.
    pub(crate) admits: bool,
    /// The newest control plane's.
    pub(crate) generation: Generation,
    /// Address translation: a client's own address to the one that the server sees.
    pub(crate) translation: HashMap<SocketAddr, SocketAddr>,
    under_way: BinaryHeap<Reverse<InFlight>>,
    sequence: u64,
}

impl<S: Server> World<S> {
    pub(crate) fn new(now: Instant, server: S) -> Self {
        Self {
            now,
            server,
            clients: Vec::new(),
            events: Vec::new(),
            weather: Box::new(|_, _, bytes| vec![bytes]),
            admits: true,
            generation: Generation(1),
            translation: HashMap::new(),
            under_way: BinaryHeap::new(),
            sequence: 0,
        }
    }

    /// Works on the server; what it sends goes on its way.
    pub(crate) fn with_server<T>(
        &mut self,
        work: impl FnOnce(&mut S, Instant, &mut Outgoing) -> T,
    ) -> T {
        let mut outgoing = Outgoing::default();
        let result = work(&mut self.server, self.now, &mut outgoing);
        while let Some(event) = self.server.take_event() {
            if let Event::PeerConnected { peer, .. } = event
                && self.admits
            {
                let by = self.generation;
                self.server.admit(self.now, by, peer, &mut outgoing);
            }
            // The forwarder's, every few seconds; nothing here looks at them.
            if !matches!(event, Event::Statistics { .. }) {
                self.events.push(event);
            }
        }
        for (path, bytes) in outgoing.sent {
            self.post(path.local, path.remote, bytes);
        }
        result
    }

    /// Works on a client as its application; what it sends goes on its way.
    pub(crate) fn with_client<T>(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Client) -> T,
    ) -> T {
        let result = work(&mut self.clients[index]);
        let now = self.now;
        self.clients[index].turn(now);
        self.settle(index);
        result
    }

    /// Sends bytes to the server from anywhere.
    pub(crate) fn inject(&mut self, source: SocketAddr, bytes: &[u8]) {
        let path = Path {
            local: server_address(),
            remote: source,
        };
        let mut bytes = bytes.to_vec();
        self.with_server(|server, now, sink| server.receive(now, path, &mut bytes, sink));
    }

    /// Goes on for `time`.
    pub(crate) fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Goes on until `done` or for `time`. Tells whether it is done.
    pub(crate) fn run_until(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + time;
        loop {
            if done(self) {
                return true;
            }
            let clients = self.clients.iter().map(|client| client.due).min();
            let server = self.server.due();
            let datagram = self.under_way.peek().map(|Reverse(first)| first.at);
            let Some(next) = clients.into_iter().chain(server).chain(datagram).min() else {
                return false;
            };
            if next > end {
                self.now = end;
                return false;
            }
            self.now = self.now.max(next);
            self.step(server, datagram);
        }
    }

    fn step(&mut self, server: Option<Instant>, datagram: Option<Instant>) {
        let now = self.now;
        if datagram.is_some_and(|at| at <= now) {
            if let Some(Reverse(arrived)) = self.under_way.pop() {
                self.deliver(arrived);
            }
        } else if server.is_some_and(|at| at <= now) {
            self.with_server(Server::timeout);
        } else {
            for index in 0..self.clients.len() {
                if self.clients[index].due <= now {
                    self.clients[index].turn(now);
                    self.settle(index);
                }
            }
        }
    }

    fn settle(&mut self, index: usize) {
        let source = self.clients[index].address;
        for bytes in self.clients[index].drain() {
            self.post(source, server_address(), bytes);
        }
    }

    fn post(&mut self, source: SocketAddr, destination: SocketAddr, bytes: Vec<u8>) {
        for bytes in (self.weather)(source, destination, bytes) {
            self.sequence += 1;
            self.under_way.push(Reverse(InFlight {
                at: self.now + ONE_WAY,
                sequence: self.sequence,
                source,
                destination,
                bytes,
            }));
        }
    }

    fn deliver(&mut self, mut datagram: InFlight) {
        let now = self.now;
        if datagram.destination == server_address() {
            let seen = self.translation.get(&datagram.source);
            let path = Path {
                local: datagram.destination,
                remote: seen.copied().unwrap_or(datagram.source),
            };
            self.with_server(|server, now, sink| {
                server.receive(now, path, &mut datagram.bytes, sink);
            });
            return;
        }
        let translated = |client: &Client| {
            let seen = self.translation.get(&client.address);
            seen.copied().unwrap_or(client.address)
        };
        let index = self
            .clients
            .iter()
            .position(|client| translated(client) == datagram.destination);
        if let Some(index) = index {
            self.clients[index].input(now, datagram.source, &datagram.bytes);
            self.settle(index);
        }
    }
}

impl World<Core> {
    /// Adds a client that the server expects, and begins to connect it.
    pub(crate) fn join(&mut self, kind: Kind, server_fingerprint: [u8; 32]) -> usize {
        let number = u16::try_from(self.clients.len() + 1).expect("few clients");
        let mut client = Client::new(number, kind, self.now);
        let wanted = client.wanted(kind);
        client.start(kind, server_fingerprint);
        self.clients.push(client);
        self.command(frame(Command::EnsurePeer(Box::new(wanted))));
        self.clients.len() - 1
    }

    pub(crate) fn command(&mut self, command: CommandFrame) {
        self.generation = self.generation.max(command.generation);
        self.with_server(|core, now, sink| core.handle_command(now, command, sink));
    }
}

/// Time that a datagram takes.
const ONE_WAY: Duration = Duration::from_millis(5);
