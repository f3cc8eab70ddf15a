//! `bedside-loadgen ramp`.

use crate::cli::Failure;
use crate::cli::host::HostArguments;
use crate::cli::live::Live;
use crate::cli::load::{self, Load, OutputArguments};
use crate::cli::target::TargetArguments;
use bedside_loadgen::Stop;
use bedside_loadgen::capacity::{Bound, Search, Step, Verdict};
use bedside_loadgen::report::number;
use bedside_loadgen::report::summary::Measured;
use bedside_loadgen::run::Ended;
use bedside_loadgen::scenario::{Scenario, limits, shipped};
use clap::Args;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Name of a scenario that is built in, or a file
    scenario: String,
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    search: SearchArguments,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    host: HostArguments,
}

#[derive(Args)]
#[command(next_help_heading = "The search")]
struct SearchArguments {
    /// Carried is a load of which 99 % of packets arrive no later than this after they were due
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = load::duration)]
    latency_p99: Duration,
    /// ... and of which no greater share of packets is lost
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = load::share)]
    loss_max: f64,
    /// Begin with so many times the scenario's rooms
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = load::scale)]
    from: f64,
    /// End with so many times the scenario's rooms
    #[arg(long, value_name = "FACTOR", default_value_t = 100_000.0, value_parser = load::scale)]
    to: f64,
    /// Let each load settle for so long after the last join
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = load::duration)]
    settle: Duration,
    /// Measure each load for so long
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = load::duration)]
    step: Duration,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let scenario = self.search.scenario(&self.scenario)?;
        self.output.check()?;
        let load = Load::new(&self.target)?;
        let stop = self
            .host
            .prepare(u64::from(limits::PARTICIPANTS_MAX).min(OPEN_AT_MOST))?;
        let live = self.output.live();
        let bound = load::bound(self.search.latency_p99, self.search.loss_max);
        let search = Search {
            from: self.search.from,
            to: self.search.to.max(self.search.from),
            rooms: scenario.room_count(),
        };
        let mut ended = Ended::Complete;
        let mut tried = 0;
        let ramp = search.run(bound, |scale| {
            let step = try_load(&load, &scenario, scale, &stop, &live, &bound);
            tried += 1;
            match step {
                Ok(step) => Ok(step),
                // What was found before is worth reporting.
                Err(error) if tried > 1 => {
                    ended = Ended::Failed(format!("{error:#}"));
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        });
        live.clear();
        let ramp = ramp?;
        if stop.is_stopped() {
            ended = Ended::Interrupted;
        }
        let shown = ramp.capacity_step().or_else(|| ramp.steps.last());
        let Some(step) = shown else {
            return Err(Failure::Run(anyhow::anyhow!(
                "stopped before anything was measured"
            )));
        };
        let (scale, measured) = (step.scale, step.measured.clone());
        let mut summary = load.summary(scenario, scale, ended, measured);
        summary.bound = Some(bound);
        let verdict = load::judge_ramp(&ramp);
        summary.ramp = Some(ramp);
        self.output.write(&summary)?;
        match summary.ended {
            Ended::Failed(why) => Err(Failure::Run(anyhow::anyhow!("the search broke off: {why}"))),
            Ended::Complete | Ended::Interrupted => verdict,
        }
    }
}

impl SearchArguments {
    fn scenario(&self, name: &str) -> Result<Scenario, Failure> {
        let scenario = shipped::find(name).map_err(Failure::arguments)?;
        let longest_join = scenario.plan().last_join();
        Ok(Scenario {
            duration: self.step.max(*limits::DURATION.start()),
            warm_up: longest_join + self.settle,
            ..scenario
        })
    }
}

/// Tries one load; none where somebody said stop.
fn try_load(
    load: &Load,
    scenario: &Scenario,
    scale: f64,
    stop: &Stop,
    live: &Live,
    bound: &Bound,
) -> anyhow::Result<Option<Step>> {
    if stop.is_stopped() {
        return Ok(None);
    }
    let scenario = scenario.scaled(scale)?;
    let (rooms, participants) = (scenario.room_count(), scenario.participant_count());
    let outcome = load.play(&scenario, stop, live)?;
    let measured = Measured::of(&outcome);
    let verdict = match outcome.ended {
        Ended::Interrupted => return Ok(None),
        Ended::Complete => Verdict::of(&measured, participants, bound),
        Ended::Failed(why) => Verdict::Broken(why),
    };
    live.say(&format!(
        "{}, {}: {} packets/s out, p99 {}, lost {}: {}",
        number::counted(rooms, "room"),
        number::counted(participants, "participant"),
        number::plain(measured.received_per_second().round()),
        number::time(measured.latency.at(99.0) as f64),
        number::percent(measured.packets.loss),
        match &verdict {
            Verdict::Held => "held".to_owned(),
            Verdict::Broken(why) => format!("broken ({why})"),
            Verdict::GeneratorLimit(why) => format!("the generator was the limit ({why})"),
        }
    ));
    Ok(Some(Step {
        scale,
        rooms,
        participants,
        measured,
        verdict,
    }))
}

/// Participants that open files are asked for at the start, where the ramp's end is not known.
const OPEN_AT_MOST: u64 = 8_000;
