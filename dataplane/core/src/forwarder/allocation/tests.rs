use super::*;
use crate::forwarder::tests::start;
use Layer::{High, Low, Medium};
use VideoContent::{Camera, Screen};

/// A layer with three temporal layers of which the lowest takes half, at 30 frames a second.
fn layered(bps: u64) -> LayerRate {
    LayerRate {
        bps: [bps / 2, bps / 4, bps / 4, 0],
        frames: [8, 7, 15, 0],
    }
}

fn ladder(content: VideoContent, max: Layer, frame_rate_max: Option<u8>, kbps: [u64; 3]) -> Ladder {
    let mut active = ActiveLayers::default();
    for layer in Layer::ALL {
        active.set(layer, kbps[layer.index()] > 0);
    }
    Ladder::new(content, active, max, frame_rate_max, |layer| {
        Some(layered(kbps[layer.index()] * 1_000))
    })
}

/// Targets and kbit/s, cheapest first.
fn check_ladder(ladder: Ladder, expected: &[(Layer, u8, u64)]) {
    let rungs: Vec<_> = ladder
        .rungs()
        .iter()
        .map(|rung| (rung.target.spatial, rung.target.temporal, rung.bps / 1_000))
        .collect();
    assert_eq!(rungs, expected);
}

const ALL: u8 = u8::MAX;

#[test]
fn a_camera_loses_pixels_first_and_a_screen_frames() {
    let kbps = [160, 480, 1_600];
    check_ladder(
        ladder(Camera, High, None, kbps),
        &[
            (Low, 0, 80),
            (Low, 1, 120),
            (Low, ALL, 160),
            (Medium, ALL, 480),
            (High, ALL, 1_600),
        ],
    );
    check_ladder(
        ladder(Screen, High, None, kbps),
        &[
            (Low, 0, 80),
            (Medium, 0, 240),
            (High, 0, 800),
            (High, 1, 1_200),
            (High, ALL, 1_600),
        ],
    );
}

#[test]
fn a_ladder_keeps_to_the_wish_and_to_what_is_received() {
    check_ladder(
        ladder(Camera, Medium, Some(15), [160, 480, 1_600]),
        &[(Low, 0, 80), (Low, 1, 120), (Medium, 1, 360)],
    );
    check_ladder(
        ladder(Camera, High, None, [0, 480, 0]),
        &[(Medium, 0, 240), (Medium, 1, 360), (Medium, ALL, 480)],
    );
    check_ladder(ladder(Camera, Low, None, [0, 480, 0]), &[]);
    // A higher layer that costs less is the better one.
    check_ladder(
        ladder(Camera, High, None, [160, 100, 90]),
        &[(Low, 0, 80), (High, ALL, 90)],
    );
}

#[test]
fn what_was_not_measured_is_taken_to_cost_what_is_usual() {
    let mut active = ActiveLayers::default();
    active.set(Low, true);
    active.set(High, true);
    let ladder = Ladder::new(Camera, active, High, None, |_| None);
    check_ladder(ladder, &[(Low, ALL, 150), (High, ALL, 1_700)]);
}

/// A peer and what it wants, over time.
struct Path {
    now: Instant,
    allocator: Allocator,
    audio_bps: u64,
    wanted: Vec<(u8, VideoContent, Ladder)>,
    grants: Vec<Grant>,
    /// How often each grant changed.
    changes: usize,
}

impl Path {
    fn new(audio_kbps: u64, wanted: Vec<(u8, VideoContent, Ladder)>) -> Self {
        Self {
            now: start(),
            allocator: Allocator::default(),
            audio_bps: audio_kbps * 1_000,
            grants: vec![Grant::Undecided; wanted.len()],
            wanted,
            changes: 0,
        }
    }

    fn cameras(audio_kbps: u64, count: usize) -> Self {
        let ladder = ladder(Camera, High, None, [160, 480, 1_600]);
        Self::new(audio_kbps, vec![(0, Camera, ladder); count])
    }

    /// One allocation, a tenth of a second after the last; what is then granted, bits per second.
    fn step(&mut self, budget_bps: Option<u64>) -> u64 {
        self.now += Duration::from_millis(100);
        let wanted = self.wanted.iter().zip(&self.grants).enumerate();
        let mut demands: Vec<Demand> = wanted
            .map(|(index, ((priority, content, ladder), held))| {
                let max = ladder.rungs().last().expect("something").target.spatial;
                Demand::new(index, *priority, *content, max, *ladder, *held)
            })
            .collect();
        self.allocator
            .decide(self.now, budget_bps, self.audio_bps, &mut demands);
        for demand in &demands {
            let grant = if budget_bps.is_some() {
                demand.grant()
            } else {
                demand.unlimited_grant()
            };
            self.changes += usize::from(self.grants[demand.index] != grant);
            self.grants[demand.index] = grant;
        }
        demands.iter().map(Demand::bps).sum()
    }

    fn steps(&mut self, seconds: u64, budget_kbps: u64) {
        for _ in 0..seconds * 10 {
            self.step(Some(budget_kbps * 1_000));
        }
    }

    fn spatial(&self) -> Vec<Option<Layer>> {
        self.grants
            .iter()
            .map(|grant| match grant {
                Grant::UpTo(target) => Some(target.spatial),
                Grant::Everything => Some(High),
                Grant::Paused | Grant::Undecided => None,
            })
            .collect()
    }

    /// How far up each is.
    fn levels(&self) -> Vec<usize> {
        let wanted = self.wanted.iter().zip(&self.grants);
        wanted
            .map(|((_, _, ladder), grant)| match grant {
                Grant::UpTo(target) => {
                    let rungs = ladder.rungs().iter();
                    rungs.filter(|rung| rung.target <= *target).count()
                }
                Grant::Everything => ladder.count,
                Grant::Paused | Grant::Undecided => 0,
            })
            .collect()
    }
}

#[test]
fn without_an_estimate_everything_is_granted() {
    let mut path = Path::cameras(50, 3);
    path.step(None);
    assert_eq!(path.grants, [Grant::Everything; 3]);
    let slow = ladder(Camera, High, Some(15), [160, 480, 1_600]);
    let mut path = Path::new(50, vec![(0, Camera, slow)]);
    path.step(None);
    let target = Target {
        spatial: High,
        temporal: 1,
    };
    assert_eq!(path.grants, [Grant::UpTo(target)]);
}

#[test]
fn everyone_is_seen_before_anyone_is_seen_well() {
    let mut path = Path::cameras(50, 3);
    path.step(Some(700_000));
    assert_eq!(path.spatial(), [Some(Low); 3]);
    // 50 for audio, 3 times 80 for the lowest rungs, little else.
    let mut path = Path::cameras(50, 3);
    path.step(Some(300_000));
    assert_eq!(path.levels(), [1, 1, 1]);
    path.step(Some(250_000));
    assert_eq!(path.levels(), [1, 1, 0], "the last one gives way");
    path.step(Some(60_000));
    assert_eq!(path.levels(), [0, 0, 0], "audio alone");
}

#[test]
fn priority_comes_first_then_screens() {
    let kbps = [160, 480, 1_600];
    let wanted = |priority, content| (priority, content, ladder(content, High, None, kbps));
    let mut path = Path::new(
        50,
        vec![
            wanted(0, Camera),
            wanted(0, Screen),
            wanted(1, Camera),
            wanted(200, Screen),
        ],
    );
    path.step(Some(4_300_000));
    assert_eq!(path.levels(), [3, 5, 5, 1]);
    path.step(Some(320_000));
    assert_eq!(path.levels(), [1, 1, 1, 0]);
    path.step(Some(140_000));
    assert_eq!(path.levels(), [0, 0, 1, 0]);
}

#[test]
fn down_at_once_and_up_step_by_step() {
    let mut path = Path::cameras(50, 1);
    path.step(Some(5_000_000));
    assert_eq!(path.spatial(), [Some(High)], "at once at the beginning");
    path.steps(20, 5_000);
    path.step(Some(400_000));
    assert_eq!(path.spatial(), [Some(Low)]);
    path.steps(20, 400);
    assert_eq!(path.spatial(), [Some(Low)]);
    path.steps(1, 5_000);
    assert_eq!(path.spatial(), [Some(Low)], "not before it has lasted");
    path.steps(1, 5_000);
    assert_eq!(path.spatial(), [Some(Medium)]);
    path.steps(1, 5_000);
    assert_eq!(path.spatial(), [Some(High)]);
}

#[test]
fn an_upgrade_leaves_headroom() {
    let mut path = Path::cameras(0, 1);
    path.step(Some(400_000));
    path.steps(30, 480 * 119 / 100);
    assert_eq!(path.spatial(), [Some(Low)]);
    path.steps(2, 480 * 121 / 100);
    assert_eq!(path.spatial(), [Some(Medium)]);
}

#[test]
fn an_upgrade_that_fails_is_tried_less_and_less_often() {
    let mut path = Path::cameras(0, 1);
    path.step(Some(400_000));
    let mut waits = Vec::new();
    for _ in 0..6 {
        let mut wait = 0;
        while path.spatial() == [Some(Low)] {
            path.step(Some(600_000));
            wait += 1;
        }
        waits.push(wait / 10);
        path.steps(2, 600);
        path.step(Some(400_000));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 16]);
}

#[test]
fn a_change_of_what_is_wanted_is_decided_at_once() {
    let mut path = Path::cameras(0, 2);
    path.steps(1, 2_000);
    assert_eq!(path.spatial(), [Some(Medium); 2]);
    path.wanted.pop();
    path.grants.pop();
    path.allocator.touch();
    path.step(Some(2_000_000));
    assert_eq!(path.spatial(), [Some(High)]);
    // A third one comes: it is seen at once, and the first one makes room.
    path.wanted.push(path.wanted[0]);
    path.grants.push(Grant::Undecided);
    path.step(Some(1_700_000));
    assert_eq!(path.spatial(), [Some(Medium), Some(Medium)]);
}

/// Random numbers for the properties; the seed is in each failure's message.
struct Numbers(u64);

impl Numbers {
    /// Below `end`.
    fn below(&mut self, end: u64) -> u64 {
        // A linear congruential generator (Knuth, The Art of Computer Programming 2, §3.3.4).
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn path(&mut self) -> Path {
        let count = 1 + self.below(8);
        let wanted = (0..count).map(|_| {
            let content = if self.below(4) == 0 { Screen } else { Camera };
            let low = 50 + self.below(200);
            let medium = low + self.below(500);
            let kbps = [low, medium, medium + self.below(2_000)];
            let max = Layer::ALL[usize::try_from(self.below(3)).expect("small")];
            let priority = u8::try_from(self.below(4)).expect("small");
            (priority, content, ladder(content, max, None, kbps))
        });
        let wanted = wanted.collect();
        Path::new(self.below(200), wanted)
    }
}

#[test]
fn never_more_than_the_path_takes_but_for_audio() {
    for seed in 0..300 {
        let mut numbers = Numbers(seed);
        let mut path = numbers.path();
        for _ in 0..60 {
            let budget = numbers.below(6_000_000);
            if numbers.below(10) == 0 {
                path.allocator.touch();
            }
            let video = path.step(Some(budget));
            let room = budget.saturating_sub(path.audio_bps);
            assert!(video <= room, "seed {seed}: {video} of {room}");
        }
    }
}

#[test]
fn who_is_more_important_gets_no_less_for_the_same_wish() {
    for seed in 0..300 {
        let mut numbers = Numbers(seed);
        let count = 2 + numbers.below(6);
        let shape = ladder(Camera, High, None, [160, 480, 1_600]);
        let wanted: Vec<_> = (0..count)
            .map(|_| {
                (
                    u8::try_from(1 + numbers.below(200)).expect("small"),
                    Camera,
                    shape,
                )
            })
            .collect();
        let mut path = Path::new(50, wanted);
        for _ in 0..80 {
            path.step(Some(numbers.below(8_000_000)));
            let levels = path.levels();
            for (one, (priority, _, _)) in path.wanted.iter().enumerate() {
                for (other, (others, _, _)) in path.wanted.iter().enumerate() {
                    let fair = priority >= others || levels[one] >= levels[other];
                    assert!(fair, "seed {seed}: {levels:?} of {:?}", path.wanted);
                }
            }
        }
    }
}

#[test]
fn a_larger_budget_shows_more_and_who_comes_first_better() {
    for seed in 0..100 {
        let mut numbers = Numbers(seed);
        let shape = ladder(Camera, High, None, [160, 480, 1_600]);
        let count = 1 + numbers.below(8);
        let wanted: Vec<_> = (0..count)
            .map(|_| {
                (
                    u8::try_from(numbers.below(3)).expect("small"),
                    Camera,
                    shape,
                )
            })
            .collect();
        let mut before = vec![0; wanted.len()];
        for budget in (0..200).map(|step| step * 50_000) {
            let mut path = Path::new(50, wanted.clone());
            path.step(Some(budget));
            let after = path.levels();
            let both = before.iter().zip(&after);
            let shown = both
                .clone()
                .all(|(before, after)| *before == 0 || *after > 0);
            let mut both = both;
            let more = both.any(|(before, after)| *before == 0 && *after > 0);
            assert!(shown, "seed {seed}, {budget}: {before:?} to {after:?}");
            // The first class that anything changed for; 0 is unset and comes last.
            let of = |class: u8, levels: &[usize]| -> Vec<usize> {
                let of_class = wanted.iter().zip(levels);
                of_class
                    .filter(|((priority, ..), _)| *priority == class)
                    .map(|(_, level)| *level)
                    .collect()
            };
            let classes = [1, 2, 0].map(|class| (of(class, &before), of(class, &after)));
            let first = classes.into_iter().find(|(before, after)| before != after);
            let (fewer, better) = first.unwrap_or_default();
            let better = more
                || fewer
                    .iter()
                    .zip(&better)
                    .all(|(before, after)| before <= after);
            assert!(
                better,
                "seed {seed}, {budget}: {before:?} to {after:?} of {wanted:?}"
            );
            before = after;
        }
    }
}

#[test]
fn an_estimate_that_wobbles_moves_layers_a_few_times_a_minute() {
    for seed in 0..100 {
        let mut numbers = Numbers(seed);
        let middle = 100_000 + numbers.below(4_000_000);
        let period = 5 + numbers.below(200);
        let mut path = Path::cameras(50, 2);
        path.step(Some(middle));
        path.changes = 0;
        for step in 0..600 {
            // A triangle of 15 % either way, and what lies between.
            let phase = step % period * 2_000 / period;
            let share = 850 + 300 * phase.min(2_000 - phase) / 1_000;
            path.step(Some(middle * share / 1_000));
        }
        assert!(path.changes <= 12, "seed {seed}: {} changes", path.changes);
    }
}
