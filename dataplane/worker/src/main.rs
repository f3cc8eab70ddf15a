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
mod lanes;
mod limits;
mod random;
mod socket;
mod spool;
mod spool_file;
mod stream;
mod worker;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use bedside_ring::{Engine, Outcome, Report};
use clap::Parser as _;
use rustix::thread::disable_transparent_huge_pages;
use serde_json::json;
use tokio::task::LocalSet;

use crate::arguments::Arguments;
use crate::error::WorkerError;
use crate::socket::ControlSocket;

/// Allocations happen when peers come and go; mimalloc gives memory back and does not fragment
/// over months.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wanted = arguments.engine.wanted();
    let Some(socket) = arguments.socket.filter(|_| !arguments.check) else {
        return check(wanted, arguments.json);
    };
    tracing_subscriber::fmt()
        .with_max_level(arguments.log)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    report_panics();
    match run(&socket, wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(socket: &Path, wanted: Option<Engine>) -> Result<(), WorkerError> {
    hardening::give_up()?;
    // The allocator asks for pages of 2 MiB, of which participants leave half unused: 100 KiB of
    // memory each instead of 55, for no time that a measurement could tell. A kernel that knows no
    // such pages refuses, and has none to turn off.
    if let Err(error) = disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay as the host has them");
    }
    let report = bedside_ring::probe(wanted);
    let Some(choice) = report.choice else {
        return Err(WorkerError::Engine {
            report: report.to_string(),
        });
    };
    if let Some(obstacle) = choice.obstacle {
        tracing::warn!("packets go through {choice}. {obstacle}");
    }
    let serve = async {
        let listening = ControlSocket::listen(socket, choice.engine)?;
        LocalSet::new()
            .run_until(control::serve(listening, socket, choice))
            .await
    };
    let failed = |source| WorkerError::Runtime { source };
    if choice.engine == Engine::IoUring {
        let runtime = tokio_uring::Runtime::new(&tokio_uring::builder()).map_err(failed)?;
        return runtime.block_on(serve);
    }
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().map_err(failed)?;
    runtime.block_on(serve)
}

/// Prints whether this host can run a data plane, and what to type where it cannot.
fn check(wanted: Option<Engine>, json: bool) -> ExitCode {
    let report = bedside_ring::probe(wanted);
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
    let engine = report.choice.map(|choice| choice.to_string());
    json!({ "kernel": report.kernel, "checks": checks.collect::<Vec<_>>(), "engine": engine })
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
