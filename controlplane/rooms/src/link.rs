//! One peer connection of a participant, as signalling sees it.

use crate::input::Time;
use crate::negotiation::Connection;
use bedside_protocol::{PeerId, Phi, exposed};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// One peer connection of a participant, as signalling sees it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) peer: PeerId,
    pub(crate) connection: Connection,
    /// The data plane says that ICE and DTLS are up.
    pub(crate) connected: bool,
    /// The record of its verified connection is durable: its media may pass, as long as this
    /// connection lives.
    pub(crate) admitted: bool,
    /// That record was asked for.
    #[serde(skip)]
    pub(crate) recording: bool,
    /// Where the client was last said to be.
    #[serde(serialize_with = "exposed")]
    pub(crate) path: Phi<Option<SocketAddr>>,
    /// Of the client's last description.
    pub(crate) sdp_sha256: Option<[u8; 32]>,
    /// The data plane must have said so again by then.
    pub(crate) confirm_by: Option<Time>,
    /// Our offers are numbered from 1.
    pub(crate) offer_id: u32,
    /// The next offer restarts ICE.
    pub(crate) restart_ice: bool,
    /// The reliable data channel can be written to.
    pub(crate) reliable_open: bool,
    /// The last stream's SSRC: none is used twice on a connection.
    last_ssrc: u32,
}

impl Link {
    pub(crate) fn new(peer: PeerId, connection: Connection, first_ssrc: u32) -> Self {
        Self {
            peer,
            connection,
            connected: false,
            admitted: false,
            recording: false,
            path: Phi::new(None),
            sdp_sha256: None,
            confirm_by: None,
            offer_id: 0,
            restart_ice: false,
            reliable_open: false,
            last_ssrc: first_ssrc,
        }
    }

    /// A fresh SSRC, not zero. 2^32 of them last longer than any connection.
    pub(crate) fn ssrc(&mut self) -> u32 {
        self.last_ssrc = self.last_ssrc.wrapping_add(1).max(1);
        self.last_ssrc
    }

    /// A first description has been exchanged.
    pub(crate) fn is_negotiated(&self) -> bool {
        self.connection.peer(self.peer).is_some()
    }
}
