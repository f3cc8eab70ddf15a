//! Any number of participants on one thread.

mod crowd;
mod drops;
mod joining;
mod turn;

use super::Error;
use super::dtls::Certificate;
use super::participant::{Participant, Published, State};
use super::socket::{ReceiveMemory, Socket};
use super::srtp::Keys;
use super::timer::Timer;
use super::workplace::Workplace;
use crate::measure::{Board, StreamReceiver};
use crate::media::Source;
use crate::pacing::{Clock, Schedule};
use crate::scenario::TrackSpec;
use bedside_protocol::{MediaKind, PeerId, TrackId};
pub(super) use joining::{Wish, payload_type};
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use turn::{Due, Step};

/// How a fleet works.
#[derive(Clone, Copy, Debug)]
pub struct FleetConfig {
    /// The processor that the calling thread is pinned to, counted from 0; `None`: wherever the
    /// kernel puts it.
    pub processor: Option<usize>,
    /// What becomes of received media.
    pub sinks: Sinks,
    /// What is drawn at random follows from it, but for ICE credentials.
    pub seed: u64,
}

/// What becomes of received media.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sinks {
    /// It is read, and one packet in so many is opened for its stamp (1: every one).
    Read {
        /// 0 counts as 1.
        open_one_in: u32,
    },
    /// The kernel drops it, but for one message in so many, which is opened, and one in 8,192
    /// packets.
    DropInKernel {
        /// 0 counts as 1.
        pass_one_in: u32,
    },
}

/// A participant of a fleet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ParticipantId(pub(super) usize);

/// A track that a participant publishes.
#[derive(Clone, PartialEq, Debug)]
pub struct Publication {
    /// What it is like.
    pub track: TrackSpec,
    /// SSRC of its lowest layer; the higher ones have the next numbers.
    pub ssrc: u32,
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
}

/// A stream that a participant receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reception {
    /// With this SSRC.
    pub ssrc: u32,
    /// Audio or video.
    pub kind: MediaKind,
    /// RTP clock rate, Hz.
    pub clock_hz: u32,
}

/// A participant that joined through a data plane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// In the fleet.
    pub participant: ParticipantId,
    /// Its name for the data plane.
    pub peer: PeerId,
    /// What the data plane calls its publications, in their order.
    pub tracks: Vec<TrackId>,
}

/// What arrived at a fleet since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Delivered {
    /// Packets, without duplicates. With [`Sinks::DropInKernel`] those that the sequence numbers
    /// say were sent before the last one that was let through: late by about as many messages as
    /// are dropped between two, so differences over seconds are right.
    pub packets: u64,
    /// Their bytes, from the RTP header to the tag.
    pub bytes: u64,
    /// What the kernel dropped at the sockets that are open, in its own units. With
    /// [`Sinks::DropInKernel`] that is messages, dropped on purpose; with [`Sinks::Read`] anything
    /// but 0 means that the fleet was too slow.
    pub dropped_in_kernel: u64,
}

/// What happened to a participant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum News {
    /// It can send and receive.
    Joined(ParticipantId),
    /// Its transport ended.
    Ended(ParticipantId),
}

/// Any number of participants on the thread that calls.
pub struct Fleet {
    clock: Clock,
    poll: Poll,
    events: Events,
    timer: Timer,
    /// When the timer is set to.
    timer_ns: u64,
    certificate: Certificate,
    participants: Vec<Option<Box<Participant>>>,
    /// Frames, by media time: monotonic time without that in which the fleet was not running.
    media: Schedule<(usize, usize)>,
    /// Everything else, by monotonic time.
    timers: Schedule<Due>,
    /// Handshakes, step by step between frames.
    steps: VecDeque<Step>,
    news: VecDeque<News>,
    /// Monotonic time minus media time.
    idle_ns: u64,
    /// Since when the fleet is not running.
    idle_since_ns: Option<u64>,
    work: Workplace,
    memory: ReceiveMemory,
    next_ssrc: u32,
    next_seed: u64,
}

const TIMER: Token = Token(usize::MAX);

/// Events that one look at the poll takes.
const EVENTS_MAX: usize = 1_024;

impl Fleet {
    /// A fleet without participants. It belongs to the calling thread, which is pinned.
    ///
    /// # Errors
    /// The host gives no poll, timer or certificate, or has no such processor.
    pub fn new(config: FleetConfig) -> Result<Self, Error> {
        let host = |doing| move |source| Error::Host { doing, source };
        if let Some(processor) = config.processor {
            let mut set = CpuSet::new();
            set.set(processor);
            sched_setaffinity(None, &set)
                .map_err(|errno| host("pinning the generator to a processor")(errno.into()))?;
        }
        raise_file_limit();
        let poll = Poll::new().map_err(host("making a poll"))?;
        let timer = Timer::new(poll.registry(), TIMER).map_err(host("making a timer"))?;
        let certificate =
            Certificate::generate().ok_or(Error::Handshake("no certificate can be made"))?;
        Ok(Self {
            clock: Clock::new(),
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            timer,
            timer_ns: 0,
            certificate,
            participants: Vec::new(),
            media: Schedule::new(),
            timers: Schedule::new(),
            steps: VecDeque::new(),
            news: VecDeque::new(),
            idle_ns: 0,
            idle_since_ns: Some(Clock::now_ns()),
            work: Workplace::new(config.sinks, config.seed),
            memory: ReceiveMemory::new(),
            next_ssrc: 0x4000_0000,
            next_seed: config.seed,
        })
    }

    /// Adds a participant whose keys are given instead of made by a handshake. It begins to send in
    /// [`run_for`](Self::run_for).
    ///
    /// # Errors
    /// The host gives no socket, or the keys or tracks cannot be used.
    pub fn add_pair(
        &mut self,
        remote: SocketAddr,
        keys: Keys,
        publishes: Vec<Publication>,
        receives: Vec<Reception>,
    ) -> Result<ParticipantId, Error> {
        let socket = connected(remote)?;
        self.insert_pair(socket, &keys, &publishes, &receives)
    }

    /// The same for a server whose address is known later: [`set_remote`](Self::set_remote) says it.
    /// `local` is the address to receive at.
    ///
    /// # Errors
    /// As for [`add_pair`](Self::add_pair).
    pub fn add_waiting_pair(
        &mut self,
        local: IpAddr,
        keys: Keys,
        publishes: Vec<Publication>,
        receives: Vec<Reception>,
    ) -> Result<ParticipantId, Error> {
        let socket = Socket::bound(local).map_err(|source| Error::Host {
            doing: "opening a socket",
            source,
        })?;
        self.insert_pair(socket, &keys, &publishes, &receives)
    }

    /// Says where a participant of [`add_waiting_pair`](Self::add_waiting_pair) sends to.
    ///
    /// # Errors
    /// The host cannot reach that address, or there is no such participant.
    pub fn set_remote(
        &mut self,
        participant: ParticipantId,
        remote: SocketAddr,
    ) -> Result<(), Error> {
        let participant = self
            .participants
            .get_mut(participant.0)
            .and_then(Option::as_mut)
            .ok_or(Error::NotConnected("there is no such participant"))?;
        participant
            .socket
            .connect(remote)
            .map_err(|source| Error::Host {
                doing: "connecting a socket",
                source,
            })
    }

    /// Where a participant receives.
    #[must_use]
    pub fn local_address(&self, participant: ParticipantId) -> Option<SocketAddr> {
        let participant = self.participants.get(participant.0)?.as_ref()?;
        Some(participant.socket.local())
    }

    /// Sends and receives for so long, and reports to the board every second and at the end.
    ///
    /// # Errors
    /// The poll failed.
    pub fn run_for(&mut self, duration: Duration, board: &Arc<Board>) -> Result<(), Error> {
        let end_ns = Clock::now_ns() + nanoseconds(duration);
        self.resume();
        while Clock::now_ns() < end_ns {
            self.turn(end_ns)?;
            self.work.recorder.report_to(board, Clock::now_ns());
        }
        self.work.recorder.report_now(board, Clock::now_ns());
        self.pause();
        Ok(())
    }

    /// Reports what was measured at once.
    pub(super) fn report(&mut self, board: &Board) {
        self.work.recorder.report_now(board, Clock::now_ns());
    }

    /// The same, at most once a second.
    pub(super) fn report_if_due(&mut self, board: &Board) {
        self.work.recorder.report_to(board, Clock::now_ns());
    }

    /// Something outside the fleet failed.
    pub(super) fn failed(&mut self, what: &str) {
        self.work.recorder.failed(what);
    }

    /// What happened to participants that joined through a data plane, oldest first.
    pub(super) fn news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Receives for so long without sending media: what is on its way arrives.
    ///
    /// # Errors
    /// The poll failed.
    pub fn settle(&mut self, duration: Duration) -> Result<(), Error> {
        let end_ns = Clock::now_ns() + nanoseconds(duration);
        while Clock::now_ns() < end_ns {
            self.turn(end_ns)?;
        }
        Ok(())
    }

    /// What arrived so far.
    #[must_use]
    pub fn delivered(&self) -> Delivered {
        let (packets, bytes) = self.work.recorder.delivered();
        let sockets = self.participants.iter().flatten();
        let addresses: Vec<SocketAddr> = sockets.map(|it| it.socket.local()).collect();
        Delivered {
            packets,
            bytes,
            dropped_in_kernel: drops::in_kernel(&addresses),
        }
    }

    fn insert_pair(
        &mut self,
        socket: Socket,
        keys: &Keys,
        publishes: &[Publication],
        receives: &[Reception],
    ) -> Result<ParticipantId, Error> {
        let mut participant = self.participant(socket, publishes)?;
        participant.take_keys(keys)?;
        let now_ns = Clock::now_ns();
        for reception in receives {
            let receiver = StreamReceiver::new(reception.kind, reception.clock_hz, now_ns);
            participant.receive_stream(reception.ssrc, receiver);
        }
        let id = self.insert(participant)?;
        self.joined(id, now_ns);
        Ok(id)
    }

    /// A participant that is not in the fleet yet.
    fn participant(
        &mut self,
        socket: Socket,
        publishes: &[Publication],
    ) -> Result<Box<Participant>, Error> {
        let mut publications = Vec::with_capacity(publishes.len());
        for publication in publishes {
            self.next_seed = self.next_seed.wrapping_add(1);
            publications.push(Published::new(Source::new(
                &publication.track,
                publication.ssrc,
                publication.payload_type,
                self.next_seed,
            )?));
        }
        let ssrc = self.ssrc();
        Ok(Box::new(Participant::new(socket, publications, ssrc)))
    }

    /// An SSRC that nothing else of this fleet has.
    pub(super) fn ssrc(&mut self) -> u32 {
        // Room for the layers of a track.
        self.next_ssrc = self.next_ssrc.wrapping_add(16);
        self.next_ssrc
    }

    fn insert(&mut self, mut participant: Box<Participant>) -> Result<ParticipantId, Error> {
        let host = |doing| move |source| Error::Host { doing, source };
        let id = self.participants.len();
        participant.id = id;
        if let Sinks::DropInKernel { pass_one_in } = self.work.sinks {
            participant
                .socket
                .drop_media(pass_one_in)
                .map_err(host("attaching a socket filter"))?;
        }
        self.poll
            .registry()
            .register(participant.socket.source(), Token(id), Interest::READABLE)
            .map_err(host("watching a socket"))?;
        self.participants.push(Some(participant));
        Ok(ParticipantId(id))
    }

    /// A participant has keys: it begins to send now or when the fleet runs.
    fn joined(&mut self, id: ParticipantId, now_ns: u64) {
        self.timers
            .push(now_ns + turn::REPORT_INTERVAL_NS, Due::Reports(id.0));
        if self.idle_since_ns.is_none() {
            self.begin_media(id.0, now_ns);
        }
    }

    fn begin_media(&mut self, id: usize, now_ns: u64) {
        let began_ns = now_ns - self.idle_ns;
        let Some(participant) = self.participants.get_mut(id).and_then(Option::as_mut) else {
            return;
        };
        if participant.state != State::Joined {
            return;
        }
        for (place, published) in participant.publications.iter_mut().enumerate() {
            if published.began_ns.is_none() {
                published.began_ns = Some(began_ns);
                let due_ns = began_ns + nanoseconds(published.source.next_due());
                self.media.push(due_ns, (id, place));
            }
        }
    }

    /// Media time goes on, and participants that have not begun to send do.
    pub(super) fn resume(&mut self) {
        let now_ns = Clock::now_ns();
        if let Some(since_ns) = self.idle_since_ns.take() {
            self.idle_ns += now_ns - since_ns;
        }
        for id in 0..self.participants.len() {
            self.begin_media(id, now_ns);
        }
    }

    /// Media time stands still.
    pub(super) fn pause(&mut self) {
        self.idle_since_ns.get_or_insert_with(Clock::now_ns);
    }
}

fn connected(remote: SocketAddr) -> Result<Socket, Error> {
    Socket::connected(remote).map_err(|source| Error::Host {
        doing: "opening a socket",
        source,
    })
}

/// A socket a participant: as many as the host allows. Fewer show when one cannot be opened.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if setrlimit(Resource::Nofile, raised).is_err() {
        // The limit stays what it was.
    }
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
