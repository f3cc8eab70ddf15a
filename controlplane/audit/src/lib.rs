//! What is written into the audit log, and how it is proven (45 CFR 164.312(b), (c)).
//!
//! An [`Event`] is what happened, as the control plane hands it over: with names. Sealing turns it
//! into an entry, which carries pseudonyms and encrypted detail, and is a leaf of the log's Merkle
//! tree for ever.
#![forbid(unsafe_code)]

mod event;

pub use event::{
    Action, Actor, ActorKind, Authentication, Event, Fact, Object, Outcome, PolicyDecision,
    Purpose, Role,
};
