//! A whole worker in memory with clients that shook hands with it and their traffic, in virtual
//! time: what cost is measured on. The same load gives the same datagrams but for keys.

mod client;
mod traffic;

use bedside_core::forwarder::RelayBatch;
use bedside_core::{Certificate, Clock, Core, CoreConfig, Datagram, PacketSink, Path};
use bedside_protocol::{
    Codec, Command, CommandFrame, Encoding, ExtensionIds, Generation, Layer, Mid, PayloadTypes,
    PeerId, Policy, Relay, RoomId, Subscription, Track, TrackId, VideoContent, WorkerId,
};
use client::{Client, SERVER};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// A worker, everybody who is connected to it, and what they will send next.
pub(crate) struct LoadedWorker {
    worker: WorkerId,
    pub(crate) core: Core,
    pub(crate) sink: Discard,
    /// Virtual time: of the last wake-up.
    pub(crate) now: Instant,
    clients: Vec<Client>,
    publications: Vec<Publication>,
    receptions: Vec<Reception>,
    due: BinaryHeap<Reverse<(Instant, usize, Duty)>>,
    /// Wake-ups to come, in order.
    wakeups: Vec<Wakeup>,
    /// Where virtual time began, and until when wake-ups were made.
    began: Instant,
    prepared: Instant,
    /// Empty between wake-ups; kept for its memory.
    datagrams: Vec<Datagram<'static>>,
    /// What it has for other workers, since somebody took it.
    relayed: Vec<(Instant, WorkerId, Box<RelayBatch>)>,
}

/// Names a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Participant(usize);

/// Names what a client publishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Published(usize);

/// What a client publishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Media {
    /// Opus: a packet of 100 bytes every 20 ms.
    Audio,
    /// VP8, 30 frames a second: packets of each frame, and bytes of each packet on the wire.
    Video { packets: u16, bytes: usize },
}

impl Media {
    fn interval(self) -> Duration {
        match self {
            Self::Audio => Duration::from_millis(20),
            Self::Video { .. } => Duration::from_micros(33_333),
        }
    }

    fn codec(self) -> Codec {
        match self {
            Self::Audio => Codec::Opus,
            Self::Video { .. } => Codec::Vp8,
        }
    }

    fn payload_types(self) -> PayloadTypes {
        match self {
            Self::Audio => PayloadTypes {
                media: 111,
                rtx: None,
            },
            Self::Video { .. } => PayloadTypes {
                media: 96,
                rtx: Some(97),
            },
        }
    }
}

struct Publication {
    /// `None`: on another worker.
    publisher: Option<usize>,
    track: TrackId,
    media: Media,
    ssrc: u32,
    /// SRTP index of its next packet.
    index: u64,
    frame: u32,
}

struct Reception {
    subscriber: usize,
    publication: usize,
    ssrc: u32,
}

/// What a client does at its time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    /// The next packet or frame of a publication.
    Publish,
    /// Sender and receiver reports, once a second.
    Report,
    /// Transport-wide feedback, ten times a second.
    Feedback,
    /// A connectivity check, every 2.5 s as Chromium does it.
    Check,
}

struct Wakeup {
    at: Instant,
    datagrams: Vec<(Path, Vec<u8>)>,
}

/// Packet memory that is written to and forgotten.
pub(crate) struct Discard {
    memory: Vec<u8>,
    used: usize,
    path: Path,
    pub(crate) packets: u64,
    /// What was sent, while somebody wants to know.
    pub(crate) kept: Option<Vec<(Path, Vec<u8>)>>,
    /// What each client has received and not fed back: transport-wide numbers, and when they were
    /// sent, in microseconds of virtual time.
    heard: Vec<Vec<(u16, u32)>>,
    now_us: u32,
}

impl PacketSink for Discard {
    fn reserve(&mut self, path: Path, bytes_max: usize) -> Option<&mut [u8]> {
        self.path = path;
        if self.used + bytes_max > self.memory.len() {
            self.used = 0;
        }
        self.memory.get_mut(self.used..self.used + bytes_max)
    }

    fn commit(&mut self, bytes: usize) {
        if let Some(kept) = &mut self.kept {
            let written = &self.memory[self.used..self.used + bytes];
            kept.push((self.path, written.to_vec()));
        }
        if let Some(heard) = self.heard.get_mut(client::number_of(self.path.remote))
            && heard.len() < HEARD_MAX
            && let Some(number) = transport_number(&self.memory[self.used..])
        {
            heard.push((number, self.now_us));
        }
        self.used += bytes;
        self.packets += 1;
    }
}

impl LoadedWorker {
    /// A worker that nobody uses yet. `now` is where its virtual time begins.
    pub(crate) fn new(now: Instant) -> Self {
        Self::numbered(WorkerId(0), now)
    }

    /// One of several workers.
    pub(crate) fn numbered(worker: WorkerId, now: Instant) -> Self {
        let certificate = Certificate::generate().expect("the module works");
        Self {
            worker,
            core: Core::new(CoreConfig {
                worker,
                addresses: vec![SERVER],
                policy: Policy::default(),
                certificate,
                seed: [1; 32],
                clock: Clock {
                    instant: now,
                    unix_us: 1_800_000_000_000_000,
                },
            }),
            sink: Discard {
                memory: vec![0; 256 << 10],
                used: 0,
                path: Path {
                    local: SERVER,
                    remote: SERVER,
                },
                packets: 0,
                kept: None,
                heard: Vec::new(),
                now_us: 0,
            },
            now,
            clients: Vec::new(),
            publications: Vec::new(),
            receptions: Vec::new(),
            due: BinaryHeap::new(),
            wakeups: Vec::new(),
            began: now,
            prepared: now,
            datagrams: Vec::new(),
            relayed: Vec::new(),
        }
    }

    /// Makes `count` rooms of two, where both send audio and video and see and hear each other.
    pub(crate) fn consults(&mut self, count: u64) {
        let video = Media::Video {
            packets: 4,
            bytes: 1_200,
        };
        for number in 0..count {
            let room = RoomId(1_000_000 + number);
            let [one, other] = [self.join(room), self.join(room)];
            for (from, to) in [(one, other), (other, one)] {
                for media in [Media::Audio, video] {
                    let published = self.publish(from, media);
                    self.subscribe(to, published);
                }
            }
        }
    }

    /// Connects a client: ICE, DTLS, keys.
    pub(crate) fn join(&mut self, room: RoomId) -> Participant {
        self.command(room, Command::EnsureRoom);
        let number = self.clients.len();
        let mut client = Client::new(number, room);
        let wanted = client.wanted(ExtensionIds {
            mid: Some(1),
            transport_cc: Some(TRANSPORT_CC),
            abs_send_time: Some(3),
            audio_level: Some(4),
            ..ExtensionIds::default()
        });
        self.command(room, Command::EnsurePeer(Box::new(wanted)));
        self.sink.kept = Some(Vec::new());
        client.connect(self.now, &mut self.core, &mut self.sink);
        self.sink.kept = None;
        self.sink.heard.push(Vec::with_capacity(HEARD_MAX));
        self.command(room, Command::AdmitPeer { peer: client.peer });
        self.drain_events();
        self.clients.push(client);
        let offset = spread(number);
        for (duty, interval) in [
            (Duty::Report, REPORT_INTERVAL),
            (Duty::Feedback, FEEDBACK_INTERVAL),
            (Duty::Check, CHECK_INTERVAL),
        ] {
            let first = self.now + interval.mul_f64(offset);
            self.due.push(Reverse((first, number, duty)));
        }
        Participant(number)
    }

    pub(crate) fn publish(&mut self, publisher: Participant, media: Media) -> Published {
        self.publish_to(publisher, media, Vec::new())
    }

    /// Publishes what is received on other workers too.
    pub(crate) fn publish_to(
        &mut self,
        publisher: Participant,
        media: Media,
        workers: Vec<WorkerId>,
    ) -> Published {
        let Client { room, peer, .. } = self.clients[publisher.0];
        let published = self.publication(room, peer, media, Relay::To(workers));
        self.publications[published.0].publisher = Some(publisher.0);
        let first = self.now + media.interval().mul_f64(spread(published.0));
        self.due.push(Reverse((first, published.0, Duty::Publish)));
        published
    }

    /// What `origin` relays here: its publication of the same number.
    pub(crate) fn relayed_from(
        &mut self,
        origin: WorkerId,
        room: RoomId,
        media: Media,
    ) -> Published {
        self.command(room, Command::EnsureRoom);
        self.publication(room, PeerId(u64::MAX), media, Relay::From(origin))
    }

    fn publication(
        &mut self,
        room: RoomId,
        publisher: PeerId,
        media: Media,
        relay: Relay,
    ) -> Published {
        let number = self.publications.len();
        let publication = Publication {
            publisher: None,
            track: TrackId(u64::try_from(number + 1).expect("few tracks")),
            media,
            ssrc: 0x1000_0000 + u32::try_from(number).expect("few tracks"),
            index: 1_000,
            frame: 0,
        };
        let track = Track {
            track: publication.track,
            publisher,
            mid: Mid::new(&(number % 100).to_string()).expect("short"),
            codec: media.codec(),
            payload_types: media.payload_types(),
            red_payload_type: None,
            encodings: vec![Encoding {
                layer: Layer::Low,
                rid: None,
                ssrc: Some(publication.ssrc),
                rtx_ssrc: None,
            }],
            nack: true,
            full_intra: false,
            muted: false,
            content: VideoContent::Camera,
            relay,
        };
        self.publications.push(publication);
        self.command(room, Command::EnsureTrack(track));
        Published(number)
    }

    pub(crate) fn subscribe(&mut self, subscriber: Participant, published: Published) {
        let client = &self.clients[subscriber.0];
        let publication = &self.publications[published.0];
        let media = publication.media;
        let ssrc = 0x2000_0000 + 2 * u32::try_from(self.receptions.len()).expect("few");
        let subscription = Subscription {
            subscriber: client.peer,
            track: publication.track,
            mid: Mid::new(&(self.receptions.len() % 100).to_string()).expect("short"),
            ssrc,
            rtx_ssrc: media.payload_types().rtx.map(|_| ssrc + 1),
            payload_types: media.payload_types(),
            red_payload_type: None,
            nack: media != Media::Audio,
            layer_max: Layer::High,
            paused: false,
            priority: 0,
            frame_rate_max: None,
        };
        let room = client.room;
        self.receptions.push(Reception {
            subscriber: subscriber.0,
            publication: published.0,
            ssrc,
        });
        self.command(room, Command::EnsureSubscription(subscription));
    }

    fn command(&mut self, room: RoomId, command: Command) {
        let frame = CommandFrame {
            generation: Generation(1),
            worker: self.worker,
            room,
            command,
        };
        self.core.handle_command(self.now, frame, &mut self.sink);
    }

    /// Goes through the wake-ups that were prepared, as a worker does. Allocates nothing itself.
    pub(crate) fn run(&mut self) {
        for wakeup in &mut self.wakeups {
            while let Some(due) = self.core.poll_timeout()
                && due < wakeup.at
            {
                self.sink.now_us = micros(due - self.began);
                self.core.handle_timeout(due, &mut self.sink);
            }
            self.sink.now_us = micros(wakeup.at - self.began);
            let mut datagrams = emptied(std::mem::take(&mut self.datagrams));
            datagrams.extend(wakeup.datagrams.iter_mut().map(|(path, payload)| Datagram {
                path: *path,
                payload,
            }));
            self.core
                .handle_batch(wakeup.at, &mut datagrams, &mut self.sink);
            self.datagrams = emptied(datagrams);
            self.now = wakeup.at;
            while let Some((to, batch)) = self.core.poll_relay() {
                self.relayed.push((wakeup.at, to, batch));
            }
        }
    }

    /// Takes what `origin` has for this worker, as the worker does, and gives it back.
    pub(crate) fn run_relayed(&mut self, origin: &mut Self) {
        for (at, to, batch) in origin.relayed.drain(..) {
            if to == self.worker {
                while let Some(due) = self.core.poll_timeout()
                    && due < at
                {
                    self.sink.now_us = micros(due - self.began);
                    self.core.handle_timeout(due, &mut self.sink);
                }
                self.sink.now_us = micros(at - self.began);
                self.core
                    .handle_relayed(at, origin.worker, &batch, &mut self.sink);
                self.now = at;
            }
            origin.core.take_back(to, batch);
        }
        while let Some((to, batch)) = self.core.poll_relay() {
            let (now, sink) = (origin.now, &mut origin.sink);
            origin.core.handle_relayed(now, self.worker, &batch, sink);
            self.core.take_back(to, batch);
        }
    }

    /// Forgets what happened, as a worker does after each batch.
    pub(crate) fn drain_events(&mut self) -> usize {
        std::iter::from_fn(|| self.core.poll_event()).count()
    }

    /// Media packets forwarded so far.
    pub(crate) fn forwarded(&self) -> u64 {
        self.core.statistics().forwarder.forwarded
    }
}

/// The memory of `used` for other borrows: there is nothing in it to convert.
fn emptied<'to>(mut used: Vec<Datagram<'_>>) -> Vec<Datagram<'to>> {
    used.clear();
    used.into_iter().map_while(|_| None).collect()
}

/// The transport-wide number of a sealed packet, whose header is in the clear: the last of up to
/// three elements of one byte's form. `None` for what is no RTP.
fn transport_number(packet: &[u8]) -> Option<u16> {
    // Version 2 with an extension, padded or not.
    if packet[0] & !0x20 != 0x90 || (192..=223).contains(&packet[1]) {
        return None;
    }
    let mut at = 16;
    loop {
        let head = packet[at];
        if head >> 4 == TRANSPORT_CC {
            return Some(u16::from_be_bytes([packet[at + 1], packet[at + 2]]));
        }
        if head == 0 {
            return None;
        }
        at += usize::from(head & 0x0f) + 2;
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).expect("a short run")
}

/// Where in an interval the `number`th begins: the golden ratio leaves no two together.
fn spread(number: usize) -> f64 {
    (number as f64 * 0.618_033_988_75).fract()
}

/// The id that clients negotiated for transport-wide numbers.
const TRANSPORT_CC: u8 = 2;

/// Packets that a client remembers until it feeds back: more than 100 ms of any load here.
const HEARD_MAX: usize = 256;

const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);
const CHECK_INTERVAL: Duration = Duration::from_millis(2_500);

/// When a load begins.
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant has no other source; all that follows is counted from it"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// Processor time of this thread: the machine does other things too.
pub(crate) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("not negative")
}
