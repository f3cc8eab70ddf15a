//! Our answer to a client's offer (RFC 8829 §5.3).

use super::connection::{Connection, Role};
use super::description::{Content, Media};
use super::direction::Direction;
use super::error::SdpError;
use super::extension;
use super::section::Section;
use super::writer::{Header, MediaSection, Source, Transport, Writer};
use bedside_protocol::{Codec, TrackId};
use std::collections::BTreeMap;

impl Connection {
    /// Binds the senders that wait to free sections and answers the last offer: its sections in
    /// its order, with its MIDs, payload types and extension ids.
    ///
    /// # Errors
    /// [`SdpError::NoOffer`] before an offer was accepted.
    pub fn answer(&mut self) -> Result<String, SdpError> {
        if self.remote.is_none() || self.role == Role::Subscriber {
            return Err(SdpError::NoOffer);
        }
        for (track, index) in self.placements() {
            if let Some(section) = self.sections.get_mut(index) {
                section.sender = Some(track);
            }
        }
        for section in &mut self.sections {
            section.negotiated = section.sender;
            section.sending = section.sender.is_some();
        }
        self.stale = false;
        let version = self.next_version();
        Ok(self.write_answer(version))
    }

    fn write_answer(&self, version: u64) -> String {
        let remote = self.remote.as_ref();
        let options: Vec<&'static str> = [
            (remote.is_some_and(|remote| remote.trickle), "trickle"),
            (remote.is_some_and(|remote| remote.ice2), "ice2"),
        ]
        .into_iter()
        .filter_map(|(offered, name)| offered.then_some(name))
        .collect();
        let accepted = self.sections.iter().filter(|section| section.is_accepted());
        let header = Header {
            session: self.session,
            version,
            bundle: accepted.filter_map(Section::mid).collect(),
            extmap_allow_mixed: remote.is_some_and(|remote| remote.extmap_allow_mixed),
        };
        let transport = Transport {
            local: &self.local,
            host: &self.host,
            options: &options,
            setup: "passive",
        };
        let parameters = self.parameters();
        let mut writer = Writer::new(&header, transport);
        for section in &self.sections {
            let line = &section.described;
            match &line.content {
                Content::Rejected(rejected) => {
                    writer.rejected(line.name.as_str(), &line.protocol, rejected);
                }
                Content::Data(mid) => writer.data(&line.protocol, *mid),
                Content::Media(media) => {
                    if let Some(section) = self.media_section(section, media, &parameters) {
                        writer.media(&section);
                    }
                }
            }
        }
        writer.finish()
    }

    fn media_section<'a>(
        &'a self,
        section: &'a Section,
        media: &'a Media,
        parameters: &BTreeMap<u8, String>,
    ) -> Option<MediaSection<'a>> {
        let agreed = self.agreed(section)?;
        let has_transport_cc = self.extensions.transport_cc.is_some();
        let extensions = extension::accepted(&media.extensions, has_transport_cc)
            .map(|mapping| {
                let direction = mapping.direction.map(Direction::reversed);
                (mapping.extension, mapping.id, direction)
            })
            .collect();
        let formats = agreed
            .formats
            .iter()
            .map(|format| {
                let parameters = parameters.get(&format.payload_types.media);
                (*format, parameters.cloned().unwrap_or_default())
            })
            .collect();
        Some(MediaSection {
            name: section.described.name.as_str(),
            protocol: &section.described.protocol,
            mid: media.mid,
            direction: Direction::new(section.sender.is_some(), media.direction.sends()),
            formats,
            red: agreed.red,
            extensions,
            extmap_allow_mixed: media.extmap_allow_mixed,
            reduced_size: media.reduced_size,
            nack: agreed.nack(),
            transport_cc: extension::has_transport_cc(&media.extensions),
            rids: &media.rids,
            source: section.sender.and_then(|track| self.source(track, media)),
        })
    }

    pub(super) fn source(&self, track: TrackId, media: &Media) -> Option<Source<'_>> {
        let sender = self.senders.get(&track)?;
        let format = media.formats.find(sender.codec)?;
        Some(Source {
            stream_id: &sender.stream_id,
            track_id: &sender.track_sid,
            ssrc: sender.ssrc,
            rtx_ssrc: format.payload_types.rtx.map(|_| sender.rtx_ssrc),
        })
    }

    /// The parameters of each payload type, the same wherever it stands in the bundle (RFC 8843
    /// §10.1.2), which LiveKit's browser client relies on. So what one Opus track needs, all get:
    /// stereo if one is stereo, silence suppression only if none forbids it.
    fn parameters(&self) -> BTreeMap<u8, String> {
        let sections = || {
            self.sections
                .iter()
                .filter_map(|section| Some((section, section.media()?)))
        };
        let mut published = sections()
            .filter(|(_, media)| media.direction.sends())
            .filter(|(_, media)| media.formats.find(Codec::Opus).is_some())
            .map(|(section, _)| section.publication)
            .peekable();
        let publishes = published.peek().is_some();
        let (mut dtx, mut stereo) = (publishes, false);
        for publication in published {
            dtx &= publication.dtx;
            stereo |= publication.stereo;
        }
        let sends_stereo = sections().any(|(section, _)| {
            let sender = section.sender.and_then(|track| self.senders.get(&track));
            sender.is_some_and(|sender| sender.codec == Codec::Opus && sender.stereo)
        });

        let mut by_payload_type: BTreeMap<u8, String> = BTreeMap::new();
        for (_, media) in sections() {
            for format in &media.formats.list {
                let payload_type = format.payload_types.media;
                by_payload_type.entry(payload_type).or_insert_with(|| {
                    let mut parameters = format.parameters.clone();
                    let is_opus = format.codec == Codec::Opus;
                    for (wanted, addition) in [
                        (dtx, "usedtx=1"),
                        (stereo, "stereo=1;maxaveragebitrate=510000"),
                        (sends_stereo, "sprop-stereo=1"),
                    ] {
                        if is_opus && wanted {
                            let separator = if parameters.is_empty() { "" } else { ";" };
                            parameters.push_str(separator);
                            parameters.push_str(addition);
                        }
                    }
                    parameters
                });
            }
        }
        by_payload_type
    }
}
