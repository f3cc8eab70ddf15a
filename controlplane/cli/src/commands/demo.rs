//! `bedside demo`: a whole consult on one machine.

use crate::{
    commands::serve::{keep_memory_inside, log_to_stderr, runtime, stopped},
    print::line,
};
use anyhow::{Context, Result, anyhow, bail};
use bedside_server::{
    Config, Running,
    admin::{LinkRequest, Role},
};
use clap::Args;
use serde::Serialize;
use std::{
    env,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    pin::{Pin, pin},
    process::ExitStatus,
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

#[derive(Args)]
pub(crate) struct Demo {
    /// Where to serve; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7880")]
    listen: SocketAddr,
    /// Folder for the database, the development certificate and the sockets [default:
    /// bedside-demo-UID in the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Local address to receive media on; may be given several times [default: --listen's, and
    /// this machine's own beside a loopback one, which Firefox does not send media to]
    #[arg(long, value_name = "IP")]
    media_address: Vec<IpAddr>,
    /// Deliver webhooks to this URL
    #[arg(long, value_name = "URL")]
    webhook: Vec<String>,
    /// Print one JSON object with everything a script needs, then run on
    #[arg(long)]
    json: bool,
    /// What both processes log: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: tracing::Level,
}

/// The address that this machine would reach others from, if it has a network. Connecting a UDP
/// socket only looks up the route; nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(DOCUMENTATION_ADDRESS).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// TEST-NET-1 (RFC 5737): no host has it, so that the default route is asked for.
const DOCUMENTATION_ADDRESS: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The first line of `bedside demo --json`.
#[derive(Serialize)]
struct Ready {
    url: String,
    ca_file: PathBuf,
    patient_link: String,
    clinician_link: String,
    api_key: String,
    api_secret_file: PathBuf,
    admin_socket: PathBuf,
}

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        keep_memory_inside()?;
        log_to_stderr(self.log.as_str())?;
        runtime()?.block_on(self.consult())
    }

    async fn consult(self) -> Result<()> {
        if self.listen.ip().is_unspecified() && self.media_address.is_empty() {
            bail!("clients cannot send to a wildcard: name this machine's with --media-address");
        }
        let stopped = stopped()?;
        let user = rustix::process::getuid().as_raw();
        let default = || env::temp_dir().join(format!("bedside-demo-{user}"));
        let folder = self.data.clone().unwrap_or_else(default);
        let mut config = Config::development(&folder, self.listen);
        if self.media_address.is_empty() {
            let loopback = self.listen.ip().is_loopback();
            config
                .media
                .listen
                .extend(own_address().filter(|_| loopback));
        } else {
            config.media.listen.clone_from(&self.media_address);
        }
        config.webhooks.urls.clone_from(&self.webhook);
        make_private(&folder)?;
        let mut dataplane = start_dataplane(&config.dataplane_socket, self.log)?;
        let outcome = {
            let over = pin!(async {
                tokio::select! {
                    () = stopped => Ok(()),
                    ended = dataplane.wait() => Err(ended_early(ended?, &folder)),
                }
            });
            self.serve(config, &folder, over).await
        };
        stop(&mut dataplane).await?;
        outcome
    }

    /// Runs the control plane until it fails or `over` resolves.
    async fn serve(
        &self,
        config: Config,
        folder: &Path,
        mut over: Pin<&mut impl Future<Output = Result<()>>>,
    ) -> Result<()> {
        // So that the control plane finds the data plane at once and has nothing to complain of.
        tokio::select! {
            appeared = timeout(START_TIMEOUT, appears(&config.dataplane_socket)) => {
                appeared.context("the data plane does not start")?;
            }
            outcome = over.as_mut() => return outcome,
        }
        let mut running = bedside_server::start(config).await?;
        let outcome = tokio::select! {
            failure = self.run_on(&mut running, folder) => failure,
            outcome = over => outcome,
        };
        running.stop().await;
        outcome
    }

    /// Says what is ready and returns when the control plane has failed.
    async fn run_on(&self, running: &mut Running, folder: &Path) -> Result<()> {
        running.dataplane_connected(START_TIMEOUT).await?;
        self.announce(running, folder).await?;
        Err(running.failed().await.into())
    }

    async fn announce(&self, running: &Running, folder: &Path) -> Result<()> {
        let link = async |role, name: &str| {
            let request = LinkRequest {
                room: "demo".to_owned(),
                role,
                display_name: Some(name.to_owned()),
                room_label: Some("Demonstration consult".to_owned()),
                valid_s: LINK_VALID_S,
            };
            running.create_link(request).await.map(|report| report.link)
        };
        let (api_key, api_secret) = running.first_api_key();
        let api_secret_file = folder.join("api-secret");
        write_private(&api_secret_file, api_secret.expose())?;
        let ready = Ready {
            url: running.url(),
            ca_file: running
                .ca_file
                .clone()
                .context("a demo makes its own authority")?,
            patient_link: link(Role::Patient, "Patient").await?,
            clinician_link: link(Role::Clinician, "Clinician").await?,
            api_secret_file,
            api_key,
            admin_socket: running.admin_socket.clone(),
        };
        if self.json {
            return line(&serde_json::to_string(&ready)?);
        }
        line(&format!(
            "A consult is ready. Open each link in a browser window of its own; each works once.\n\n  \
             Patient:    {}\n  Clinician:  {}\n\n\
             The certificate is made for this machine: the browser warns once, or trusts it if it \
             is given\n  {}\n\nMore links:   bedside link create --role patient --room demo --admin-socket {}\n\
             Stop with Ctrl-C.",
            ready.patient_link,
            ready.clinician_link,
            ready.ca_file.display(),
            ready.admin_socket.display(),
        ))
    }
}

/// A folder that nobody else can enter; one that is there is checked by the control plane.
fn make_private(folder: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot make {}", folder.display()))
}

async fn appears(socket: &Path) {
    while !socket.exists() {
        sleep(LOOK_INTERVAL).await;
    }
}

fn ended_early(status: ExitStatus, folder: &Path) -> anyhow::Error {
    anyhow!(
        "the data plane ended: {status}; is another demo, or the data plane of a killed one, \
         running in {}?",
        folder.display()
    )
}

/// A file that nobody else can read, written anew.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let write = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// `bedside-dataplane` beside this program, or on the PATH.
pub(crate) fn dataplane_program() -> PathBuf {
    let beside = env::current_exe()
        .ok()
        .map(|program| program.with_file_name(DATAPLANE));
    beside
        .filter(|program| program.exists())
        .unwrap_or_else(|| PathBuf::from(DATAPLANE))
}

fn start_dataplane(socket: &Path, log: tracing::Level) -> Result<Child> {
    let program = dataplane_program();
    Command::new(&program)
        .arg("--socket")
        .arg(socket)
        .arg("--log")
        .arg(log.as_str().to_lowercase())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| {
            format!(
                "cannot start {}: install bedside-dataplane beside bedside (`cargo xtask build` \
                 makes both)",
                program.display()
            )
        })
}

/// Asks it to end, so that clients see their transports close; insists after a while.
async fn stop(dataplane: &mut Child) -> Result<()> {
    let pid = dataplane.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        if timeout(STOP_TIMEOUT, dataplane.wait()).await.is_err() {
            dataplane.kill().await?;
        }
    }
    Ok(())
}

/// Between looks for the data plane's socket, which takes it some tens of milliseconds.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

const DATAPLANE: &str = "bedside-dataplane";

/// The data plane starts in well under a second.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Closing every transport takes one message each.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A demonstration is over by then.
const LINK_VALID_S: u64 = 24 * 3_600;
