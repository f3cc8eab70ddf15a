//! Reading a report: an allow-list, and nothing else.

use crate::limits::STATISTICS_ENTRIES_MAX;
use crate::metrics::{Candidate, Client, Direction, Media, Part, Protocol};
use serde_json::{Map, Value};

/// What is left of a report: numbers and closed words.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Report {
    /// From the click on Join to each step, seconds.
    join: Vec<(Part, f64)>,
    entries: Vec<Entry>,
    /// Members that were dropped: unknown names, known ones with a value that cannot be.
    dropped: u64,
}

/// What is left of one dictionary of `getStats`.
#[derive(Clone, PartialEq, Debug)]
struct Entry {
    kind: Kind,
    media: Option<Media>,
    candidate: Option<Candidate>,
    protocol: Option<Protocol>,
    numbers: Vec<(Name, f64)>,
}

/// Types of dictionaries that are read (webrtc-stats §7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Inbound,
    Outbound,
    RemoteInbound,
    Pair,
}

/// Declares the numbers that are read: of which dictionary, by which name, up to which value.
macro_rules! numbers {
    ($($variant:ident = $kind:ident $name:literal up_to $max:literal,)+) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        enum Name { $($variant),+ }

        const NUMBERS: &[(Kind, &str, Name, f64)] =
            &[$((Kind::$kind, $name, Name::$variant, $max)),+];
    };
}

// Counts are since the report before: 10 s of them are far below these bounds, whatever the call
// is like. Times are in seconds.
numbers! {
    Received = Inbound "packetsReceived" up_to 1e6,
    ReceivedLost = Inbound "packetsLost" up_to 1e6,
    Jitter = Inbound "jitter" up_to 60.0,
    Freezes = Inbound "freezeCount" up_to 1e4,
    Frozen = Inbound "totalFreezesDuration" up_to 600.0,
    Concealed = Inbound "concealedSamples" up_to 1e9,
    Samples = Inbound "totalSamplesReceived" up_to 1e9,
    Decoded = Inbound "framesDecoded" up_to 1e5,
    Dropped = Inbound "framesDropped" up_to 1e5,
    Sent = Outbound "packetsSent" up_to 1e6,
    SentLost = RemoteInbound "packetsLost" up_to 1e6,
    RoundTrip = Pair "currentRoundTripTime" up_to 60.0,
}

/// `None` for what is no report: not JSON, not an object, too many dictionaries.
pub(crate) fn parse(body: &[u8]) -> Option<Report> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return None;
    };
    let mut report = Report::default();
    for (name, value) in members {
        match (name.as_str(), value) {
            ("join", Value::Object(steps)) => report.read_join(&steps),
            ("reports", Value::Array(entries)) if entries.len() <= STATISTICS_ENTRIES_MAX => {
                for entry in &entries {
                    report.read_entry(entry);
                }
            }
            ("reports", Value::Array(_)) => return None,
            _ => report.dropped += 1,
        }
    }
    Some(report)
}

impl Report {
    fn read_join(&mut self, steps: &Map<String, Value>) {
        for (name, value) in steps {
            let part = match name.as_str() {
                "signalling" => Some(Part::Signalling),
                "connected" => Some(Part::Connected),
                "firstFrame" => Some(Part::FirstFrame),
                _ => None,
            };
            match part.zip(number(value, JOIN_S_MAX)) {
                Some(step) => self.join.push(step),
                None => self.dropped += 1,
            }
        }
    }

    fn read_entry(&mut self, entry: &Value) {
        let Some((members, kind)) = entry.as_object().and_then(|members| {
            let kind = members.get("type")?.as_str()?;
            Some((members, word(kind, KINDS)?))
        }) else {
            self.dropped += 1;
            return;
        };
        let mut entry = Entry {
            kind,
            media: None,
            candidate: None,
            protocol: None,
            numbers: Vec::new(),
        };
        for (name, value) in members {
            let text = value.as_str().unwrap_or_default();
            let read = match name.as_str() {
                "type" => true,
                "kind" => set(&mut entry.media, word(text, MEDIA)),
                "remoteCandidateType" => set(&mut entry.candidate, word(text, CANDIDATES)),
                "protocol" => set(&mut entry.protocol, word(text, PROTOCOLS)),
                name => {
                    let known = NUMBERS
                        .iter()
                        .find(|(of, known, ..)| *of == kind && *known == name)
                        .and_then(|&(.., name, max)| Some((name, number(value, max)?)));
                    entry.numbers.extend(known);
                    known.is_some()
                }
            };
            self.dropped += u64::from(!read);
        }
        self.entries.push(entry);
    }

    /// Adds the numbers up with everybody else's.
    pub(crate) fn add_to(&self, client: &Client) {
        client.keys_dropped.add((), self.dropped);
        for &(part, seconds) in &self.join {
            client.join.observe((part,), seconds);
        }
        for entry in &self.entries {
            entry.add_to(client);
        }
    }
}

impl Entry {
    fn add_to(&self, client: &Client) {
        if let (Kind::Pair, Some(candidate), Some(protocol)) =
            (self.kind, self.candidate, self.protocol)
        {
            client.paths.count((candidate, protocol));
        }
        for &(name, value) in &self.numbers {
            match name {
                Name::RoundTrip => client.round_trip.observe((), value),
                Name::Freezes => client.freezes.add((), whole(value)),
                Name::Frozen => client.frozen_ms.add((), whole(value * 1_000.0)),
                Name::Concealed => client.concealed.add((), whole(value)),
                Name::Samples => client.concealable.add((), whole(value)),
                Name::Decoded => client.frames_decoded.add((), whole(value)),
                Name::Dropped => client.frames_dropped.add((), whole(value)),
                Name::Received
                | Name::ReceivedLost
                | Name::Jitter
                | Name::Sent
                | Name::SentLost => {
                    if let Some(media) = self.media {
                        add_stream(client, media, name, value);
                    }
                }
            }
        }
        let of = |wanted| {
            let found = self.numbers.iter().find(|(name, _)| *name == wanted);
            found.map(|&(_, value)| value)
        };
        if let (Some(media), Some(received), Some(lost)) =
            (self.media, of(Name::Received), of(Name::ReceivedLost))
            && received + lost > 0.0
        {
            client.loss.observe((media,), lost / (received + lost));
        }
    }
}

fn add_stream(client: &Client, media: Media, name: Name, value: f64) {
    let (received, sent) = ((Direction::Received, media), (Direction::Sent, media));
    match name {
        Name::Received => client.packets.add(received, whole(value)),
        Name::ReceivedLost => client.packets_lost.add(received, whole(value)),
        Name::Sent => client.packets.add(sent, whole(value)),
        Name::SentLost => client.packets_lost.add(sent, whole(value)),
        _ => client.jitter.observe((media,), value),
    }
}

/// A number from 0 to `max`.
fn number(value: &Value, max: f64) -> Option<f64> {
    value.as_f64().filter(|number| (0.0..=max).contains(number))
}

/// One of the words.
fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Option<T> {
    let found = words.iter().find(|(known, _)| *known == text);
    found.map(|&(_, value)| value)
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to a bound in the table above"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

const KINDS: &[(&str, Kind)] = &[
    ("inbound-rtp", Kind::Inbound),
    ("outbound-rtp", Kind::Outbound),
    ("remote-inbound-rtp", Kind::RemoteInbound),
    ("candidate-pair", Kind::Pair),
];

const MEDIA: &[(&str, Media)] = &[("audio", Media::Audio), ("video", Media::Video)];

const CANDIDATES: &[(&str, Candidate)] = &[
    ("host", Candidate::Host),
    ("srflx", Candidate::ServerReflexive),
    ("prflx", Candidate::PeerReflexive),
    ("relay", Candidate::Relay),
];

const PROTOCOLS: &[(&str, Protocol)] = &[("udp", Protocol::Udp), ("tcp", Protocol::Tcp)];

/// Whoever needs longer to join has given up.
const JOIN_S_MAX: f64 = 600.0;

#[cfg(test)]
mod tests;
