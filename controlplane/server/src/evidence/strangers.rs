//! Records of callers who have not shown who they are.
//!
//! Whoever reaches the port can be refused as often as they like, and each refusal is a record that
//! is kept for years. So the first few of a network in each minute are recorded one by one, and what
//! comes after them as one record with its number: none is left out of the count.

use crate::clock::now_us;
use crate::limits::{STRANGER_RECORDS_PER_MINUTE, STRANGERS_MAX};
use bedside_audit::{Action, Actor, Event, Fact, Outcome};
use bedside_ledger::Ledger;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// Counts by network, since the minute began. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strangers(Arc<Mutex<HashMap<Deed, Seen>>>);

/// What was tried, and from where.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Deed {
    /// The network's first address; none for those of too many networks.
    network: Option<IpAddr>,
    action: Action,
    outcome: Outcome,
    reason: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// By a record of their own.
    recorded: u32,
    /// After those.
    further: u64,
    /// When the first of the further ones came, microseconds since the Unix epoch.
    first_us: u64,
    /// The last.
    last_us: u64,
}

impl Strangers {
    /// Records what a stranger did, or counts it.
    pub(crate) fn note(&self, ledger: &Ledger, event: Event) {
        if self.has_record(&event) {
            ledger.note(event);
        }
    }

    /// Records what was counted since the last call.
    pub(crate) fn settle(&self, ledger: &Ledger) {
        for event in self.take() {
            ledger.note(event);
        }
    }

    /// Whether the event has a record of its own; otherwise it is counted.
    fn has_record(&self, event: &Event) -> bool {
        let mut deeds = self.lock();
        let mut deed = Deed {
            network: event.actor.address.map(network),
            action: event.action,
            outcome: event.outcome,
            reason: event.reason,
        };
        if deeds.len() >= STRANGERS_MAX && !deeds.contains_key(&deed) {
            deed.network = None;
        }
        let seen = deeds.entry(deed).or_default();
        if seen.recorded < STRANGER_RECORDS_PER_MINUTE {
            seen.recorded += 1;
            return true;
        }
        if seen.further == 0 {
            seen.first_us = event.at_us;
        }
        seen.further = seen.further.saturating_add(1);
        seen.last_us = event.at_us;
        false
    }

    fn take(&self) -> Vec<Event> {
        let deeds = std::mem::take(&mut *self.lock());
        let counted = deeds.into_iter().filter(|(_, seen)| seen.further > 0);
        counted.map(|(deed, seen)| summary(&deed, seen)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Deed, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records what was counted, each minute.
pub(crate) async fn run(strangers: Strangers, ledger: Ledger) {
    loop {
        sleep(MINUTE).await;
        strangers.settle(&ledger);
    }
}

fn summary(deed: &Deed, seen: Seen) -> Event {
    let mut event = Event::new(now_us(), deed.action, Actor::unknown(deed.network));
    event.outcome = deed.outcome;
    event.reason = deed.reason;
    let facts = &mut event.facts;
    facts.insert("count", Fact::Number(seen.further));
    facts.insert("first_us", Fact::Number(seen.first_us));
    facts.insert("last_us", Fact::Number(seen.last_us));
    event
}

/// The network as entries name it: the first 24 bits of IPv4, 48 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4((address.to_bits() & (u32::MAX << 8)).into()),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << 80)).into()),
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
