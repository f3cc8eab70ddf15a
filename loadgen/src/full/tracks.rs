//! What a participant sends.

use super::Failure;
use super::connection::Connection;
use super::guest::Guest;
use super::limits;
use crate::measure::Recorder;
use crate::media::{Source, Stamp};
use crate::pacing::Schedule;
use bedside_protocol::MediaKind;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::media::{KeyframeRequest, Mid, Pt, Rid};
use str0m::rtp::{RtpWrite, SeqNo};

/// The tracks of a participant whose transport is up.
pub(super) struct Tracks {
    tracks: Vec<Track>,
    schedule: Schedule<usize>,
    start_ns: u64,
}

struct Track {
    source: Source,
    mid: Mid,
    kind: MediaKind,
    payload_type: Pt,
    layers: Vec<Layer>,
}

struct Layer {
    rid: Option<Rid>,
    /// Packet index of the last packet (RFC 3711 §3.3.1).
    last_index: Option<u64>,
}

impl Tracks {
    /// Starts at `start_ns`; the server has answered.
    pub(super) fn start(
        connection: &Connection,
        guest: &Guest,
        start_ns: u64,
    ) -> Result<Self, Failure> {
        let mut tracks = Vec::new();
        let mut schedule = Schedule::new();
        let sections = connection.sending().iter().zip(&guest.publish);
        for (number, (sending, spec)) in sections.enumerate() {
            let payload_type = connection
                .payload_type(sending)
                .ok_or(Failure::TrackRefused)?;
            let number_u32 = u32::try_from(number).unwrap_or(u32::MAX);
            let source = Source::new(
                spec,
                guest.first_source + number_u32,
                *payload_type,
                guest.seed.rotate_left(number_u32 + 1),
            )?;
            let rids = sending.rids.iter().map(|&rid| Some(rid));
            let layers = rids.chain(sending.rids.is_empty().then_some(None));
            schedule.push(start_ns + nanoseconds(source.next_due()), number);
            tracks.push(Track {
                source,
                mid: sending.mid,
                kind: sending.kind,
                payload_type,
                layers: layers
                    .map(|rid| Layer {
                        rid,
                        last_index: None,
                    })
                    .collect(),
            });
        }
        Ok(Self {
            tracks,
            schedule,
            start_ns,
        })
    }

    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.schedule.next_due_ns()
    }

    /// Hands over to the transport what is due; returns whether anything was.
    pub(super) fn send_due(
        &mut self,
        connection: &mut Connection,
        now: Instant,
        now_ns: u64,
        recorder: &mut Recorder,
    ) -> bool {
        for sent in 0..limits::SENDS_MAX {
            let Some((due_ns, number)) = self.schedule.pop_due(now_ns) else {
                return sent > 0;
            };
            recorder.late(now_ns - due_ns);
            let track = &mut self.tracks[number];
            track.send_frame(connection, now, now_ns - due_ns, due_ns);
            let next_ns = self.start_ns + nanoseconds(track.source.next_due());
            self.schedule.push(next_ns, number);
        }
        true
    }

    /// The server asks for a key frame.
    pub(super) fn request_key_frame(&mut self, request: &KeyframeRequest) {
        let track = self
            .tracks
            .iter_mut()
            .find(|track| track.mid == request.mid);
        if let Some(track) = track {
            let mut layers = track.layers.iter();
            let layer = layers.position(|layer| layer.rid == request.rid);
            let layer = layer.and_then(|layer| u8::try_from(layer).ok());
            track.source.request_key_frame(layer.unwrap_or(0));
        }
    }
}

impl Track {
    fn send_frame(&mut self, connection: &mut Connection, now: Instant, late_ns: u64, due_ns: u64) {
        let frame = self.source.take();
        let Some(layer) = self.layers.get_mut(usize::from(frame.layer)) else {
            return;
        };
        let mut api = connection.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(self.mid, layer.rid) else {
            return;
        };
        for packet in frame.packets() {
            let mut payload: Arc<[u8]> =
                std::iter::repeat_n(0, packet.payload_bytes.into()).collect();
            if let Some(bytes) = Arc::get_mut(&mut payload) {
                self.source.write_payload(&packet, bytes);
                let stamp = Stamp {
                    source: self.source.ssrc(),
                    layer: packet.layer,
                    is_key_frame: packet.is_key_frame,
                    due_ns,
                    send_delay_ns: u32::try_from(late_ns).unwrap_or(u32::MAX),
                    number: packet.number,
                };
                // Comfort noise is too short to carry one.
                stamp.write(bytes);
            }
            let index = layer.next_index(packet.sequence);
            let write = RtpWrite::new(
                self.payload_type,
                SeqNo::from(index),
                packet.timestamp,
                now,
                payload,
            )
            .marker(packet.marker)
            .nackable(self.kind == MediaKind::Video);
            stream.write_rtp(write);
        }
    }
}

impl Layer {
    /// The packet index of a sequence number that follows the last one.
    fn next_index(&mut self, sequence: u16) -> u64 {
        let index = match self.last_index {
            None => u64::from(sequence),
            Some(last) => {
                let [.., high, low] = last.to_be_bytes();
                last + u64::from(sequence.wrapping_sub(u16::from_be_bytes([high, low])))
            }
        };
        self.last_index = Some(index);
        index
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
