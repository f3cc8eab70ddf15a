//! The command line of `bedside-relay`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to people"
)]

use anyhow::{Context, Result};
use bedside_relay::{Control, Profile, Relay, Route};
use clap::Parser;
use rustix::process::setpriority_process;
use serde::Serialize;
use std::{
    fs,
    io::{Write as _, stdin, stdout},
    net::{IpAddr, SocketAddr},
    os::fd::AsFd as _,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

/// Relay UDP between clients and a server as a bad network would
///
/// Prints one JSON object with the ports that it opened, then, at its end, one with what happened.
/// It ends with its standard input or after --seconds.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What the network does, as TOML
    #[arg(long, value_name = "FILE")]
    profile: PathBuf,
    /// A port of the server; may be given several times
    #[arg(long, value_name = "ADDR", required = true)]
    to: Vec<SocketAddr>,
    /// Where clients send: one free port for each --to
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    listen: IpAddr,
    /// End after so long, whatever standard input does
    #[arg(long)]
    seconds: Option<f64>,
    /// Begin the profile's time line when standard input says `start`, not at once
    #[arg(long)]
    wait: bool,
    /// Ask for this priority (nice), so that packets leave in time on a busy machine; where it is
    /// not allowed, say so and go on
    #[arg(long, allow_negative_numbers = true)]
    nice: Option<i32>,
}

/// The first line.
#[derive(Serialize)]
struct Ready {
    routes: Vec<Route>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let name = arguments.profile.display();
    let text = fs::read_to_string(&arguments.profile).with_context(|| format!("{name}"))?;
    let profile = Profile::parse(&text).with_context(|| format!("{name}"))?;
    let run_for = arguments.seconds.map(Duration::try_from_secs_f64);
    let run_for = run_for.transpose().context("--seconds")?;
    if let Some(Err(error)) = arguments.nice.map(|nice| setpriority_process(None, nice)) {
        eprintln!("the priority stays as it is: {error}");
    }
    let control = Control::new(stdin().as_fd().try_clone_to_owned()?);
    let mut relay = Relay::new(arguments.listen, &arguments.to, profile)?;
    print(&Ready {
        routes: relay.routes()?,
    })?;
    if !arguments.wait {
        relay.start();
    }
    let statistics = relay.run(Some(control), run_for)?;
    print(&statistics)
}

fn print(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(stdout().flush()?)
}
