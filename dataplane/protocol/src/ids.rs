//! Opaque numbers: the only names that the data plane knows anything by.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:x}"), self.0)
            }
        }
    };
}

id! {
    /// One run of a data-plane process; random at start. A control plane that sees another one
    /// knows that every transport of the last one is gone.
    BootId(u64), "boot-"
}
id! {
    /// A worker: one thread, one core, one UDP port. Counted from 0.
    WorkerId(u16), "worker-"
}
id! {
    /// A room. Chosen by the control plane, never used twice within a boot.
    RoomId(u64), "room-"
}
id! {
    /// One transport: an ICE, DTLS and SCTP association with one client. A participant has one
    /// or, in LiveKit's older two-connection mode, two. Chosen by the control plane, never used
    /// twice within a boot.
    PeerId(u64), "peer-"
}
id! {
    /// A published audio or video track with all its layers. Chosen by the control plane, never
    /// used twice within a boot.
    TrackId(u64), "track-"
}
id! {
    /// Which incarnation of the control plane a command comes from: grows with each start.
    Generation(u64), "generation-"
}
