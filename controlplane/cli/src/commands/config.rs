//! `bedside config`: what would keep a configuration from being used.

use crate::{
    commands::configuration,
    exit::Unhealthy,
    print::{Format, line},
};
use anyhow::Result;
use bedside_server::{Profile, Refusals};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum Config {
    /// Say everything that is refused about a configuration, and what to do
    Check(Check),
}

#[derive(Args)]
pub(crate) struct Check {
    /// Configuration to check
    #[arg(value_name = "FILE", default_value = configuration::DEFAULT_PATH)]
    file: PathBuf,
    #[command(flatten)]
    format: Format,
}

/// What `bedside config check --json` prints.
#[derive(Serialize)]
struct Report {
    /// Nothing is refused.
    valid: bool,
    profile: Profile,
    /// SHA-256 of all settings, as the audit log names it.
    hash: String,
    refusals: Refusals,
}

impl Config {
    pub(crate) fn run(self) -> Result<()> {
        let Self::Check(check) = self;
        check.run()
    }
}

impl Check {
    fn run(self) -> Result<()> {
        let path = self.file;
        let config = configuration::read(&path)?;
        let refusals = config.refusals();
        let report = Report {
            valid: refusals.is_empty(),
            profile: config.profile,
            hash: config.hash(),
            refusals,
        };
        let refused = report.refusals.iter().count();
        self.format.print(&report, people)?;
        if refused > 0 {
            return Err(Unhealthy(format!("{} is refused", path.display())).into());
        }
        if !self.format.json {
            line(&format!("{} can be used.", path.display()))?;
        }
        Ok(())
    }
}

fn people(report: &Report) -> String {
    format!("profile {}\n{}", report.profile.name(), report.refusals)
}
