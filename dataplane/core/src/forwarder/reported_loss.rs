//! How much of an audio track its subscribers lose, which its publisher is told as if it were
//! lost on the way to us.
//!
//! A publisher's Opus encoder spends bits on in-band FEC (RFC 6716 §2.1.7) only as far as it is
//! told of loss, and between it and its listeners there are two hops of which it sees one.
//! libwebrtc takes the loss from the *fraction lost* of receiver reports, weighted by packets, and
//! smooths it with a time constant of ten seconds (`audio/channel_send.cc`,
//! `audio_encoder_opus.cc`); nothing has to be smoothed here. Its bandwidth estimator counts the
//! *cumulative* loss (`rtp_transport_controller_send.cc`), which stays that of the first hop, so
//! that nobody sends less because somebody else's downlink is bad.

use super::publisher::Track;
use super::subscriber::Subscription;
use super::{Forwarder, Handle};
use crate::limits::LOSS_REPORT_AGE_MAX;
use bedside_protocol::{MediaKind, TrackId, WorkerId};
use std::time::Instant;

/// The share of packets that a subscriber, or the subscribers of another worker, last reported as
/// lost.
#[derive(Clone, Copy, Default)]
pub(super) struct ReportedLoss(Option<(Instant, u8)>);

impl ReportedLoss {
    /// In 1/256.
    pub(super) fn report(&mut self, now: Instant, fraction: u8) {
        self.0 = Some((now, fraction));
    }

    /// Zero where nothing was reported lately.
    fn current(self, now: Instant) -> u8 {
        self.0
            .filter(|(at, _)| now.saturating_duration_since(*at) <= LOSS_REPORT_AGE_MAX)
            .map_or(0, |(_, fraction)| fraction)
    }
}

impl Forwarder {
    /// A subscriber reported its loss. The origin of a relayed track is told at once: reports come
    /// seconds apart.
    pub(super) fn loss_reported(&mut self, now: Instant, of: Handle<Subscription>, fraction: u8) {
        let Some(subscription) = self.subscriptions.get_mut(of) else {
            return;
        };
        subscription.loss.report(now, fraction);
        if subscription.kind != MediaKind::Audio {
            return;
        }
        let handle = subscription.track;
        let track = self.tracks.get(handle);
        if let Some((track, origin)) = track.and_then(|track| {
            let origin = track.origin()?;
            Some((track.wanted.track, origin))
        }) {
            let fraction = self.subscribers_loss(now, handle);
            self.tell_loss(origin, track, fraction);
        }
    }

    /// Another worker's subscribers lose this much of a track.
    pub(super) fn loss_relayed(
        &mut self,
        now: Instant,
        from: WorkerId,
        track: TrackId,
        fraction: u8,
    ) {
        let track = self.track_ids.find(track);
        if let Some(track) = track.and_then(|handle| self.tracks.get_mut(handle)) {
            let mut known = track.destinations.iter_mut();
            if let Some(known) = known.find(|known| known.worker == from) {
                known.loss.report(now, fraction);
                return;
            }
        }
        self.statistics.relay_unknown += 1;
    }

    /// What is lost of a track by all but the worst tenth of those it is sent to, in 1/256: by the
    /// worst one as long as there are fewer than ten. In a large room a few bad networks do not
    /// take bits from everybody's voice.
    pub(super) fn subscribers_loss(&self, now: Instant, handle: Handle<Track>) -> u8 {
        let Some(track) = self.tracks.get(handle) else {
            return 0;
        };
        let subscribers = track.subscriptions.iter();
        let losses = subscribers
            .filter_map(|of| self.subscriptions.get(*of))
            .map(|subscription| subscription.loss)
            .chain(track.destinations.iter().map(|it| it.loss));
        let mut by_fraction = [0_u32; 256];
        let mut count = 0;
        for loss in losses {
            by_fraction[usize::from(loss.current(now))] += 1;
            count += 1;
        }
        let mut left_out = count / WORST_PARTS;
        for (fraction, here) in (0..=u8::MAX).zip(by_fraction).rev() {
            match left_out.checked_sub(here) {
                Some(left) => left_out = left,
                None => return fraction,
            }
        }
        0
    }
}

/// One in this many subscribers is not waited for.
const WORST_PARTS: u32 = 10;
