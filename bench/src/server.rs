//! The programs under test, as processes of their own on a processor of their own.

use crate::limit::{Forwarded, Plan, Reached};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// The processor that servers run on.
pub const SERVER_PROCESSOR: usize = 0;
/// The processor that the generator runs on.
pub const GENERATOR_PROCESSOR: usize = 1;

/// A `bedside-dataplane` that waits for its control plane; ended when dropped.
pub struct Process {
    child: Child,
    socket: PathBuf,
}

/// A limit program; ended when dropped.
pub struct LimitProgram {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

/// Where a worker reads and writes datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// io_uring.
    IoUring,
    /// epoll, recvmmsg, sendmsg.
    Epoll,
}

impl Process {
    /// Starts the program that lies beside this one.
    ///
    /// # Errors
    /// It is not there, or does not come up.
    pub fn dataplane(engine: Option<Engine>) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bedside-bench-{}-{number}.socket", std::process::id());
        let socket = std::env::temp_dir().join(name);
        // A child may run where its parent may, and the generator has pinned itself by now.
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &SERVER_PROCESSOR.to_string()]);
        command.arg(beside("bedside-dataplane")?);
        command.arg("--socket").arg(&socket);
        if let Some(engine) = engine {
            let name = match engine {
                Engine::IoUring => "io_uring",
                Engine::Epoll => "epoll",
            };
            command.args(["--engine", name]);
        }
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .context("taskset cannot start bedside-dataplane")?;
        let mut log = BufReader::new(child.stderr.take().context("a piped log")?);
        let mut text = String::new();
        while !text.contains("waiting for a control plane") {
            if log.read_line(&mut text)? == 0 {
                bail!("bedside-dataplane ended: {text}");
            }
        }
        // What else it logs must not fill the pipe and stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Self { child, socket })
    }

    /// Where it listens for a control plane.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        pid(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
        // It removes its socket itself unless it was killed.
        drop(std::fs::remove_file(&self.socket));
    }
}

impl LimitProgram {
    /// Starts this program's own `limit`.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start() -> Result<Self> {
        let processor = SERVER_PROCESSOR.to_string();
        let mut child = Command::new(beside("bedside-bench")?)
            .args(["limit", "--processor", &processor])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the limit program does not start")?;
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().context("a piped output")?);
        let Reached { address } = say(&mut output)?;
        Ok(Self {
            child,
            input,
            output,
            address,
        })
    }

    /// Where it receives.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        pid(&self.child)
    }

    /// Tells it what to do; it does so when this returns.
    ///
    /// # Errors
    /// It refuses the plan.
    pub fn begin(&mut self, plan: &Plan) -> Result<()> {
        let input = self.input.as_mut().context("it was told to end")?;
        let mut line = serde_json::to_vec(plan)?;
        line.push(b'\n');
        input.write_all(&line)?;
        let ready: bool = say(&mut self.output)?;
        if !ready {
            bail!("the limit program is not ready");
        }
        Ok(())
    }

    /// Ends it and asks what it did.
    ///
    /// # Errors
    /// It failed before.
    pub fn finish(mut self) -> Result<Forwarded> {
        self.input = None;
        say(&mut self.output)
    }
}

impl Drop for LimitProgram {
    fn drop(&mut self) {
        self.input = None;
        end(&mut self.child);
    }
}

/// Reads one line of JSON.
fn say<T: serde::de::DeserializeOwned>(output: &mut impl BufRead) -> Result<T> {
    let mut line = String::new();
    if output.read_line(&mut line)? == 0 {
        bail!("the limit program ended early");
    }
    Ok(serde_json::from_str(&line)?)
}

/// A program that was built together with this one. Tests run one folder below.
fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program has no path")?;
    let folders = own.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|path| File::open(path).is_ok());
    found.with_context(|| format!("{name} is not beside {}: build it first", own.display()))
}

/// Datagrams, or messages of several, that the kernel dropped because the socket at `address` was
/// full, since it was opened.
///
/// # Errors
/// The kernel does not say.
pub fn socket_drops(address: SocketAddr) -> Result<u64> {
    let table = if address.is_ipv4() {
        "/proc/net/udp"
    } else {
        "/proc/net/udp6"
    };
    let text = std::fs::read_to_string(table)?;
    let port = format!(":{:04X}", address.port());
    let lines = text.lines().filter(|line| {
        let local = line.split_ascii_whitespace().nth(1);
        local.is_some_and(|local| local.ends_with(&port))
    });
    let drops = lines.filter_map(|line| {
        line.split_ascii_whitespace()
            .next_back()?
            .parse::<u64>()
            .ok()
    });
    Ok(drops.sum::<u64>())
}

/// Packets that reached the network layer of this network namespace, those of a message that was
/// received whole counted one by one.
///
/// # Errors
/// The kernel does not say.
pub fn packets_received() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("IpExt:"));
    let names = lines.next().context("the kernel counts packets")?;
    let values = lines.next().context("the kernel counts packets")?;
    let counts = names
        .split_ascii_whitespace()
        .zip(values.split_ascii_whitespace());
    // Whatever their mark of congestion (RFC 3168).
    let marks = ["InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts"];
    let packets = counts
        .filter(|(name, _)| marks.contains(name))
        .filter_map(|(_, value)| value.parse::<u64>().ok());
    Ok(packets.sum())
}

pub(crate) fn pid(child: &Child) -> i32 {
    Pid::from_child(child).as_raw_nonzero().get()
}

pub(crate) fn end(child: &mut Child) {
    let _ended_already = kill_process(Pid::from_child(child), Signal::TERM);
    drop(child.wait());
}
