//! `bedside-loadgen run`.

use crate::cli::Failure;
use crate::cli::host::HostArguments;
use crate::cli::load::{self, Load, OutputArguments};
use crate::cli::target::TargetArguments;
use bedside_loadgen::report::number;
use bedside_loadgen::report::summary::Measured;
use bedside_loadgen::scenario::{Scenario, shipped};
use clap::Args;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Name of a scenario that is built in, or a file
    scenario: String,
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    bound: BoundArguments,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    host: HostArguments,
}

/// What differs from the scenario's file.
#[derive(Args)]
#[command(next_help_heading = "Changes to the scenario")]
struct Changes {
    /// Measure for so long
    #[arg(long, value_name = "TIME", value_parser = load::duration)]
    duration: Option<Duration>,
    /// Warm up for so long
    #[arg(long, value_name = "TIME", value_parser = load::duration)]
    warm_up: Option<Duration>,
    /// So many times as many rooms
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = load::scale)]
    scale: f64,
    /// What everything random follows from
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Args)]
#[command(next_help_heading = "What the server must keep (exit code 3 if not)")]
struct BoundArguments {
    /// 99 % of packets arrive no later than this after they were due
    #[arg(long, value_name = "TIME", value_parser = load::duration)]
    latency_p99: Option<Duration>,
    /// Share of packets that may be lost
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = load::share, requires = "latency_p99")]
    loss_max: f64,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let scenario = self.changes.apply(&self.scenario)?;
        self.output.check()?;
        let load = Load::new(&self.target)?;
        let stop = self.host.prepare(scenario.participant_count())?;
        let live = self.output.live();
        live.say(&format!(
            "{}: {} in {}",
            scenario.name,
            number::counted(scenario.participant_count(), "participant"),
            number::counted(scenario.room_count(), "room")
        ));
        let outcome = load.play(&scenario, &stop, &live);
        live.clear();
        let outcome = outcome.map_err(anyhow::Error::from)?;
        let measured = Measured::of(&outcome);
        let mut summary = load.summary(scenario, self.changes.scale, outcome.ended, measured);
        summary.bound = self
            .bound
            .latency_p99
            .map(|latency_p99| load::bound(latency_p99, self.bound.loss_max));
        self.output.write(&summary)?;
        load::judge(&summary)
    }
}

impl Changes {
    fn apply(&self, name: &str) -> Result<Scenario, Failure> {
        let scenario = shipped::find(name).map_err(Failure::arguments)?;
        let changed = Scenario {
            duration: self.duration.unwrap_or(scenario.duration),
            warm_up: self.warm_up.unwrap_or(scenario.warm_up),
            seed: self.seed.unwrap_or(scenario.seed),
            ..scenario
        };
        changed.scaled(self.scale).map_err(Failure::arguments)
    }
}
