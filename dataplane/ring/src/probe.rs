//! Finds out, step by step, whether this host can run a ring, and with which engine.

use std::fmt;
use std::time::Duration;

use crate::engine::{Engine, OPERATIONS, Running};
use crate::error::RingError;
use crate::host::{Host, Obstacle};
use crate::ring::{Config, Ring};

/// What [`probe`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The kernel's release, such as `6.18.0`.
    pub kernel: String,
    /// The checks in order; those after a failure that they depend on are left out.
    pub checks: Vec<Check>,
    /// The engine to use; `None` where a ring cannot be made.
    pub choice: Option<Choice>,
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

/// The engine to use, and why it is not the better one. Printed it is one phrase for an operator,
/// such as `epoll (io_uring: denied by a seccomp filter)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// For [`Config::engine`].
    pub engine: Engine,
    /// What keeps io_uring from being used; `None` where it is, or where epoll was asked for.
    pub obstacle: Option<Obstacle>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, obstacle } = self;
        match obstacle {
            None => write!(f, "{engine}"),
            Some(obstacle) => write!(f, "{engine} ({}: {})", Engine::IoUring, obstacle.brief()),
        }
    }
}

impl Report {
    /// Whether a ring can be made here.
    pub fn is_usable(&self) -> bool {
        self.choice.is_some()
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
        match self.choice {
            Some(choice) => writeln!(f, "engine {choice}"),
            None => writeln!(f, "engine none"),
        }
    }
}

/// Looks at the host's settings, sets up an io_uring, and sends datagrams through a ring of its own
/// on the loopback address; where io_uring does not work, through epoll. With `wanted`, only that
/// engine is tried. Takes some milliseconds and leaves nothing behind. The calling thread must be
/// allowed to make sockets; a `bedside doctor` calls this, and the data plane when it starts.
pub fn probe(wanted: Option<Engine>) -> Report {
    let host = Host::read();
    let mut checks = Vec::new();
    let choice = match wanted {
        Some(Engine::Epoll) => try_epoll(&mut checks, None),
        Some(Engine::IoUring) => try_io_uring(&host, &mut checks).ok(),
        None => match try_io_uring(&host, &mut checks) {
            Ok(choice) => Some(choice),
            Err(obstacle) => {
                for check in &mut checks {
                    check.soften();
                }
                try_epoll(&mut checks, Some(obstacle))
            }
        },
    };
    Report {
        kernel: host.kernel,
        checks,
        choice,
    }
}

fn try_io_uring(host: &Host, checks: &mut Vec<Check>) -> Result<Choice, Obstacle> {
    checks.extend(settings(host));
    let made = Running::new(Engine::IoUring, crate::limits::RECEIVE_BUFFERS_MIN);
    let obstacle = made.as_ref().err().map(obstacle);
    checks.push(check("io_uring set-up", made.map(|_| operations())));
    if let Some(obstacle) = obstacle {
        return Err(obstacle);
    }
    let engine = Engine::IoUring;
    let obstacle = None;
    round_trip(engine, checks).map(|()| Choice { engine, obstacle })
}

fn try_epoll(checks: &mut Vec<Check>, obstacle: Option<Obstacle>) -> Option<Choice> {
    let engine = Engine::Epoll;
    let choice = Choice { engine, obstacle };
    round_trip(engine, checks).ok().map(|()| choice)
}

impl Check {
    /// What failed does not matter after all: there is another way.
    fn soften(&mut self) {
        if let Outcome::Failed(text) = &mut self.outcome {
            let text = std::mem::take(text);
            self.outcome = Outcome::Warned(format!(
                "{text}. Until then epoll is used, which costs more processor time a packet"
            ));
        }
    }
}

/// What the host says about itself, as far as it matters.
fn settings(host: &Host) -> Vec<Check> {
    let kernel = if host.is_recent() {
        Outcome::Passed(format!("{} (6.1 or newer is needed)", host.kernel))
    } else {
        // A distribution may have brought io_uring to an older kernel: the set-up below decides.
        Outcome::Warned(format!("{}. {}", host.kernel, Obstacle::OldKernel))
    };
    let disabled = match host.io_uring_disabled {
        None => Outcome::Passed("not known to this kernel, so not disabled".to_owned()),
        Some(0) => Outcome::Passed("0".to_owned()),
        // A privileged process may use io_uring with 1: the set-up below decides.
        Some(value) => Outcome::Warned(Obstacle::Sysctl { value }.to_string()),
    };
    let seccomp = match host.seccomp_filtered {
        Some(true) => Outcome::Passed("a filter applies; the set-up below tries it".to_owned()),
        Some(false) => Outcome::Passed("no filter".to_owned()),
        None => Outcome::Passed("unknown: /proc/self/status does not say".to_owned()),
    };
    let locked_memory = match host.locked_memory_bytes_max {
        None => Outcome::Passed("unlimited".to_owned()),
        Some(bytes) if bytes >= LOCKED_MEMORY_BYTES => Outcome::Passed(format!("{bytes} bytes")),
        Some(bytes) => Outcome::Warned(format!("{bytes} bytes. {}", Obstacle::LockedMemory)),
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

fn obstacle(error: &RingError) -> Obstacle {
    match error {
        RingError::Unavailable { obstacle, .. } | RingError::MissingOperation { obstacle, .. } => {
            *obstacle
        }
        _ => Obstacle::Unexplained,
    }
}

/// Datagrams from a ring to itself, several in one message and one alone.
fn round_trip(engine: Engine, checks: &mut Vec<Check>) -> Result<(), Obstacle> {
    let name = match engine {
        Engine::IoUring => "UDP with UDP_SEGMENT and UDP_GRO over io_uring",
        Engine::Epoll => "UDP with UDP_SEGMENT and UDP_GRO over epoll",
    };
    let all = ROUND_TRIP_BYTES.len();
    let (outcome, result) = match try_round_trip(engine) {
        Ok(received) if received == all => {
            let text = format!("{received} datagrams came back");
            (Outcome::Passed(text), Ok(()))
        }
        Ok(received) => {
            let text = format!(
                "{received} of {all} datagrams came back on 127.0.0.1. A packet filter may drop \
                 them: see `nft list ruleset`"
            );
            (Outcome::Failed(text), Err(Obstacle::Unexplained))
        }
        Err(error) => (Outcome::Failed(error.to_string()), Err(obstacle(&error))),
    };
    checks.push(Check { name, outcome });
    result
}

fn try_round_trip(engine: Engine) -> Result<usize, RingError> {
    let config = Config {
        receive_buffers: crate::limits::RECEIVE_BUFFERS_MIN,
        send_slabs: 1,
        socket_buffer_bytes: 256 << 10,
        engine,
        ..Config::new(vec![(std::net::Ipv4Addr::LOCALHOST, 0).into()])
    };
    let mut ring = Ring::new(&config)?;
    let address = ring.local_addresses()[0];
    let mut outgoing = ring.outgoing();
    for bytes in ROUND_TRIP_BYTES {
        if let Some(room) = outgoing.reserve(address, address, bytes) {
            room.fill(0);
            outgoing.commit(bytes);
        }
    }
    let mut received = 0;
    for _ in 0..ROUND_TRIP_WAITS_MAX {
        received += ring
            .wait(Some(Duration::from_millis(ROUND_TRIP_WAIT_MS)))?
            .datagrams;
        if received >= ROUND_TRIP_BYTES.len() {
            break;
        }
    }
    Ok(received)
}

/// Two that make one message, and a longer one that is a message of its own.
const ROUND_TRIP_BYTES: [usize; 3] = [100, 100, 200];
const ROUND_TRIP_WAITS_MAX: u32 = 10;
const ROUND_TRIP_WAIT_MS: u64 = 50;

/// The queues of one ring take 0.1 MiB of it, unless the process has CAP_IPC_LOCK (tried on 6.18).
const LOCKED_MEMORY_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests;
