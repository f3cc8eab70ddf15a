//! RTCP as it stands on the wire: compounds read packet by packet, and written.
//!
//! Reading borrows from the compound and never allocates; every loop is bounded by its length.

mod congestion_feedback;
mod read;
mod transport_feedback;
mod write;

pub use congestion_feedback::{CongestionFeedback, MarkedArrival};
pub use read::{
    FirEntries, Malformed, NackSequences, Packet, Packets, ReportBlock, ReportBlocks, Ssrcs,
    packets,
};
pub use transport_feedback::{FeedbackRange, TICK_US, TransportFeedback, write_transport_feedback};
pub use write::{
    SenderInfo, write_bye, write_full_intra, write_nack, write_picture_loss, write_receiver_report,
    write_sender_report, write_source_descriptions,
};

/// Packet types (RFC 3550 §12.1, RFC 4585 §6.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const TRANSPORT_LAYER_FEEDBACK: u8 = 205;
const PAYLOAD_SPECIFIC_FEEDBACK: u8 = 206;

/// Feedback message types of [`TRANSPORT_LAYER_FEEDBACK`].
const GENERIC_NACK: u8 = 1;
const CONGESTION_CONTROL: u8 = 11;
const TRANSPORT_WIDE: u8 = 15;

/// Feedback message types of [`PAYLOAD_SPECIFIC_FEEDBACK`].
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA: u8 = 4;
const APPLICATION_LAYER: u8 = 15;
