//! RTP header extensions, in one-byte and two-byte form (RFC 8285).

use bedside_protocol::{ExtensionIds, Mid};

/// The elements of a received extension whose "defined by profile" field is `profile`: pairs of
/// id and data. Ends at the first one that is malformed; padding is skipped. Empty for a profile
/// that is neither form.
#[must_use]
pub fn elements(profile: Option<u16>, bytes: &[u8]) -> Elements<'_> {
    match profile.and_then(ExtensionForm::of) {
        Some(form) => Elements { form, bytes },
        None => Elements {
            form: ExtensionForm::OneByte,
            bytes: &[],
        },
    }
}

/// Iterator over a received extension's elements.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    form: ExtensionForm,
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
            (ExtensionForm::OneByte, [head, rest @ ..]) if head >> 4 != 15 => {
                (head >> 4, usize::from(head & 0x0f) + 1, rest)
            }
            (ExtensionForm::TwoByte, [id, length, rest @ ..]) => (*id, usize::from(*length), rest),
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

/// The two forms that an extension can have (RFC 8285 §4.2 and §4.3). WebRTC clients read both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExtensionForm {
    /// Ids up to 14, 1 to 16 bytes each.
    OneByte,
    /// Ids up to 255, up to 255 bytes each.
    TwoByte,
}

impl ExtensionForm {
    /// Whether an element can be written in this form.
    #[must_use]
    pub fn fits(self, id: u8, data: &[u8]) -> bool {
        match self {
            Self::OneByte => (1..=14).contains(&id) && (1..=16).contains(&data.len()),
            Self::TwoByte => id != 0 && data.len() <= 255,
        }
    }

    /// Appends an element; nothing if it does not fit.
    pub fn write_element(self, out: &mut Vec<u8>, id: u8, data: &[u8]) {
        if !self.fits(id, data) {
            return;
        }
        let bytes = u8::try_from(data.len()).unwrap_or(u8::MAX);
        match self {
            Self::OneByte => out.push((id << 4) | (bytes - 1)),
            Self::TwoByte => out.extend_from_slice(&[id, bytes]),
        }
        out.extend_from_slice(data);
    }

    /// The "defined by profile" field.
    #[must_use]
    pub fn profile(self) -> u16 {
        match self {
            Self::OneByte => 0xbede,
            Self::TwoByte => 0x1000,
        }
    }

    /// The form of a received extension.
    fn of(profile: u16) -> Option<Self> {
        match profile {
            0xbede => Some(Self::OneByte),
            // RFC 8285 §4.3: the lower four bits are for the application and ignored.
            0x1000..=0x100f => Some(Self::TwoByte),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
