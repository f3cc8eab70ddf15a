//! What this process asks of its host before it begins.

use crate::cli::Failure;
use anyhow::{Context as _, anyhow};
use bedside_loadgen::Stop;
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::thread;

#[derive(Args)]
#[command(next_help_heading = "The generator")]
pub(crate) struct HostArguments {
    /// Keep the generator on this processor, counted from 0, so that it does not share the
    /// server's
    #[arg(long, value_name = "N")]
    processor: Option<usize>,
    /// What to log to standard error: error, warn, info, debug, or per module
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log: tracing_subscriber::EnvFilter,
}

impl HostArguments {
    /// Prepares this process for so many participants; says stop when somebody interrupts it.
    pub(crate) fn prepare(self, participants: u64) -> Result<Stop, Failure> {
        tracing_subscriber::fmt()
            .with_env_filter(self.log)
            .with_writer(std::io::stderr)
            .init();
        if let Some(processor) = self.processor {
            pin(processor)?;
        }
        allow_sockets(participants)?;
        Ok(stop_on_signals()?)
    }
}

/// Threads inherit what this one is bound to.
fn pin(processor: usize) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    if processor >= CpuSet::MAX_CPU {
        return Err(Failure::Arguments(anyhow!(
            "--processor {processor}: at most {}",
            CpuSet::MAX_CPU - 1
        )));
    }
    set.set(processor);
    sched_setaffinity(None, &set)
        .with_context(|| format!("--processor {processor}: there is no such processor"))
        .map_err(Failure::Arguments)
}

/// A socket a participant, and some for signalling and the rest of the process.
fn allow_sockets(participants: u64) -> Result<(), Failure> {
    let needed = participants * 2 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if needed > most {
        return Err(Failure::Run(anyhow!(
            "{participants} participants need {needed} open files; this process may have {most} \
             (raise it: ulimit -n {needed})"
        )));
    }
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limit.maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised).context("raising the limit of open files")?)
}

/// The first interrupt ends the run and lets it report; the second ends the process.
fn stop_on_signals() -> anyhow::Result<Stop> {
    let stop = Stop::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime that waits for signals")?;
    let said = stop.clone();
    let wait = move || {
        runtime.block_on(async {
            interrupted().await;
            said.stop();
            interrupted().await;
        });
        #[expect(clippy::exit, reason = "somebody insists")]
        std::process::exit(INTERRUPTED);
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)
        .context("starting the thread that waits for signals")?;
    Ok(stop)
}

async fn interrupted() {
    let Ok(mut terminate) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Standard streams, /proc, the runtime's own.
const OTHER_FILES: u64 = 128;

/// What shells report for SIGINT: 128 + 2.
const INTERRUPTED: i32 = 130;
