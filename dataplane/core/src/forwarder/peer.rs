//! A peer: one transport with its keys, as publisher and as subscriber.

use super::Handle;
use super::allocation::Allocator;
use super::hashing::NumberMap;
use super::pacer::Pacer;
use super::publisher::Track;
use super::retransmission::{Resend, ResendBudget};
use super::room::Room;
use super::subscriber::Subscription;
use super::timers::Armed;
use super::transport_feedback::ArrivalRecorder;
use crate::Path;
use bedside_protocol::{ExtensionIds, Generation, Layer, PeerId};
use bedside_srtp::{Opener, Profile, Sealer};
use std::time::{Duration, Instant};

pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) room: Handle<Room>,
    pub(super) generation: Generation,
    pub(super) extensions: ExtensionIds,
    pub(super) transport_cc: bool,
    pub(super) keys: Option<Keys>,
    /// Where it can be reached; `None` while it cannot.
    pub(super) path: Option<Path>,
    /// The sender of our own RTCP.
    pub(super) feedback_ssrc: u32,
    /// What it sends, by SSRC.
    pub(super) streams: NumberMap<u32, StreamOf>,
    pub(super) tracks: Vec<Handle<Track>>,
    /// What it is sent, by SSRC.
    pub(super) outgoing: NumberMap<u32, Handle<Subscription>>,
    pub(super) subscriptions: Vec<Handle<Subscription>>,
    /// Every SSRC that its key was ever used with.
    pub(super) spent_ssrcs: NumberMap<u32, ()>,
    /// Streams that ended and were not said goodbye to.
    pub(super) byes: Vec<u32>,
    pub(super) arrivals: ArrivalRecorder,
    /// Transport-wide sequence number of the next packet to it.
    pub(super) transport_sequence: u16,
    /// From its reports on what we send.
    pub(super) round_trip: Option<Duration>,
    /// From its answers to our requests.
    pub(super) uplink_round_trip: Option<Duration>,
    pub(super) reports_due: Option<Instant>,
    pub(super) resend_budget: ResendBudget,
    /// Made when it is first sent what it can give feedback about.
    pub(super) pacer: Option<Box<Pacer>>,
    pub(super) allocator: Allocator,
    pub(super) armed: Armed,
    pub(super) counters: PeerCounters,
    /// What the current batch has for it.
    pub(super) work: Work,
}

/// Both directions' SRTP state. It comes and goes with the peer, never without it.
pub(super) struct Keys {
    pub(super) profile: Profile,
    pub(super) opener: Opener,
    pub(super) sealer: Sealer,
}

/// Which stream of a publisher an SSRC is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StreamOf {
    pub(super) track: Handle<Track>,
    pub(super) layer: Layer,
    /// RFC 4588.
    pub(super) retransmission: bool,
}

/// What is written to a peer in this batch; empty between batches.
#[derive(Default)]
pub(super) struct Work {
    pub(super) subscriptions: Vec<Handle<Subscription>>,
    pub(super) resends: Vec<Resend>,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.subscriptions.is_empty() && self.resends.is_empty()
    }
}

/// Since the last statistics, unless they say otherwise.
#[derive(Default)]
pub(super) struct PeerCounters {
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) retransmitted: u64,
    /// From the client's reports: packets that it expected and that it lost.
    pub(super) reported_expected: u64,
    pub(super) reported_lost: i64,
    pub(super) jitter_ms_max: f32,
    /// Since it connected.
    pub(super) rejected: u64,
}

/// What a peer is made with.
pub(super) struct NewPeer {
    pub(super) id: PeerId,
    pub(super) room: Handle<Room>,
    pub(super) generation: Generation,
    pub(super) hash_key: u64,
    pub(super) feedback_ssrc: u32,
    pub(super) transport_sequence: u16,
}

impl Peer {
    pub(super) fn new(new: NewPeer) -> Self {
        Self {
            id: new.id,
            room: new.room,
            generation: new.generation,
            extensions: ExtensionIds::default(),
            transport_cc: false,
            keys: None,
            path: None,
            feedback_ssrc: new.feedback_ssrc,
            streams: NumberMap::new(new.hash_key),
            tracks: Vec::new(),
            outgoing: NumberMap::new(new.hash_key),
            subscriptions: Vec::new(),
            spent_ssrcs: NumberMap::new(new.hash_key),
            byes: Vec::new(),
            arrivals: ArrivalRecorder::default(),
            transport_sequence: new.transport_sequence,
            round_trip: None,
            uplink_round_trip: None,
            reports_due: None,
            resend_budget: ResendBudget::default(),
            pacer: None,
            allocator: Allocator::default(),
            armed: Armed::default(),
            counters: PeerCounters::default(),
            work: Work::default(),
        }
    }

    /// Whether it can be sent to.
    pub(super) fn is_reachable(&self) -> bool {
        self.keys.is_some() && self.path.is_some()
    }

    /// Bits a second that its path is believed to take; `None` where it gives no feedback.
    pub(super) fn target_bps(&self) -> Option<u64> {
        self.pacer.as_ref()?.target_bps()
    }

    /// When it has to be looked at next.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let byes = (!self.byes.is_empty() && self.is_reachable()).then_some(now);
        let paced = self.pacer.as_ref().and_then(|pacer| pacer.next());
        let allocation = self.allocator.next(now).filter(|_| self.is_reachable());
        [
            byes,
            self.arrivals.next(),
            self.reports_due,
            paced,
            allocation,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The CNAME under which its tracks reach subscribers: the same for all, so that they are
    /// played in step, and nothing that it could be known by (RFC 7022).
    pub(super) fn cname(&self) -> [u8; 16] {
        let mut cname = [0; 16];
        let [s0, s1, s2, s3] = self.feedback_ssrc.to_be_bytes();
        let [.., i0, i1, i2, i3] = self.id.0.to_be_bytes();
        for (pair, byte) in cname
            .chunks_exact_mut(2)
            .zip([s0, s1, s2, s3, i0, i1, i2, i3])
        {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 0x0f)];
        }
        cname
    }
}

/// `sample` taken into a smoothed round-trip time (RFC 6298 §2).
pub(super) fn smooth(round_trip: &mut Option<Duration>, sample: Duration) {
    *round_trip = Some(match *round_trip {
        Some(smoothed) => (smoothed * 7 + sample) / 8,
        None => sample,
    });
}

const HEX: [u8; 16] = *b"0123456789abcdef";
