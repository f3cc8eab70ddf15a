//! Who may do what: deny by default, decided by policies that are files.
//!
//! A [`Principal`] asks to do an [`Action`] on a [`Resource`] in a [`Context`];
//! [`Policies::decide`] says yes or no, and which policies said so. Policies are written in Cedar
//! (`policies/*.cedar`), checked against their schema when they are loaded, and named in each
//! record by the hash of all of them (45 CFR 164.308(a)(4), 164.312(a)(1)).
//!
//! [`consent`] and [`retention`] are law as data: who must agree before a consult is recorded, and
//! how long its records are kept.
//!
//! Decisions are made on the control path only: joins, admissions, administration; never for a
//! packet.
#![forbid(unsafe_code)]

mod action;
pub mod consent;
mod error;
mod limits;
mod policies;
mod request;
pub mod retention;
pub mod rules;
mod source;
#[cfg(test)]
mod tests;

pub use action::{Action, ResourceKind};
pub use error::Error;
pub use policies::{Decision, Policies};
pub use request::{Capacity, Context, Principal, Resource};
