//! `bedside-dataplane`: forwards media between peers that a control plane names.
//!
//! One pinned thread a core joins a `ring` (packets) to a `core` (what they mean); the main thread
//! speaks with the control plane over a Unix socket. Its configuration is the first message there:
//! there is no file, no environment variable and no outgoing connection.
#![forbid(unsafe_code)]

mod arguments;
mod connection;
mod control;
mod error;
mod fleet;
mod hardening;
mod limits;
mod random;
mod socket;
mod spool;
mod worker;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use bedside_ring::{Outcome, Report};
use clap::Parser as _;
use serde_json::json;

use crate::arguments::Arguments;
use crate::error::WorkerError;
use crate::socket::ControlSocket;

/// Allocations happen when peers come and go; mimalloc gives memory back and does not fragment
/// over months.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(socket) = arguments.socket.filter(|_| !arguments.check) else {
        return check(arguments.json);
    };
    tracing_subscriber::fmt()
        .with_max_level(arguments.log)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    report_panics();
    match run(&socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(socket: &Path) -> Result<(), WorkerError> {
    hardening::give_up()?;
    let report = bedside_ring::probe();
    if !report.is_usable() {
        return Err(WorkerError::Engine {
            report: report.to_string(),
        });
    }
    let runtime = tokio_uring::Runtime::new(&tokio_uring::builder())
        .map_err(|source| WorkerError::Runtime { source })?;
    runtime.block_on(async {
        let socket = ControlSocket::listen(socket)?;
        control::serve(socket).await
    })
}

/// Prints whether this host can run a data plane, and what to type where it cannot.
fn check(json: bool) -> ExitCode {
    let report = bedside_ring::probe();
    // A closed pipe is the reader's choice.
    drop(if json {
        writeln!(std::io::stdout(), "{}", as_json(&report))
    } else {
        write!(std::io::stdout(), "{report}")
    });
    if report.is_usable() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What `bedside doctor` reads; its fields keep their names between releases.
fn as_json(report: &Report) -> serde_json::Value {
    let checks = report.checks.iter().map(|check| {
        let (outcome, detail) = match &check.outcome {
            Outcome::Passed(detail) => ("passed", detail),
            Outcome::Warned(detail) => ("warned", detail),
            Outcome::Failed(detail) => ("failed", detail),
        };
        json!({ "name": check.name, "outcome": outcome, "detail": detail })
    });
    json!({ "kernel": report.kernel, "checks": checks.collect::<Vec<_>>() })
}

/// A panic says where it happened and nothing else: its text may hold what a peer sent.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(
            place,
            thread = thread.name().unwrap_or("unnamed"),
            "panicked"
        );
    }));
}
