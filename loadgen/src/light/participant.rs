//! One participant: its socket, its keys, what it sends and what it receives.

use super::network::{Delayed, Direction, Fate, Impairment};
use super::repair::{Gaps, SentPackets};
use super::rtcp::{self, Block, Request};
use super::socket::Socket;
use super::srtp::{Keys, SRTCP_OVERHEAD_BYTES, Session, TAG_BYTES};
use super::transport::Transport;
use super::{Error, Sinks};
use crate::measure::{Arrival, Recorder, StreamReceiver};
use crate::media::{Source, Stamp};
use crate::pacing::Schedule;
use bedside_protocol::MediaKind;

/// One participant.
#[derive(Debug)]
pub(super) struct Participant {
    /// Its place in the fleet.
    pub(super) id: usize,
    pub(super) socket: Socket,
    /// What its network does to datagrams, if anything. On a bad network it asks for what it
    /// misses, and sends again what it is asked for.
    pub(super) impairment: Option<Impairment>,
    sent: SentPackets,
    /// Whether a look at what is missing is due.
    pub(super) looks_for_gaps: bool,
    sessions: Option<Sessions>,
    pub(super) transport: Option<Transport>,
    pub(super) publications: Vec<Published>,
    streams: Streams,
    /// What it calls itself in RTCP.
    ssrc: u32,
    pub(super) state: State,
    /// When it was asked to join.
    pub(super) wanted_ns: u64,
}

/// How far a participant is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Its handshake is under way.
    Joining,
    /// It has keys.
    Joined,
    /// Its handshake failed, or its transport ended.
    Ended(&'static str),
}

#[derive(Debug)]
struct Sessions {
    seal: Session,
    open: Session,
}

/// A track that it sends.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) source: Source,
    /// When the source began, in the fleet's media time; `None` before.
    pub(super) began_ns: Option<u64>,
    /// Packet index of the next packet of each layer (RFC 3711 §3.3.1).
    indices: Vec<Option<u64>>,
}

impl Published {
    pub(super) fn new(source: Source) -> Self {
        let indices = vec![None; source.layers().into()];
        Self {
            source,
            began_ns: None,
            indices,
        }
    }
}

/// The streams that it receives. There are one to a few hundred, and packets of one come in trains.
#[derive(Debug, Default)]
struct Streams {
    /// Ascending.
    ssrcs: Vec<u32>,
    streams: Vec<Stream>,
    last: usize,
}

#[derive(Debug)]
struct Stream {
    receiver: StreamReceiver,
    /// Whether a packet was opened: then the rollover counter is known.
    is_opened: bool,
    gaps: Gaps,
    reported: Reported,
}

/// What the last receiver report said.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    expected: u64,
    received: u64,
}

impl Streams {
    fn find(&mut self, ssrc: u32) -> Option<&mut Stream> {
        if self.ssrcs.get(self.last) != Some(&ssrc) {
            self.last = self.ssrcs.binary_search(&ssrc).ok()?;
        }
        self.streams.get_mut(self.last)
    }

    fn insert(&mut self, ssrc: u32, receiver: StreamReceiver) {
        let stream = Stream {
            receiver,
            is_opened: false,
            gaps: Gaps::default(),
            reported: Reported::default(),
        };
        match self.ssrcs.binary_search(&ssrc) {
            Ok(place) => self.streams[place] = stream,
            Err(place) => {
                self.ssrcs.insert(place, ssrc);
                self.streams.insert(place, stream);
            }
        }
    }

    fn remove(&mut self, ssrc: u32) -> Option<StreamReceiver> {
        let place = self.ssrcs.binary_search(&ssrc).ok()?;
        self.ssrcs.remove(place);
        Some(self.streams.remove(place).receiver)
    }
}

/// What all participants of a fleet work with.
#[derive(Debug)]
pub(super) struct Workplace {
    pub(super) recorder: Recorder,
    /// Where packets are written.
    pub(super) scratch: Vec<u8>,
    pub(super) sampler: Sampler,
    pub(super) sinks: Sinks,
    /// Datagrams on bad networks, by monotonic time.
    pub(super) delayed: Schedule<Delayed>,
    /// How many there were.
    pub(super) delayed_count: u64,
}

impl Workplace {
    pub(super) fn new(sinks: Sinks, seed: u64) -> Self {
        Self {
            recorder: Recorder::new(),
            scratch: Vec::with_capacity(1 << 16),
            sampler: Sampler::new(seed),
            sinks,
            delayed: Schedule::new(),
            delayed_count: 0,
        }
    }

    /// Lets a datagram go on later.
    pub(super) fn delay(
        &mut self,
        due_ns: u64,
        participant: usize,
        direction: Direction,
        datagram: &[u8],
    ) {
        self.delayed_count += 1;
        let delayed = Delayed {
            order: self.delayed_count,
            participant,
            direction,
            datagram: datagram.to_vec(),
        };
        self.delayed.push(due_ns, delayed);
    }
}

/// Chooses which packets are opened: at random, so that no rhythm of the media is followed.
#[derive(Clone, Debug)]
pub(super) struct Sampler {
    state: u64,
    skip: u32,
}

impl Sampler {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: seed | 1,
            skip: 0,
        }
    }

    /// Whether this one is among the one in `one_in`.
    fn chooses(&mut self, one_in: u32) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        // xorshift64: quality does not matter, speed does.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let span = 2 * u64::from(one_in.max(1)) - 1;
        #[expect(clippy::cast_possible_truncation, reason = "less than 2^32")]
        let skip = (self.state % span) as u32;
        self.skip = skip;
        true
    }
}

impl Participant {
    pub(super) fn new(socket: Socket, publications: Vec<Published>, ssrc: u32) -> Self {
        Self {
            id: 0,
            socket,
            impairment: None,
            sent: SentPackets::default(),
            looks_for_gaps: false,
            sessions: None,
            transport: None,
            publications,
            streams: Streams::default(),
            ssrc,
            state: State::Joining,
            wanted_ns: 0,
        }
    }

    /// Takes the keys that it seals and opens with.
    pub(super) fn take_keys(&mut self, keys: &Keys) -> Result<(), Error> {
        self.sessions = Some(Sessions {
            seal: Session::new(keys.profile, &keys.send)?,
            open: Session::new(keys.profile, &keys.receive)?,
        });
        self.state = State::Joined;
        Ok(())
    }

    /// Follows a stream from now on.
    pub(super) fn receive_stream(&mut self, ssrc: u32, receiver: StreamReceiver) {
        self.streams.insert(ssrc, receiver);
    }

    /// A stream ends.
    pub(super) fn drop_stream(&mut self, ssrc: u32, now_ns: u64, recorder: &mut Recorder) {
        if let Some(receiver) = self.streams.remove(ssrc) {
            receiver.close(now_ns, recorder);
        }
    }

    /// Every stream ends.
    pub(super) fn drop_streams(&mut self, now_ns: u64, recorder: &mut Recorder) {
        for stream in std::mem::take(&mut self.streams).streams {
            stream.receiver.close(now_ns, recorder);
        }
    }

    /// Sends the frame of a publication that was due at `due_ns`.
    pub(super) fn send_frame(
        &mut self,
        publication: usize,
        due_ns: u64,
        now_ns: u64,
        work: &mut Workplace,
    ) {
        let Some(published) = self.publications.get_mut(publication) else {
            return;
        };
        let frame = published.source.take();
        let Some(sessions) = &self.sessions else {
            return;
        };
        let late_ns = now_ns.saturating_sub(due_ns);
        work.recorder.late(late_ns);
        let index = published.indices[usize::from(frame.layer)]
            .get_or_insert_with(|| u64::from(frame.first_sequence));
        let packet_bytes = HEADER_BYTES + usize::from(frame.packet_bytes) + TAG_BYTES;
        work.scratch.clear();
        for packet in frame.packets() {
            let start = work.scratch.len();
            let payload_bytes = usize::from(packet.payload_bytes);
            work.scratch
                .resize(start + HEADER_BYTES + payload_bytes + TAG_BYTES, 0);
            let datagram = &mut work.scratch[start..];
            datagram[0] = 0x80;
            datagram[1] = u8::from(packet.marker) << 7 | packet.payload_type;
            datagram[2..4].copy_from_slice(&packet.sequence.to_be_bytes());
            datagram[4..8].copy_from_slice(&packet.timestamp.to_be_bytes());
            datagram[8..HEADER_BYTES].copy_from_slice(&packet.ssrc.to_be_bytes());
            let payload = &mut datagram[HEADER_BYTES..HEADER_BYTES + payload_bytes];
            published.source.write_payload(&packet, payload);
            // A comfort-noise packet has no room for a stamp.
            Stamp {
                source: published.source.ssrc(),
                layer: packet.layer,
                is_key_frame: packet.is_key_frame,
                due_ns,
                send_delay_ns: u32::try_from(late_ns).unwrap_or(u32::MAX),
                number: packet.number,
            }
            .write(payload);
            let sealed = sessions
                .seal
                .seal_rtp(HEADER_BYTES, packet.ssrc, *index, datagram);
            *index += 1;
            if sealed.is_err() {
                work.recorder.failed("seal");
                return;
            }
        }
        // What cannot be sent counts as sent and lost: numbers were spent on it.
        work.recorder
            .sent(frame.packets.into(), work.scratch.len() as u64);
        if self.impairment.is_some() {
            let train = std::mem::take(&mut work.scratch);
            for datagram in train.chunks(packet_bytes) {
                self.sent.keep(datagram);
                self.send(datagram, now_ns, work);
            }
            work.scratch = train;
        } else if let Err(error) = self.socket.send_train(&work.scratch, packet_bytes) {
            work.recorder.failed(send_failure(&error));
        }
    }

    /// Does what the server asks for.
    fn answer(&mut self, compound: &[u8], now_ns: u64, work: &mut Workplace) {
        let (publications, sent) = (&mut self.publications, &self.sent);
        rtcp::read_requests(compound, |request| match request {
            Request::KeyFrame { ssrc } => {
                for published in &mut *publications {
                    let layer = ssrc.wrapping_sub(published.source.ssrc());
                    if let Ok(layer) = u8::try_from(layer)
                        && layer < published.source.layers()
                    {
                        published.source.request_key_frame(layer);
                    }
                }
            }
            Request::Packets { ssrc, first, after } => {
                let later = (0..16).filter(|bit| after & (1 << bit) != 0);
                let wanted = std::iter::once(first)
                    .chain(later.map(|bit: u16| first.wrapping_add(bit).wrapping_add(1)));
                for packet in wanted.filter_map(|sequence| sent.find(ssrc, sequence)) {
                    let (socket, impairment) = (&self.socket, &mut self.impairment);
                    send_over(socket, impairment, self.id, packet, now_ns, work);
                }
            }
        });
    }

    /// Sends a datagram over its network.
    pub(super) fn send(&mut self, datagram: &[u8], now_ns: u64, work: &mut Workplace) {
        send_over(
            &self.socket,
            &mut self.impairment,
            self.id,
            datagram,
            now_ns,
            work,
        );
    }

    /// Takes a received RTP or RTCP datagram.
    pub(super) fn take_media(&mut self, datagram: &mut [u8], at_ns: u64, work: &mut Workplace) {
        let Some(sessions) = &self.sessions else {
            // The server may be faster than the handshake's last step here.
            return;
        };
        if datagram.get(1).is_some_and(|second| second & 0xE0 == 0xC0) {
            match sessions.open.open_rtcp(datagram) {
                Ok(compound) => self.answer(compound, at_ns, work),
                Err(_) => work.recorder.forged(),
            }
            return;
        }
        let Some(header) = Header::parse(datagram) else {
            work.recorder.forged();
            return;
        };
        let Some(stream) = self.streams.find(header.ssrc) else {
            work.recorder.failed("unknown stream");
            return;
        };
        let mut arrival = Arrival {
            sequence: header.sequence,
            timestamp: header.timestamp,
            marker: header.marker,
            bytes: datagram.len(),
            at_ns,
            stamp: None,
        };
        let is_opened = match work.sinks {
            Sinks::Read { open_one_in } => work.sampler.chooses(open_one_in),
            // Each that passed is a sample already.
            Sinks::DropInKernel { .. } => true,
        };
        if is_opened {
            match stream.open(&sessions.open, &header, datagram) {
                Some(stamp) => arrival.stamp = stamp,
                None => {
                    work.recorder.forged();
                    return;
                }
            }
        }
        match work.sinks {
            Sinks::Read { .. } => {
                let outcome = stream.receiver.receive(&arrival, &mut work.recorder);
                if self.impairment.is_some() {
                    stream
                        .gaps
                        .arrived(stream.receiver.index_of(arrival.sequence));
                    stream.gaps.note(outcome.missing, at_ns);
                }
            }
            Sinks::DropInKernel { .. } => stream.receiver.sample(&arrival, &mut work.recorder),
        }
    }

    /// Whether packets are missing and it has not been noted yet that they are to be asked for.
    pub(super) fn begins_to_look_for_gaps(&mut self) -> bool {
        let begins = !self.looks_for_gaps
            && self.impairment.is_some()
            && self.streams.streams.iter().any(|it| !it.gaps.is_empty());
        self.looks_for_gaps |= begins;
        begins
    }

    /// Asks for packets that are missing; `false` if none are.
    pub(super) fn ask_for_gaps(&mut self, now_ns: u64, work: &mut Workplace) -> bool {
        let mut compound = std::mem::take(&mut work.scratch);
        compound.clear();
        self.looks_for_gaps = false;
        for place in 0..self.streams.streams.len() {
            let gaps = &mut self.streams.streams[place].gaps;
            let missing = gaps.ask(now_ns);
            self.looks_for_gaps |= !gaps.is_empty();
            for part in missing.chunks(rtcp::NACK_WORDS_MAX) {
                self.begin_compound(&mut compound);
                rtcp::write_nack(self.ssrc, self.streams.ssrcs[place], part, &mut compound);
                if compound.len() > COMPOUND_BYTES_MAX {
                    self.send_compound(&mut compound, now_ns, work);
                }
            }
        }
        self.send_compound(&mut compound, now_ns, work);
        work.scratch = compound;
        self.looks_for_gaps
    }

    /// Sends receiver reports about all streams, and asks for a key frame of every video stream of
    /// which no whole frame came yet.
    pub(super) fn send_reports(&mut self, now_ns: u64, work: &mut Workplace) {
        let mut compound = std::mem::take(&mut work.scratch);
        compound.clear();
        let mut blocks = [Block::default(); rtcp::BLOCKS_MAX];
        let mut reported = 0;
        while reported < self.streams.streams.len() {
            let mut count = 0;
            let ssrcs = self.streams.ssrcs.iter().skip(reported);
            let streams = self.streams.streams.iter_mut().skip(reported);
            for ((block, ssrc), stream) in blocks.iter_mut().zip(ssrcs).zip(streams) {
                *block = stream.report(*ssrc);
                count += 1;
            }
            reported += count;
            rtcp::write_receiver_report(self.ssrc, &blocks[..count], &mut compound);
            self.send_compound(&mut compound, now_ns, work);
        }
        for place in 0..self.streams.streams.len() {
            let receiver = &self.streams.streams[place].receiver;
            if receiver.kind() == MediaKind::Video && receiver.awaits_first_frame() {
                self.begin_compound(&mut compound);
                rtcp::write_pli(self.ssrc, self.streams.ssrcs[place], &mut compound);
            }
            if compound.len() > COMPOUND_BYTES_MAX {
                self.send_compound(&mut compound, now_ns, work);
            }
        }
        self.send_compound(&mut compound, now_ns, work);
        work.scratch = compound;
    }

    /// A compound begins with a report (RFC 3550 §6.1).
    fn begin_compound(&self, compound: &mut Vec<u8>) {
        if compound.is_empty() {
            rtcp::write_receiver_report(self.ssrc, &[], compound);
        }
    }

    /// Seals and sends a compound, if there is one, and empties it.
    fn send_compound(&mut self, compound: &mut Vec<u8>, now_ns: u64, work: &mut Workplace) {
        if let Some(sessions) = &mut self.sessions
            && !compound.is_empty()
        {
            compound.resize(compound.len() + SRTCP_OVERHEAD_BYTES, 0);
            match sessions.seal.seal_rtcp(compound) {
                Ok(()) => self.send(compound, now_ns, work),
                Err(_) => work.recorder.failed("seal"),
            }
        }
        compound.clear();
    }
}

impl Stream {
    /// Opens a packet: `None` if it is not authentic, else its stamp if it has one.
    fn open(
        &mut self,
        session: &Session,
        header: &Header,
        datagram: &mut [u8],
    ) -> Option<Option<Stamp>> {
        let index = self.receiver.index_of(header.sequence);
        let open = |index, datagram: &mut [u8]| {
            let payload = session.open_rtp(header.bytes, header.ssrc, index, datagram);
            payload.ok().map(|payload| header.stamp(payload))
        };
        if self.is_opened {
            return open(index, datagram);
        }
        // Of a stream that is seen in samples the first cycle may be over before the first sample.
        let mut copy = datagram.to_vec();
        let stamp = open(index, datagram).or_else(|| {
            let stamp = open(index + 0x1_0000, &mut copy)?;
            self.receiver.skip_cycle();
            Some(stamp)
        })?;
        self.is_opened = true;
        Some(stamp)
    }

    fn report(&mut self, ssrc: u32) -> Block {
        let (expected, received) = self.receiver.expected_and_received();
        let interval_expected = expected.saturating_sub(self.reported.expected);
        let interval_lost =
            interval_expected.saturating_sub(received.saturating_sub(self.reported.received));
        let fraction = (interval_lost * 256)
            .checked_div(interval_expected)
            .unwrap_or_default();
        self.reported = Reported { expected, received };
        #[expect(clippy::cast_possible_truncation, reason = "the wire's widths")]
        Block {
            ssrc,
            fraction_lost: fraction.min(255) as u8,
            lost: expected.saturating_sub(received) as u32,
            highest: self.receiver.highest_index().unwrap_or_default() as u32,
            jitter: self.receiver.jitter_ticks(),
        }
    }
}

/// Sends a datagram over a participant's network.
pub(super) fn send_over(
    socket: &Socket,
    impairment: &mut Option<Impairment>,
    id: usize,
    datagram: &[u8],
    now_ns: u64,
    work: &mut Workplace,
) {
    match impairment.as_mut().map_or(Fate::AtOnce, Impairment::fate) {
        Fate::Lost => {}
        Fate::AtOnce => {
            if let Err(error) = socket.send(datagram) {
                work.recorder.failed(send_failure(&error));
            }
        }
        Fate::Later(delay_ns) => work.delay(now_ns + delay_ns, id, Direction::Out, datagram),
    }
}

fn send_failure(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::WouldBlock => "send: buffer full",
        std::io::ErrorKind::ConnectionRefused => "send: nobody there",
        _ => "send",
    }
}

/// What of an RTP header is looked at (RFC 3550 §5.1).
struct Header {
    bytes: usize,
    has_padding: bool,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Header {
    fn parse(packet: &[u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<HEADER_BYTES>()?;
        let [first, second, n0, n1, t0, t1, t2, t3, s0, s1, s2, s3] = *fixed;
        let mut bytes = HEADER_BYTES + 4 * usize::from(first & 0x0f);
        if first & 0x10 != 0 {
            let extension = rest.get(bytes - HEADER_BYTES..)?.first_chunk::<4>()?;
            let words = u16::from_be_bytes([extension[2], extension[3]]);
            bytes += 4 + 4 * usize::from(words);
        }
        (packet.len() >= bytes + TAG_BYTES).then_some(Self {
            bytes,
            has_padding: first & 0x20 != 0,
            marker: second & 0x80 != 0,
            sequence: u16::from_be_bytes([n0, n1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
        })
    }

    /// The stamp at the end of an opened payload, before the padding.
    fn stamp(&self, payload: &[u8]) -> Option<Stamp> {
        let mut payload = payload;
        if self.has_padding {
            let padding = usize::from(*payload.last()?);
            payload = payload.get(..payload.len().checked_sub(padding)?)?;
        }
        Stamp::read(payload)
    }
}

/// An RTP header without extensions.
const HEADER_BYTES: usize = 12;

/// A compound longer than this is sent.
const COMPOUND_BYTES_MAX: usize = 1_000;
