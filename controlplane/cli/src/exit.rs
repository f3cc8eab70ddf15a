//! Exit codes; documented in `bedside --help` and `docs/operating/command-line.md`.

use std::process::ExitCode;

/// What was named does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotFound(pub(crate) String);

/// The control plane cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreachable(pub(crate) String);

/// `doctor` or `config check` found something.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unhealthy(pub(crate) String);

/// The audit log or a proof is not what was signed.
#[derive(Debug, thiserror::Error)]
#[error("the audit log is not intact: {0} findings")]
pub(crate) struct Tampered(pub(crate) usize);

/// 2 is clap's, for wrong usage.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    if error.is::<NotFound>() {
        ExitCode::from(3)
    } else if error.is::<Unreachable>() {
        ExitCode::from(4)
    } else if error.is::<Unhealthy>() {
        ExitCode::from(5)
    } else if error.is::<Tampered>() {
        ExitCode::from(6)
    } else {
        ExitCode::FAILURE
    }
}
