//! The state of one peer connection.

use super::codec::Format;
use super::description::Description;
use super::direction::Direction;
use super::error::SdpError;
use super::limits::{OFFERED_SECTION_BYTES, SDP_BYTES_MAX, SECTIONS_MAX, SENDERS_MAX};
use super::section::{Agreed, BoundSender, Publication, ReceivedCodec, Receiver, Section, Sender};
use super::shared::Shared;
use super::transport::Remote;
use bedside_protocol::{
    Codec, ExtensionIds, IceCredentials, MediaKind, Mid, Peer, PeerId, TrackId,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Who offers, and which way media flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The client offers, both directions: LiveKit's `/rtc/v1`, WHIP, WHEP.
    Single,
    /// The client offers, we only receive: LiveKit's `/rtc`, first connection.
    Publisher,
    /// We offer, we only send: LiveKit's `/rtc`, second connection.
    Subscriber,
}

/// Our end of the transport.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Host {
    /// SHA-256 of the data plane's certificate.
    pub fingerprint_sha256: [u8; 32],
    /// UDP addresses of the worker, most preferred first.
    pub addresses: Vec<SocketAddr>,
}

/// What a client cannot do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Quirks {
    /// Ignores the order of codecs in an answer (Firefox): it gets the wanted one only. An offer
    /// that Firefox wrote sets it.
    pub firefox: bool,
    /// Must not be sent RED (Firefox, Safari).
    pub strip_red: bool,
    /// A section that was sent on must not be used for another track (Safari, LiveKit protocol
    /// below 4); only where we offer.
    pub no_section_reuse: bool,
}

/// What became of the client's ICE credentials.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IceChange {
    /// They came for the first time.
    First,
    /// They are what they were.
    Same,
    /// They changed, and ours with them (RFC 8839 §4.4.1.1.1).
    Restarted,
}

/// One peer connection's negotiated state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Connection {
    pub(super) role: Role,
    pub(super) quirks: Quirks,
    pub(super) host: Host,
    /// `o=` session id and version (RFC 8866 §5.2).
    pub(super) session: u64,
    pub(super) version: u64,
    pub(super) local: IceCredentials,
    /// Of an offer that restarts ICE; they become ours with its answer.
    pub(super) offered_local: Option<IceCredentials>,
    pub(super) remote: Option<Remote>,
    pub(super) extensions: ExtensionIds,
    pub(super) sections: Vec<Section>,
    pub(super) senders: BTreeMap<TrackId, Shared<Sender>>,
    /// Codecs for which the client rejected a section that we offered.
    pub(super) refused: Vec<Codec>,
    /// What the client last agreed to is no longer what we send.
    pub(super) stale: bool,
    /// Our offer has no answer yet.
    pub(super) answer_outstanding: bool,
    pub(super) requested: Requested,
    /// Length of the client's last offer.
    pub(super) offer_bytes: usize,
}

/// What the client has been asked to add to its next offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Requested {
    /// An offer, whatever is in it.
    offer: bool,
    audio: u32,
    video: u32,
}

impl Connection {
    /// A connection before its first offer. `local` are our first ICE credentials, random,
    /// password at least 128 bits; `session` a random number for the `o=` line.
    #[must_use]
    pub fn new(
        role: Role,
        local: IceCredentials,
        host: Host,
        quirks: Quirks,
        session: u64,
    ) -> Self {
        Self {
            role,
            quirks,
            host,
            // RFC 8829 §5.2.1: 63 bits.
            session: session >> 1,
            version: 0,
            local,
            offered_local: None,
            remote: None,
            extensions: ExtensionIds::default(),
            sections: Vec::new(),
            senders: BTreeMap::new(),
            refused: Vec::new(),
            stale: role == Role::Subscriber,
            answer_outstanding: false,
            requested: Requested::default(),
            offer_bytes: 0,
        }
    }

    /// Reads and checks a client's offer. `fresh` are new random ICE credentials, which become
    /// ours if the offer restarts ICE. Answer it with [`answer`](Self::answer).
    ///
    /// # Errors
    /// Why it is refused; nothing has changed then.
    pub fn accept_offer(
        &mut self,
        offer: &str,
        fresh: IceCredentials,
    ) -> Result<IceChange, SdpError> {
        if self.role == Role::Subscriber {
            return Err(SdpError::WrongRole);
        }
        let description = Description::parse(offer)?;
        let setup = description.setup.as_str();
        if description.remote.is_some() && !matches!(setup, "actpass" | "active") {
            return Err(SdpError::Setup);
        }
        if description.remote.is_none() && self.remote.is_none() {
            return Err(SdpError::NothingAcceptable);
        }
        self.check_sections(&description)?;
        let change = self.check_remote(description.remote.as_ref())?;

        if change == IceChange::Restarted {
            self.local = fresh;
        }
        self.quirks.firefox |= description.by_firefox;
        self.offer_bytes = offer.len();
        self.requested.offer = false;
        for (index, described) in description.sections.into_iter().enumerate() {
            let is_new = self
                .sections
                .get(index)
                .is_none_or(|section| !section.is_accepted());
            match self.sections.get_mut(index) {
                Some(section) => section.update(described),
                None => {
                    let mut section = Section::new(described.clone());
                    section.update(described);
                    self.sections.push(section);
                }
            }
            if is_new && let Some(section) = self.sections.get(index) {
                self.requested.arrived(section);
            }
        }
        self.remote = description.remote.or_else(|| self.remote.take());
        self.extensions = description.extensions;
        self.release_unusable();
        Ok(change)
    }

    /// Says what is published in a section, before the answer. It is forgotten when the section
    /// stops sending or carries another track.
    pub fn set_publication(&mut self, mid: Mid, publication: Publication) {
        let section = self
            .sections
            .iter_mut()
            .find(|section| section.mid() == Some(mid));
        if let Some(section) = section {
            section.publication = publication;
        }
    }

    /// Has a track sent from the next negotiation on; with a track that is already there, replaces
    /// it. Beyond [`SENDERS_MAX`] it is ignored and stays unbound.
    pub fn add_sender(&mut self, sender: Sender) {
        let track = sender.track;
        if self
            .senders
            .get(&track)
            .is_some_and(|known| **known == sender)
        {
            return;
        }
        self.remove_sender(track);
        if self.senders.len() < SENDERS_MAX {
            self.senders.insert(track, sender.into());
        }
        self.stale |= self.role == Role::Subscriber;
    }

    /// Stops sending a track. Its section is free for another after the next negotiation.
    pub fn remove_sender(&mut self, track: TrackId) {
        self.senders.remove(&track);
        for section in &mut self.sections {
            if section.sender == Some(track) {
                section.sender = None;
                self.stale |= self.role == Role::Subscriber;
            }
            if section.negotiated == Some(track) {
                section.negotiated = None;
                self.stale = true;
            }
        }
    }

    /// Whether another negotiation would change something: we should offer
    /// ([`Role::Subscriber`], once the last offer is answered), or the client should.
    #[must_use]
    pub fn needs_offer(&self) -> bool {
        match self.role {
            Role::Subscriber => self.stale && !self.answer_outstanding,
            Role::Publisher => false,
            Role::Single => {
                self.stale || !self.placements().is_empty() || self.missing_sections() != (0, 0)
            }
        }
    }

    /// Whether our last offer is unanswered.
    #[must_use]
    pub fn is_answer_outstanding(&self) -> bool {
        self.answer_outstanding
    }

    /// What to ask the client for, so that it makes an offer that is needed: how many audio and
    /// how many video sections to add, perhaps none (LiveKit's `media_sections_requirement`).
    /// `None` if no offer is needed or it has been asked for.
    pub fn request_sections(&mut self) -> Option<(u32, u32)> {
        if self.role != Role::Single || self.remote.is_none() {
            return None;
        }
        let (audio, video) = self.missing_sections();
        let more = (
            audio.saturating_sub(self.requested.audio),
            video.saturating_sub(self.requested.video),
        );
        let helps = self.stale || !self.placements().is_empty();
        if more == (0, 0) && (self.requested.offer || !helps) {
            return None;
        }
        self.requested = Requested {
            offer: true,
            audio: self.requested.audio + more.0,
            video: self.requested.video + more.1,
        };
        Some(more)
    }

    /// The client has a new signalling connection: what it was asked for or offered on the old
    /// one may never have arrived, so it is asked and offered again.
    pub fn forget_requests(&mut self) {
        self.requested = Requested::default();
        self.stale |= std::mem::take(&mut self.answer_outstanding);
    }

    /// How many audio and video sections the client should add for the senders that wait; as many
    /// as an offer within the bounds has room for, audio first.
    #[must_use]
    pub fn missing_sections(&self) -> (u32, u32) {
        let placed: BTreeSet<TrackId> = self
            .placements()
            .into_iter()
            .map(|(track, _)| track)
            .collect();
        let waiting = self.waiting_senders();
        let unplaced = |kind: MediaKind| {
            let of_kind = |track: &&TrackId| {
                let sender = self.senders.get(track);
                !placed.contains(track) && sender.is_some_and(|sender| sender.codec.kind() == kind)
            };
            let draining =
                |section: &&Section| section.is_draining() && section.receiving(kind).is_some();
            let soon = self.sections.iter().filter(draining).count();
            waiting.iter().filter(of_kind).count().saturating_sub(soon)
        };
        let bytes_left = SDP_BYTES_MAX.saturating_sub(self.offer_bytes);
        let room = SECTIONS_MAX
            .saturating_sub(self.sections.len())
            .min(bytes_left / OFFERED_SECTION_BYTES);
        let audio = unplaced(MediaKind::Audio).min(room);
        let video = unplaced(MediaKind::Video).min(room - audio);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        (number(audio), number(video))
    }

    /// Senders that have no section yet and could have one.
    #[must_use]
    pub fn waiting_senders(&self) -> Vec<TrackId> {
        self.unbound_senders(true)
    }

    /// Senders that will never have a section: the client has sections of their kind, and none
    /// with their codec.
    #[must_use]
    pub fn unsupported_senders(&self) -> Vec<TrackId> {
        self.unbound_senders(false)
    }

    /// The transport, for the data plane. `None` until the client's credentials are known.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<Peer> {
        let remote = self.remote.as_ref()?;
        let has_data = |section: &Section| {
            matches!(
                section.described.content,
                super::description::Content::Data(_)
            )
        };
        let data_channels = self.sections.iter().any(has_data);
        let mut formats = self
            .sections
            .iter()
            .filter_map(Section::media)
            .flat_map(|media| &media.formats.list);
        Some(Peer {
            peer: id,
            local: self.local.clone(),
            remote: remote.ice.clone(),
            remote_fingerprint_sha256: remote.fingerprint_sha256,
            extensions: self.extensions,
            transport_cc: self.extensions.transport_cc.is_some()
                && formats.any(|format| format.feedback.transport_cc),
            data_channels,
            open_data_channels: data_channels && self.role == Role::Subscriber,
        })
    }

    /// Our ICE credentials.
    #[must_use]
    pub fn local(&self) -> &IceCredentials {
        &self.local
    }

    /// Sections on which the client sends or once sent, in their order.
    #[must_use]
    pub fn receivers(&self) -> Vec<Receiver> {
        if self.role == Role::Subscriber {
            return Vec::new();
        }
        let sent = self.sections.iter().filter(|section| section.has_sent);
        sent.filter_map(|section| {
            let media = section.media()?;
            let agreed = self.agreed(section)?;
            let red = agreed.red_payload_type();
            let codecs = agreed.formats.iter().map(|format| ReceivedCodec {
                codec: format.codec,
                payload_types: format.payload_types,
                red_payload_type: red.filter(|_| format.codec == Codec::Opus),
            });
            Some(Receiver {
                mid: media.mid,
                kind: media.kind,
                live: media.direction.sends(),
                stream_id: media.stream_id.clone(),
                track_id: media.track_id.clone(),
                codecs: codecs.collect(),
                encodings: media.encodings.clone(),
                nack: agreed.nack(),
                full_intra: agreed.full_intra(),
            })
        })
        .collect()
    }

    /// How a track is sent; `None` until the client has agreed to it.
    #[must_use]
    pub fn sender(&self, track: TrackId) -> Option<BoundSender> {
        let sender = self.senders.get(&track)?;
        let section = self
            .sections
            .iter()
            .find(|section| section.negotiated == Some(track))?;
        let media = section.media()?;
        let agreed = self.agreed(section)?;
        let format = media.formats.find(sender.codec)?;
        Some(BoundSender {
            mid: media.mid,
            payload_types: format.payload_types,
            red_payload_type: agreed
                .red_payload_type()
                .filter(|_| sender.codec == Codec::Opus),
            nack: agreed.nack(),
            ssrc: sender.ssrc,
            rtx_ssrc: format.payload_types.rtx.map(|_| sender.rtx_ssrc),
        })
    }

    /// Which section carries which track, for LiveKit's `mid_to_track_id`.
    #[must_use]
    pub fn mid_to_track(&self) -> Vec<(Mid, TrackId)> {
        let sections = self.sections.iter();
        sections
            .filter_map(|section| Some((section.mid()?, section.negotiated?)))
            .collect()
    }

    /// Which of a section's codecs we agree to, in which order: the wanted one first; where the
    /// client ignores the order, only that one.
    pub(super) fn agreed<'a>(&self, section: &'a Section) -> Option<Agreed<'a>> {
        let media = section.media()?;
        let sender = section.sender.and_then(|track| self.senders.get(&track));
        let sends = media.direction.sends();
        let wanted = match sender {
            Some(sender) => Some(sender.codec),
            None => section.publication.codec,
        };
        let mut formats: Vec<&Format> = media.formats.list.iter().collect();
        formats.sort_by_key(|format| Some(format.codec) != wanted);
        if self.quirks.firefox && (sender.is_some() || sends) {
            formats.truncate(1);
        }
        let opus_first = formats
            .first()
            .is_some_and(|format| format.codec == Codec::Opus);
        let (red_wanted, red_first) = match sender {
            Some(sender) => (sender.red && !self.quirks.strip_red, true),
            None => (section.publication.red, sends),
        };
        let red = media.formats.red.filter(|_| opus_first && red_wanted);
        Some(Agreed {
            formats,
            red: red.map(|red| (red, red_first)),
        })
    }

    /// Whether the client can receive a codec, as far as it has said; before it has listed
    /// anything of that kind, yes.
    pub(super) fn supports(&self, codec: Codec) -> bool {
        if self.role == Role::Publisher || self.refused.contains(&codec) {
            return false;
        }
        if self.role == Role::Subscriber {
            return true;
        }
        let sections = self.sections.iter();
        let mut listed = sections
            .filter_map(|section| section.receiving(codec.kind()))
            .peekable();
        listed.peek().is_none() || listed.any(|media| media.formats.find(codec).is_some())
    }

    pub(super) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Compares with what was known of the client's end.
    pub(super) fn check_remote(&self, remote: Option<&Remote>) -> Result<IceChange, SdpError> {
        match (&self.remote, remote) {
            (None, _) => Ok(IceChange::First),
            (Some(_), None) => Ok(IceChange::Same),
            (Some(old), Some(new)) if old.fingerprint_sha256 != new.fingerprint_sha256 => {
                Err(SdpError::FingerprintChanged)
            }
            (Some(old), Some(new)) if old.ice == new.ice => Ok(IceChange::Same),
            (Some(_), Some(_)) => Ok(IceChange::Restarted),
        }
    }

    fn unbound_senders(&self, supported: bool) -> Vec<TrackId> {
        let bound: BTreeSet<TrackId> = self
            .sections
            .iter()
            .filter_map(|section| section.sender)
            .collect();
        let unbound = self
            .senders
            .iter()
            .filter(|(track, _)| !bound.contains(track));
        unbound
            .filter(|(_, sender)| self.supports(sender.codec) == supported)
            .map(|(track, _)| *track)
            .collect()
    }

    /// Sections keep index, MID and kind, unless the old one was dead (RFC 8829 §5.2.2).
    fn check_sections(&self, description: &Description) -> Result<(), SdpError> {
        if description.sections.len() < self.sections.len() {
            return Err(SdpError::SectionsChanged);
        }
        for (old, new) in self.sections.iter().zip(&description.sections) {
            let gone = !new.content.is_accepted() && new.content.mid().is_none();
            let same = old.described.name == new.name && old.mid() == new.content.mid();
            if old.is_accepted() && !same && !gone {
                return Err(SdpError::SectionsChanged);
            }
        }
        Ok(())
    }

    /// Which waiting senders have a free section at the next answer: one that only receives, else
    /// one that also sends; each with the codec.
    pub(super) fn placements(&self) -> Vec<(TrackId, usize)> {
        let mut placements: Vec<(TrackId, usize)> = Vec::new();
        if self.role != Role::Single {
            return placements;
        }
        let mut taken = vec![false; self.sections.len()];
        for track in self.waiting_senders() {
            let Some(codec) = self.senders.get(&track).map(|sender| sender.codec) else {
                continue;
            };
            let fits = |section: &Section, direction: Direction| {
                section.is_free()
                    && section.receiving(codec.kind()).is_some_and(|media| {
                        media.direction == direction && media.formats.find(codec).is_some()
                    })
            };
            let place = [Direction::RecvOnly, Direction::SendRecv]
                .into_iter()
                .find_map(|direction| {
                    let mut sections = self.sections.iter().zip(&taken);
                    sections.position(|(section, taken)| !taken && fits(section, direction))
                });
            if let Some(index) = place {
                taken[index] = true;
                placements.push((track, index));
            }
        }
        placements
    }

    /// Takes senders out of sections that the client no longer receives on.
    fn release_unusable(&mut self) {
        for section in &mut self.sections {
            let Some(track) = section.sender else {
                continue;
            };
            let codec = self.senders.get(&track).map(|sender| sender.codec);
            let usable = codec.is_some_and(|codec| {
                section
                    .receiving(codec.kind())
                    .is_some_and(|media| media.formats.find(codec).is_some())
            });
            if !usable {
                section.sender = None;
                section.negotiated = None;
            }
        }
    }
}

impl Requested {
    /// A section that was not there before came with an offer.
    fn arrived(&mut self, section: &Section) {
        if section.receiving(MediaKind::Audio).is_some() {
            self.audio = self.audio.saturating_sub(1);
        }
        if section.receiving(MediaKind::Video).is_some() {
            self.video = self.video.saturating_sub(1);
        }
    }
}
