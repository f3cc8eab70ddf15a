//! Both processes of Bedside, on free ports, in a folder of their own.

use bedside_loadgen::Target;
use bedside_protocol::Secret;
use serde::Deserialize;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// `bedside demo`, which starts and stops the data plane too.
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
    ready: Ready,
}

/// What it prints when it is ready.
#[derive(Deserialize)]
struct Ready {
    url: String,
    ca_file: PathBuf,
    api_key: String,
    api_secret_file: PathBuf,
}

impl Server {
    /// Starts it; `None`, with words about it, where tests with processes are not wanted.
    pub(crate) fn start() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if variable("BEDSIDE_SLOW_TESTS").is_none() {
            eprintln!("skipped: BEDSIDE_SLOW_TESTS is not set");
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bedside-loadgen-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(name);
        let mut process = Command::new(program())
            .args(["demo", "--json", "--listen", "127.0.0.1:0"])
            .args(["--media-address", "127.0.0.1", "--data"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo build -p bedside-cli -p bedside-dataplane makes them");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("it says when it is ready");
        let ready = serde_json::from_str(&line).expect("JSON");
        Some(Self {
            process,
            folder,
            ready,
        })
    }

    fn secret(&self) -> Secret<String> {
        let secret = fs::read_to_string(&self.ready.api_secret_file).expect("readable");
        Secret::new(secret.trim().to_owned())
    }

    /// By LiveKit's signalling.
    pub(crate) fn livekit(&self) -> Target {
        Target::Livekit {
            url: self.ready.url.clone(),
            api_key: self.ready.api_key.clone(),
            api_secret: self.secret(),
            ca: Some(self.ready.ca_file.clone()),
        }
    }

    /// By WHIP and WHEP.
    pub(crate) fn whip(&self) -> Target {
        Target::Whip {
            url: self.ready.url.clone(),
            api_key: self.ready.api_key.clone(),
            api_secret: self.secret(),
            ca: Some(self.ready.ca_file.clone()),
        }
    }
}

/// `bedside` from the same build as this test, or the one that `BEDSIDE` names.
fn program() -> PathBuf {
    variable("BEDSIDE").unwrap_or_else(|| {
        let test = env::current_exe().expect("this program");
        let build = test.ancestors().nth(2).expect("target/debug/deps/test");
        build.join("bedside")
    })
}

#[expect(clippy::disallowed_methods, reason = "how tests are told what to run")]
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from)
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)
            .expect("it runs still");
        self.process.wait().expect("a child");
        fs::remove_dir_all(&self.folder).expect("nobody uses it");
    }
}
