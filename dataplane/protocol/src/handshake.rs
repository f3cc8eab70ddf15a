//! The first frame each way, and the frame types of each direction.

use crate::{BootId, CommandFrame, EventFrame, Generation, RoomId, Secret, WorkerId, exposed};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Version of everything in this crate. Both sides must have the same one; they ship together.
pub const PROTOCOL_VERSION: u32 = 4;

/// Everything that the control plane may send.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum FromControl {
    /// First, and only first.
    Hello(Hello),
    /// After [`Welcome`].
    Command(CommandFrame),
    /// After [`Welcome`].
    Acknowledge(Acknowledge),
}

/// Everything that the data plane may send.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum FromDataplane {
    /// Answer to an acceptable [`Hello`].
    Welcome(Welcome),
    /// Answer to one that is not; the connection is then closed.
    Refusal(Refusal),
    /// Right after [`Welcome`]: what earlier boots had to say and nobody acknowledged, as many as
    /// [`Welcome::spooled`] says.
    Spooled {
        /// The run of the process that it is from.
        boot: BootId,
        /// What happened then.
        event: EventFrame,
    },
    /// After those.
    Event(EventFrame),
}

/// The records of a worker's evidence, up to this number, are durable: the data plane forgets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledge {
    /// This run of the data plane, or an earlier one whose evidence was offered.
    pub boot: BootId,
    /// Whose evidence.
    pub worker: WorkerId,
    /// [`EventFrame::record`] of the last one.
    pub record: u64,
}

/// The control plane's first frame.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`].
    pub version: u32,
    /// The sender's generation. Lower than the newest one seen: refused.
    pub generation: Generation,
    /// The data plane's whole configuration. The first one after a start is put into force;
    /// a later one must be equal.
    pub config: DataplaneConfig,
    /// What the data plane encrypts evidence with that nobody takes. The same in each incarnation
    /// of a control plane: it opens the files of the one before.
    #[serde(serialize_with = "exposed")]
    pub spool_key: Secret<[u8; 32]>,
}

/// The data plane's whole configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DataplaneConfig {
    /// How many workers; 0 means one for each core that the process may run on.
    pub workers: u16,
    /// Local addresses to receive media on; each worker listens on all of them.
    pub listen: Vec<IpAddr>,
    /// UDP port of the first worker; worker n takes `port + n`. 0: any free ports.
    pub port: u16,
    /// Pin each worker to a core.
    pub pin: bool,
    /// What transports must fulfil.
    pub policy: Policy,
}

/// What transports must fulfil, beyond what is always refused (SDES, plain RTP, DTLS 1.0).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Refuse SRTP profiles that are not AEAD.
    pub aead_only: bool,
    /// Refuse DTLS 1.2.
    pub dtls13_only: bool,
}

/// The data plane's answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// [`PROTOCOL_VERSION`].
    pub version: u32,
    /// This run of the process.
    pub boot: BootId,
    /// SHA-256 of the DTLS certificate; made anew in each boot, the key never leaves the process.
    pub fingerprint_sha256: [u8; 32],
    /// Which I/O engine runs, for `bedside status`.
    pub engine: String,
    /// One a worker.
    pub workers: Vec<WorkerInfo>,
    /// Evidence of earlier boots that nobody has acknowledged, one a boot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spooled: Vec<Spooled>,
}

/// What is left of an earlier boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Spooled {
    /// Which boot.
    pub boot: BootId,
    /// How many [`FromDataplane::Spooled`] follow of it.
    pub records: u64,
    /// What is wrong with its file: what follows there is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<SpoolDamage>,
}

/// What can be wrong with a file of evidence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpoolDamage {
    /// It ends within a record: the process or the machine died while it was written.
    TornTail,
    /// A record, or the first one if none can be read, is not what was written there, or was
    /// written under another key.
    Unreadable,
}

impl SpoolDamage {
    /// As it stands in a record of the audit log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TornTail => "torn_tail",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A worker as the control plane needs to know it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Which.
    pub worker: WorkerId,
    /// Where it receives media: the host candidates for SDP.
    pub addresses: Vec<SocketAddr>,
    /// Rooms that it holds a part of, so that a new control plane knows what is running.
    pub rooms: Vec<RoomId>,
    /// Number of the last event that a control plane was sent. The next one is greater by one, by
    /// more if events were dropped meanwhile.
    pub sequence: u64,
    /// Number of the last evidence that was acknowledged ([`EventFrame::record`]). What follows is
    /// sent, again if need be.
    #[serde(default)]
    pub acknowledged: u64,
}

/// Why a [`Hello`] was not accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// Install both processes from the same release.
    #[error("the data plane speaks protocol version {ours}, the control plane {theirs}")]
    Version {
        /// The data plane's.
        ours: u32,
        /// The control plane's.
        theirs: u32,
    },
    /// A newer control plane is in charge.
    #[error("a control plane of generation {newest} is in charge")]
    Superseded {
        /// The newest one seen.
        newest: u64,
    },
    /// The running configuration differs: restart the data plane to change it.
    #[error("the data plane runs with another configuration; restart it to change {setting}")]
    Configuration {
        /// Which setting differs.
        setting: String,
    },
    /// The configuration cannot be put into force (port taken, io_uring denied, ...).
    #[error("the data plane cannot start its workers: {cause}")]
    Start {
        /// What failed and what to do.
        cause: String,
    },
    /// The first frame was not an acceptable `Hello`.
    #[error("the first frame must be a hello: {cause}")]
    Malformed {
        /// What was wrong.
        cause: String,
    },
}
