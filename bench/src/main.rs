//! The command line of `bedside-bench`.
#![forbid(unsafe_code)]

use anyhow::Result;
use bedside_bench::limit;
use clap::{Parser, Subcommand};

/// Measures Bedside's forwarding: against the floor of this machine, against its own
/// specification, against others.
#[derive(Parser)]
#[command(name = "bedside-bench", version)]
struct Arguments {
    #[command(subcommand)]
    run: Run,
}

#[derive(Subcommand)]
enum Run {
    /// The floor: receive, open, seal for each subscriber, send, and nothing else
    Limit(limit::Limit),
}

fn main() -> Result<()> {
    match Arguments::parse().run {
        Run::Limit(limit) => limit.run(),
    }
}
