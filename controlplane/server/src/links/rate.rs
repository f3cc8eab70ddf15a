//! How often one address may ask about links: guessing 256 bits is hopeless, but asking costs us
//! a database read.

use crate::limits::{LINK_REQUESTS_BURST, LINK_REQUESTS_PER_MINUTE, LINK_SOURCES_MAX};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// A token bucket for each source. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimit {
    sources: Arc<Mutex<HashMap<IpAddr, Bucket>>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl RateLimit {
    /// Whether `source` may ask now.
    pub(crate) fn admit(&self, source: IpAddr) -> bool {
        let now = Instant::now();
        let source = network(source);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= LINK_SOURCES_MAX && !sources.contains_key(&source) {
            // Whoever has a full bucket is as good as unknown.
            sources.retain(|_, bucket| bucket.refilled(now) < f64::from(LINK_REQUESTS_BURST));
            if sources.len() >= LINK_SOURCES_MAX {
                return false;
            }
        }
        let bucket = sources.entry(source).or_insert_with(|| Bucket {
            left: f64::from(LINK_REQUESTS_BURST),
            at: now,
        });
        bucket.left = bucket.refilled(now);
        bucket.at = now;
        if bucket.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        true
    }
}

impl Bucket {
    fn refilled(&self, now: Instant) -> f64 {
        let minutes = now.duration_since(self.at).as_secs_f64() / 60.0;
        (self.left + minutes * f64::from(LINK_REQUESTS_PER_MINUTE))
            .min(f64::from(LINK_REQUESTS_BURST))
    }
}

/// An IPv6 host has a whole /64 to ask from.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests;
