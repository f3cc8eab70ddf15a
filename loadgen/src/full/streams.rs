//! What a participant receives.

use super::guest::{Guest, Way};
use super::limits;
use crate::measure::{Arrival, Recorder, StreamReceiver};
use crate::media::Stamp;
use crate::signalling::livekit::Published;
use bedside_protocol::MediaKind;
use std::collections::{HashMap, HashSet};
use str0m::media::Mid;
use str0m::rtp::RtpPacket;

/// The streams of a participant.
pub(super) struct Streams {
    /// When the participant wanted to be in.
    wanted_ns: u64,
    /// What the server sends in which section.
    sections: HashMap<Mid, Section>,
    /// Tracks of the room, by the server's ids.
    known: HashMap<String, Known>,
    /// Server's ids of the tracks of each publisher.
    publishers: HashMap<String, Vec<String>>,
    /// By SSRC; `None` once it is over.
    streams: HashMap<u32, (Mid, Option<StreamReceiver>)>,
}

struct Section {
    track_sid: String,
    wanted_ns: u64,
}

struct Known {
    /// What its stamps say.
    source: Option<u32>,
    layers: usize,
}

impl Streams {
    pub(super) fn new(wanted_ns: u64) -> Self {
        Self {
            wanted_ns,
            sections: HashMap::new(),
            known: HashMap::new(),
            publishers: HashMap::new(),
            streams: HashMap::new(),
        }
    }

    /// Somebody publishes these tracks; returns those that are new.
    pub(super) fn publishes(
        &mut self,
        guest: &Guest,
        identity: &str,
        tracks: Vec<Published>,
    ) -> Vec<String> {
        let mut new = Vec::new();
        let sids = tracks.iter().map(|track| track.sid.clone()).collect();
        self.publishers.insert(identity.to_owned(), sids);
        for track in tracks {
            let number = track.name.strip_prefix("track");
            let number = number.and_then(|number| number.parse().ok());
            let known = Known {
                source: number.and_then(|number| guest.roster.source(identity, number)),
                layers: track.layers,
            };
            if self.known.insert(track.sid.clone(), known).is_none() {
                new.push(track.sid);
            }
        }
        new
    }

    /// Somebody has left: their streams end now.
    pub(super) fn gone(&mut self, identity: &str, now_ns: u64, recorder: &mut Recorder) {
        let sids: HashSet<_> = self
            .publishers
            .remove(identity)
            .into_iter()
            .flatten()
            .collect();
        self.known.retain(|sid, _| !sids.contains(sid));
        let mids: Vec<_> = self
            .sections
            .iter()
            .filter(|(_, section)| sids.contains(&section.track_sid))
            .map(|(&mid, _)| mid)
            .collect();
        for mid in mids {
            self.end(mid, now_ns, recorder);
        }
    }

    /// The server says what it sends in which section.
    pub(super) fn answered(
        &mut self,
        tracks: HashMap<String, String>,
        now_ns: u64,
        is_first: bool,
        recorder: &mut Recorder,
    ) {
        let tracks: HashMap<Mid, String> = tracks
            .into_iter()
            .map(|(mid, sid)| (Mid::from(mid.as_str()), sid))
            .collect();
        let over: Vec<_> = self
            .sections
            .iter()
            .filter(|(mid, section)| tracks.get(mid) != Some(&section.track_sid))
            .map(|(&mid, _)| mid)
            .collect();
        for mid in over {
            self.end(mid, now_ns, recorder);
            self.sections.remove(&mid);
        }
        for (mid, track_sid) in tracks {
            // Streams of an earlier track of this section may have the SSRC of the new one's.
            if !self.sections.contains_key(&mid) {
                self.streams.retain(|_, (other, _)| *other != mid);
            }
            self.sections.entry(mid).or_insert(Section {
                track_sid,
                wanted_ns: if is_first { self.wanted_ns } else { now_ns },
            });
        }
    }

    /// Whether something is received in a section.
    pub(super) fn is_busy(&self, mid: Mid) -> bool {
        let mut streams = self.streams.values();
        self.sections.contains_key(&mid)
            && streams.any(|(other, stream)| *other == mid && stream.is_some())
    }

    fn end(&mut self, mid: Mid, now_ns: u64, recorder: &mut Recorder) {
        for (other, stream) in self.streams.values_mut() {
            if *other == mid
                && let Some(stream) = stream.take()
            {
                stream.close(now_ns, recorder);
            }
        }
    }

    /// Takes a packet of a section. Returns whether it is counted.
    pub(super) fn receive(
        &mut self,
        guest: &Guest,
        mid: Mid,
        kind: MediaKind,
        packet: &RtpPacket,
        now_ns: u64,
        recorder: &mut Recorder,
    ) -> bool {
        let ssrc = *packet.header.ssrc;
        if !self.streams.contains_key(&ssrc) {
            if self.streams.len() >= limits::STREAMS_MAX {
                return false;
            }
            let stream = self.begin(guest, mid, kind);
            self.streams.insert(ssrc, (mid, Some(stream)));
        }
        // What comes after the end was on its way.
        if let Some((_, Some(stream))) = self.streams.get_mut(&ssrc) {
            let arrival = Arrival {
                sequence: packet.header.sequence_number,
                timestamp: packet.header.timestamp,
                marker: packet.header.marker,
                bytes: packet.header.header_len + packet.payload.len(),
                at_ns: now_ns,
                stamp: Stamp::read(&packet.payload),
            };
            stream.receive(&arrival, recorder);
        }
        true
    }

    fn begin(&self, guest: &Guest, mid: Mid, kind: MediaKind) -> StreamReceiver {
        let section = self.sections.get(&mid);
        let wanted_ns = section.map_or(self.wanted_ns, |section| section.wanted_ns);
        let clock_hz = match kind {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        };
        let stream = StreamReceiver::new(kind, clock_hz, wanted_ns);
        let source = match &guest.way {
            Way::View { publisher } => guest.roster.first_source(publisher, kind),
            Way::Room(_) | Way::Publish => section
                .and_then(|section| self.known.get(&section.track_sid))
                .and_then(|known| known.source),
        };
        match source {
            Some(source) => stream.from_source(source),
            None => stream,
        }
    }

    /// The simulcast tracks that are being received, with how many layers each has.
    pub(super) fn simulcast(&self) -> impl Iterator<Item = (&str, usize)> {
        self.sections.values().filter_map(|section| {
            let known = self.known.get(&section.track_sid)?;
            (known.layers > 1).then_some((section.track_sid.as_str(), known.layers))
        })
    }

    /// The participant leaves.
    pub(super) fn close(&mut self, now_ns: u64, recorder: &mut Recorder) {
        for (_, (_, stream)) in self.streams.drain() {
            if let Some(stream) = stream {
                stream.close(now_ns, recorder);
            }
        }
    }
}
