//! Starts a data plane and speaks the control plane's side.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bedside_protocol::frame::{self, Decoder};
use bedside_protocol::{
    Acknowledge, BootId, Command, CommandFrame, DataplaneConfig, EventFrame, FromControl,
    FromDataplane, Generation, Hello, PROTOCOL_VERSION, Policy, Refusal, RoomId, Secret, Welcome,
    WorkerId,
};
use rustix::process::{Pid, Signal, kill_process};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// A running data plane; killed when dropped.
pub(crate) struct Dataplane {
    child: Child,
    socket: PathBuf,
    log: Option<JoinHandle<String>>,
}

/// A connection as a control plane has one.
pub(crate) struct Control {
    stream: UnixStream,
    decoder: Decoder,
    pub(crate) generation: Generation,
    boot: Option<BootId>,
}

/// Longest wait for anything; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A path that no other test uses.
pub(crate) fn socket_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("bedside-{}-{number}.socket", std::process::id()))
}

pub(crate) fn config() -> DataplaneConfig {
    DataplaneConfig {
        workers: 2,
        listen: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        port: 0,
        pin: true,
        policy: Policy::default(),
    }
}

pub(crate) fn hello(generation: u64) -> Hello {
    Hello {
        version: PROTOCOL_VERSION,
        generation: Generation(generation),
        config: config(),
        spool_key: Secret::new([9; 32]),
    }
}

impl Dataplane {
    pub(crate) fn start() -> Self {
        Self::start_at(&socket_path())
    }

    pub(crate) fn start_at(socket: &Path) -> Self {
        Self::run(socket, process(socket))
    }

    /// On a host that denies io_uring, as a container engine does.
    pub(crate) fn start_without_io_uring() -> Self {
        let socket = socket_path();
        std::thread::spawn(move || {
            deny_io_uring();
            // What this thread starts is denied it too.
            Self::run(&socket, process(&socket))
        })
        .join()
        .unwrap()
    }

    fn run(socket: &Path, mut process: Process) -> Self {
        let mut child = process.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains("waiting for a control plane") {
            assert_ne!(log.read_line(&mut text).unwrap(), 0, "it ended: {text}");
        }
        let log = std::thread::spawn(move || {
            log.read_to_string(&mut text).unwrap();
            text
        });
        Self {
            child,
            socket: socket.to_owned(),
            log: Some(log),
        }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// What the kernel says about the process, in `/proc`.
    pub(crate) fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    pub(crate) fn connect(&self) -> Control {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Control {
            stream,
            decoder: Decoder::new(),
            generation: Generation(0),
            boot: None,
        }
    }

    /// A connection of this generation, welcomed.
    pub(crate) fn control(&self, generation: u64) -> (Control, Welcome) {
        let mut control = self.connect();
        let welcome = control.greet(hello(generation)).unwrap();
        (control, welcome)
    }

    /// SIGKILL, as the kernel or an impatient administrator does it.
    pub(crate) fn kill(mut self) -> PathBuf {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.socket.clone()
    }

    /// SIGTERM; returns how it ended and all that it logged.
    pub(crate) fn terminate(mut self) -> (ExitStatus, String) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        (status, self.log.take().unwrap().join().unwrap())
    }
}

/// Denies io_uring to this thread and to what it starts.
pub(crate) fn deny_io_uring() {
    let rules = BTreeMap::from([(IO_URING_SETUP, Vec::new())]);
    let action = SeccompAction::Errno(rustix::io::Errno::PERM.raw_os_error().cast_unsigned());
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

/// The number of the system call `io_uring_setup`, the same on every architecture.
const IO_URING_SETUP: i64 = 425;

/// The program as it is started here, not started yet.
pub(crate) fn process(socket: &Path) -> Process {
    let mut process = Process::new(env!("CARGO_BIN_EXE_bedside-dataplane"));
    process
        .arg("--socket")
        .arg(socket)
        .arg("--log")
        .arg("debug")
        .stderr(Stdio::piped());
    process
}

impl Drop for Dataplane {
    fn drop(&mut self) {
        // After `terminate` there is nothing left to kill.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(&self.socket));
    }
}

impl Control {
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn send(&mut self, message: &FromControl) {
        let mut bytes = Vec::new();
        frame::encode(message, &mut bytes).unwrap();
        self.send_bytes(&bytes);
    }

    pub(crate) fn command(&mut self, worker: WorkerId, room: RoomId, command: Command) {
        let generation = self.generation;
        self.send(&FromControl::Command(CommandFrame {
            generation,
            room,
            worker,
            command,
        }));
    }

    /// Another handle to the same connection, to send from another thread.
    pub(crate) fn sender(&self) -> Self {
        let stream = self.stream.try_clone().unwrap();
        Self {
            stream,
            decoder: Decoder::new(),
            generation: self.generation,
            boot: self.boot,
        }
    }

    pub(crate) fn greet(&mut self, hello: Hello) -> Result<Welcome, Refusal> {
        self.generation = hello.generation;
        self.send(&FromControl::Hello(hello));
        match self.next().expect("an answer") {
            FromDataplane::Welcome(welcome) => {
                self.boot = Some(welcome.boot);
                Ok(welcome)
            }
            FromDataplane::Refusal(refusal) => Err(refusal),
            other => panic!("not an answer: {other:?}"),
        }
    }

    /// The next frame; `None` when the data plane closed the connection.
    pub(crate) fn next(&mut self) -> Option<FromDataplane> {
        let mut buffer = [0; 4_096];
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some(frame);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(bytes) => self.decoder.extend(&buffer[..bytes]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// The next event, and says that its record is durable.
    pub(crate) fn event(&mut self) -> EventFrame {
        let frame = self.unrecorded_event();
        if let (Some(record), Some(boot)) = (frame.record, self.boot) {
            self.acknowledge(boot, frame.worker, record);
        }
        frame
    }

    pub(crate) fn unrecorded_event(&mut self) -> EventFrame {
        match self.next() {
            Some(FromDataplane::Event(event)) => event,
            other => panic!("not an event: {other:?}"),
        }
    }

    pub(crate) fn acknowledge(&mut self, boot: BootId, worker: WorkerId, record: u64) {
        self.send(&FromControl::Acknowledge(Acknowledge {
            boot,
            worker,
            record,
        }));
    }
}
