//! What cargo cannot do alone: npm, system packages, several processes.
//!
//! `cargo xtask demo` builds everything and starts a consult on this machine; `cargo xtask test`
//! installs what the tests need and runs everything; `cargo xtask bench` measures.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a build tool talks to its terminal")]

mod bench;
mod build;
mod demo;
mod namespace;
mod prerequisites;
mod quality;
mod run;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, try and test Bedside", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the consult page and both processes
    Build(build::Build),
    /// Build everything, start both processes on loopback and print a patient's and a
    /// clinician's link
    Demo(demo::Demo),
    /// Install what the tests need, then run every test
    Test(test::Test),
    /// Measure what forwarding costs, beside the floor of this machine and the goals
    Bench(bench::Bench),
    /// Measure picture and sound in real browsers on bad networks, beside the goals
    Quality(quality::Quality),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Build(task) => task.run().map(drop),
        Task::Demo(task) => task.run(),
        Task::Test(task) => task.run(),
        Task::Bench(task) => task.run(),
        Task::Quality(task) => task.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
