//! RTP as it stands on the wire: headers, header extensions, payload descriptors.
//!
//! Everything here reads or writes bytes that it is given. Parsers answer `None` for what is not
//! well formed, never panic, and never allocate.

mod dependency_descriptor;
mod extensions;
mod frame_layers;
mod header;
mod key_frame;
mod red;
mod sequence;
mod vp8;
mod vp9;

pub use dependency_descriptor::{DESCRIPTOR_BYTES_MAX, Descriptor, DescriptorReader};
pub use extensions::{
    AudioLevel, Elements, ExtensionForm, PassedExtension, ReceivedExtensions, elements,
};
pub use frame_layers::{FrameLayers, pair};
pub use header::{
    FixedHeader, HEADER_BYTES_MIN, Header, PADDING_FLAG, begin_header, finish_header,
};
pub use key_frame::{KeyFrame, find_key_frame};
pub use red::{Red, rewrite_red_payload_types};
pub use sequence::{SequenceNumber, Timestamp};
pub use vp8::{PictureId, Vp8Descriptor};
pub use vp9::Vp9Descriptor;
