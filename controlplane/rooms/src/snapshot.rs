//! What survives the control plane.

use serde::{Deserialize, Serialize};

/// A room's whole state. It holds ICE passwords, tokens' claims, names and identities: store it
/// encrypted or on a disk that is, readable by nobody else, and delete it with the room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
}
