//! `bedside serve`.

use crate::commands::configuration;
use anyhow::{Context, Result};
use clap::Args;
use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[derive(Args)]
pub(crate) struct Serve {
    /// Configuration; without the default file, defaults apply
    #[arg(long, value_name = "FILE", default_value = configuration::DEFAULT_PATH)]
    config: PathBuf,
    /// What to log: error, warn, info, debug, or a filter such as bedside_server=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

impl Serve {
    pub(crate) fn run(self) -> Result<()> {
        log_to_stderr(&self.log)?;
        let config = configuration::read(&self.config)?;
        runtime()?.block_on(async {
            // Before the start: a stop that comes meanwhile must not be missed.
            let stopped = stopped()?;
            Ok(bedside_server::serve(config, stopped).await?)
        })
    }
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
