//! Micro-benchmarks of the forwarding path, without any I/O: `bedside-bench micro`.
//!
//! Each case prepares what clients send, then hands it over to a worker's core (or to a sealer or
//! opener alone) and counts what it did. Processor time of the thread counts, not the clock on the
//! wall; the spread says how far the machine's other work showed through.

mod cases;

#[path = "../../dataplane/core/examples/load/mod.rs"]
#[expect(dead_code, reason = "core's own tests use more of it")]
mod load;

pub use cases::CASES;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

/// Runs the cases and prints a table.
#[derive(Args)]
pub struct Micro {
    /// Run only the cases whose name contains this; may be given several times
    #[arg(long)]
    case: Vec<String>,
    /// Measured rounds of each case
    #[arg(long, default_value_t = 25)]
    rounds: usize,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Run one case's rounds for valgrind and print only how many operations they were
    #[arg(long, hide = true, requires = "case")]
    count: bool,
}

/// One micro-benchmark.
pub struct Case {
    /// For the command line and the file of instruction counts.
    pub name: &'static str,
    /// What one operation is.
    pub operation: &'static str,
    make: fn() -> Box<dyn Work>,
    /// Whether a file of instruction counts has it: those with thousands of participants take too
    /// long under valgrind, one is a regression on purpose.
    pub counted: bool,
}

/// What a case does in rounds.
trait Work {
    /// Makes the next round's input. Not measured.
    fn prepare(&mut self);
    /// Does the round, and says how many operations that was.
    fn run(&mut self) -> u64;
    /// Cleans up behind it. Not measured.
    fn settle(&mut self) {}
}

/// What a case costs on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// [`Case::name`].
    pub case: &'static str,
    /// [`Case::operation`].
    pub operation: &'static str,
    /// Processor time of one operation, ns: the median of the rounds.
    pub ns: f64,
    /// Their lower quartile, ns.
    pub ns_lower: f64,
    /// Their upper quartile, ns.
    pub ns_upper: f64,
    /// Operations measured.
    pub operations: u64,
}

impl Micro {
    /// Runs what was asked for.
    ///
    /// # Errors
    /// If no case has such a name.
    #[expect(clippy::print_stdout, reason = "a command's output")]
    pub fn run(&self) -> Result<()> {
        if self.count {
            let name = self.case.first().context("a case is named")?;
            println!("{}", count(name, self.rounds)?);
            return Ok(());
        }
        let wanted = |case: &&Case| {
            self.case.is_empty() || self.case.iter().any(|part| case.name.contains(part))
        };
        let chosen: Vec<_> = CASES.iter().filter(wanted).collect();
        ensure!(!chosen.is_empty(), "no case has such a name");
        let measured: Vec<_> = chosen
            .iter()
            .map(|case| measure(case, self.rounds))
            .collect();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&measured)?);
            return Ok(());
        }
        println!("{:24} {:>8}  {:>15}  per", "case", "ns", "quartiles");
        for of in measured {
            println!(
                "{:24} {:8.1}  {:7.1}-{:<7.1}  {}",
                of.case, of.ns, of.ns_lower, of.ns_upper, of.operation
            );
        }
        Ok(())
    }
}

/// Measures one case in `rounds` rounds, after as many as bring it to rest.
#[must_use]
pub fn measure(case: &Case, rounds: usize) -> Measurement {
    let mut work = at_rest(case);
    let mut operations = 0;
    let mut costs: Vec<_> = (0..rounds.max(4))
        .map(|_| {
            work.prepare();
            let before = load::thread_time();
            let done = measured(work.as_mut());
            let spent = load::thread_time().saturating_sub(before);
            work.settle();
            operations += done;
            spent.as_nanos() as f64 / done.max(1) as f64
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    Measurement {
        case: case.name,
        operation: case.operation,
        ns: costs[costs.len() / 2],
        ns_lower: costs[costs.len() / 4],
        ns_upper: costs[costs.len() * 3 / 4],
        operations,
    }
}

/// The operations of `rounds` rounds of the case of that name, done inside [`measured`].
fn count(name: &str, rounds: usize) -> Result<u64> {
    let case = CASES
        .iter()
        .find(|case| case.name == name)
        .with_context(|| format!("there is no case {name}"))?;
    let mut work = at_rest(case);
    let mut operations = 0;
    for _ in 0..rounds {
        work.prepare();
        operations += measured(work.as_mut());
        work.settle();
    }
    Ok(operations)
}

/// A case after the rounds in which its caches and windows take their size.
fn at_rest(case: &Case) -> Box<dyn Work> {
    let mut work = (case.make)();
    for _ in 0..ROUNDS_BEFORE {
        work.prepare();
        work.run();
        work.settle();
    }
    work
}

/// What valgrind counts: it knows this function by its name.
#[inline(never)]
fn measured(work: &mut dyn Work) -> u64 {
    work.run()
}

/// Rounds until a case is at rest.
const ROUNDS_BEFORE: usize = 8;
