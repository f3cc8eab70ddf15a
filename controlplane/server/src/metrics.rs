//! What the operator's monitoring may know: numbers, told apart by labels from closed sets.
//!
//! Nothing that tells people apart can be a label, because nothing but a [`Label`] can be one: an
//! enumeration whose texts are this software's own. Every series exists from the start, so that
//! what is there says nothing of who was there, and the number of series has a bound
//! (45 CFR 164.312(a)(1)). `docs/reference/metrics.md` lists them.
//!
//! ```compile_fail,E0277
//! # use prometheus_client::encoding::EncodeLabelValue;
//! # fn label(value: impl EncodeLabelValue) {}
//! label(bedside_protocol::Phi::new("Ada"));
//! ```

mod dataplane;
mod families;
pub(crate) mod labels;
mod listener;

pub(crate) use dataplane::Tally;
pub(crate) use labels::{
    Candidate, Direction, Entrance, Media, Missing, Part, Protocol, Report, Route, Status, Verdict,
};
pub(crate) use listener::MetricsListener;

use crate::dataplane::DataplaneStatus;
use bedside_audit::{Action, Outcome};
use bedside_ledger::Ledger;
use bedside_protocol::{CandidateKind, CloseReason, DtlsVersion, SrtpProfile};
use bedside_rooms::Measure;
use families::{Counters, Families, Gauges, Histograms};
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Handles to every number; cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    numbers: Numbers,
}

/// Every number. Counters only grow; gauges are set when somebody looks.
#[derive(Clone)]
pub(crate) struct Numbers {
    pub(crate) joins: Counters<(Entrance, Verdict)>,
    pub(crate) join: Histograms<()>,
    pub(crate) rooms: Gauges<()>,
    pub(crate) participants: Gauges<()>,
    pub(crate) signalling: Gauges<()>,
    pub(crate) tracks: Gauges<()>,
    pub(crate) subscriptions: Gauges<()>,
    pub(crate) http: Counters<(Route, Status)>,
    pub(crate) http_duration: Histograms<()>,
    pub(crate) webhooks: Counters<(Verdict,)>,
    pub(crate) spans: Counters<(Verdict,)>,
    pub(crate) audit_events: Counters<(Action, Outcome)>,
    pub(crate) audit_writable: Gauges<()>,
    pub(crate) audit_entries: Gauges<()>,
    pub(crate) audit_refused: Counters<()>,
    pub(crate) audit_lost: Counters<()>,
    pub(crate) dataplane_up: Gauges<()>,
    pub(crate) dataplane_workers: Gauges<()>,
    pub(crate) missing: Counters<(Missing,)>,
    pub(crate) peers_connected: Counters<(DtlsVersion, SrtpProfile, CandidateKind)>,
    pub(crate) peers_closed: Counters<(CloseReason,)>,
    pub(crate) rejected: Counters<()>,
    pub(crate) retransmitted: Counters<()>,
    pub(crate) nacked: Counters<()>,
    pub(crate) key_frame_requests: Counters<()>,
    pub(crate) media: Gauges<(Direction,)>,
    pub(crate) loss: Histograms<(Direction,)>,
    pub(crate) jitter: Histograms<(Direction,)>,
    pub(crate) round_trip: Histograms<()>,
    pub(crate) estimate: Histograms<()>,
    pub(crate) queue_delay: Histograms<()>,
    pub(crate) score: Histograms<()>,
    pub(crate) layer: Histograms<()>,
    pub(crate) paused: Histograms<()>,
    pub(crate) client: Client,
}

/// What clients report of themselves.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) reports: Counters<(Report,)>,
    pub(crate) keys_dropped: Counters<()>,
    pub(crate) join: Histograms<(Part,)>,
    pub(crate) round_trip: Histograms<()>,
    pub(crate) jitter: Histograms<(Media,)>,
    pub(crate) loss: Histograms<(Media,)>,
    pub(crate) packets: Counters<(Direction, Media)>,
    pub(crate) packets_lost: Counters<(Direction, Media)>,
    pub(crate) freezes: Counters<()>,
    pub(crate) frozen_ms: Counters<()>,
    pub(crate) concealed: Counters<()>,
    pub(crate) concealable: Counters<()>,
    pub(crate) frames_decoded: Counters<()>,
    pub(crate) frames_dropped: Counters<()>,
    pub(crate) paths: Counters<(Candidate, Protocol)>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let numbers = Numbers::register(&mut Families::new(&mut registry));
        Self(Arc::new(Inner { registry, numbers }))
    }

    /// Whether media can be carried at all.
    pub(crate) fn observe_dataplane(&self, status: &DataplaneStatus) {
        let workers = match status {
            DataplaneStatus::Connected { workers, .. } => Some(workers.len()),
            DataplaneStatus::Disconnected(_) => None,
        };
        self.dataplane_up.set((), u64::from(workers.is_some()));
        self.dataplane_workers.set((), count(workers.unwrap_or(0)));
    }

    /// How the audit log is, and what is in it since the start.
    pub(crate) fn observe_audit(&self, ledger: &Ledger) {
        for (action, outcome, total) in ledger.counts() {
            self.audit_events.reach((action, outcome), total);
        }
        let health = ledger.health().borrow().clone();
        self.audit_writable.set((), u64::from(health.is_writable()));
        self.audit_entries.set((), health.size);
        self.audit_refused.reach((), health.refused);
        self.audit_lost.reach((), health.lost);
    }

    /// What is in the rooms.
    pub(crate) fn observe_rooms(&self, status: &bedside_rooms::Status) {
        self.rooms.set((), count(status.rooms));
        self.participants.set((), count(status.participants));
        self.signalling.set((), count(status.sessions));
        self.tracks.set((), count(status.tracks));
        self.subscriptions.set((), count(status.subscriptions));
        self.missing.reach((Missing::Events,), status.events_lost);
        self.missing
            .reach((Missing::Commands,), status.commands_refused);
        self.missing
            .reach((Missing::Requests,), status.refused.values().sum());
    }

    /// A number about somebody's connection.
    pub(crate) fn observe_measure(&self, measure: Measure) {
        match measure {
            Measure::Score(score) => self.score.observe((), score.into()),
            Measure::LayerSeconds(seconds) => self.layer.observe((), seconds),
            Measure::PausedSeconds(seconds) => self.paused.observe((), seconds),
        }
    }

    /// OpenMetrics 1.0 text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode_registry(&mut text, &self.0.registry).expect("a string takes any text");
        text.push_str("# EOF\n");
        text
    }
}

impl Numbers {
    fn register(families: &mut Families<'_>) -> Self {
        let seconds = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        let share = [0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
        let milliseconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
        Self {
            joins: families.counters("joins", "Requests to join a room, by how and by outcome"),
            join: families.histograms(
                "join_seconds",
                "From a request to join to the rooms' answer, the audit record's write included",
                &seconds,
            ),
            rooms: families.gauges("rooms", "Rooms that are open"),
            participants: families.gauges("participants", "People and programs in rooms"),
            signalling: families.gauges("signalling_connections", "Signalling connections"),
            tracks: families.gauges("tracks", "Published tracks"),
            subscriptions: families.gauges("subscriptions", "Tracks received, by each receiver"),
            http: families.counters("http_requests", "Answers, by route and class of status"),
            http_duration: families.histograms(
                "http_request_seconds",
                "From a request's header section to its answer",
                &seconds,
            ),
            webhooks: families.counters("webhooks", "Webhook events, by what became of them"),
            spans: families.counters("spans", "Spans of traces, by what became of them"),
            audit_events: families.counters(
                "audit_events",
                "Audit records, by action and outcome: joins, logins, denials, revocations, ...",
            ),
            audit_writable: families.gauges(
                "audit_writable",
                "1 while the audit log takes records; new joins are refused while it does not",
            ),
            audit_entries: families.gauges("audit_entries", "Entries of the audit log"),
            audit_refused: families.counters(
                "audit_refused",
                "Records that were refused because the log could not be written",
            ),
            audit_lost: families.counters(
                "audit_lost",
                "Events that found no place to wait; each stands in the log as a gap",
            ),
            dataplane_up: families.gauges("dataplane_up", "1 while a data plane is connected"),
            dataplane_workers: families.gauges("dataplane_workers", "Workers of the data plane"),
            missing: families.counters(
                "missing",
                "Data-plane events that were lost, commands it refused, requests that were refused",
            ),
            peers_connected: families.counters(
                "peer_connections",
                "Peer connections that came up, by what they agreed on",
            ),
            peers_closed: families.counters(
                "peer_connections_closed",
                "Peer connections that ended, by reason; dtls_failed and the like are refusals",
            ),
            rejected: families.counters(
                "srtp_rejected_packets",
                "Packets that failed authentication or could not be parsed",
            ),
            retransmitted: families.counters(
                "retransmitted_packets",
                "Packets sent again because a receiver missed them",
            ),
            nacked: families.counters("nacked_packets", "Packets asked of publishers again"),
            key_frame_requests: families
                .counters("key_frame_requests", "Key frames asked of publishers"),
            media: families.gauges("media_bits_per_second", "Media in the last interval"),
            loss: families.histograms(
                "loss_ratio",
                "Share of packets lost in an interval, one sample a peer or track",
                &share,
            ),
            jitter: families.histograms(
                "jitter_seconds",
                "Interarrival jitter (RFC 3550), one sample a peer or track and interval",
                &milliseconds,
            ),
            round_trip: families.histograms(
                "round_trip_seconds",
                "Round-trip time from RTCP, one sample a peer and interval",
                &milliseconds,
            ),
            estimate: families.histograms(
                "path_estimate_bits_per_second",
                "What the path to a client is believed to take, one sample a peer and interval",
                &RATES,
            ),
            queue_delay: families.histograms(
                "queue_delay_seconds",
                "Longest wait of a video packet for its turn, one sample a peer and interval",
                &milliseconds,
            ),
            score: families.histograms(
                "connection_score",
                "Mean opinion score of a participant's connection every 5 s; 0 while it is lost",
                &[0.0, 2.0, 2.5, 3.0, 3.5, 3.8, 4.1, 4.3, 4.5],
            ),
            layer: families.histograms(
                "layer_seconds",
                "How long a subscriber was sent one layer before a switch, one sample a switch",
                &LONG,
            ),
            paused: families.histograms(
                "picture_paused_seconds",
                "How long a picture was paused by its subscriber's network, one sample a pause",
                &LONG,
            ),
            client: Client::register(families, &seconds, &share, &milliseconds),
        }
    }
}

impl Client {
    fn register(
        families: &mut Families<'_>,
        seconds: &[f64],
        share: &[f64],
        milliseconds: &[f64],
    ) -> Self {
        Self {
            reports: families.counters("client_reports", "Statistics reports, by outcome"),
            keys_dropped: families.counters(
                "client_keys_dropped",
                "Keys of reports that are not on the allow-list and were dropped unread",
            ),
            join: families.histograms(
                "client_join_seconds",
                "From the click on Join, as the page measured it, to each step",
                seconds,
            ),
            round_trip: families.histograms(
                "client_round_trip_seconds",
                "Round-trip time of the selected candidate pair",
                milliseconds,
            ),
            jitter: families.histograms("client_jitter_seconds", "As received", milliseconds),
            loss: families.histograms(
                "client_loss_ratio",
                "Share of packets that a client missed between two reports",
                share,
            ),
            packets: families.counters("client_packets", "RTP packets of reporting clients"),
            packets_lost: families.counters("client_packets_lost", "Those that never arrived"),
            freezes: families.counters("client_freezes", "Times that received video stood still"),
            frozen_ms: families.counters(
                "client_frozen_milliseconds",
                "How long received video stood still",
            ),
            concealed: families.counters(
                "client_concealed_samples",
                "Audio samples that were made up because none had arrived",
            ),
            concealable: families.counters("client_audio_samples", "Audio samples played"),
            frames_decoded: families.counters("client_frames_decoded", "Video frames"),
            frames_dropped: families.counters("client_frames_dropped", "Video frames not shown"),
            paths: families.counters(
                "client_paths",
                "First candidate pairs that clients selected, by the remote candidate's type",
            ),
        }
    }
}

impl Deref for Metrics {
    type Target = Numbers;
    fn deref(&self) -> &Numbers {
        &self.0.numbers
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(..)")
    }
}

/// Bits a second, from a voice to a full picture.
const RATES: [f64; 9] = [6e4, 1e5, 2e5, 4e5, 8e5, 1.5e6, 3e6, 6e6, 1.2e7];

/// Seconds, from a flicker to most of a consult.
const LONG: [f64; 9] = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0];

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
