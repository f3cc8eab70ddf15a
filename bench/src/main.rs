//! The command line of `bedside-bench`.
#![forbid(unsafe_code)]

use anyhow::Result;
use bedside_bench::{limit, run};
use clap::{Parser, Subcommand};

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
    /// End-to-end runs: real processes, real sockets, goals beside measured values
    Run(run::Run),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Limit(limit) => limit.run(),
        Task::Run(run) => run.run(),
    }
}
