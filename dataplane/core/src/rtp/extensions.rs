//! RTP header extensions, in one-byte and two-byte form (RFC 8285).

use bedside_protocol::{ExtensionIds, Mid};

/// The elements of a received extension whose "defined by profile" field is `profile`: pairs of
/// id and data. Ends at the first one that is malformed; padding is skipped. Empty for a profile
/// that is neither form.
#[must_use]
pub fn elements(profile: Option<u16>, bytes: &[u8]) -> Elements<'_> {
    let form = match profile {
        Some(ONE_BYTE_PROFILE) => Some(Form::OneByte),
        // RFC 8285 §4.3: the lower four bits are for the application and ignored.
        Some(profile) if profile & 0xfff0 == TWO_BYTE_PROFILE => Some(Form::TwoByte),
        _ => None,
    };
    match form {
        Some(form) => Elements { form, bytes },
        None => Elements {
            form: Form::OneByte,
            bytes: &[],
        },
    }
}

/// Iterator over a received extension's elements.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    form: Form,
    bytes: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while let [0, rest @ ..] = self.bytes {
            self.bytes = rest;
        }
        let (id, data_bytes, rest) = match (self.form, self.bytes) {
            // RFC 8285 §4.2: id 15 stops the processing.
            (Form::OneByte, [head, rest @ ..]) if head >> 4 != 15 => {
                (head >> 4, usize::from(head & 0x0f) + 1, rest)
            }
            (Form::TwoByte, [id, length, rest @ ..]) => (*id, usize::from(*length), rest),
            _ => (0, 0, &[][..]),
        };
        if id == 0 {
            self.bytes = &[];
            return None;
        }
        let Some((data, rest)) = rest.split_at_checked(data_bytes) else {
            self.bytes = &[];
            return None;
        };
        self.bytes = rest;
        Some((id, data))
    }
}

/// An RFC 6464 audio level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AudioLevel {
    /// The sender believes that this is speech.
    pub voice: bool,
    /// 0 (overload) to 127 (silence), in -dBov.
    pub level: u8,
}

/// Extensions that go from publisher to subscriber as they are, under the subscriber's ids.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PassedExtension {
    /// RFC 6464.
    AudioLevel,
    /// 3GPP TS 26.114 §7.4.5.
    VideoOrientation,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`.
    PlayoutDelay,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time`. It names the publisher's
    /// clock, which is also the clock of the sender reports that a subscriber gets.
    AbsCaptureTime,
    /// AOMedia RTP specification v1.0, appendix A.
    DependencyDescriptor,
}

impl PassedExtension {
    /// All of them. The position is the value.
    pub const ALL: [Self; 5] = [
        Self::AudioLevel,
        Self::VideoOrientation,
        Self::PlayoutDelay,
        Self::AbsCaptureTime,
        Self::DependencyDescriptor,
    ];

    /// Its id on a transport.
    #[must_use]
    pub fn id(self, ids: &ExtensionIds) -> Option<u8> {
        match self {
            Self::AudioLevel => ids.audio_level,
            Self::VideoOrientation => ids.video_orientation,
            Self::PlayoutDelay => ids.playout_delay,
            Self::AbsCaptureTime => ids.abs_capture_time,
            Self::DependencyDescriptor => ids.dependency_descriptor,
        }
    }
}

/// What a received packet's extensions say, by the publisher's ids.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReceivedExtensions<'a> {
    /// Media section.
    pub mid: Option<Mid>,
    /// Simulcast layer.
    pub rid: Option<Mid>,
    /// Simulcast layer that a retransmission belongs to.
    pub repaired_rid: Option<Mid>,
    /// Audio level.
    pub audio_level: Option<AudioLevel>,
    /// Transport-wide sequence number.
    pub transport_cc: Option<u16>,
    /// What is passed on, by [`PassedExtension`].
    pub passed: [Option<&'a [u8]>; PassedExtension::ALL.len()],
}

impl<'a> ReceivedExtensions<'a> {
    /// Sorts `elements` by `ids`. Where an id comes twice the last one counts.
    #[must_use]
    pub fn parse(elements: Elements<'a>, ids: &ExtensionIds) -> Self {
        let mut received = Self::default();
        for (id, data) in elements {
            let id = Some(id);
            if id == ids.mid {
                received.mid = Mid::from_bytes(data);
            } else if id == ids.rid {
                received.rid = Mid::from_bytes(data);
            } else if id == ids.repaired_rid {
                received.repaired_rid = Mid::from_bytes(data);
            } else if id == ids.transport_cc {
                // Version 2 of the extension has two more bytes, for feedback on request.
                received.transport_cc = data
                    .first_chunk::<2>()
                    .map(|bytes| u16::from_be_bytes(*bytes));
            } else if let Some(passed) = PassedExtension::ALL
                .into_iter()
                .find(|passed| passed.id(ids) == id)
            {
                received.passed[passed as usize] = Some(data);
            }
        }
        received.audio_level = received.passed[PassedExtension::AudioLevel as usize]
            .and_then(<[u8]>::first)
            .map(|byte| AudioLevel {
                voice: byte & 0x80 != 0,
                level: byte & 0x7f,
            });
        received
    }
}

/// The extension of an outgoing header. Written in one-byte form where all elements fit it, else
/// in two-byte form, which every WebRTC client reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExtensionBlock<'a> {
    elements: [(u8, &'a [u8]); ELEMENTS_MAX],
    count: usize,
}

impl<'a> ExtensionBlock<'a> {
    /// Adds an element. One beyond what there is room for, with id 0 or with more than 255 bytes of data
    /// is left out: it could not be written.
    pub fn push(&mut self, id: u8, data: &'a [u8]) {
        if id == 0 || data.len() > usize::from(u8::MAX) {
            return;
        }
        if let Some(slot) = self.elements.get_mut(self.count) {
            *slot = (id, data);
            self.count += 1;
        }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends the extension with its head to `out`; nothing if it is empty.
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        let elements = &self.elements[..self.count];
        let one_byte = elements
            .iter()
            .all(|(id, data)| *id <= 14 && (1..=16).contains(&data.len()));
        let profile = if one_byte {
            ONE_BYTE_PROFILE
        } else {
            TWO_BYTE_PROFILE
        };
        out.extend_from_slice(&profile.to_be_bytes());
        let length_at = out.len();
        out.extend_from_slice(&[0, 0]);
        let start = out.len();
        for (id, data) in elements {
            let data_bytes = u8::try_from(data.len()).unwrap_or(u8::MAX);
            if one_byte {
                out.push((id << 4) | (data_bytes - 1));
            } else {
                out.extend_from_slice(&[*id, data_bytes]);
            }
            out.extend_from_slice(data);
        }
        let bytes = out.len() - start;
        out.resize(start + bytes.next_multiple_of(4), 0);
        // At most nine elements of at most 257 bytes: far below 65,535 words.
        let words = u16::try_from(bytes.div_ceil(4)).unwrap_or(u16::MAX);
        out[length_at..start].copy_from_slice(&words.to_be_bytes());
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    OneByte,
    TwoByte,
}

/// MID, abs-send-time, transport-cc and what is passed on.
const ELEMENTS_MAX: usize = 3 + PassedExtension::ALL.len();

const ONE_BYTE_PROFILE: u16 = 0xbede;
const TWO_BYTE_PROFILE: u16 = 0x1000;

#[cfg(test)]
mod tests;
