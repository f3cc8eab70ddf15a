//! What participants send: packets shaped as an encoder makes them, or recorded ones.
//!
//! A [`Source`] is one published track. It says which [`Frame`] is due next; a frame is cut into
//! [`Packet`]s evenly, as libwebrtc's packetisers do, so that all but the last have the same size.
//! Nothing is encoded: payloads are a fixed pattern behind a real payload descriptor, with a
//! [`Stamp`] at the end.

mod audio;
mod fixed;
mod frame;
mod random;
mod recorded;
mod source;
mod stamp;
mod video;
mod vp8;

pub use frame::{Frame, Packet};
pub use recorded::Error;
pub use source::Source;
pub use stamp::Stamp;

/// Most payload bytes of a packet: with headers, extensions and the tag it fits into 1,200 bytes,
/// what libwebrtc uses.
pub const PAYLOAD_BYTES_MAX: usize = 1_150;

#[cfg(test)]
mod tests;
