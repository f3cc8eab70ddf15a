//! The limit program: what this machine can do at best for a forwarder of SRTP.
//!
//! It receives, opens, seals for each subscriber and sends, through io_uring, and does nothing
//! else: no signalling, no handshakes, no RTCP, no replay window, no retransmission, no statistics
//! but a few counters. What a real forwarder costs is stated as a ratio to it, for the same packets
//! in the same run.
//!
//! It prints its address as one line of JSON, takes a [`Plan`] as one line of JSON, says `true`
//! when it listens, forwards until its standard input ends, and prints a [`Forwarded`].

mod forward;
mod memory;
mod plan;
mod ring;
mod srtp;

pub use plan::{Error, Forwarded, Key, Participant, Plan, Reached, Stream, Subscription};

use clap::Args;
use forward::Forwarder;
use ring::Ring;
use std::{
    io::{BufRead, Write},
    net::SocketAddr,
};

/// Arguments of `bedside-bench limit`.
#[derive(Args, Debug)]
pub struct Limit {
    /// Address to receive on; port 0 lets the kernel choose
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Processor to stay on
    #[arg(long)]
    processor: Option<usize>,
}

impl Limit {
    /// Runs until standard input ends.
    ///
    /// # Errors
    /// The plan cannot be used, or the kernel refuses something that the program cannot do without.
    pub fn run(self) -> anyhow::Result<()> {
        if let Some(processor) = self.processor {
            pin(processor)?;
        }
        let mut ring = Ring::new(self.listen)?;
        say(&Reached {
            address: ring.address()?,
        })?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        let plan: Plan =
            serde_json::from_str(&line).map_err(|error| Error::Plan(error.to_string()))?;
        let forwarder = Forwarder::new(&plan)?;
        say(&true)?;
        let started = run_time_ns()?;
        let mut forwarded = forwarder.run(&mut ring)?;
        forwarded.run_time_ns = run_time_ns()? - started;
        say(&forwarded)
    }
}

fn say(what: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    serde_json::to_writer(&mut output, what)?;
    output.write_all(b"\n")?;
    Ok(output.flush()?)
}

/// Keeps this thread on one processor.
fn pin(processor: usize) -> Result<(), Error> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(processor);
    rustix::thread::sched_setaffinity(None, &set).map_err(|error| Error::Kernel {
        what: "stay on that processor",
        error: error.into(),
    })
}

/// How long this thread has run, by the kernel's scheduler.
fn run_time_ns() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split(' ').next().unwrap_or_default();
    Ok(first.parse()?)
}
