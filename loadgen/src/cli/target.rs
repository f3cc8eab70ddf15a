//! What to load, and how participants get in.

use crate::cli::Failure;
use anyhow::{Context as _, anyhow};
use bedside_loadgen::kernel::Process;
use bedside_loadgen::light::Sinks;
use bedside_loadgen::{Target, full};
use bedside_protocol::Secret;
use clap::{ArgGroup, Args, ValueEnum};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "What to load")]
#[command(group(ArgGroup::new("target").args(["livekit", "whip", "dataplane"]).required(true)))]
pub(crate) struct TargetArguments {
    /// A server that speaks LiveKit's signalling protocol: ws://, wss://, http:// or https://
    #[arg(long, value_name = "URL", requires = "secret")]
    livekit: Option<String>,
    /// A server that speaks WHIP and WHEP, with LiveKit access tokens: http:// or https://
    #[arg(long, value_name = "URL", requires = "secret")]
    whip: Option<String>,
    /// A Bedside data plane alone: its Unix socket. No control plane may use it meanwhile
    #[arg(long, value_name = "SOCKET")]
    dataplane: Option<PathBuf>,
    /// Key that names the secret
    #[arg(
        long,
        value_name = "KEY",
        env = "LIVEKIT_API_KEY",
        default_value = "bedside"
    )]
    api_key: String,
    /// Secret that signs the participants' tokens; a file keeps it out of the process list
    #[arg(
        long,
        value_name = "SECRET",
        env = "LIVEKIT_API_SECRET",
        hide_env_values = true,
        group = "secret"
    )]
    api_secret: Option<String>,
    /// File that holds that secret
    #[arg(long, value_name = "FILE", group = "secret")]
    api_secret_file: Option<PathBuf>,
    /// PEM file of an authority to trust beside the public ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// With --dataplane: the local address that its workers receive media on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    media_address: IpAddr,
    /// With --dataplane: how many workers it runs; 0: one for each of its cores
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: u16,
    /// With --dataplane: let it pin its workers to cores
    #[arg(long)]
    pin: bool,
    /// Participants that do a real handshake, and then SRTP of the generator's own: thousands a
    /// core. What --dataplane takes
    #[arg(long, conflicts_with_all = ["full", "livekit", "whip"])]
    light: bool,
    /// Participants with a whole WebRTC stack: true to life, hundreds a core. What the others take
    #[arg(long, conflicts_with = "dataplane")]
    full: bool,
    /// With light participants: who receives reads every packet, or lets the kernel drop all but a
    /// sample, which leaves more of the core for sending
    #[arg(long, value_enum, default_value = "read", conflicts_with = "full")]
    sinks: SinksArgument,
    /// With full participants: threads that they are spread over
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "light")]
    threads: NonZeroUsize,
    /// A process of the server, to measure what it costs; may be given several times. With
    /// --dataplane it is found by itself
    #[arg(long, value_name = "PID")]
    server_pid: Vec<i32>,
}

/// What receiving participants do with media.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum SinksArgument {
    Read,
    Drop,
}

/// Which participants play.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Participants {
    Light(Sinks),
    Full(full::Options),
}

impl TargetArguments {
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        if let Some(socket) = &self.dataplane {
            return Ok(Target::Dataplane {
                socket: socket.clone(),
                listen: self.media_address,
                workers: self.workers,
                pin: self.pin,
            });
        }
        let api_key = self.api_key.clone();
        let api_secret = Secret::new(self.secret()?);
        let ca = self.ca.clone();
        match (&self.livekit, &self.whip) {
            (Some(url), _) => Ok(Target::Livekit {
                url: url.clone(),
                api_key,
                api_secret,
                ca,
            }),
            (None, Some(url)) => Ok(Target::Whip {
                url: url.clone(),
                api_key,
                api_secret,
                ca,
            }),
            (None, None) => Err(Failure::Arguments(anyhow!("nothing to load is named"))),
        }
    }

    pub(crate) fn target_name(&self) -> &'static str {
        match (&self.dataplane, &self.livekit) {
            (Some(_), _) => "dataplane",
            (None, Some(_)) => "livekit",
            (None, None) => "whip",
        }
    }

    pub(crate) fn participants(&self) -> Participants {
        if self.light || self.dataplane.is_some() {
            return Participants::Light(match self.sinks {
                SinksArgument::Read => Sinks::Read {
                    open_one_in: SAMPLE_ONE_IN,
                },
                SinksArgument::Drop => Sinks::DropInKernel {
                    pass_one_in: SAMPLE_ONE_IN,
                },
            });
        }
        Participants::Full(full::Options {
            threads: self.threads,
        })
    }

    /// The server's processes, as far as they are known.
    pub(crate) fn server(&self) -> Result<Vec<Process>, Failure> {
        if !self.server_pid.is_empty() {
            let processes = self.server_pid.iter().map(|pid| Process::of(*pid));
            return processes
                .collect::<Result<_, _>>()
                .map_err(Failure::arguments);
        }
        match &self.dataplane {
            Some(socket) => {
                let process = Process::listening_on(socket)
                    .context("no data plane to load; is `bedside-dataplane` running?")?;
                Ok(vec![process])
            }
            None => Ok(Vec::new()),
        }
    }

    fn secret(&self) -> Result<String, Failure> {
        match (&self.api_secret, &self.api_secret_file) {
            (Some(secret), _) => Ok(secret.clone()),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map(|text| text.trim().to_owned())
                .with_context(|| file.display().to_string())
                .map_err(Failure::Arguments),
            (None, None) => Err(Failure::Arguments(anyhow!(
                "--api-secret or --api-secret-file is needed"
            ))),
        }
    }
}

/// Packets of which one is opened for its time stamp: enough for a p99.9 at a thousand packets a
/// second, and a sixteenth of the work.
const SAMPLE_ONE_IN: u32 = 16;
