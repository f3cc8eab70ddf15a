//! Which layers of which tracks a subscriber gets within what its path takes.
//!
//! [`Allocator::decide`] is the decision, without a forwarder around it: a budget and demands go
//! in, a level on each demand's [`Ladder`] comes out. [`Forwarder::allocate`] makes demands of a
//! peer's subscriptions and carries the levels out. `docs/internals/allocation.md` has the reasons.

use super::layer_rates::LayerRate;
use super::layer_selection::{ActiveLayers, Target};
use super::peer::Peer;
use super::publisher::Track;
use super::subscriber::Subscription;
use super::{Forwarder, Handle};
use crate::limits::{
    ALLOCATION_INTERVAL, TEMPORAL_LAYERS_MAX, UPGRADE_HEADROOM_PERCENT, UPGRADE_HOLD_MAX,
    UPGRADE_HOLD_MIN, UPGRADE_TRIAL,
};
use bedside_protocol::{Event, Layer, MediaKind, VideoContent};
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// What a subscription was granted of its video.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Grant {
    /// Nothing was decided yet.
    #[default]
    Undecided,
    /// Everything that it wants: nothing is known of the path.
    Everything,
    /// At most this.
    UpTo(Target),
    /// Nothing for now: its lowest layer does not fit.
    Paused,
}

/// One video that a peer wants.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    /// Whose it is: a place in the peer's list.
    pub(super) index: usize,
    rank: Rank,
    ladder: Ladder,
    /// What it was granted before.
    held: Grant,
    /// The highest level that may be granted.
    cap: usize,
    /// What is granted: 0 is a pause, n the n-th rung.
    level: usize,
}

/// Lower ranks are served first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Rank {
    /// Demands of one class take turns.
    class: u8,
    /// The larger picture first.
    size: Reverse<Layer>,
    index: usize,
}

impl Demand {
    pub(super) fn new(
        index: usize,
        priority: u8,
        content: VideoContent,
        layer_max: Layer,
        ladder: Ladder,
        held: Grant,
    ) -> Self {
        let class = match (priority, content) {
            (0, VideoContent::Screen) => CLASS_SCREEN,
            (0, VideoContent::Camera) => CLASS_CAMERA,
            (priority, _) => priority,
        };
        Self {
            index,
            rank: Rank {
                class,
                size: Reverse(layer_max),
                index,
            },
            ladder,
            held,
            cap: 0,
            level: 0,
        }
    }

    /// What it is to be granted.
    pub(super) fn grant(&self) -> Grant {
        self.level
            .checked_sub(1)
            .and_then(|below| self.ladder.rungs().get(below))
            .map_or(Grant::Paused, |rung| Grant::UpTo(rung.target))
    }

    /// What it is granted where nothing limits it but its frame rate.
    fn unlimited_grant(&self) -> Grant {
        let rung = self.ladder.rungs().last();
        rung.filter(|rung| rung.target.temporal < u8::MAX)
            .map_or(Grant::Everything, |rung| Grant::UpTo(rung.target))
    }

    /// As little as can be shown.
    fn lowest_grant(&self) -> Grant {
        let lowest = self.ladder.rungs().first();
        lowest.map_or(Grant::Everything, |rung| Grant::UpTo(rung.target))
    }

    /// The level that corresponds most to what was granted before.
    fn held_level(&self) -> usize {
        match self.held {
            Grant::Undecided | Grant::Paused => 0,
            Grant::Everything => self.top(),
            Grant::UpTo(held) => self
                .ladder
                .rungs()
                .iter()
                .filter(|rung| rung.target <= held)
                .count()
                .max(1)
                .min(self.top()),
        }
    }

    fn top(&self) -> usize {
        self.ladder.rungs().len()
    }

    fn bps(&self) -> u64 {
        self.ladder.bps(self.level)
    }

    /// What one level more costs; `None` at the top.
    fn step_bps(&self) -> Option<u64> {
        (self.level < self.top())
            .then(|| self.ladder.bps(self.level + 1) - self.ladder.bps(self.level))
    }
}

/// What a video can be forwarded as, cheapest first; each rung costs more than the one below it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ladder {
    rungs: [Rung; RUNGS_MAX],
    count: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Rung {
    target: Target,
    bps: u64,
}

impl Ladder {
    /// The rungs of a video up to `layer_max` and, as far as its temporal layers allow,
    /// `frame_rate_max`. A camera loses pixels before it loses frames, a screen frames before
    /// pixels. `rate` tells what was measured of a layer.
    pub(super) fn new(
        content: VideoContent,
        active: ActiveLayers,
        layer_max: Layer,
        frame_rate_max: Option<u8>,
        rate: impl Fn(Layer) -> Option<LayerRate>,
    ) -> Self {
        let offered = |layer: &Layer| *layer <= layer_max && active.contains(*layer);
        let mut ladder = Self::default();
        let lowest = Layer::ALL.into_iter().find(offered);
        let highest = Layer::ALL.into_iter().rev().find(offered);
        for layer in Layer::ALL.into_iter().filter(offered) {
            let Some(rate) = rate(layer) else {
                ladder.push(Target::full_rate(layer), LAYER_BPS_ASSUMED[layer.index()]);
                continue;
            };
            let last = last_temporal(&rate, frame_rate_max);
            let steps = match content {
                VideoContent::Camera if Some(layer) == lowest => 0..=last,
                VideoContent::Camera => last..=last,
                VideoContent::Screen if Some(layer) == highest => 0..=last,
                VideoContent::Screen => 0..=0,
            };
            for temporal in steps {
                let bps = rate.bps.iter().take(temporal + 1).sum();
                if bps > 0 {
                    ladder.push(target(layer, temporal, &rate), bps);
                }
            }
        }
        ladder
    }

    /// Puts a better rung on top, and takes away those that cost as much.
    fn push(&mut self, target: Target, bps: u64) {
        while self.rungs().last().is_some_and(|last| last.bps >= bps) {
            self.count -= 1;
        }
        if let Some(rung) = self.rungs.get_mut(self.count) {
            *rung = Rung { target, bps };
            self.count += 1;
        }
    }

    fn rungs(&self) -> &[Rung] {
        &self.rungs[..self.count]
    }

    fn bps(&self, level: usize) -> u64 {
        level
            .checked_sub(1)
            .and_then(|below| self.rungs().get(below))
            .map_or(0, |rung| rung.bps)
    }

    fn top_bps(&self) -> u64 {
        self.bps(self.count)
    }
}

/// The highest temporal layer that is received and does not exceed the frame rate; at least 0.
fn last_temporal(rate: &LayerRate, frame_rate_max: Option<u8>) -> usize {
    let received = rate.bps.iter().rposition(|bps| *bps > 0).unwrap_or(0);
    let Some(frame_rate_max) = frame_rate_max else {
        return received;
    };
    // Measured rates are not exact.
    let enough = u64::from(frame_rate_max) + 2;
    let mut frames = rate.frames[0];
    let mut last = 0;
    while last < received && frames + rate.frames[last + 1] <= enough {
        last += 1;
        frames += rate.frames[last];
    }
    last
}

/// A temporal layer that is the highest one received stands for all that may be.
fn target(layer: Layer, temporal: usize, rate: &LayerRate) -> Target {
    let above = rate.bps.iter().skip(temporal + 1);
    if above.into_iter().all(|bps| *bps == 0) {
        return Target::full_rate(layer);
    }
    Target {
        spatial: layer,
        temporal: u8::try_from(temporal).unwrap_or(u8::MAX),
    }
}

/// What a peer's allocation remembers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allocator {
    /// Something other than the estimate changed.
    stale: bool,
    /// When the next allocation is due; `None` while nothing limits.
    due: Option<Instant>,
    /// What is granted, audio included; 0 where there is nothing to take back.
    granted_bps: u64,
    /// Since when an upgrade fits, and the least that there was for it.
    offered: Option<(Instant, u64)>,
    hold: Duration,
    upgraded: Option<Instant>,
}

impl Default for Allocator {
    fn default() -> Self {
        Self {
            stale: true,
            due: None,
            granted_bps: 0,
            offered: None,
            hold: UPGRADE_HOLD_MIN,
            upgraded: None,
        }
    }
}

impl Allocator {
    /// A subscription, a wish or the set of layers changed.
    pub(super) fn touch(&mut self) {
        self.stale = true;
    }

    /// When it has to be looked at next.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        if self.stale { Some(now) } else { self.due }
    }

    /// Whether what is known of the path limits what is granted.
    pub(super) fn limits(&self) -> bool {
        self.due.is_some()
    }

    fn is_due(&self, now: Instant, budget_bps: Option<u64>) -> bool {
        let shrank = budget_bps.is_some_and(|bps| bps < self.granted_bps);
        let came_or_went = budget_bps.is_some() != self.due.is_some();
        self.stale || came_or_went || shrank || self.due.is_some_and(|due| due <= now)
    }

    /// Decides on all of a peer's videos. `audio_bps` is taken first, whole. Downgrades are made
    /// at once, upgrades once they have fitted with headroom for a while, one step at a time.
    /// After a change of what is wanted, what fits with headroom is granted at once.
    ///
    /// Says what would be sent with unlimited bandwidth, and an upgrade's headroom, bits per
    /// second.
    pub(super) fn decide(
        &mut self,
        now: Instant,
        budget_bps: Option<u64>,
        audio_bps: u64,
        demands: &mut [Demand],
    ) -> u64 {
        demands.sort_unstable_by_key(|demand| demand.rank);
        let tops: u64 = demands.iter().map(|demand| demand.ladder.top_bps()).sum();
        let wanted_bps = (audio_bps + tops).saturating_mul(100 + UPGRADE_HEADROOM_PERCENT) / 100;
        let Some(budget_bps) = budget_bps else {
            demands
                .iter_mut()
                .for_each(|demand| demand.level = demand.top());
            *self = Self {
                stale: false,
                ..Self::default()
            };
            return wanted_bps;
        };
        let room = budget_bps.saturating_sub(audio_bps);
        let cautious = (budget_bps.saturating_mul(100) / (100 + UPGRADE_HEADROOM_PERCENT))
            .saturating_sub(audio_bps);
        let undecided = demands.iter().any(|demand| demand.held == Grant::Undecided);
        let anew = std::mem::take(&mut self.stale) || undecided;
        if anew {
            demands
                .iter_mut()
                .for_each(|demand| demand.cap = demand.top());
            fill(demands, room, cautious);
        }
        for demand in demands.iter_mut() {
            let planned = if anew { demand.level } else { 0 };
            let first = usize::from(demand.held == Grant::Undecided);
            demand.cap = demand
                .held_level()
                .max(planned)
                .max(first)
                .min(demand.top());
        }
        fill(demands, room, room);
        let moved = |up: bool| {
            demands.iter().any(|demand| {
                let (from, to) = (demand.held_level(), demand.level);
                if up { to > from } else { to < from }
            })
        };
        if anew {
            self.offered = None;
            self.upgraded = if moved(true) {
                Some(now)
            } else {
                self.upgraded
            };
        } else if moved(false) {
            self.took_back(now);
        } else {
            self.upgrade(now, cautious, demands);
        }
        self.due = Some(now + ALLOCATION_INTERVAL);
        let granted: u64 = demands.iter().map(Demand::bps).sum();
        self.granted_bps = if granted > 0 { audio_bps + granted } else { 0 };
        wanted_bps
    }

    /// Something was downgraded: an upgrade that did not last makes the next one wait longer.
    fn took_back(&mut self, now: Instant) {
        let failed = self
            .upgraded
            .take()
            .is_some_and(|at| now.saturating_duration_since(at) < UPGRADE_TRIAL);
        self.hold = if failed {
            (self.hold * 2).min(UPGRADE_HOLD_MAX)
        } else {
            UPGRADE_HOLD_MIN
        };
        self.offered = None;
    }

    /// Takes each demand one step up, as far as it fits, once that has been so for long enough.
    fn upgrade(&mut self, now: Instant, cautious: u64, demands: &mut [Demand]) {
        let granted: u64 = demands.iter().map(Demand::bps).sum();
        let least = self
            .offered
            .map_or(cautious, |(_, least)| least.min(cautious));
        let fits = |demands: &[Demand], bps: u64| {
            let mut steps = demands.iter().filter_map(Demand::step_bps);
            steps.any(|step| granted + step <= bps)
        };
        let (since, least) = match self.offered {
            Some((since, _)) if fits(demands, least) => (since, least),
            _ if fits(demands, cautious) => (now, cautious),
            _ => {
                self.offered = None;
                return;
            }
        };
        self.offered = Some((since, least));
        if now.saturating_duration_since(since) < self.hold {
            return;
        }
        let mut left = least - granted.min(least);
        for demand in demands.iter_mut() {
            demand.cap = demand.level + 1;
        }
        // What is paused goes before what is only small.
        for demand in demands.iter_mut().filter(|demand| demand.level == 0) {
            take_step(demand, &mut left);
        }
        for demand in demands.iter_mut() {
            take_step(demand, &mut left);
        }
        self.offered = None;
        self.upgraded = Some(now);
    }
}

/// Grants demands, in the order of their ranks, up to their caps: first the lowest level of each
/// within `room`, then step by step within `steps_room`, class by class, in turns within a class.
fn fill(demands: &mut [Demand], room: u64, steps_room: u64) {
    let mut left = room;
    for demand in demands.iter_mut() {
        demand.level = 0;
        take_step(demand, &mut left);
    }
    left = left.saturating_sub(room.saturating_sub(steps_room));
    for class in demands.chunk_by_mut(|one, other| one.rank.class == other.rank.class) {
        loop {
            let mut stepped = false;
            for demand in class.iter_mut().filter(|demand| demand.level > 0) {
                stepped |= take_step(demand, &mut left);
            }
            if !stepped {
                break;
            }
        }
    }
}

/// One level more, if it is allowed and fits.
fn take_step(demand: &mut Demand, left: &mut u64) -> bool {
    match demand.step_bps() {
        Some(step) if demand.level < demand.cap && step <= *left => {
            demand.level += 1;
            *left -= step;
            true
        }
        _ => false,
    }
}

impl Forwarder {
    /// Distributes what a peer's path takes over what it receives, if that is due: its estimate
    /// moved, a subscription changed, or some time passed.
    pub(super) fn allocate(&mut self, now: Instant, handle: Handle<Peer>) {
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        let budget_bps = peer.target_bps();
        if !peer.is_reachable() || !peer.allocator.is_due(now, budget_bps) {
            return;
        }
        let mut demands = std::mem::take(&mut self.scratch.demands);
        let mut audio_bps = 0;
        for (index, of) in peer.subscriptions.iter().enumerate() {
            let Some(subscription) = self.subscriptions.get_mut(*of) else {
                continue;
            };
            let Some(track) = self.tracks.get(subscription.track) else {
                continue;
            };
            if subscription.wanted.paused || track.wanted.muted {
                continue;
            }
            match subscription.kind {
                MediaKind::Audio => audio_bps += audio_cost_bps(track),
                MediaKind::Video => demands.extend(demand(index, subscription, track)),
            }
        }
        let wanted_bps = peer
            .allocator
            .decide(now, budget_bps, audio_bps, &mut demands);
        if let Some(pacer) = &mut peer.pacer {
            pacer.set_wanted(wanted_bps);
        }
        let tried = peer
            .pacer
            .as_ref()
            .is_some_and(|pacer| !pacer.is_being_tried(now));
        for demand in demands.drain(..) {
            let grant = if budget_bps.is_some() {
                match demand.grant() {
                    Grant::Paused if !tried => demand.lowest_grant(),
                    grant => grant,
                }
            } else {
                demand.unlimited_grant()
            };
            let subscription = self
                .peers
                .get(handle)
                .and_then(|peer| peer.subscriptions.get(demand.index).copied());
            if let Some(subscription) = subscription {
                self.carry_out_grant(now, subscription, grant);
            }
        }
        self.scratch.demands = demands;
    }

    fn carry_out_grant(&mut self, now: Instant, handle: Handle<Subscription>, grant: Grant) {
        let Some(subscription) = self.subscriptions.get_mut(handle) else {
            return;
        };
        let before = std::mem::replace(&mut subscription.grant, grant);
        if before == grant {
            return;
        }
        let paused = grant == Grant::Paused;
        let changed = std::mem::replace(&mut subscription.told_paused, paused) != paused;
        let event = Event::SubscriptionPaused {
            subscriber: subscription.wanted.subscriber,
            track: subscription.wanted.track,
            paused,
        };
        let room = self.tracks.get(subscription.track).map(|track| track.room);
        if let Some(room) = room.filter(|_| changed) {
            self.push_event(room, event);
        }
        self.aim_within_grant(now, handle);
    }
}

/// `None` where nothing is being received that could be sent.
fn demand(index: usize, subscription: &Subscription, track: &Track) -> Option<Demand> {
    let wanted = &subscription.wanted;
    let content = track.wanted.content;
    let ladder = Ladder::new(
        content,
        track.active(),
        wanted.layer_max,
        wanted.frame_rate_max,
        |layer| track.rate_of(layer),
    );
    let demand = Demand::new(
        index,
        wanted.priority,
        content,
        wanted.layer_max,
        ladder,
        subscription.grant,
    );
    (demand.top() > 0).then_some(demand)
}

/// What an audio track is taken to cost: a quarter more than was measured, since speech comes and
/// goes faster than it is measured.
fn audio_cost_bps(track: &Track) -> u64 {
    if !track.active().contains(Layer::Low) {
        return 0;
    }
    track
        .rates
        .of(Layer::Low)
        .map_or(AUDIO_BPS_ASSUMED, |rate| rate.whole_bps() * 5 / 4)
}

/// Classes of what was given no priority: those that were given 1 to 63 come before screens.
const CLASS_SCREEN: u8 = 64;
const CLASS_CAMERA: u8 = 128;

/// A camera steps through the temporal layers of its lowest layer, a screen through those of its
/// highest; the other layers have a rung each.
const RUNGS_MAX: usize = TEMPORAL_LAYERS_MAX + Layer::ALL.len() - 1;

/// What browsers spend on the layers of a 720p camera, until it was measured.
const LAYER_BPS_ASSUMED: [u64; Layer::ALL.len()] = [150_000, 500_000, 1_700_000];

/// Opus at 32 kbit/s in packets of 20 ms.
const AUDIO_BPS_ASSUMED: u64 = 50_000;

#[cfg(test)]
mod tests;
