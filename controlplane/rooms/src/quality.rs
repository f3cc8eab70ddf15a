//! How good each participant's connection is, from the data plane's statistics.
//!
//! Every [`QUALITY_US`](crate::limits::QUALITY_US) each connection gets the worst of three scores
//! ([`score`]): what the participant hears, what others hear of it, and the pictures it gets and
//! sends. EXCELLENT from 4.1, GOOD from 3.0, POOR below; LOST while no transport is connected. Worse
//! is reported at once, better when it has lasted for two gradings, so that an indicator does not
//! flicker. A score says how the participant's own leg is: that of the others is taken as perfect.

pub(crate) mod score;

use crate::context::Context;
use crate::input::Time;
use crate::limits;
use crate::output::Measure;
use crate::participant::Participant;
use crate::published::Published;
use crate::room::{Member, Room};
use bedside_protocol::{Layer, MediaKind, PeerStatistics, TrackStatistics};
use livekit_protocol as proto;
use proto::ConnectionQuality;
use proto::signal_response::Message;
use score::{Equipment, Picture, SCORE_MAX, Voice, one_way_delay_ms};
use std::collections::{BTreeMap, BTreeSet};

/// What is known and was last reported of a participant's connection.
#[derive(Clone, Copy, Default)]
pub(crate) struct QualityState {
    /// Since the last grading.
    interval: Interval,
    /// At the last grading.
    pub(crate) figures: Figures,
    /// At the last grading; `None` before the first one, 0.0 while the connection is lost.
    pub(crate) score: Option<f32>,
    reported: Option<Grade>,
    better_count: u8,
    /// The participant has been told how the others' connections are.
    introduced: bool,
}

/// Worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Grade {
    Lost,
    Poor,
    Good,
    Excellent,
}

impl Grade {
    fn from_score(score: f32) -> Self {
        if score >= 4.1 {
            Self::Excellent
        } else if score >= 3.0 {
            Self::Good
        } else {
            Self::Poor
        }
    }

    pub(crate) fn quality(self) -> ConnectionQuality {
        match self {
            Self::Lost => ConnectionQuality::Lost,
            Self::Poor => ConnectionQuality::Poor,
            Self::Good => ConnectionQuality::Good,
            Self::Excellent => ConnectionQuality::Excellent,
        }
    }
}

impl QualityState {
    /// What others have been told, or are about to be.
    pub(crate) fn grade(&self) -> Option<Grade> {
        self.reported
    }

    /// Takes a score; true if it has to be reported.
    fn follow(&mut self, score: Option<f32>) -> bool {
        let grade = score.map_or(Grade::Lost, Grade::from_score);
        self.score = Some(score.unwrap_or(0.0));
        match self.reported {
            Some(reported) if grade == reported => {
                self.better_count = 0;
                false
            }
            Some(reported) if grade > reported && self.better_count + 1 < BETTER_COUNT => {
                self.better_count += 1;
                false
            }
            _ => {
                self.reported = Some(grade);
                self.better_count = 0;
                true
            }
        }
    }
}

/// What the data plane said since the last grading.
#[derive(Clone, Copy, Default)]
struct Interval {
    round_trip: Mean,
    down: Leg,
    heard: Leg,
    seen: Leg,
    estimate_bps: Option<u64>,
    queue_delay_ms: f32,
    sent_bps: u64,
    received_bps: u64,
}

/// One direction.
#[derive(Clone, Copy, Default)]
struct Leg {
    loss: Mean,
    jitter_ms: f32,
}

#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f32,
    max: f32,
    count: u16,
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.sum += value;
        self.max = self.max.max(value);
        self.count = self.count.saturating_add(1);
    }

    fn value(self) -> Option<f32> {
        (self.count > 0).then(|| self.sum / f32::from(self.count))
    }
}

impl Leg {
    fn add(&mut self, loss: f32, jitter_ms: f32) {
        self.loss.add(loss);
        self.jitter_ms = self.jitter_ms.max(jitter_ms);
    }

    fn loss(self) -> f32 {
        self.loss.value().unwrap_or(0.0)
    }

    /// Reports do not tell how losses follow each other, but whether those of one interval fell
    /// into one report, as they do when a link drops out.
    fn burst_ratio(self) -> f32 {
        let mean = self.loss();
        if mean > 0.0 {
            self.loss.max / mean
        } else {
            1.0
        }
    }

    fn voice(self, round_trip_ms: f32) -> Voice {
        Voice {
            delay_ms: one_way_delay_ms(round_trip_ms, self.jitter_ms),
            loss: self.loss(),
            burst_ratio: self.burst_ratio(),
        }
    }
}

/// A connection's figures over the last interval. `down` is towards the participant.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) round_trip_ms: Option<f32>,
    pub(crate) loss_down: f32,
    pub(crate) loss_up: f32,
    pub(crate) jitter_down_ms: f32,
    pub(crate) jitter_up_ms: f32,
    pub(crate) estimate_bps: Option<u64>,
    pub(crate) queue_delay_ms: f32,
    pub(crate) sent_bps: u64,
    pub(crate) received_bps: u64,
}

impl Interval {
    fn peer(&mut self, receives: bool, statistics: &PeerStatistics) {
        if let Some(round_trip_ms) = statistics.rtt_ms {
            self.round_trip.add(round_trip_ms);
        }
        if receives {
            self.down
                .add(statistics.downlink_loss, statistics.downlink_jitter_ms);
            self.estimate_bps = statistics.estimate_bps;
            self.queue_delay_ms = self.queue_delay_ms.max(statistics.queue_delay_ms);
            self.sent_bps = statistics.sent_bps;
        }
    }

    fn figures(&self) -> Figures {
        Figures {
            round_trip_ms: self.round_trip.value(),
            loss_down: self.down.loss(),
            loss_up: self.heard.loss().max(self.seen.loss()),
            jitter_down_ms: self.down.jitter_ms,
            jitter_up_ms: self.heard.jitter_ms.max(self.seen.jitter_ms),
            estimate_bps: self.estimate_bps,
            queue_delay_ms: self.queue_delay_ms,
            sent_bps: self.sent_bps,
            received_bps: self.received_bps,
        }
    }

    /// The worse of what the participant hears and what is heard of it.
    fn voice_score(&self) -> f32 {
        let round_trip_ms = self.round_trip.value().unwrap_or(0.0);
        let score = |leg: Leg| leg.voice(round_trip_ms).score(Equipment::OPUS);
        score(self.down).min(score(self.heard))
    }
}

impl Room {
    /// The data plane's figures of the last interval.
    pub(crate) fn handle_statistics(
        &mut self,
        ctx: &Context<'_>,
        peers: &[PeerStatistics],
        tracks: &[TrackStatistics],
    ) {
        for peer in peers {
            let Some(owner) = peer.peer.and_then(|peer| self.peers.get(&peer)) else {
                continue;
            };
            let Some(participant) = self.members.get_mut(&owner.member) else {
                continue;
            };
            let receives = owner.link == participant.subscriber();
            let interval = &mut participant.quality.interval;
            interval.peer(receives, peer);
            if owner.link == Participant::PUBLISHER {
                interval.received_bps = peer.received_bps;
            }
        }
        for track in tracks {
            let Some(published) = track.track.and_then(|track| self.tracks.get(&track)) else {
                continue;
            };
            let Some(participant) = self.members.get_mut(&published.publisher) else {
                continue;
            };
            let interval = &mut participant.quality.interval;
            let leg = match published.kind() {
                MediaKind::Audio => &mut interval.heard,
                MediaKind::Video => &mut interval.seen,
            };
            leg.add(track.uplink_loss, track.uplink_jitter_ms);
        }
        self.volatile
            .grade_at
            .get_or_insert_with(|| ctx.later(limits::QUALITY_US));
    }

    /// Grades every connection, and tells of those that changed.
    pub(crate) fn grade_all(&mut self, ctx: &mut Context<'_>) {
        self.volatile.grade_at = None;
        let scores: Vec<(Member, Option<f32>)> = self
            .members
            .iter()
            .filter(|(_, participant)| participant.active)
            .map(|(&member, participant)| (member, self.score(ctx.now, member, participant)))
            .collect();
        let mut changed = Vec::new();
        for (member, score) in scores {
            let Some(participant) = self.members.get_mut(&member) else {
                continue;
            };
            let quality = &mut participant.quality;
            quality.figures = std::mem::take(&mut quality.interval).figures();
            ctx.measure(Measure::Score(score.unwrap_or(0.0)));
            if quality.follow(score) {
                changed.push(member);
            }
        }
        self.report_quality(ctx, &changed);
    }

    /// A primary connection went silent.
    pub(crate) fn quality_lost(&mut self, ctx: &mut Context<'_>, member: Member) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let connected = participant.links[participant.primary()].connected;
        if participant.active && !connected && participant.quality.follow(None) {
            self.report_quality(ctx, &[member]);
        }
    }

    /// The worst of what counts; `None` without a connection.
    fn score(&self, now: Time, member: Member, participant: &Participant) -> Option<f32> {
        if !participant.links[participant.primary()].connected {
            return None;
        }
        let interval = &participant.quality.interval;
        let down = mean(self.pictures_received(participant).map(Picture::score));
        let up = mean(self.pictures_sent(now, member, interval.seen.loss()));
        Some(interval.voice_score().min(down).min(up))
    }

    /// The pictures that a participant wants, and that there are.
    fn pictures_received<'a>(
        &'a self,
        participant: &'a Participant,
    ) -> impl Iterator<Item = Picture> + 'a {
        let loss = participant.quality.interval.down.loss();
        let subscriptions = participant.subscriptions.iter();
        subscriptions.filter_map(move |(track, subscription)| {
            let published = self.tracks.get(track).filter(|one| is_shown(one))?;
            if subscription.wish.paused {
                return None;
            }
            if subscription.stalled {
                let missing = None;
                return Some(Picture { missing, loss });
            }
            let available = published.uplink.top().unwrap_or(Layer::Low);
            let wanted = subscription.wish.layer_max.min(available);
            let layer = subscription.course.layer()?;
            Some(picture(wanted.index().saturating_sub(layer.index()), loss))
        })
    }

    /// The scores of the pictures that somebody wants of a participant.
    fn pictures_sent(
        &self,
        now: Time,
        member: Member,
        loss: f32,
    ) -> impl Iterator<Item = f32> + use<'_> {
        let shown = self.tracks_of(member).filter(|(_, track)| is_shown(track));
        shown.filter_map(move |(_, track)| {
            let highest = track.live()?.encodings.last()?.layer;
            let wanted = track.dynacast.asked()?.min(highest);
            let missing = track.uplink.missing(now, wanted)?;
            Some(picture(missing, loss).score())
        })
    }

    /// Tells participants and those who receive from them; whoever is new, of everyone.
    fn report_quality(&mut self, ctx: &mut Context<'_>, changed: &[Member]) {
        let information: BTreeMap<Member, proto::ConnectionQualityInfo> = self
            .members
            .iter()
            .filter_map(|(&member, participant)| {
                let info = proto::ConnectionQualityInfo {
                    participant_sid: participant.sid.clone(),
                    quality: participant.quality.grade()?.quality() as i32,
                    score: participant.quality.score?,
                };
                Some((member, info))
            })
            .collect();
        for (listener, session) in self.listeners() {
            let introduced = self.members.get_mut(&listener).is_some_and(|participant| {
                std::mem::replace(&mut participant.quality.introduced, true)
            });
            if introduced && changed.is_empty() {
                continue;
            }
            let heard = self.heard_by(listener);
            let updates: Vec<_> = information
                .iter()
                .filter(|(member, _)| !introduced || changed.contains(member))
                .filter(|&(member, _)| listener == *member || heard.contains(member))
                .map(|(_, info)| info.clone())
                .collect();
            if !updates.is_empty() {
                let update = proto::ConnectionQualityUpdate { updates };
                ctx.send(session, Message::ConnectionQuality(update));
            }
        }
    }

    /// Those from whom a participant receives something.
    fn heard_by(&self, member: Member) -> BTreeSet<Member> {
        let participant = self.members.get(&member);
        let subscriptions = participant
            .into_iter()
            .flat_map(|one| one.subscriptions.keys());
        subscriptions
            .filter_map(|track| Some(self.tracks.get(track)?.publisher))
            .collect()
    }
}

/// Video that its publisher has on.
fn is_shown(track: &Published) -> bool {
    track.kind() == MediaKind::Video && !track.info.muted
}

fn picture(missing: usize, loss: f32) -> Picture {
    let missing = Some(u8::try_from(missing).unwrap_or(u8::MAX));
    Picture { missing, loss }
}

/// The mean of the scores; the best one where there is nothing to score.
fn mean(scores: impl Iterator<Item = f32>) -> f32 {
    let mut mean = Mean::default();
    scores.for_each(|score| mean.add(score));
    mean.value().unwrap_or(SCORE_MAX)
}

/// Gradings that something better has to last.
const BETTER_COUNT: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn grade(loss: f32, round_trip_ms: f32, jitter_ms: f32) -> Grade {
        let mut interval = Interval::default();
        interval.peer(
            true,
            &PeerStatistics {
                rtt_ms: Some(round_trip_ms),
                downlink_loss: loss,
                downlink_jitter_ms: jitter_ms,
                ..PeerStatistics::default()
            },
        );
        Grade::from_score(interval.voice_score())
    }

    #[test]
    fn loss_delay_and_jitter_lower_the_grade() {
        assert_eq!(grade(0.0, 0.0, 0.0), Grade::Excellent);
        assert_eq!(grade(0.005, 60.0, 5.0), Grade::Excellent);
        assert_eq!(grade(0.05, 60.0, 5.0), Grade::Good);
        assert_eq!(grade(0.25, 60.0, 5.0), Grade::Poor);
        assert_eq!(grade(0.0, 500.0, 0.0), Grade::Good);
        assert_eq!(grade(0.0, 0.0, 300.0), Grade::Poor);
        assert_eq!(grade(1.0, 5_000.0, 5_000.0), Grade::Poor);
    }

    #[test]
    fn loss_all_at_once_is_worse_than_the_same_loss_spread_out() {
        let leg = |losses: [f32; 2]| {
            let mut leg = Leg::default();
            for loss in losses {
                leg.add(loss, 0.0);
            }
            leg.voice(0.0).score(Equipment::OPUS)
        };
        assert!(leg([0.2, 0.0]) < leg([0.1, 0.1]) - 0.1);
    }

    #[test]
    fn worse_is_reported_at_once_and_better_after_it_lasted() {
        let mut state = QualityState::default();
        let (excellent, good, poor) = (Some(4.3), Some(3.5), Some(2.0));
        assert!(state.follow(excellent));
        assert!(!state.follow(excellent));
        assert!(state.follow(poor));
        assert!(!state.follow(good));
        assert!(!state.follow(poor));
        assert!(!state.follow(good));
        assert!(state.follow(excellent));
        assert!(state.follow(None));
        assert_eq!(state.grade(), Some(Grade::Lost));
        assert_eq!(state.score, Some(0.0));
    }
}
