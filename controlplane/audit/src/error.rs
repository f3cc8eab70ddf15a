//! What can go wrong with the log's data.

use thiserror::Error;

/// Why something of the log could not be made, read or believed. No text holds what was read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum AuditError {
    /// An entry would be larger than [`ENTRY_BYTES_MAX`](crate::limits::ENTRY_BYTES_MAX). A bug of
    /// whoever recorded the event: facts and details are few and bounded.
    #[error("the entry has {bytes} bytes, more than the log takes: record fewer facts")]
    EntryTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The event has personal detail, and no key of its subject was given to seal it.
    #[error("the event has personal detail and no key to seal it under was given")]
    DetailKeyMissing,
    /// The key given is another subject's.
    #[error("the key given is not that of the event's subject")]
    DetailKeyWrong,
    /// A detail or a wrapped key does not open: the key is another one, or the bytes were changed.
    #[error("this does not open: either the key is another one or the bytes were changed")]
    DoesNotOpen,
    /// A number or a date that the format cannot say.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// Not what it is read as.
    #[error("this is not a well-formed {0}")]
    Malformed(&'static str),
    /// JSON that says the same as an entry in other bytes.
    #[error(
        "the entry is not in canonical form (RFC 8785): its bytes are not those that were sealed"
    )]
    NotCanonical,
    /// A key of another kind than Ed25519 (0x01) or cosignature/v1 (0x04).
    #[error(
        "the key is of a kind that this version cannot use: only Ed25519 (0x01) and cosignature/v1 (0x04)"
    )]
    KeyKind,
    /// The signature is not that of the key it names.
    #[error("the signature of {0} is wrong")]
    SignatureWrong(String),
    /// No signature by a trusted key.
    #[error("no key that is trusted has signed this: pass the log's verifier key (vkey)")]
    NotSigned,
    /// The checkpoint is another log's.
    #[error("the checkpoint is of another log: its origin is {0:?}")]
    OtherLog(String),
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the checkpoint's root")]
    ProofWrong,
    /// A hash that is needed is not stored.
    #[error("stored hash {0} is missing: the log's hash table is incomplete")]
    HashMissing(u64),
    /// Aws-lc refused a key of the right length, or the like.
    #[error("the cryptographic library refused a valid input")]
    Cryptography,
}
