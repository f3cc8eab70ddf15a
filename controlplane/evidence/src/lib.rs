//! Evidence bundles: what the audit log says of a consult or of a period, with proofs, and how the
//! service was set up meanwhile, in one archive that can be checked anywhere (45 CFR 164.308(a)(6)(ii),
//! 164.308(a)(8), 164.312(b), (c)).
//!
//! Making a bundle has two steps, because making one is itself recorded. A [`Draft`] of the
//! [`Material`] knows the hash of its manifest; that hash is recorded in the log; the record and its
//! proof are the bundle's [`Seal`]. So the log's signature is the bundle's, and a bundle that nobody
//! recorded does not verify.
//!
//! [`verify`](verify()) needs no server, no key and no network: it checks every byte of the archive
//! and names what was changed.
//!
//! [`make`] does all of it from a ledger. Nothing here reads a clock, a file or a socket by itself.
#![forbid(unsafe_code)]

mod archive;
mod bundle;
mod collect;
pub mod controls;
mod limits;
mod material;
mod page;
pub mod sbom;
#[cfg(test)]
mod testing;
mod verify;

pub use bundle::{Draft, Seal};
pub use collect::{MakeError, Request, Setup, make};
pub use material::{ClearText, Material, ProvenEntry, Scope};
pub use verify::{Report, VerifyError, verify};

/// SHA-256, hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
