//! Which evidence stands in the log already.
//!
//! Between the moment at which a record is durable and the one at which the data plane hears of it,
//! a control plane can be killed; the data plane then offers the event again. What it is known by
//! stands in the record: boot, worker and number, or boot and peer for what a peer has one of.

use crate::Error;
use crate::limits::KNOWN_ENTRIES_MAX;
use bedside_audit::{Action, Entry, Event, Fact};
use bedside_ledger::{Ledger, Search};
use std::collections::HashSet;

/// What the end of the log has.
#[derive(Debug, Default)]
pub(crate) struct Known(HashSet<String>);

impl Known {
    /// Reads the end of the log.
    ///
    /// # Errors
    /// [`Error::Audit`].
    pub(crate) async fn read(ledger: &Ledger) -> Result<Self, Error> {
        let archive = ledger.archive();
        let entries = archive
            .search(&Search::default(), KNOWN_ENTRIES_MAX)
            .await?;
        let keys = entries.iter().filter_map(|stored| {
            let entry = Entry::parse(&stored.body).ok()?;
            let object = entry.object.as_ref().map(|object| object.id.as_str());
            key(entry.action, object, |name| entry.facts.get(name))
        });
        Ok(Self(keys.collect()))
    }

    /// Whether the event was recorded by the control plane before.
    pub(crate) fn has(&self, event: &Event) -> bool {
        let object = event.object.as_ref().map(|object| object.id.as_str());
        key(event.action, object, |name| event.facts.get(name))
            .is_some_and(|key| self.0.contains(&key))
    }
}

/// What an event of the data plane is known by; `None` for others.
fn key<'a>(
    action: Action,
    object: Option<&str>,
    fact: impl Fn(&'static str) -> Option<&'a Fact>,
) -> Option<String> {
    let Some(Fact::Text(boot)) = fact("boot") else {
        return None;
    };
    let (name, object) = (action.name(), object.unwrap_or_default());
    if matches!(action, Action::PeerOpen | Action::PeerClose) {
        return Some(format!("{boot}/{object}/{name}"));
    }
    match (fact("worker"), fact("record")) {
        (Some(Fact::Number(worker)), Some(Fact::Number(record))) => {
            Some(format!("{boot}/{worker}/{record}/{name}/{object}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedside_audit::{Actor, Object};

    fn event(action: Action, peer: &str, record: u64) -> Event {
        let mut event = Event::new(1, action, Actor::SYSTEM);
        event.object = Some(Object {
            kind: "peer",
            id: peer.to_owned(),
        });
        event.facts.insert("boot", "boot-1".into());
        event.facts.insert("worker", 0.into());
        event.facts.insert("record", record.into());
        event
    }

    fn key_of(event: &Event) -> Option<String> {
        let object = event.object.as_ref().map(|object| object.id.as_str());
        key(event.action, object, |name| event.facts.get(name))
    }

    #[test]
    fn a_peer_opens_once_and_closes_once_and_moves_often() {
        let opened = event(Action::PeerOpen, "peer-1", 1);
        let known = Known(key_of(&opened).into_iter().collect());
        assert!(known.has(&event(Action::PeerOpen, "peer-1", 7)));
        assert!(!known.has(&event(Action::PeerOpen, "peer-2", 1)));
        assert!(!known.has(&event(Action::PeerClose, "peer-1", 1)));
        let moved = event(Action::PeerPath, "peer-1", 2);
        let known = Known(key_of(&moved).into_iter().collect());
        assert!(known.has(&moved));
        assert!(!known.has(&event(Action::PeerPath, "peer-1", 3)));
    }

    #[test]
    fn what_is_not_of_the_data_plane_has_no_key() {
        assert_eq!(key_of(&Event::new(1, Action::Join, Actor::SYSTEM)), None);
    }
}
