//! What is written into the audit log, and how it is proven (45 CFR 164.312(b), (c)).
//!
//! An [`Event`] is what happened, as the control plane hands it over: with names. A [`Sealer`]
//! turns it into an [`Entry`], which carries pseudonyms and encrypted detail, and whose bytes are a
//! leaf of the log's Merkle tree for ever. A [`Tree`] grows by leaves; a [`Checkpoint`] signs its
//! size and root.
//!
//! Whoever keeps a log does this for each batch, and stores all of it in one transaction:
//!
//! 1. For each event: [`Sealer::detail_scope`] says whose [`DetailKey`] is needed. It is unwrapped
//!    from storage ([`MasterKey::unwrap`]) or new ([`DetailKey::new`], [`MasterKey::wrap`]).
//! 2. [`Sealer::seal`], [`Entry::to_bytes`]: the row's body.
//! 3. [`Tree::append`] with [`Entry::leaf_hash`]: the hashes to store, from [`Tree::stored_count`].
//! 4. [`Checkpoint::sign`], [`SignedCheckpoint::to_text`].
//!
//! At start, [`Tree::restore`] reads the right edge and [`Tree::root`] is compared with the last
//! checkpoint. Proofs ([`InclusionProof`], [`ConsistencyProof`]) read a few stored hashes through
//! [`StoredHashes`]; their `needs` says which, for storage that is read beforehand.
//!
//! Nothing here reads a clock, randomness, a file or a socket: all of that is an argument.
#![forbid(unsafe_code)]

mod base64_text;
mod bundle;
mod checkpoint;
mod detail;
mod entry;
mod entry_id;
mod error;
mod event;
pub mod export;
mod filter;
mod keyring;
pub mod limits;
mod note_key;
mod proof;
mod pseudonym;
mod sealer;
pub mod tiles;
mod timestamp;
mod tree;
mod verification;

pub use bundle::{ProofBundle, Proven};
pub use checkpoint::{Checkpoint, Cosigned, SignedCheckpoint};
pub use detail::{DetailKey, DetailKeyId, DetailScope, MasterKey, SealedDetail};
pub use entry::{
    Detail, Entry, EntryActor, EntryAuthentication, EntryObject, EntryPatient, EntryPolicy,
};
pub use entry_id::EntryId;
pub use error::AuditError;
pub use event::{
    Action, Actor, ActorKind, Authentication, Event, Fact, Object, Outcome, PolicyDecision,
    Purpose, Role,
};
pub use filter::Filter;
pub use keyring::Keyring;
pub use note_key::{KeyKind, LogKey, VerifyingKey};
pub use proof::{ConsistencyProof, InclusionProof};
pub use pseudonym::{Pseudonym, PseudonymKey, PseudonymKind};
pub use sealer::{Sealer, SealingRandom};
pub use timestamp::Timestamp;
pub use tlog_tiles::Hash;
pub use tree::{StoredHashes, Tree};
pub use verification::{Finding, Report, Source, Table, Verification};
