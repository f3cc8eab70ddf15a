//! What a network does, as a file says it.

use crate::limits::{CHANGES_MAX, TIME_MS_MAX};
use serde::Deserialize;
use std::time::Duration;

/// A network and how it changes, as TOML:
///
/// ```toml
/// seed = 7
/// up = { delay_ms = 20.0, loss = 0.02 }
/// down = { delay_ms = 20.0, rate_kbps = 5000, queue_ms = 1000.0 }
///
/// [[change]]
/// at_ms = 20000
/// down = { rate_kbps = 400 }
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What is drawn is a function of it.
    pub seed: u64,
    /// From the client to the server.
    #[serde(default)]
    pub up: Impairment,
    /// From the server to the client.
    #[serde(default)]
    pub down: Impairment,
    /// The time line, in order.
    #[serde(default, rename = "change")]
    pub changes: Vec<Change>,
}

/// What becomes different, from some time on.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Since the beginning of the time line.
    pub at_ms: u64,
    /// What is not named stays as it was.
    #[serde(default)]
    pub up: Impairment,
    /// As `up`.
    #[serde(default)]
    pub down: Impairment,
    /// The client changes networks: after so long without any, its packets come to the server from
    /// another port.
    pub hand_over_gap_ms: Option<f64>,
}

/// One direction as a profile names it. What is not named stays as it was, at first a perfect
/// network.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impairment {
    /// Time that every packet takes, 0 to 60,000.
    pub delay_ms: Option<f64>,
    /// Time that a packet takes in addition, evenly from zero; order is kept. 0 to 60,000.
    pub jitter_ms: Option<f64>,
    /// Share of packets that are held back by `reorder_ms`, 0.0 to 1.0.
    pub reorder: Option<f64>,
    /// How long, 0 to 60,000; 10 where nothing is said.
    pub reorder_ms: Option<f64>,
    /// Share of packets that arrive twice, 0.0 to 1.0.
    pub duplication: Option<f64>,
    /// Share of packets that are lost, each on its own, 0.0 to 1.0.
    pub loss: Option<f64>,
    /// Losses in a row. A share of 0 ends them.
    pub burst: Option<Burst>,
    /// Rate of the bottleneck, in 1,000 bits of UDP payload a second; 0: none.
    pub rate_kbps: Option<u64>,
    /// How long a packet at the end of the bottleneck's full queue waits. Needed with a rate,
    /// unless there is `queue_bytes`.
    pub queue_ms: Option<f64>,
    /// What the queue holds, in place of `queue_ms`.
    pub queue_bytes: Option<u64>,
    /// What is above this rate is dropped, without a queue; 0: no policer.
    pub police_kbps: Option<u64>,
    /// What may come at once for all that; 15,000 where nothing is said.
    pub police_burst_bytes: Option<u64>,
}

/// Losses in a row (Gilbert's model).
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// Share of packets that are lost, 0.0 to 0.9.
    pub loss: f64,
    /// Packets in a row, on average, 1.0 or more.
    pub length: f64,
}

/// What a [`Link`](crate::Link) does: an [`Impairment`] that has been checked and completed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Setting {
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    pub(crate) reorder: f64,
    pub(crate) reorder_by: Duration,
    pub(crate) duplication: f64,
    pub(crate) loss: f64,
    pub(crate) burst: Option<Burst>,
    pub(crate) rate_bps: Option<u64>,
    pub(crate) queue: Queue,
    pub(crate) police_bps: Option<u64>,
    pub(crate) police_burst_bytes: u64,
}

/// How much a bottleneck holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Queue {
    Unsaid,
    Time(Duration),
    Bytes(u64),
}

/// A profile says something that there is not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Not TOML, or a name that does not exist.
    #[error("not a profile: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A value outside its range.
    #[error("{name} must be between {min} and {max}")]
    Range {
        /// Of the setting.
        name: &'static str,
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// A bottleneck has a queue.
    #[error("rate_kbps needs queue_ms or queue_bytes")]
    NoQueue,
    /// Two sizes of one queue.
    #[error("a queue has queue_ms or queue_bytes, not both")]
    TwoQueues,
    /// Changes are read in order.
    #[error("the change at {at_ms} ms comes after a later one")]
    Order {
        /// Of the change.
        at_ms: u64,
    },
    /// More than anybody needs.
    #[error("a profile has at most {CHANGES_MAX} changes")]
    TooManyChanges,
}

impl Profile {
    /// Reads a profile and checks it through to its last change.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)?;
        if profile.changes.len() > CHANGES_MAX {
            return Err(ProfileError::TooManyChanges);
        }
        let mut up = Setting::default().with(&profile.up)?;
        let mut down = Setting::default().with(&profile.down)?;
        let mut last_ms = 0;
        for change in &profile.changes {
            if change.at_ms < last_ms {
                return Err(ProfileError::Order {
                    at_ms: change.at_ms,
                });
            }
            last_ms = change.at_ms;
            up = up.with(&change.up)?;
            down = down.with(&change.down)?;
            if let Some(gap_ms) = change.hand_over_gap_ms {
                time("hand_over_gap_ms", gap_ms)?;
            }
        }
        Ok(profile)
    }
}

impl Default for Setting {
    /// A perfect network.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: 0.0,
            reorder_by: Duration::from_millis(10),
            duplication: 0.0,
            loss: 0.0,
            burst: None,
            rate_bps: None,
            queue: Queue::Unsaid,
            police_bps: None,
            police_burst_bytes: 15_000,
        }
    }
}

impl Setting {
    /// This setting with what `impairment` names in place of what it had.
    ///
    /// # Errors
    /// A value is out of its range, or a bottleneck has no queue or two.
    pub fn with(mut self, impairment: &Impairment) -> Result<Self, ProfileError> {
        let named = impairment;
        if let Some(value) = named.delay_ms {
            self.delay = time("delay_ms", value)?;
        }
        if let Some(value) = named.jitter_ms {
            self.jitter = time("jitter_ms", value)?;
        }
        if let Some(value) = named.reorder {
            self.reorder = within("reorder", value, 0.0, 1.0)?;
        }
        if let Some(value) = named.reorder_ms {
            self.reorder_by = time("reorder_ms", value)?;
        }
        if let Some(value) = named.duplication {
            self.duplication = within("duplication", value, 0.0, 1.0)?;
        }
        if let Some(value) = named.loss {
            self.loss = within("loss", value, 0.0, 1.0)?;
        }
        if let Some(burst) = named.burst {
            within("burst.loss", burst.loss, 0.0, 0.9)?;
            within("burst.length", burst.length, 1.0, 10_000.0)?;
            self.burst = (burst.loss > 0.0).then_some(burst);
        }
        if let Some(kbps) = named.rate_kbps {
            self.rate_bps = rate_bps(kbps);
        }
        self.queue = match (named.queue_ms, named.queue_bytes) {
            (Some(_), Some(_)) => return Err(ProfileError::TwoQueues),
            (Some(value), None) => Queue::Time(time("queue_ms", value)?),
            (None, Some(value)) => Queue::Bytes(value),
            (None, None) => self.queue,
        };
        if self.rate_bps.is_some() && self.queue == Queue::Unsaid {
            return Err(ProfileError::NoQueue);
        }
        if let Some(kbps) = named.police_kbps {
            self.police_bps = rate_bps(kbps);
        }
        if let Some(value) = named.police_burst_bytes {
            self.police_burst_bytes = value;
        }
        Ok(self)
    }

    /// Rate of the bottleneck, in bits a second.
    #[must_use]
    pub fn rate_bps(&self) -> Option<u64> {
        self.rate_bps
    }

    /// What the queue holds at most, at the present rate.
    pub(crate) fn queue_bytes(&self) -> Option<u64> {
        let rate_bps = self.rate_bps?;
        match self.queue {
            Queue::Unsaid => None,
            Queue::Bytes(bytes) => Some(bytes),
            Queue::Time(time) => {
                let bytes = u128::from(rate_bps) * time.as_nanos() / 8_000_000_000;
                Some(u64::try_from(bytes).unwrap_or(u64::MAX))
            }
        }
    }
}

fn within(name: &'static str, value: f64, min: f64, max: f64) -> Result<f64, ProfileError> {
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(ProfileError::Range { name, min, max })
    }
}

pub(crate) fn time(name: &'static str, value_ms: f64) -> Result<Duration, ProfileError> {
    let value_ms = within(name, value_ms, 0.0, TIME_MS_MAX)?;
    Ok(Duration::from_secs_f64(value_ms / 1_000.0))
}

fn rate_bps(kbps: u64) -> Option<u64> {
    (kbps > 0).then(|| kbps.saturating_mul(1_000))
}

#[cfg(test)]
mod tests;
