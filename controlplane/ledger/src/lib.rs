//! Where the audit log is kept: the operator's side of it.
//!
//! [`Ledger`] is the one way in. [`record`](Ledger::record) returns once an event is durable, for
//! everything that grants; [`note`](Ledger::note) returns at once, for what has already happened.
//! One task seals, appends and signs: what has arrived while a transaction was being committed is
//! the next one, with a checkpoint in each. [`Archive`] reads.
//!
//! `docs/internals/ledger.md` follows an event; `docs/operating/audit-log.md` says what an operator
//! does when something is wrong.
#![forbid(unsafe_code)]

mod archive;
mod check;
mod clock;
mod config;
mod error;
mod handle;
mod health;
mod keys;
pub mod limits;
mod mirror;
mod publish;
mod question;
mod sealing;
mod storage;
mod tally;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tiles;
mod tls;
mod verify;
mod witness;
mod writer;

pub use archive::Archive;
pub use clock::{Clock, SystemClock};
pub use config::{Database, LedgerConfig, WitnessConfig};
pub use error::{Blame, Error, Fork, Unwritable};
pub use handle::{Ledger, Recorded};
pub use health::Health;
pub use mirror::append as append_mirror;
pub use question::{Answer, EntryReport, LiveReport, Question, StatusReport, VerifyReport, Wanted};
pub use storage::{Columns, Search, StoredCheckpoint, StoredCosignature, StoredEntry, StoredTile};
pub use tls::client as tls_client;
pub use verify::{Verified, VerifyOptions};
pub use witness::WitnessState;
