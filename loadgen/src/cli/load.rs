//! What `run` and `ramp` have in common.

use crate::cli::Failure;
use crate::cli::live::Live;
use crate::cli::print;
use crate::cli::target::{Participants, TargetArguments};
use anyhow::Context as _;
use bedside_loadgen::capacity::{Bound, Ramp};
use bedside_loadgen::kernel::Process;
use bedside_loadgen::light::FleetConfig;
use bedside_loadgen::report::machine::Machine;
use bedside_loadgen::report::pages;
use bedside_loadgen::report::summary::{Measured, SCHEMA, Summary};
use bedside_loadgen::run::{Ended, Error, Outcome, Run};
use bedside_loadgen::scenario::{Scenario, parse_duration, parse_share};
use bedside_loadgen::{Stop, Target, full, light};
use clap::Args;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;

#[derive(Args)]
#[command(next_help_heading = "Results")]
pub(crate) struct OutputArguments {
    /// Write the result as JSON; - is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the result as a page: one file that needs nothing from outside
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Show nothing while it runs
    #[arg(long, short)]
    quiet: bool,
}

/// A server under load.
pub(crate) struct Load {
    target: Target,
    target_name: &'static str,
    participants: Participants,
    server: Vec<Process>,
    started: OffsetDateTime,
}

impl Load {
    #[expect(
        clippy::disallowed_methods,
        reason = "a result says when it was made; this is the edge that reads the time"
    )]
    pub(crate) fn new(arguments: &TargetArguments) -> Result<Self, Failure> {
        Ok(Self {
            target: arguments.target()?,
            target_name: arguments.target_name(),
            participants: arguments.participants(),
            server: arguments.server()?,
            started: OffsetDateTime::from(SystemTime::now()),
        })
    }

    /// Plays a scenario once.
    pub(crate) fn play(
        &self,
        scenario: &Scenario,
        stop: &Stop,
        live: &Live,
    ) -> Result<Outcome, Error> {
        let target = &self.target;
        let run = Run {
            scenario,
            player: &|scenario, board, stop| match self.participants {
                Participants::Light(sinks) => {
                    let config = FleetConfig {
                        // The whole process is where it should be.
                        processor: None,
                        sinks,
                        seed: scenario.seed,
                    };
                    Ok(light::run_with(config, scenario, target, board, stop)?)
                }
                Participants::Full(options) => {
                    Ok(full::run(scenario, target, options, board, stop)?)
                }
            },
            server: &self.server,
        };
        run.play(stop, &mut |progress| live.show(progress))
    }

    pub(crate) fn summary(
        &self,
        scenario: Scenario,
        scale: f64,
        ended: Ended,
        measured: Measured,
    ) -> Summary {
        Summary {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: rfc3339(self.started),
            command_line: without_secrets(std::env::args()),
            machine: Machine::this(),
            target: self.target_name.to_owned(),
            participants: match self.participants {
                Participants::Light(_) => "light",
                Participants::Full(_) => "full",
            }
            .to_owned(),
            scenario,
            scale,
            ended,
            measured,
            bound: None,
            ramp: None,
        }
    }
}

impl OutputArguments {
    pub(crate) fn live(&self) -> Live {
        Live::new(self.quiet)
    }

    /// Files that cannot be written are better known before an hour of measuring than after.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let standard = Path::new("-");
        let files = [&self.json, &self.report].into_iter().flatten();
        for file in files.filter(|file| *file != standard) {
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(file)
                .with_context(|| file.display().to_string())
                .map_err(Failure::Arguments)?;
        }
        Ok(())
    }

    /// Writes what was asked for, and says the essence on standard output.
    pub(crate) fn write(&self, summary: &Summary) -> anyhow::Result<()> {
        let standard = self.json.as_deref() == Some(Path::new("-"));
        if let Some(file) = &self.json {
            let mut text = serde_json::to_string_pretty(summary)?;
            text.push('\n');
            if standard {
                std::io::stdout().write_all(text.as_bytes())?;
            } else {
                std::fs::write(file, text).with_context(|| file.display().to_string())?;
            }
        }
        if let Some(file) = &self.report {
            let page = pages::page(summary).render()?;
            std::fs::write(file, page).with_context(|| file.display().to_string())?;
        }
        if !standard {
            print!("{}", print::summary(summary));
        }
        Ok(())
    }
}

/// Whether the server kept the bound; a generator that was the limit leaves that open.
pub(crate) fn judge(summary: &Summary) -> Result<(), Failure> {
    if let Ended::Failed(why) = &summary.ended {
        return Err(Failure::Run(anyhow::anyhow!("the run broke off: {why}")));
    }
    let Some(bound) = &summary.bound else {
        return Ok(());
    };
    if let Some(limit) = &summary.measured.generator_limit {
        return Err(Failure::Bound(format!(
            "the generator was the limit: {limit}"
        )));
    }
    let participants = summary.scenario.participant_count();
    match bound.broken_by(&summary.measured, participants) {
        Some(broken) => Err(Failure::Bound(broken)),
        None => Ok(()),
    }
}

/// Whether a ramp found something.
pub(crate) fn judge_ramp(ramp: &Ramp) -> Result<(), Failure> {
    match ramp.capacity {
        Some(_) => Ok(()),
        None => Err(Failure::Bound(ramp.conclusion())),
    }
}

pub(crate) fn bound(latency_p99: Duration, loss_max: f64) -> Bound {
    Bound {
        latency_p99_ns: u64::try_from(latency_p99.as_nanos()).unwrap_or(u64::MAX),
        loss_max,
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a number with us, ms, s, m or h: 5ms".to_owned())
}

pub(crate) fn share(text: &str) -> Result<f64, String> {
    parse_share(text)
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "write a share from 0 to 1, or a percentage: 0.1%".to_owned())
}

pub(crate) fn scale(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|scale| (0.001..=100_000.0).contains(scale))
        .ok_or_else(|| "write a number from 0.001 to 100000".to_owned())
}

/// The command line as a result may show it.
pub(crate) fn without_secrets(arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut shown = Vec::new();
    let mut is_secret = false;
    for argument in arguments {
        shown.push(if is_secret {
            REDACTED.to_owned()
        } else if argument.starts_with("--api-secret=") {
            format!("--api-secret={REDACTED}")
        } else {
            argument.clone()
        });
        is_secret = argument == "--api-secret";
    }
    shown
}

const REDACTED: &str = "(secret)";

fn rfc3339(at: OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}
