//! What goes into a bundle.

use bedside_audit::{Entry, Hash, Timestamp, VerifyingKey};
use bedside_protocol::Phi;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What goes into a bundle.
#[derive(Debug)]
pub struct Material {
    /// Which records it is about.
    pub scope: Scope,
    /// When it is made.
    pub made: Timestamp,
    /// The release that makes it.
    pub release: &'static str,
    /// The records, in the log's order, and those before them that say how the service was set up:
    /// its start, its configuration, its policies.
    pub entries: Vec<ProvenEntry>,
    /// The signed checkpoint that they are proven against, with what witnesses signed of it.
    pub checkpoint: String,
    /// The keys that signed the log's checkpoints, the oldest first.
    pub log_keys: Vec<VerifyingKey>,
    /// The keys of its witnesses.
    pub witness_keys: Vec<VerifyingKey>,
    /// The details that were opened, if the caller may see them and asked to.
    pub clear: Option<Vec<ClearText>>,
    /// The configuration in force, without secrets.
    pub configuration: Value,
    /// The business-associate agreements on record.
    pub agreements: Value,
    /// What runs and what it talks to.
    pub inventory: Value,
}

/// Which records a bundle is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// Those of one consult, by the room's sid.
    Consult(String),
    /// Those of a period.
    Period {
        /// Not before.
        from: Timestamp,
        /// Before.
        until: Timestamp,
    },
}

impl Scope {
    /// Whether it is about `entry`.
    #[must_use]
    pub fn holds(&self, entry: &Entry) -> bool {
        match self {
            Self::Consult(encounter) => entry.encounter.as_ref() == Some(encounter),
            Self::Period { from, until } => (*from..*until).contains(&entry.ts),
        }
    }
}

/// A record and its proof.
#[derive(Clone, Debug)]
pub struct ProvenEntry {
    /// Its place in the log, from 0.
    pub index: u64,
    /// Its bytes, as they are in the log.
    pub bytes: Vec<u8>,
    /// Its inclusion proof in the tree of the material's checkpoint (RFC 6962 §2.1.1).
    pub hashes: Vec<Hash>,
}

/// A detail that was opened.
#[derive(Debug)]
pub struct ClearText {
    /// Place of its record.
    pub index: u64,
    /// What was sealed.
    pub detail: BTreeMap<String, Phi<String>>,
}
