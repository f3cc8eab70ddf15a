//! A run as a program reads it: the JSON of `--json`. `docs/reference/load-generator.md` describes
//! each field; fields keep their names and meaning while [`SCHEMA`] stays the same, new ones may
//! come.

use crate::capacity::{Bound, Ramp};
use crate::kernel::Cost;
use crate::measure::{Histogram, Measurements, Second};
use crate::report::machine::Machine;
use crate::report::number;
use crate::run::{CostSecond, Ended, Outcome};
use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which shape the JSON has.
pub const SCHEMA: u32 = 1;

/// A run, or a ramp.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the generator.
    pub version: String,
    /// When the run began, RFC 3339, UTC.
    pub started_at: String,
    /// How the generator was called, without secrets.
    pub command_line: Vec<String>,
    /// Where it ran.
    pub machine: Machine,
    /// How participants got in: `livekit`, `whip`, `dataplane`.
    pub target: String,
    /// `light` or `full`.
    pub participants: String,
    /// What the participants did.
    pub scenario: Scenario,
    /// Times the scenario's number of rooms; of a ramp: at its capacity.
    pub scale: f64,
    /// How it ended.
    pub ended: Ended,
    /// What was measured; of a ramp: at its capacity, or in its last step.
    pub measured: Measured,
    /// What the server had to keep, where that was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// The ramp, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
}

/// What was measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// How long, seconds.
    pub seconds: f64,
    /// Participants that joined, counting every coming back.
    pub joined: u64,
    /// Latency of all media, from when a packet was due.
    pub latency: Distribution,
    /// Of audio.
    pub audio_latency: Distribution,
    /// Of video.
    pub video_latency: Distribution,
    /// From when a packet was in fact sent.
    pub forwarding: Distribution,
    /// RFC 3550 section 6.4.1.
    pub jitter: Distribution,
    /// From the wish to join to a transport that carries media.
    pub join: Distribution,
    /// From the wish for a stream to its first packet or whole frame.
    pub first_frame: Distribution,
    /// How late the generator itself was.
    pub lateness: Distribution,
    /// Packets and bytes.
    pub packets: Packets,
    /// Time that pictures stood still, as a share of the time that they were watched.
    pub frozen_share: f64,
    /// How often a received stream changed its layer.
    pub layer_switches: u64,
    /// What failed, and how often.
    pub failures: BTreeMap<String, u64>,
    /// What the server cost; none where its processes are not known.
    pub server: Option<Usage>,
    /// What the generator cost.
    pub generator: Usage,
    /// How the generator was itself the limit; none: it was not.
    pub generator_limit: Option<String>,
    /// Second by second.
    pub seconds_series: Vec<Second>,
    /// Costs second by second.
    pub cost_series: Vec<CostSecond>,
}

/// Packets and bytes of a run.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Packets {
    /// Sent by participants.
    pub sent: u64,
    /// That should have arrived, by sequence numbers.
    pub expected: u64,
    /// That arrived, without duplicates.
    pub received: u64,
    /// That never arrived.
    pub lost: u64,
    /// Lost of expected, 0 to 1.
    pub loss: f64,
    /// That arrived after a later one.
    pub reordered: u64,
    /// That arrived again.
    pub duplicated: u64,
    /// That failed authentication, or were of another sender than the one subscribed to.
    pub forged: u64,
    /// RTP and tag, sent.
    pub bytes_sent: u64,
    /// RTP and tag, arrived.
    pub bytes_received: u64,
}

/// A distribution of times, nanoseconds.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Distribution {
    /// How many values.
    pub count: u64,
    /// Their mean.
    pub mean_ns: f64,
    /// The greatest.
    pub max_ns: u64,
    /// For each of [`PERCENTILES`], the value that so many of all do not exceed. Empty where there
    /// are no values.
    pub percentiles: Vec<(f64, u64)>,
}

/// What processes cost.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// Run time of all threads, nanoseconds.
    pub run_time_ns: u64,
    /// Cores kept busy.
    pub cores: f64,
    /// How much of a core the busiest thread took, 0 to 1.
    pub busiest_thread: f64,
    /// Run time for each packet that arrived, nanoseconds; none where none did.
    pub ns_per_packet: Option<f64>,
    /// Run time by thread name, nanoseconds.
    pub run_time_ns_by_thread: BTreeMap<String, u64>,
    /// Times a thread waited for something.
    pub voluntary_switches: u64,
    /// Times a thread was made to give way.
    pub involuntary_switches: u64,
    /// Resident memory at the end, bytes.
    pub rss_bytes: u64,
    /// With shared pages divided, bytes; none where it may not be read.
    pub pss_bytes: Option<u64>,
}

/// Percentiles that a [`Distribution`] has: enough for a curve, and those that people name.
pub const PERCENTILES: [f64; 20] = [
    0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.75, 99.9, 99.95, 99.975, 99.99,
    99.995, 99.999, 99.9995, 99.9999, 100.0,
];

/// A summary cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as summary::Error")]
pub enum Error {
    /// The file cannot be read.
    #[error("{} cannot be read", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// It is not the JSON of a run.
    #[error("{} is not a result of `bedside-loadgen --json`", file.display())]
    Malformed {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It was written by a generator of another time.
    #[error("{} has schema {schema}; this version reads {SCHEMA}", file.display())]
    Schema {
        /// Which.
        file: PathBuf,
        /// What it has.
        schema: u32,
    },
}

impl Summary {
    /// Reads the JSON of a run.
    ///
    /// # Errors
    /// It cannot be read, or is something else.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(file).map_err(|source| Error::Unreadable {
            file: file.to_owned(),
            source,
        })?;
        let malformed = |source| Error::Malformed {
            file: file.to_owned(),
            source,
        };
        // The number first: another schema may have other fields.
        let Schema { schema } = serde_json::from_str(&text).map_err(malformed)?;
        if schema != SCHEMA {
            return Err(Error::Schema {
                file: file.to_owned(),
                schema,
            });
        }
        serde_json::from_str(&text).map_err(malformed)
    }
}

#[derive(Deserialize)]
struct Schema {
    schema: u32,
}

impl Measured {
    /// The figures of a run.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        let measurements = &outcome.measurements;
        let received = measurements.packets_received;
        let generator = Usage::of(&outcome.generator, received);
        let lateness = Distribution::of(&measurements.lateness);
        Self {
            seconds: outcome.measured.as_secs_f64(),
            joined: measurements.joined,
            latency: Distribution::of(&measurements.latency()),
            audio_latency: Distribution::of(&measurements.audio_latency),
            video_latency: Distribution::of(&measurements.video_latency),
            forwarding: Distribution::of(&measurements.forwarding),
            jitter: Distribution::of(&measurements.jitter),
            join: Distribution::of(&measurements.join),
            first_frame: Distribution::of(&measurements.first_frame),
            generator_limit: generator_limit(&lateness, &generator),
            lateness,
            packets: Packets::of(measurements),
            frozen_share: share(measurements.frozen_ns, measurements.watched_ns),
            layer_switches: measurements.layer_switches,
            failures: measurements.failures.clone(),
            server: outcome
                .server
                .as_ref()
                .map(|cost| Usage::of(cost, received)),
            generator,
            seconds_series: measurements.seconds.clone(),
            cost_series: outcome.costs.clone(),
        }
    }

    /// Packets that arrived in a second.
    #[must_use]
    pub fn received_per_second(&self) -> f64 {
        self.packets.received as f64 / self.seconds
    }

    /// Packets that were sent in a second.
    #[must_use]
    pub fn sent_per_second(&self) -> f64 {
        self.packets.sent as f64 / self.seconds
    }

    /// To how many receivers a packet went, on average.
    #[must_use]
    pub fn fan_out(&self) -> Option<f64> {
        (self.packets.sent > 0).then(|| self.packets.received as f64 / self.packets.sent as f64)
    }
}

/// Packets sent later than this after they were due are the generator's fault, not the server's.
pub const LATENESS_P99_MAX: Duration = Duration::from_millis(1);

/// A thread that takes more of a core than this has no time left to be punctual.
pub const BUSIEST_THREAD_MAX: f64 = 0.95;

fn generator_limit(lateness: &Distribution, generator: &Usage) -> Option<String> {
    if u128::from(lateness.at(99.0)) > LATENESS_P99_MAX.as_nanos() {
        let late = number::time(lateness.at(99.0) as f64);
        return Some(format!("it sent late: p99 {late} after packets were due"));
    }
    if generator.busiest_thread > BUSIEST_THREAD_MAX {
        let busy = number::percent(generator.busiest_thread);
        return Some(format!("one of its threads was busy {busy} of the time"));
    }
    None
}

impl Packets {
    fn of(measurements: &Measurements) -> Self {
        Self {
            sent: measurements.packets_sent,
            expected: measurements.packets_expected,
            received: measurements.packets_received,
            lost: measurements.lost(),
            loss: measurements.loss(),
            reordered: measurements.reordered,
            duplicated: measurements.duplicated,
            forged: measurements.forged,
            bytes_sent: measurements.bytes_sent,
            bytes_received: measurements.bytes_received,
        }
    }
}

impl Distribution {
    /// Of what a histogram holds.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let value = |percentile: f64| (percentile, histogram.quantile_ns(percentile / 100.0));
        Self {
            count: histogram.count(),
            mean_ns: histogram.mean_ns(),
            max_ns: histogram.max_ns(),
            percentiles: PERCENTILES.into_iter().map(value).collect(),
        }
    }

    /// The value at one of [`PERCENTILES`], nanoseconds; 0 where there are no values.
    #[must_use]
    pub fn at(&self, percentile: f64) -> u64 {
        let found = self.percentiles.iter();
        found
            .min_by(|a, b| {
                (a.0 - percentile)
                    .abs()
                    .total_cmp(&(b.0 - percentile).abs())
            })
            .map_or(0, |(_, value_ns)| *value_ns)
    }
}

impl Usage {
    fn of(cost: &Cost, packets: u64) -> Self {
        Self {
            run_time_ns: cost.run_time_ns,
            cores: cost.cores(),
            busiest_thread: cost.busiest_thread(),
            ns_per_packet: (packets > 0).then(|| cost.run_time_ns as f64 / packets as f64),
            run_time_ns_by_thread: cost.run_time_ns_by_thread.clone(),
            voluntary_switches: cost.voluntary_switches,
            involuntary_switches: cost.involuntary_switches,
            rss_bytes: cost.rss_bytes,
            pss_bytes: cost.pss_bytes,
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
