//! What processes cost, as the kernel counts it: run time of every thread in nanoseconds
//! (`/proc/PID/task/TID/schedstat`), context switches, memory.
//!
//! Run time covers what the kernel does in the name of a thread: its system calls, and on loopback
//! the receive path too, which is charged to whoever sends.

use crate::pacing::Clock;
use procfs::ProcError;
use rustix::net::sockopt::socket_peercred;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A process that is watched.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    process: procfs::process::Process,
}

/// What a process, or several, had cost at a moment.
#[derive(Clone, Debug)]
pub struct Sample {
    at_ns: u64,
    threads: BTreeMap<(i32, i32), Thread>,
    /// Memory that is resident, shared pages included; bytes.
    pub rss_bytes: u64,
    /// Memory with shared pages divided among those who share them, bytes; none where the kernel
    /// does not let us read it (another user's process).
    pub pss_bytes: Option<u64>,
}

/// What a process, or several, cost between two samples. A thread that ended in between counts up
/// to the first of them only.
#[derive(Clone, PartialEq, Debug)]
pub struct Cost {
    /// Time between the samples.
    pub elapsed: Duration,
    /// Run time of all threads, nanoseconds.
    pub run_time_ns: u64,
    /// The same by thread name; threads of one name are added up.
    pub run_time_ns_by_thread: BTreeMap<String, u64>,
    /// Run time of the busiest single thread, nanoseconds.
    pub busiest_thread_ns: u64,
    /// Times a thread waited for something.
    pub voluntary_switches: u64,
    /// Times a thread was made to give way.
    pub involuntary_switches: u64,
    /// At the second sample.
    pub rss_bytes: u64,
    /// At the second sample; none where it may not be read.
    pub pss_bytes: Option<u64>,
}

/// Why a process cannot be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as kernel::Error")]
pub enum Error {
    /// It does not exist, or has ended.
    #[error("there is no process {pid} (any more)")]
    Gone {
        /// Which.
        pid: i32,
    },
    /// The kernel does not show it.
    #[error("process {pid}: {cause}")]
    Unreadable {
        /// Which.
        pid: i32,
        /// What the kernel said.
        cause: String,
    },
    /// The socket has nobody behind it.
    #[error("nobody listens on {}", socket.display())]
    Socket {
        /// Which.
        socket: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Process {
    /// The process with this id.
    ///
    /// # Errors
    /// It does not exist or may not be seen.
    pub fn of(pid: i32) -> Result<Self, Error> {
        let process = procfs::process::Process::new(pid).map_err(|error| failed(pid, &error))?;
        Ok(Self { pid, process })
    }

    /// This process.
    ///
    /// # Errors
    /// `/proc` is not mounted.
    pub fn own() -> Result<Self, Error> {
        let process = procfs::process::Process::myself().map_err(|error| failed(0, &error))?;
        Ok(Self {
            pid: process.pid(),
            process,
        })
    }

    /// The process that listens on a Unix socket, as the kernel knows it (`SO_PEERCRED`).
    ///
    /// # Errors
    /// Nobody listens, or the process may not be seen.
    pub fn listening_on(socket: &Path) -> Result<Self, Error> {
        let unreachable = |source| Error::Socket {
            socket: socket.to_owned(),
            source,
        };
        let stream = UnixStream::connect(socket).map_err(unreachable)?;
        let peer = socket_peercred(&stream).map_err(|error| unreachable(error.into()))?;
        Self::of(peer.pid.as_raw_nonzero().get())
    }

    /// Its id.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// What its file is called, up to 15 bytes.
    ///
    /// # Errors
    /// It has ended.
    pub fn name(&self) -> Result<String, Error> {
        let stat = self.process.stat();
        Ok(stat.map_err(|error| failed(self.pid, &error))?.comm)
    }

    /// What it has cost until now.
    ///
    /// # Errors
    /// It has ended.
    pub fn sample(&self) -> Result<Sample, Error> {
        let gone = |error| failed(self.pid, &error);
        let mut threads = BTreeMap::new();
        let at_ns = Clock::now_ns();
        for task in self.process.tasks().map_err(gone)? {
            let Ok(task) = task else { continue };
            // A thread may end while we look at it.
            let (Ok(schedule), Ok(status)) = (task.schedstat(), task.status()) else {
                continue;
            };
            let thread = Thread {
                name: status.name,
                run_time_ns: schedule.sum_exec_runtime,
                voluntary_switches: status.voluntary_ctxt_switches.unwrap_or(0),
                involuntary_switches: status.nonvoluntary_ctxt_switches.unwrap_or(0),
            };
            threads.insert((self.pid, task.tid), thread);
        }
        let status = self.process.status().map_err(gone)?;
        // A zombie has neither threads that run nor memory.
        if threads.is_empty() || status.state.starts_with(['Z', 'X']) {
            return Err(Error::Gone { pid: self.pid });
        }
        Ok(Sample {
            at_ns,
            threads,
            rss_bytes: status.vmrss.unwrap_or(0) * 1024,
            pss_bytes: self.pss_bytes(),
        })
    }

    fn pss_bytes(&self) -> Option<u64> {
        let rollup = self.process.smaps_rollup().ok()?;
        let map = rollup.memory_map_rollup.0.first()?;
        map.extension.map.get("Pss").copied()
    }
}

impl Sample {
    /// What several processes have cost until now, together.
    ///
    /// # Errors
    /// One of them has ended.
    pub fn of_all(processes: &[Process]) -> Result<Option<Self>, Error> {
        let mut sum: Option<Self> = None;
        for process in processes {
            let sample = process.sample()?;
            sum = Some(match sum {
                None => sample,
                Some(sum) => sum.and(sample),
            });
        }
        Ok(sum)
    }

    fn and(mut self, other: Self) -> Self {
        self.threads.extend(other.threads);
        self.rss_bytes += other.rss_bytes;
        self.pss_bytes = self
            .pss_bytes
            .zip(other.pss_bytes)
            .map(|(ours, theirs)| ours + theirs);
        self
    }
}

impl Cost {
    /// The cost of what happened from `before` to `after`.
    #[must_use]
    pub fn between(before: &Sample, after: &Sample) -> Self {
        let mut cost = Self {
            elapsed: Duration::from_nanos(after.at_ns.saturating_sub(before.at_ns)),
            run_time_ns: 0,
            run_time_ns_by_thread: BTreeMap::new(),
            busiest_thread_ns: 0,
            voluntary_switches: 0,
            involuntary_switches: 0,
            rss_bytes: after.rss_bytes,
            pss_bytes: after.pss_bytes,
        };
        for (id, thread) in &after.threads {
            let earlier = before.threads.get(id);
            let since =
                |value: fn(&Thread) -> u64| value(thread).saturating_sub(earlier.map_or(0, value));
            let run_time_ns = since(|thread| thread.run_time_ns);
            cost.run_time_ns += run_time_ns;
            cost.busiest_thread_ns = cost.busiest_thread_ns.max(run_time_ns);
            cost.voluntary_switches += since(|thread| thread.voluntary_switches);
            cost.involuntary_switches += since(|thread| thread.involuntary_switches);
            *cost
                .run_time_ns_by_thread
                .entry(thread.name.clone())
                .or_default() += run_time_ns;
        }
        cost
    }

    /// Cores kept busy, 1.0 being one whole core.
    #[must_use]
    pub fn cores(&self) -> f64 {
        share(self.run_time_ns, self.elapsed)
    }

    /// How much of one core the busiest thread took, 0 to 1.
    #[must_use]
    pub fn busiest_thread(&self) -> f64 {
        share(self.busiest_thread_ns, self.elapsed)
    }
}

#[derive(Clone, Debug)]
struct Thread {
    name: String,
    run_time_ns: u64,
    voluntary_switches: u64,
    involuntary_switches: u64,
}

fn share(run_time_ns: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() {
        return 0.0;
    }
    run_time_ns as f64 / elapsed.as_nanos() as f64
}

fn failed(pid: i32, error: &ProcError) -> Error {
    match error {
        ProcError::NotFound(_) => Error::Gone { pid },
        // What a file of a process that has just ended answers (ESRCH).
        ProcError::Io(error, _) if error.raw_os_error() == Some(ESRCH) => Error::Gone { pid },
        other => Error::Unreadable {
            pid,
            cause: other.to_string(),
        },
    }
}

const ESRCH: i32 = rustix::io::Errno::SRCH.raw_os_error();

#[cfg(test)]
mod tests;
