//! `bedside doctor`: what is wrong with this machine, and what to type.

mod checks;

use crate::{
    commands::configuration,
    exit::Unhealthy,
    print::{Format, line},
};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Doctor {
    /// Configuration to check the machine against
    #[arg(long, value_name = "FILE", default_value = configuration::DEFAULT_PATH)]
    config: PathBuf,
    /// The data plane's program [default: the one beside this]
    #[arg(long, value_name = "FILE")]
    dataplane: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    /// What.
    name: String,
    /// How it is.
    outcome: Outcome,
    /// What was found.
    found: String,
    /// What to type, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// As it should be.
    Good,
    /// Works, but not as well as it could.
    Warning,
    /// Calls will fail.
    Problem,
}

impl Check {
    fn good(name: &str, found: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            outcome: Outcome::Good,
            found: found.into(),
            remedy: None,
        }
    }

    fn bad(
        name: &str,
        outcome: Outcome,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            outcome,
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }
}

impl Doctor {
    pub(crate) fn run(self) -> Result<()> {
        let checks = checks::all(&self.config, self.dataplane.as_deref());
        self.format.print(&checks, |checks| people(checks))?;
        let problems = checks
            .iter()
            .filter(|check| check.outcome == Outcome::Problem)
            .count();
        if problems > 0 {
            let checks = checks.len();
            let words = format!("{problems} of {checks} checks found a problem");
            return Err(Unhealthy(words).into());
        }
        if !self.format.json {
            line("\nNothing stands in the way of a consult.")?;
        }
        Ok(())
    }
}

fn people(checks: &[Check]) -> String {
    let mut lines = Vec::new();
    for check in checks {
        let word = match check.outcome {
            Outcome::Good => "ok     ",
            Outcome::Warning => "warning",
            Outcome::Problem => "PROBLEM",
        };
        lines.push(format!("{word}  {}: {}", check.name, check.found));
        lines.extend(
            check
                .remedy
                .iter()
                .map(|remedy| format!("         -> {remedy}")),
        );
    }
    lines.join("\n")
}
