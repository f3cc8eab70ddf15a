//! From events to a batch: pseudonyms, sealed detail, leaves, tiles, and the checkpoint over them.

use crate::Error;
use crate::keys::random;
use crate::limits::DETAIL_KEYS_CACHED_MAX;
use crate::storage::{
    Batch, Columns, Storage, StoredCheckpoint, StoredDetailKey, StoredEntry, StoredTile,
};
use crate::tiles::Edge;
use bedside_audit::{
    Checkpoint, DetailKey, DetailKeyId, DetailScope, Entry, Event, LogKey, MasterKey, Sealer,
    SealingRandom, Tree,
};
use bedside_protocol::Secret;
use std::collections::HashMap;
use tlog_tiles::Hash;

/// The tree as far as it is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grown {
    pub(crate) tree: Tree,
    pub(crate) edge: Edge,
}

/// Seals; holds what is secret and the keys of details in use.
#[derive(Debug)]
pub(crate) struct Sealing {
    pub(crate) sealer: Sealer,
    pub(crate) master: MasterKey,
    known: HashMap<DetailScope, DetailKey>,
}

/// A batch with the tree that it leads to.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) batch: Batch,
    pub(crate) grown: Grown,
    /// Ids of the entries, in order.
    pub(crate) ids: Vec<String>,
    /// Keys that the batch makes.
    fresh: Vec<DetailKey>,
}

impl Sealing {
    pub(crate) fn new(sealer: Sealer, master: MasterKey) -> Self {
        Self {
            sealer,
            master,
            known: HashMap::new(),
        }
    }

    /// Has the keys at hand that `events` need, as far as they exist.
    ///
    /// # Errors
    /// As [`Error`] of a database; [`Error::Seal`] where a stored key does not unwrap.
    pub(crate) async fn fetch(
        &mut self,
        events: impl Iterator<Item = &Event>,
        storage: &dyn Storage,
    ) -> Result<(), Error> {
        if self.known.len() > DETAIL_KEYS_CACHED_MAX {
            self.known.clear();
        }
        let mut subjects: Vec<String> = events
            .filter_map(|event| self.sealer.detail_scope(event))
            .filter(|scope| !self.known.contains_key(scope))
            .map(|scope| scope.subject.to_string())
            .collect();
        if subjects.is_empty() {
            return Ok(());
        }
        subjects.sort_unstable();
        subjects.dedup();
        for stored in storage.detail_keys(&subjects).await? {
            let key = unwrap(&self.master, &stored)?;
            self.known.insert(key.id().scope().clone(), key);
        }
        Ok(())
    }

    /// Seals one event into its entry; `fresh` gets the key that it made.
    ///
    /// # Errors
    /// [`Error::Seal`], [`Error::Random`].
    pub(crate) fn seal(
        &self,
        event: &Event,
        now_us: u64,
        fresh: &mut HashMap<DetailScope, DetailKey>,
    ) -> Result<Entry, Error> {
        let scope = self.sealer.detail_scope(event);
        let key = match &scope {
            None => None,
            Some(scope) => match self.known.get(scope) {
                Some(key) => Some(key),
                None => {
                    if !fresh.contains_key(scope) {
                        let bytes = Secret::new(random()?);
                        fresh.insert(scope.clone(), DetailKey::new(scope.clone(), &bytes));
                    }
                    fresh.get(scope)
                }
            },
        };
        let random = SealingRandom::new(random()?);
        self.sealer
            .seal(event, key, now_us, random)
            .map_err(|error| Error::Seal(error.to_string()))
    }

    /// The batch of `entries`, at least one, behind `grown`, signed by `keys`.
    ///
    /// # Errors
    /// [`Error::Seal`], [`Error::Random`].
    pub(crate) fn batch(
        &self,
        entries: &[Entry],
        fresh: HashMap<DetailScope, DetailKey>,
        grown: &Grown,
        now_us: u64,
        origin: &str,
        keys: &[&LogKey],
    ) -> Result<Sealed, Error> {
        let mut grown = grown.clone();
        let mut stored = Vec::with_capacity(entries.len());
        let mut tiles: Vec<StoredTile> = Vec::new();
        let mut hashes: Vec<Hash> = Vec::new();
        for entry in entries {
            let body = entry.to_bytes();
            let leaf = Entry::leaf_hash(&body);
            hashes.clear();
            let sequence = grown.tree.append(leaf, |hash| hashes.push(hash));
            grown.edge.push(&hashes, &mut tiles);
            stored.push(StoredEntry {
                sequence,
                leaf: leaf.0,
                body,
                columns: columns(entry),
            });
        }
        let checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size: grown.tree.size(),
            root: grown.tree.root(),
        };
        let signed = checkpoint
            .sign(keys)
            .map_err(|error| Error::Seal(error.to_string()))?;
        let fresh: Vec<DetailKey> = fresh.into_values().collect();
        let detail_keys = fresh
            .iter()
            .map(|key| wrap(&self.master, key))
            .collect::<Result<_, _>>()?;
        Ok(Sealed {
            batch: Batch {
                entries: stored,
                tiles,
                checkpoint: StoredCheckpoint {
                    size: checkpoint.size,
                    at_us: now_us,
                    note: signed.to_text(),
                },
                detail_keys,
            },
            grown,
            ids: entries.iter().map(|entry| entry.id.to_string()).collect(),
            fresh,
        })
    }

    /// Takes the keys of a batch that is durable into use.
    pub(crate) fn stored(&mut self, sealed: &mut Sealed) {
        for key in sealed.fresh.drain(..) {
            self.known.insert(key.id().scope().clone(), key);
        }
    }

    /// Forgets keys that were destroyed.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}

/// What of an entry is put into columns, to be searched for.
pub(crate) fn columns(entry: &Entry) -> Columns {
    let outcome = match entry.outcome {
        bedside_audit::Outcome::Success => "success",
        bedside_audit::Outcome::Denied => "denied",
        bedside_audit::Outcome::Failed => "failed",
    };
    Columns {
        at_us: entry.ts.micros(),
        action: entry.action.name().to_owned(),
        outcome: outcome.to_owned(),
        actor: entry.actor.pid.as_ref().map(ToString::to_string),
        patient: entry
            .patient
            .as_ref()
            .map(|patient| patient.pid.to_string()),
        room: entry.room.as_ref().map(ToString::to_string),
        encounter: entry.encounter.clone(),
    }
}

/// A stored key of details.
///
/// # Errors
/// [`Error::Seal`] where it does not unwrap.
pub(crate) fn unwrap(master: &MasterKey, stored: &StoredDetailKey) -> Result<DetailKey, Error> {
    let unusable = |error: bedside_audit::AuditError| {
        Error::Corrupt(format!("the key of a detail cannot be used: {error}"))
    };
    let id: DetailKeyId = stored.id.parse().map_err(unusable)?;
    master.unwrap(&id, &stored.wrapped).map_err(unusable)
}

fn wrap(master: &MasterKey, key: &DetailKey) -> Result<StoredDetailKey, Error> {
    let wrapped = master
        .wrap(key, random()?)
        .map_err(|error| Error::Seal(error.to_string()))?;
    let scope = key.id().scope();
    Ok(StoredDetailKey {
        subject: scope.subject.to_string(),
        year: scope.year,
        id: key.id().to_string(),
        wrapped,
    })
}
