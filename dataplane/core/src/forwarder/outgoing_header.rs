//! The header of a packet to a subscriber: its ids, its numbers, its times.

use super::layer_selection::Target;
use super::packet_cache::{CachedPacket, passed_extensions};
use super::sequence_map::Offsets;
use crate::rtp::{
    DESCRIPTOR_BYTES_MAX, DescriptorReader, ExtensionForm, FixedHeader, PassedExtension,
    SequenceNumber, Timestamp, begin_header, finish_header,
};
use bedside_protocol::{ExtensionIds, Mid};
use std::ops::Range;

/// What one packet of a subscriber's stream is told apart by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) payload_type: u8,
    pub(super) ssrc: u32,
    /// Extended sequence number.
    pub(super) index: u64,
    pub(super) offsets: Offsets,
    /// The highest layers that are forwarded, where some are not.
    pub(super) limits: Option<Target>,
}

/// A header that was written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// Where in [`HeaderWriter::headers`] it stands.
    pub(super) range: Range<usize>,
    /// The transport-wide number in it, where it has one.
    pub(super) transport_sequence: Option<u16>,
}

/// Writes the headers of one peer's packets, in the order in which they leave.
pub(super) struct HeaderWriter<'a> {
    pub(super) ids: &'a ExtensionIds,
    /// Transport-wide sequence number of the next packet.
    pub(super) transport_sequence: &'a mut u16,
    /// Of every packet: they leave together.
    pub(super) send_time: [u8; 3],
    pub(super) headers: &'a mut Vec<u8>,
}

impl HeaderWriter<'_> {
    /// Appends the header of `packet`. `templates` are fresh.
    pub(super) fn write(
        &mut self,
        templates: &HeaderTemplates,
        packet: &CachedPacket<'_>,
        descriptors: &DescriptorReader,
        identity: &Identity,
    ) -> Written {
        let start = self.headers.len();
        // Video mostly has nothing to pass on: its header is the template with its numbers.
        let template = if packet.extensions.is_empty() {
            let template = templates.shorter();
            self.headers.extend_from_slice(&template.whole);
            template
        } else {
            let rewritten = rewrite_descriptor(packet, descriptors, identity);
            let passed = passed_extensions(packet.extensions).filter_map(|(extension, data)| {
                let data = match &rewritten {
                    Some((own, bytes)) if extension == DEPENDENCY => &own[..*bytes],
                    _ => data,
                };
                Some((extension.id(self.ids)?, data))
            });
            let template = templates.choose(passed.clone());
            self.headers.extend_from_slice(&template.bytes);
            for (id, data) in passed {
                template.form.write_element(self.headers, id, data);
            }
            finish_header(self.headers, start);
            template
        };
        let timestamp = packet.facts.timestamp.offset_by(identity.offsets.timestamp);
        // A picture ends with the highest spatial layer that is forwarded.
        let limits = identity.limits.map(|limits| limits.spatial);
        let marker = packet.facts.marker || limits.is_some() && packet.facts.ends == limits;
        self.number(start, template, marker, timestamp, identity)
    }

    /// Appends the header of a packet that has nothing but padding.
    pub(super) fn write_empty(
        &mut self,
        templates: &HeaderTemplates,
        identity: &Identity,
    ) -> Written {
        let start = self.headers.len();
        let template = templates.shorter();
        self.headers.extend_from_slice(&template.whole);
        self.number(start, template, false, Timestamp(0), identity)
    }

    fn number(
        &mut self,
        start: usize,
        template: &Template,
        marker: bool,
        timestamp: Timestamp,
        identity: &Identity,
    ) -> Written {
        let header = &mut self.headers[start..];
        FixedHeader {
            marker,
            payload_type: identity.payload_type,
            sequence: SequenceNumber::of(identity.index),
            timestamp,
            ssrc: identity.ssrc,
        }
        .overwrite(header);
        if let Some(at) = template.send_time_at {
            header[at..at + 3].copy_from_slice(&self.send_time);
        }
        let transport_sequence = template.transport_sequence_at.map(|at| {
            let number = *self.transport_sequence;
            header[at..at + 2].copy_from_slice(&number.to_be_bytes());
            *self.transport_sequence = number.wrapping_add(1);
            number
        });
        Written {
            range: start..self.headers.len(),
            transport_sequence,
        }
    }
}

/// The dependency descriptor of a packet in a subscriber's numbers, if it has one and that differs.
fn rewrite_descriptor(
    packet: &CachedPacket<'_>,
    descriptors: &DescriptorReader,
    identity: &Identity,
) -> Option<([u8; DESCRIPTOR_BYTES_MAX], usize)> {
    let offset = identity.offsets.frame_number;
    if offset == 0 && identity.limits.is_none() {
        return None;
    }
    let mut passed = passed_extensions(packet.extensions);
    let (_, data) = passed.find(|(extension, _)| *extension == DEPENDENCY)?;
    let limits = identity.limits;
    let limits = limits.map(|limits| (limits.spatial as u8, limits.temporal));
    let mut out = [0; DESCRIPTOR_BYTES_MAX];
    let bytes = descriptors.rewrite(data, offset, limits, &mut out)?;
    Some((out, bytes))
}

/// What the headers of a subscription have in common, in either form of the extension.
#[derive(Default)]
pub(super) struct HeaderTemplates {
    made_for: Option<(ExtensionIds, Mid)>,
    one_byte: Option<Template>,
    two_byte: Template,
}

struct Template {
    form: ExtensionForm,
    /// Up to where passed extensions go.
    bytes: Vec<u8>,
    /// With none of these.
    whole: Vec<u8>,
    send_time_at: Option<usize>,
    transport_sequence_at: Option<usize>,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            form: ExtensionForm::TwoByte,
            bytes: Vec::new(),
            whole: Vec::new(),
            send_time_at: None,
            transport_sequence_at: None,
        }
    }
}

impl HeaderTemplates {
    /// Makes them anew if they are not for these ids and this media section.
    pub(super) fn refresh(&mut self, ids: &ExtensionIds, mid: &Mid) {
        let is_fresh = self
            .made_for
            .as_ref()
            .is_some_and(|(made_ids, made_mid)| made_ids == ids && made_mid == mid);
        if !is_fresh {
            self.made_for = Some((*ids, *mid));
            let fits = [ids.mid, ids.abs_send_time, ids.transport_cc]
                .into_iter()
                .flatten()
                .all(|id| ExtensionForm::OneByte.fits(id, mid.as_bytes()));
            self.one_byte = fits.then(|| Template::new(ExtensionForm::OneByte, ids, mid));
            self.two_byte = Template::new(ExtensionForm::TwoByte, ids, mid);
        }
    }

    fn shorter(&self) -> &Template {
        self.one_byte.as_ref().unwrap_or(&self.two_byte)
    }

    /// The shorter form that takes all of `passed`.
    fn choose<'a>(&self, mut passed: impl Iterator<Item = (u8, &'a [u8])>) -> &Template {
        match &self.one_byte {
            Some(one_byte) if passed.all(|(id, data)| one_byte.form.fits(id, data)) => one_byte,
            _ => &self.two_byte,
        }
    }
}

impl Template {
    fn new(form: ExtensionForm, ids: &ExtensionIds, mid: &Mid) -> Self {
        let mut bytes = Vec::new();
        let fixed = FixedHeader {
            marker: false,
            payload_type: 0,
            sequence: SequenceNumber(0),
            timestamp: Timestamp(0),
            ssrc: 0,
        };
        begin_header(&mut bytes, &fixed, form);
        if let Some(id) = ids.mid {
            form.write_element(&mut bytes, id, mid.as_bytes());
        }
        let mut placeholder = |id: Option<u8>, data: &[u8]| {
            let id = id.filter(|id| form.fits(*id, data))?;
            form.write_element(&mut bytes, id, data);
            Some(bytes.len() - data.len())
        };
        let send_time_at = placeholder(ids.abs_send_time, &[0; 3]);
        let transport_sequence_at = placeholder(ids.transport_cc, &[0; 2]);
        let mut whole = bytes.clone();
        finish_header(&mut whole, 0);
        Self {
            form,
            bytes,
            whole,
            send_time_at,
            transport_sequence_at,
        }
    }
}

/// Seconds in 6.18 fixed point, of an NTP time
/// (`http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`).
pub(super) fn absolute_send_time(ntp: u64) -> [u8; 3] {
    let [.., b0, b1, b2] = (ntp >> 14).to_be_bytes();
    [b0, b1, b2]
}

const DEPENDENCY: PassedExtension = PassedExtension::DependencyDescriptor;
