//! What can be wrong with policies.

use std::path::PathBuf;

/// Why policies cannot be used. All are the operator's to mend; none is ever a decision.
#[expect(clippy::error_impl_error, reason = "read as bedside_policy::Error")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder or a file in it cannot be read.
    #[error("policies: {path}: {cause}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        cause: std::io::Error,
    },
    /// The guard rails or the schema would be replaced.
    #[error(
        "policies: {0} is built in and cannot be replaced; give your policies another file name"
    )]
    BuiltIn(String),
    /// A file is no Cedar.
    #[error("policies: {file}:{line}: {cause}")]
    Parse {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// What the parser said.
        cause: String,
    },
    /// A policy has no name to stand in records.
    #[error("policies: {file}:{line}: each policy needs an @id(\"...\") of its own")]
    Id {
        /// Which file.
        file: String,
        /// Which line, from 1; the file's first where it cannot be told.
        line: usize,
    },
    /// A policy speaks of what the schema does not know.
    #[error("policies: {file}:{line}: {cause}")]
    Invalid {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// What the validator said.
        cause: String,
    },
}
