//! Starts a data plane.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use bedside_loadgen::dataplane::Dataplane;
use bedside_protocol::{DataplaneConfig, Policy};

/// A running data plane; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) socket: PathBuf,
}

pub(crate) fn config() -> DataplaneConfig {
    DataplaneConfig {
        workers: 1,
        listen: vec!["127.0.0.1".parse().unwrap()],
        port: 0,
        pin: false,
        policy: Policy::default(),
    }
}

/// The program: `BEDSIDE_DATAPLANE`, or the one that was built beside this test.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("BEDSIDE_DATAPLANE") {
        return named.into();
    }
    let test = std::env::current_exe().unwrap();
    let beside = test.parent().unwrap().parent().unwrap();
    let program = beside.join("bedside-dataplane");
    assert!(
        program.exists(),
        "build it first (cargo build -p bedside-dataplane), or name one in BEDSIDE_DATAPLANE"
    );
    program
}

impl Process {
    pub(crate) fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bedside-loadgen-{}-{number}.socket", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let mut child = Command::new(program())
            .arg("--socket")
            .arg(&socket)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains("waiting for a control plane") {
            assert_ne!(log.read_line(&mut text).unwrap(), 0, "it ended: {text}");
        }
        // Or it would stop when the pipe is full.
        std::thread::spawn(move || log.read_to_string(&mut text));
        Self { child, socket }
    }

    pub(crate) fn connect(&self) -> Dataplane {
        Dataplane::connect(&self.socket, config()).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(&self.socket));
    }
}
