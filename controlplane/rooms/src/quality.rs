//! How good each participant's connection is, from the data plane's statistics.
//!
//! The score is the mean opinion score (1 to 4.5) of a simplified E-model (ITU-T G.107): from
//! R = 93.2 it takes 2.5 for each percent of loss (either direction, the worse one, after
//! retransmission) and, for a delay d of half the round trip plus twice the jitter, d / 40 up to
//! 160 ms and (d - 120) / 10 beyond. EXCELLENT from 4.1, GOOD from 3.0, POOR below; LOST while
//! no transport is connected. Worse is reported at once, better when it has lasted for three
//! reports, so that an indicator does not flicker.

use crate::context::Context;
use crate::room::{Member, Room};
use bedside_protocol::{PeerStatistics, TrackStatistics};
use livekit_protocol as proto;
use proto::ConnectionQuality;
use proto::signal_response::Message;
use std::collections::BTreeMap;

/// What was last reported of a participant.
#[derive(Clone, Copy, Default)]
pub(crate) struct QualityState {
    reported: Option<Grade>,
    better_count: u8,
}

/// Worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Grade {
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

    fn quality(self) -> ConnectionQuality {
        match self {
            Self::Lost => ConnectionQuality::Lost,
            Self::Poor => ConnectionQuality::Poor,
            Self::Good => ConnectionQuality::Good,
            Self::Excellent => ConnectionQuality::Excellent,
        }
    }
}

impl QualityState {
    /// The grade to report, if it changed.
    fn follow(&mut self, grade: Grade) -> Option<Grade> {
        match self.reported {
            Some(reported) if grade == reported => {
                self.better_count = 0;
                None
            }
            Some(reported) if grade > reported && self.better_count + 1 < BETTER_COUNT => {
                self.better_count += 1;
                None
            }
            _ => {
                *self = Self {
                    reported: Some(grade),
                    better_count: 0,
                };
                Some(grade)
            }
        }
    }
}

/// What a score is made of, worst values of a participant's streams.
#[derive(Clone, Copy, Default)]
struct Figures {
    loss: f32,
    rtt_ms: f32,
    jitter_ms: f32,
}

impl Figures {
    fn score(self) -> f32 {
        let delay_ms = self.rtt_ms / 2.0 + 2.0 * self.jitter_ms;
        let delay = if delay_ms < 160.0 {
            delay_ms / 40.0
        } else {
            (delay_ms - 120.0) / 10.0
        };
        let r = (93.2 - delay - 250.0 * self.loss).clamp(0.0, 100.0);
        1.0 + 0.035 * r + 0.000_007 * r * (r - 60.0) * (100.0 - r)
    }

    fn worsen(&mut self, loss: f32, jitter_ms: f32) {
        self.loss = self.loss.max(loss);
        self.jitter_ms = self.jitter_ms.max(jitter_ms);
    }
}

impl Room {
    /// The data plane's figures of the last interval.
    pub(crate) fn handle_statistics(
        &mut self,
        ctx: &mut Context<'_>,
        peers: &[PeerStatistics],
        tracks: &[TrackStatistics],
    ) {
        let mut figures: BTreeMap<Member, Figures> = BTreeMap::new();
        for peer in peers {
            let Some(owner) = peer.peer.and_then(|peer| self.peers.get(&peer)) else {
                continue;
            };
            let figure = figures.entry(owner.member).or_default();
            figure.worsen(peer.downlink_loss, peer.downlink_jitter_ms);
            figure.rtt_ms = figure.rtt_ms.max(peer.rtt_ms.unwrap_or(0.0));
        }
        for track in tracks {
            let Some(published) = track.track.and_then(|track| self.tracks.get(&track)) else {
                continue;
            };
            if let Some(figure) = figures.get_mut(&published.publisher) {
                figure.worsen(track.uplink_loss, track.uplink_jitter_ms);
            }
        }
        for (member, figures) in figures {
            self.grade(ctx, member, figures.score());
        }
    }

    /// Takes a participant's connection into account anew, after it came up or went down.
    fn grade(&mut self, ctx: &mut Context<'_>, member: Member, score: f32) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        if !participant.active {
            return;
        }
        let connected = participant.links[participant.primary()].connected;
        let grade = if connected {
            Grade::from_score(score)
        } else {
            Grade::Lost
        };
        if let Some(grade) = participant.quality.follow(grade) {
            self.report_quality(ctx, member, grade, if connected { score } else { 0.0 });
        }
    }

    /// A primary connection went silent.
    pub(crate) fn quality_lost(&mut self, ctx: &mut Context<'_>, member: Member) {
        self.grade(ctx, member, 0.0);
    }

    /// Tells the participant and those who receive from it.
    fn report_quality(&self, ctx: &mut Context<'_>, member: Member, grade: Grade, score: f32) {
        let Some(participant) = self.members.get(&member) else {
            return;
        };
        let update = proto::ConnectionQualityUpdate {
            updates: vec![proto::ConnectionQualityInfo {
                participant_sid: participant.sid.clone(),
                quality: grade.quality() as i32,
                score,
            }],
        };
        for (other, session) in self.listeners() {
            if other == member || self.receives_from(other, member) {
                ctx.send(session, Message::ConnectionQuality(update.clone()));
            }
        }
    }

    fn receives_from(&self, member: Member, publisher: Member) -> bool {
        self.tracks_of(publisher)
            .any(|(id, _)| self.members[&member].subscriptions.contains_key(&id))
    }
}

/// Reports that a better grade has to last.
const BETTER_COUNT: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn grade(loss: f32, rtt_ms: f32, jitter_ms: f32) -> Grade {
        Grade::from_score(
            Figures {
                loss,
                rtt_ms,
                jitter_ms,
            }
            .score(),
        )
    }

    #[test]
    fn loss_delay_and_jitter_lower_the_grade() {
        assert_eq!(grade(0.0, 0.0, 0.0), Grade::Excellent);
        assert_eq!(grade(0.005, 60.0, 5.0), Grade::Excellent);
        assert_eq!(grade(0.06, 60.0, 5.0), Grade::Good);
        assert_eq!(grade(0.15, 60.0, 5.0), Grade::Poor);
        assert_eq!(grade(0.0, 500.0, 0.0), Grade::Good);
        assert_eq!(grade(0.0, 0.0, 300.0), Grade::Poor);
        assert_eq!(grade(1.0, 5_000.0, 5_000.0), Grade::Poor);
    }

    #[test]
    fn worse_is_reported_at_once_and_better_after_it_lasted() {
        let mut state = QualityState::default();
        assert_eq!(state.follow(Grade::Excellent), Some(Grade::Excellent));
        assert_eq!(state.follow(Grade::Excellent), None);
        assert_eq!(state.follow(Grade::Poor), Some(Grade::Poor));
        assert_eq!(state.follow(Grade::Good), None);
        assert_eq!(state.follow(Grade::Poor), None);
        assert_eq!(state.follow(Grade::Good), None);
        assert_eq!(state.follow(Grade::Excellent), None);
        assert_eq!(state.follow(Grade::Excellent), Some(Grade::Excellent));
    }
}
