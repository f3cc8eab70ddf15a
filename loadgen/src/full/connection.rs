//! A participant's transport: str0m, and the offers that it makes.

use super::Failure;
use crate::scenario::{RecordedKind, TrackSpec};
use bedside_protocol::MediaKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, Reliability};
use str0m::format::Codec;
use str0m::media::{Direction, Mid, Pt, Rid, Simulcast, SimulcastLayer};
use str0m::net::Protocol;
use str0m::{Candidate, Rtc, RtcConfig};

/// The transport.
pub(super) struct Connection {
    pub(super) rtc: Rtc,
    sending: Vec<Sending>,
    receiving: Vec<Mid>,
    pending: Option<(u32, SdpPendingOffer)>,
    offers: u32,
}

/// A section that sends a track of the scenario.
#[derive(Clone)]
pub(super) struct Sending {
    pub(super) mid: Mid,
    pub(super) kind: MediaKind,
    /// What the offer calls the track.
    pub(super) cid: String,
    /// One for each layer; none without simulcast.
    pub(super) rids: Vec<Rid>,
}

/// What the first offer holds besides tracks to send.
#[derive(Clone, Copy)]
pub(super) struct Sections {
    /// Sections for receiving, of audio and of video each.
    pub(super) receiving: u32,
    /// The data channels of LiveKit's SDKs.
    pub(super) data: bool,
}

/// An offer to be signalled.
pub(super) struct Offer {
    pub(super) sdp: String,
    pub(super) id: u32,
}

impl Connection {
    /// A transport on `local` that offers to send `tracks`.
    pub(super) fn new(
        config: &RtcConfig,
        now: Instant,
        local: SocketAddr,
        tracks: &[TrackSpec],
        sections: Sections,
    ) -> Result<(Self, Offer), Failure> {
        let mut rtc = config.clone().build(now);
        let candidate = Candidate::host(local, Protocol::Udp).map_err(Failure::transport)?;
        rtc.add_local_candidate(candidate);
        let mut connection = Self {
            rtc,
            sending: Vec::new(),
            receiving: Vec::new(),
            pending: None,
            offers: 0,
        };
        let offer = connection.first_offer(tracks, sections)?;
        Ok((connection, offer))
    }

    fn first_offer(&mut self, tracks: &[TrackSpec], sections: Sections) -> Result<Offer, Failure> {
        let mut changes = self.rtc.sdp_api();
        if sections.data {
            changes.add_channel("_reliable".to_owned());
            changes.add_channel_with_config(ChannelConfig {
                label: "_lossy".to_owned(),
                ordered: false,
                reliability: Reliability::MaxRetransmits { retransmits: 0 },
                ..ChannelConfig::default()
            });
        }
        for (number, track) in tracks.iter().enumerate() {
            let kind = kind(track);
            let cid = format!("track{number}");
            let rids = rids(track);
            let simulcast = (!rids.is_empty()).then(|| {
                let mut simulcast = Simulcast::new();
                for rid in rids {
                    simulcast.add_send_layer(SimulcastLayer::new(rid));
                }
                simulcast
            });
            let mid = changes.add_media(
                media_kind(kind),
                Direction::SendOnly,
                Some("camera".to_owned()),
                Some(cid.clone()),
                simulcast,
            );
            self.sending.push(Sending {
                mid,
                kind,
                cid,
                rids: rids.iter().map(|&rid| Rid::from(rid)).collect(),
            });
        }
        for kind in [MediaKind::Audio, MediaKind::Video] {
            for _ in 0..sections.receiving {
                let kind = media_kind(kind);
                let mid = changes.add_media(kind, Direction::RecvOnly, None, None, None);
                self.receiving.push(mid);
            }
        }
        let (offer, pending) = changes.apply().ok_or(Failure::NothingToDo)?;
        Ok(self.offered(offer.to_sdp_string(), pending))
    }

    /// Offers again, with so many more sections for receiving; `None` while an offer is
    /// unanswered. Sections that are not `busy` are offered for use again.
    pub(super) fn offer_again(
        &mut self,
        mut audio: u32,
        video: u32,
        busy: impl Fn(Mid) -> bool,
    ) -> Option<Offer> {
        if self.pending.is_some() {
            return None;
        }
        let mut changes = self.rtc.sdp_api();
        for &mid in self.receiving.iter().filter(|&&mid| !busy(mid)) {
            // Whether or not the server let go of it: str0m offers only what changes.
            changes.set_direction(mid, Direction::Inactive);
            changes.set_direction(mid, Direction::RecvOnly);
        }
        if !changes.has_changes() {
            audio = audio.max(1);
        }
        for (kind, count) in [(MediaKind::Audio, audio), (MediaKind::Video, video)] {
            for _ in 0..count {
                let kind = media_kind(kind);
                let mid = changes.add_media(kind, Direction::RecvOnly, None, None, None);
                self.receiving.push(mid);
            }
        }
        let (offer, pending) = changes.apply()?;
        Some(self.offered(offer.to_sdp_string(), pending))
    }

    fn offered(&mut self, sdp: String, pending: SdpPendingOffer) -> Offer {
        self.offers += 1;
        self.pending = Some((self.offers, pending));
        Offer {
            sdp,
            id: self.offers,
        }
    }

    /// Takes the answer to the offer with this id; `false` if that is not the one that waits.
    pub(super) fn accept(&mut self, id: u32, sdp: &str, local: IpAddr) -> Result<bool, Failure> {
        let Some((_, pending)) = self.pending.take_if(|(offer, _)| *offer == id) else {
            return Ok(false);
        };
        let answer = SdpAnswer::from_sdp_string(&reachable(sdp, local))
            .map_err(|error| Failure::Answer(error.to_string()))?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        Ok(true)
    }

    /// Takes a place where the server receives media, if it can be reached from `local`.
    pub(super) fn add_candidate(&mut self, text: &str, local: IpAddr) -> Result<(), Failure> {
        let candidate = Candidate::from_sdp_string(text).map_err(Failure::transport)?;
        if is_reachable(candidate.addr().ip(), local) {
            self.rtc.add_remote_candidate(candidate);
        }
        Ok(())
    }

    pub(super) fn sending(&self) -> &[Sending] {
        &self.sending
    }

    /// What a section sends with, after the answer; `None` if the server refused it.
    pub(super) fn payload_type(&self, sending: &Sending) -> Option<Pt> {
        let media = self.rtc.media(sending.mid)?;
        if !media.direction().is_sending() {
            return None;
        }
        let codec = match sending.kind {
            MediaKind::Audio => Codec::Opus,
            MediaKind::Video => Codec::Vp8,
        };
        let mut ours = self.rtc.codec_config().params().iter();
        let ours = ours.find(|params| params.spec().codec == codec)?.pt();
        media.remote_pts().contains(&ours).then_some(ours)
    }
}

/// Audio or video.
pub(super) fn kind(track: &TrackSpec) -> MediaKind {
    match track {
        TrackSpec::Audio(_) => MediaKind::Audio,
        TrackSpec::Video(_) | TrackSpec::Fixed(_) => MediaKind::Video,
        TrackSpec::Recorded(recorded) => match recorded.kind {
            RecordedKind::Audio => MediaKind::Audio,
            RecordedKind::Video => MediaKind::Video,
        },
    }
}

fn media_kind(kind: MediaKind) -> str0m::media::MediaKind {
    match kind {
        MediaKind::Audio => str0m::media::MediaKind::Audio,
        MediaKind::Video => str0m::media::MediaKind::Video,
    }
}

/// The layers' RTP stream ids, lowest first; none without simulcast.
pub(super) fn rids(track: &TrackSpec) -> &'static [&'static str] {
    const RIDS: [&str; 3] = ["q", "h", "f"];
    match track {
        TrackSpec::Video(video) if video.layers.len() > 1 => {
            RIDS.get(..video.layers.len()).unwrap_or(&RIDS)
        }
        _ => &[],
    }
}

/// An answer without the candidates that cannot be reached from `local`: sending to them would
/// fail in the kernel.
fn reachable(sdp: &str, local: IpAddr) -> String {
    let is_kept = |line: &&str| {
        let Some(candidate) = line.strip_prefix("a=candidate:") else {
            return true;
        };
        let address = candidate.split(' ').nth(4).map(str::parse);
        matches!(address, Some(Ok(address)) if is_reachable(address, local))
    };
    let lines = sdp.split("\r\n").filter(is_kept);
    lines.collect::<Vec<_>>().join("\r\n")
}

fn is_reachable(address: IpAddr, local: IpAddr) -> bool {
    address.is_ipv4() == local.is_ipv4() && address.is_loopback() == local.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_candidates_that_can_be_reached_are_kept() {
        let sdp = "a=mid:0\r\n\
            a=candidate:1 1 udp 1 127.0.0.1 7000 typ host\r\n\
            a=candidate:2 1 udp 1 192.0.2.1 7000 typ host\r\n\
            a=candidate:3 1 udp 1 2001:db8::1 7000 typ host\r\n\
            a=candidate:4\r\n\
            a=end-of-candidates\r\n";
        let kept = |local: &str, number: &str| {
            let local = local.parse().expect("an address");
            let line = sdp
                .lines()
                .find(|line| line.starts_with(&format!("a=candidate:{number}")))
                .expect("present");
            assert_eq!(
                reachable(sdp, local),
                format!("a=mid:0\r\n{}\r\na=end-of-candidates\r\n", line.trim())
            );
        };
        kept("127.0.0.1", "1");
        kept("192.0.2.7", "2");
        kept("2001:db8::7", "3");
    }
}
