//! What the limit program is told: who sends what to whom under which keys.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Everything the limit program knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Those that send or receive; others refer to them by their place in this list.
    pub participants: Vec<Participant>,
    /// The streams and where each goes.
    pub streams: Vec<Stream>,
}

/// One end of an SRTP pair.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// Where it sends from and receives.
    pub address: SocketAddr,
    /// What it sends under.
    pub sends_under: Key,
    /// What it receives under.
    pub receives_under: Key,
}

/// An AES-GCM master key and salt (RFC 7714 §12): 16 or 32 bytes, and 12 bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// 16 bytes for AEAD_AES_128_GCM, 32 for AEAD_AES_256_GCM.
    pub key: Vec<u8>,
    /// 12 bytes.
    pub salt: Vec<u8>,
}

/// A stream that a participant sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Whose it is: an index into [`Plan::participants`].
    pub from: usize,
    /// Its SSRC on the way in.
    pub ssrc: u32,
    /// Who gets it.
    pub to: Vec<Subscription>,
}

/// One receiver of a stream.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Whose it is: an index into [`Plan::participants`].
    pub participant: usize,
    /// Its SSRC on the way out; no two of one participant are alike.
    pub ssrc: u32,
    /// Added to each sequence number.
    pub sequence_offset: u16,
}

/// The first line that the limit program prints.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Reached {
    /// Where it receives and sends from.
    pub address: SocketAddr,
}

/// The last line that the limit program prints: what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// Packets that came and could be opened.
    pub packets_received: u64,
    /// Packets that were none of a stream in the plan, or were not authentic.
    pub packets_refused: u64,
    /// Packets handed to the kernel.
    pub packets_sent: u64,
    /// Messages that carried them: one system call's worth each.
    pub messages_sent: u64,
    /// Messages that the kernel would not take.
    pub messages_refused: u64,
    /// How often it woke up.
    pub wake_ups: u64,
    /// Run time of its thread between listening and its end, by the kernel (ns).
    pub run_time_ns: u64,
}

/// Why the limit program ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as limit::Error")]
pub enum Error {
    /// The plan contradicts itself, or is no plan.
    #[error("the plan cannot be used: {0}")]
    Plan(String),
    /// The kernel would not do something.
    #[error("cannot {what}: {error}")]
    Kernel {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        error: std::io::Error,
    },
}
