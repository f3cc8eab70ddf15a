//! What a relay says when it ends: one JSON object.

use crate::{
    limits::LOG_ENTRIES_MAX,
    link::{Counts, Link},
};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Everything that happened.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Statistics {
    /// When the time line began, in milliseconds since 1970; `None` if it never did.
    pub started_unix_ms: Option<f64>,
    /// From the first to the last turn of the loop.
    pub seconds: f64,
    /// Client addresses that were seen.
    pub flows: usize,
    /// Datagrams of client addresses beyond the bound.
    pub refused_flows: u64,
    /// Datagrams that the kernel did not take.
    pub send_errors: u64,
    /// Times that the client changed networks.
    pub hand_overs: u64,
    /// How late packets were handed to the kernel, measured at each: the relay's own error. The time
    /// from a packet's coming in to its being read is not in it.
    pub late_us: Quantiles,
    /// From the client to the server.
    pub up: DirectionStatistics,
    /// From the server to the client.
    pub down: DirectionStatistics,
    /// What the queues held, over time.
    pub log: Log,
}

/// One direction.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DirectionStatistics {
    /// Packets, by what became of them.
    #[serde(flatten)]
    pub counts: Counts,
    /// In the bottleneck's queue and on its line.
    pub queue_delay_us: Quantiles,
}

/// Of a distribution of microseconds, two digits each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Quantiles {
    /// How many values.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// 95 of 100 are no larger.
    pub p95: u64,
    /// 99 of 100 are no larger.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

/// Columns of equal length, for plots.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Log {
    /// Since the beginning of the time line.
    pub at_ms: Vec<u64>,
    /// From the client to the server.
    pub up: LogOfDirection,
    /// From the server to the client.
    pub down: LogOfDirection,
}

/// One direction's columns.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct LogOfDirection {
    /// Rate of the bottleneck; 0 where there is none.
    pub rate_kbps: Vec<u64>,
    /// How long a packet would have waited.
    pub queue_ms: Vec<f64>,
    /// What had come in so far, the UDP payload.
    pub bytes: Vec<u64>,
    /// What had gone out so far, the UDP payload.
    pub delivered_bytes: Vec<u64>,
}

impl Quantiles {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            p50: histogram.value_at_quantile(0.5),
            p95: histogram.value_at_quantile(0.95),
            p99: histogram.value_at_quantile(0.99),
            max: histogram.max(),
        }
    }
}

impl DirectionStatistics {
    pub(crate) fn of<P: Clone>(link: &Link<P>) -> Self {
        Self {
            counts: link.counts(),
            queue_delay_us: Quantiles::of(link.queue_delay_us()),
        }
    }
}

impl Log {
    /// One entry, unless there are too many already.
    pub(crate) fn add<P: Clone>(
        &mut self,
        now: Instant,
        since: Duration,
        up: &mut Link<P>,
        down: &mut Link<P>,
    ) {
        if self.at_ms.len() >= LOG_ENTRIES_MAX {
            return;
        }
        let at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.at_ms.push(at_ms);
        self.up.add(now, up);
        self.down.add(now, down);
    }
}

impl LogOfDirection {
    fn add<P: Clone>(&mut self, now: Instant, link: &mut Link<P>) {
        let rate_bps = link.setting().rate_bps().unwrap_or_default();
        let waits = link.backlog(now).delay;
        self.rate_kbps.push(rate_bps / 1_000);
        self.queue_ms.push(waits.as_secs_f64() * 1_000.0);
        self.bytes.push(link.counts().bytes);
        self.delivered_bytes.push(link.counts().delivered_bytes);
    }
}
