//! Commands, their arguments and exit codes.

mod host;
mod live;
mod load;
mod print;
mod ramp;
mod report;
mod run;
mod scenarios;
mod target;
#[cfg(test)]
mod tests;

use clap::{CommandFactory, Parser, Subcommand};
use std::io;
use std::process::ExitCode;

/// Load a WebRTC server with participants by the thousand, and measure what it does.
///
/// A scenario says who joins, what they send and how bad their networks are; `scenarios` lists
/// those that are built in. Participants get in over LiveKit's signalling protocol, over WHIP and
/// WHEP, or, for a Bedside data plane alone, over its Unix socket. Latency counts from when a
/// packet was due, so that neither a late server nor a late generator goes unseen.
///
/// Exit codes: 0 ran; 1 could not run, or not to the end; 2 wrong arguments or a wrong scenario;
/// 3 ran, but the server did not keep the stated bound.
#[derive(Parser)]
#[command(name = "bedside-loadgen", version, arg_required_else_help = true, after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  A data plane alone, saturated, on its own core:
    bedside-dataplane --socket /run/bedside/media.sock &
    bedside-loadgen ramp saturate --dataplane /run/bedside/media.sock --processor 1 \\
        --latency-p99 5ms --report saturate.html

  Twenty consults over real signalling, with a page of results:
    bedside-loadgen run consult --livekit wss://consults.example.org --api-key KEY \\
        --api-secret-file secret --report consult.html --json consult.json

  Two results beside each other:
    bedside-loadgen report before.json after.json --html compared.html";

#[derive(Subcommand)]
enum Command {
    /// Run a scenario once
    Run(run::Arguments),
    /// Find the capacity: add rooms until the server breaks a bound
    Ramp(ramp::Arguments),
    /// List the scenarios that are built in
    Scenarios,
    /// Print a scenario that is built in, to begin one's own from
    Show(scenarios::Show),
    /// Check scenario files
    Check(scenarios::Check),
    /// Make one page of the JSON of one run or several
    Report(report::Arguments),
    /// Print shell completions
    Completions(Completions),
}

#[derive(clap::Args)]
struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

/// Why a command did not succeed; each has its exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Could not run, or not to the end.
    Run(anyhow::Error),
    /// Wrong arguments or a wrong scenario.
    Arguments(anyhow::Error),
    /// The server did not keep the bound.
    Bound(String),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Run(error)
    }
}

impl Failure {
    /// A failure that the arguments are to blame for.
    pub(crate) fn arguments(error: impl Into<anyhow::Error>) -> Self {
        Self::Arguments(error.into())
    }

    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Run(_) => 1,
            Self::Arguments(_) => 2,
            Self::Bound(_) => 3,
        })
    }
}

pub(crate) fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => arguments.run(),
        Command::Ramp(arguments) => arguments.run(),
        Command::Scenarios => scenarios::list(),
        Command::Show(arguments) => arguments.run(),
        Command::Check(arguments) => arguments.run(),
        Command::Report(arguments) => arguments.run(),
        Command::Completions(arguments) => {
            let mut command = Arguments::command();
            clap_complete::generate(
                arguments.shell,
                &mut command,
                "bedside-loadgen",
                &mut io::stdout(),
            );
            Ok(())
        }
    };
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    match &failure {
        Failure::Run(error) | Failure::Arguments(error) => eprintln!("bedside-loadgen: {error:#}"),
        Failure::Bound(broken) => eprintln!("bedside-loadgen: the bound is not kept: {broken}"),
    }
    failure.exit_code()
}
