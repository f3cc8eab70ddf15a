//! From a log to a bundle.

use crate::bundle::{Draft, FACT, Seal};
use crate::limits::{CHECKPOINTS_LOOKED_AT, ENTRIES_MAX, PAGE_ENTRIES};
use crate::material::{ClearText, Material, ProvenEntry, Scope};
use bedside_audit::{
    Action, Actor, AuditError, Detail, Entry, Event, Object, PolicyDecision, Purpose, Timestamp,
    VerifyingKey,
};
use bedside_ledger::{Archive, Ledger, Search, StoredCheckpoint, StoredEntry, Unwritable};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a bundle is asked for.
#[derive(Debug)]
pub struct Request {
    /// Which records it is about.
    pub scope: Scope,
    /// Whether names and addresses are opened. The caller has asked the policies.
    pub clear_text: bool,
    /// Now, microseconds since the Unix epoch.
    pub now_us: u64,
    /// Who asks.
    pub actor: Actor,
    /// The decision that allowed it.
    pub policy: Option<PolicyDecision>,
    /// How the service is set up.
    pub setup: Setup,
}

/// How the service is set up, for a bundle.
#[derive(Debug)]
pub struct Setup {
    /// The release that runs.
    pub release: &'static str,
    /// The configuration in force, without secrets.
    pub configuration: Value,
    /// The business-associate agreements on record.
    pub agreements: Value,
    /// What runs and what it talks to.
    pub inventory: Value,
    /// The keys of the log's witnesses.
    pub witness_keys: Vec<VerifyingKey>,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// The log holds nothing of it.
    #[error(
        "the audit log holds no record of it: look for the consult with `bedside audit search`"
    )]
    Nothing,
    /// A period with too many records.
    #[error("more than {ENTRIES_MAX} records: ask for a shorter period, or export the log")]
    TooMany,
    /// That a bundle is made could not be recorded, so none is made.
    #[error("that a bundle is made cannot be recorded: {0}")]
    Unwritable(#[from] Unwritable),
    /// The log cannot be read.
    #[error("{0}")]
    Ledger(#[from] bedside_ledger::Error),
    /// The log holds what is no entry, or cannot be proven.
    #[error("{0}: check the log with `bedside audit verify`")]
    Audit(#[from] AuditError),
}

/// Makes a bundle, and records that it was made: twice where clear text is asked for, since what is
/// about to be read has to be recorded before it is.
///
/// # Errors
/// [`MakeError`]; nothing is handed out that was not recorded.
pub async fn make(ledger: &Ledger, request: Request) -> Result<Vec<u8>, MakeError> {
    let archive = ledger.archive();
    let held = held(archive, &request.scope).await?;
    let (Some(first), Some(last)) = (held.first(), held.last()) else {
        return Err(MakeError::Nothing);
    };
    let (first, last) = (first.sequence, last.sequence);
    let mut stored = context(archive, first).await?;
    stored.extend(held);
    if request.clear_text {
        ledger.record(event(&request, Action::AuditRead)).await?;
    }
    let checkpoint = checkpoint(archive, last).await?;
    let mut entries = Vec::with_capacity(stored.len());
    let mut clear = Vec::new();
    for StoredEntry { sequence, body, .. } in stored {
        if request.clear_text {
            clear.extend(opened(archive, sequence, &body).await?);
        }
        let proof = archive.inclusion(sequence, checkpoint.size).await?;
        entries.push(ProvenEntry {
            index: sequence,
            bytes: body,
            hashes: proof.hashes,
        });
    }
    let Setup {
        release,
        configuration,
        agreements,
        inventory,
        witness_keys,
    } = &request.setup;
    let material = Material {
        scope: request.scope.clone(),
        made: Timestamp::from_micros(request.now_us),
        release,
        entries,
        checkpoint: with_cosignatures(archive, &checkpoint).await?,
        log_keys: archive.verifying_keys()?,
        witness_keys: witness_keys.clone(),
        clear: request.clear_text.then_some(clear),
        configuration: configuration.clone(),
        agreements: agreements.clone(),
        inventory: inventory.clone(),
    };
    let draft = Draft::new(&material);
    let mut made = event(&request, Action::Evidence);
    made.facts.insert(FACT, draft.sha256().into());
    made.facts.insert("clear_text", request.clear_text.into());
    made.facts
        .insert("records", (material.entries.len() as u64).into());
    let recorded = ledger.record(made).await?;
    let seal = seal(
        archive,
        recorded.sequence,
        checkpoint.size,
        recorded.checkpoint,
    )
    .await?;
    Ok(draft.seal(&seal))
}

/// A record about a bundle.
fn event(request: &Request, action: Action) -> Event {
    let mut event = Event::new(request.now_us, action, request.actor.clone());
    event.purpose = Purpose::Operations;
    event.policy.clone_from(&request.policy);
    let (kind, id) = match &request.scope {
        Scope::Consult(encounter) => ("consult", encounter.clone()),
        Scope::Period { from, until } => ("period", format!("{from}/{until}")),
    };
    event.object = Some(Object { kind, id });
    event
}

/// The records that `scope` is about, in the log's order.
async fn held(archive: &Archive, scope: &Scope) -> Result<Vec<StoredEntry>, MakeError> {
    let mut search = match scope {
        Scope::Consult(encounter) => Search {
            encounter: Some(encounter.clone()),
            ..Search::default()
        },
        Scope::Period { from, until } => Search {
            from_us: Some(from.micros()),
            until_us: Some(until.micros()),
            ..Search::default()
        },
    };
    let mut found: Vec<StoredEntry> = Vec::new();
    loop {
        let page = archive.search(&search, PAGE_ENTRIES).await?;
        let Some(earliest) = page.last() else { break };
        search.before = Some(earliest.sequence);
        found.extend(page);
        if found.len() > ENTRIES_MAX {
            return Err(MakeError::TooMany);
        }
    }
    found.reverse();
    Ok(found)
}

/// The last start, change of configuration and change of policies before record `first`.
async fn context(archive: &Archive, first: u64) -> Result<Vec<StoredEntry>, MakeError> {
    let mut found: BTreeMap<u64, StoredEntry> = BTreeMap::new();
    for action in [
        Action::NodeStart,
        Action::ConfigChange,
        Action::PolicyChange,
    ] {
        let search = Search {
            action: Some(action.name().to_owned()),
            before: Some(first),
            ..Search::default()
        };
        let last = archive.search(&search, 1).await?;
        found.extend(last.into_iter().map(|entry| (entry.sequence, entry)));
    }
    Ok(found.into_values().collect())
}

/// A checkpoint that covers record `last`: the first of the next that a witness cosigned, or else
/// the last of all.
async fn checkpoint(archive: &Archive, last: u64) -> Result<StoredCheckpoint, MakeError> {
    let covering = archive.checkpoints(last + 1, CHECKPOINTS_LOOKED_AT).await?;
    for checkpoint in covering {
        if !archive.cosignatures(checkpoint.size).await?.is_empty() {
            return Ok(checkpoint);
        }
    }
    archive.last_checkpoint().await?.ok_or(MakeError::Nothing)
}

/// The checkpoint's note with what witnesses signed of it.
async fn with_cosignatures(
    archive: &Archive,
    checkpoint: &StoredCheckpoint,
) -> Result<String, MakeError> {
    let mut note = checkpoint.note.clone();
    for cosignature in archive.cosignatures(checkpoint.size).await? {
        note.push_str(cosignature.line.trim_end());
        note.push('\n');
    }
    Ok(note)
}

/// What record `sequence` sealed, if its key is still there.
async fn opened(
    archive: &Archive,
    sequence: u64,
    body: &[u8],
) -> Result<Option<ClearText>, MakeError> {
    let entry = Entry::parse(body)?;
    let key = archive.detail_key(&entry).await?;
    Ok(match entry.detail(key.as_ref())? {
        Detail::Open(detail) => Some(ClearText {
            index: sequence,
            detail,
        }),
        _ => None,
    })
}

/// The proof that record `index` is in the log of `size`, which begins with that of `old`.
async fn seal(archive: &Archive, index: u64, old: u64, size: u64) -> Result<Seal, MakeError> {
    let entry = archive.entry(index).await?.ok_or(MakeError::Nothing)?;
    let checkpoint = archive.checkpoints(size, 1).await?;
    let checkpoint = checkpoint.into_iter().next().ok_or(MakeError::Nothing)?;
    Ok(Seal {
        entry: entry.body,
        index,
        hashes: archive.inclusion(index, checkpoint.size).await?.hashes,
        consistency: archive.consistency(old, checkpoint.size).await?.hashes,
        checkpoint: checkpoint.note,
    })
}

#[cfg(test)]
mod tests;
