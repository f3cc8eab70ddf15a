//! The command line of `bedside-bench`.
#![forbid(unsafe_code)]

use anyhow::Result;
use bedside_bench::{instructions, limit, micro, run};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Measures Bedside's forwarding: against the floor of this machine, against its own
/// specification, against others.
#[derive(Parser)]
#[command(name = "bedside-bench", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The floor: receive, open, seal for each subscriber, send, and nothing else
    Limit(limit::Limit),
    /// What each step of the forwarding path costs, without any I/O
    Micro(micro::Micro),
    /// Instructions of the forwarding path against those it needed before
    Instructions(instructions::Instructions),
    /// End-to-end runs: real processes, real sockets, goals beside measured values
    Run(run::Run),
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().task {
        Task::Limit(limit) => limit.run().map(|()| ExitCode::SUCCESS),
        Task::Micro(micro) => micro.run().map(|()| ExitCode::SUCCESS),
        Task::Instructions(instructions) => instructions.run(),
        Task::Run(run) => run.run().map(|()| ExitCode::SUCCESS),
    }
}
