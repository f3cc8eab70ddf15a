//! `bedside serve`.

use crate::commands::configuration;
use anyhow::{Context, Result};
use clap::Args;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

#[derive(Args)]
pub(crate) struct Serve {
    /// Configuration; without the default file, defaults apply
    #[arg(long, value_name = "FILE", default_value = configuration::DEFAULT_PATH)]
    config: PathBuf,
    /// What to log: error, warn, info, debug, or a filter such as bedside_server=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// Set aside an audit log that is not what was written, begin a new one, and record that in it
    #[arg(long)]
    accept_fork: bool,
}

impl Serve {
    pub(crate) fn run(self) -> Result<()> {
        keep_memory_inside()?;
        let mut config = configuration::read(&self.config)?;
        config.check_log(log_level(&self.log)?)?;
        log_to_stderr(&self.log)?;
        config.audit.accept_fork = self.accept_fork;
        runtime()?.block_on(async {
            // Before the start: a stop that comes meanwhile must not be missed.
            let stopped = stopped()?;
            Ok(bedside_server::serve(config, stopped).await?)
        })
    }
}

/// Names, tokens and keys are in this process: no core file holds them, and no other process of the
/// same user may read its memory (45 CFR 164.312(a)(1)).
pub(crate) fn keep_memory_inside() -> Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .context("core files cannot be turned off")
}

/// The most verbose level that the filter lets pass.
fn log_level(filter: &str) -> Result<LevelFilter> {
    let filter = EnvFilter::try_new(filter).context("--log is not a filter")?;
    Ok(filter.max_level_hint().unwrap_or(LevelFilter::TRACE))
}

/// Log lines go to standard error, so that standard output stays for answers.
pub(crate) fn log_to_stderr(filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter).context("--log is not a filter")?;
    let color = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(color)
        .init();
    report_panics();
    Ok(())
}

/// A panic says where it happened and nothing else: its text may hold what a client sent.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "panicked; this is a defect of bedside");
    }));
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

/// Resolves at SIGTERM or SIGINT, counted from the call.
pub(crate) fn stopped() -> Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}
