//! Finds out, step by step, whether this host can run a ring.

use std::fmt;
use std::time::Duration;

use crate::error::RingError;
use crate::host::Host;
use crate::ring::{Config, OPERATIONS, Ring, set_up};

/// What [`probe`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The kernel's release, such as `6.18.0`.
    pub kernel: String,
    /// The checks in order; those after a failure that they depend on are left out.
    pub checks: Vec<Check>,
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub outcome: Outcome,
}

/// How a check ended, with what was found, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As needed.
    Passed(String),
    /// Works, but less well than it could; the text says what to do.
    Warned(String),
    /// A ring cannot be made; the text says why and what to type.
    Failed(String),
}

impl Report {
    /// Whether a ring can be made here.
    pub fn is_usable(&self) -> bool {
        !self
            .checks
            .iter()
            .any(|check| matches!(check.outcome, Outcome::Failed(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernel {}", self.kernel)?;
        for Check { name, outcome } in &self.checks {
            let (word, text) = match outcome {
                Outcome::Passed(text) => ("ok  ", text),
                Outcome::Warned(text) => ("warn", text),
                Outcome::Failed(text) => ("FAIL", text),
            };
            writeln!(f, "{word} {name}: {text}")?;
        }
        Ok(())
    }
}

/// Looks at the host's settings, sets up an io_uring, and sends two datagrams in one message
/// through a ring of its own on the loopback address. Takes some milliseconds and leaves nothing
/// behind. The calling thread must be allowed to make sockets; a `bedside doctor` calls this, and
/// the data plane when it starts.
pub fn probe() -> Report {
    let host = Host::read();
    let mut checks = settings(&host);
    let set_up = check("io_uring set-up", set_up(8).map(|_| operations()));
    let ready = matches!(set_up.outcome, Outcome::Passed(_));
    checks.push(set_up);
    if ready {
        checks.push(round_trip());
    }
    Report {
        kernel: host.kernel,
        checks,
    }
}

/// What the host says about itself, as far as it matters.
fn settings(host: &Host) -> Vec<Check> {
    let kernel = if host.is_recent() {
        Outcome::Passed(format!("{} (6.1 or newer is needed)", host.kernel))
    } else {
        // A distribution may have brought io_uring to an older kernel: the set-up below decides.
        Outcome::Warned(format!("{}. {}", host.kernel, crate::Obstacle::OldKernel))
    };
    let disabled = match host.io_uring_disabled {
        None => Outcome::Passed("not known to this kernel, so not disabled".to_owned()),
        Some(0) => Outcome::Passed("0".to_owned()),
        // A privileged process may use io_uring with 1: the set-up below decides.
        Some(value) => Outcome::Warned(crate::Obstacle::Sysctl { value }.to_string()),
    };
    let seccomp = match host.seccomp_filtered {
        Some(true) => Outcome::Passed("a filter applies; the set-up below tries it".to_owned()),
        Some(false) => Outcome::Passed("no filter".to_owned()),
        None => Outcome::Passed("unknown: /proc/self/status does not say".to_owned()),
    };
    let locked_memory = match host.locked_memory_bytes_max {
        None => Outcome::Passed("unlimited".to_owned()),
        Some(bytes) if bytes >= LOCKED_MEMORY_BYTES => Outcome::Passed(format!("{bytes} bytes")),
        Some(bytes) => Outcome::Warned(format!("{bytes} bytes. {}", crate::Obstacle::LockedMemory)),
    };
    vec![
        Check {
            name: "kernel",
            outcome: kernel,
        },
        Check {
            name: "kernel.io_uring_disabled",
            outcome: disabled,
        },
        Check {
            name: "seccomp",
            outcome: seccomp,
        },
        Check {
            name: "locked memory",
            outcome: locked_memory,
        },
    ]
}

fn operations() -> String {
    let names: Vec<&str> = OPERATIONS.iter().map(|(name, _)| *name).collect();
    format!("has {}", names.join(", "))
}

fn check(name: &'static str, result: Result<String, RingError>) -> Check {
    let outcome = match result {
        Ok(text) => Outcome::Passed(text),
        Err(error) => Outcome::Failed(error.to_string()),
    };
    Check { name, outcome }
}

/// Two datagrams in one message, from a ring to itself.
fn round_trip() -> Check {
    let name = "UDP round trip with UDP_SEGMENT and UDP_GRO";
    match try_round_trip() {
        Ok(received) if received == ROUND_TRIP_DATAGRAMS => check(
            name,
            Ok(format!("{received} datagrams through one message")),
        ),
        Ok(received) => {
            let text = format!(
                "{received} of {ROUND_TRIP_DATAGRAMS} datagrams came back on 127.0.0.1. A packet \
                 filter may drop them: see `nft list ruleset`"
            );
            Check {
                name,
                outcome: Outcome::Failed(text),
            }
        }
        Err(error) => check(name, Err(error)),
    }
}

fn try_round_trip() -> Result<usize, RingError> {
    let config = Config {
        receive_buffers: crate::limits::RECEIVE_BUFFERS_MIN,
        send_slabs: 1,
        socket_buffer_bytes: 256 << 10,
        ..Config::new(vec![(std::net::Ipv4Addr::LOCALHOST, 0).into()])
    };
    let mut ring = Ring::new(&config)?;
    let address = ring.local_addresses()[0];
    let mut outgoing = ring.outgoing();
    for _ in 0..ROUND_TRIP_DATAGRAMS {
        if let Some(room) = outgoing.reserve(address, address, 100) {
            room.fill(0);
            outgoing.commit(100);
        }
    }
    let mut received = 0;
    for _ in 0..ROUND_TRIP_WAITS_MAX {
        received += ring
            .wait(Some(Duration::from_millis(ROUND_TRIP_WAIT_MS)))?
            .datagrams;
        if received >= ROUND_TRIP_DATAGRAMS {
            break;
        }
    }
    Ok(received)
}

const ROUND_TRIP_DATAGRAMS: usize = 2;
const ROUND_TRIP_WAITS_MAX: u32 = 10;
const ROUND_TRIP_WAIT_MS: u64 = 50;

/// The queues of one ring take 0.1 MiB of it, unless the process has CAP_IPC_LOCK (tried on 6.18).
const LOCKED_MEMORY_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests;
