//! A small log in memory, for tests.

use crate::{Material, ProvenEntry, Scope, Seal};
use bedside_audit::{
    Action, Actor, ActorKind, AuditError, Authentication, Checkpoint, ConsistencyProof, DetailKey,
    Entry, Event, Hash, InclusionProof, LogKey, Object, Outcome, PolicyDecision, PseudonymKey,
    Role, Sealer, SealingRandom, Timestamp, Tree, VerifyingKey,
};
use bedside_protocol::{Phi, Secret};

pub(crate) struct Log {
    key: LogKey,
    sealer: Sealer,
    tree: Tree,
    hashes: Vec<Hash>,
    entries: Vec<Vec<u8>>,
    random: u8,
}

impl Log {
    /// 2026-11-24, 09:00 UTC.
    pub(crate) const START_US: u64 = 1_795_510_800_000_000;

    pub(crate) fn new() -> Self {
        Self::of(7)
    }

    pub(crate) fn other() -> Self {
        Self::of(8)
    }

    fn of(seed: u8) -> Self {
        Self {
            key: LogKey::new("log.example.org/bedside", Secret::new([seed; 32])).unwrap(),
            sealer: Sealer::new(PseudonymKey::new(1, &Secret::new([3; 32]))),
            tree: Tree::new(),
            hashes: Vec::new(),
            entries: Vec::new(),
            random: 0,
        }
    }

    pub(crate) fn verifying_key(&self) -> VerifyingKey {
        self.key.verifying_key()
    }

    /// Appends `event`; returns its place.
    pub(crate) fn append(&mut self, event: &Event) -> u64 {
        self.random += 1;
        let random = [self.random; SealingRandom::BYTES];
        let key = self
            .sealer
            .detail_scope(event)
            .map(|scope| DetailKey::new(scope, &Secret::new([5; 36])));
        let entry = self
            .sealer
            .seal(event, key.as_ref(), event.at_us, SealingRandom::new(random))
            .unwrap();
        let bytes = entry.to_bytes();
        let hashes = &mut self.hashes;
        let index = self
            .tree
            .append(Entry::leaf_hash(&bytes), |hash| hashes.push(hash));
        self.entries.push(bytes);
        index
    }

    fn checkpoint(&self) -> String {
        let checkpoint = Checkpoint {
            origin: self.key.verifying_key().name().to_owned(),
            size: self.tree.size(),
            root: self.tree.root(),
        };
        checkpoint.sign(&[&self.key]).unwrap().to_text()
    }

    fn inclusion(&self, index: u64) -> Result<Vec<Hash>, AuditError> {
        Ok(InclusionProof::new(index, self.tree.size(), &self.hashes)?.hashes)
    }

    /// What is in `scope`, and the starts of the service before.
    pub(crate) fn material(&self, scope: Scope) -> Material {
        let entries = (0_u64..).zip(&self.entries).filter_map(|(index, bytes)| {
            let entry = Entry::parse(bytes).unwrap();
            let wanted = scope.holds(&entry) || entry.action == Action::NodeStart;
            let hashes = self.inclusion(index).unwrap();
            wanted.then(|| ProvenEntry {
                index,
                bytes: bytes.clone(),
                hashes,
            })
        });
        Material {
            entries: entries.collect(),
            scope,
            made: Timestamp::from_micros(Self::START_US + 3_600_000_000),
            release: "0.0.0",
            checkpoint: self.checkpoint(),
            log_keys: vec![self.verifying_key()],
            witness_keys: vec![],
            clear: None,
            configuration: serde_json::json!({ "profile": "hipaa" }),
            agreements: serde_json::json!([{ "party": "Example Hosting", "until": "2027-12-31" }]),
            inventory: serde_json::json!({ "listeners": [{ "address": "192.0.2.1:443", "for": "page" }] }),
        }
    }

    /// Records that a bundle of `material` was made.
    pub(crate) fn seal(&mut self, material: &Material, manifest_sha256: &str) -> Seal {
        let size = self.tree.size();
        let at_us = material.made.micros();
        let mut event = Event::new(at_us, Action::Evidence, Actor::SYSTEM);
        event
            .facts
            .insert("manifest_sha256", manifest_sha256.into());
        let index = self.append(&event);
        let consistency = ConsistencyProof::new(size, self.tree.size(), &self.hashes).unwrap();
        Seal {
            entry: self.entries.last().unwrap().clone(),
            index,
            hashes: self.inclusion(index).unwrap(),
            checkpoint: self.checkpoint(),
            consistency: consistency.hashes,
        }
    }
}

/// A consult of five records, after the service's start, beside another one.
pub(crate) fn consult(log: &mut Log) {
    let at = |second: u64| Log::START_US + second * 1_000_000;
    let start = Event::new(Log::START_US - 1_000_000, Action::NodeStart, Actor::SYSTEM);
    log.append(&start);
    let clinician = Actor {
        kind: ActorKind::User,
        id: Some(Phi::new("jane.roe".to_owned())),
        role: Some(Role::Clinician),
        authentication: Some(Authentication {
            method: "oidc".to_owned(),
            amr: vec!["pwd".to_owned(), "otp".to_owned()],
            ..Authentication::default()
        }),
        address: Some("203.0.113.9".parse().unwrap()),
    };
    let event = |second, action| Event {
        encounter: Some("RM_one".to_owned()),
        ..Event::new(at(second), action, clinician.clone())
    };
    let mut join = event(0, Action::Join);
    join.policy = Some(PolicyDecision {
        policies: vec!["join".to_owned()],
        hash: "ab".repeat(32),
    });
    log.append(&join);
    log.append(&Event {
        encounter: Some("RM_two".to_owned()),
        ..event(1, Action::Join)
    });
    let denied = Event {
        outcome: Outcome::Denied,
        reason: Some("link_used"),
        ..Event::new(at(2), Action::LinkUse, Actor::unknown(None))
    };
    log.append(&Event {
        encounter: Some("RM_one".to_owned()),
        ..denied
    });
    let peer = Some(Object {
        kind: "peer",
        id: "4-1".to_owned(),
    });
    let mut open = Event {
        object: peer.clone(),
        ..event(3, Action::PeerOpen)
    };
    open.facts.insert("dtls", "1.2".into());
    open.facts.insert("srtp", "AEAD_AES_256_GCM".into());
    log.append(&open);
    log.append(&Event {
        object: peer,
        reason: Some("left"),
        ..event(4, Action::PeerClose)
    });
    log.append(&Event {
        reason: Some("empty"),
        ..event(5, Action::RoomClose)
    });
}
