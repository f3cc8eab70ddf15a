//! The loop: what one wake-up brought is opened, then each destination's packets are sealed in a
//! row and sent.

use super::{
    Error, Forwarded, Plan,
    ring::{Completed, Destination, MESSAGE_BYTES_MAX, MESSAGE_SEGMENTS_MAX, Received, Ring},
    srtp::{self, Cipher, TAG_BYTES},
};
use foldhash::fast::RandomState;
use std::{collections::HashMap, net::SocketAddr};

/// The plan as the loop reads it.
pub(super) struct Forwarder {
    lookup: HashMap<(SocketAddr, u32), usize, RandomState>,
    streams: Vec<Stream>,
    /// One for each participant, in the plan's order.
    destinations: Vec<Peer>,
    /// Places of streams and destinations that this wake-up has packets for.
    streams_touched: Vec<usize>,
    destinations_touched: Vec<usize>,
    held: Vec<u16>,
    counts: Forwarded,
}

struct Stream {
    ssrc: u32,
    opener: Cipher,
    highest: Option<u64>,
    /// The index that it began with.
    first: u64,
    to: Vec<Subscription>,
    /// What this wake-up brought.
    packets: Vec<Packet>,
}

#[derive(Clone, Copy)]
struct Subscription {
    destination: usize,
    ssrc: u32,
    sequence_offset: u16,
}

struct Peer {
    address: Destination,
    sealer: Cipher,
    /// (stream, subscription) with packets of this wake-up.
    pending: Vec<(usize, usize)>,
}

/// An opened packet in its receive buffer.
#[derive(Clone, Copy)]
struct Packet {
    buffer: u16,
    start: usize,
    /// Without the tag.
    bytes: usize,
    header_bytes: usize,
    index: u64,
}

impl Forwarder {
    pub(super) fn new(plan: &Plan) -> Result<Self, Error> {
        let mut lookup = HashMap::default();
        let mut streams = Vec::with_capacity(plan.streams.len());
        for (place, stream) in plan.streams.iter().enumerate() {
            let missing = || Error::Plan(format!("stream {place} names an unknown participant"));
            let from = plan.participants.get(stream.from).ok_or_else(missing)?;
            if stream
                .to
                .iter()
                .any(|to| to.participant >= plan.participants.len())
            {
                return Err(missing());
            }
            if lookup.insert((from.address, stream.ssrc), place).is_some() {
                return Err(Error::Plan(format!("stream {place} is there twice")));
            }
            let to = stream.to.iter().map(|to| Subscription {
                destination: to.participant,
                ssrc: to.ssrc,
                sequence_offset: to.sequence_offset,
            });
            streams.push(Stream {
                ssrc: stream.ssrc,
                opener: Cipher::new(&from.sends_under)?,
                highest: None,
                first: 0,
                to: to.collect(),
                packets: Vec::new(),
            });
        }
        let destinations = plan.participants.iter().map(|participant| {
            Ok(Peer {
                address: participant.address.into(),
                sealer: Cipher::new(&participant.receives_under)?,
                pending: Vec::new(),
            })
        });
        Ok(Self {
            lookup,
            streams,
            destinations: destinations.collect::<Result<_, Error>>()?,
            streams_touched: Vec::new(),
            destinations_touched: Vec::new(),
            held: Vec::new(),
            counts: Forwarded::default(),
        })
    }

    /// Forwards until standard input ends.
    pub(super) fn run(mut self, ring: &mut Ring) -> Result<Forwarded, Error> {
        loop {
            ring.wait()?;
            self.counts.wake_ups += 1;
            let mut stop = false;
            while let Some(completed) = ring.completed()? {
                match completed {
                    Completed::Received(received) => self.open(ring, received),
                    Completed::Stop => stop = true,
                }
            }
            self.forward(ring)?;
            for buffer in self.held.drain(..) {
                ring.give_back(buffer);
            }
            if stop {
                self.counts.messages_refused = ring.refused;
                return Ok(self.counts);
            }
        }
    }

    /// Opens every packet of a message and puts it to its stream.
    fn open(&mut self, ring: &mut Ring, received: Received) {
        self.held.push(received.buffer);
        let mut last: Option<(u32, usize)> = None;
        let mut offset = 0;
        while offset < received.bytes {
            let bytes = received.segment_bytes.min(received.bytes - offset);
            let start = received.start + offset;
            offset += bytes;
            let packet = ring.received(received.buffer, start, bytes);
            let Some(header_bytes) = srtp::header_bytes(packet) else {
                self.counts.packets_refused += 1;
                continue;
            };
            let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
            let place = match last {
                Some((known, place)) if known == ssrc => place,
                _ => {
                    let Some(&place) = self.lookup.get(&(received.source, ssrc)) else {
                        self.counts.packets_refused += 1;
                        continue;
                    };
                    last = Some((ssrc, place));
                    place
                }
            };
            let stream = &mut self.streams[place];
            let sequence = u16::from_be_bytes([packet[2], packet[3]]);
            let index = srtp::index(sequence, stream.highest);
            if !stream.opener.open(header_bytes, packet, stream.ssrc, index) {
                self.counts.packets_refused += 1;
                continue;
            }
            if stream.highest.is_none() {
                stream.first = index;
            }
            stream.highest = stream.highest.max(Some(index));
            if stream.packets.is_empty() {
                self.streams_touched.push(place);
            }
            stream.packets.push(Packet {
                buffer: received.buffer,
                start,
                bytes: bytes - TAG_BYTES,
                header_bytes,
                index,
            });
            self.counts.packets_received += 1;
        }
    }

    /// Seals and sends what every destination gets.
    fn forward(&mut self, ring: &mut Ring) -> Result<(), Error> {
        for &place in &self.streams_touched {
            for (number, to) in self.streams[place].to.iter().enumerate() {
                let peer = &mut self.destinations[to.destination];
                if peer.pending.is_empty() {
                    self.destinations_touched.push(to.destination);
                }
                peer.pending.push((place, number));
            }
        }
        for place in self.destinations_touched.drain(..) {
            let peer = &mut self.destinations[place];
            seal_all(&self.streams, peer, ring, &mut self.counts)?;
            peer.pending.clear();
        }
        ring.flush()?;
        for place in self.streams_touched.drain(..) {
            self.streams[place].packets.clear();
        }
        Ok(())
    }
}

/// Seals one destination's packets in a row. A message ends where the kernel's bounds say, where a
/// packet is longer than those before it, and behind a packet that is shorter.
fn seal_all(
    streams: &[Stream],
    peer: &Peer,
    ring: &mut Ring,
    counts: &mut Forwarded,
) -> Result<(), Error> {
    let mut run = Run::default();
    for &(place, number) in &peer.pending {
        let stream = &streams[place];
        let to = stream.to[number];
        // A receiver takes the first packet of a stream to be of roll-over counter zero (RFC 3711
        // §3.3.1), so what is added must not carry the first one over.
        let mut added = u64::from(to.sequence_offset);
        if stream.first + added > 0xFFFF {
            added = added.wrapping_sub(0x1_0000);
        }
        for packet in &stream.packets {
            let bytes = packet.bytes + TAG_BYTES;
            if !run.takes(bytes) {
                run.send(ring, &peer.address, counts);
            }
            if run.packets == 0 && !ring.fits(MESSAGE_BYTES_MAX) {
                ring.flush()?;
            }
            let (plain, room) = ring.seal_room((packet.buffer, packet.start, packet.bytes), bytes);
            let index = packet.index.wrapping_add(added);
            let [.., high, low] = index.to_be_bytes();
            room[..packet.header_bytes].copy_from_slice(&plain[..packet.header_bytes]);
            room[2..4].copy_from_slice(&[high, low]);
            room[8..12].copy_from_slice(&to.ssrc.to_be_bytes());
            let payload = &plain[packet.header_bytes..];
            peer.sealer
                .seal(room, packet.header_bytes, payload, to.ssrc, index);
            run.add(bytes);
        }
    }
    run.send(ring, &peer.address, counts);
    Ok(())
}

/// The message being written.
#[derive(Default)]
struct Run {
    packets: usize,
    bytes: usize,
    segment_bytes: usize,
    /// A shorter packet has been written, so nothing may follow it.
    ended: bool,
}

impl Run {
    fn takes(&self, bytes: usize) -> bool {
        self.packets == 0
            || (!self.ended
                && bytes <= self.segment_bytes
                && self.packets < MESSAGE_SEGMENTS_MAX
                && self.bytes + bytes <= MESSAGE_BYTES_MAX)
    }

    fn add(&mut self, bytes: usize) {
        if self.packets == 0 {
            self.segment_bytes = bytes;
        }
        self.ended |= bytes < self.segment_bytes;
        self.bytes += bytes;
        self.packets += 1;
    }

    fn send(&mut self, ring: &mut Ring, to: &Destination, counts: &mut Forwarded) {
        if self.packets == 0 {
            return;
        }
        ring.send(to, self.bytes, self.segment_bytes);
        counts.packets_sent += self.packets as u64;
        counts.messages_sent += 1;
        *self = Self::default();
    }
}
