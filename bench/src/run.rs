//! End-to-end runs, one after another, into one table.

use crate::{
    comparison::Effort,
    consults, engines,
    figure::Figure,
    flatness, forwarding, joins,
    latency::{self, Shape},
    machine::Machine,
    memory, peers,
    report::Report,
};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::{io::Write, path::PathBuf, time::Duration};

/// Arguments of `bedside-bench run`.
#[derive(Args, Debug)]
pub struct Run {
    /// Which runs; all but peers if none is named
    #[arg(value_enum)]
    names: Vec<Name>,
    /// Short runs: to see that everything works, not to compare
    #[arg(long)]
    quick: bool,
    /// Ten minutes for the run that counts lost packets
    #[arg(long, conflicts_with = "quick")]
    long: bool,
    /// Measure other servers too, where they are installed
    #[arg(long)]
    peers: bool,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Commit to name in the report
    #[arg(long)]
    commit: Option<String>,
}

/// A run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// One publisher to many, saturated and paced, over the limit program
    Forwarding,
    /// Two-way consults over the limit program
    Consults,
    /// Many tracks and many idle participants over few
    Flatness,
    /// Two-way consults: capacity, added latency and loss at 80 % of it
    Latency,
    /// The same for one publisher to 50
    FanOut,
    /// Joins while forwarding at half capacity
    Joins,
    /// Memory of a participant
    Memory,
    /// `io_uring` over epoll
    Engines,
    /// Other servers under the same load
    Peers,
}

const ALL: [Name; 8] = [
    Name::Forwarding,
    Name::Consults,
    Name::Flatness,
    Name::Latency,
    Name::FanOut,
    Name::Joins,
    Name::Memory,
    Name::Engines,
];

impl Run {
    /// Measures, prints each figure as it is found, and writes the reports.
    ///
    /// # Errors
    /// Fewer than two processors, or a report that cannot be written. A run that fails is a
    /// notice in the report.
    pub fn run(self) -> Result<()> {
        let machine = Machine::describe(self.commit.clone());
        if machine.processors < 2 {
            bail!("servers and the generator need a processor each, and there is one");
        }
        let mut names = self.names.clone();
        if names.is_empty() {
            names.extend(ALL);
        }
        if self.peers && !names.contains(&Name::Peers) {
            names.push(Name::Peers);
        }
        let mut notices = notices(&machine, self.quick);
        let mut figures = Vec::new();
        for name in names {
            let mut report = |figure: Figure| {
                say(&format!("{}: {}", figure.what, figure.measured_text()));
                figures.push(figure);
            };
            if let Err(error) = self.one(name, &mut report) {
                let notice = format!("{name:?} did not run: {error:#}");
                say(&notice);
                notices.push(notice);
            }
        }
        let report = Report {
            machine,
            figures,
            notices,
        };
        let mut output = std::io::stdout().lock();
        write!(output, "\n{}", report.text())?;
        report.write(self.html.as_deref(), self.json.as_deref())
    }

    /// How long lost packets are counted.
    fn span(&self) -> Duration {
        Duration::from_secs(match (self.quick, self.long) {
            (true, _) => 3,
            (_, true) => 600,
            _ => 30,
        })
    }

    fn one(&self, name: Name, report: &mut dyn FnMut(Figure)) -> Result<()> {
        let effort = if self.quick {
            Effort::QUICK
        } else {
            Effort::FULL
        };
        match name {
            Name::Forwarding => forwarding::run(effort, report),
            Name::Consults => consults::run(effort, report),
            Name::Flatness => flatness::run(effort, report),
            Name::Engines => engines::run(effort, report),
            Name::Latency => latency::run(Shape::Consults, effort.window, self.span(), report),
            Name::FanOut => latency::run(Shape::OneToFifty, effort.window, self.span(), report),
            Name::Joins => joins::run(if self.quick { 200 } else { 2_000 }, report),
            Name::Memory => memory::run(if self.quick { 50 } else { 500 }, report),
            Name::Peers => peers::run(effort, report),
        }
    }
}

/// What a reader must know about this machine and this run.
fn notices(machine: &Machine, quick: bool) -> Vec<String> {
    let mut notices = Vec::new();
    if quick {
        notices.push("short runs: they show that everything works and compare nothing".to_owned());
    }
    if !machine.release {
        notices.push("built for debugging: figures mean nothing".to_owned());
    }
    if machine.load_before > BUSY {
        notices.push(format!(
            "the machine was busy before the runs (load {:.1}): times, and above all latencies, \
             are those of a machine that others use",
            machine.load_before
        ));
    }
    notices
}

fn say(line: &str) {
    // Progress is for whoever watches; a closed terminal stops nothing.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// Tasks that want to run before anything of ours does.
const BUSY: f64 = 0.5;
