//! How often reports are taken, from one address and from one reporter.

use crate::limits::{
    STATISTICS_ADDRESSES_MAX, STATISTICS_PER_ADDRESS_MINUTE, STATISTICS_PER_REPORTER_MINUTE,
    STATISTICS_REPORTERS_MAX,
};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Counts reports by the minute. Cheap to clone; what it keeps of anybody is a count and goes
/// with the minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    addresses: Minute<IpAddr>,
    reporters: Minute<[u8; 32]>,
}

impl Pace {
    /// Whether `address` may report now.
    pub(crate) fn admit_address(&self, address: IpAddr) -> bool {
        let (each, all) = (STATISTICS_PER_ADDRESS_MINUTE, STATISTICS_ADDRESSES_MAX);
        self.lock().addresses.admit(address, each, all)
    }

    /// Whether the bearer of the credential with this digest may.
    pub(crate) fn admit_reporter(&self, digest: [u8; 32]) -> bool {
        let (each, all) = (STATISTICS_PER_REPORTER_MINUTE, STATISTICS_REPORTERS_MAX);
        self.lock().reporters.admit(digest, each, all)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts since the minute began.
#[derive(Debug)]
struct Minute<K> {
    began: Option<Instant>,
    counts: HashMap<K, u32>,
}

impl<K> Default for Minute<K> {
    fn default() -> Self {
        Self {
            began: None,
            counts: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash> Minute<K> {
    fn admit(&mut self, key: K, each: u32, all: usize) -> bool {
        let now = Instant::now();
        let began = *self.began.get_or_insert(now);
        if now.duration_since(began) >= MINUTE {
            self.began = Some(now);
            self.counts.clear();
        }
        if self.counts.len() >= all && !self.counts.contains_key(&key) {
            return false;
        }
        let count = self.counts.entry(key).or_default();
        *count = count.saturating_add(1);
        *count <= each
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
