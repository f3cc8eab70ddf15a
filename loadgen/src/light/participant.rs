//! One participant: its socket, its keys, what it sends and what it receives.

mod header;
mod streams;

use super::network::{Direction, Fate, Impairment};
use super::repair::SentPackets;
use super::rtcp::{self, Block, Request};
use super::socket::Socket;
use super::srtp::{Keys, SRTCP_OVERHEAD_BYTES, Session, TAG_BYTES};
use super::transport::Transport;
use super::workplace::Workplace;
use super::{Error, Sinks};
use crate::measure::{Arrival, Recorder, StreamReceiver};
use crate::media::{Source, Stamp};
use bedside_protocol::MediaKind;
use header::Header;
use streams::Streams;

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

/// An RTP header without extensions.
const HEADER_BYTES: usize = 12;

/// A compound longer than this is sent.
const COMPOUND_BYTES_MAX: usize = 1_000;
